"""The table of published checkpoints: whole, true to what was published, and found by any of its names."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import swinkit
from swinkit.data.preprocess import Preprocess
from swinkit.errors import UsageError
from swinkit.heads.pyramid import Pyramid
from swinkit.models.build import build
from swinkit.models.catalogue import ALIASES
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.simmim.model import SimMIM
from swinkit.weights.dialect_table import DIALECTS
from swinkit.weights.load import canonical
from swinkit.zoo.checkpoints import Checkpoint, aliases, find_checkpoint, published_checkpoints

REPORTED = {  # as the reference facts name them: as we do
    "top1": "top1",
    "top5": "top5",
    "box_AP": "box_ap",
    "mask_AP": "mask_ap",
    "mIoU": "miou",
    "mIoU_ms_flip": "miou_multiscale",
    "in22k_top1": "top1",
    "in1k_ft_top1": "top1_imagenet_1k_finetuned",
    "in1k_5shot_linear_top1": "top1_imagenet_1k_5shot",
}
TASKS = {
    "classification": "classification",
    "simmim_pretrain": "pre-training",
    "detection": "detection",
    "detection+instance_seg": "detection",
    "semantic_segmentation": "segmentation",
    "video_classification": "video-classification",
}
ROWS = list(published_checkpoints().values())


@pytest.fixture(scope="module")
def facts(shared: Path) -> dict[str, Any]:
    """Return the published checkpoints of the project's reference data."""
    import yaml

    return yaml.load((shared / "facts" / "variants.yaml").read_text(), yaml.CSafeLoader)


def by_address() -> dict[str, Checkpoint]:
    return {row.address: row for row in ROWS}


def test_every_published_file_has_its_row_with_its_numbers(facts: dict[str, Any]) -> None:
    models = [model for model in facts["models"] if model.get("url")]
    assert len(models) > 60
    for model in models:
        row = by_address()[model["url"]]
        wanted = {REPORTED[key]: value for key, value in model["published"].items() if key in REPORTED}
        assert row.reported == {key: value for key, value in wanted.items() if value is not None}, row.name
        assert row.task == TASKS[model["task"]], row.name
        assert row.classes == model["num_classes"], row.name
        assert model["name"] in row.aliases, row.name


def test_the_models_of_the_study_of_data_scaling_are_there(facts: dict[str, Any]) -> None:
    rows = [row for model in facts["models"] for row in model.get("rows", ())]
    assert len(rows) == 63
    for row in rows:
        before, after = by_address()[row["pretrain_url"]], by_address()[row["finetune_url"]]
        assert before.reported == {"l1_loss": row["val_l1_loss"]}
        assert after.reported == {"top1": row["ft_top1"]}
        assert (before.task, after.task) == ("pre-training", "classification")
        for name in (before.dataset, after.dataset):
            assert f"{row['pretrain_data'].lower().replace(' ', '-').replace('%', 'percent')}-" in name
            assert name.endswith(row["iterations"])


def test_a_model_in_the_table_is_of_the_published_size(facts: dict[str, Any]) -> None:
    for model in facts["models"]:
        if not model.get("url") or model["family"] == "moe":
            continue
        spec, depths = VARIANTS[by_address()[model["url"]].variant].spec, tuple(model["depths"])
        assert (spec.embed_dim, spec.depths) == (model["embed_dim"], depths), model["name"]
        assert spec.num_heads == tuple(model["num_heads"]), model["name"]
        window = model["window_size"]
        assert spec.window_sizes[0] == (tuple(window) if isinstance(window, list) else (window, window))


def test_torchvisions_weights_are_there_as_it_has_them(facts: dict[str, Any]) -> None:
    import torchvision

    for key, told in facts["peer_weights"]["torchvision"].items():
        builder, entry = key.split()
        weights = getattr(torchvision.models.get_model_weights(builder), entry)
        row = by_address()[weights.url]
        assert row.reported == {"top1": told["top1"], "top5": told["top5"]}
        assert row.sha256 is not None
        assert weights.url.endswith(f"-{row.sha256}.pth")
        presets = weights.transforms()
        fit = Preprocess.to_crop(**(row.preprocess or {}))
        assert ([fit.resize], list(fit.crop)[-1:]) == (
            list(presets.resize_size),
            list(presets.crop_size)[-1:],
        )
        assert fit.interpolation == presets.interpolation.value
        assert (list(fit.mean), list(fit.std)) == (list(presets.mean), list(presets.std))


def test_timms_weights_are_there_as_it_has_them(facts: dict[str, Any]) -> None:
    for key, told in facts["peer_weights"]["timm"].items():
        row = by_address()[f"hf:{told['hf_hub_id']}"]
        fit = Preprocess.to_crop(**(row.preprocess or {}))
        assert fit.crop == tuple(told["input_size"][1:])
        assert fit.resize == int(fit.crop[0] / told["crop_pct"])
        assert row.classes == told["num_classes"]
        assert find_checkpoint(key) == row
        assert told["source_url"] in by_address()


def test_every_row_is_sound() -> None:
    for row in ROWS:
        variant = VARIANTS[row.variant]
        rules = {
            "a known dialect": row.dialect is None or row.dialect in DIALECTS,
            "pictures of its size": row.preprocess is None
            or Preprocess.to_crop(**row.preprocess).crop == row.size[-2:],
            "a known task": row.task in TASKS.values(),
            "classes": (row.classes > 0) == (row.task != "pre-training"),
            "a hash": row.sha256 is None or re.fullmatch(r"[0-9a-f]{8,64}", row.sha256) is not None,
            "an address": row.address.startswith(("https://", "hf:", "package:")),
            "a licence": row.licence in ("MIT", "Apache-2.0", "BSD-3-Clause", "see source"),
            "the model's size": "classification" not in row.task or row.size[-2:] == variant.size[-2:],
        }
        assert [rule for rule, holds in rules.items() if not holds] == [], row.name


def shell(task: str, variant: str, classes: int) -> nn.Module:
    """Return a model without values, of the kind that a checkpoint for this task is loaded into."""
    with torch.device("meta"):
        swin = build(VARIANTS[variant].spec)
        if task == "pre-training":
            return SimMIM(swin)
        if task in ("detection", "segmentation"):
            return Pyramid(swin, (0, 1, 2, 3))
        fit = Preprocess.to_crop(crop=(32, 32), resize=32)
        return Classifier(swin, [str(i) for i in range(classes)], fit)


KINDS = sorted({(row.variant, row.task, row.dialect) for row in ROWS if row.dialect is not None})


@pytest.mark.parametrize(("variant", "task", "dialect"), KINDS)
def test_a_rows_model_has_a_name_for_each_tensor_in_its_dialect(
    variant: str, task: str, dialect: str
) -> None:
    state = canonical(shell(task, variant, 10))
    theirs = DIALECTS[dialect].write(state)
    match = DIALECTS[dialect].match(theirs)
    assert match is not None
    assert match.is_whole
    assert not match.unexplained
    given = {name for move in match.moves for name in move.given}
    assert given >= set(state)
    assert all(name.endswith("experts.fc2_bias") for name in given - set(state))  # zeros, where it is off


def test_no_hash_is_there_that_nobody_published() -> None:
    for row in ROWS:
        assert row.sha256 is None or row.sha256 in row.address, row.name


def test_no_alias_is_a_name_or_given_twice() -> None:
    given = [alias for row in ROWS for alias in row.aliases]
    assert len(given) == len(set(given)) == len(aliases())
    assert not set(given) & set(published_checkpoints())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("swin-t/imagenet-1k", "swin-t/imagenet-1k"),
        ("swin-pico", "swin-pico/cifar-10"),
        ("swin_tiny_patch4_window7_224", "swin-t/imagenet-1k"),
        ("swin_tiny_patch4_window7_224.ms_in1k", "swin-t/imagenet-1k-timm"),
        ("swin_base_patch4_window7_224_22kto1k", "swin-b/imagenet-22k-1k"),
        ("swin_t-704ceda3", "swin-t/imagenet-1k-torchvision"),
        ("Swin_T_Weights.IMAGENET1K_V1", "swin-t/imagenet-1k-torchvision"),
        ("microsoft/swin-tiny-patch4-window7-224", "swin-t/imagenet-1k-transformers"),
        ("mask_rcnn_swin_tiny_patch4_window7", "swin-t/coco-mask-rcnn"),
        ("swin_t/coco-mask-rcnn", "swin-t/coco-mask-rcnn"),
        ("simmim_pretrain__swin_base__img192_window6__800ep", "swin-b-w6-192/simmim-imagenet-1k"),
        ("swin-moe-s-8e", "swin-moe-s-8e/imagenet-22k"),
    ],
)
def test_a_checkpoint_is_found_by_any_of_its_names(name: str, found: str) -> None:
    assert find_checkpoint(name).name == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swin-t", r"several checkpoints are of swin-t; name one: swin-t/imagenet-1k, .* and \d+ more"),
        ("swin-t/imagenet1k", "did you mean 'swin-t/imagenet-1k'"),
        ("swin-t/my-own-pictures-of-last-summer", r"no such .*\(of swin-t there are swin-t/imagenet-1k"),
        ("swin_tiny_patch4_window7_244", "did you mean 'swin_tiny_patch4_window7_224'"),
        ("swinv2-g", "no published weights of swinv2-g are known"),
        ("resnet-50", "no such file, folder or checkpoint$"),
    ],
)
def test_what_is_not_there_is_explained(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_checkpoint(name)


def test_checkpoints_are_listed_by_model() -> None:
    assert [row.name for row in swinkit.checkpoints("swin_mlp_base_patch4_window7_224")] == [
        "swin-mlp-b/imagenet-1k"
    ]
    assert len(swinkit.checkpoints()) == len(ROWS)
    with pytest.raises(UsageError, match="did you mean 'swin-t'"):
        swinkit.checkpoints("swin-tt")


def test_every_checkpoint_of_a_model_is_found_by_its_stem_as_the_model_is() -> None:
    """A stem that names both a model and a file of it names the same model."""
    for alias, name in aliases().items():
        assert ALIASES.get(alias, name.partition("/")[0]) == name.partition("/")[0]
