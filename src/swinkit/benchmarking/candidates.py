"""Who is measured: our models, and the other libraries' that compute the same. Torch-free.

How each is built stands in `builders`, under the same names.
"""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..models.catalogue import did_you_mean
from .rows import ANSWER, GROW, LEARN, LEARN_LEAN, VIT, Row

PICTURES, ALL = ("v1", "v2"), ("v1", "v2", "video")
WORKS = (ANSWER, LEARN, LEARN_LEAN)
EXPORTED = ("timm", "onnx", "onnxscript")  # what timm's model is written with, for the runtimes to read
COMPILED_BATCHES = (1, 8, 64)  # compiling one takes minutes


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to compute a row. `packages` must be installed; all are on the public index under their names.

    `ours` are compared with the rest, the peers; `eager` ones, which PyTorch runs as they are written, among
    each other as well. A candidate that is not `quick` is measured in a quick run only if it is asked for by
    name.
    """

    name: str
    packages: tuple[str, ...] = ()
    families: tuple[str, ...] = ALL
    works: tuple[str, ...] = WORKS
    devices: tuple[str, ...] = ("cpu", "cuda")
    batches: tuple[int, ...] | None = None  # None: any
    ours: bool = False
    eager: bool = False
    quick: bool = True

    def computes(self, row: Row) -> bool:
        """Whether it has such a model and such work at all."""
        fits = row.family in self.families and row.work in self.works and row.device in self.devices
        return fits and (self.batches is None or row.batch in self.batches)

    @property
    def absent(self) -> tuple[str, ...]:
        """The packages that are not installed."""
        return tuple(name for name in self.packages if version(name) is None)


TABLE = (
    Candidate(name="swinkit", works=(*WORKS, GROW), ours=True, eager=True),
    Candidate(name="swinkit-engine", works=(ANSWER, GROW), devices=("cpu",), ours=True),
    Candidate(name="swinkit-fused", works=(*WORKS, GROW), devices=("cuda",), ours=True),
    Candidate(
        name="swinkit-compiled",
        works=(ANSWER, LEARN),
        batches=COMPILED_BATCHES,
        ours=True,
        quick=False,
    ),
    Candidate(
        name="swinkit-fused-compiled",
        works=(ANSWER, LEARN),
        devices=("cuda",),
        batches=COMPILED_BATCHES,
        ours=True,
        quick=False,
    ),
    Candidate(name="timm", packages=("timm",), families=PICTURES, eager=True),
    Candidate(name="torchvision", packages=("torchvision",), works=(ANSWER, LEARN), eager=True),
    Candidate(name="transformers", packages=("transformers",), families=PICTURES, eager=True),
    Candidate(
        name="timm-compiled",
        packages=("timm",),
        families=PICTURES,
        works=(ANSWER, LEARN),
        batches=COMPILED_BATCHES,
        quick=False,
    ),
    Candidate(
        name="torchvision-compiled",
        packages=("torchvision",),
        works=(ANSWER, LEARN),
        batches=COMPILED_BATCHES,
        quick=False,
    ),
    Candidate(
        name="onnxruntime",
        packages=(*EXPORTED, "onnxruntime"),
        families=PICTURES,
        works=(ANSWER,),
        devices=("cpu",),
    ),
    Candidate(
        name="openvino",
        packages=(*EXPORTED, "openvino"),
        families=PICTURES,
        works=(ANSWER,),
        devices=("cpu",),
    ),
    Candidate(name=VIT, packages=("timm",), works=(GROW,)),
)
CANDIDATES = {candidate.name: candidate for candidate in TABLE}
OURS = tuple(candidate.name for candidate in TABLE if candidate.ours)
PEERS = tuple(candidate.name for candidate in TABLE if not candidate.ours)


def candidates_for(row: Row, peers: Sequence[str] | None, *, quick: bool) -> tuple[Candidate, ...]:
    """Those that compute a row, in the order of measuring: ours, and all peers or those that are named."""
    return tuple(
        candidate
        for candidate in TABLE
        if candidate.computes(row)
        and (candidate.ours or peers is None or candidate.name in peers)
        and (candidate.quick or not quick or candidate.name in (peers or ()))
    )


def require_candidates(peers: Sequence[str] | None) -> None:
    """Raise UsageError unless each of `peers` is a candidate, of ours or of others."""
    for name in peers or ():
        if name not in CANDIDATES:
            known = ", ".join(CANDIDATES)
            raise UsageError(
                f"unknown candidate {name!r}{did_you_mean(name, list(CANDIDATES))} (known: {known})"
            )


def version(package: str) -> str | None:
    """Of an installed package; None if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
