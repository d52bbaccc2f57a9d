"""The names of Microsoft's SimMIM: its classifier's backbone under `encoder.`, and the decoder beside it."""

from .. import unsupported as limits
from ..buffers import coordinates, square_index
from ..dialect import Dialect
from ..rules import Rename
from ..shared_rules import reconstruction, window_buffers
from .microsoft import BACKBONE, BLOCKS

MICROSOFT_SIMMIM = Dialect(
    "microsoft-simmim",
    (*BACKBONE, Rename("norm.*", "head.norm.*"), *reconstruction("mask_token", "decoder.0")),
    buffers=window_buffers(BLOCKS, square_index, coordinates),
    axes=(2,),
    border="square",
    tables="geometric",
    prefix="encoder.",
    beside=("decoder.",),
    cannot=limits.SIMMIM,
)
