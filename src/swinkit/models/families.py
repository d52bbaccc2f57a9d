"""The numbers that each family adds to those of every Swin. Torch-free.

V1 and Video Swin add nothing: they are a plain `core.spec.Spec`.
"""

import math
from dataclasses import dataclass

from ..core.spec import MIXING_BORDER_NAMES, BlockSpec, Size, Spec

ROUTER_NAMES = ("linear", "cosine")  # parts in `core.moe.routers`
BALANCE_NAMES = ("load-importance", "gshard")  # parts in `core.moe.balance`


def require_defaults(spec: Spec, family: str, **fixed: object) -> None:
    """Raise ValueError where a field that means nothing in `family` has another value than its fixed one."""
    for field, value in fixed.items():
        if getattr(spec, field) != value:
            raise ValueError(f"{field} is {getattr(spec, field)!r}; a {family} has no such part")


def require_period(norm_every: int | None) -> None:
    """Raise ValueError unless `norm_every` is None or a number of blocks."""
    if norm_every is not None and norm_every < 1:
        raise ValueError(f"norm_every is {norm_every}; it must be 1 or more, or None")


def is_last_of(period: int | None, block: BlockSpec) -> bool:
    """Return whether `block` ends a group of `period` blocks of its stage."""
    return period is not None and (block.index + 1) % period == 0


@dataclass(frozen=True, kw_only=True)
class SpecContinuous(Spec):
    """The numbers of a Swin whose bias is a function of offsets, in units of its windows of pre-training."""

    pretrained_window_sizes: tuple[Size, ...] | None = None  # None: the same as `window_sizes`

    def __post_init__(self) -> None:
        """Refuse numbers that no such Swin can be built from.

        Raises:
            ValueError: naming the field and what is wrong with it.
        """
        super().__post_init__()
        if len(self.reference_windows) != len(self.depths):
            entries = len(self.reference_windows)
            raise ValueError(
                f"pretrained_window_sizes has {entries} entries, but depths has {len(self.depths)} stages"
            )
        self.require_sizes("pretrained_window_sizes", *self.reference_windows)

    @property
    def reference_windows(self) -> tuple[Size, ...]:
        """The windows in whose units offsets are measured, one per stage."""
        return self.pretrained_window_sizes or self.window_sizes


@dataclass(frozen=True, kw_only=True)
class SpecV2(SpecContinuous):
    """The numbers of a V2; the largest norm their main branch after every `norm_every` blocks of a stage.

    V2 paper, section 3.2: "every 6 layers" in V2-H and V2-G.
    """

    norm_every: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that no V2 can be built from.

        Raises:
            ValueError: naming the field and what is wrong with it.
        """
        super().__post_init__()
        require_defaults(self, "V2", qk_scale=None, clipped_bias="middle")
        require_period(self.norm_every)

    def has_main_norm(self, block: BlockSpec) -> bool:
        """Return whether the main branch is normed after `block`.

        Blocks are counted within their stage, as timm counts them; the paper does not say how.
        """
        return is_last_of(self.norm_every, block)


@dataclass(frozen=True, kw_only=True)
class SpecCR(Spec):
    """The numbers of timm's `swinv2_cr`: V2 as printed, by Christoph Reich, before its code was released.

    `norm_every` as in V2; with `norm_stages` the main branch is also normed at the end of each stage (timm's
    `_ns` models). The norm at the end of the last stage, which all have, is the head's.
    """

    initial_std: float | None = None
    norm_every: int | None = None
    norm_stages: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that no such Swin can be built from.

        Raises:
            ValueError: naming the field and what is wrong with it.
        """
        super().__post_init__()
        require_defaults(self, "V2-CR", qk_scale=None, qkv_bias=True, clipped_bias="middle")
        require_defaults(self, "V2-CR", patch_norm=True, absolute_grid=None)
        require_period(self.norm_every)

    def has_main_norm(self, block: BlockSpec) -> bool:
        """Return whether the main branch is normed after `block`, in the backbone."""
        ends_stage = block.index == self.depths[block.stage] - 1
        if ends_stage and block.stage == len(self.depths) - 1:
            return False
        return is_last_of(self.norm_every, block) or (self.norm_stages and ends_stage)


@dataclass(frozen=True, kw_only=True)
class SpecMLP(Spec):
    """The numbers of a Swin-MLP, which has no attention, so that its fields must keep their defaults.

    Its weights fix the window, so only the borders that differ in the shift alone are possible.
    """

    def __post_init__(self) -> None:
        """Refuse numbers that no Swin-MLP can be built from.

        Raises:
            ValueError: naming the field and what is wrong with it.
        """
        super().__post_init__()
        require_defaults(
            self, "Swin-MLP", qk_scale=None, qkv_bias=True, attention_dropout=0.0, clipped_bias="middle"
        )
        if self.border not in MIXING_BORDER_NAMES:
            known = ", ".join(MIXING_BORDER_NAMES)
            raise ValueError(f"border is {self.border!r}; a Swin-MLP keeps its windows, so it has {known}")


@dataclass(frozen=True, kw_only=True)
class SpecMoE(SpecContinuous):
    """The numbers of a Swin-MoE: V1 with V2's bias, unbounded, and experts instead of some MLPs.

    `moe_blocks` lists, for each stage, the blocks that have experts (Tutel paper, section 4.1: every
    second block of the last two stages).
    """

    initial_std: float | None = 0.005
    moe_blocks: tuple[tuple[int, ...], ...]
    num_experts: int = 8
    top_k: int = 1
    capacity_factor: float = 1.25  # 1 is an even share; 0 and below: `core.moe.dispatch.DispatchPolicy`
    capacity_multiple: int = 1  # how many processes shared an expert: its slots are a multiple
    router: str = "linear"
    router_dim: int = 256  # of the cosine router
    router_noise: float = 1.0  # spread of the noise in training, times 1 / num_experts
    normalise_gates: bool = False  # the weights of a token's `top_k` experts sum to 1
    batch_prioritised: bool = True  # when an expert is full, the surest tokens of the batch come first
    balance: str = "load-importance"
    balance_weight: float = 0.01
    expert_dropout: float = 0.0
    mlp_output_bias: bool = True  # of dense MLPs (configurations: MLP_FC2_BIAS)
    expert_output_bias: bool | None = None  # of experts, who can have one that never learns; None: the same

    def __post_init__(self) -> None:
        """Refuse numbers that no Swin-MoE can be built from.

        Raises:
            ValueError: naming the field and what is wrong with it.
        """
        super().__post_init__()
        require_defaults(self, "Swin-MoE", clipped_bias="middle")
        if len(self.moe_blocks) != len(self.depths):
            raise ValueError(
                f"moe_blocks has {len(self.moe_blocks)} entries, but depths has {len(self.depths)} stages"
            )
        for blocks, depth in zip(self.moe_blocks, self.depths, strict=True):
            if not all(0 <= block < depth for block in blocks) or len(set(blocks)) < len(blocks):
                raise ValueError(f"moe_blocks {blocks} are no different blocks of a stage of {depth}")
        self.require_routing()

    @property
    def has_expert_bias(self) -> bool:
        """True if the last layer of an expert has a bias."""
        return self.mlp_output_bias if self.expert_output_bias is None else self.expert_output_bias

    def require_routing(self) -> None:
        """Raise ValueError unless the numbers of the experts and their router go together."""
        if not 1 <= self.top_k <= self.num_experts:
            raise ValueError(f"top_k is {self.top_k}; it must be from 1 to num_experts, {self.num_experts}")
        if not math.isfinite(self.capacity_factor):
            raise ValueError(f"capacity_factor is {self.capacity_factor}; it must be a finite number")
        alone = self.num_experts == 1 or self.router_noise == 0  # the loss would divide by zero
        if self.balance == "load-importance" and any(self.moe_blocks) and alone:
            raise ValueError("balance 'load-importance' needs num_experts of 2 or more and some router_noise")
        for field, known in (("router", ROUTER_NAMES), ("balance", BALANCE_NAMES)):
            if getattr(self, field) not in known:
                raise ValueError(f"{field} {getattr(self, field)!r} is unknown (known: {', '.join(known)})")
        for field in ("capacity_multiple", "router_dim"):
            if not getattr(self, field) >= 1:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be 1 or more")
        for field in ("router_noise", "balance_weight"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} is {getattr(self, field)}; it must be 0 or more")
        if not 0 <= self.expert_dropout < 1:
            raise ValueError(f"expert_dropout is {self.expert_dropout}; it must be in [0, 1)")
