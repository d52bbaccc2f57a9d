"""The reference answers, through the engine."""

from dataclasses import replace

import pytest
from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.engine.attach import copy_with_engines, stages_of
from swinkit.engine.cpu import fallback
from swinkit.engine.cpu.blocks import NativeBlocks
from swinkit.engine.cpu.reduction import NativeReduction
from swinkit.heads.pyramid import Pyramid
from tests.golden import compare, transformers_library
from tests.golden.case import MODELS, Case, without_gradients
from tests.golden.reference import Reference
from tests.golden.trace import Trace
from tests.models.small import Headed

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", MODELS)
def test_a_reference_is_met_by_whole_models(engine, shared, monkeypatch, case):
    """Stage by stage, as users have it; compared is what comes out at the end."""
    traced, counted = compare.trace, []

    def whole(model: Headed | Pyramid, pixels: Tensor) -> Trace:
        found, fast = traced(model, pixels), copy_with_engines(model)
        stages = [module.forward for module in fast.modules() if "forward" in vars(module)]
        answer = fast(pixels)
        counted.append(sum(native.packed is not None for native in stages))
        if isinstance(model, Pyramid):
            return replace(found, maps=dict(zip(found.maps, answer, strict=True)))
        return replace(found, logits=answer)

    def answers(case: Case, reference: Reference) -> dict[str, Tensor]:
        without_gradients(case)
        reference.model.requires_grad_(False)
        return plain(case, reference)

    plain = compare.answers
    for module in (compare, transformers_library):
        monkeypatch.setattr(module, "trace", whole)
    monkeypatch.setattr(compare, "answers", answers)
    outcome = compare.check(shared / "golden" / case)
    assert outcome.status == compare.OK, outcome.reasons
    assert sum(counted) > 0


@pytest.mark.parametrize("case", MODELS)
def test_a_reference_is_met(engine, shared, monkeypatch, case):
    """Block by block, so that what each of them makes is compared as well."""
    plain, native = compare.answers, []

    def answers(case, reference):
        for module in reference.model.modules():
            if isinstance(module, Swin):
                for part in (module.embed, *(stage.merge for stage in stages_of(module))):
                    if part is not None:
                        NativeReduction(part).attach()
                for block in (block for stage in stages_of(module) for block in stage.blocks):
                    if fallback.check_block(block) is None:
                        NativeBlocks(block).attach()
        without_gradients(case)
        return plain(case, reference)

    run = NativeBlocks.run
    monkeypatch.setattr(NativeBlocks, "run", lambda self, *given: (native.append(0), run(self, *given))[1])
    monkeypatch.setattr(compare, "answers", answers)
    outcome = compare.check(shared / "golden" / case)
    assert outcome.status == compare.OK, outcome.reasons
    assert native or case == "swin_mlp_a"
