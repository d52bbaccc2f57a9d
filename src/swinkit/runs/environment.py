"""The machine and the versions that a training runs on."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ..version import __version__

PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "pillow", "safetensors")


def environment() -> dict[str, Any]:
    """Return the content of `env.json`."""
    return {
        "swinkit": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: installed(name) for name in PACKAGES},
        "threads": torch.get_num_threads(),
        "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "command": sys.argv,
    }


def installed(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
