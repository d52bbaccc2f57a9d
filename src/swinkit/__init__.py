"""Swin Transformers: images, clips and volumes on one n-dimensional window core.

The public functions are those of `api.py`, each of which imports what it needs when it is called, so that
`import swinkit` costs nothing.
"""

__version__ = "0.1.0"

from .api import *  # noqa: F403  needs the version
from .api import __all__ as __all__
