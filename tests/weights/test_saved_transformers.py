"""Files that the installed transformers itself writes by `save_pretrained`, of every class with a Swin."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import (
    DonutSwinConfig,
    MaskFormerSwinConfig,
    PreTrainedModel,
    SwinBackbone,
    SwinConfig,
    SwinModel,
    Swinv2Backbone,
    Swinv2Config,
    Swinv2Model,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)
from transformers.models.donut.modeling_donut_swin import DonutSwinModel
from transformers.models.maskformer.modeling_maskformer_swin import MaskFormerSwinBackbone

from swinkit.files.tensors import read_state
from swinkit.weights.dialect_table import detect

pytestmark = pytest.mark.slow

SMALL = {"image_size": 64, "embed_dim": 12, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4}
OUTPUTS = {"out_features": ["stage1", "stage2"]}
FOUR = {"depths": [1] * 4, "num_heads": [2] * 4, "out_features": [f"stage{i}" for i in range(1, 5)]}


def segmenter(config: type) -> PreTrainedModel:
    """Return a UPerNet on a small backbone."""
    return UperNetForSemanticSegmentation(
        UperNetConfig(
            backbone_config=config(**SMALL | FOUR),
            hidden_size=8,
            pool_scales=[1, 2],
            auxiliary_in_channels=48,
            auxiliary_channels=8,
            num_labels=3,
        )
    )


LAST_NORM = ("swin.layernorm.bias", "swin.layernorm.weight")
# a model, the dialect that it is told to be in, and what is unused but the other heads
WRITTEN: dict[str, tuple[Callable[[], PreTrainedModel], str, tuple[str, ...]]] = {
    "SwinModel": (lambda: SwinModel(SwinConfig(**SMALL)), "transformers-legacy", ()),
    "Swinv2Model": (lambda: Swinv2Model(Swinv2Config(**SMALL)), "transformers-v2", ()),
    "SwinBackbone": (
        lambda: SwinBackbone(SwinConfig(**SMALL, **OUTPUTS)),
        "transformers-legacy-backbone",
        LAST_NORM,
    ),
    "Swinv2Backbone": (
        lambda: Swinv2Backbone(Swinv2Config(**SMALL, **OUTPUTS)),
        "transformers-v2-backbone",
        (),
    ),
    "MaskFormerSwinBackbone": (
        lambda: MaskFormerSwinBackbone(MaskFormerSwinConfig(**SMALL, **OUTPUTS)),
        "transformers-legacy-backbone",
        ("model.layernorm.bias", "model.layernorm.weight"),
    ),
    "DonutSwinModel": (
        lambda: DonutSwinModel(DonutSwinConfig(**SMALL)),
        "transformers-legacy-backbone",
        (),
    ),
    "UPerNet on V1": (
        lambda: segmenter(SwinConfig),
        "transformers-legacy-backbone",
        tuple(f"backbone.{name}" for name in LAST_NORM),
    ),
    "UPerNet on V2": (lambda: segmenter(Swinv2Config), "transformers-v2-backbone", ()),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_tensor_of_a_saved_model_is_explained(name: str, tmp_path: Path):
    make, dialect, unused = WRITTEN[name]
    make().save_pretrained(tmp_path)
    state = read_state(tmp_path / "model.safetensors")
    found = detect(state)
    reading = found.read(state)
    assert found.name == dialect
    assert reading.unexplained == ()
    heads = ("decode_head.", "auxiliary_head.")
    assert tuple(sorted(name for name in reading.unused if not name.startswith(heads))) == unused
    norms = {name for name in reading.state if name.startswith("norms.") and name.endswith("weight")}
    given = 0 if dialect != "transformers-legacy-backbone" or name == "DonutSwinModel" else 2
    assert len(norms) == (4 if name == "UPerNet on V1" else given)
