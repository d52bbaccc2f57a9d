"""What another library cannot hold is refused with the reason, and the reason is true of the library."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm.models.swin_transformer as timm_v1
import timm.models.swin_transformer_v2 as timm_v2
import timm.models.swin_transformer_v2_cr as timm_cr
import torch
import transformers
from huggingface_hub.errors import StrictDataclassFieldValidationError
from torch import nn
from torchvision.models import swin_transformer as torchvision_pictures
from torchvision.models.video import swin_transformer as torchvision_clips

from swinkit.core.spec import Spec
from swinkit.errors import UsageError
from swinkit.models.build import build
from swinkit.models.config import family_of
from swinkit.models.families import SpecV2
from swinkit.models.specs import VARIANTS
from swinkit.weights.configs import timm_arguments, torchvision_arguments, transformers_arguments, uncut_size
from swinkit.weights.dialect_table import DIALECTS
from swinkit.weights.load import export_weights
from swinkit.weights.unsupported import follow, smallest_grid

from ..models.small import spec, stirred
from ..parity.libraries import CLASSES, CLOSE, difference, twin
from .refused import REFUSED

pytestmark = pytest.mark.slow

TWO = {"depths": (2, 2), "num_heads": (2, 4)}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_library_cannot_hold_is_refused_with_the_reason(case: str):
    dialect, numbers, reason = REFUSED[case]
    with torch.device("meta"):
        model = build(numbers)
    with pytest.raises(UsageError, match=f"{dialect} cannot hold this model: .*{reason}"):
        export_weights(model, dialect)


@pytest.mark.parametrize("dialect", ["torchvision", "transformers", "timm", "microsoft", "openmmlab"])
def test_clips_and_signals_are_refused_by_libraries_of_pictures(dialect: str):
    for family, axes in (("video", 3), ("signal", 1)):
        with pytest.raises(UsageError, match=f"models of 2 axes only, this one has {axes}"):
            export_weights(build(spec(family)), dialect)


PUBLISHED = {  # for each dialect, what of its own families it cannot hold; the rest it can
    "torchvision": r"swin-l-w1[24]-?(192)?|swin-s3-.*|swinv2-[gh].*|swinv2-.*w(12|14|16|24).*",
    "torchvision-3d": r"nothing",
    "timm": r"swinv2-[gh](-w(14-224|16-512|40-640)-from12)?",
    "timm-cr": r"nothing",
    "transformers": r"swin-l-w1[24]-?(192)?|swin-s3-.*",
    "transformers-v2": r"swinv2-[gh](-w(14-224|16-512|40-640)-from12)?",
    "microsoft": r"swinv2-[gh](-w(14-224|16-512|40-640)-from12)?|swin-s3-[tb]",
    "openmmlab-video": r"nothing",
}
FAMILIES = {
    "torchvision": ("v1", "v2"),
    "torchvision-3d": ("video",),
    "timm": ("v1", "v2"),
    "timm-cr": ("v2-cr",),
    "transformers": ("v1",),
    "transformers-v2": ("v2",),
    "microsoft": ("v1", "v2", "mlp", "moe"),
    "openmmlab-video": ("video",),
}


@pytest.mark.parametrize("dialect", PUBLISHED)
def test_of_the_published_models_exactly_the_known_ones_are_refused(dialect: str):
    own = {name: variant for name, variant in VARIANTS.items() if variant.family in FAMILIES[dialect]}
    for ours in ("swin-pico", "swinv2-pico"):
        own.pop(ours, None)
    refused = {name for name, variant in own.items() if DIALECTS[dialect].cannot(variant.spec) is not None}
    assert refused == {name for name in own if re.fullmatch(PUBLISHED[dialect], name)}
    assert len(refused) < len(own)


def theirs(dialect: str, numbers: Spec, size: tuple[int, ...], classes: int = CLASSES) -> nn.Module:
    """Return the library's model, as near to `numbers` as its arguments come."""
    if dialect.startswith("timm"):
        kinds = {
            "v1": timm_v1.SwinTransformer,
            "v2": timm_v2.SwinTransformerV2,
            "v2-cr": timm_cr.SwinTransformerV2Cr,
        }
        return kinds[family_of(numbers)](**timm_arguments(numbers, size, classes)).eval()
    if dialect == "torchvision-3d":
        return torchvision_clips.SwinTransformer3d(**torchvision_arguments(numbers, classes)).eval()
    if dialect == "torchvision":
        arguments = torchvision_arguments(numbers, classes)
        if isinstance(numbers, SpecV2):
            arguments |= {
                "block": torchvision_pictures.SwinTransformerBlockV2,
                "downsample_layer": torchvision_pictures.PatchMergingV2,
            }
        return torchvision_pictures.SwinTransformer(**arguments).eval()
    name = {"v1": "Swin", "v2": "Swinv2"}[family_of(numbers)]
    config = getattr(transformers, f"{name}Config")(
        **transformers_arguments(numbers, size), num_labels=classes
    )
    return Logits(getattr(transformers, f"{name}ForImageClassification")(config).eval())


class Logits(nn.Module):
    """A model of transformers that answers with logits alone."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, pixels):
        return self.model(pixels).logits

    def load_state_dict(self, state, strict: bool = True, assign: bool = False) -> Any:
        return self.model.load_state_dict(state, strict=strict, assign=assign)


def allowed(dialect: str) -> Any:
    """Return the same dialect without its limits."""
    return replace(DIALECTS[dialect], cannot=lambda _: None)


CHECKED = [
    case
    for case, (dialect, numbers, _) in REFUSED.items()
    if dialect.startswith(("timm", "torchvision", "transformers"))
    and family_of(numbers) in ("v1", "v2", "v2-cr", "video")
    and not case.endswith(": v2-cr")
]


@pytest.mark.parametrize("case", CHECKED)
@pytest.mark.filterwarnings("ignore")
def test_the_reason_is_true_of_the_library(case: str):
    """Nothing that is refused can be built there, filled, and then answers as it does here."""
    dialect, numbers, _ = REFUSED[case]
    size = (8, 64, 64) if len(numbers.patch) == 3 else (64, 64)
    if numbers.absolute_grid is not None and len(numbers.patch) == 2:
        size = tuple(4 * side for side in numbers.absolute_grid)
    ours = twin(
        replace(numbers, border=DIALECTS[dialect].border, clipped_bias=DIALECTS[dialect].clipped_bias)
    )
    for parameter in ours.parameters():
        parameter.data.mul_(1.5)  # loud enough for every part to be heard
    try:
        library = theirs(dialect, numbers, size)
        library.load_state_dict(allowed(dialect).write(state_of(ours)), strict=True)
        apart = difference(ours, library, torch.randn(1, numbers.in_channels, *size))
    except (RuntimeError, ValueError, TypeError, AssertionError, StrictDataclassFieldValidationError):
        return  # it cannot even be built, filled or run
    assert not apart < 100 * CLOSE


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Its tensors."""
    return {name: tensor.detach() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("windows", "grid", "answer"),
    [
        (((7, 7),) * 4, (56, 56), True),
        (((12, 12), (12, 12), (12, 12), (6, 6)), (48, 48), True),
        (((12, 12), (12, 12), (12, 12), (6, 6)), (56, 56), False),
        (((4, 4), (4, 4)), (16, 6), False),
        (((4, 4), (3, 3)), (16, 6), True),
        (((4, 8), (4, 8)), (16, 16), False),
    ],
)
def test_windows_follow_from_one_window_and_a_grid(windows, grid, answer: bool):
    assert follow(windows, grid) == answer


@pytest.mark.parametrize("one_window", [True, False])
def test_published_windows_follow_from_the_usual_size(one_window: bool):
    known = {name: each for name, each in VARIANTS.items() if each.family in ("v1", "v2", "mlp", "moe")}
    found = {name: uncut_size(each.spec, each.size, one_window=one_window) for name, each in known.items()}
    assert found == {name: each.size for name, each in known.items()}


def test_the_smallest_grid_is_the_smallest():
    windows = ((8, 8), (8, 8), (3, 3))
    assert smallest_grid(windows, (2, 2)) == (16, 16)
    assert smallest_grid(((8, 7, 7),) * 4, (1, 2, 2)) == (8, 56, 56)
    assert uncut_size(spec("v2", **TWO, window_sizes=((8, 8), (4, 4))), (256, 256), one_window=True) == (
        32,
        32,
    )
    assert uncut_size(spec(**TWO, window_sizes=((8, 8), (4, 4))), (256, 256), one_window=False) == (256, 256)


def test_a_spec_is_asked_and_not_the_tensors():
    """Without a spec, as when names alone are compared, nothing is known and nothing refused."""
    model = stirred(build(spec(qk_scale=0.5)))
    state = {f"backbone.{name}": tensor for name, tensor in model.state_dict().items()}
    assert DIALECTS["timm"].write(state)
    with pytest.raises(UsageError, match="timm cannot hold this model"):
        DIALECTS["timm"].write(state, model.spec)


HELD = {
    "timm": spec(window_sizes=((8, 8), (4, 4))),
    "timm, V2": spec("v2", window_sizes=((8, 8), (4, 4)), pretrained_window_sizes=((6, 6), (3, 3))),
    "timm-cr": spec("v2-cr", window_sizes=((8, 8), (4, 4))),
    "torchvision": spec(),
    "torchvision, V2": spec("v2"),
    "torchvision-3d": spec("video"),
    "transformers": spec(absolute_grid=(16, 16)),
    "transformers-v2": spec("v2", pretrained_window_sizes=((3, 3),) * 2),
}


@pytest.mark.parametrize("case", HELD)
def test_what_is_held_answers_alike(case: str):
    """So the test above fails where a model cannot be held, and not for another reason."""
    dialect, numbers = case.split(",")[0], HELD[case]
    size = (8, 64, 64) if len(numbers.patch) == 3 else (64, 64)
    ours = twin(
        replace(numbers, border=DIALECTS[dialect].border, clipped_bias=DIALECTS[dialect].clipped_bias)
    )
    library = theirs(dialect, numbers, size)
    library.load_state_dict(DIALECTS[dialect].write(state_of(ours), numbers), strict=True)
    assert difference(ours, library, torch.randn(1, 3, *size)) < CLOSE


@pytest.mark.parametrize("case", [case for case in REFUSED if "it has no" not in REFUSED[case][2]])
def test_the_table_of_the_page_has_every_reason(case: str, root: Path):
    dialect, numbers, _ = REFUSED[case]
    reason = str(DIALECTS[dialect].cannot(numbers))
    lines = (root / "docs" / "convert.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith("|") and f"`{dialect}`" in line.split("|")[1]][-1:]
    general = re.split(r", (?:and (?:this|no)|\d|which there)", reason)[0]
    assert general in row


@pytest.mark.parametrize("dialect", FAMILIES)
def test_the_table_of_the_page_has_the_families(dialect: str, root: Path):
    lines = (root / "docs" / "convert.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{dialect}` | ")][-1:]
    short = {"v1": "V1", "v2": "V2", "v2-cr": "V2-CR", "mlp": "MLP", "moe": "MoE", "video": "Video"}
    assert row.split("|")[2].strip() == ", ".join(short[family] for family in FAMILIES[dialect])
