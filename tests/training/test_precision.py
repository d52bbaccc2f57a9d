"""In half precision, what needs its digits keeps them: norms, softmax, cosine, and the residual stream."""

import pytest
import torch
from torch import nn

from swinkit.core import attention, kernels
from swinkit.core.block import Block
from swinkit.core.fast import forwards
from swinkit.core.position import MLPBias
from swinkit.training.parallelize import unwrap_blocks, wrap_blocks
from swinkit.training.precision import fp32_kept
from swinkit.training.step import Objective
from tests.models.small import pixels, small

from .jobs import Numbers, job, prepare, recipe
from .processes import ended, started_together

FAMILIES = ("v1", "v2", "v2-cr", "mlp", "moe", "video")
BF16 = {"device_type": "cpu", "dtype": torch.bfloat16}


def watched(model, kinds):
    """Return the types of what goes into and comes out of every part of these kinds, from now on.

    The layers of computed biases are left out: `test_hooks.py` shows that they compute in fp32.
    """
    seen = []
    beside = {part for bias in model.modules() if isinstance(bias, MLPBias) for part in bias.modules()}

    def note(part, inputs, output):
        seen.append((type(part).__name__, inputs[0].dtype, output.dtype))

    for part in model.modules():
        if isinstance(part, kinds) and part not in beside:
            part.register_forward_hook(note)
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_and_the_residual_stream_are_in_fp32_under_autocast(family):
    model, x = small(family), pixels(family)
    seen = watched(model, (nn.LayerNorm, Block))
    with fp32_kept(model), torch.autocast(**BF16):
        model(x)
    assert len(seen) == sum(isinstance(part, nn.LayerNorm | Block) for part in model.modules())
    assert {(taken, given) for _, taken, given in seen} == {(torch.float32, torch.float32)}


def test_without_it_the_cpu_norms_in_bf16():
    """Why `fp32_kept` is there; once torch mends this, it can go."""
    model, x = small("v1"), pixels("v1")
    seen = watched(model, nn.LayerNorm)
    with torch.autocast(**BF16):
        model(x)
    assert ("LayerNorm", torch.bfloat16, torch.bfloat16) in seen


@pytest.mark.parametrize("family", ["v1", "v2", "v2-cr", "video"])
def test_products_stay_in_bf16(family):
    """Else there would be nothing to gain."""
    model, x = small(family), pixels(family)
    seen = watched(model, nn.Linear)
    with fp32_kept(model), torch.autocast(**BF16):
        model(x)
    assert ("Linear", torch.float32, torch.bfloat16) in seen
    assert all(given == torch.bfloat16 for _, _, given in seen)


@pytest.mark.parametrize(
    ("dtype", "exact"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)]
)
@pytest.mark.parametrize("offset", [torch.float32, None], ids=["as-autocast", "as-a-cast-model"])
def test_the_softmax_and_what_is_added_before_it_are_in_at_least_fp32(dtype, exact, offset, monkeypatch):
    seen = []
    softmax = torch.Tensor.softmax

    def noted(scores, *arguments, **options):
        weights = softmax(scores, *arguments, **options)
        seen.append((scores.dtype, weights.dtype))
        return weights

    monkeypatch.setattr(torch.Tensor, "softmax", noted)
    q, k, v = (torch.randn(1, 2, 3, 5, 4, dtype=dtype) for _ in range(3))
    added = torch.randn(3, 5, 5, dtype=offset or dtype)
    assert kernels.attend_plainly(q, k, v, added, 0.0).dtype == dtype
    ((scores, weights),) = seen
    assert weights == exact
    assert scores == torch.promote_types(dtype, offset or dtype)


def test_a_bias_in_fp32_is_not_rounded_to_the_precision_of_the_scores():
    """Two keys alike whose biases differ by less than bf16 can tell at their size."""
    q = torch.zeros(1, 1, 1, 1, 4, dtype=torch.bfloat16)
    k = torch.zeros(1, 1, 1, 2, 4, dtype=torch.bfloat16)
    v = torch.tensor([0.0, 1.0], dtype=torch.bfloat16).view(1, 1, 1, 2, 1).expand(1, 1, 1, 2, 4)
    offset = torch.tensor([[[16.0, 16.05]]])
    expected = torch.tensor(0.05).sigmoid()
    assert kernels.attend_plainly(q, k, v, offset, 0.0)[..., 0].item() == pytest.approx(
        expected.item(), abs=2e-3
    )
    assert torch.tensor(16.05).bfloat16() == 16.0


def test_the_cosine_is_normalised_in_fp32(monkeypatch):
    seen = []
    normalize = attention.F.normalize
    monkeypatch.setattr(
        attention.F, "normalize", lambda x, **options: (seen.append(x.dtype), normalize(x, **options))[1]
    )
    model, x = small("v2"), pixels("v2")
    with fp32_kept(model), torch.autocast(**BF16):
        model(x)
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_nothing_is_lowered_nothing_changes(family, dtype):
    model, x = small(family).to(dtype), pixels(family).to(dtype)
    plain = model(x)
    with fp32_kept(model):
        kept = model(x)
    for a, b in zip(plain, kept, strict=True):
        assert a.dtype == b.dtype == dtype
        assert torch.equal(a, b)


@pytest.mark.parametrize("family", FAMILIES)
def test_fp64_keeps_its_digits(family):
    """At the eleventh digit a detour by fp32 would show."""
    model, x = small(family).double(), pixels(family).double()
    with torch.no_grad():
        nudged = (model(x * (1 + 1e-12))[-1] - model(x)[-1]).abs().max() / model(x)[-1].abs().max()
    assert 0 < nudged < 1e-9


def test_a_loss_in_fp64_stays_there():
    made = job(recipe())
    made.task.double().eval()
    batch = prepare((Numbers(4)[i] for i in range(4)), 0)
    object.__setattr__(batch, "pixels", batch.pixels.double())
    assert Objective(made.task)(batch).dtype == torch.float64


def test_it_is_undone_and_names_stay_as_they_are():
    model = small("v2")
    names = list(model.state_dict())
    with fp32_kept(model):
        assert list(model.state_dict()) == names
    assert not any(part._forward_pre_hooks for part in model.modules())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # that dynamo looks at
@pytest.mark.parametrize(("checkpointing", "compiling"), [(True, False), (False, True), (True, True)])
def test_recomputed_and_compiled_blocks_keep_it_too(checkpointing, compiling, monkeypatch):
    """Compiled by a backend that only traces: what is traced is what would be compiled."""
    compile_block = Block.compile
    monkeypatch.setattr(Block, "compile", lambda block: compile_block(block, backend="aot_eager"))
    if compiling:  # compilers see the plain forwards, so it is taken for the plain model, too
        monkeypatch.setattr(forwards, "is_eager", lambda _x: False)
    model, x = small("v1").train(), pixels("v1")
    ends, gradients = [], []
    for wrapped in (False, True):
        wrap_blocks(model, checkpointing=wrapped and checkpointing, compiling=wrapped and compiling)
        with fp32_kept(model), torch.autocast(**BF16):
            ends.append(model(x)[-1])
        ends[-1].float().square().mean().backward()
        gradients.append(model.embed.proj.weight.grad.clone())
        model.zero_grad()
        unwrap_blocks(model)
    assert {end.dtype for end in ends} == {torch.float32}
    torch.testing.assert_close(ends[0], ends[1])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0.02, atol=1e-4)


def test_two_processes_train_in_bf16(tmp_path):
    """DDP, through whose wrapping the parts must still be found."""
    processes = started_together(tmp_path / "run", 2, micro_batch=1, precision="bf16", epochs=1)
    assert [ended(each) for each in processes] == [0, 0]


def test_gradients_in_bf16_are_those_of_fp32_within_its_digits():
    made = job(recipe(dropout=0.0))
    task, batch = made.task.train(), prepare((Numbers(8)[i] for i in range(8)), 0)
    Objective(task)(batch).backward()
    full = torch.cat([parameter.grad.flatten() for parameter in task.parameters()])
    task.zero_grad()
    with fp32_kept(task), torch.autocast(**BF16):
        loss = Objective(task)(batch)
    loss.backward()
    half = torch.cat([parameter.grad.flatten() for parameter in task.parameters()])
    assert half.dtype == torch.float32
    assert (half - full).norm() < 0.03 * full.norm()
