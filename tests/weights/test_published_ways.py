"""What each dialect says of the library behind it, against a table written down from that library's code.

A border or a way of tables that is wrong by itself changes answers, and no tensor shows it.
"""

import pytest

from swinkit.weights.dialect_table import DIALECTS

# border, way with tables of another window, slice of a clipped bias; and where that is to be read
WAYS = {
    "swinkit": ("clip", "bicubic", "middle"),  # paper, section 3.2: our own default
    "swinkit-backbone": ("clip", "bicubic", "middle"),
    # models/swin_transformer.py, SwinTransformerBlock: one window for both axes; utils.py, load_pretrained
    "microsoft": ("square", "bicubic", "middle"),
    "timm-old": ("square", "bicubic", "middle"),
    # utils_simmim.py, remap_pretrained_keys_swin: geometric progression and a cubic spline
    "microsoft-simmim": ("square", "geometric", "middle"),
    # timm/models/swin_transformer.py: rolls, then pads; layers/pos_embed_rel.py, resize_rel_pos_bias_table
    "timm": ("roll-first", "geometric", "middle"),
    "timm-cr": ("roll-first", "bicubic", "middle"),  # no tables
    # torchvision/models/swin_transformer.py, shifted_window_attention: pads before it shifts
    "torchvision": ("pad-unshifted", "bicubic", "middle"),
    "torchvision-3d": ("clip", "bicubic", "leading"),  # video/swin_transformer.py: index[:N, :N]
    # models/swin/modeling_swin.py, set_shift_and_window_size; backbones always partition
    "transformers": ("square", "bicubic", "middle"),
    "transformers-legacy": ("square", "bicubic", "middle"),
    "transformers-v2": ("square", "bicubic", "middle"),
    "transformers-backbone": ("pad", "bicubic", "middle"),
    "transformers-legacy-backbone": ("pad", "bicubic", "middle"),
    "transformers-v2-backbone": ("square", "bicubic", "middle"),
    # mmpretrain/models/backbones/swin_transformer.py: shrinks to the square; its loading hook calls
    # models/utils/embed.py, resize_relative_position_bias_table, which is BEiT's geometric progression
    "openmmlab": ("square", "geometric", "middle"),
    "openmmlab-v2": ("square", "bicubic", "middle"),  # swin_transformer_v2.py: no tables
    "openmmlab-dense": ("pad", "bicubic", "middle"),  # mmdet and mmseg: pad up to the window, keep the shift
    "openmmlab-fork": ("pad", "bicubic", "middle"),
    "detectron2": ("pad", "bicubic", "middle"),
    # mmaction/models/backbones/swin_transformer.py, get_window_size per axis; index[:N, :N]
    "openmmlab-video": ("clip", "bicubic", "leading"),
    "openmmlab-video-backbone": ("clip", "bicubic", "leading"),
    "mmaction2": ("clip", "bicubic", "leading"),
}


def test_every_dialect_has_its_row():
    assert WAYS.keys() == DIALECTS.keys()


@pytest.mark.parametrize("name", WAYS)
def test_a_dialect_runs_and_resizes_as_its_library(name: str):
    dialect = DIALECTS[name]
    assert (dialect.border, dialect.tables, dialect.clipped_bias) == WAYS[name]
