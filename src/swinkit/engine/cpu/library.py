"""The engine's functions and structures in Python; the fields are those of `cpp/*.h`.

The library is loaded by ctypes, which lets other Python threads run during a call. Of torch it uses one C
function, `torch_parallel_for`, to run on torch's own threads.
"""

import ctypes
import math
import os
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...core.spec import Size

ABSENT = -1.0  # the epsilon of a norm that a block does not have


class Layout(Structure):
    """attention.h: the windows of a grid."""

    _fields_ = (
        ("rows", c_void_p),
        ("kinds", c_void_p),
        ("masks", c_void_p),
        ("windows", c_int32),
        ("tokens", c_int32),
    )


class Attention(Structure):
    """attention.h: the weights of the heads, group by group."""

    _fields_ = (
        ("weight", c_void_p),
        ("bias", c_void_p),
        ("padding", c_void_p),
        ("offsets", c_void_p),
        ("scale", c_void_p),
        ("heads", c_int32),
        ("group", c_int32),
    )


class Panels(Structure):
    """product.h: weights, laid out for the innermost loop."""

    _fields_ = (("data", c_void_p), ("depth", c_int32), ("columns", c_int32))


class Linear(Structure):
    """block.h: a linear layer."""

    _fields_ = (("weight", Panels), ("bias", c_void_p))


class Norm(Structure):
    """norm.h: a layer norm, absent if epsilon is negative."""

    _fields_ = (("weight", c_void_p), ("bias", c_void_p), ("epsilon", c_float))


class Block(Structure):
    """block.h: one block on one grid."""

    _fields_ = (
        ("layout", Layout),
        ("attention", Attention),
        ("projection", Linear),
        ("expand", Linear),
        ("shrink", Linear),
        ("before_attention", Norm),
        ("after_attention", Norm),
        ("before_mlp", Norm),
        ("after_mlp", Norm),
        ("after_block", Norm),
    )


class Reduction(Structure):
    """reduce.h: patch embedding or merging, which makes one row of several."""

    _fields_ = (
        ("table", c_void_p),
        ("parts", c_int32),
        ("channels", c_int32),
        ("before", Norm),
        ("linear", Linear),
        ("after", Norm),
    )


class Threads(Structure):
    """threads.h: torch's threads."""

    _fields_ = (("parallel_for", c_void_p), ("count", c_int32))


@dataclass(frozen=True)
class Shape:
    """The machine's registers, `lanes` numbers each; weights are stored in panels of `panel` columns."""

    lanes: int
    panel: int


class NativeLibrary:
    """An engine that was built for this machine.

    Raises:
        OSError: a library cannot be loaded.
        AttributeError: torch or the library lacks a function that is called here.
    """

    def __init__(self, path: Path):
        self.path = path
        self.functions = ctypes.CDLL(str(path))
        numbers, pointer = c_int32, c_void_p
        self.functions.swin_blocks.argtypes = (
            POINTER(Threads), pointer, numbers, pointer, pointer, numbers, numbers, numbers,
        )  # fmt: skip
        self.functions.swin_reduce.argtypes = (
            POINTER(Threads), POINTER(Reduction), pointer, pointer, numbers, c_int64, numbers, numbers,
        )  # fmt: skip
        self.functions.swin_blocks.restype = self.functions.swin_reduce.restype = None
        lanes, panel = c_int32(), c_int32()
        self.functions.swin_shape(ctypes.byref(lanes), ctypes.byref(panel))
        self.shape = Shape(lanes.value, panel.value)
        self.parallel_for = ctypes.cast(torch_library().torch_parallel_for, c_void_p).value
        self.process = os.getpid()

    @property
    def threads(self) -> Threads:
        """Torch's threads; one thread after a fork, because OpenMP's threads do not survive it."""
        if os.getpid() != self.process:
            return Threads(None, 1)
        return Threads(self.parallel_for, torch.get_num_threads())

    def run(self, blocks: "ctypes.Array[Block]", x: Tensor) -> Tensor:
        """Run blocks that were prepared for this grid, on a contiguous input: (B, *S, C) -> (B, *S, C)."""
        out = torch.empty_like(x)
        images, tokens, channels = x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]
        self.functions.swin_blocks(
            self.threads, blocks, len(blocks), x.data_ptr(), out.data_ptr(), images, tokens, channels
        )
        return out

    def reduce(self, reduction: Reduction, x: Tensor, size: Size, channels: int) -> Tensor:
        """Run a reduction on a contiguous input: (B, ...) -> (B, *size, channels)."""
        out = x.new_empty(x.shape[0], *size, channels)
        self.functions.swin_reduce(
            self.threads, reduction, x.data_ptr(), out.data_ptr(),
            x.shape[0], x[0].numel(), math.prod(size), channels,
        )  # fmt: skip
        return out


def torch_library() -> ctypes.CDLL:
    """Return the library of torch that holds its threads, which is loaded already.

    Raises:
        OSError: it is not where torch's own wheels have it.
    """
    folder = Path(torch.__file__).parent / "lib"
    path = next(folder.glob("libtorch_cpu.*"), None)
    if path is None:
        raise OSError(f"there is no libtorch_cpu in {folder}")
    return ctypes.CDLL(str(path))
