"""Cases of loading: those that nobody has seen, made by hand as the references make them; and wrong ones."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from swinkit.weights.load import export_weights
from swinkit.weights.spline import geometric_places
from tests.models.small import stirred

from .compare import ERROR, FAILED, OK, check
from .loading import Loader, find, grid, masks
from .microsoft import COMMON
from .write import changed, tampered, write

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
SIZES = {"embed_dim": 8, "depths": [2, 1], "num_heads": [2, 4], "mlp_ratio": 2.0}
OFFICIAL = {"reference_repo": "microsoft/Swin-Transformer", "reference_class": "SwinTransformer"}
PRETRAINED = {**OFFICIAL, "reference_file": "utils.py:load_pretrained"}
SIMMIM = {**OFFICIAL, "reference_file": "utils_simmim.py:load_pretrained"}
VIDEO = {
    "reference_repo": "SwinTransformer/Video-Swin-Transformer",
    "reference_file": "mmaction/models/backbones/swin_transformer.py:inflate_weights",
    "reference_class": "SwinTransformer3D",
}
NAMES = [
    "resize_load_pretrained_a",
    "resize_load_pretrained_v2_a",
    "simmim_geo_resize_a",
    "map22kto1k_a",
    "head_mismatch_zero_a",
    "video_inflate_a",
]
BUFFERS = ("relative_position_index", "relative_coords_table", "attn_mask")


def bicubic(rows: Tensor, side: int) -> Tensor:
    """(n * n, H) -> (side * side, H)."""
    old = round(len(rows) ** 0.5)
    flat = rows.T.reshape(1, -1, old, old)
    return F.interpolate(flat, (side, side), mode="bicubic").flatten(2)[0].T


def spline(rows: Tensor, side: int) -> Tensor:
    """(n * n, H) -> (side * side, H)."""
    from scipy.interpolate import RectBivariateSpline

    old = round(len(rows) ** 0.5)
    places, asked = geometric_places(old, side).numpy(), torch.arange(side).double().numpy() - side // 2
    heads = [RectBivariateSpline(places, places, head.reshape(old, old).numpy(), s=0) for head in rows.T]
    return torch.stack([torch.tensor(head(asked, asked)).flatten() for head in heads], 1).float()


def by_hand(file: dict[str, Tensor], before: dict[str, Tensor], resize: Any) -> dict[str, Tensor]:
    """Return the target's tensors after loading."""
    after = dict(before)
    for name, have in before.items():
        given = file.get(name)
        if given is None or name.endswith(BUFFERS):
            continue
        if name.endswith("relative_position_bias_table") and len(given) != len(have):
            given = resize(given, round(len(have) ** 0.5))
        if name == "absolute_pos_embed" and given.shape != have.shape:
            given = bicubic(given[0], round(have.shape[1] ** 0.5))[None]
        after[name] = given if given.shape == have.shape else torch.zeros_like(have)
    return after


def official(folder: Path, about: dict[str, Any], source: dict[str, Any], target: dict[str, Any]) -> Path:
    """Return a case of Microsoft's two loaders."""
    constructor = {"source_checkpoint": {**SIZES, **source}, "target_model": {**SIZES, **target}}
    loader: Loader = find({**about, "constructor": constructor})
    models = [loader.source({**SIZES, **source}), loader.target({**SIZES, **target})]
    file, before = (export_weights(stirred(twin.model), "microsoft") for twin in models)
    before |= masks(models[1].backbone, grid({**COMMON, **target}))
    after = by_hand(file, before, spline if about["reference_file"].startswith("utils_simmim") else bicubic)
    if about["reference_file"].startswith("utils_simmim"):
        file = {f"encoder.{name}": x for name, x in file.items() if not name.startswith("head.")}
        file["encoder.mask_token"] = torch.zeros(1, 1, 8)
    inputs = {f"checkpoint.{name}": x for name, x in file.items()}
    inputs |= {f"model_before.{name}": x for name, x in before.items()}
    return write(
        folder,
        {**about, "constructor": constructor, "tolerance": TOLERANCE},
        weights={},
        inputs=inputs,
        outputs=after,
    )


V2 = {"reference_class": "SwinTransformerV2"}
SMALL, LARGE = {"img_size": 56, "window_size": 7}, {"img_size": 96, "window_size": 12}
UNSEEN = {
    "12 to 7": (PRETRAINED, {**LARGE, "num_classes": 5}, {**SMALL, "num_classes": 5}),
    "other classes": (PRETRAINED, {**SMALL, "num_classes": 5}, {**LARGE, "num_classes": 9}),
    "embedding": (PRETRAINED, {**LARGE, "ape": True}, {**SMALL, "ape": True}),
    "clipped windows": (PRETRAINED, {"img_size": 32, "window_size": 7}, {"img_size": 64, "window_size": 7}),
    "an oblong target": (PRETRAINED, SMALL, {"img_size": [48, 96], "window_size": 6}),
    "V2, smaller": (PRETRAINED | V2, LARGE, {**SMALL, "pretrained_window_sizes": [12, 12]}),
    "V2, other classes": (PRETRAINED | V2, {**SMALL, "num_classes": 5}, {**LARGE, "num_classes": 9}),
    "geometric, 12 to 7": (SIMMIM, {**LARGE, "num_classes": 0}, {**SMALL, "num_classes": 0}),
    "geometric, 7 to 12": (SIMMIM, {**SMALL, "num_classes": 0}, {**LARGE, "num_classes": 0}),
    "geometric, a classifier": (SIMMIM, {**SMALL, "num_classes": 0}, {**SMALL, "num_classes": 4}),
    "an embedding for the target alone": (PRETRAINED, SMALL, {**LARGE, "ape": True}),
    "an embedding in the file alone": (PRETRAINED, {**SMALL, "ape": True}, LARGE),
    "a first norm in the file alone": (PRETRAINED, SMALL, {**LARGE, "patch_norm": False}),
    "a first norm for the target alone": (SIMMIM, {**SMALL, "patch_norm": False, "num_classes": 0}, LARGE),
    "more blocks": (PRETRAINED, SMALL, {**LARGE, "depths": [2, 2]}),
    "fewer blocks": (PRETRAINED | V2, SMALL, {**LARGE, "depths": [1, 1]}),
    "geometric V2": (SIMMIM | V2, {**SMALL, "num_classes": 0}, {**LARGE, "num_classes": 0}),
}


@pytest.mark.parametrize("case", UNSEEN.values(), ids=UNSEEN)
def test_any_windows_and_classes_of_microsoft(tmp_path, case):
    holds(official(tmp_path / "case", *case))


@pytest.mark.parametrize("window", [[3, 4, 4], [2, 6, 6], [1, 3, 3]])
def test_any_window_of_video(tmp_path, window):
    flat = {**SIZES, "img_size": 64, "window_size": 4, "num_classes": 3}
    deep = {**SIZES, "patch_size": [4, 4, 4], "window_size": window, "patch_norm": True}
    about = {**VIDEO, "constructor": {"model2d": flat, "model3d": deep}, "tolerance": TOLERANCE}
    loader: Loader = find(about)
    source, target = loader.source(flat), loader.target(deep)
    file = export_weights(stirred(source.model), "microsoft")
    before = export_weights(stirred(target.model), target.dialect)
    inflated = dict(file)
    inflated["patch_embed.proj.weight"] = (
        file["patch_embed.proj.weight"].unsqueeze(2).repeat(1, 1, 4, 1, 1) / 4
    )
    for name, rows in file.items():
        if name.endswith("relative_position_bias_table"):
            inflated[name] = bicubic(rows, 2 * window[1] - 1).repeat(2 * window[0] - 1, 1)
    after = {name: x if name.endswith(BUFFERS) else inflated[name] for name, x in before.items()}
    inputs = {f"checkpoint2d.{name}": x for name, x in file.items()}
    inputs |= {f"model_before.{name}": x for name, x in before.items()}
    holds(write(tmp_path / "case", about, weights={}, inputs=inputs, outputs=after))


@pytest.mark.parametrize("name", NAMES)
def test_one_changed_number_of_the_outputs_fails(shared, tmp_path, name):
    weight = "head.weight" if name in ("map22kto1k_a", "head_mismatch_zero_a") else "patch_embed.norm.bias"
    folder = tampered(shared / "golden" / name, tmp_path / name, "outputs", weight, by=0.01)
    assert check(folder).status == FAILED


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("resize_load_pretrained_a", "checkpoint.layers.0.blocks.1.attn.relative_position_bias_table"),
        ("resize_load_pretrained_v2_a", "checkpoint.layers.1.blocks.0.attn.cpb_mlp.0.bias"),
        ("simmim_geo_resize_a", "checkpoint.encoder.layers.1.blocks.0.attn.relative_position_bias_table"),
        ("video_inflate_a", "checkpoint2d.layers.0.blocks.0.attn.relative_position_bias_table"),
    ],
)
def test_one_changed_number_of_the_file_fails(shared, tmp_path, name, weight):
    folder = tampered(shared / "golden" / name, tmp_path / name, "inputs", weight, by=0.5)
    assert check(folder).status == FAILED


def test_a_mask_is_compared(shared, tmp_path):
    folder = shared / "golden" / "resize_load_pretrained_a"
    mask = "layers.0.blocks.1.attn_mask"
    assert check(tampered(folder, tmp_path / "case", "outputs", mask, by=1)).status == FAILED


def test_a_case_without_both_models_is_an_error(shared, tmp_path):
    folder = changed(shared / "golden" / "video_inflate_a", tmp_path / "case", "outputs", lambda _: None)
    path = folder / "case.json"
    path.write_text(path.read_text().replace("model3d", "model4d"))
    outcome = check(folder)
    assert outcome.status == ERROR
    assert "has no constructor 'model3d'" in outcome.reasons[0]


def holds(folder: Path) -> None:
    """Check that the runner, which reads all from the folder, finds every tensor equal."""
    outcome = check(folder)
    assert (outcome.status, outcome.reasons) == (OK, [])
    assert max(outcome.shares.values()) < 0.5
