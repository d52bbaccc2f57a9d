"""Reasons for the plain path. Each check returns a short reason for the log; None if there is none."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ...core.attention import ScaledCosine, ScaledDot, WindowAttention
from ...core.block import MLP, DropPath, PostNormBlock, PreNormBlock
from ...core.fast.torch_internals import (
    has_global_hooks,
    has_hooks,
    is_dispatch_watched,
    is_eager,
    version_of,
)
from ...core.position import ContinuousBias, LearnedBias, PrintedBias
from ...core.qkv import KeylessBiasLinear
from ..forward import EngineForward

FARTHEST = 2**31  # images, or numbers of one image: native code counts both in 32 bits
LEAST_AXES = 3  # of every input: images, channels and at least one axis of the grid
GRADIENTS = "gradients are wanted (torch.inference_mode() says that they are not)"


def check_block(block: nn.Module) -> str | None:
    """Return why native code cannot run a block as it is built."""
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
        (mixer.bias, (LearnedBias, ContinuousBias, PrintedBias)),
        (mixer.dropout, (nn.Dropout, nn.Identity)),
        (mlp.fc1, (nn.Linear,)),
        (mlp.fc2, (nn.Linear,)),
        (mlp.activation, (nn.GELU,)),
        (mlp.dropout, (nn.Dropout, nn.Identity)),
        (block.drop_path, (DropPath, nn.Identity)),
        (block.norm1, (nn.LayerNorm,)),
        (block.norm2, (nn.LayerNorm,)),
        (getattr(block, "main_norm", None), (nn.LayerNorm, nn.Identity, type(None))),
    )
    return next((reason for part, kinds in known if (reason := check_part(part, kinds))), None)


def check_reduction(part: nn.Module) -> str | None:
    """Return why native code cannot run a patch embedding or merging as it is built."""
    norms, products = (nn.LayerNorm, nn.Identity), (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    known = ((inner, norms if name == "norm" else products) for name, inner in part.named_children())
    return next((reason for inner, kinds in known if (reason := check_part(inner, kinds))), None)


def check_part(part: object, kinds: Sequence[type]) -> str | None:
    """Return why a part is none of `kinds`, or has a setting that native code lacks."""
    if type(part) not in kinds:
        return f"a part is a {type(part).__name__}; it supports a {kinds[0].__name__}"
    if isinstance(part, nn.LayerNorm) and (part.weight is None or part.bias is None or part.weight.ndim > 1):
        return "a norm has not one weight and one bias for each channel"
    if isinstance(part, nn.GELU) and part.approximate != "none":
        return f"it does not support GELU's approximation {part.approximate!r}"
    if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d) and not cuts_patches(part):
        return "a convolution does more than to cut its input into patches"
    return None


def cuts_patches(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> bool:
    """Return whether a convolution puts every number of its input into exactly one patch."""
    plain = not any(layer.padding) and set(layer.dilation) == {1} and layer.groups == 1
    return plain and layer.stride == layer.kernel_size


def check_call(x: Tensor) -> str | None:
    """Return why this call needs the plain path, whatever the weights."""
    if not is_eager(x) or is_dispatch_watched():
        return "torch records or watches every operation"
    if has_global_hooks():
        return "a hook watches all modules"
    if x.device.type != "cpu" or x.dtype != torch.float32:
        return f"it is given {x.dtype} on {x.device}"
    if x.ndim < LEAST_AXES or not 0 < x[:1].numel() < FARTHEST or len(x) >= FARTHEST:
        return f"it is given a tensor of shape {tuple(x.shape)}"
    if torch.is_autocast_enabled("cpu"):
        return "autocast asks for another precision"
    if torch.is_grad_enabled() and x.requires_grad:
        return GRADIENTS
    return None


def check_weights(parameters: Sequence[Tensor]) -> str | None:
    """Return why these weights, as they are now, need the plain path."""
    for parameter in parameters:
        if torch.is_grad_enabled() and parameter.requires_grad:
            return GRADIENTS
        if parameter.device.type != "cpu" or parameter.dtype != torch.float32:
            return f"its weights are {parameter.dtype} on {parameter.device}"
        if type(parameter.data) is not Tensor:
            return f"a weight is a {type(parameter.data).__name__}"
        if parameter.is_inference():
            return "its weights were made in inference mode, so that changes could not be noticed"
        if version_of(parameter) is None:
            return "torch counts no writes to weights, so that changes could not be noticed"
    return None


def check_modules(modules: Iterable[nn.Module]) -> str | None:
    """Return why these modules, which native code would skip, must be called."""
    for module in modules:
        if module.training:
            return "it is in training mode"
        if has_hooks(module):
            return f"a hook watches a {type(module).__name__} inside of it"
    return None


def check_forwards(modules: Iterable[nn.Module]) -> str | None:
    """Return why these modules, which native code would skip, compute something else than their classes."""
    for module in modules:
        own = vars(module).get("forward")
        if own is not None and not isinstance(own, EngineForward):  # an engine's answers as the class does
            return f"a {type(module).__name__} inside of it has a forward of its own"
    return None
