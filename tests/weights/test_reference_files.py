"""Files of the reference code itself: read whole, and written back bit for bit."""

import pytest
from safetensors.torch import load_file

from swinkit.weights.dialect_table import detect
from swinkit.weights.infer import infer

from .models import assert_equal

CASES = {
    "swin_v1_a": "microsoft",
    "swin_v1_ape_a": "microsoft",
    "swin_v2_a": "microsoft",
    "swin_v2_c": "microsoft",
    "video_swin_a": "openmmlab-video",
    "det_backbone_a": "openmmlab-fork",
    "timm_swin_a": "timm",
    "timm_swinv2_a": "timm",
    "tv_swin3d_a": "torchvision-3d",
    "tv_swin_v1_a": "torchvision",
    "tv_swin_v2_a": "torchvision",
    "swin_mlp_a": "microsoft",
    "timm_swinv2_cr_a": "timm-cr",
    "simmim_v1_a": "microsoft-simmim",
    "simmim_v2_a": "microsoft-simmim",
    "hf_swin_a": "transformers",
    "hf_swin_mim_a": "transformers",
    "hf_swinv2_a": "transformers-v2",
    "hf_swinv2_mim_a": "transformers-v2",
}


@pytest.mark.parametrize(("case", "dialect"), CASES.items())
def test_files_of_the_reference_code_are_read_whole_and_written_back_bit_for_bit(
    shared, case: str, dialect: str
):
    """Buffers included; but masks depend on a resolution, and torchvision's k third is not used."""
    theirs = load_file(shared / "golden" / case / "weights.safetensors")
    found = detect(theirs)
    assert found.name == dialect
    reading = found.read(theirs)
    assert not reading.unexplained
    assert not reading.unused
    kept = {name: tensor for name, tensor in theirs.items() if not name.endswith("attn_mask")}
    if not reading.buffers:  # nothing tells a V2's windows, and nobody needs them in such a file
        assert_equal(found.write(reading.state), kept)
        return
    written = found.write(reading.state, infer(reading.state, reading.buffers))
    if case == "tv_swin_v2_a":
        for name in [name for name in kept if name.endswith("qkv.bias")]:
            third = len(kept[name]) // 3
            kept[name][third : 2 * third] = 0
    assert_equal(written, kept)
