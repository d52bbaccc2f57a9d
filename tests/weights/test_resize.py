"""Other windows and grids, in both published ways, against torch, scipy and timm."""

import pytest
import torch
import torch.nn.functional as F

from swinkit.errors import UsageError
from swinkit.weights.load import export_weights, load_weights
from swinkit.weights.resize import TABLES, resize_absolute, resize_table
from swinkit.weights.spline import geometric_places, spline_matrix

from ..models.small import Headed
from .models import classifier

WINDOWS = [(7, 12), (12, 7), (6, 7), (7, 6), (3, 24), (24, 3), (16, 24)]


def test_a_table_is_resized_as_by_hand():
    table = torch.randn(13 * 13, 3)
    by_hand = [
        F.interpolate(table[:, head].view(1, 1, 13, 13), (23, 23), mode="bicubic", align_corners=False)
        for head in range(3)
    ]
    torch.testing.assert_close(
        resize_table(table, (7, 7), (12, 12)), torch.cat(by_hand, 1)[0].flatten(1).T, atol=2e-6, rtol=0
    )


def test_an_oblong_table_keeps_its_axes_apart():
    rows = torch.randn(5, 9)
    grown = resize_table(rows.reshape(45, 1), (3, 5), (3, 7))
    by_hand = F.interpolate(rows[None, None], (5, 13), mode="bicubic", align_corners=False)
    torch.testing.assert_close(grown.view(5, 13), by_hand[0, 0], atol=2e-6, rtol=0)


def test_an_absolute_embedding_is_resized_as_by_hand():
    embedding = torch.randn(6, 9, 4)
    by_hand = F.interpolate(embedding.permute(2, 0, 1)[None], (8, 5), mode="bicubic", align_corners=False)
    torch.testing.assert_close(
        resize_absolute(embedding, (8, 5)), by_hand[0].permute(1, 2, 0), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize(("old", "new"), WINDOWS)
def test_the_geometric_way_is_scipys_spline_through_the_published_places(old: int, new: int):
    from scipy.interpolate import RectBivariateSpline

    table = torch.randn((2 * old - 1) ** 2, 2)
    places = geometric_places(2 * old - 1, 2 * new - 1).numpy()
    asked = torch.arange(1.0 - new, new).double().numpy()
    ours = resize_table(table, (old, old), (new, new), "geometric")
    for head in range(2):
        rows = table[:, head].double().view(2 * old - 1, -1).numpy()
        expected = RectBivariateSpline(places, places, rows, kx=3, ky=3, s=0)(asked, asked)
        torch.testing.assert_close(ours[:, head], torch.tensor(expected).flatten().float())


@pytest.mark.parametrize(
    ("rows", "larger", "ratio"), [(11, 13, 1.09128), (11, 23, 1.40263), (23, 27, 1.03289)]
)
def test_geometric_places_are_symmetric_and_reach_the_outermost_offset(rows: int, larger: int, ratio: float):
    places = geometric_places(rows, larger)
    assert torch.equal(places, -places.flip(0))
    assert float(places[-1]) == pytest.approx(larger // 2, abs=1e-4)
    steps = places[rows // 2 :].diff()
    torch.testing.assert_close(steps[1:] / steps[:-1], torch.full_like(steps[1:], ratio), rtol=0, atol=1e-5)


def test_a_spline_through_a_cubic_is_the_cubic():
    places = torch.tensor([-3.0, -1.5, 0.2, 1.0, 2.5, 4.0]).double()
    asked = torch.linspace(-3, 4, 29, dtype=torch.float64)
    matrix = spline_matrix(places, asked)
    torch.testing.assert_close(matrix @ (places**3 - 2 * places), asked**3 - 2 * asked)
    torch.testing.assert_close(spline_matrix(places, places), torch.eye(6, dtype=torch.float64))


def test_outside_of_its_places_a_spline_keeps_the_outermost_value():
    places = torch.arange(6).double()
    asked = torch.tensor([-9.0, 9.0]).double()
    torch.testing.assert_close(spline_matrix(places, asked), torch.eye(6, dtype=torch.float64)[[0, 5]])


@pytest.mark.parametrize("tables", TABLES)
@pytest.mark.parametrize(("old", "new"), WINDOWS)
def test_a_constant_table_stays_constant(tables: str, old: int, new: int):
    table = torch.full(((2 * old - 1) ** 2, 1), 0.7)
    torch.testing.assert_close(
        resize_table(table, (old, old), (new, new), tables), torch.full(((2 * new - 1) ** 2, 1), 0.7)
    )


@pytest.mark.parametrize("tables", TABLES)
def test_a_turned_table_is_resized_to_the_turned_one(tables: str):
    """Offsets d and -d, and height and width, are treated alike."""
    rows = torch.randn(7, 7, 2)

    def resized(rows):
        return resize_table(rows.reshape(49, 2), (4, 4), (6, 6), tables).view(11, 11, 2)

    for turn in (lambda x: x.flip(0), lambda x: x.flip(1), lambda x: x.transpose(0, 1)):
        torch.testing.assert_close(resized(turn(rows)), turn(resized(rows)), atol=2e-6, rtol=0)


def test_a_smooth_table_survives_the_way_to_a_larger_window_and_back():
    offsets = torch.linspace(-1, 1, 13)
    table = torch.exp(-(offsets[:, None] ** 2) - 2 * offsets**2).reshape(169, 1)
    back = resize_table(resize_table(table, (7, 7), (12, 12)), (12, 12), (7, 7))
    torch.testing.assert_close(back, table, atol=0.01, rtol=0)


@pytest.mark.parametrize("tables", TABLES)
def test_the_same_window_leaves_every_bit(tables: str):
    table = torch.randn(45, 3)
    assert torch.equal(resize_table(table, (3, 5), (3, 5), tables), table)


@pytest.mark.parametrize("tables", TABLES)
def test_half_precision_is_resized_in_more(tables: str):
    table = torch.randn(49, 2).half()
    single = resize_table(table.float(), (4, 4), (6, 6), tables)
    assert torch.equal(resize_table(table, (4, 4), (6, 6), tables), single.half())


@pytest.mark.parametrize("tables", TABLES)
def test_each_offset_in_time_is_resized_by_itself(tables: str):
    table = torch.randn(3 * 49, 2)
    expected = [resize_table(flat, (4, 4), (6, 5), tables) for flat in table.split(49)]
    assert torch.equal(resize_table(table, (2, 4, 4), (2, 6, 5), tables), torch.cat(expected))


@pytest.mark.parametrize(("window", "new"), [((2, 2, 2), (3, 2, 2)), ((4,), (5,)), ((4, 4), (2, 4, 4))])
def test_time_and_single_axes_are_not_resized(window: tuple[int, ...], new: tuple[int, ...]):
    rows = torch.Size([2 * w - 1 for w in window]).numel()
    with pytest.raises(UsageError, match="only height and width can change"):
        resize_table(torch.randn(rows, 2), window, new)


def test_two_tokens_are_too_few_for_a_spline():
    with pytest.raises(UsageError, match="no cubic spline goes through 3 places"):
        resize_table(torch.randn(9, 1), (2, 2), (4, 4), "geometric")


@pytest.mark.parametrize("embedding", [torch.randn(4, 4, 4, 3), torch.randn(4, 3)])
def test_absolute_embeddings_of_other_axes_are_not_resized(embedding: torch.Tensor):
    with pytest.raises(UsageError, match="cannot be resized to the grid"):
        resize_absolute(embedding, (5, 5))


def test_the_two_ways_differ_by_as_much_as_the_table_itself():
    table = torch.randn(169, 4, generator=torch.Generator().manual_seed(0))
    bicubic, geometric = (resize_table(table, (7, 7), (12, 12), way) for way in ("bicubic", "geometric"))
    assert (bicubic - geometric).abs().max() > 0.9 * table.abs().max()


@pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate")
def test_timm_interpolates_linearly_between_the_same_places():
    """So its resized tables are neither Microsoft's nor SimMIM's."""
    from timm.layers import resize_rel_pos_bias_table

    table = torch.randn(169, 4, generator=torch.Generator().manual_seed(0))
    theirs = resize_rel_pos_bias_table(table, (12, 12), (529, 4))
    ours = resize_table(table, (7, 7), (12, 12), "geometric")
    places, asked = geometric_places(13, 23), torch.arange(-11.0, 12).double().clamp(max=11)
    right = torch.searchsorted(places, asked).clamp(1, 12)
    share = ((asked - places[right - 1]) / (places[right] - places[right - 1])).clamp(0, 1)
    linear = F.one_hot(right - 1, 13) * (1 - share)[:, None] + F.one_hot(right, 13) * share[:, None]
    by_hand = torch.einsum("ia,jb,abh->ijh", linear, linear, table.double().view(13, 13, 4))
    torch.testing.assert_close(theirs, by_hand.flatten(0, 1).float(), atol=1e-4, rtol=0)
    assert (theirs - ours).abs().max() > 1


def test_a_v2_changes_its_window_without_resizing():
    source = classifier("v2")
    target = Headed(
        classifier("v2", window_sizes=((6, 6),) * 2, pretrained_window_sizes=((4, 4),) * 2).backbone
    )
    assert not load_weights(target, export_weights(source, "microsoft")).resized
