"""What a run says of the machine and the software that it was measured with. Torch-free."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

from .candidates import TABLE, version

TOLD = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "amx_tile",
    "amx_bf16",
    "asimd",
    "sve",
    "i8mm",
)
NAMES = ("model name", "cpu model", "hardware")  # of the processor, in Linux's list
FLAGS = ("flags", "features")


def processor() -> tuple[str, list[str]]:
    """Its name, and of its instruction sets those that matter here."""
    listed: dict[str, str] = {}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        listed = {key.strip().lower(): value.strip() for key, _, value in (li.partition(":") for li in lines)}
    except OSError:  # another system
        pass
    name = next((listed[key] for key in NAMES if key in listed), platform.processor() or platform.machine())
    flags = next((listed[key].split() for key in FLAGS if key in listed), [])
    return name, [each for each in TOLD if each in flags]


def machine() -> dict[str, Any]:
    """Facts of the machine; bytes of memory, and how many processes wanted a core in the minute before."""
    name, sets = processor()
    return {
        "processor": name,
        "instruction_sets": sets,
        "cores": cores(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
    }


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Python, PyTorch, and the packages of all candidates that are installed."""
    packages = sorted({"torch", *(name for candidate in TABLE for name in candidate.packages)})
    found = {name: version(name) for name in packages}
    return {"python": sys.version.split()[0], **{name: each for name, each in found.items() if each}}
