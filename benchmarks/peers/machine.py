"""Facts of the machine and the software of a run. Torch-free."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

from .candidates import TABLE, version

INSTRUCTION_SETS = [
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
]
NAME_KEYS = ("model name", "cpu model", "hardware")  # of Linux's /proc/cpuinfo
FLAG_KEYS = ("flags", "features")


def processor() -> tuple[str, list[str]]:
    """Return the processor's name, and those of its instruction sets that matter for speed."""
    info: dict[str, str] = {}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        info = {key.strip().lower(): value.strip() for key, _, value in (li.partition(":") for li in lines)}
    except OSError:  # another system
        pass
    name = next((info[key] for key in NAME_KEYS if key in info), platform.processor() or platform.machine())
    flags = next((info[key].split() for key in FLAG_KEYS if key in info), [])
    return name, [each for each in INSTRUCTION_SETS if each in flags]


def machine() -> dict[str, Any]:
    """Return facts of the machine; memory in bytes, load in processes over the minute before."""
    name, sets = processor()
    has_affinity = hasattr(os, "sched_getaffinity")  # the cores that this process may use
    return {
        "processor": name,
        "instruction_sets": sets,
        "cores": len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, PyTorch, and the installed packages of all candidates."""
    packages = sorted({"torch", *(name for candidate in TABLE for name in candidate.packages)})
    pairs = ((name, version(name)) for name in packages)
    return {"python": sys.version.split()[0], **{name: number for name, number in pairs if number}}
