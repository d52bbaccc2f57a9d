"""The numbers that describe any Swin and each of its blocks. Torch-free.

Kept apart from the layers so that tables of variants can be read, and parameters counted, without
importing torch.
"""

from dataclasses import dataclass

Size = tuple[int, ...]

BORDER_NAMES = ("clip", "square", "pad", "pad-unshifted", "roll-first")  # parts in `core.borders`
MIXING_BORDER_NAMES = ("clip", "square")  # of these, those that Swin-MLP's mixing has
CLIPPED_BIAS_NAMES = ("middle", "leading")  # parts in `core.position`


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The numbers of a Swin. Nothing here depends on the input's resolution.

    `border` and `clipped_bias` name parts: `core.borders.BORDERS`, `core.position.CLIPPED_BIAS`.
    `absolute_grid` is the grid on which an absolute embedding was trained, a fact of its weights.
    """

    patch: Size = (4, 4)
    merge: Size = (2, 2)
    in_channels: int = 3
    embed_dim: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    window_sizes: tuple[Size, ...]  # one per stage
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    qk_scale: float | None = None  # None: 1 / sqrt(head width)
    patch_norm: bool = True
    absolute_grid: Size | None = None
    drop_path: float = 0.0
    dropout: float = 0.0
    attention_dropout: float = 0.0
    initial_std: float | None = 0.02  # of a new model's linear layers; None: torch's default
    border: str = "clip"
    clipped_bias: str = "middle"

    def __post_init__(self) -> None:
        """Refuse numbers that no Swin can be built from.

        Raises:
            ValueError: naming the field and what is wrong with it.
        """
        for field in ("patch", "merge", "depths", "num_heads", "window_sizes"):
            if not isinstance(getattr(self, field), tuple):
                raise ValueError(f"{field} is {getattr(self, field)!r}; it must be a tuple")
        stages = len(self.depths)
        for field in ("in_channels", "embed_dim", "depths", "num_heads", "patch"):
            value = getattr(self, field)
            if not value or min(value if isinstance(value, tuple) else (value,)) < 1:
                raise ValueError(f"{field} is {value}; it must be 1 or more")
        for field, known in (("border", BORDER_NAMES), ("clipped_bias", CLIPPED_BIAS_NAMES)):
            if getattr(self, field) not in known:
                raise ValueError(f"{field} {getattr(self, field)!r} is unknown (known: {', '.join(known)})")
        for field in ("drop_path", "dropout", "attention_dropout"):
            if not 0 <= getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be in [0, 1)")
        if not self.mlp_ratio > 0:
            raise ValueError(f"mlp_ratio is {self.mlp_ratio}; it must be above 0")
        if self.initial_std is not None and not self.initial_std > 0:
            raise ValueError(f"initial_std is {self.initial_std}; it must be above 0, or None")
        for field in ("num_heads", "window_sizes"):
            entries = len(getattr(self, field))
            if entries != stages:
                raise ValueError(f"{field} has {entries} entries, but depths has {stages} stages")
        self.require_sizes("merge", self.merge)
        self.require_sizes("window_sizes", *self.window_sizes)
        if self.absolute_grid is not None:
            self.require_sizes("absolute_grid", self.absolute_grid)
        for width, heads in zip(self.widths, self.num_heads, strict=True):
            if width % heads:
                raise ValueError(f"num_heads: a stage of {width} channels cannot be split into {heads} heads")

    def require_sizes(self, field: str, *sizes: Size) -> None:
        """Raise ValueError unless each is a positive size along every axis."""
        axes = len(self.patch)
        for size in sizes:
            if not isinstance(size, tuple) or len(size) != axes or min(size) < 1:
                raise ValueError(
                    f"{field} {size} must be {axes} positive sizes, one per axis of patch {self.patch}"
                )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage, finest first."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.depths)))

    @property
    def strides(self) -> tuple[Size, ...]:
        """Pixels per token of each stage, per axis, finest first."""
        return tuple(
            tuple(p * m**stage for p, m in zip(self.patch, self.merge, strict=True))
            for stage in range(len(self.depths))
        )


@dataclass(frozen=True)
class BlockSpec:
    """The numbers of one block: its place in the pyramid, its width and its window."""

    stage: int
    index: int
    dim: int
    num_heads: int
    window: Size
    shift: Size
    hidden: int
    drop_path: float


def block_specs(spec: Spec) -> list[list[BlockSpec]]:
    """Return the numbers of every block, stage by stage.

    Every second block shifts its windows by half; drop-path rises linearly over all blocks (paper,
    section 3.1 and A2.1).
    """
    total = sum(spec.depths)
    rates = iter([spec.drop_path * i / max(1, total - 1) for i in range(total)])
    rows = []
    stages = zip(spec.depths, spec.num_heads, spec.window_sizes, strict=True)
    for stage, (depth, num_heads, window) in enumerate(stages):
        dim = spec.widths[stage]
        shifts = [(0,) * len(window), tuple(w // 2 for w in window)]
        hidden = int(dim * spec.mlp_ratio)
        row = [
            BlockSpec(stage, i, dim, num_heads, window, shifts[i % 2], hidden, next(rates))
            for i in range(depth)
        ]
        rows.append(row)
    return rows
