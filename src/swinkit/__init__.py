"""Swin Transformers: images, clips and volumes on one n-dimensional window core.

The public functions are those of `api.py`, each of which imports what it needs when it is called, so that
`import swinkit` costs nothing.
"""

from .api import *  # noqa: F403
from .api import __all__ as __all__
from .version import __version__ as __version__


def __dir__() -> list[str]:
    """Return the public names alone, because that is what completion should offer."""
    return [*__all__, "__version__"]
