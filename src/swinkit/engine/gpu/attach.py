"""What stands in for a window attention's `mix`: the kernels where they can, its own `mix` elsewhere.

A module stays what it is; only its attribute `mix` is set. What it is given decides anew at every call, so a
model may be moved, trained, compiled and exported as before.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...core.attention import WindowAttention
from ...core.fast.eager import runs_at_once
from ...core.windows import RolledLayout
from .fallback import installed, interpreted, refusal

logger = logging.getLogger(__name__)


class Kernels:
    """What all attentions of a model share: the kernels, and what was told of them already."""

    def __init__(self, answer: Callable[..., Tensor], rehearse: Callable[..., None]):
        self.answer, self.rehearse = answer, rehearse
        self.failure: str | None = None  # why they are not tried again
        self.told = set[str]()  # the refusals that were logged

    def tell(self, reason: str) -> None:
        """Once."""
        if not torch.compiler.is_compiling() and reason not in self.told:
            self.told.add(reason)
            logger.info("attention runs without the fused kernels: %s", reason)

    def give_up(self, error: Exception) -> None:
        """They cannot be compiled or launched here, for which there are as many reasons as machines."""
        said = (str(error).splitlines() or [""])[0]
        self.failure = f"they failed ({type(error).__name__}: {said})"
        self.told.add(self.failure)
        logger.warning("attention runs without the fused kernels from here on: %s", self.failure)


class Fused:
    """(B, *S, 3 * C) -> (B, *S, C), in the place of `twin.mix`."""

    def __init__(self, twin: WindowAttention, kernels: Kernels):
        self.twin, self.kernels = twin, kernels
        self.rehearsed = False

    def __call__(self, qkv: Tensor, padding: Tensor | None, layout: RolledLayout) -> Tensor:
        """As the twin."""
        twin, kernels = self.twin, self.kernels
        dropout = twin.attention_dropout if twin.training else 0.0
        reason = kernels.failure or refusal(qkv, layout, twin.num_heads, twin.similarity, dropout)
        if reason is None:
            given = qkv, padding, self.bias(qkv, layout), layout, twin.num_heads, twin.similarity
            if torch.compiler.is_compiling():
                return kernels.answer(*given)
            try:
                return self.answer(*given)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # noqa: BLE001  whatever Triton, a compiler or a driver may raise
                kernels.give_up(error)
        else:
            kernels.tell(reason)
        return type(twin).mix(twin, qkv, padding, layout)

    def answer(self, *given: Any) -> Tensor:
        """By the kernels; those of the gradient are tried before the first one that is wanted."""
        if torch.is_grad_enabled() and not self.rehearsed:
            self.kernels.rehearse(*given)
            self.rehearsed = True
        return self.kernels.answer(*given)

    def bias(self, qkv: Tensor, layout: RolledLayout) -> Tensor:
        """(H, N, N): remembered where it may be."""
        twin, window = self.twin, layout.window

        def made() -> Tensor:
            return twin.bias(window).contiguous()

        return twin.remembered(window, made) if runs_at_once(qkv) else made()


def attach(model: nn.Module) -> None:
    """Let every window attention of `model` use the kernels; nothing happens where there are none to use."""
    if not (torch.cuda.is_available() or interpreted()):
        return
    if not installed():
        logger.info("attention runs without the fused kernels: Triton is not installed")
        return
    from .attention import attention, rehearse  # imports Triton

    kernels = Kernels(attention, rehearse)
    for each in attentions(model):
        each.mix = Fused(each, kernels)
    for kind in sorted({type(each).__name__ for each in unknown(model)}):
        logger.info("a %s runs without the fused kernels: it is unknown to them", kind)


def detach(model: nn.Module) -> None:
    """Undo `attach`."""
    for each in attentions(model):
        vars(each).pop("mix", None)


def attentions(model: nn.Module) -> Iterator[WindowAttention]:
    """Those whose `mix` is the one that the kernels compute."""
    return (each for each in model.modules() if type(each) is WindowAttention)


def unknown(model: nn.Module) -> Iterator[WindowAttention]:
    """Those that may mix otherwise, as they are of another class."""
    known = set(attentions(model))
    return (each for each in model.modules() if isinstance(each, WindowAttention) and each not in known)
