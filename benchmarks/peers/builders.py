"""Builders: for each candidate, by name, a function that builds its workload for a case."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from swinkit.errors import EnvironmentProblem

from . import libraries, runtimes
from .cases import CHECKPOINTED, VIT, Case
from .inputs import BareClassifier, build_classifier
from .workload import Call, workload_of


@dataclass(frozen=True)
class Environment:
    """The number of CPU threads, and the folder that caches files between runs."""

    threads: int
    cache: Path


@dataclass(frozen=True)
class BuiltCandidate:
    """The call that is timed, and the dialect whose border policy it follows if it is not ours.

    `comparable` is False for another kind of model.
    """

    call: Call
    dialect: str | None = None
    comparable: bool = True


Builder = Callable[[Case, Environment], BuiltCandidate]


def plain(case: Case, _: Environment) -> BuiltCandidate:
    """Build our model as it is."""
    return BuiltCandidate(workload_of(add_checkpointing(build_classifier(case), case), case))


def fused(case: Case, _: Environment) -> BuiltCandidate:
    """Build our model with the fused attention kernels.

    Raises:
        EnvironmentProblem: Triton is not installed.
    """
    return BuiltCandidate(workload_of(add_kernels(add_checkpointing(build_classifier(case), case)), case))


def fused_compiled(case: Case, _: Environment) -> BuiltCandidate:
    """Build our model with the fused attention kernels, through `torch.compile`.

    Raises:
        EnvironmentProblem: Triton is not installed.
    """
    return BuiltCandidate(compiled_workload(add_kernels(build_classifier(case)), case))


def add_checkpointing(model: BareClassifier, case: Case) -> BareClassifier:
    """Return the model; its blocks are recomputed in the backward pass if the case is about that."""
    if case.workload == CHECKPOINTED:
        for stage in model.backbone.stages:
            for block in stage.blocks:  # pyright: ignore[reportGeneralTypeIssues]
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    return model


def add_kernels(model: BareClassifier) -> BareClassifier:
    """Attach the fused attention kernels.

    Raises:
        EnvironmentProblem: Triton is not installed.
    """
    from swinkit.engine.gpu.attach import attach_kernels
    from swinkit.engine.gpu.fallback import has_triton

    if not has_triton():
        raise EnvironmentProblem("not installed: triton")
    attach_kernels(model)
    return model


def engine(case: Case, _: Environment) -> BuiltCandidate:
    """Build our model with its blocks in native code.

    Raises:
        EnvironmentProblem: the native code has not been compiled.
    """
    from swinkit.engine.attach import copy_with_engines
    from swinkit.engine.cpu.build import find_library

    if find_library() is None:
        raise EnvironmentProblem("not built: swinkit optimize")
    return BuiltCandidate(workload_of(copy_with_engines(build_classifier(case).eval()), case))


def compiled(case: Case, _: Environment) -> BuiltCandidate:
    """Build our model through `torch.compile`."""
    return BuiltCandidate(compiled_workload(build_classifier(case), case))


def peer(library: str, case: Case, _: Environment) -> BuiltCandidate:
    """Build another library's model as it is."""
    model, dialect = LIBRARIES[library](case)
    return BuiltCandidate(workload_of(model, case), dialect.name)


def peer_compiled(library: str, case: Case, _: Environment) -> BuiltCandidate:
    """Build another library's model through `torch.compile`."""
    model, dialect = LIBRARIES[library](case)
    return BuiltCandidate(compiled_workload(model, case), dialect.name)


def compiled_workload(model: nn.Module, case: Case) -> Call:
    """Compile a model's workload with the default settings of `torch.compile`.

    It runs once here, so that memory for compiling is not counted as memory for the workload.
    """
    module: Any = torch.compile(model)
    workload = workload_of(module, case)
    workload.compile_all()
    return workload


def peer_runtime(
    open_session: Callable[[Path, int], runtimes.Session], case: Case, environment: Environment
) -> BuiltCandidate:
    """Build timm's model in a runtime outside PyTorch."""
    model, dialect = libraries.timm(case)
    path = runtimes.export_onnx(model, case, environment.cache / "onnx")
    return BuiltCandidate(runtimes.SessionCall(open_session(path, environment.threads), case), dialect.name)


def vit(case: Case, _: Environment) -> BuiltCandidate:
    """Build a ViT, which attends to the whole picture."""
    return BuiltCandidate(workload_of(libraries.vit(case), case), comparable=False)


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
    **{name: partial(peer, name) for name in LIBRARIES},
    "timm-compiled": partial(peer_compiled, "timm"),
    "torchvision-compiled": partial(peer_compiled, "torchvision"),
    "onnxruntime": partial(peer_runtime, runtimes.open_onnxruntime),
    "openvino": partial(peer_runtime, runtimes.open_openvino),
    VIT: vit,
}
