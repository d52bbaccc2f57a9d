"""How large a spec from a file may be: every variant passes, and what can only be meant to harm does not."""

import time
from typing import Any

import pytest

from swinkit.errors import DataError
from swinkit.models.config import family_of, spec_from_json, spec_to_json
from swinkit.models.specs import VARIANTS


def test_every_variant_is_plausible_and_survives_json():
    specs = {name: variant.spec for name, variant in VARIANTS.items()}
    assert {
        name: spec_from_json(family_of(spec), spec_to_json(spec)) for name, spec in specs.items()
    } == specs
    assert {name: family_of(spec) for name, spec in specs.items()} == {
        name: variant.family for name, variant in VARIANTS.items()
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"depths": [300, 2, 300, 2]}, "depths has 604 blocks; there may be 512"),
        ({"embed_dim": 10**9}, "embed_dim has 1000000000; it must be a whole number from 0 to 16384"),
        ({"embed_dim": 96.0}, "embed_dim has 96.0"),
        ({"embed_dim": True}, "embed_dim has True"),
        ({"mlp_ratio": float("inf")}, "mlp_ratio has inf"),
        ({"window_sizes": [[7, 10**6]] * 4}, "window_sizes has 1000000"),
    ],
)
def test_what_no_swin_has_is_refused(changes: dict[str, Any], said: str):
    with pytest.raises(DataError, match=said):
        spec_from_json("v1", {**spec_to_json(VARIANTS["swin-t"].spec), **changes})


@pytest.mark.parametrize("field", ["depths", "patch", "num_heads"])
def test_a_list_without_end_is_refused_at_once(field: str):
    numbers = {**spec_to_json(VARIANTS["swin-t"].spec), field: [2] * 10**6}
    began = time.perf_counter()
    with pytest.raises(DataError, match=field):
        spec_from_json("v1", numbers)
    assert time.perf_counter() - began < 5
