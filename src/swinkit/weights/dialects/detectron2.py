"""Names of the Swin that detectron2's projects share: the dense forks' backbone inside a detector.

Files are `{"model": ..., "__author__": ..., "matching_heuristics": ...}`; some projects leave out the FPN,
and with it `bottom_up.`.
"""

from .. import unsupported as limits
from ..buffers import square_index
from ..dialect import Dialect
from ..shared_rules import window_buffers
from .openmmlab import BLOCKS, FORK

DETECTRON2 = Dialect(
    "detectron2",
    FORK,
    buffers=window_buffers(BLOCKS, square_index),
    unused=(
        "fpn_lateral{i}.**",
        "fpn_output{i}.**",
        "top_block.**",
        "proposal_generator.**",
        "roi_heads.**",
        "sem_seg_head.**",
        "criterion.**",
        "pixel_mean",
        "pixel_std",
    ),
    axes=(2,),
    border="pad",
    prefix="backbone.bottom_up.",
    cannot=limits.DENSE,
)
