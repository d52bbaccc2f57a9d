"""Whether operations run at once, or are recorded for later.

What runs at once may look things up, remember them, and choose by size. What is recorded or transformed, by
`torch.compile`, `torch.export`, tracing, `torch.func` or forward-mode differentiation, has to be spelled out
in operations on what comes in.
"""

import torch
from torch import Tensor, nn
from torch._C._functorch import peek_interpreter_stack  # no public function tells
from torch.autograd import forward_ad
from torch.nn.modules import module as of_all_modules


def runs_at_once(x: Tensor) -> bool:
    """Whether operations on `x` are carried out right now, on numbers that are there."""
    return (
        type(x) is Tensor
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  documented, not exported
        and not x.is_meta
        and peek_interpreter_stack() is None
        and forward_ad._current_level < 0  # noqa: SLF001  nor one for this
    )


def is_watched(module: nn.Module) -> bool:
    """Whether a hook sees every call of `module`, which then has to be called once, and with all there is."""
    return bool(module._forward_hooks or module._forward_pre_hooks or all_are_watched())  # noqa: SLF001  only way


def all_are_watched() -> bool:
    """Whether a hook sees every call of every module."""
    return bool(of_all_modules._global_forward_hooks or of_all_modules._global_forward_pre_hooks)  # noqa: SLF001
