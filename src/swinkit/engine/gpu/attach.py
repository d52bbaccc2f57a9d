"""The `forward` that fused kernels compute for window attention on a GPU.

Every call decides anew by its input, so a model may be moved, trained, compiled and exported as before.
"""

import logging
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ...core.attention import WindowAttention
from ...core.fast.forwards import get_bias, padding_of
from ...core.fast.torch_internals import is_eager
from ...core.windows import RolledLayout
from .. import forward
from ..forward import EngineForward
from .fallback import check_call, has_triton, is_interpreted

logger = logging.getLogger(__name__)


class Kernels:
    """The kernels that all attentions of a model share, and the reasons that were logged."""

    def __init__(self, answer: Callable[..., Tensor], rehearse: Callable[..., None]):
        self.answer, self.rehearse = answer, rehearse
        self.failure: str | None = None  # why they are not tried again
        self.logged = set[str]()  # the refusals that were logged

    def log_once(self, reason: str) -> None:
        """Log a reason for the plain path the first time."""
        if not torch.compiler.is_compiling() and reason not in self.logged:
            self.logged.add(reason)
            logger.info("attention runs without the fused kernels: %s", reason)

    def give_up(self, error: Exception) -> None:
        """Stop using the kernels after a failure to compile or launch them, with a warning."""
        said = (str(error).splitlines() or [""])[0]
        self.failure = f"they failed ({type(error).__name__}: {said})"
        self.logged.add(self.failure)
        logger.warning("attention runs without the fused kernels from here on: %s", self.failure)


class FusedAttention(EngineForward):
    """The `forward` of a window attention by the kernels: (B, *S, C) -> (B, *S, C)."""

    module: WindowAttention

    def __init__(self, module: WindowAttention, kernels: Kernels):
        super().__init__(module)
        self.kernels = kernels
        self.rehearsed = False

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the same as the module's class."""
        attention, kernels = self.module, self.kernels
        layout = attention.border(x.shape[1:-1], attention.window, attention.shift)
        dropout = attention.attention_dropout if attention.training else 0.0
        reason = kernels.failure or check_call(x, layout, attention.num_heads, attention.similarity, dropout)
        if reason is not None:
            kernels.log_once(reason)
            return self.plain(x)
        if torch.compiler.is_compiling():
            return self.attend(x, layout)
        try:
            return self.attend(x, layout)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001  whatever Triton, a compiler or a driver may raise
            kernels.give_up(error)
            return self.plain(x)

    def attend(self, x: Tensor, layout: RolledLayout) -> Tensor:
        """Attend by the kernels; those of the gradient are tried before the first gradient is wanted."""
        attention, qkv = self.module, self.module.qkv(x)
        padding = padding_of(attention, x, qkv.dtype, layout)
        given = qkv, padding, self.bias(x, layout), layout, attention.num_heads, attention.similarity
        if torch.is_grad_enabled() and not self.rehearsed and not torch.compiler.is_compiling():
            self.kernels.rehearse(*given)
            self.rehearsed = True
        return attention.dropout(attention.proj(self.kernels.answer(*given)))

    def bias(self, x: Tensor, layout: RolledLayout) -> Tensor:
        """Return the position bias, (H, N, N), from the cache where there may be one."""
        window = layout.window
        if not is_eager(x):
            return self.module.bias(window).contiguous()
        return get_bias(self.module, window, window, lambda: 1, Tensor.contiguous)


def attach_kernels(model: nn.Module) -> None:
    """Let every window attention of `model` use the kernels, if this machine has any."""
    if not (torch.cuda.is_available() or is_interpreted()):
        return
    if not has_triton():
        logger.info("attention runs without the fused kernels: Triton is not installed")
        return
    from .attention import attend_on_gpu, rehearse  # imports Triton

    kernels = Kernels(attend_on_gpu, rehearse)
    for each in known_attentions(model):
        FusedAttention(each, kernels).attach()
    for kind in sorted({type(each).__name__ for each in unknown_attentions(model)}):
        logger.info("a %s runs without the fused kernels: it is unknown to them", kind)


def detach_kernels(model: nn.Module) -> None:
    """Remove the kernels that `attach_kernels` set."""
    for each in known_attentions(model):
        forward.detach(each)


def known_attentions(model: nn.Module) -> Iterator[WindowAttention]:
    """Yield the attentions that the kernels can compute."""
    return (each for each in model.modules() if type(each) is WindowAttention)


def unknown_attentions(model: nn.Module) -> Iterator[WindowAttention]:
    """Yield attentions of other classes, which may attend otherwise."""
    known = set(known_attentions(model))
    return (each for each in model.modules() if isinstance(each, WindowAttention) and each not in known)
