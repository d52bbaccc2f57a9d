"""Triton's interpreter, which runs kernels on the CPU, with three of its faults mended (Triton 3.9).

* Its product of matrices multiplies the bit patterns of bf16 as if they were numbers.
* It cuts fp32 off to bf16, where a GPU rounds to the nearest, and to even between two.
* It patches the whole language anew at every call of one function of a kernel by another: nine tenths of
  the time.
"""

from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime.interpreter import InterpretedFunction, InterpreterBuilder, TensorHandle


def mend() -> None:
    """Mend this process's interpreter."""
    InterpreterBuilder.create_dot = multiplied
    InterpreterBuilder.create_fp_trunc = shortened
    InterpretedFunction.__call__ = called


def multiplied(
    _: InterpreterBuilder, a: TensorHandle, b: TensorHandle, c: TensorHandle, *__: Any
) -> TensorHandle:
    """Return a @ b + c."""
    return TensorHandle(np.matmul(numbers(a), numbers(b), dtype=c.data.dtype) + c.data, c.dtype.scalar)


def shortened(self: InterpreterBuilder, x: TensorHandle, dtype: tl.dtype) -> TensorHandle:
    """Numbers in a narrower format."""
    if dtype.scalar != tl.bfloat16:
        return self.cast_impl(x, dtype)
    bits = x.data.astype(np.float32).view(np.uint32).astype(np.uint64)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return TensorHandle(nearest.astype(np.uint16), tl.bfloat16)


def numbers(x: TensorHandle) -> np.ndarray:
    """As numpy can multiply them."""
    if x.dtype.scalar != tl.bfloat16:
        return x.data
    return (x.data.astype(np.uint32) << 16).view(np.float32)


def called(self: InterpretedFunction, *arguments: Any, **named: Any) -> Any:
    """One function of a kernel calls another: whoever launched the kernel has patched the language."""
    return self.rewrite()(*arguments, **named)
