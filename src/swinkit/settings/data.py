"""A recipe's settings for reading pictures. Torch-free."""

from dataclasses import dataclass
from typing import Annotated, Literal

from ..errors import require
from ..type_check import require_kinds

AXES = (2, 3)  # of pictures; of clips and volumes


@dataclass(frozen=True, kw_only=True)
class Data:
    """Normalisation and reading of the pictures.

    Raises:
        UsageError: a field is out of range.
    """

    mean: Annotated[tuple[float, ...], "mean of each channel, such as red, green and blue, in [0, 1]"]
    std: Annotated[tuple[float, ...], "standard deviation of each channel"]
    workers: Annotated[int, "processes that read pictures"] = 0
    max_bad_fraction: Annotated[
        float, "share of the training pictures that may be unreadable before the run stops"
    ] = 0.001

    def __post_init__(self) -> None:
        """Check every field."""
        require_kinds(self, "data.")
        require(len(self.mean) > 0, "data.mean", self.mean, "a number for each channel")
        spread = len(self.std) == len(self.mean) and min(self.std) > 0
        require(spread, "data.std", self.std, f"above 0 for each of {len(self.mean)} channels, as data.mean")
        require(self.workers >= 0, "data.workers", self.workers, "0 or more")
        require(0 <= self.max_bad_fraction < 1, "data.max_bad_fraction", self.max_bad_fraction, "in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class CroppedData(Data):
    """Data of a task whose pictures are resized and cropped to one size.

    Raises:
        UsageError: a field is out of range.
    """

    size: Annotated[
        tuple[int, ...],
        "pixels of a picture as the model gets it, [height,width]; of a clip [frames,height,width]",
    ]
    resize: Annotated[
        int | None,
        "pixels of the shorter side before the middle is cut out in evaluation; null: squeezed",
    ] = None
    interpolation: Annotated[Literal["bicubic", "bilinear"], "interpolation of resizing"] = "bicubic"
    hold_out: Annotated[
        float | None,
        "share of the pictures to hold out for validation, of data without a split; null: none",
    ] = None

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        known = len(self.size) in AXES and min(self.size) >= 1
        require(known, "data.size", self.size, "positive: (height, width), or (frames, height, width)")
        side = max(self.size[-2:])
        held = self.hold_out
        require(held is None or 0 < held < 1, "data.hold_out", held, "null, or between 0 and 1")
        enough = self.resize is None or self.resize >= side
        require(enough, "data.resize", self.resize, f"null or at least {side}, as data.size")
