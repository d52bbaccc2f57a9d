"""The class of a variant, and the sizes that families share. Torch-free.

The papers write a Swin as its first width, its depths and its window; T, S, B and L are the four sizes of
V1 and V2 (V1 section 3.3, V2 section 4.1), H and G those of V2 alone.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from ...core.spec import Size, Spec
from ..config import family_of


@dataclass(frozen=True)
class Variant:
    """A published model, or one of our own: its numbers, its usual input and its classes."""

    spec: Spec
    size: Size  # pixels per axis of its usual input: (h, w) or (frames, h, w)
    num_classes: int
    source: str
    aliases: tuple[str, ...] = ()  # other libraries' names, without what follows the input size

    @property
    def family(self) -> str:
        """The models that share a builder, as in `models.config.SPEC_TYPES`."""
        return family_of(self.spec)

    @property
    def task(self) -> str:
        """The task that it was published for."""
        return "video-classification" if self.family == "video" else "classification"


SIZES = {  # letter: first width, depths, heads
    "t": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "s": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "b": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "l": (192, (2, 2, 18, 2), (6, 12, 24, 48)),
    "h": (352, (2, 2, 18, 2), (11, 22, 44, 88)),  # heads of 32 channels, as everywhere: the paper is silent
    "g": (512, (2, 2, 42, 4), (16, 32, 64, 128)),
}
W12 = (12, 12, 12, 6)  # at 192 pixels the last grid is 6 x 6
W14 = (14, 14, 14, 7)


Numbers = TypeVar("Numbers", bound=Spec)


def make_spec(kind: type[Numbers], letter: str, windows: tuple[Size, ...], **others: Any) -> Numbers:
    """Return the numbers of a size, one of `SIZES`, with its windows; `others` are added, or replace them."""
    dim, depths, heads = SIZES[letter]
    usual = {"embed_dim": dim, "depths": depths, "num_heads": heads, "window_sizes": windows}
    return kind(**usual | others)


def squares(window: int | tuple[int, ...]) -> tuple[Size, ...]:
    """Return square windows of four stages."""
    return tuple((w, w) for w in (window if isinstance(window, tuple) else (window,) * 4))


def pico(kind: type[Spec]) -> Variant:
    """Return our own smallest model, a V1 or a V2 with patches and windows for small pictures."""
    spec = kind(
        patch=(2, 2),
        embed_dim=48,
        depths=(2, 4, 2),
        num_heads=(3, 6, 12),
        window_sizes=((4, 4),) * 3,
        mlp_ratio=2.0,
        drop_path=0.05,
    )
    return Variant(spec, (32, 32), 10, "swinkit: a Swin for small pictures")
