"""Latency, throughput and memory of one model on every engine of this machine.

All engines are timed in turn, round by round, so that whatever slows the machine for a while slows all alike.
"""

import copy
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ..data.batch import tensors_in
from ..errors import EnvironmentProblem, UsageError
from .attach import copy_with_engines
from .cpu.build import compiler, find_library
from .gpu.fallback import has_triton
from .peak_memory import PeakMemory
from .statistics import MIN_ROUNDS, Interval, median_interval

MAX_ROUNDS = 40
BUDGET = 5.0  # seconds for the rounds after the first six
ROUND, MAX_CALLS = 0.2, 50  # seconds and calls of an engine in a round; one call at least
PYTORCH, NATIVE, FUSED, COMPILED = "PyTorch", "native engine", "fused kernels", "torch.compile"
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}  # relative difference to plain PyTorch

Notify = Callable[[str], None]  # called with the current step


@dataclass(frozen=True)
class Engine:
    """A way to run a model on a device, "cpu" or "cuda"."""

    name: str
    device: str

    def prepare(self, model: nn.Module, dtype: torch.dtype) -> Callable[[Tensor], Any]:
        """Return a copy of `model` that runs on this engine; `model` is on the device already.

        Raises:
            EnvironmentProblem: the engine is not ready; the message says what to do.
        """
        if self.name == PYTORCH:
            return model
        if self.name == COMPILED:
            if self.device == "cpu" and not has_compiler():
                raise EnvironmentProblem("no C++ compiler is installed; install g++, or name one in $CXX")
            return torch.compile(copy.deepcopy(model))
        if self.name == NATIVE and dtype != torch.float32:
            raise EnvironmentProblem("it computes in fp32 only")
        if self.name == NATIVE and find_library() is None:
            raise EnvironmentProblem("not built; run `swinkit optimize`")
        if self.name == FUSED and not has_triton():
            raise EnvironmentProblem("Triton is not installed")
        return copy_with_engines(model)


@dataclass
class Measurement:
    """An engine's results: peak memory in bytes, and seconds of the median call of each round.

    `difference` is the largest to plain PyTorch, divided by its largest value; `notes` are what the engine
    logged, such as parts of the model that it leaves to PyTorch.
    """

    engine: Engine
    memory: int
    difference: float
    notes: list[str]
    seconds: list[float] = field(default_factory=list)

    @property
    def latency(self) -> Interval:
        """Seconds of a call."""
        return median_interval(self.seconds)

    def speed_up(self, reference: "Measurement") -> Interval:
        """Return how many times as fast as `reference` the engine is, by the ratios of the rounds."""
        pairs = zip(reference.seconds, self.seconds, strict=True)
        return median_interval([theirs / ours for theirs, ours in pairs])


class EngineRun:
    """A model that is ready on an engine."""

    def __init__(self, engine: Engine, model: nn.Module, pixels: Tensor, expected: list[Tensor] | None):
        self.engine, self.pixels = engine, pixels
        with collect_log() as notes:
            self.forward = engine.prepare(model, pixels.dtype)
            if engine.name == COMPILED:
                self.call()  # so that memory for compiling does not count
            peak = PeakMemory(engine.device)
            self.output = [leaf.float().cpu() for leaf in tensors_in(self.call())]
            begin = time.perf_counter()
            self.call()
            self.calls = max(1, min(MAX_CALLS, round(ROUND / (time.perf_counter() - begin))))
            memory = peak.stop()
        difference = 0.0 if expected is None else relative_difference(self.output, expected)
        self.measurement = Measurement(engine, memory, difference, list(dict.fromkeys(notes)))

    def call(self) -> Any:
        """Compute once, and wait until it is done."""
        with torch.inference_mode():
            output = self.forward(self.pixels)
        if self.engine.device != "cpu":
            torch.cuda.synchronize()
        return output

    def measure(self) -> None:
        """Time the calls of a round."""
        seconds = []
        for _ in range(self.calls):
            begin = time.perf_counter()
            self.call()
            seconds.append(time.perf_counter() - begin)
        self.measurement.seconds.append(median(seconds))


def list_engines(devices: Sequence[str], *, compiled: bool) -> list[Engine]:
    """Return the engines of some devices, plain PyTorch first; `torch.compile` only if it is asked for."""
    names = {"cpu": (PYTORCH, NATIVE), "cuda": (PYTORCH, FUSED)}
    return [
        Engine(name, device)
        for device in devices
        for name in (*names[device], *((COMPILED,) if compiled else ()))
    ]


def benchmark(
    model: nn.Module,
    shape: Sequence[int],
    dtype: torch.dtype,
    candidates: Sequence[Engine],
    notify: Notify = lambda _: None,
) -> tuple[list[Measurement], dict[Engine, str]]:
    """Measure a model on engines: their measurements, and why others were not measured.

    Pixels are normal noise of `shape` (B, C, *P). The model must be in eval mode, and stays as it is.

    Raises:
        UsageError: the model refuses pixels of this size.
        EnvironmentProblem: the memory is full.
    """
    runs: list[EngineRun] = []
    reasons: dict[Engine, str] = {}
    inputs: dict[str, tuple[nn.Module, Tensor]] = {}
    for engine in candidates:
        notify(f"preparing {engine.name} on {engine.device}")
        expected = runs[0].output if runs else None
        try:
            if engine.device not in inputs:
                pixels = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
                on_device = copy.deepcopy(model).to(engine.device, dtype)
                inputs[engine.device] = on_device, pixels.to(engine.device, dtype)
            runs.append(EngineRun(engine, *inputs[engine.device], expected))
        except Exception as error:  # noqa: BLE001  the engines raise errors of many kinds
            reasons[engine] = explain_failure(error, engine, shape)
    measure_rounds(runs, notify)
    return [run.measurement for run in runs], reasons


def has_compiler() -> bool:
    """Return True if a C++ compiler is installed."""
    try:
        return bool(compiler())
    except EnvironmentProblem:
        return False


def measure_rounds(runs: list[EngineRun], notify: Notify) -> None:
    """Measure all, round after round: six at least, then as many as fit into the budget."""
    begin, done = time.perf_counter(), 0
    while done < MIN_ROUNDS or (done < MAX_ROUNDS and time.perf_counter() - begin < BUDGET):
        notify(f"round {done + 1}")
        for run in runs[done % len(runs) :] + runs[: done % len(runs)]:  # each is first in turn
            run.measure()
        done += 1


def explain_failure(error: Exception, engine: Engine, shape: Sequence[int]) -> str:
    """Return in one line why an engine failed.

    Raises:
        UsageError: plain PyTorch failed, because the model refuses the size.
        EnvironmentProblem: the memory is full.
    """
    text = " ".join(str(error).split())[:200]
    size = "x".join(map(str, shape[2:]))
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in text:
        problem = f"batch {shape[0]} of {size} does not fit into memory ({engine.device})"
        raise EnvironmentProblem(f"{problem}; choose a smaller --batch or --size") from error
    if engine.name == PYTORCH:
        raise UsageError(f"the model cannot compute {size}: {text}") from error
    return text if isinstance(error, EnvironmentProblem) else f"{type(error).__name__}: {text}"


def relative_difference(output: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest difference, divided by the largest expected value, over all tensors."""
    pairs = zip(output, expected, strict=True)
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)


@contextmanager
def collect_log() -> Iterator[list[str]]:
    """Yield a list that collects the messages of the engines' loggers."""
    messages: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger(__package__)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
