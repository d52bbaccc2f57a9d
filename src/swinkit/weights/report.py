"""Report on every tensor of a loading of weights."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..errors import listed


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """Record of the tensors of a file; `str(report)` is a short text. Names are ours unless noted.

    The last three fields make loading fail, so a report that `load_weights` returns has none of them.
    """

    dialect: str
    loaded: int  # tensors of the model that came from the file
    renamed: dict[str, str] = field(default_factory=dict)  # their name -> ours
    rebuilt: tuple[str, ...] = ()  # their names of buffers that follow from the windows
    resized: dict[str, str] = field(default_factory=dict)  # name -> from what to what, and how; so the next
    inflated: dict[str, str] = field(default_factory=dict)  # from pictures to clips
    adapted: dict[str, str] = field(default_factory=dict)  # to other input channels
    mapped: dict[str, str] = field(default_factory=dict)  # from a larger set of classes
    reinitialised: dict[str, str] = field(default_factory=dict)  # name -> at zero, or the model's own; why
    not_finite: tuple[str, ...] = ()  # loaded as they are, with NaN or infinity in them
    unused: tuple[str, ...] = ()  # parts of the file's model that this model does not have
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()  # their names
    misshapen: dict[str, str] = field(default_factory=dict)  # name -> the two shapes

    @property
    def has_failed(self) -> bool:
        """Return whether a tensor is missing, unexpected or of a wrong shape."""
        return bool(self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        rows = [f"weights in the names of {self.dialect}: {self.loaded} tensors loaded"]
        rows += row("renamed", (f"{theirs} -> {ours}" for theirs, ours in self.renamed.items()), shown=1)
        rows += row("rebuilt", self.rebuilt, shown=1)
        for change in ("resized", "inflated", "adapted", "mapped"):
            entries = getattr(self, change).items()
            rows += row(change, (f"{name} {how}" for name, how in entries), shown=2)
        rows += row("reinitialised", (f"{name} ({why})" for name, why in self.reinitialised.items()))
        rows += row("not finite", self.not_finite)
        rows += row("unused", self.unused, shown=2)
        rows += row("missing", self.missing)
        rows += row("unexpected", self.unexpected)
        rows += row("misshapen", (f"{name} {shapes}" for name, shapes in self.misshapen.items()))
        return "\n".join(rows)


def row(title: str, entries: Iterable[str], shown: int = 4) -> list[str]:
    """Format one line of a report; no line if there are no entries."""
    entries = list(entries)
    return [f"  {title:13} {len(entries):4}: {listed(entries, shown)}"] if entries else []
