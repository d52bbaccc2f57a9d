"""The kernels against their twin in float64, interpreted on the CPU. `test_kernels.py` runs this file.

Whether Triton interprets is settled when it is imported, so this needs a process of its own:
`TRITON_INTERPRET=1 python -m pytest tests/engine/gpu/cases.py`.
"""

import copy
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from swinkit.core.attention import ScaledCosine, ScaledDot, WindowAttention
from swinkit.core.spec import Size
from swinkit.core.windows import PadThenRoll, RolledLayout, RollThenPad
from swinkit.engine.gpu import attention, fallback, launch, operator, reference
from swinkit.engine.gpu.attach import attach_kernels, detach_kernels
from swinkit.models.build import build
from swinkit.models.catalogue import find_variant
from tests.golden import case as golden
from tests.golden import compare
from tests.golden.reference import Reference

from .interpreter import mend

mend()

Attention = Callable[..., Tensor]
PRECISION = 1e-5  # of fp32, relative


@pytest.fixture(autouse=True)
def _unwritten_memory_is_nan() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@dataclass(frozen=True)
class Case:
    """Random numbers for one layout."""

    layout: RolledLayout
    heads: int = 2
    width: int = 16
    cosine: bool = False
    batch: int = 2
    keyless: bool = False  # padding has no key, as in V2

    def similarity(self) -> nn.Module:
        """With a temperature of each head, the last beyond its bound, where it learns no more."""
        similarity = ScaledCosine(self.heads) if self.cosine else ScaledDot()
        if isinstance(similarity, ScaledCosine):
            nn.init.constant_(similarity.log_scale, math.log(12))
        return similarity

    def sources(self) -> list[Tensor]:
        """qkv, padding, bias."""
        channels, tokens = self.heads * self.width, math.prod(self.layout.window)
        padding = torch.randn(3, channels)
        if self.keyless:
            padding[1] = 0
        return [
            torch.randn(self.batch, *self.layout.grid, 3 * channels),
            padding.flatten(),
            torch.randn(self.heads, tokens, tokens),
        ]

    def results(
        self, answer: Attention, sources: list[Tensor], weights: Tensor, *dtypes: torch.dtype
    ) -> list[Tensor]:
        """Return the answer, and the gradients of the sources and the temperatures of a weighted sum of it.

        The first dtype is that of the activations, the second that of the parameters.
        """
        low, high = dtypes
        leaves = [
            x.to(dtype).detach().clone().requires_grad_()
            for x, dtype in zip(sources, (low, low, high), strict=True)
        ]
        similarity = self.similarity().to(high)
        y = answer(*leaves, self.layout, self.heads, similarity)
        y.backward(weights.to(low))
        found = [x.grad for x in (*leaves, *similarity.parameters())]
        if self.keyless:  # of a vector of length 0 the direction has no gradient to speak of
            found[1] = found[1].unflatten(0, (3, -1))[[0, 2]]
        return [x.detach().double() for x in (y, *found)]

    def errors(self, answer: Attention, *dtypes: torch.dtype) -> list[float]:
        """Relative to the twin's float64: of the answer and of each gradient, each as one vector."""
        sources = [x.to(dtypes[0]).float() for x in self.sources()]
        weights = torch.randn(self.batch, *self.layout.grid, self.heads * self.width).to(dtypes[0])
        expected = self.results(reference.attend_in_torch, sources, weights, torch.float64, torch.float64)
        found = self.results(answer, sources, weights, *dtypes)
        return [
            float((a - b).norm() / b.norm().clamp(min=1e-30)) for a, b in zip(found, expected, strict=True)
        ]


def layout(grid: Size, window: Size, shift: Size, kind: type[RolledLayout] = PadThenRoll) -> RolledLayout:
    return kind(grid, window, shift)


CASES = {
    "v1": Case(layout((14, 14), (7, 7), (0, 0)), width=32, batch=1),
    "v1-shifted": Case(layout((14, 14), (7, 7), (3, 3)), width=32, batch=1),
    "v1-padded": Case(layout((10, 9), (7, 7), (0, 0)), batch=1),
    "v1-shifted-padded": Case(layout((10, 9), (7, 7), (3, 3))),
    "v1-rolled-before-padded": Case(layout((10, 9), (7, 7), (3, 3), RollThenPad), batch=1),
    "v1-shifted-along-one-axis": Case(layout((5, 14), (5, 7), (0, 3))),
    "v1-small-window": Case(layout((8, 6), (4, 3), (2, 1)), width=24),
    "v1-one-axis": Case(layout((20,), (7,), (3,))),
    "v1-144-tokens": Case(layout((12, 20), (12, 12), (0, 6), RollThenPad), heads=1, batch=1),
    "v2": Case(layout((16, 8), (8, 8), (0, 0)), cosine=True, width=32, batch=1),
    "v2-shifted": Case(layout((16, 16), (8, 8), (4, 4)), cosine=True, batch=1),
    "v2-shifted-padded": Case(layout((10, 9), (8, 8), (4, 4)), cosine=True, batch=1),
    "v2-no-key-of-padding": Case(layout((10, 9), (8, 8), (4, 4)), cosine=True, batch=1, keyless=True),
    "v2-256-tokens": Case(layout((15, 16), (16, 16), (0, 0)), cosine=True, heads=1, batch=1),
    "video": Case(layout((3, 9, 7), (2, 7, 7), (1, 3, 0)), heads=1, batch=1),
    "video-v2": Case(layout((4, 5, 4), (2, 4, 4), (1, 2, 2)), cosine=True, heads=1, batch=1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_answer_and_gradients_equal_the_twins(case: Case):
    x = case.sources()[0].chunk(3, -1)[0]
    assert fallback.check_call(x, case.layout, case.heads, case.similarity()) is None
    assert max(case.errors(attention.attend_on_gpu, torch.float32, torch.float32)) < PRECISION


def test_392_tokens_in_strips_of_256(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(launch, "LONGEST_STRIP", 256)
    case = Case(layout((8, 7, 9), (8, 7, 7), (0, 0, 3)), heads=1, batch=1)
    assert max(case.errors(attention.attend_on_gpu, torch.float32, torch.float32)) < PRECISION


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("v1-shifted-padded", torch.bfloat16),
        ("v2-shifted-padded", torch.bfloat16),
        ("v1-144-tokens", torch.bfloat16),
        ("v1-shifted-padded", torch.float16),
        ("v2-shifted-padded", torch.float16),
    ],
)
def test_half_precision_loses_no_more_than_in_plain_torch(name: str, dtype: torch.dtype):
    kernel, plain = (
        CASES[name].errors(f, dtype, torch.float32)
        for f in (attention.attend_on_gpu, reference.attend_in_torch)
    )
    assert all(ours < 1.2 * theirs for ours, theirs in zip(kernel, plain, strict=True)), (kernel, plain)


@pytest.mark.parametrize(
    ("name", "multiprocessors"), [("v1-shifted-padded", 1000), ("v1-144-tokens", 1000), ("video", 0)]
)
def test_however_many_programs_share_the_windows_out(
    name: str, multiprocessors: int, monkeypatch: pytest.MonkeyPatch
):
    """Each has its own, or one has them all."""
    monkeypatch.setattr(launch, "multiprocessors", lambda _: multiprocessors)
    assert max(CASES[name].errors(attention.attend_on_gpu, torch.float32, torch.float32)) < PRECISION


def test_a_temperature_at_its_bound_learns_no_more():
    case = CASES["v2"]
    similarity = case.similarity()
    nn.init.constant_(similarity.log_scale, 5.0)
    attention.attend_on_gpu(*case.sources(), case.layout, case.heads, similarity).sum().backward()
    assert not similarity.log_scale.grad.any()


def test_a_scale_of_its_own_is_taken():
    case = CASES["v1-small-window"]
    arguments = (*case.sources(), case.layout, case.heads, ScaledDot(0.7))
    torch.testing.assert_close(attention.attend_on_gpu(*arguments), reference.attend_in_torch(*arguments))


def test_without_a_vector_for_padding_it_is_zero():
    case = CASES["v1-padded"]
    qkv, _, bias = case.sources()
    arguments = (qkv, None, bias, case.layout, case.heads, case.similarity())
    torch.testing.assert_close(attention.attend_on_gpu(*arguments), reference.attend_in_torch(*arguments))


def test_memory_in_another_order_makes_no_difference():
    case = CASES["v1-small-window"]
    qkv, padding, bias = case.sources()
    found = []
    for x in (qkv, qkv.transpose(1, 2).contiguous().transpose(1, 2)):
        leaf = x.detach().requires_grad_()
        y = attention.attend_on_gpu(leaf, padding, bias, case.layout, case.heads, case.similarity())
        y.transpose(1, 2).square().sum().backward()
        found.append((y, leaf.grad))
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)  # torch's own reading
@pytest.mark.parametrize("name", ["video-v2", "v1-rolled-before-padded"])
def test_operator_keeps_torchs_rules(name: str):
    case = CASES[name]
    leaves = [x.requires_grad_() for x in case.sources()]
    temperature = torch.full((case.heads,), 10.0, requires_grad=True) if case.cosine else None
    roll_first = isinstance(case.layout, RollThenPad)
    torch.library.opcheck(
        operator.window_attention,
        (*leaves, temperature, 0.25, case.layout.window, case.layout.shift, roll_first),
        atol=1e-4,
        rtol=1e-3,
    )


@pytest.mark.parametrize("name", ["video-v2", "v1-rolled-before-padded"])
def test_the_same_gradients_come_again_to_the_bit(name: str):
    """In torch's deterministic mode, whatever the order in which a GPU's programs end."""
    case, found = CASES[name], []
    sources = case.sources()
    for _ in range(2):
        leaves = [x.clone().requires_grad_() for x in sources]
        y = attention.attend_on_gpu(*leaves, case.layout, case.heads, case.similarity())
        y.square().sum().backward()
        found.append([y.detach(), *(leaf.grad for leaf in leaves)])
    torch.testing.assert_close(*found, rtol=0, atol=0)


class Mixer(nn.Module):
    """Attention as a model has it: the layout comes from the tensor."""

    def __init__(self, answer: Attention, similarity: nn.Module):
        super().__init__()
        self.answer = answer
        self.qkv = nn.Linear(32, 96)
        self.bias = nn.Parameter(torch.randn(2, 16, 16))
        self.similarity = similarity

    def forward(self, x: Tensor) -> Tensor:
        layout = PadThenRoll(tuple(x.shape[1:-1]), (4, 4), (2, 2))
        return self.answer(self.qkv(x), self.qkv.bias, self.bias, layout, 2, self.similarity)


def mixers(similarity: nn.Module) -> list[Mixer]:
    """With the kernels, and with their twin; the same parameters."""
    ours, theirs = Mixer(attention.attend_on_gpu, similarity), Mixer(reference.attend_in_torch, similarity)
    theirs.load_state_dict(ours.state_dict())
    return [ours, theirs]


@pytest.mark.parametrize("similarity", [ScaledDot(), ScaledCosine(2)], ids=["v1", "v2"])
def test_compiled_whole_it_trains_alike(similarity: nn.Module):
    x = torch.randn(2, 5, 6, 32)
    found = []
    ours, theirs = mixers(similarity)
    for mixer in (torch.compile(ours, fullgraph=True, backend="aot_eager"), theirs):
        mixer.zero_grad()
        y = mixer(x)
        y.square().sum().backward()
        found.append([y.detach(), *(p.grad.clone() for p in mixer.parameters())])
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_exported_it_takes_other_sizes():
    ours, theirs = mixers(ScaledCosine(2))
    batch, height, width = (torch.export.Dim(name, min=2, max=64) for name in ("batch", "height", "width"))
    program = torch.export.export(
        ours, (torch.randn(2, 5, 6, 32),), dynamic_shapes=({0: batch, 1: height, 2: width},)
    )
    for size in ((3, 9, 7), (2, 4, 8)):
        x = torch.randn(*size, 32)
        torch.testing.assert_close(program.module()(x), theirs(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["swin-pico", "swinv2-pico"])
def test_a_model_answers_and_learns_alike_through_the_kernels(name: str):
    """Shifted, padded, and in windows that are clipped to the grid."""
    model = build(find_variant(name)[1].spec).eval()
    x = torch.randn(1, 3, 12, 20)
    found = []
    for changed in (False, True):
        if changed:
            attach_kernels(model)
        model.zero_grad()
        features = model(x)
        sum(y.square().sum() for y in features).backward()
        found.append([*features, *(p.grad for p in model.parameters() if p.grad is not None)])
    for plain, ours in zip(*found, strict=True):
        assert (ours - plain).norm() <= 1e-4 * plain.norm()


@pytest.mark.parametrize("part", ["attend_on_gpu", "rehearse"])
def test_kernels_that_fail_are_given_up_with_a_warning(
    part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """As on a machine without a C compiler, or a GPU with too little memory of some kind."""

    def failing(*_: Any) -> Tensor:
        raise RuntimeError("Failed to find C compiler.\nPlease specify")

    monkeypatch.setattr(attention, part, failing)
    mixer, x = one_block().eval(), torch.randn(1, 8, 8, 48)
    expected = mixer(x)
    attach_kernels(mixer)
    for _ in range(2):
        assert torch.equal(mixer(x), expected)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "they failed (RuntimeError: Failed to find C compiler.)" in record.getMessage()


def test_too_little_memory_is_told_as_ever(monkeypatch: pytest.MonkeyPatch):
    def failing(*_: Any) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(attention, "attend_on_gpu", failing)
    mixer = one_block().eval()
    attach_kernels(mixer)
    with torch.no_grad(), pytest.raises(torch.OutOfMemoryError):
        mixer(torch.randn(1, 8, 8, 48))


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore::torch.jit.TracerWarning")
def test_traced_and_transformed_it_takes_the_plain_way(kernels: "Counted"):
    mixer, x = one_block().eval().requires_grad_(False), torch.randn(1, 8, 8, 48)
    expected = mixer(x)
    attach_kernels(mixer)
    torch.testing.assert_close(torch.jit.trace(mixer, x, check_trace=False)(x), expected)
    torch.testing.assert_close(torch.func.vmap(mixer)(x[None])[0], expected)
    assert kernels.calls == 0


class Counted:
    """The kernels, and how often they were called."""

    def __init__(self, kernels: Attention):
        self.kernels, self.calls = kernels, 0

    def __call__(self, *inputs: Any) -> Tensor:
        self.calls += 1
        return self.kernels(*inputs)

    def __deepcopy__(self, _: dict[int, Any]) -> "Counted":
        return self  # as of a function


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted(attention.attend_on_gpu)
    monkeypatch.setattr(attention, "attend_on_gpu", counted)  # which `attach_kernels` looks up
    return counted


def one_block(**changes: Any) -> WindowAttention:
    """Return the attention of a shifted block."""
    torch.manual_seed(0)
    spec = replace(find_variant("swinv2-pico")[1].spec, **changes)
    return [module for module in build(spec).modules() if isinstance(module, WindowAttention)][1]


def test_a_copy_of_a_model_has_kernels_of_its_own_and_detached_it_has_none(kernels: Counted):
    plain, x = one_block().eval(), torch.randn(1, 8, 8, 48)
    attach_kernels(plain)
    copied = copy.deepcopy(plain)
    with torch.no_grad():
        copied.proj.weight.zero_()
        copied.proj.bias.zero_()
        assert copied(x).count_nonzero() == 0
        assert plain(x).count_nonzero() > 0
    assert kernels.calls == 2
    detach_kernels(plain)
    plain(x)
    assert kernels.calls == 2


def test_attention_that_drops_weights_takes_the_plain_way_and_says_so_once(
    kernels: Counted, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="swinkit.engine")
    mixer, x = one_block(attention_dropout=0.5), torch.randn(1, 8, 8, 48)
    attach_kernels(mixer)
    for _ in range(2):
        mixer.train()(x)
    assert [record.getMessage() for record in caplog.records] == [
        "attention runs without the fused kernels: the attention's weights are dropped at random"
    ]
    assert kernels.calls == 0
    mixer.eval()(x)
    assert kernels.calls == 1


class Slanted(WindowAttention):
    """Mixes in a way of its own."""


def test_attention_of_another_class_keeps_its_own_way_and_is_told(
    kernels: Counted, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="swinkit.engine")
    mixer = one_block().eval()
    mixer.__class__ = Slanted
    attach_kernels(mixer)
    mixer(torch.randn(1, 8, 8, 48))
    assert kernels.calls == 0
    assert caplog.messages == ["a Slanted runs without the fused kernels: it is unknown to them"]


def test_a_gpu_without_triton_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="swinkit.engine")
    monkeypatch.setattr("swinkit.engine.gpu.attach.has_triton", lambda: False)
    attach_kernels(one_block())
    assert caplog.messages == ["attention runs without the fused kernels: Triton is not installed"]


def test_the_continuous_bias_is_remembered_until_its_weights_change(kernels: Counted):
    mixer, x = one_block().eval(), torch.randn(1, 8, 8, 48)
    made, compute = [], mixer.bias.forward
    mixer.bias.forward = lambda window: made.append(1) or compute(window)  # a hook would see every call
    attach_kernels(mixer)
    with torch.inference_mode():
        first = mixer(x)
        assert torch.equal(mixer(x), first)
        assert len(made) == 1
        for weight in mixer.bias.parameters():
            weight.mul_(2)
        assert not torch.equal(mixer(x), first)
    assert len(made) == 2
    mixer.train()(x)
    mixer(x)
    assert len(made) == 4


def test_attached_attention_compiles_whole(kernels: Counted):
    mixer, x = one_block().eval(), torch.randn(1, 8, 8, 48)
    attach_kernels(mixer)
    with torch.no_grad():
        expected = mixer(x)
        found = torch.compile(mixer, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(found, expected)


def test_attached_attention_is_exported_with_its_operator(kernels: Counted):
    """For any batch, and any size of whole windows, as the plain path."""
    mixer = one_block().eval()
    attach_kernels(mixer)
    sizes = [4 * torch.export.Dim(name, min=2, max=16) for name in ("rows", "columns")]
    shapes = ({0: torch.export.Dim("batch", min=1, max=64), 1: sizes[0], 2: sizes[1]},)
    program = torch.export.export(mixer, (torch.randn(2, 8, 12, 48),), dynamic_shapes=shapes)
    assert "swinkit.window_attention.default" in [str(node.target) for node in program.graph.nodes]
    x = torch.randn(3, 16, 8, 48)
    torch.testing.assert_close(program.module()(x), mixer(x), atol=1e-5, rtol=1e-5)


BY_DAY = ("swin_v1_ape_a", "timm_swinv2_a", "tv_swin3d_a")  # each takes ten seconds, and the others minutes
REFERENCES = [
    pytest.param(case, marks=[] if case in BY_DAY else pytest.mark.nightly)
    for case in golden.MODELS
    if case != "swin_mlp_a"  # has no attention
]


@pytest.mark.parametrize("case", REFERENCES)
def test_a_reference_is_met_through_the_kernels(
    shared: Path, case: str, kernels: Counted, monkeypatch: pytest.MonkeyPatch
):
    """With the gradient of its pixels, where it has one."""
    plain = compare.answers

    def answers(case: golden.Case, reference: Reference) -> dict[str, Tensor]:
        attach_kernels(reference.model)
        return plain(case, reference)

    monkeypatch.setattr(compare, "answers", answers)
    outcome = compare.check(shared / "golden" / case)
    assert outcome.status == compare.OK, outcome.reasons
    assert kernels.calls
