"""What stands in for a window attention's `mix`: the kernels where they can, its own `mix` elsewhere.

A module stays what it is; only its attribute `mix` is set. What it is given decides anew at every call, so a
model may be moved, trained, compiled and exported as before.
"""

import logging
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ...core.attention import WindowAttention
from ...core.eager import runs_at_once
from ...core.windows import RolledLayout
from .support import installed, interpreted, refusal

logger = logging.getLogger(__name__)


class Fused:
    """(B, *S, 3 * C) -> (B, *S, C), in the place of `twin.mix`. `told`: the refusals that were logged."""

    def __init__(self, twin: WindowAttention, kernels: Callable[..., Tensor], told: set[str]):
        self.twin, self.kernels, self.told = twin, kernels, told

    def __call__(self, qkv: Tensor, padding: Tensor | None, layout: RolledLayout) -> Tensor:
        """As the twin."""
        twin = self.twin
        dropout = twin.attention_dropout if twin.training else 0.0
        reason = refusal(qkv, layout, twin.num_heads, twin.similarity, dropout)
        if reason is None:
            return self.kernels(qkv, padding, self.bias(qkv, layout), layout, twin.num_heads, twin.similarity)
        if not torch.compiler.is_compiling() and reason not in self.told:
            self.told.add(reason)
            logger.info("attention runs without the fused kernels: %s", reason)
        return type(twin).mix(twin, qkv, padding, layout)

    def bias(self, qkv: Tensor, layout: RolledLayout) -> Tensor:
        """(H, N, N): remembered where it may be."""
        twin, window = self.twin, layout.window

        def made() -> Tensor:
            return twin.bias(window).contiguous()

        return twin.remembered(window, made) if runs_at_once(qkv) else made()


def attach(model: nn.Module) -> None:
    """Let every window attention of `model` use the kernels; nothing happens where there are none to use."""
    if not installed() or not (torch.cuda.is_available() or interpreted()):
        return
    from .attention import attention  # imports Triton

    told: set[str] = set()
    for each in attentions(model):
        each.mix = Fused(each, attention, told)


def detach(model: nn.Module) -> None:
    """Undo `attach`."""
    for each in attentions(model):
        vars(each).pop("mix", None)


def attentions(model: nn.Module) -> Iterator[WindowAttention]:
    """Those whose `mix` is the one that the kernels compute."""
    return (each for each in model.modules() if type(each) is WindowAttention)
