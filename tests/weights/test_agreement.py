"""Where timm holds a model, and where its borders do what ours do."""

import pytest

from swinkit.core.spec import Spec
from swinkit.models.specs import VARIANTS
from swinkit.weights.agreement import differing_stages
from swinkit.weights.configs import timm_cannot


@pytest.mark.parametrize(
    ("border", "size", "same"),
    [
        ("clip", (224, 224), True),
        ("square", (224, 224), True),
        ("pad-unshifted", (224, 224), True),
        ("pad", (224, 224), False),  # still shifts where one window is the whole grid
        ("clip", (256, 256), False),
        ("square", (224, 448), False),  # shifts along no axis of the last stage
        ("clip", (224, 448), True),
        ("clip", (230, 224), False),
    ],
)
def test_where_timm_answers_as_we_do(border: str, size: tuple[int, int], same: bool):
    numbers = {"embed_dim": 12, "depths": (2,) * 4, "num_heads": (2,) * 4, "window_sizes": ((7, 7),) * 4}
    assert (not differing_stages(Spec(**numbers, border=border), "roll-first", "middle", size)) is same


def test_timm_cannot_hold_what_it_would_cut():
    spec = VARIANTS["swin-t"].spec
    assert timm_cannot(spec, (224, 224)) is None
    assert "cuts windows to the grid" in str(timm_cannot(spec, (192, 192)))
