"""Compile the kernels to machine code without a GPU: `python -m tests.engine.gpu.compiling 90 [CASE...]`.

The interpreter forgives much that the compiler does not. Triton brings its own assembler and asks the driver
for nothing but the kind of GPU, so that a stub is enough. The first argument is a compute capability: 80 is
an A100, 90 an H100. For each kernel a line says what it needs of the GPU.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from swinkit.engine.gpu.operator import window_attention, window_attention_backward

DUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
USAGE = re.compile(r"REG:(\d+) STACK:(\d+)")
CASES = {  # window, whether by cosine, precision
    "v1-7": ((7, 7), False, torch.bfloat16),
    "v2-8": ((8, 8), True, torch.bfloat16),
    "v1-12": ((12, 12), False, torch.bfloat16),
    "v2-16": ((16, 16), True, torch.bfloat16),
    "video": ((8, 7, 7), False, torch.bfloat16),
    "v1-7-fp32": ((7, 7), False, torch.float32),
    "v2-16-fp32": ((16, 16), True, torch.float32),
}


class Stub:
    """As much of a driver as compiling asks for."""

    def __init__(self, capability: int):
        self.target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        return self.target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return 0


def compiled(capability: int, window: tuple[int, ...], cosine: bool, dtype: torch.dtype) -> list[Any]:
    """Every kernel that the forward and the backward launch for a padded, shifted grid."""
    found = []

    def collect(kernel: JITFunction, grid: tuple[int, ...]) -> Callable[..., None]:
        return lambda *args, **named: found.append(kernel.run(*args, grid=grid, warmup=True, **named))

    driver.set_active(Stub(capability))
    JITFunction.__getitem__ = collect
    heads, width = 2, 32
    channels, tokens = heads * width, torch.Size(window).numel()
    qkv = torch.zeros(2, *(2 * w + 1 for w in window), 3 * channels, dtype=dtype)
    sources = (qkv, torch.zeros(3 * channels, dtype=dtype), torch.zeros(heads, tokens, tokens))
    settings = (torch.ones(heads) if cosine else None, 0.25, window, tuple(w // 2 for w in window), False)
    out, logsum = window_attention(*sources, *settings)
    window_attention_backward(out, out, logsum, *sources, *settings)
    return found


def line(kernel: Any) -> str:
    """Return the resources of one kernel."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(kernel.asm["cubin"])
        command = [DUMP, "--dump-resource-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, spilled = USAGE.search(usage).groups()
    name = kernel.metadata.name
    shared = kernel.metadata.shared
    return f"{name:8} {registers:>4} registers {spilled:>5} bytes spilled {shared:>7} bytes shared"


def main(arguments: list[str]) -> None:
    capability, *names = arguments
    for name in names or CASES:
        print(name)
        for kernel in compiled(int(capability), *CASES[name]):
            print("  ", line(kernel))


if __name__ == "__main__":
    main(sys.argv[1:])
