"""Swin-MoE, all for the 21,841 classes of ImageNet-22k at 192 pixels. `8e` says 8 experts. Torch-free."""

from ..families import SpecMoE
from .variant import W12, Variant, make_spec, squares

TUTEL = "Hwang et al. 2022 (Tutel, https://arxiv.org/abs/2206.03382), table 11"
EVERY_SECOND = ((), (), tuple(range(1, 18, 2)), (1,))  # of the last two stages
NOWHERE = ((), (), (), ())
PROCESSES = 32  # of the published trainings; fewer experts than these are cut into slices
DROP_PATH = {"s": 0.2, "b": 0.3}
WORDS = {"s": "small", "b": "base"}


def moe(letter: str, num_experts: int, *, router: str = "linear", top_k: int = 1) -> Variant:
    """Return a Swin-MoE with experts in every second block of the last two stages."""
    spec = make_spec(
        SpecMoE,
        letter,
        squares(W12),
        drop_path=DROP_PATH[letter],
        moe_blocks=EVERY_SECOND,
        num_experts=num_experts,
        capacity_multiple=max(1, PROCESSES // num_experts),
        top_k=top_k,
        router=router,
        expert_dropout=0.1,
        mlp_output_bias=False,
    )
    routed = "cosine_router_" if router == "cosine" else ""
    best = f"_top{top_k}" if top_k > 1 else ""
    return make_variant(spec, letter, f"{routed}{num_experts}expert{best}")


def dense(letter: str) -> Variant:
    """Return the baseline without experts, with otherwise the same parts."""
    spec = make_spec(
        SpecMoE,
        letter,
        squares(W12),
        drop_path=0.2,
        initial_std=0.02,
        moe_blocks=NOWHERE,
        num_experts=1,
        mlp_output_bias=False,
    )
    return make_variant(spec, letter, "densebaseline")


def make_variant(spec: SpecMoE, letter: str, ending: str) -> Variant:
    """Return the variant, with the stem of Microsoft's file as its alias."""
    alias = f"swin_moe_{WORDS[letter]}_patch4_window12_192_{ending}"
    return Variant(spec, (192, 192), 21841, TUTEL, (alias,))


VARIANTS: dict[str, Variant] = {
    "swin-moe-s-dense": dense("s"),
    "swin-moe-s-8e": moe("s", 8),
    "swin-moe-s-16e": moe("s", 16),
    "swin-moe-s-32e": moe("s", 32),
    "swin-moe-s-32e-cosine": moe("s", 32, router="cosine"),
    "swin-moe-s-64e": moe("s", 64),
    "swin-moe-s-128e": moe("s", 128),
    "swin-moe-b-dense": dense("b"),
    "swin-moe-b-8e": moe("b", 8),
    "swin-moe-b-16e": moe("b", 16),
    "swin-moe-b-32e": moe("b", 32),
    "swin-moe-b-32e-cosine": moe("b", 32, router="cosine"),
    "swin-moe-b-32e-top2": moe("b", 32, top_k=2),
}
