"""fp16 and bf16, by casting the model and by autocast."""

import pytest
import torch

from .small import pixels, small

NEAR = {
    torch.float16: 0.02,
    torch.bfloat16: 0.15,
}  # of the largest value: digits of the type, times the depth


@pytest.mark.parametrize("dtype", sorted(NEAR, key=str))
@pytest.mark.parametrize(
    ("family", "border"),
    [
        *[(family, border) for family in ("v1", "v2", "v2-cr", "video") for border in ("clip", "pad")],
        ("mlp", "clip"),
    ],
)
def test_a_cast_model_is_near_the_full_one_with_padding(family, border, dtype):
    model, x = small(family, border=border), pixels(family)
    full = model(x)
    for a, b in zip(model.to(dtype)(x.to(dtype)), full, strict=True):
        assert a.dtype == dtype
        assert a.isfinite().all()
        assert (a.float() - b).abs().max() < NEAR[dtype] * b.abs().max()


@pytest.mark.parametrize("family", ["v1", "v2", "v2-cr", "mlp"])
def test_autocast_is_near_the_full_model(family):
    model, x = small(family), pixels(family)
    full = model(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = model(x)
    for a, b in zip(cast, full, strict=True):
        assert a.isfinite().all()
        assert (a.float() - b).abs().max() < NEAR[torch.bfloat16] * b.abs().max()


def test_v2_at_the_cap_of_its_temperature_is_finite_in_fp16():
    """Scores of 100 and a mask of -100 are far inside fp16, and padding has keys of length 0."""
    model = small("v2", border="pad")
    for name, parameter in model.named_parameters():
        if name.endswith("log_scale"):
            torch.nn.init.constant_(parameter, 6.0)
    assert all(feature.isfinite().all() for feature in model.half()(pixels("v2").half()))
