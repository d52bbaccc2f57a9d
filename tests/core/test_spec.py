"""The numbers of a Swin: what they imply, and which are refused."""

import pytest

from swinkit.core.borders import BORDERS
from swinkit.core.position import CLIPPED_BIAS
from swinkit.core.spec import BORDER_NAMES, CLIPPED_BIAS_NAMES, Spec, block_specs
from swinkit.models.families import SpecV2

SMALL = {"embed_dim": 8, "depths": (2, 2), "num_heads": (2, 4), "window_sizes": ((4, 4), (4, 4))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": (2,)}, "num_heads has 1 entries, but depths has 2 stages"),
        ({"window_sizes": ((4, 4),)}, "window_sizes has 1 entries"),
        ({"window_sizes": ((4, 4), (4, 4, 4))}, r"window_sizes \(4, 4, 4\) must be 2 positive sizes"),
        ({"window_sizes": ((4, 4), (4, 0))}, r"window_sizes \(4, 0\) must be 2 positive sizes"),
        ({"merge": (2,)}, r"merge \(2,\) must be 2 positive sizes"),
        ({"num_heads": (2, 3)}, "a stage of 16 channels cannot be split into 3 heads"),
    ],
)
def test_numbers_that_make_no_swin_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        Spec(**{**SMALL, **change})


def test_widths_double_and_strides_grow_with_the_merging():
    spec = Spec(**{**SMALL, "window_sizes": ((2, 4, 4),) * 2}, patch=(2, 4, 4), merge=(1, 2, 2))
    assert spec.widths == (8, 16)
    assert spec.strides == ((2, 4, 4), (2, 8, 8))


def test_drop_path_rises_linearly_over_all_blocks():
    """T with rate 0.2: 0, .01818, ..., .2 over its 12 blocks, not stage by stage."""
    spec = Spec(
        embed_dim=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24), window_sizes=((7, 7),) * 4, drop_path=0.2
    )
    rates = [place.drop_path for row in block_specs(spec) for place in row]
    assert rates == pytest.approx([0.2 * i / 11 for i in range(12)])
    assert rates[1] == pytest.approx(0.01818, abs=5e-6)


def test_a_single_block_drops_nothing():
    spec = Spec(embed_dim=8, depths=(1,), num_heads=(2,), window_sizes=((4, 4),), drop_path=0.2)
    assert [place.drop_path for row in block_specs(spec) for place in row] == [0.0]


def test_every_second_block_shifts_by_half_the_window():
    rows = block_specs(Spec(embed_dim=8, depths=(3, 2), num_heads=(2, 4), window_sizes=((7, 12), (5, 1))))
    assert [[place.shift for place in row] for row in rows] == [[(0, 0), (3, 6), (0, 0)], [(0, 0), (2, 0)]]


def test_offsets_are_in_units_of_the_own_window_unless_said_otherwise():
    assert SpecV2(**SMALL).reference_windows == ((4, 4), (4, 4))
    assert SpecV2(**SMALL, pretrained_window_sizes=((3, 3), (2, 2))).reference_windows == ((3, 3), (2, 2))


def test_the_names_of_parts_are_those_of_the_tables():
    assert tuple(BORDERS) == BORDER_NAMES
    assert tuple(CLIPPED_BIAS) == CLIPPED_BIAS_NAMES


@pytest.mark.parametrize("field", ["in_channels", "embed_dim", "depths", "num_heads", "patch"])
def test_sizes_below_one_are_refused(field):
    zero = {"depths": (0, 1), "num_heads": (0, 1), "patch": (0, 4)}.get(field, 0)
    with pytest.raises(ValueError, match=f"{field} is .*; it must be 1 or more"):
        Spec(**{**SMALL, field: zero})
