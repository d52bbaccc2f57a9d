"""`swinkit optimize [MODEL]`: build the engine for this machine, and compare a model with and without it."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from ..errors import EnvironmentProblem, require
from ..models.catalogue import canonical_name
from ..zoo.checkpoints import require_known_name
from .arguments import MODEL, Parser, Value, add_model_options, model_options, parse, refuse_model_options
from .console import line

if TYPE_CHECKING:
    from ..core.backbone import Swin

USUAL = "swin-t"
LEAST, MOST, PATIENCE = 3, 30, 5.0  # calls of each; seconds after which no more are begun
CLOSE = 1e-4  # how far the answers may be apart, as a share of the largest number


def command(arguments: Sequence[str]) -> int:
    """Build the engine, compare its answers with PyTorch's, and measure both."""
    parser = Parser("optimize", "Build the engine that runs models in native code on this machine's CPU.")
    told = f"{MODEL}; or a name of `swinkit models`, with random weights"
    parser.add_argument("model", nargs="?", default=USUAL, metavar="MODEL", help=told)
    add_model_options(parser.add_argument)
    batch = "how many inputs the model sees at a time"
    parser.add_argument("--batch-size", type=Value(int), metavar="N", default=1, help=batch)
    options = parse(parser, arguments)
    require(options.batch_size >= 1, "--batch-size", options.batch_size, "1 or more")
    by_name = canonical_name(options.model) == options.model
    if not by_name:
        require_known_name(options.model)
    from .. import api
    from ..core.backbone import Swin
    from ..engine.cpu.build import build_engine, find_library

    if by_name:
        refuse_model_options(options)
    known, began = find_library() is not None, time.perf_counter()
    engine = build_engine()
    line(f"{engine.path}: " + ("built before" if known else f"built in {time.perf_counter() - began:.1f} s"))
    model = api.backbone(options.model) if by_name else api.load(options.model, **model_options(options))
    backbone = model if isinstance(model, Swin) else model.backbone
    line(compare(backbone, options.model, options.batch_size))
    return 0


def compare(backbone: "Swin", name: str, batch: int) -> str:
    """Run a backbone in PyTorch and in the engine, on random pixels for which its last grid is one window.

    Raises:
        EnvironmentProblem: the answers differ.
    """
    import torch

    from ..engine.attach import copy_with_engines

    plain, spec = backbone.eval(), backbone.spec
    native = copy_with_engines(plain)
    sizes = [w * s for w, s in zip(spec.window_sizes[-1], spec.strides[-1], strict=True)]
    pixels = torch.randn(batch, spec.in_channels, *sizes, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        error = max(
            float((a - b).abs().max() / b.abs().max())
            for a, b in zip(native(pixels), plain(pixels), strict=True)
        )
        if not error < CLOSE:
            raise EnvironmentProblem(
                f"the engine's answers differ from PyTorch's (by {error:.1e} of the largest number); "
                "please report this, with your CPU and compiler"
            )
        slow, fast = median_seconds([lambda: plain(pixels), lambda: native(pixels)])
    shape = " x ".join(map(str, pixels.shape))
    return (
        f"{name} on {shape} pixels, {torch.get_num_threads()} threads: {1000 * fast:.1f} ms, plain PyTorch "
        f"{1000 * slow:.1f} ms: {slow / fast:.2f}x; they differ by {error:.1e} of the largest number"
    )


def median_seconds(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Return the median seconds of each call; calls take turns, so that other work slows all alike."""
    seconds: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + PATIENCE
    while len(seconds[0]) < LEAST or (len(seconds[0]) < MOST and time.perf_counter() < end):
        for call, row in zip(calls, seconds, strict=True):
            began = time.perf_counter()
            call()
            row.append(time.perf_counter() - began)
    return [median(row) for row in seconds]
