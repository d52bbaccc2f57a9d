"""Swin Transformers: images, clips and volumes on one n-dimensional window core.

The public surface is resolved at first use, so that `import swinkit` costs nothing.
"""

from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from .api import backbone as backbone
    from .api import checkpoints as checkpoints
    from .api import convert as convert
    from .api import evaluate as evaluate
    from .api import load as load
    from .api import optimize as optimize
    from .api import push as push
    from .api import save as save
    from .api import train as train
    from .api import variants as variants
__all__ = [
    "backbone",
    "checkpoints",
    "convert",
    "evaluate",
    "load",
    "optimize",
    "push",
    "save",
    "train",
    "variants",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'swinkit' has no attribute {name!r}")
    from . import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
