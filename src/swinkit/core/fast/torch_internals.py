"""All private names of torch that the fast paths need, behind functions that ask for torch's current state.

Torch may rename or change any of these. Then the function concerned gives its cautious answer, with one line
in the log: the fast paths that depend on it are off, and the plain path computes instead.
"""

import logging
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules import module as module_globals

logger = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Hooks = tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]  # of a saved tensor: pack, unpack


def guard(cautious: Any) -> Callable[[Callable[Arguments, Answer]], Callable[Arguments, Answer]]:
    """Answer `cautious` where this torch lacks a private name that the function uses."""

    def decorate(ask: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
        @wraps(ask)
        def ask_cautiously(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            try:
                return ask(*args, **kwargs)
            except (AttributeError, ImportError, TypeError) as error:
                log_once(ask.__name__, str(error))
                return cautious

        return ask_cautiously

    return decorate


@cache
def log_once(question: str, error: str) -> None:
    """Log that a fast path is off because a private name is missing."""
    logger.warning(
        "torch %s does not provide `%s` (%s): models compute by their plain path, slower and as exact",
        torch.__version__,
        question,
        error,
    )


def is_eager(x: Tensor) -> bool:
    """Return whether operations on `x` are carried out now, on numbers in memory."""
    return (
        type(x) is Tensor
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  documented, not exported
        and not x.is_meta
        and not is_transforming()
    )


@guard(cautious=True)
def is_transforming() -> bool:
    """Return whether `torch.func` or forward-mode differentiation transforms operations now."""
    stack = torch._C._functorch.peek_interpreter_stack()  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
    return stack is not None or forward_ad._current_level >= 0  # noqa: SLF001


@guard(cautious=True)
def is_dispatch_watched() -> bool:
    """Return whether a `TorchDispatchMode` sees every operation now."""
    modes = import_module("torch.utils._python_dispatch")
    return modes._get_current_dispatch_mode() is not None  # noqa: SLF001


@guard(cautious=True)
def has_hooks(module: nn.Module) -> bool:
    """Return whether a hook sees the calls of `module`, so that it must get its whole input in one call."""
    return bool(module._forward_hooks or module._forward_pre_hooks) or has_global_hooks()  # noqa: SLF001


@guard(cautious=True)
def has_global_hooks() -> bool:
    """Return whether a hook sees the calls of all modules."""
    hooks = module_globals._global_forward_hooks, module_globals._global_forward_pre_hooks  # noqa: SLF001
    return any(hooks)


@guard(cautious=None)
def saved_tensor_hooks(default: Hooks) -> Hooks | None:
    """Return the active hooks of saved tensors, e.g. a checkpoint's; `default` if none, None if forbidden."""
    autograd: Any = torch._C._autograd  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue]
    if not autograd._saved_tensors_hooks_is_enabled():  # noqa: SLF001
        return None
    return autograd._top_saved_tensors_default_hooks(False) or default  # noqa: SLF001


@guard(cautious=None)
def version_of(tensor: Tensor) -> int | None:
    """Return the number of writes to a tensor that torch counted; None if torch does not expose it."""
    return tensor._version  # noqa: SLF001
