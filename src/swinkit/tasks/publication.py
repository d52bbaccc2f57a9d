"""Publication of a model on the Hugging Face hub: claims about it, and the files of the repository."""

from dataclasses import dataclass

from ..errors import require
from ..files.folder import SavedModel


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A publisher's claims about a model, which cannot be read from its weights.

    Raises:
        UsageError: a result without its data set, or the reverse, or one that is no fraction.
    """

    licence: str | None = None  # the hub's short name, such as "mit"
    dataset: str | None = None
    top1: float | None = None  # accuracy in [0, 1], measured on `dataset`
    card: str | None = None  # Markdown, instead of the plain card

    def __post_init__(self) -> None:
        """Raise UsageError for a result that cannot be true."""
        together = (self.dataset is None) == (self.top1 is None)
        require(together, "top1", self.top1, "given together with the dataset that it was measured on")
        require(self.top1 is None or 0 <= self.top1 <= 1, "top1", self.top1, "a fraction from 0 to 1")


@dataclass(frozen=True)
class Publication:
    """A repository to be: its files, the libraries that can read it, and notes for its reader."""

    saved: SavedModel
    readers: tuple[str, ...]
    notes: tuple[str, ...]
