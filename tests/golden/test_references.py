"""From constructor arguments to our numbers, for the references that cannot be installed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from swinkit.core import kernels
from swinkit.core.fast import forwards
from swinkit.errors import DataError
from swinkit.heads.pyramid import Pyramid
from swinkit.weights.load import export_weights
from tests.models.small import stirred

from . import compare, microsoft, openmmlab, transformers_library
from .case import MODELS, NotCovered, without_gradients
from .compare import NOT_COVERED, OK, answers, check, find
from .reference import Reference
from .write import write

SMALL = {"embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4]}
MICROSOFT = {
    "defaults": (microsoft.v1, {}, ((7, 7),) * 4),
    "a window that covers the last grid": (
        microsoft.v1,
        {"img_size": 384, "window_size": 24},
        ((24, 24),) * 3 + ((12, 12),),
    ),
    "oblong: the shorter axis, on both": (
        microsoft.v1,
        {"img_size": [224, 448], "window_size": 14},
        ((14, 14),) * 3 + ((7, 7),),
    ),
    "an MLP whose last grid is small": (
        microsoft.mlp,
        {"img_size": [96, 128], "window_size": 6},
        ((6, 6),) * 3 + ((3, 3),),
    ),
    "V2 of 192 pixels": (microsoft.v2, {"img_size": 192, "window_size": 12}, ((12, 12),) * 3 + ((6, 6),)),
}


def spec_of(reference: Reference):
    """Built on the meta device, since the defaults are large."""
    return reference.backbone.spec


@pytest.mark.parametrize(("maker", "given", "windows"), MICROSOFT.values(), ids=MICROSOFT)
def test_microsofts_windows_shrink_at_construction(maker, given, windows):
    with torch.device("meta"):
        spec = spec_of(maker(given))
    assert spec.window_sizes == windows
    assert spec.border == "square"


def test_a_pretraining_window_of_zero_is_the_stages_own():
    given = {"img_size": 192, "window_size": 12, "pretrained_window_sizes": [8, 0, 6, 0]}
    with torch.device("meta"):
        spec = spec_of(microsoft.v2(given))
    assert spec.reference_windows == ((8, 8), (12, 12), (6, 6), (6, 6))


def test_the_dense_forks_keep_their_windows_and_the_grid_of_pretraining():
    reference = openmmlab.dense(
        {**SMALL, "window_size": 5, "ape": True, "pretrain_img_size": [32, 48], "out_indices": [1]}
    )
    spec = spec_of(reference)
    assert (spec.window_sizes, spec.border, spec.absolute_grid) == (((5, 5),) * 2, "pad", (8, 12))
    assert list(reference.model.norms) == ["1"]


def test_video_has_the_defaults_of_its_constructor_not_of_its_configurations():
    spec = spec_of(openmmlab.video({"backbone": SMALL, "head": {"num_classes": 3, "in_channels": 16}}))
    assert (spec.patch, spec.merge, spec.window_sizes[0], spec.patch_norm) == (
        (4, 4, 4),
        (1, 2, 2),
        (2, 7, 7),
        False,
    )
    assert spec.clipped_bias == "leading"


@pytest.mark.parametrize(
    ("maker", "given", "expected"),
    [
        (microsoft.v1, {"norm_layer": "BatchNorm"}, NotCovered),
        (openmmlab.video, {"backbone": SMALL, "head": {"num_classes": 3, "spatial_type": "max"}}, NotCovered),
        (openmmlab.video, {"backbone": SMALL, "head": {}}, DataError),
        (openmmlab.dense, {"windows": 3}, DataError),
    ],
)
def test_what_cannot_be_built_is_said(maker, given, expected):
    with pytest.raises(expected):
        maker(given)


WHOLE = {
    "microsoft V1": (
        {"reference_repo": "microsoft/Swin-Transformer", "reference_file": "models/swin_transformer.py"},
        "SwinTransformer",
        {
            **SMALL,
            "img_size": [32, 48],
            "window_size": 4,
            "ape": True,
            "qk_scale": 0.3,
            "qkv_bias": False,
            "in_chans": 2,
        },
        {"image": (2, 2, 32, 48)},
    ),
    "microsoft V1, no classes, no patch norm": (
        {"reference_repo": "microsoft/Swin-Transformer", "reference_file": "models/swin_transformer.py"},
        "SwinTransformer",
        {
            **SMALL,
            "img_size": 32,
            "window_size": 8,
            "num_classes": 0,
            "patch_norm": False,
            "mlp_ratio": 2.5,
            "patch_size": 2,
        },
        {"image": (1, 3, 32, 32)},
    ),
    "microsoft V2": (
        {"reference_repo": "microsoft/Swin-Transformer", "reference_file": "models/swin_transformer_v2.py"},
        "SwinTransformerV2",
        {
            **SMALL,
            "img_size": 48,
            "window_size": 6,
            "ape": True,
            "qkv_bias": False,
            "pretrained_window_sizes": [4, 0],
        },
        {"image": (2, 3, 48, 48)},
    ),
    "microsoft MLP": (
        {"reference_repo": "microsoft/Swin-Transformer", "reference_file": "models/swin_mlp.py"},
        "SwinMLP",
        {
            **SMALL,
            "img_size": [32, 48],
            "window_size": 4,
            "ape": True,
            "patch_norm": False,
            "mlp_ratio": 2.0,
        },
        {"image": (2, 3, 32, 48)},
    ),
    "detection": (
        {"reference_repo": "SwinTransformer/Swin-Transformer-Object-Detection"}
        | {"reference_file": "mmdet/models/backbones/swin_transformer.py"},
        "SwinTransformer (detection backbone)",
        {
            **SMALL,
            "window_size": 5,
            "ape": True,
            "pretrain_img_size": 32,
            "out_indices": [1],
            "patch_norm": False,
        },
        {"image0": (1, 3, 30, 41), "image1": (2, 3, 8, 8)},
    ),
    "segmentation": (
        {"reference_repo": "SwinTransformer/Swin-Transformer-Semantic-Segmentation"}
        | {"reference_file": "mmseg/models/backbones/swin_transformer.py"},
        "SwinTransformer",
        {**SMALL, "window_size": 4, "qk_scale": 0.5, "out_indices": [0, 1]},
        {"image0": (1, 3, 30, 41)},
    ),
    "video": (
        {"reference_repo": "SwinTransformer/Video-Swin-Transformer"}
        | {"reference_file": "mmaction/models/backbones/swin_transformer.py"},
        "Recognizer3D(SwinTransformer3D, I3DHead)",
        {
            "backbone": {**SMALL, "patch_size": [2, 4, 4], "in_chans": 1},
            "head": {"num_classes": 3, "in_channels": 16},
        },
        {"clip0": (1, 1, 6, 40, 36), "views": (1, 2, 1, 4, 16, 16)},
    ),
    "video backbone": (
        {"reference_repo": "SwinTransformer/Video-Swin-Transformer"}
        | {"reference_file": "mmaction/models/backbones/swin_transformer.py"},
        "SwinTransformer3D",
        {**SMALL, "window_size": [2, 3, 5], "patch_norm": True},
        {"clip0": (1, 3, 6, 40, 36)},
    ),
}


def own_case(folder: Path, about: dict, name: str, given: dict, shapes: dict[str, tuple[int, ...]]) -> Path:
    """Return a case answered by our own model: it proves names and shapes, not numbers."""
    tolerance = {"atol": 1e-5, "rtol": 1e-5}
    about = about | {"reference_class": name, "constructor": given, "mode": "eval", "tolerance": tolerance}
    reference = find(about)(given)
    stirred(reference.model)
    inputs = {name: torch.randn(shape) for name, shape in shapes.items()}
    blank = write(folder / "blank", about, weights={}, inputs=inputs, outputs={"x": torch.zeros(1)})
    from .case import read

    outputs = answers(read(blank), reference)
    weights = export_weights(reference.model, reference.dialect)
    return write(folder / "case", about, weights=weights, inputs=inputs, outputs=outputs)


@pytest.mark.parametrize(("about", "name", "given", "shapes"), WHOLE.values(), ids=WHOLE)
def test_every_option_gives_a_model_that_takes_the_references_names(tmp_path, about, name, given, shapes):
    outcome = check(own_case(tmp_path, about, name, given, shapes))
    assert (outcome.status, outcome.reasons) == (OK, [])


def test_training_with_dropouts_is_not_covered(tmp_path):
    folder = own_case(tmp_path, *WHOLE["microsoft V1"])
    text = (folder / "case.json").read_text()
    (folder / "case.json").write_text(text.replace('"eval"', '"train"'))
    assert check(folder).status == NOT_COVERED


@pytest.mark.parametrize("case", [*MODELS, "simmim_v1_a"])
def test_as_compilers_see_them_the_references_are_met_too(shared, monkeypatch, case):
    """Compute by every plain `forward`, which compilers, exporters and tracers see."""
    monkeypatch.setattr(forwards, "is_eager", lambda _x: False)
    outcome = check(shared / "golden" / case)
    assert outcome.status == OK, outcome.reasons


@pytest.mark.parametrize("case", MODELS)
def test_by_torchs_own_attention_the_references_are_met(shared, monkeypatch, case):
    """As windows of many tokens are, gradients included; here all are taken for such."""
    monkeypatch.setattr(kernels, "FUSED_FROM", 1)
    monkeypatch.setattr(kernels, "attend_plainly", None)
    outcome = check(shared / "golden" / case)
    assert outcome.status == OK, outcome.reasons


@pytest.mark.parametrize("case", [case for case in MODELS if case != "swin_mlp_a"])
def test_a_window_after_the_other_the_references_are_met(shared, monkeypatch, case):
    """As a CPU answers without gradients: what comes out at the end is compared."""
    traced, in_turn, calls = compare.trace, forwards.attend_in_chunks, []

    def whole(model, pixels):
        found = traced(model, pixels)
        with torch.no_grad():
            answer = model(pixels)
        if isinstance(model, Pyramid):
            return replace(found, maps=dict(zip(found.maps, answer, strict=True)))
        return replace(found, logits=answer)

    def counted(*given):
        calls.append(0)
        return in_turn(*given)

    def answering(case, reference):
        without_gradients(case)
        reference.model.requires_grad_(False)
        return answers(case, reference)

    monkeypatch.setattr(kernels, "FUSED_FROM", 1)
    monkeypatch.setattr(forwards, "attend_in_chunks", counted)
    monkeypatch.setattr(compare, "answers", answering)
    for module in (compare, transformers_library):
        monkeypatch.setattr(module, "trace", whole)
    outcome = check(shared / "golden" / case)
    assert outcome.status == OK, outcome.reasons
    assert calls
