"""When native code must not stand in for the plain path: each function gives the reason, or None."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch._C import _functorch, _get_tracing_state  # pyright: ignore[reportAttributeAccessIssue]
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ...core.attention import KeylessBiasLinear, ScaledCosine, ScaledDot, WindowAttention
from ...core.block import MLP, PostNormBlock, PreNormBlock

GRADIENTS = "gradients are wanted (torch.inference_mode() says that they are not)"


def of_block(block: nn.Module) -> str | None:
    """Why a block, as it is built, is none that native code knows."""
    if type(block) not in (PreNormBlock, PostNormBlock):
        return f"a {type(block).__name__} is unknown to it"
    mixer, mlp = block.token_mixer, block.channel_mixer
    for part, kind in ((mixer, WindowAttention), (mlp, MLP)):
        if type(part) is not kind:
            return f"a {type(part).__name__} is unknown to it"
    assert isinstance(mixer, WindowAttention)
    assert isinstance(mlp, MLP)
    known = (
        (mixer.qkv, (nn.Linear, KeylessBiasLinear)),
        (mixer.proj, (nn.Linear,)),
        (mixer.similarity, (ScaledDot, ScaledCosine)),
        (mlp.fc1, (nn.Linear,)),
        (mlp.fc2, (nn.Linear,)),
        (mlp.activation, (nn.GELU,)),
        (block.norm1, (nn.LayerNorm,)),
        (block.norm2, (nn.LayerNorm,)),
        (getattr(block, "main_norm", None), (nn.LayerNorm, nn.Identity, type(None))),
    )
    for part, kinds in known:
        if type(part) not in kinds:
            return f"a {type(part).__name__} stands where it knows a {kinds[0].__name__}"
    return None


def of_reduction(part: nn.Module) -> str | None:
    """The same of a patch embedding or merging."""
    for name, inner in part.named_children():
        known = (
            (nn.LayerNorm, nn.Identity) if name == "norm" else (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        )
        if type(inner) not in known:
            return f"a {type(inner).__name__} stands where it knows a {known[0].__name__}"
    return None


def of_call(x: Tensor) -> str | None:
    """Why this call needs the plain path, whatever the weights."""
    if _get_tracing_state() is not None:
        return "the model is being traced"
    if type(x) is not Tensor or _get_current_dispatch_mode() is not None or in_functorch():
        return "torch watches or rewrites every operation"
    if x.device.type != "cpu" or x.dtype != torch.float32 or not x.numel():
        return f"it is given {x.dtype} on {x.device}, shaped {tuple(x.shape)}"
    if torch.is_autocast_enabled("cpu"):
        return "autocast asks for another precision"
    if torch.is_grad_enabled() and x.requires_grad:
        return GRADIENTS
    return None


def of_weights(parameters: Sequence[Tensor]) -> str | None:
    """Why these weights, as they are now, need the plain path."""
    for parameter in parameters:
        if torch.is_grad_enabled() and parameter.requires_grad:
            return GRADIENTS
        if parameter.device.type != "cpu" or parameter.dtype != torch.float32:
            return f"its weights are {parameter.dtype} on {parameter.device}"
        if type(parameter.data) is not Tensor:
            return f"a weight is a {type(parameter.data).__name__}"
        if parameter.is_inference():
            return "its weights were made in inference mode, so that changes could not be noticed"
    return None


def of_modules(modules: Iterable[nn.Module]) -> str | None:
    """Why these modules, which would not be called, must be."""
    for module in modules:
        if module.training:
            return "it is in training mode"
        if module._forward_hooks or module._forward_pre_hooks:  # noqa: SLF001  there is no public way to ask
            return f"a hook watches a {type(module).__name__} inside of it"
    return None


def in_functorch() -> bool:
    """Whether torch.func transforms what is computed."""
    return _functorch.peek_interpreter_stack() is not None
