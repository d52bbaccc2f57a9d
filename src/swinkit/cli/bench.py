"""`swinkit bench MODEL`: how fast a model is on this machine, and how much memory it needs."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from ..errors import EnvironmentProblem, UsageError, require
from ..models.catalogue import canonical_name, variant_of
from ..zoo.checkpoints import require_known_name
from .arguments import MODEL, Parser, Value, add_model_options, model_options, parse, refuse_model_options
from .console import block, note, table

if TYPE_CHECKING:
    from ..engine.benchmark import Engine, Measurement, Notify

DESCRIPTION = """Measure latency, throughput and memory of a model on every engine that is ready here.

Pixels are random. After each engine's first calls its output is compared with plain PyTorch's."""
HEAD = ("engine", "ms", "95 %", "samples/s", "speed-up", "memory, MB", "difference")


def command(arguments: Sequence[str]) -> int:
    """Measure a model and print one table; return 4 if `--compile` was not possible."""
    options = read_options(arguments)
    import torch

    from ..engine.benchmark import COMPILED, TOLERANCE, benchmark, list_engines
    from ..tasks.task import exact_convolutions

    devices = present_devices(options.device)
    model, size = load(options)
    shape = (options.batch, getattr(model, "backbone", model).spec.in_channels, *size)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads or before)
    try:
        with exact_convolutions(), status_line() as notify:
            candidates = list_engines(devices, compiled=options.compile)
            measured, reasons = benchmark(model, shape, dtype, candidates, notify)
        facts = {
            "model": options.model,
            "size": list(size),
            "batch": options.batch,
            "precision": options.precision,
            "threads": torch.get_num_threads(),
        }
    finally:
        torch.set_num_threads(before)
    block(json.dumps(facts | as_json(measured, reasons)) if options.json else as_text(facts, measured))
    for engine, reason in reasons.items():
        note(f"{label(engine)}: {reason}")
    wrong = [each for each in measured if not each.difference <= TOLERANCE[dtype]]
    if wrong:
        names = ", ".join(label(each.engine) for each in wrong)
        raise EnvironmentProblem(f"{names}: the output differs from plain PyTorch's; please report this")
    return EnvironmentProblem.exit_code if any(engine.name == COMPILED for engine in reasons) else 0


def read_options(arguments: Sequence[str]) -> Namespace:
    """Parse and check the options.

    Raises:
        UsageError: the model's name is unknown, or a number is below 1.
    """
    parser = Parser("bench", DESCRIPTION)
    add = parser.add_argument
    add("model", metavar="MODEL", help=f"{MODEL}; or a name of `swinkit models`, with random weights")
    add_model_options(add)
    add(
        "--size",
        type=Value(str),
        metavar="HxW",
        help="pixels, such as 224, 800x1333 or 32x224x224; default: the model's own",
    )
    add("--batch", type=Value(int), metavar="N", default=1, help="samples in a call")
    add("--threads", type=Value(int), metavar="N", help="CPU threads; default: PyTorch's own choice")
    add(
        "--precision",
        type=Value(Literal["fp32", "bf16"]),
        metavar="{fp32,bf16}",
        default="fp32",
        help="fp32 or bf16",
    )
    add(
        "--device",
        type=Value(Literal["cpu", "cuda"]),
        default=None,
        help="cpu or cuda; default: both, if present",
    )
    add("--compile", action="store_true", help="measure torch.compile too, which may take minutes")
    add("--json", action="store_true", help="print one JSON object instead of a table")
    options = parse(parser, arguments)
    for name, value in (("--batch", options.batch), ("--threads", options.threads)):
        require(value is None or value >= 1, name, value, "1 or more")
    if canonical_name(options.model) != options.model:
        require_known_name(options.model)
    return options


def present_devices(wanted: str | None) -> list[str]:
    """Return the devices to measure.

    Raises:
        EnvironmentProblem: a GPU is wanted, and PyTorch sees none.
    """
    import torch

    present = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if wanted is not None and wanted not in present:
        raise EnvironmentProblem("PyTorch sees no NVIDIA GPU; take --device cpu")
    return present if wanted is None else [wanted]


def load(options: Namespace) -> tuple[Any, tuple[int, ...]]:
    """Return the module to measure, in eval mode, and the size of its input in pixels.

    The whole model is measured if it takes pixels alone, else its backbone.

    Raises:
        UsageError: the size is malformed, or must be given.
    """
    from .. import api

    by_name = canonical_name(options.model) == options.model
    if by_name:
        refuse_model_options(options)
    model: Any = api.backbone(options.model) if by_name else api.load(options.model, **model_options(options))
    backbone = getattr(model, "backbone", model)
    variant = variant_of(backbone.spec)
    own = model.preprocess.crop if hasattr(model, "preprocess") else variant and variant.size
    size = parsed_size(options.size, len(backbone.spec.patch)) if options.size else own
    if size is None:
        raise UsageError(f"{options.model} has no size of its own; give one with --size")
    takes_pixels_alone = len(signature(model.forward).parameters) == 1
    return (model if takes_pixels_alone else backbone).eval(), size


def parsed_size(text: str, axes: int) -> tuple[int, ...]:
    """Parse a size such as "224" or "32x224x224"; one number counts for all axes.

    Raises:
        UsageError: it is malformed, or has another number of axes.
    """
    parts = text.split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts) or len(parts) not in (1, axes):
        example = "x".join(("32", "224", "224")[-axes:])
        raise UsageError(f"--size: expected {axes} numbers such as {example}, got {text!r}")
    return tuple(map(int, parts)) if len(parts) == axes else (int(text),) * axes


def label(engine: "Engine") -> str:
    """Return an engine's name, with its device if that is no CPU."""
    return engine.name if engine.device == "cpu" else f"{engine.name}, GPU"


def as_text(facts: dict[str, Any], measured: Sequence["Measurement"]) -> str:
    """Return a heading, the table, and the notes of the engines."""
    size = "x".join(map(str, facts["size"]))
    heading = f"{facts['model']}: {size} pixels, batch {facts['batch']}, {facts['precision']}, "
    rows = []
    for each in measured:
        time, speed_up = each.latency, each.speed_up(measured[0])
        digits = max(0, 3 - len(str(int(1e3 * time.median))))
        rows.append(
            (
                label(each.engine),
                f"{1e3 * time.median:,.{digits}f}",
                f"{1e3 * time.low:,.{digits}f}-{1e3 * time.high:,.{digits}f}",
                f"{facts['batch'] / time.median:,.1f}",
                f"{speed_up.median:.2f}",
                f"{each.memory / 1e6:,.0f}",
                "-" if each is measured[0] else f"{each.difference:.0e}",
            )
        )
    notes = [f"{label(each.engine)}: {message}" for each in measured for message in each.notes]
    threads = f"{facts['threads']} thread{'s' * (facts['threads'] != 1)}"
    return "\n".join([heading + threads, table(HEAD, rows, right=HEAD[1:]), *notes])


def as_json(measured: Sequence["Measurement"], reasons: dict["Engine", str]) -> dict[str, Any]:
    """Return the measurements as plain data: seconds, bytes, and intervals as [low, high]."""
    rows = []
    for each in measured:
        time, speed_up = each.latency, each.speed_up(measured[0])
        rows.append(
            {
                "engine": each.engine.name,
                "device": each.engine.device,
                "seconds": time.median,
                "seconds_interval": [time.low, time.high],
                "speed_up": speed_up.median,
                "speed_up_interval": [speed_up.low, speed_up.high],
                "rounds": len(each.seconds),
                "memory": each.memory,
                "difference": each.difference,
                "notes": each.notes,
            }
        )
    return {"engines": rows, "not_measured": {label(engine): reason for engine, reason in reasons.items()}}


@contextmanager
def status_line() -> Iterator["Notify"]:
    """Yield a function that shows the current step in one line of a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("", refresh_per_second=2) as status:
        yield status.update
