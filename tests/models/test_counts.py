"""The torch-free counts against the built modules."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from swinkit.core.spec import Spec
from swinkit.heads.classify import ClassificationHead
from swinkit.models.build import build
from swinkit.models.counts import num_macs, num_parameters
from swinkit.models.families import SpecCR, SpecMLP, SpecMoE, SpecV2
from swinkit.models.specs import VARIANTS

UNUSUAL = {
    "v1": Spec(
        patch=(2, 4),
        in_channels=5,
        embed_dim=12,
        depths=(1, 3),
        num_heads=(2, 3),
        window_sizes=((3, 5), (2, 2)),
        mlp_ratio=2.5,
        qkv_bias=False,
        patch_norm=False,
        absolute_grid=(6, 7),
    ),
    "v2": SpecV2(
        embed_dim=12,
        depths=(2, 5),
        num_heads=(2, 3),
        window_sizes=((4, 4), (3, 3)),
        qkv_bias=False,
        norm_every=2,
    ),
    "v2-cr": SpecCR(
        embed_dim=12,
        depths=(3, 4),
        num_heads=(2, 3),
        window_sizes=((4, 4),) * 2,
        norm_every=2,
        norm_stages=True,
    ),
    "mlp": SpecMLP(
        embed_dim=12, depths=(2, 1), num_heads=(2, 3), window_sizes=((2, 5), (3, 3)), absolute_grid=(6, 7)
    ),
    **{
        f"moe, {router}": SpecMoE(
            embed_dim=12,
            depths=(3, 2),
            num_heads=(2, 3),
            window_sizes=((4, 4),) * 2,
            moe_blocks=((0, 2), (1,)),
            num_experts=3,
            router=router,
            router_dim=7,
            mlp_output_bias=output_bias,
            expert_output_bias=expert_bias,
        )
        for router, output_bias, expert_bias in (("linear", True, None), ("cosine", False, True))
    },
    "video": Spec(
        patch=(2, 4, 4),
        merge=(1, 2, 2),
        embed_dim=12,
        depths=(2, 1),
        num_heads=(2, 3),
        window_sizes=((2, 3, 3),) * 2,
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_counted_parameters_are_those_of_the_built_modules(name: str) -> None:
    variant = VARIANTS[name]
    with torch.device("meta"):
        swin = build(variant.spec)
        head = ClassificationHead(variant.spec.widths[-1], variant.num_classes)
    built = sum(p.numel() for module in (swin, head) for p in module.parameters())
    assert num_parameters(variant.spec, variant.num_classes) == built


@pytest.mark.parametrize("family", UNUSUAL)
def test_unusual_options_are_counted(family: str) -> None:
    spec = UNUSUAL[family]
    with torch.device("meta"):
        built = sum(p.numel() for p in build(spec).parameters())
    assert num_parameters(spec) == built


@pytest.mark.parametrize(
    "name",
    [
        "swin-pico",
        "swin-t",
        "swin-t-c24-w8-256",
        "swinv2-pico",
        "swinv2-t-w16",
        "swinv2-cr-t-ns",
        "swin-mlp-t-c12",
        "video-swin-t",
    ],
)
def test_counted_macs_are_those_that_torch_counts(name: str) -> None:
    variant = VARIANTS[name]
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        swin = build(variant.spec)
        head = ClassificationHead(variant.spec.widths[-1], variant.num_classes)
        head(swin(torch.empty(1, 3, *variant.size))[-1])
    counted = num_macs(variant.spec, variant.size, variant.num_classes)
    bias_mlps = counter.get_total_flops() / 2 - counted  # those that the rule leaves out
    assert bias_mlps == pytest.approx(bias_macs(variant.family, variant.spec), abs=0.5)


@pytest.mark.parametrize("size", [(16, 16), (20, 44), (52, 36)])
def test_macs_of_a_swin_mlp_count_the_zeros_that_shift_and_pad(size: tuple[int, int]) -> None:
    """Grids that one window covers, on one axis or both, and grids that no windows divide."""
    spec = SpecMLP(embed_dim=8, depths=(2, 2), num_heads=(2, 2), window_sizes=((5, 5), (3, 3)))
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        build(spec)(torch.empty(1, 3, *size))
    assert num_macs(spec, size) == counter.get_total_flops() / 2


def test_macs_of_experts_are_those_of_as_many_mlps_as_a_token_meets() -> None:
    one, two = VARIANTS["swin-moe-b-32e"], VARIANTS["swin-moe-b-32e-top2"]
    tokens, width = (12 * 12, 6 * 6), one.spec.widths[2:]
    blocks = [t * n * 8 * w**2 for t, n, w in zip(tokens, (9, 1), width, strict=True)]
    assert num_macs(two.spec, two.size) - num_macs(one.spec, one.size) == sum(blocks)
    gates = [t * n * 32 * w for t, n, w in zip(tokens, (9, 1), width, strict=True)]
    dense = num_macs(VARIANTS["swin-moe-b-dense"].spec, one.size)
    assert num_macs(one.spec, one.size) - dense == sum(gates)


def bias_macs(family: str, spec: Spec) -> int:
    """Multiply-adds of the bias MLPs: (2w - 1)^2 offsets through 2 -> hidden -> heads, once a block."""
    hidden = {"v2": 512, "v2-cr": 384}.get(family, 0)
    blocks = zip(spec.depths, spec.num_heads, spec.window_sizes, strict=True)
    if not hidden:
        return 0
    return sum(d * (2 * h - 1) * (2 * w - 1) * hidden * (2 + heads) for d, heads, (h, w) in blocks)
