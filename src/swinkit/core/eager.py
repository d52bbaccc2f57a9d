"""Whether operations run at once, or are recorded for later.

What runs at once may look things up, remember them, and choose by size. What is recorded, by `torch.compile`,
`torch.export`, tracing or a transform of `torch.func`, has to be spelled out in operations on what comes in.
"""

import torch
from torch import Tensor, nn
from torch._C._functorch import peek_interpreter_stack  # no public function tells
from torch.nn.modules import module as of_all_modules


def runs_at_once(x: Tensor) -> bool:
    """Whether operations on `x` are carried out right now, on numbers that are there."""
    return (
        type(x) is Tensor
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  documented, not exported
        and not x.is_meta
        and peek_interpreter_stack() is None
    )


def is_watched(module: nn.Module) -> bool:
    """Whether a hook sees every call of `module`, which then has to be called once, and with all there is."""
    hooks = (
        module._forward_hooks,  # noqa: SLF001  there is no public way to ask, here and below
        module._forward_pre_hooks,  # noqa: SLF001
        of_all_modules._global_forward_hooks,  # noqa: SLF001
        of_all_modules._global_forward_pre_hooks,  # noqa: SLF001
    )
    return any(hooks)
