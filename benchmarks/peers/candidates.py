"""The candidates that are measured: our models, and equal ones of other libraries. Torch-free.

`builders` builds each of them, under the same names.
"""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass

from swinkit.errors import UsageError
from swinkit.models.catalogue import suggest

from .cases import CHECKPOINTED, GROWTH, INFERENCE, TRAINING, VIT, Case

IMAGES, ALL = ("v1", "v2"), ("v1", "v2", "video")  # families
WORKLOADS = (INFERENCE, TRAINING, CHECKPOINTED)
EXPORT_PACKAGES = ("timm", "onnx", "onnxscript")  # needed to write timm's model for the runtimes
COMPILED_BATCHES = (1, 8, 64)  # no others, because compiling a model takes minutes


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to compute a case. `packages` are what it needs, by their names on the public index.

    `ours` are compared with the rest, the peers; `eager` ones, which PyTorch runs as they are written, are
    also compared among themselves. A candidate that is not `quick` is measured in a quick run only by name.
    """

    name: str
    packages: tuple[str, ...] = ()
    families: tuple[str, ...] = ALL
    workloads: tuple[str, ...] = WORKLOADS
    devices: tuple[str, ...] = ("cpu", "cuda")
    batches: tuple[int, ...] | None = None  # None: any
    ours: bool = False
    eager: bool = False
    quick: bool = True

    def supports(self, case: Case) -> bool:
        """Return True if the candidate has this model and workload on this device."""
        fits = (
            case.family in self.families and case.workload in self.workloads and case.device in self.devices
        )
        return fits and (self.batches is None or case.batch in self.batches)

    @property
    def missing_packages(self) -> tuple[str, ...]:
        """The packages that are not installed."""
        return tuple(name for name in self.packages if version(name) is None)


def compiled(name: str, **arguments: object) -> Candidate:
    """Return a candidate that runs through `torch.compile`."""
    arguments = {"workloads": (INFERENCE, TRAINING), "batches": COMPILED_BATCHES, "quick": False, **arguments}
    return Candidate(name=name, **arguments)  # pyright: ignore[reportArgumentType]


def runtime(name: str) -> Candidate:
    """Return a candidate that runs timm's model, written as ONNX, outside PyTorch."""
    packages = (*EXPORT_PACKAGES, name)
    return Candidate(name=name, packages=packages, families=IMAGES, workloads=(INFERENCE,), devices=("cpu",))


TABLE = (
    Candidate(name="swinkit", workloads=(*WORKLOADS, GROWTH), ours=True, eager=True),
    Candidate(name="swinkit-engine", workloads=(INFERENCE, GROWTH), devices=("cpu",), ours=True),
    Candidate(name="swinkit-fused", workloads=(*WORKLOADS, GROWTH), devices=("cuda",), ours=True),
    compiled("swinkit-compiled", ours=True),
    compiled("swinkit-fused-compiled", devices=("cuda",), ours=True),
    Candidate(name="timm", packages=("timm",), families=IMAGES, eager=True),
    Candidate(name="torchvision", packages=("torchvision",), workloads=(INFERENCE, TRAINING), eager=True),
    Candidate(name="transformers", packages=("transformers",), families=IMAGES, eager=True),
    compiled("timm-compiled", packages=("timm",), families=IMAGES),
    compiled("torchvision-compiled", packages=("torchvision",)),
    runtime("onnxruntime"),
    runtime("openvino"),
    Candidate(name=VIT, packages=("timm",), workloads=(GROWTH,)),
)
CANDIDATES = {candidate.name: candidate for candidate in TABLE}
OURS = tuple(candidate.name for candidate in TABLE if candidate.ours)


def candidates_for(case: Case, peers: Sequence[str] | None, *, quick: bool) -> tuple[Candidate, ...]:
    """Return the candidates of a case in the order of measuring: ours, and all peers or those named."""
    return tuple(
        candidate
        for candidate in TABLE
        if candidate.supports(case)
        and (candidate.ours or peers is None or candidate.name in peers)
        and (candidate.quick or not quick or candidate.name in (peers or ()))
    )


def require_candidates(names: Sequence[str] | None) -> None:
    """Check that each of `names` is a candidate.

    Raises:
        UsageError: one is not.
    """
    for name in names or ():
        if name not in CANDIDATES:
            meant = suggest(name, list(CANDIDATES))
            raise UsageError(f"unknown candidate {name!r}{meant} (known: {', '.join(CANDIDATES)})")


def version(package: str) -> str | None:
    """Return the version of an installed package; None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
