"""The models of other libraries, built from our specs and filled by the library's own loader.

Only this module imports timm and transformers, and each only when it is needed.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..core.spec import Size
from ..errors import DataError, listed
from ..files.tensors import read_state
from ..models.config import family_of
from ..weights.configs import (
    BARE,
    CLASSIFIER,
    TRANSFORMERS_NAMES,
    timm_arguments,
    torchvision_arguments,
    transformers_arguments,
)
from .source import Source, config_of, every_second

Answers = Callable[[Tensor], list[Tensor]]
Load = Callable[[Source, Path, Size], Answers]
HEADS = (
    "norm.",
    "head.",
    "layernorm.",
    "classifier.",
)  # names of tensors that a file without a head does not hold


@dataclass(frozen=True)
class Library:
    """Package that must be installed, and `load(source, path, size)`, which returns a function of pixels.

    It answers as `Source.answers` arranges it; `size` is that of the pixels.
    """

    package: str
    load: Load


def load_timm(source: Source, path: Path, size: Size) -> Answers:
    """Load a folder with `timm.create_model`, or a file with `timm.models.load_checkpoint`."""
    import timm as library
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.swin_transformer_v2 import SwinTransformerV2
    from timm.models.swin_transformer_v2_cr import SwinTransformerV2Cr

    if path.is_dir():
        model = library.create_model(f"local-dir:{path}", pretrained=True, img_size=size)
    else:
        kinds = {"v1": SwinTransformer, "v2": SwinTransformerV2, "v2-cr": SwinTransformerV2Cr}
        arguments = timm_arguments(source.spec, size, source.num_classes)
        model = kinds[family_of(source.spec)](**arguments)
        has_head = source.kind == CLASSIFIER
        result = library.models.load_checkpoint(model, str(path), strict=has_head)
        require_whole(result.missing_keys, result.unexpected_keys, source)
    return partial(timm_answers, model.eval(), source.kind)


def timm_answers(model: Any, kind: str, pixels: Tensor) -> list[Tensor]:
    """Return logits, or the last stage's tokens before timm's norm."""
    if kind == CLASSIFIER:
        return [model(pixels)]
    return [model.forward_intermediates(pixels, intermediates_only=True)[-1].movedim(1, -1)]


def load_torchvision(source: Source, path: Path, size: Size) -> Answers:  # noqa: ARG001  it takes any size
    """Load a file into torchvision's `SwinTransformer`."""
    from torchvision.models import swin_transformer as pictures

    arguments = torchvision_arguments(source.spec, max(1, source.num_classes))
    if family_of(source.spec) == "v2":
        arguments |= {"block": pictures.SwinTransformerBlockV2, "downsample_layer": pictures.PatchMergingV2}
    model: Any = load_into(pictures.SwinTransformer(**arguments), path, source)
    return lambda pixels: [model(pixels) if source.kind == CLASSIFIER else model.features(pixels)]


def load_torchvision_3d(source: Source, path: Path, size: Size) -> Answers:  # noqa: ARG001  it takes any size
    """Load a file into torchvision's `SwinTransformer3d`."""
    from torchvision.models.video.swin_transformer import PatchEmbed3d, SwinTransformer3d

    embed = partial(PatchEmbed3d, in_channels=source.spec.in_channels)
    arguments = torchvision_arguments(source.spec, max(1, source.num_classes))
    model: Any = load_into(SwinTransformer3d(**arguments, patch_embed=embed), path, source)
    return lambda pixels: [
        model(pixels) if source.kind == CLASSIFIER else model.features(model.patch_embed(pixels))
    ]


def load_into(model: nn.Module, path: Path, source: Source) -> nn.Module:
    """Load the tensors of a file into `model`, and set it to eval mode."""
    result = model.load_state_dict(read_state(path), strict=source.kind == CLASSIFIER)
    require_whole(result.missing_keys, result.unexpected_keys, source)
    return model.eval()


def load_transformers(source: Source, path: Path, size: Size) -> Answers:
    """Load with `from_pretrained` of the class for the model's kind of answer."""
    import transformers as library

    name = TRANSFORMERS_NAMES[family_of(source.spec)]
    kind = getattr(library, f"{name}{source.kind}")
    with silence_logger("transformers"), hide_progress_bars(library):
        if path.is_dir():
            model, found = kind.from_pretrained(path, output_loading_info=True)
        else:
            values = config_of(source, size)
            settings = {key: values[key] for key in ("out_features",) if key in values}
            config = getattr(library, f"{name}Config")(
                **transformers_arguments(source.spec, size), num_labels=source.num_classes or 2, **settings
            )
            model, found = kind.from_pretrained(
                None, config=config, state_dict=read_state(path), output_loading_info=True
            )
    require_whole(found["missing_keys"], found["unexpected_keys"], source)
    return partial(transformers_answers, model.eval().float(), source)  # a half file gives a half model


def transformers_answers(model: Any, source: Source, pixels: Tensor) -> list[Tensor]:
    """Return logits, maps, a reconstruction, or the last stage's tokens before the norm."""
    if source.masks:
        mask = every_second(pixels, source.spec).flatten(1).bool()
        return [model(pixels, bool_masked_pos=mask).reconstruction]
    if source.kind == BARE:
        return [model(pixels, output_hidden_states=True).reshaped_hidden_states[-1].movedim(1, -1)]
    made = model(pixels)
    return [made.logits] if source.kind == CLASSIFIER else list(made.feature_maps)


def require_whole(missing: Any, unexpected: Any, source: Source) -> None:
    """Raise DataError unless the library took every tensor and lacks none, except a head's that we lack."""
    absent = [name for name in missing if source.kind != BARE or not name.startswith(HEADS)]
    if absent or list(unexpected):
        raise DataError(
            f"its loader misses {listed(sorted(absent)) or 'nothing'} and does not know "
            f"{listed(sorted(unexpected)) or 'nothing'}"
        )


@contextmanager
def silence_logger(name: str) -> Iterator[None]:
    """Suppress the messages of a library's logger, except errors, while the context lasts."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def hide_progress_bars(library: Any) -> Iterator[None]:
    """Hide transformers' progress bars while the context lasts."""
    bars = library.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


LIBRARIES = {
    "timm": Library("timm", load_timm),
    "timm-cr": Library("timm", load_timm),
    "torchvision": Library("torchvision", load_torchvision),
    "torchvision-3d": Library("torchvision", load_torchvision_3d),
    "transformers": Library("transformers", load_transformers),
    "transformers-legacy": Library("transformers", load_transformers),
    "transformers-v2": Library("transformers", load_transformers),
    "transformers-backbone": Library("transformers", load_transformers),
    "transformers-legacy-backbone": Library("transformers", load_transformers),
    "transformers-v2-backbone": Library("transformers", load_transformers),
}
