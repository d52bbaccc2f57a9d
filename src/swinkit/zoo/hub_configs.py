"""Shared parts of the readers of a hub's config.json: spec and preprocessing. Torch-free."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ..core.spec import Size, Spec
from ..errors import DataError, listed
from ..files.typed_json import Settings
from ..models.config import require_plausible
from ..models.given_windows import NONE_GIVEN, GivenWindows

logger = logging.getLogger(__name__)

ONE_LABEL = "single_label_classification"  # as transformers calls an answer of one class a picture
RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Metadata of a file of weights. None means unknown: the tensors, or the usual values, decide."""

    variant: str | None = None  # the name of one of `models.specs.VARIANTS`
    spec: Spec | None = None  # the architecture itself, where no variant has it
    windows: GivenWindows = NONE_GIVEN  # in place of the architecture's
    is_published: bool = False  # whether the publisher's list says that the weights are of `variant`
    dialect: str | None = None
    size: Size | None = None  # pixels per axis, where `preprocess` does not tell them
    preprocess: dict[str, Any] | None = None  # arguments of `data.preprocess.Preprocess.to_crop`
    labels: tuple[str, ...] | None = None  # the classes' names, in order
    problem: str = ONE_LABEL  # what the head answers, as transformers' `problem_type`


def require_known(settings: Settings, known: Collection[str]) -> None:
    """Refuse fields that are not `known`, because they may change what the model answers.

    Raises:
        DataError: there are any; the message names them.
    """
    unknown = sorted(set(settings.values) - set(known))
    if unknown:
        raise DataError(
            f"{settings.name}: {listed(unknown)} may change the model in a way that swinkit lacks; remove "
            "from the file what changes no answer"
        )


def reference_windows(settings: Settings, windows: tuple[Size, ...]) -> tuple[Size, ...] | None:
    """Return the pre-training windows of V2, one a stage; the stage's own where they are 0 or absent.

    A list has one entry a stage, also for two stages; it is never (height, width) for all.
    """
    key = "pretrained_window_sizes"
    value = settings.get(key, None)
    if value is None:
        return None
    sizes = value if isinstance(value, list) else [value] * len(windows)
    settings.require(len(sizes) >= len(windows), key, f"one size, or one for each of {len(windows)} stages")
    pairs = zip(sizes, windows, strict=False)  # entries for stages that are not there are passed over
    return tuple(window if size == 0 else settings.pair(key, size) for size, window in pairs)


def build_spec(make: Callable[[], Spec], name: str) -> Spec:
    """Return the spec of `make`; raise DataError naming the file `name` if no Swin can be built from it."""
    try:
        spec = make()
        require_plausible(vars(spec))
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: no Swin can be built from it: {error}") from None
    return spec


def check_preprocess(fields: dict[str, Any], known: bool, name: str) -> dict[str, Any] | None:
    """Return `fields` if they are `known` and fit a `Preprocess`; else log a warning and return None."""
    resize = fields["resize"]
    whole = resize is None or max(fields["crop"]) <= resize < 2**31
    if known and whole and fields["interpolation"] in RESAMPLING.values():
        return fields
    logger.warning("%s: its preprocessing is not supported; the usual one is taken", name)
    return None
