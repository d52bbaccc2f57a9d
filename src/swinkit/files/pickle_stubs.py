"""Stubs for the objects that training code leaves beside its weights: configurations, numbers, logs.

They are not loaded: where torch's reader would make one of them, it makes a stub that keeps nothing and runs
nothing. So files of Microsoft's training runs (a yacs configuration), of scripts that keep their arguments,
and of mmengine (its log) can be read without any of those libraries and without trusting the file. Every
other name is refused.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from torch.serialization import safe_globals

# Mappings: torch fills only an OrderedDict with entries, so that is what is made.
MAPPINGS = (
    "yacs.config.CfgNode",
    "fvcore.common.config.CfgNode",
    "detectron2.config.config.CfgNode",
    "mmcv.utils.config.ConfigDict",
    "mmengine.config.config.ConfigDict",
    "addict.addict.Dict",
    "collections.defaultdict",
    *(
        f"{package}.AttributeDict"  # hyperparameters of Lightning
        for package in (
            "lightning.fabric.utilities.data",
            "lightning_fabric.utilities.data",
            "lightning.pytorch.utilities.parsing",
            "pytorch_lightning.utilities.parsing",
        )
    ),
)
OBJECTS = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "omegaconf.base.ContainerMetadata",  # of the configurations that Lightning saves with hydra
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    *(f"omegaconf.nodes.{kind}Node" for kind in ("Any", "Boolean", "Float", "Integer", "String")),
    "typing.Any",
    "builtins.list",  # what a defaultdict makes
    "builtins.dict",
    "builtins.int",
    "builtins.bytes",  # how protocol 2 writes that there are none
    "builtins.float",
    "builtins.getattr",  # how the log of mmengine names its own methods: here it gets nothing
)


GUARD = threading.Lock()  # torch keeps one list for the whole process


class Mapping:
    """Stub for a mapping: an empty dictionary, whatever the arguments."""

    def __new__(cls, *_arguments: object) -> Any:
        """Return an OrderedDict."""
        return OrderedDict()


class Object:
    """Stub for any other object: it accepts all arguments and keeps nothing."""

    def __new__(cls, *_arguments: object) -> Self:
        """Make the stub and ignore the arguments."""
        return super().__new__(cls)

    def __init__(self, *_arguments: object):
        """Ignore the arguments."""

    def __setstate__(self, _state: object) -> None:
        """Ignore the state."""


@contextmanager
def allow_stubs() -> Iterator[None]:
    """Let torch's reader make stubs for the names above while the context lasts, and nothing else."""
    names = [*((Mapping, name) for name in MAPPINGS), *((Object, name) for name in OBJECTS)]
    with GUARD, safe_globals(names):
        yield
