"""Records as a run could have written them."""

from benchmarks.peers.cases import CASES, VIT
from benchmarks.peers.record import FAILED, MEASURED, MISSING, CaseRecord, Record, Result

MACHINE = {
    "processor": "A Processor",
    "instruction_sets": ["avx2", "fma"],
    "cores": 2,
    "memory": 8 * 2**30,
    "load_before": 0.1,
    "system": "Linux 6",
    "device": "cpu",
    "threads": 2,
    "capability": "AVX2",
    "gpu": None,
}
ROOFLINE = {"products": 200e9, "copies": 30e9, "products_of_one": 100e9, "copies_of_one": 15e9}


def timed(name: str, seconds: float, memory: int = 50_000_000, difference: float | None = 3e-7) -> Result:
    """Return a candidate that took so long, with a noise of 1 %."""
    rounds = [[seconds * noise] * 2 for noise in (0.98, 0.99, 1.0, 1.0, 1.01, 1.02)]
    return Result(name, MEASURED, "", rounds, memory, difference)


def answers() -> CaseRecord:
    """One row of inference."""
    return CaseRecord(
        CASES["swin-t-224-b1"],
        [
            timed("swinkit", 0.08),
            timed("swinkit-engine", 0.04),
            timed("timm", 0.09),
            timed("openvino", 0.05),
            Result("torchvision", FAILED, "killed by SIGKILL, as when memory runs out", [[0.01]]),
            Result("onnxruntime", MISSING, "not installed: pip install onnxruntime"),
        ],
    )


def grows() -> list[CaseRecord]:
    """Two sizes: ours needs four times as much for four times the pixels, the other eight times."""
    return [
        CaseRecord(
            CASES[f"growth-{side}"],
            [timed("swinkit", 0.08 * ours, 10**8 * ours), timed(VIT, 0.2 * theirs, 10**8 * theirs, None)],
        )
        for side, ours, theirs in ((224, 1, 1), (448, 4, 8))
    ]


def record() -> Record:
    """Return a whole run."""
    date, versions = "2026-01-02T03:04:05+00:00", {"python": "3.11.7", "torch": "2.15.0"}
    return Record(
        "python -m benchmarks.peers",
        date,
        dict(MACHINE),
        versions,
        dict(ROOFLINE),
        [answers(), *grows()],
        540.0,
    )
