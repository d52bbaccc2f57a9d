"""Names of the Swin that detectron2's projects share: the dense forks' backbone inside a detector.

Files are `{"model": ..., "__author__": ..., "matching_heuristics": ...}`; some projects leave out the FPN,
and with it `bottom_up.`.
"""

from dataclasses import replace

from .openmmlab import OPENMMLAB_FORK

DETECTRON2 = replace(
    OPENMMLAB_FORK,
    name="detectron2",
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
    prefix="backbone.bottom_up.",
)
