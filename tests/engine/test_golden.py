"""The reference answers, through the engine."""

import pytest

from swinkit.core.backbone import Swin
from swinkit.engine.attach import stages
from swinkit.engine.cpu import refusals
from swinkit.engine.cpu.blocks import NativeBlocks
from swinkit.engine.cpu.reduction import NativeReduction
from tests.golden import compare
from tests.golden.case import Case

CASES = [
    "det_backbone_a",
    "hf_swin_a",
    "hf_swinv2_a",
    "swin_mlp_a",
    "swin_moe_a",
    "swin_v1_a",
    "swin_v1_ape_a",
    "swin_v2_a",
    "swin_v2_c",
    "timm_swin_a",
    "timm_swinv2_a",
    "timm_swinv2_cr_a",
    "tv_swin3d_a",
    "tv_swin_v1_a",
    "tv_swin_v2_a",
    "video_swin_a",
]


def without_gradients(case: Case) -> None:
    """Drop what the plain path is for."""
    for name in [name for name in case.outputs if "grad_" in name]:
        del case.outputs[name]


@pytest.mark.parametrize("case", CASES)
def test_a_reference_is_met(engine, shared, monkeypatch, case):
    """Block by block, so that what each of them makes is compared as well."""
    plain, native = compare.answers, []

    def answers(case, reference):
        for module in reference.model.modules():
            if isinstance(module, Swin):
                for part in (module.embed, *(stage.merge for stage in stages(module))):
                    if part is not None:
                        NativeReduction(part).attach()
                for block in (block for stage in stages(module) for block in stage.blocks):
                    if refusals.of_block(block) is None:
                        NativeBlocks(block, [block]).attach()
        without_gradients(case)
        return plain(case, reference)

    run = NativeBlocks.run
    monkeypatch.setattr(NativeBlocks, "run", lambda self, *given: (native.append(0), run(self, *given))[1])
    monkeypatch.setattr(compare, "answers", answers)
    outcome = compare.check(shared / "golden" / case)
    assert outcome.status == compare.OK, outcome.reasons
    assert native or case == "swin_mlp_a"
