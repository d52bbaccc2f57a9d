"""Native code stands in only where it gives what the plain path gives; weights may change at any time."""

import copy
import logging
import math
import multiprocessing
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.module import register_module_forward_hook

from swinkit import api
from swinkit.core.backbone import Stage, Swin
from swinkit.core.fast import cache
from swinkit.core.position import LearnedBias
from swinkit.core.spec import Size
from swinkit.engine.attach import copy_with_engines
from swinkit.engine.cpu import packed_module
from tests.models.small import PICTURE, small

pytestmark = pytest.mark.slow

CLOSE = {"rtol": 1e-5, "atol": 2e-5}


@pytest.fixture
def model(engine) -> Swin:
    return copy_with_engines(small())


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(1, 3, *PICTURE)


def plain(model: Swin) -> Callable[[Tensor], Tensor]:
    """Return the same weights as they are now, without the engine; the last stage's features."""
    twin = small()
    twin.load_state_dict(model.state_dict())
    return lambda x: twin(x)[-1]


@torch.inference_mode()
def answer(model: nn.Module, pixels: Tensor) -> Tensor:
    return model(pixels)[-1]


def test_names_classes_and_the_given_model_stay(engine):
    given = small()
    made = copy_with_engines(given)
    assert list(made.state_dict()) == list(given.state_dict())
    assert all(a is b for a, b in zip(made.parameters(), given.parameters(), strict=True))
    assert [type(module) for module in made.modules()] == [type(module) for module in given.modules()]
    assert not any("forward" in vars(module) for module in given.modules())


def tangent(model: Swin, x: Tensor) -> None:
    """Asks in which direction answers go when the pixels go in that of ones."""
    with forward_ad.dual_level():
        answer = model(forward_ad.make_dual(x, torch.ones_like(x)))[-1]
        assert forward_ad.unpack_dual(answer).tangent is not None


def traced(model: Swin, x: Tensor) -> None:
    torch.jit.trace(model, x, check_trace=False)


def hooked(model: Swin, x: Tensor) -> None:
    """Every module of a stage is seen."""
    seen = set()
    with register_module_forward_hook(lambda module, *_given: seen.add(module)):
        model(x)
    assert seen >= set(model.stages[0].blocks[0].children())


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda model, x: model(x), "gradients are wanted"),
        (lambda model, x: model.train().requires_grad_(False)(x), "training mode"),
        (lambda model, x: model.requires_grad_(False).double()(x.double()), "torch.float64"),
        (lambda model, x: torch.func.vmap(model.requires_grad_(False))(x[None]), "torch records"),
        (
            lambda model, x: torch.jit.trace(model.requires_grad_(False), x, check_trace=False),
            "torch records",
        ),
        (lambda model, x: tangent(model.requires_grad_(False), x), "torch records"),
        (lambda model, x: hooked(model.requires_grad_(False), x), "a hook watches all modules"),
        (lambda model, x: model.requires_grad_(False)(x[:0]), "of shape (0, "),
    ],
    ids=["gradients", "training", "float64", "vmap", "trace", "tangents", "hooks on all", "no images"],
)
def test_other_calls_take_the_plain_path_and_the_log_says_why(model, pixels, caplog, ask, reason):
    caplog.set_level(logging.INFO, logger="swinkit.engine")
    for _ in range(2):
        ask(model, pixels)
    told = [record.message for record in caplog.records if reason in record.message]
    assert len(told) == 1 + 1 + 2  # the embedding, a merge and two stages, each of them once


def test_autocast_takes_the_plain_path(model, pixels):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(pixels)[-1], plain(model)(pixels))


def test_gradients_are_those_of_the_plain_path(model, pixels):
    twin = small()
    twin.load_state_dict(model.state_dict())
    for each in (model, twin):
        each(pixels)[-1].square().sum().backward()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_torch_compile_sees_the_plain_path(model, pixels):
    torch.compiler.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(pixels)[-1], plain(model)(pixels), **CLOSE)


def test_export_sees_the_plain_path(model, pixels):
    with torch.no_grad():
        exported = torch.export.export(model, (pixels,)).module()
        torch.testing.assert_close(exported(pixels)[-1], plain(model)(pixels), **CLOSE)


def test_a_hook_inside_is_called(model, pixels):
    seen = []
    hook = model.stages[0].blocks[1].token_mixer.register_forward_hook(lambda *given: seen.append(given))
    answer(model, pixels)
    assert seen
    hook.remove()
    seen.clear()
    answer(model, pixels)
    assert not seen


def scaled(name: str, factor: float) -> Callable[[Swin], None]:
    """Return a change in place of one parameter."""

    def change(model: Swin) -> None:
        with torch.no_grad():
            model.get_parameter(name).mul_(factor)

    return change


def loaded(model: Swin, *, assign: bool) -> None:
    model.load_state_dict({name: x + 0.1 for name, x in model.state_dict().items()}, assign=assign)


def exchanged(model: Swin) -> None:
    layer = model.stages[1].blocks[1].channel_mixer
    layer.fc2 = nn.Linear(layer.fc2.in_features, layer.fc2.out_features).eval()


WEIGHTS = {
    "in place": scaled("stages.1.blocks.0.token_mixer.qkv.weight", 2),
    "loaded": partial(loaded, assign=False),
    "assigned": partial(loaded, assign=True),
    "exchanged": exchanged,
    "of a bias": scaled("stages.0.blocks.0.token_mixer.bias.table", 3),
    "of the embedding": scaled("embed.proj.bias", 3),
    "of a merge": scaled("stages.0.merge.norm.weight", 0.5),
}


@pytest.mark.parametrize("change", WEIGHTS.values(), ids=WEIGHTS)
def test_a_change_of_weights_is_noticed(model, pixels, change):
    before = answer(model, pixels)
    change(model)
    after = answer(model, pixels)
    assert not torch.allclose(before, after, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(after, plain(model)(pixels), **CLOSE)


def test_a_part_that_is_exchanged_for_an_unknown_one_takes_the_plain_path(model, pixels):
    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return F.linear(x, self.weight, self.bias) * 2

    layer = model.stages[1].blocks[1].channel_mixer
    layer.fc2 = Doubled(layer.fc2.in_features, layer.fc2.out_features).eval()
    twin = plain(model).__closure__[0].cell_contents
    twin.stages[1].blocks[1].channel_mixer.fc2 = layer.fc2
    torch.testing.assert_close(answer(model, pixels), twin(pixels)[-1], **CLOSE)


class Doubling(nn.Module):
    """In the place of what does nothing in an answer."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Shifting(LearnedBias):
    def forward(self, window: Size) -> Tensor:
        return super().forward(window) * torch.linspace(-3, 3, math.prod(window))


def setting(part: str, name: str, value: object) -> Callable[[Swin], None]:
    """Return a change of one attribute of a part."""
    return lambda model: setattr(model.get_submodule(part), name, value)


def a_position_bias(model: Swin) -> None:
    mixer = model.stages[1].blocks[0].token_mixer
    mixer.bias = copy.copy(mixer.bias)
    mixer.bias.__class__ = Shifting


def a_block(model: Swin) -> None:
    model.stages[1].blocks[0] = copy.deepcopy(model.stages[1].blocks[1])


class Halving(Stage):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 2


def a_stage(model: Swin) -> None:
    model.stages[1] = Halving(list(model.stages[1].blocks), model.stages[1].merge)


EXCHANGES = {
    "drop-path": setting("stages.1.blocks.0", "drop_path", Doubling()),
    "dropout of attention": setting("stages.1.blocks.0.token_mixer", "dropout", Doubling()),
    "dropout of the MLP": setting("stages.1.blocks.0.channel_mixer", "dropout", Doubling()),
    "position bias": a_position_bias,
    "block": a_block,
    "all blocks": lambda model: setattr(model.stages[1], "blocks", copy.deepcopy(model.stages[1].blocks)[:1]),
    "one block more": lambda model: model.stages[1].blocks.append(copy.deepcopy(model.stages[1].blocks[0])),
    "stage": a_stage,
}


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)
def test_any_part_may_be_exchanged_before_and_after_the_engine_is_attached(engine, exchange, before, pixels):
    model, twin = small(), small()
    twin.load_state_dict(model.state_dict())
    as_built = twin(pixels)[-1]
    exchange(twin)
    if before:
        exchange(model)
        model = copy_with_engines(model)
    else:
        model = copy_with_engines(model)
        answer(model, pixels)
        exchange(model)
    assert not torch.allclose(twin(pixels)[-1], as_built, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(answer(model, pixels), twin(pixels)[-1], **CLOSE)


def test_a_stage_of_another_class_is_told(engine, caplog):
    caplog.set_level(logging.INFO, logger="swinkit.engine")
    model = small()
    a_stage(model)
    copy_with_engines(model)
    assert "a Halving runs block by block: it is unknown to the engine" in caplog.messages


def of_a_norms_weight(model: Swin) -> None:
    norm = model.stages[1].blocks[0].norm2
    with torch.no_grad():
        norm.weight.mul_(2)
    norm.bias = None


def of_a_forward(model: Swin) -> None:
    layer = model.stages[1].blocks[0].channel_mixer.fc2
    layer.forward = lambda x: F.linear(x, layer.weight, layer.bias) + 1


SETTINGS = {
    "norm": setting("stages.0.blocks.0.norm1", "eps", 1.0),
    "scale": setting("stages.0.blocks.1.token_mixer.similarity", "scale", 2.0),
    "shift": setting("stages.0.blocks.1.token_mixer", "shift", (1, 1)),
    "approximation": setting("stages.1.blocks.0.channel_mixer.activation", "approximate", "tanh"),
    "norm's weight": of_a_norms_weight,
    "forward": of_a_forward,
}


@pytest.mark.parametrize("change", SETTINGS.values(), ids=SETTINGS)
def test_a_change_of_a_setting_is_noticed(model, pixels, change):
    twin = small()
    twin.load_state_dict(model.state_dict())
    before = answer(model, pixels)
    change(model)
    change(twin)
    twin.load_state_dict(model.state_dict(), strict=False)
    after = answer(model, pixels)
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, answer(twin, pixels), **CLOSE)


def test_a_convolution_that_does_more_takes_the_plain_path(model, pixels):
    before = answer(model, pixels)
    model.embed.proj.padding = (4, 4)
    after = answer(model, pixels)
    assert after.shape != before.shape


@pytest.mark.parametrize("shape", [(1, 6, 8, 8), (1, 8, 8, 24), (8, 8, 12)])
def test_features_that_do_not_fit_are_refused_as_ever(model, shape):
    """Native code would read beside them."""
    answer(model, torch.randn(1, 3, *PICTURE))
    with torch.inference_mode(), pytest.raises((RuntimeError, ValueError)):
        model.stages[0](torch.randn(*shape))


@pytest.mark.parametrize("part", ["stages.1.merge", "embed"])
def test_a_merge_or_embedding_of_what_does_not_fit_is_refused_as_ever(model, part):
    with torch.inference_mode(), pytest.raises(RuntimeError):
        model.get_submodule(part.replace("stages.1", "stages.0"))(torch.randn(1, 5, 5, 5))


def test_what_is_no_number_stays_none(model, pixels):
    """So that a damaged file of weights is noticed."""
    with torch.no_grad():
        model.stages[0].blocks[0].token_mixer.bias.table.fill_(math.nan)
    assert answer(model, pixels).isnan().all()


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float64])
def test_the_default_precision_is_none_of_its_business(model, pixels, default):
    expected = answer(model, pixels)
    model = copy.deepcopy(model)  # packed anew
    cache.TABLES.clear()
    torch.set_default_dtype(default)
    try:
        found = answer(model, pixels)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)


def test_the_default_device_is_none_of_its_business(model, pixels):
    expected = answer(model, pixels)
    model = copy.deepcopy(model)
    cache.TABLES.clear()
    with torch.device("meta"):
        assert torch.equal(answer(model, pixels), expected)


def test_several_python_threads_may_call_one_model(model):
    """Also the first time, with more sizes than are kept, and while weights change."""
    given = [torch.randn(1, 3, size, 32) for size in range(20, 20 + 4 * 2 * packed_module.GRIDS, 4)]
    expected = [answer(model, x) for x in given]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(3):
            model = copy.deepcopy(model)
            weight = model.stages[0].blocks[0].norm1.weight

            def work(x: Tensor, model: Swin = model, weight: Tensor = weight) -> Tensor:
                with torch.no_grad():
                    weight.copy_(weight)  # counted as a change, of which the answer knows nothing
                return answer(model, x)

            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(work, given))
            assert all(map(torch.equal, found, expected))
    finally:
        sys.setswitchinterval(interval)


def test_weights_of_inference_mode_take_the_plain_path(engine, pixels):
    """Nothing tells when they change."""
    with torch.inference_mode():
        model = copy_with_engines(small())
        before = model(pixels)[-1]
        model.embed.proj.weight.mul_(2)
        assert not torch.allclose(model(pixels)[-1], before)


def pickled(model: Swin) -> Swin:
    """As it comes out at another process."""
    return pickle.loads(pickle.dumps(model))  # noqa: S301  our own


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_a_copy_has_its_own_weights(model, pixels, copied):
    before = answer(model, pixels)
    other = copied(model)
    WEIGHTS["in place"](other)
    assert torch.equal(answer(model, pixels), before)
    torch.testing.assert_close(answer(other, pixels), plain(other)(pixels), **CLOSE)


def test_many_sizes_keep_few_tables(model):
    for size in range(20, 20 + 4 * 2 * packed_module.GRIDS, 4):
        answer(model, torch.randn(1, 3, size, size))
    assert len(model.stages[0].forward.packed.grids) == packed_module.GRIDS


def test_without_the_engine_models_run_as_they_are(monkeypatch, tmp_path, pixels):
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path))
    model = copy_with_engines(small())
    assert torch.equal(answer(model, pixels), plain(model)(pixels))


def test_pixels_of_another_number_of_axes_are_refused_as_ever(model):
    with pytest.raises(ValueError, match="expected pixels"):
        answer(model, torch.randn(3, 20, 20))


def test_strided_pixels_are_read_right(model, pixels):
    """Channels last, as decoders give them."""
    last = pixels.contiguous(memory_format=torch.channels_last)
    assert torch.equal(answer(model, last), answer(model, pixels))


def test_a_classifier_is_optimized_as_a_whole(engine):
    given = api.load()
    made = api.optimize(given)
    assert type(made) is type(given)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(made(images), given(images), **CLOSE)


def test_without_a_compiler_an_optimized_model_runs_as_it_is_and_one_line_says_why(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    given = api.load()
    made = api.optimize(given)
    (record,) = caplog.records
    assert "no C++ compiler is installed" in record.getMessage()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(made(images), given(images))


def forked(model: Swin, pixels: Tensor, pipe) -> None:
    pipe.send(answer(model, pixels).numpy())


def test_a_forked_process_answers_the_same(model, pixels):
    """Torch's threads do not live on there; one thread alone works."""
    torch.set_num_threads(2)
    try:
        expected = answer(model, pixels)
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=forked, args=(model, pixels, there))
        process.start()
        assert here.poll(60)
        assert torch.equal(torch.from_numpy(here.recv()), expected)
        process.join(10)
    finally:
        torch.set_num_threads(1)
