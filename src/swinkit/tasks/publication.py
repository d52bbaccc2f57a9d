"""Publication of a model on the Hugging Face hub: claims about it, and the files of the repository."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import require
from ..files.folder import SavedModel
from ..type_check import require_kind


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A publisher's claims about a model, which cannot be read from its weights.

    Raises:
        UsageError: a result without its data set, or the reverse, or one that is no fraction.
    """

    licence: str | None = None  # the hub's short name, such as "mit"
    dataset: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)  # in [0, 1], measured on `dataset`
    card: str | None = None  # Markdown, instead of the plain card

    def __post_init__(self) -> None:
        """Raise UsageError for a result that cannot be true."""
        rule = "given together with the dataset that it was measured on"
        for name, score in self.scores.items():
            require(self.dataset is not None, name, score, rule)
            require_kind(score, float, name)
            require(0 <= score <= 1, name, score, "a fraction from 0 to 1")
        require(
            self.dataset is None or bool(self.scores), "dataset", self.dataset, "given with a score on it"
        )


@dataclass(frozen=True)
class Publication:
    """A repository to be: its files, the libraries that can read it, and notes for its reader."""

    saved: SavedModel
    readers: tuple[str, ...]
    notes: tuple[str, ...]
