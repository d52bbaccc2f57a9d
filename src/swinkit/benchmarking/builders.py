"""From a row to what each candidate does for it: one function each, under the names of `candidates`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..errors import EnvironmentProblem
from . import libraries, runtimes
from .given import Classifier, classifier
from .rows import LEARN_LEAN, VIT, Row
from .work import Call, work_of


@dataclass(frozen=True)
class Place:
    """Where a candidate computes: on so many threads; and the folder for what it keeps for the next time."""

    threads: int
    kept: Path


@dataclass(frozen=True)
class Built:
    """What is timed, and the library whose borders it has, if not ours. `alone`: it is another model."""

    call: Call
    library: str | None = None
    alone: bool = False


Builder = Callable[[Row, Place], Built]


def plain(row: Row, _: Place) -> Built:
    """Our model as it is."""
    return Built(work_of(lean(classifier(row), row), row))


def fused(row: Row, _: Place) -> Built:
    """Our model with the attention of its blocks in one kernel each.

    Raises:
        EnvironmentProblem: Triton is not installed.
    """
    return Built(work_of(with_kernels(lean(classifier(row), row)), row))


def fused_compiled(row: Row, _: Place) -> Built:
    """The same through `torch.compile`.

    Raises:
        EnvironmentProblem: Triton is not installed.
    """
    return Built(rehearsed(with_kernels(classifier(row)), row))


def lean(model: Classifier, row: Row) -> Classifier:
    """The model; its blocks are recomputed in the backward pass where the row is about that."""
    if row.work == LEARN_LEAN:
        for stage in model.backbone.stages:
            for block in stage.blocks:  # pyright: ignore[reportGeneralTypeIssues]
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    return model


def with_kernels(model: Classifier) -> Classifier:
    """The model, its attention fused.

    Raises:
        EnvironmentProblem: Triton is not installed.
    """
    from ..engine.gpu.attach import attach
    from ..engine.gpu.fallback import installed

    if not installed():
        raise EnvironmentProblem("not installed: triton")
    attach(model)
    return model


def engine(row: Row, _: Place) -> Built:
    """Our model with its blocks in native code, if that has been built.

    Raises:
        EnvironmentProblem: it has not.
    """
    from ..engine.attach import attached
    from ..engine.cpu.build import ready

    if ready() is None:
        raise EnvironmentProblem("not built: swinkit optimize")
    return Built(work_of(attached(classifier(row).eval()), row))


def compiled(row: Row, _: Place) -> Built:
    """Our model through `torch.compile`."""
    return Built(rehearsed(classifier(row), row))


def eager(library: str, row: Row, _: Place) -> Built:
    """Another library's model as it is."""
    model, dialect = LIBRARIES[library](row)
    return Built(work_of(model, row), dialect.name)


def eager_compiled(library: str, row: Row, _: Place) -> Built:
    """Another library's model through `torch.compile`."""
    model, dialect = LIBRARIES[library](row)
    return Built(rehearsed(model, row), dialect.name)


def rehearsed(model: nn.Module, row: Row) -> Call:
    """The work of a model through `torch.compile`, as it is by default.

    It is compiled here, so that what compiling needs is not taken for what the work needs.
    """
    through: Any = torch.compile(model)
    work = work_of(through, row)
    work.rehearse()
    return work


def runtime(open_file: Callable[[Path, int], runtimes.Session], row: Row, place: Place) -> Built:
    """timm's model in another program's runtime."""
    model, dialect = libraries.timm(row)
    path = runtimes.exported(model, row, place.kept / "onnx")
    return Built(runtimes.Run(open_file(path, place.threads), row), dialect.name)


def vit(row: Row, _: Place) -> Built:
    """A model that attends to the whole picture."""
    return Built(work_of(libraries.vit(row), row), alone=True)


LIBRARIES = {
    "timm": libraries.timm,
    "torchvision": libraries.torchvision,
    "transformers": libraries.transformers,
}
BUILDERS: dict[str, Builder] = {
    "swinkit": plain,
    "swinkit-engine": engine,
    "swinkit-fused": fused,
    "swinkit-compiled": compiled,
    "swinkit-fused-compiled": fused_compiled,
    **{name: partial(eager, name) for name in LIBRARIES},
    "timm-compiled": partial(eager_compiled, "timm"),
    "torchvision-compiled": partial(eager_compiled, "torchvision"),
    "onnxruntime": partial(runtime, runtimes.onnxruntime),
    "openvino": partial(runtime, runtimes.openvino),
    VIT: vit,
}
