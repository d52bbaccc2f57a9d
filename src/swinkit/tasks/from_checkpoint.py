"""Model from a file of another library's weights."""

import re
from dataclasses import replace
from pathlib import Path

import torch

from ..core.backbone import Swin
from ..core.spec import Size, Spec
from ..errors import DataError, UsageError, listed, require
from ..files.contents import State
from ..files.tensors import Contents, read_contents
from ..heads.pyramid import Pyramid
from ..models.build import build
from ..models.catalogue import canonical_name, find_variant, outline, variant_of
from ..models.config import family_of
from ..models.families import SpecContinuous, SpecCR, SpecMoE
from ..models.given_windows import NONE_GIVEN
from ..models.specs import VARIANTS
from ..weights.configs import times
from ..weights.dialect import EMBED, Dialect, Translation
from ..weights.dialect_table import detect, dialect_named
from ..weights.infer import infer
from ..weights.load import load_weights
from ..weights.rank_files import is_ranked, read_ranks
from ..weights.unsupported import smallest_grid
from ..zoo.hub_configs import Facts
from .registry import task_types
from .task import Task

SEVERAL_LABELS = re.compile(r"""type=['"]\w*MultiLabel""")  # a head of OpenMMLab for several labels
USUAL_SIZE = (224, 224)
NOTHING = Facts()

Model = Task | Pyramid | Swin


def load_file(
    path: Path,
    facts: Facts = NOTHING,
    *,
    head: str = "same",
    tables: str | None = None,
    entry: str | None = None,
    precision: str = "fp32",
) -> tuple[Model, str]:
    """Return the model in a file of weights, in eval mode, and a report on every tensor.

    What `facts` leave open follows from the tensors and the file's name. `head` and `tables` are those of
    `load_weights`; with a new head, the labels of `facts` may be others than the file's. `entry` is that of
    `read_contents`. `precision` is "fp32", or "file" for that of the file's tensors.

    Raises:
        DataError: the file is damaged, or holds tensors that cannot be explained.
        UsageError: the file does not tell its architecture, or the labels do not fit its classes.
    """
    require(precision in ("fp32", "file"), "precision", precision, "'fp32' or 'file'")
    if is_ranked(path):
        require(entry is None, "entry", entry, "left out: files of ranks hold one set of weights")
        contents = Contents(read_ranks(path))
    else:
        contents = read_contents(path, entry)
    try:
        model, report = model_of(contents, path, facts, head, tables)
    except (DataError, UsageError) as error:
        raise type(error)(f"{path}: {error}") from None
    notes = take_precision(model, contents.state, precision)
    return model, "\n  ".join([report, *notes])


def take_precision(model: Model, state: State, precision: str) -> list[str]:
    """Put `model` into fp32, or the one precision of its file; return notes on other precisions."""
    found = {tensor.dtype for tensor in state.values() if tensor.is_floating_point()}
    if found <= {torch.float32}:
        return []
    told = listed(sorted(str(dtype).removeprefix("torch.") for dtype in found - {torch.float32}))
    if precision == "fp32":
        model.float()
        return [f"precision: {told} in the file, fp32 here"]
    if len(found) == 1:
        model.to(next(iter(found)))
    return [f"precision: {told} in the file, kept"]


def model_of(
    contents: Contents, path: Path, facts: Facts, head: str, tables: str | None
) -> tuple[Model, str]:
    """Return the model and the report of `load_file` from the content of a file."""
    dialect = dialect_named(facts.dialect) if facts.dialect else detect(contents.state)
    translation = dialect.read(contents.state)
    if SEVERAL_LABELS.search(contents.configuration):
        facts = replace(facts, problem="multi_label_classification")
    stem = canonical_name(path.name) or canonical_name(contents.architecture)
    spec, size, source = architecture(translation, stem, facts)
    spec = take_file_channels(translation, spec)
    notes = [*note_wrappers(contents), f"architecture: {family_of(spec)}, from {source}"]
    notes += [*note_windows(translation, spec, facts), *note_routing(spec, source)]
    if len(spec.patch) in dialect.axes:  # else a picture's weights in a model of clips
        spec = replace(spec, border=dialect.border, clipped_bias=dialect.clipped_bias)
        notes.append(note_border(dialect))
    # What stays new must have values; all else takes over the file's tensors without a copy.
    with torch.device("meta" if head in ("same", "none") else "cpu"):
        model, answers = build_unfilled(translation, spec, facts, size, head)
    report = load_weights(model, contents.state, dialect=dialect.name, head=head, tables=tables)
    if translation.classifier and head == "same":
        behind = "layers before it have no weights, and are taken for dropouts"
        answers = [f"classifier: {translation.classifier}; {behind}", *answers]
    lines = [f"{path}: {report}", *(f"  {note}" for note in [*notes, *answers])]
    return model.eval(), "\n".join(lines)


def take_file_channels(translation: Translation, spec: Spec) -> Spec:
    """Return the spec with as many input channels as the file's patch filters have."""
    filters = translation.state.get(EMBED)
    fits = filters is not None and filters.ndim >= 4 and filters.shape[1] > 0
    return replace(spec, in_channels=filters.shape[1]) if filters is not None and fits else spec


def architecture(translation: Translation, stem: str | None, facts: Facts) -> tuple[Spec, Size, str]:
    """Return spec, usual size in pixels, and source: the facts, else the tensors, else the file.

    `stem` is the variant that the file's name, or a name in the file, says.
    """
    spec, size, source = base_architecture(translation, stem, facts)
    if facts.windows == NONE_GIVEN:
        return spec, size, source
    changed = facts.windows.change(spec)
    if facts.spec is None:
        known = variant_of(changed)
        uncut = times(smallest_grid(changed.window_sizes, changed.merge), changed.patch)
        size = uncut if known is None else known.size
    return changed, size, f"{source} and the windows given"


def base_architecture(translation: Translation, stem: str | None, facts: Facts) -> tuple[Spec, Size, str]:
    """Return the same, where the windows given decide only what nothing else does."""
    if facts.variant is not None:
        name, chosen = find_variant(facts.variant)
        return chosen.spec, chosen.size, f"the name {name}"
    if facts.spec is not None:
        return facts.spec, facts.size or usual_size(facts.spec, stem), "its configuration"
    try:
        spec = infer(translation.state, translation.buffers, facts.windows)
    except UsageError:
        if stem is None:
            raise
        chosen = VARIANTS[stem]
        return chosen.spec, chosen.size, f"the name in or of the file ({stem})"
    if isinstance(spec, SpecMoE) and stem is not None and outline(VARIANTS[stem].spec) == outline(spec):
        return VARIANTS[stem].spec, VARIANTS[stem].size, f"the tensors and the file's name ({stem})"
    return spec, usual_size(spec, stem), "the tensors"


def usual_size(spec: Spec, stem: str | None) -> Size:
    """Return the pixels per axis of the variant with these windows, else of the one in the file's name."""
    known = variant_of(spec)
    if known is not None:
        return known.size
    return VARIANTS[stem].size if stem else USUAL_SIZE


def note_windows(translation: Translation, spec: Spec, facts: Facts) -> list[str]:
    """Return a note if coordinates in the file are of other windows than the model's, or if it has none.

    Windows change no shape of a parameter, so no other check would find the difference.
    """
    try:
        own = infer(translation.state, translation.buffers)
    except (UsageError, DataError):  # it kept none
        continuous = isinstance(spec, SpecContinuous | SpecCR)
        if not continuous or facts.spec is not None or facts.is_published:
            return []
        references = spec.reference_windows if isinstance(spec, SpecContinuous) else spec.window_sizes
        unconfirmed = "no tensor confirms them; timm and transformers cut each to the grid of its stage"
        remedy = "window= and pretrained_window= give others"
        windows = f"windows {spec.window_sizes}, pre-trained with {references}"
        return [f"{windows}: {unconfirmed} ({remedy})"]
    if not isinstance(own, SpecContinuous) or not isinstance(spec, SpecContinuous):
        return []
    kept, told = ((each.window_sizes, each.reference_windows) for each in (own, spec))
    if kept == told:
        return []
    return [
        f"windows {told[0]}, pre-trained with {told[1]}; but the file was saved with {kept[0]} and {kept[1]}"
    ]


def note_routing(spec: Spec, source: str) -> list[str]:
    """Return a note on the routing of a Swin-MoE, if its spec follows from tensors, which define none."""
    if source != "the tensors" or not isinstance(spec, SpecMoE) or not any(spec.moe_blocks):
        return []
    fields = ("top_k", "capacity_factor", "capacity_multiple", "batch_prioritised", "normalise_gates")
    values = ", ".join(f"{field} {getattr(spec, field)}" for field in fields)
    usual = "experts are chosen in the usual way, because no tensor defines it"
    return [f"{usual}: {values}; name the variant for another"]


def note_wrappers(contents: Contents) -> list[str]:
    """Return a note on the dictionaries around the tensors, and on other content."""
    done = [f"opened: {listed(contents.wrappers)}"] if contents.wrappers else []
    done += [f"left alone: {listed(contents.ignored)}"] if contents.ignored else []
    return ["; ".join(done)] if done else []


def note_border(dialect: Dialect) -> str:
    """Return a note on the published border policy that was chosen."""
    index = ", clipped bias of the published slice" if dialect.clipped_bias == "leading" else ""
    return f"border policy: {dialect.border}{index}, as {dialect.name} runs them"


def build_unfilled(
    translation: Translation, spec: Spec, facts: Facts, size: Size, head: str
) -> tuple[Model, list[str]]:
    """Build the module whose tensors have these names, without weights, and return notes for the report."""
    swin = build(spec)
    if head == "none":
        return swin, ["no head, as asked"]
    for task_type in task_types():
        found = task_type.from_checkpoint(translation, swin, facts, size, head)
        if found is not None:
            return found
    stages = map(str, range(len(swin.stages)))
    outputs = [int(stage) for stage in stages if f"norms.{stage}.weight" in translation.state]
    if outputs:
        return Pyramid(swin, outputs), [f"norms of stages {outputs}"]
    return swin, ["no head"]
