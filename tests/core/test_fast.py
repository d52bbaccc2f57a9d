"""Each fast twin of `core` answers and learns as its plain `forward` does, whatever torch still tells."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils import _python_dispatch as python_dispatch

from swinkit.core.absolute_position import AbsolutePosition
from swinkit.core.attention import WindowAttention
from swinkit.core.backbone import Stage
from swinkit.core.block import MLP, PostNormBlock, PreNormBlock
from swinkit.core.borders import BORDERS
from swinkit.core.fast import chunked_attention, chunking, forwards, recompute, torch_internals

from ..models.small import PIXELS, pixels, small, stirred
from .mixers import mixer

Case = tuple[nn.Module, Tensor]


def grid(*size: int, channels: int = 8) -> Tensor:
    return torch.randn(2, *size, channels)


def pre_norm_block() -> Case:
    return PreNormBlock(8, mixer((4, 4), (2, 2), "pad", cosine=False), MLP(8, 32, 0.1), 0.4), grid(9, 7)


def post_norm_block() -> Case:
    attention = mixer((4, 4), (2, 2), "clip", cosine=True)
    return PostNormBlock(8, attention, MLP(8, 32, 0.1), 0.4, main_norm=nn.LayerNorm(8)), grid(9, 7)


def stage() -> Case:
    return Stage([pre_norm_block()[0], post_norm_block()[0]], None), grid(6, 11)


def mlp() -> Case:
    return MLP(8, 32, 0.3), grid(5, 3)


def position(*size: int) -> Case:
    return AbsolutePosition((4, 6), 8), grid(*size)


def attention(border: str, *cut: tuple[int, ...], cosine: bool) -> Case:
    size, window, shift = cut
    return mixer(window, shift, border, cosine=cosine), grid(*size)


def model(family: str) -> Case:
    return small(family, drop_path=0.4), pixels(family)


def model_with_position(family: str) -> Case:
    return small(family, absolute_grid=(9, 9), dropout=0.1), pixels(family)


SHORT = ((10, 9), (4, 4), (2, 2))
LONG = [((24, 24), (12, 12), (6, 6)), ((19, 29), (12, 12), (6, 6)), ((25, 13), (12, 12), (0, 0))]
CLIPS = [((5, 9, 13), (4, 6, 6), (2, 3, 3))]
TWINS: dict[str, Callable[[], Case]] = {
    "stage": stage,
    "pre-norm block": pre_norm_block,
    "post-norm block": post_norm_block,
    "mlp": mlp,
    "position": lambda: position(4, 6),
    "resized position": lambda: position(7, 5),
    "model with position": lambda: model_with_position("v1"),
    **{f"model {family}": (lambda family=family: model(family)) for family in PIXELS},
    **{
        f"attention {border} {cut} {'v2' if cosine else 'v1'}": (
            lambda border=border, cut=cut, cosine=cosine: attention(border, *cut, cosine=cosine)
        )
        for border in BORDERS
        for cut in (SHORT, *LONG, *([] if border == "square" else CLIPS))
        for cosine in (False, True)
    },
}


def computed(module: nn.Module, x: Tensor, *, gradients: bool) -> list[Tensor]:
    """Return the answers, and if asked for the gradients of the input and of every parameter."""
    torch.manual_seed(0)
    leaf = x.clone().requires_grad_(gradients)
    with torch.set_grad_enabled(gradients):
        answer = module(leaf)
    answers = answer if isinstance(answer, list) else [answer]
    if not gradients:
        return answers
    total = sum(y.square().sum() for y in answers)
    return [*answers, *torch.autograd.grad(total, [leaf, *module.parameters()], allow_unused=True)]


def plainly(module: nn.Module, x: Tensor, *, gradients: bool) -> list[Tensor]:
    """Return the answers and gradients by `forward.plain` of every part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forwards, "is_eager", lambda _x: False)
        return computed(module, x, gradients=gradients)


@pytest.fixture(params=["whole", "in chunks"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything at once, or a few images, tokens and windows at a time."""
    if request.param == "in chunks":
        monkeypatch.setattr(chunking, "CHUNK", 100)
        monkeypatch.setattr(chunking, "CHUNK_WITH_GRADIENTS", 200)
        monkeypatch.setattr(chunked_attention, "CHUNK", 2 * 144 * 8)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("twin", TWINS)
def test_a_fast_twin_answers_and_learns_as_its_plain_forward_does(twin: str):
    """Compare in evaluation, with and without gradients, and in training, including the random draws."""
    module, x = TWINS[twin]()
    module, x = stirred(module).double(), x.double()
    for training, gradients in ((False, False), (False, True), (True, True)):
        module.train(training)
        for _ in range(1 + (not training)):  # the second answer comes from caches
            found = computed(module, x, gradients=gradients)
            expected = plainly(module, x, gradients=gradients)
            torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-9)


def classes_of(kind: type) -> Iterator[type]:
    yield kind
    for inner in kind.__subclasses__():
        yield from classes_of(inner)


def test_every_twin_is_compared():
    twins = {kind for kind in classes_of(nn.Module) if hasattr(vars(kind).get("forward"), "plain")}
    assert twins == {Stage, PreNormBlock, PostNormBlock, MLP, AbsolutePosition, WindowAttention}


def test_a_twin_is_taken_where_operations_run_eagerly_and_there_alone():
    class Told(nn.Module):
        @forwards.twin(lambda _self, x: x + 1)
        def forward(self, x: Tensor) -> Tensor:
            """Double."""
            return x * 2

    told, x = Told(), torch.ones(3)
    assert told(x).tolist() == [2, 2, 2]
    assert Told.forward.plain(told, x * 5).tolist() == [10, 10, 10]
    assert Told.forward.__doc__ == "Double."
    assert torch.func.vmap(told)(x * 5).tolist() == [10, 10, 10]
    assert told(x.to("meta")).shape == (3,)
    with forward_ad.dual_level():
        assert told(x * 5).tolist() == [10, 10, 10]


# ---- private names of torch

PRIVATE = {
    "peek_interpreter_stack": (torch._C._functorch, "peek_interpreter_stack"),
    "_current_level": (forward_ad, "_current_level"),
    "_saved_tensors_hooks_is_enabled": (torch._C._autograd, "_saved_tensors_hooks_is_enabled"),
    "_top_saved_tensors_default_hooks": (torch._C._autograd, "_top_saved_tensors_default_hooks"),
    "_get_current_dispatch_mode": (python_dispatch, "_get_current_dispatch_mode"),
}


def without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a name from torch; where torch itself could not go on, only from the file that asks for it."""

    def missing(_tensor: Tensor) -> int:
        raise AttributeError(name)

    torch_internals.log_once.cache_clear()
    if name in PRIVATE:
        monkeypatch.delattr(*PRIVATE[name])
    elif name == "_version":
        monkeypatch.setattr(torch.Tensor, name, property(missing), raising=False)
    else:
        globals_ = {"_global_forward_hooks": {}, "_global_forward_pre_hooks": {}}
        del globals_[name]
        monkeypatch.setattr(torch_internals, "module_globals", SimpleNamespace(**globals_))


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("peek_interpreter_stack", "is_transforming"),
        ("_current_level", "is_transforming"),
        ("_saved_tensors_hooks_is_enabled", "saved_tensor_hooks"),
        ("_top_saved_tensors_default_hooks", "saved_tensor_hooks"),
        ("_version", "version_of"),
        ("_global_forward_hooks", "has_global_hooks"),
        ("_global_forward_pre_hooks", "has_global_hooks"),
        ("_get_current_dispatch_mode", "is_dispatch_watched"),
    ],
)
def test_where_torch_lacks_a_private_name_answers_stay_right_and_the_log_says_so_once(
    name: str, question: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    module, x = small("v2").double(), pixels("v2").double()
    expected = [plainly(module, x, gradients=gradients) for gradients in (False, True)]
    without(name, monkeypatch)
    for _ in range(2):
        found = [computed(module, x, gradients=gradients) for gradients in (False, True)]
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-9)
    torch_internals.is_dispatch_watched()  # which the engine asks
    assert torch_internals.has_hooks(nn.Identity()) is ("hooks" in name and "global" in name)
    (message,) = caplog.messages
    assert f"does not provide `{question}`" in message


def test_without_its_private_names_nothing_fast_is_taken(monkeypatch: pytest.MonkeyPatch):
    x = torch.ones(2, 3, requires_grad=True)
    for name, is_off in {
        "peek_interpreter_stack": lambda: not torch_internals.is_eager(x.detach()),
        "_global_forward_hooks": lambda: not chunking.can_split_tokens([nn.Linear(3, 3)], x),
        "_version": lambda: torch_internals.version_of(x) is None,
    }.items():
        with monkeypatch.context() as patch:
            assert not is_off()
            without(name, patch)
            assert is_off()
    layer = nn.Linear(3, 3)
    with monkeypatch.context() as patch:
        without("_version", patch)
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda y: saved.append(y.shape) or y, lambda y: y):
            recompute.recompute(torch.relu, layer(x), layer)
        assert saved  # as torch saves them: nothing is recomputed
    assert not torch_internals.has_hooks(layer)
    del layer._forward_hooks
    assert torch_internals.has_hooks(layer)
    torch_internals.log_once.cache_clear()
