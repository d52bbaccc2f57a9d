"""Checkpoints that swinkit finds by name: VARIANT/DATASET. Torch-free.

The embedded one lies in the package, so that everything works without a network.
"""

from pathlib import Path

from ..errors import UsageError
from ..models.catalogue import ALIASES, canonical, did_you_mean
from ..models.specs import VARIANTS

DEFAULT = "swin-pico/cifar-10"
EMBEDDED: dict[str, Path] = {DEFAULT: Path(__file__).parent / "embedded" / "swin-pico-cifar-10"}


def locate(name: str) -> Path:
    """The saved-model folder of a checkpoint, by `VARIANT/DATASET` or by a variant that has just one.

    Raises:
        UsageError: no checkpoint has this name; the message says what to do instead.
    """
    if name in EMBEDDED:
        return EMBEDDED[name]
    variant, _, dataset = name.partition("/")
    variant = canonical(variant)
    known = [checkpoint for checkpoint in EMBEDDED if checkpoint.split("/")[0] == variant]
    if len(known) == 1 and not dataset:
        return EMBEDDED[known[0]]
    if variant is not None and not known:
        raise UsageError(
            f"{name}: no weights of {variant} come with swinkit; give a file of weights "
            f"(`swinkit.load('file.pth')`), or build it untrained (`swinkit.backbone({variant!r})`)"
        )
    hint = did_you_mean(name, [*EMBEDDED, *VARIANTS, *ALIASES])
    raise UsageError(f"{name}: no such file, folder or checkpoint{hint}")
