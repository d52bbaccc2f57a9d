"""A dialect: one library's names for the parts of a Swin, with the rules that translate to and from ours."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ..core.spec import Spec
from ..errors import DataError, UsageError, listed
from ..files.contents import State
from .beside import is_average, is_record, plain_name
from .buffers import Buffer
from .rules import Move, Pattern, Rule
from .unsupported import Limit, anything

EMBED = "backbone.embed.proj.weight"  # in every Swin, so it marks where in a file the model begins
STAGE_NAMES = Pattern("backbone.stages.{i}.blocks.{j}.**")
MERGE_NAMES = Pattern("backbone.stages.{i}.merge.**")
CLASSIFIER_PARTS = {"head", "cls_head", "classifier", "fc", "fc_cls", "linear"}  # of the name of a classifier


@dataclass(frozen=True)
class NameMatch:
    """Match of a file's names with a dialect. Moves take names without the prefix; `full` has it.

    `beside` are those of the unexplained names that lie in no part of the file that holds the backbone.
    """

    prefix: str
    full: dict[str, str]
    moves: list[Move]
    buffers: list[Move]
    unused: tuple[str, ...]
    unexplained: tuple[str, ...]
    beside: tuple[str, ...]

    @property
    def renamed(self) -> dict[str, tuple[str, ...]]:
        """Their full names of every parameter, each with ours."""
        return {self.full[name]: move.given for move in self.moves for name in move.taken}

    @cached_property
    def stages(self) -> set[int]:
        """Numbers of the stages that have a block."""
        return self._numbers(STAGE_NAMES)

    @cached_property
    def is_whole(self) -> bool:
        """Return whether the stages have no gaps, and each but the last ends in a merge."""
        depth = len(self.stages)
        return self.stages == set(range(depth)) and self._numbers(MERGE_NAMES) == set(range(depth - 1))

    @cached_property
    def classifier(self) -> str:
        """Name of a linear layer that can be the classifier under another name than the dialect's, else "".

        Such as `head.1`, which follows a dropout. Nothing else in the file is unknown, and the final norm is
        there.
        """
        given = {name for move in self.moves for name in move.given}
        name = min(self.beside, default="").removesuffix(".bias")
        parts = [part for part in plain_name(name).split(".") if not part.isdecimal()]
        alone = sorted(self.unexplained) == sorted(self.beside) == [f"{name}.bias", f"{name}.weight"]
        fits = alone and "head.norm.weight" in given and "head.classifier.weight" not in given
        return name if fits and parts and parts[-1] in CLASSIFIER_PARTS else ""

    def _numbers(self, pattern: Pattern) -> set[int]:
        """Return the stages that have a name of this pattern."""
        found = (pattern.match(name) for move in self.moves for name in move.given)
        return {int(values["i"]) for values in found if values is not None}


@dataclass(frozen=True)
class Translation:
    """Tensors of a file under our names, with a record of the changes."""

    state: State
    buffers: State  # the harmless ones, as `...token_mixer.bias.index` and `...token_mixer.bias.coordinates`
    renamed: dict[str, str]  # theirs -> ours, where they differ
    rebuilt: tuple[str, ...]  # their names of `buffers`
    unused: tuple[str, ...]  # parts of a larger model, such as a detector's neck
    unexplained: tuple[str, ...]  # what the dialect does not know
    beside: tuple[str, ...] = ()  # those of them that lie outside of the backbone, such as an unknown head
    classifier: str = ""  # their name of a classifier behind layers without weights


@dataclass(frozen=True)
class Dialect:
    """One library's names, as rules that read and write, and the settings its weights were trained with.

    `axes`: how many its models can have. `border` and `clipped_bias`: the parts of a `Spec` under which
    the library's own code runs, so that its weights answer here as there. `prefix`: what its whole models
    have before all names but those that begin with one of `beside`; files may have any other. `cannot`: why
    the library has no model of a spec, or None. `tables`: how its loader resizes tables of biases
    (`weights.resize.TABLES`).
    """

    name: str
    rules: tuple[Rule, ...]
    buffers: tuple[Buffer, ...] = ()
    unused: tuple[str, ...] = ()
    axes: tuple[int, ...] = (1, 2, 3)
    border: str = "clip"
    clipped_bias: str = "middle"
    tables: str = "bicubic"
    prefix: str = ""
    beside: tuple[str, ...] = ()
    cannot: Limit = anything

    @cached_property
    def embed(self) -> str:
        """Their name of the patch embedding's weight."""
        return next(move.given[0] for rule in self.rules for move in rule.invert((EMBED,)))

    def match(self, names: Collection[str]) -> NameMatch | None:
        """Match `names` with this dialect; None if they hold no patch embedding under its name.

        Raises:
            DataError: they hold two.
        """
        plain = {name: plain_name(name) for name in names}
        prefixes = self.prefixes(plain)
        if not prefixes:
            return None
        prefix, *copies = prefixes
        full = {without_prefix(plain[name], prefix): name for name in names}
        moves = taken_once(full, [rule.apply for rule in self.rules])
        buffers = taken_once(names_left(full, moves), [buffer.apply for buffer in self.buffers])
        left = names_left(full, moves + buffers)
        patterns = [Pattern(text) for text in self.unused]
        unused = [
            name
            for name in left
            if is_record(name)
            or is_average(name.partition(".")[0])
            or plain[full[name]].startswith(tuple(copies))
            or any(pattern.match(name) is not None for pattern in patterns)
        ]
        explained = {whole for name, whole in full.items() if name not in left or name in unused}
        unexplained = tuple(name for name in names if name not in explained)
        own = tuple(f"{prefix}{root}." for root in roots(moves))
        return NameMatch(
            prefix=prefix,
            full=full,
            moves=moves,
            buffers=buffers,
            unused=tuple(full[name] for name in unused),
            unexplained=unexplained,
            beside=tuple(name for name in unexplained if not f"{plain[name]}.".startswith(own)),
        )

    def prefixes(self, plain: Mapping[str, str]) -> list[str]:
        """Return what the model's names begin with, then the same of its averages; `plain` by full name.

        Raises:
            DataError: there are two models.
        """
        found = {
            name: whole.removesuffix(self.embed)
            for name, whole in plain.items()
            if f".{whole}".endswith(f".{self.embed}")
        }
        raw = [name for name, begin in found.items() if not is_average(begin)] or list(found)
        if len(raw) > 1:
            begins = [name.removesuffix(self.embed) for name in raw]
            raise DataError(
                f"two models in one file, under {listed(begins)}; choose one by what its names begin with: "
                f"entry={max(begins).rstrip('.')!r}, or --entry"
            )
        own = [found[name] for name in raw]
        return own + [begin for begin in found.values() if begin not in own]

    def takes(self, state: State, match: NameMatch) -> bool:
        """Return whether the matched model has a number of axes that this library's models can have."""
        return state[match.full[self.embed]].ndim - 2 in self.axes

    def read(self, state: State, spec: Spec | None = None) -> Translation:
        """Translate their state to ours. `spec` gives the grid of an absolute embedding that is not square.

        Raises:
            DataError: `state` holds no Swin in these names, or two, or a tensor that cannot be converted.
        """
        match = self.match(state)
        if match is None:
            raise DataError(f"no {self.embed} among {listed(state)}: no Swin in the names of {self.name}")
        if not self.takes(state, match):
            raise DataError(
                f"{self.embed} has other axes than {self.name}'s models, so it is another library's"
            )
        local = {name: state[full] for name, full in match.full.items()}
        translation = Translation(
            state=carry_out(match.moves, local, spec),
            buffers=carry_out(match.buffers, local, spec),
            renamed={theirs: ", ".join(ours) for theirs, ours in match.renamed.items() if ours != (theirs,)},
            rebuilt=tuple(match.full[name] for move in match.buffers for name in move.taken),
            unused=match.unused,
            unexplained=match.unexplained,
            beside=match.beside,
        )
        return with_classifier(translation, state, match.classifier)

    def write(self, state: State, spec: Spec | None = None) -> State:
        """Translate our state to theirs, the inverse of `read`; with `spec`, the buffers they save are added.

        Raises:
            UsageError: the library has no such models, with the reason, or no place for some of the tensors.
        """
        axes = state[EMBED].ndim - 2
        if axes not in self.axes:
            raise UsageError(
                f"{self.name} has names for models of {listed(self.axes)} axes only, this one has {axes}"
            )
        reason = None if spec is None else self.cannot(spec)
        if reason is not None:
            raise UsageError(f"{self.name} cannot hold this model: {reason}")
        moves = taken_once(state, [rule.invert for rule in self.rules])
        homeless = names_left(state, moves)
        if homeless:
            raise UsageError(f"{self.name} has no place for {listed(homeless)}; choose another dialect")
        theirs = carry_out(moves, state, spec)
        if spec is not None:
            theirs |= {
                name: tensor for buffer in self.buffers for name, tensor in buffer.rebuild(state, spec)
            }
        return {self.with_prefix(name): tensor for name, tensor in theirs.items()}

    def with_prefix(self, name: str) -> str:
        """Return `name` with the prefix that it has in a whole model of theirs."""
        return name if name.startswith(self.beside) else self.prefix + name

    def distance(self, match: NameMatch) -> int:
        """Return how far the prefix of `match` is from the one that this dialect writes."""
        own = len(self.prefix)
        return len(match.prefix) - own if match.prefix.endswith(self.prefix) else len(match.prefix) + own


def roots(moves: Iterable[Move]) -> set[str]:
    """Return the first part of each name that becomes one of the backbone's."""
    ours = (move for move in moves if any(name.startswith("backbone.") for name in move.given))
    return {name.partition(".")[0] for move in ours for name in move.taken}


def with_classifier(translation: Translation, state: State, name: str) -> Translation:
    """Return a translation with the classifier called `name`, if it is as wide as the final norm."""
    if not name:
        return translation
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    if weight.shape != (bias.numel(), translation.state["head.norm.weight"].numel()):
        return translation
    given = {f"{name}.{part}": f"head.classifier.{part}" for part in ("weight", "bias")}
    return replace(
        translation,
        state=translation.state | {ours: state[theirs] for theirs, ours in given.items()},
        renamed=translation.renamed | given,
        unexplained=(),
        beside=(),
        classifier=name,
    )


def names_left(names: Iterable[str], moves: Iterable[Move]) -> list[str]:
    """Return the names that no move takes."""
    taken = {name for move in moves for name in move.taken}
    return [name for name in names if name not in taken]


def taken_once(
    names: Collection[str], rules: Iterable[Callable[[Collection[str]], list[Move]]]
) -> list[Move]:
    """Return the moves of all rules; the first rule that knows a name takes it, and none is given twice."""
    moves, left, given = [], set(names), set[str]()
    for rule in rules:
        for move in rule([name for name in names if name in left]):
            if left.issuperset(move.taken) and given.isdisjoint(move.given):
                moves.append(move)
                left.difference_update(move.taken)
                given.update(move.given)
    return moves


def carry_out(moves: Iterable[Move], source: State, spec: Spec | None) -> State:
    """Return the tensors that `moves` make of `source`.

    Raises:
        DataError: a tensor has a shape from which none can be made.
    """
    made: State = {}
    for move in moves:
        taken = [source[name] for name in move.taken]
        try:
            given = zip(move.given, move.convert(taken, spec), strict=True)
            made.update((name, tensor) for name, tensor in given if tensor is not None)
        except (RuntimeError, IndexError) as error:
            shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in zip(move.taken, taken, strict=True))
            raise DataError(f"{shapes}: no such tensors of a Swin, {listed(move.given)}") from error
    return made


def without_prefix(name: str, prefix: str) -> str:
    """Remove `prefix`, or as much of it as `name` has (the head beside a `module.backbone.`)."""
    while prefix and not name.startswith(prefix):
        prefix = prefix[: prefix.rstrip(".").rfind(".") + 1]
    return name.removeprefix(prefix)
