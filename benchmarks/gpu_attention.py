"""Speed of the attention on a GPU, as a share of the memory's: `python -m benchmarks.gpu_attention`.

The attention of each stage of a model, shifted, in bf16, forward and backward: by the kernels of
`swinkit.engine.gpu`, by their plain twin, by the twin through `torch.compile`, and by torch's
scaled_dot_product_attention with the windows cut out and put back. What is measured begins after the product
that makes queries, keys and values, and ends before the one that follows.

`--floors` counts, without a GPU, the fewest bytes that any of them must move, and how long an H100 needs for
that. `--tune` tries other numbers of warps, loads ahead and programs than those of `engine/gpu/tuning.py`.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from swinkit.core.attention import ScaledCosine, ScaledDot
from swinkit.core.borders import clip
from swinkit.core.kernels import attend_fused
from swinkit.core.spec import block_specs
from swinkit.core.windows import RolledLayout
from swinkit.engine.gpu import fallback, reference, tuning
from swinkit.errors import EnvironmentProblem, SwinkitError
from swinkit.models.catalogue import find_variant
from swinkit.models.families import SpecV2

MODELS = {"swin-t": 64, "swin-b": 64, "swinv2-t": 64, "swinv2-b": 64, "video-swin-t": 8}  # and a batch
WIDTH = 2  # bytes of a bf16
H100 = (3.0e12, 798e12)  # bytes and operations in a second, measured with a long copy and a large product

Attention = Callable[..., Tensor]


@dataclass(frozen=True)
class Stage:
    """The attention of one block of a model, on a batch."""

    model: str
    number: int  # from 1
    layout: RolledLayout
    heads: int
    channels: int
    cosine: bool
    batch: int

    @property
    def tokens(self) -> int:
        """The number of tokens of the batch."""
        return self.batch * math.prod(self.layout.grid)

    @property
    def forward_bytes(self) -> int:
        """The bytes of the forward pass: queries, keys and values read, the output written."""
        return self.tokens * 4 * self.channels * WIDTH

    @property
    def backward_bytes(self) -> int:
        """The bytes of the backward pass: queries, keys, values and a gradient read, three written."""
        return self.tokens * 7 * self.channels * WIDTH

    @property
    def forward_operations(self) -> int:
        """The operations of two products of each token with its window, two for each multiply-add.

        The backward pass has five such products.
        """
        return self.tokens * 4 * math.prod(self.layout.window) * self.channels

    def similarity(self) -> nn.Module:
        """Return the similarity of V1 or of V2."""
        return ScaledCosine(self.heads) if self.cosine else ScaledDot()

    def sources(self, device: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return random qkv, padding and bias."""
        tokens = math.prod(self.layout.window)
        half = {"device": device, "dtype": torch.bfloat16}
        qkv = torch.randn(self.batch, *self.layout.grid, 3 * self.channels, **half)
        bias = torch.randn(self.heads, tokens, tokens, device=device)
        return qkv, torch.randn(3 * self.channels, **half), bias


def stages(model: str, batch: int) -> Iterator[Stage]:
    """Yield the last block of each stage of a model at its usual size; it is shifted if any is."""
    variant = find_variant(model)[1]
    for blocks, stride in zip(block_specs(variant.spec), variant.spec.strides, strict=True):
        place = blocks[-1]
        grid = tuple(s // step for s, step in zip(variant.size, stride, strict=True))
        layout = clip(grid, place.window, place.shift)
        cosine = isinstance(variant.spec, SpecV2)
        yield Stage(model, place.stage + 1, layout, place.num_heads, place.dim, cosine, batch)


def floors(chosen: Sequence[Stage]) -> str:
    """Return a Markdown table: the fewest bytes of each stage, and an H100's microseconds for them."""
    rate, speed = H100
    lines = [
        "| model, batch | stage | window | forward | | | backward | | |",
        "|---|---|---|---|---|---|---|---|---|",
        "| | | tokens | MB | us, bytes | us, products | MB | us, bytes | us, products |",
    ]
    for stage in chosen:
        cells = [f"{stage.model}, {stage.batch}", str(stage.number), str(math.prod(stage.layout.window))]
        for moved, more in ((stage.forward_bytes, 1.0), (stage.backward_bytes, 2.5)):
            operations = more * stage.forward_operations
            cells += [f"{moved / 1e6:.0f}", f"{1e6 * moved / rate:.0f}", f"{1e6 * operations / speed:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def attend_by_sdpa(
    qkv: Tensor, _: Tensor, bias: Tensor, layout: RolledLayout, num_heads: int, similarity: nn.Module
) -> Tensor:
    """Compute `reference.attend_in_torch` without padding by torch's scaled_dot_product_attention."""
    q, k, v = layout.partition(qkv).unflatten(-1, (3, num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
    q, k, scale = similarity(q, k)
    mask = layout.mask(qkv.device)
    x = attend_fused(q * scale, k, v, bias if mask is None else bias + mask[:, None], 0.0)
    return layout.merge(x.transpose(2, 3).flatten(3))


def candidates() -> dict[str, Attention]:
    """Return the candidates by name; the kernels are imported here, because they need Triton."""
    from swinkit.engine.gpu.attention import attend_on_gpu

    compiled = torch.compile(reference.attend_in_torch, fullgraph=True, dynamic=False)
    return {
        "kernels": attend_on_gpu,
        "twin": reference.attend_in_torch,
        "twin-compiled": compiled,
        "sdpa": attend_by_sdpa,
    }


def milliseconds(answer: Attention, stage: Stage) -> tuple[float, float]:
    """Return the milliseconds of the forward and the backward pass."""
    leaves = [x.requires_grad_() for x in stage.sources("cuda")]
    similarity = stage.similarity().cuda()

    def forward() -> Tensor:
        return answer(*leaves, stage.layout, stage.heads, similarity)

    y = forward()
    weights = torch.randn_like(y)
    inputs = [*leaves, *similarity.parameters()]

    def backward() -> None:
        torch.autograd.grad(y, inputs, weights, retain_graph=True, allow_unused=True)

    return median(forward), median(backward)


def median(call: Callable[[], object]) -> float:
    """Return the milliseconds of a call, over many; the cache is emptied before each."""
    from triton.testing import do_bench

    found: Any = do_bench(call, return_mode="median")
    return found


def measure_stages(chosen: Sequence[Stage]) -> Iterator[str]:
    """Yield a line for each stage and candidate: times, and their share of the copying speed."""
    rate = measure_copy_rate()
    yield f"{torch.cuda.get_device_name()}, torch {torch.__version__}: copies {rate / 1e12:.2f} TB/s"
    for stage in chosen:
        moved = (stage.forward_bytes, stage.backward_bytes)
        for name, answer in candidates().items():
            times = milliseconds(answer, stage)
            shares = (bytes_ / rate / (time / 1e3) for bytes_, time in zip(moved, times, strict=True))
            told = (f"{time:8.3f} ms ({share:4.0%})" for time, share in zip(times, shares, strict=True))
            yield f"{stage.model:>12} stage {stage.number} {name:>14}: {'  '.join(told)}"


def measure_copy_rate() -> float:
    """Return the bytes that a long copy reads and writes in a second."""
    source = torch.randn(2**29, device="cuda")  # 2 GiB
    target = torch.empty_like(source)
    return 2 * source.nbytes / (median(lambda: target.copy_(source)) / 1e3)


def tune_stages(chosen: Sequence[Stage]) -> Iterator[str]:
    """Yield a line for each stage and kernel: the five fastest of many launch configurations."""
    from swinkit.engine.gpu.attention import attend_on_gpu

    for stage in chosen:
        several = math.prod(stage.layout.window) > tuning.LONGEST_STRIP
        for kernel in (
            ("attend_windows", "differentiate_queries", "differentiate_keys", "differentiate_bias")
            if several
            else ("attend_windows", "differentiate_window")
        ):
            found = []
            for numbers in itertools.product((2, 4, 8), (1, 2, 3), (2, 4, 8, 16)):
                usual = tuning.HALF[kernel]
                tuning.HALF[kernel] = tuning.Tuning(*numbers)
                try:
                    found.append((milliseconds(attend_on_gpu, stage)[kernel != "attend_windows"], numbers))
                finally:
                    tuning.HALF[kernel] = usual
            best = ", ".join(f"{numbers} {time:.3f} ms" for time, numbers in sorted(found)[:5])
            yield f"{stage.model:>12} stage {stage.number} {kernel:>21}: {best}"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.gpu_attention", description=__doc__)
    options.add_argument("--models", nargs="+", default=list(MODELS), metavar="MODEL")
    options.add_argument("--batch", type=int, help="images or clips; by default as many as in training")
    what = options.add_mutually_exclusive_group()
    what.add_argument("--floors", action="store_true", help="count bytes; needs no GPU")
    what.add_argument("--tune", action="store_true", help="try other ways to launch the kernels")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is asked for."""
    options = build_parser().parse_args(arguments)
    try:
        chosen = [
            stage
            for model in options.models
            for stage in stages(model, options.batch or MODELS.get(model, 8))
        ]
        if options.floors:
            print(floors(chosen))
            return 0
        if not torch.cuda.is_available():
            raise EnvironmentProblem("measuring needs a GPU, and torch finds none here; --floors needs none")
        if not fallback.has_triton():
            raise EnvironmentProblem("measuring needs Triton: pip install triton")
        for line in tune_stages(chosen) if options.tune else measure_stages(chosen):
            print(line, flush=True)
    except SwinkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
