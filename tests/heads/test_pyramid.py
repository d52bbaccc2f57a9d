"""Normed, channels-first maps of chosen stages."""

import pytest
import torch

from swinkit.core.spec import Spec
from swinkit.heads.pyramid import Pyramid
from swinkit.models.build import build


def backbone():
    """Three small stages."""
    return build(Spec(embed_dim=8, depths=(1, 1, 1), num_heads=(2, 2, 4), window_sizes=((4, 4),) * 3))


def test_each_output_has_a_norm_of_its_own():
    pyramid = Pyramid(backbone(), (0, 2)).eval()
    for norm in pyramid.norms.values():
        torch.nn.init.normal_(norm.weight)
    pixels = torch.randn(2, 3, 61, 83)
    features = pyramid.backbone(pixels)
    maps = pyramid(pixels)
    assert [tuple(m.shape) for m in maps] == [(2, 8, 16, 21), (2, 32, 4, 6)]
    for stage, found in zip((0, 2), maps, strict=True):
        torch.testing.assert_close(found, pyramid.norms[str(stage)](features[stage]).permute(0, 3, 1, 2))
        assert found.is_contiguous()
    assert {name for name in pyramid.state_dict() if name.startswith("norms")} == {
        f"norms.{i}.{part}" for i in (0, 2) for part in ("weight", "bias")
    }


@pytest.mark.parametrize("out_indices", [(), (3,), (-1, 0), (1, 0), (1, 1)])
def test_stages_that_do_not_exist_are_refused(out_indices):
    with pytest.raises(ValueError, match=r"must be ascending and within 0\.\.2"):
        Pyramid(backbone(), out_indices)
