"""The recipes have the numbers of the released configurations: `facts/recipes.yaml` of the reference data."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.recipes.catalogue import RECIPES, find
from swinkit.settings.recipe import Recipe
from swinkit.tasks.simmim.model import SimMIM
from swinkit.training.param_groups import parameter_groups
from swinkit.zoo.checkpoints import published_checkpoints

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
PER = 512  # pictures, of the rates in the configurations
BLOCKS = {  # of the facts: the recipes that it describes, and their drop-path by the first letter of the size
    "cls_v1_in1k_224": r"imagenet-swin-(t|s|b|t-c24-w8-256)",
    "cls_v2_in1k_256": r"imagenet-swinv2-.*",
    "cls_mlp_in1k": r"imagenet-swin-mlp-.*",
    "cls_in22k_pretrain_v1": r"imagenet-22k-swin-[tsbl]",
    "cls_in22k_pretrain_v2": r"imagenet-22k-swinv2-.*",
    "cls_22k_to_1k_finetune": r"imagenet-22k-1k-.*",
    "cls_384_finetune_from_1k": r"imagenet-swin-b-w12-384",
    "cls_moe_in22k": r"imagenet-22k-swin-moe-.*",
}
WAITING = {  # blocks of tasks to come: what the page calls them, and of which models they are
    "det_mask_rcnn_1x": ("Mask R-CNN", "V1 T"),
    "det_3x": ("Cascade Mask R-CNN", "V1 T, S, B"),
    "det_3x_reppoints": ("Mask RepPoints V2", "V1 T"),
    "det_heads": ("ATSS, Sparse R-CNN, HTC++", "V1 T, B, L"),
    "seg_upernet_160k": ("UPerNet", "V1 T, S, B, L"),
    "video_k400": ("Kinetics-400 and -600", "Video T, S, B"),
    "video_sthv2": ("Something-Something v2", "Video B"),
    "v2_paper_BL": ("UPerNet", "V2 B, L, G"),
}
GIANT_STEPS = {
    "simmim-swinv2-g": "simmim_stage1",
    "22k-ext-swinv2-g": "supervised_stage2",
    "22k-ext-1k-swinv2-g": "imagenet1k_ft",
}
GIANT_WAITING = {
    "coco": ("HTC++ on Objects365 and COCO", "V2 B, L, G"),
    "ade20k": ("UPerNet", "V2 B, L, G"),
    "k400": ("Kinetics-400, two steps", "V2 G"),
}
LETTERS = {"t": "tiny", "s": "small", "b": "base", "l": "large"}


@pytest.fixture(scope="module")
def facts(shared: Path) -> dict[str, Any]:
    """Return the released configurations."""
    import yaml

    return yaml.safe_load((shared / "facts" / "recipes.yaml").read_text(encoding="utf-8"))


def described(pattern: str) -> list[tuple[str, Recipe]]:
    found = [(name, find(name)) for name in RECIPES if re.fullmatch(pattern, name)]
    assert found
    return found


def drop_path_of(name: str, rates: dict[str, float]) -> float:
    size = LETTERS[re.search(r"-([tsbl])(-|$)", name)[1]]
    if "moe" in name and size == "base":
        return rates["base_dense" if name.endswith("dense") else "base_moe"]
    return rates[size]


@pytest.mark.parametrize("block", BLOCKS)
def test_classifiers_are_trained_with_the_released_numbers(facts: dict[str, Any], block: str) -> None:
    told = facts[block]
    for name, recipe in described(BLOCKS[block]):
        times = recipe.run.batch_size / PER
        schedule, optimiser = recipe.schedule, recipe.optimiser
        # What a configuration does not set is Microsoft's default, 5e-7 and 5e-6 with a rate of 5e-4.
        start = told.get("warmup_lr_per_512", told["base_lr_per_512"] / 1000)
        end = told.get("min_lr_per_512", told["base_lr_per_512"] / 100)
        assert optimiser.lr == pytest.approx(told["base_lr_per_512"] * times)
        assert (schedule.warmup_lr, schedule.final_lr) == pytest.approx((start * times, end * times))
        assert (schedule.epochs, schedule.warmup_epochs) == (told["epochs"], told["warmup_epochs"])
        assert recipe.run.batch_size == told["batch_size"]
        assert optimiser.weight_decay == told["weight_decay"]
        assert optimiser.clip_norm == told["clip_grad_norm"]
        assert recipe.drop_path == drop_path_of(name, told["drop_path"])
        assert schedule.kind == "cosine"
        assert schedule.after_warmup
        assert (optimiser.betas, optimiser.eps) == ((0.9, 0.999), 1e-8)


def test_all_classifiers_are_trained_on_the_same_changed_pictures(facts: dict[str, Any]) -> None:
    told = facts["common_classification"]["augment"]
    crop = told["random_resized_crop"]
    for _, recipe in described(r"imagenet-.*|simmim-imagenet-.*"):
        changed = recipe.augmentation
        assert (list(changed.scale), changed.flip) == (crop["scale"], told["hflip"])
        assert changed.ratio == pytest.approx(crop["ratio"], abs=1e-4)
        assert (changed.mixup, changed.cutmix, changed.mixing, changed.switch) == (
            told["mixup"],
            told["cutmix"],
            told["mix_prob"],
            told["switch_prob"],
        )
        assert told["rand_augment"] == f"rand-m{changed.magnitude:g}-mstd{changed.magnitude_std:g}-inc1"
        assert changed.erase == told["random_erasing"]["prob"]
        assert changed.smoothing == facts["common_classification"]["loss"]["label_smoothing"]
        assert recipe.data.interpolation == crop["interpolation"]


@pytest.mark.parametrize(("name", "block"), [("", "800ep"), ("-100ep", "100ep")])
def test_simmim_is_pretrained_with_the_released_numbers(facts: dict[str, Any], name: str, block: str) -> None:
    common, told = facts["simmim_pretrain"], facts["simmim_pretrain"][block]
    for _, recipe in described(rf"simmim-swin(v2)?-[bl]-w\d+-192{name}"):
        times = recipe.run.batch_size / PER
        schedule = recipe.schedule
        assert recipe.run.batch_size == common["batch_size"]
        assert recipe.optimiser.weight_decay == common["weight_decay"]
        assert recipe.optimiser.rule == "simmim-pretrain"
        assert recipe.optimiser.lr == pytest.approx(told["base_lr_per_512"] * times)
        assert schedule.warmup_lr == pytest.approx(told["warmup_lr_per_512"] * times)
        assert (schedule.epochs, schedule.warmup_epochs) == (told["epochs"], told["warmup_epochs"])
        if block == "800ep":
            assert (list(schedule.at), schedule.factor) == (told["steps_epochs"], told["gamma"])
            assert schedule.kind == told["schedule"]
        else:
            assert schedule.final_lr == pytest.approx(told["min_lr_per_512"] * times)
            assert not schedule.after_warmup
        changed = recipe.augmentation
        crop = common["augment"]["random_resized_crop"]
        assert list(changed.scale) == crop["scale"]
        assert list(changed.ratio) == pytest.approx(crop["ratio"], abs=1e-4)
        assert changed.flip == common["augment"]["hflip"]
        assert recipe.data.interpolation == "bilinear"
        mask = common["mask"]
        assert (recipe.masking.patch, recipe.masking.ratio) == (mask["patch"], mask["ratio"])
        require_optimiser(recipe, common)
        assert {changed.operations} == {0}
        assert recipe.drop_path == (0.1 if "v2" in recipe.variant else 0.0)


def test_simmim_is_finetuned_with_the_released_numbers(facts: dict[str, Any]) -> None:
    told = facts["simmim_finetune"]
    decays = {
        "swin-b": "swin_base_800ep",
        "swin-b-100ep": "swin_base_100ep",
        "swin-b-w6-192-100ep": "swin_base_100ep",
        "swin-l-w14": "swin_large_800ep",
        "swinv2-b-w14-224-from12": "swinv2_base_800ep",
    }
    for name, recipe in described(r"simmim-imagenet-.*"):
        key = decays[name.removeprefix("simmim-imagenet-")]
        times = recipe.run.batch_size / PER
        schedule = recipe.schedule
        assert recipe.optimiser.layer_decay == told["layer_decay"][key]
        assert recipe.drop_path == told["drop_path"][re.sub(r"_\d+ep", "", key)]
        assert recipe.optimiser.lr == pytest.approx(told["base_lr_per_512"] * times)
        assert schedule.warmup_lr == pytest.approx(told["warmup_lr_per_512"] * times)
        assert schedule.final_lr == pytest.approx(told["min_lr_per_512"] * times)
        assert (schedule.epochs, schedule.warmup_epochs) == (told["epochs"], told["warmup_epochs"])
        assert (recipe.run.batch_size, recipe.optimiser.weight_decay) == (2048, told["weight_decay"])
        require_optimiser(recipe, told)
        size, model = recipe.data.size[0], re.sub(r"_\d+ep", "", key)
        window = told["windows"][model][str(size) if str(size) in told["windows"][model] else size]
        assert VARIANTS[recipe.variant].spec.window_sizes[0] == (window, window)


def require_optimiser(recipe: Recipe, told: dict[str, Any]) -> None:
    """Return the settings that all of SimMIM's configurations share."""
    optimiser = told["optimizer"]
    assert (recipe.optimiser.kind, recipe.optimiser.eps) == (optimiser["name"].lower(), optimiser["eps"])
    assert list(recipe.optimiser.betas) == optimiser["betas"]
    assert recipe.optimiser.clip_norm == told["clip_grad_norm"]


def test_experts_are_as_released(facts: dict[str, Any]) -> None:
    told = facts["cls_moe_in22k"]["moe"]
    blocks = tuple(tuple(block for block in stage if block >= 0) for stage in told["blocks"])
    for _, recipe in described(r"imagenet-22k-swin-moe-.*"):
        spec = VARIANTS[recipe.variant].spec
        assert spec.mlp_output_bias == told["mlp_fc2_bias"]
        if recipe.variant.endswith("-dense"):
            assert spec.initial_std == told["dense_init_std"]
            continue
        assert spec.moe_blocks == blocks
        assert (spec.top_k, spec.capacity_factor) == (told["top_k"], told["capacity_factor"])
        assert (spec.router_noise, spec.router_dim) == (told["gate_noise"], told["cosine_router"]["dim"])
        assert (spec.batch_prioritised, spec.normalise_gates) == (told["bpr"], told["normalize_gate"])
        assert (spec.balance_weight, spec.expert_dropout) == (told["aux_loss_weight"], told["moe_drop"])
        assert spec.initial_std == told["init_std"]


@pytest.mark.parametrize(("name", "step"), GIANT_STEPS.items())
def test_the_giant_is_trained_with_the_printed_numbers(facts: dict[str, Any], name: str, step: str) -> None:
    told, recipe = facts["v2_paper_giant"][step], find(name)
    optimiser, schedule = recipe.optimiser, recipe.schedule
    assert (optimiser.lr, optimiser.weight_decay) == (told["lr"], told["weight_decay"])
    assert (optimiser.clip_norm, optimiser.layer_decay) == (told["clip"], told.get("layer_decay"))
    assert (recipe.run.batch_size, schedule.epochs) == (told["batch"], told["epochs"])
    assert recipe.drop_path == told.get("drop_path", 0.0)
    assert recipe.data.size == (told.get("size", 192),) * 2
    if "warmup_steps" in told:
        assert schedule.warmup_epochs == pytest.approx(
            told["warmup_steps"] / (70e6 / told["batch"]), rel=1e-3
        )
    else:
        assert schedule.warmup_epochs == told["warmup_epochs"]


def test_every_block_of_the_facts_has_recipes_or_waits_for_its_task(facts: dict[str, Any]) -> None:
    common = {"common_classification"}  # what the blocks of classifiers share
    others = {"simmim_pretrain", "simmim_finetune", "v2_paper_giant"}
    assert set(facts) == set(BLOCKS) | common | others | set(WAITING)
    rows = re.findall(
        r"^\| (.+) \| (.+) \| (?:detection|segmentation|video) \|$", PAGE.read_text("utf-8"), re.M
    )
    for part, (training, models) in [*WAITING.items(), *GIANT_WAITING.items()]:
        assert any(training in row and models in of for row, of in rows), part
    assert set(facts["v2_paper_giant"]) == {*GIANT_STEPS.values(), *GIANT_WAITING}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_models_that_there_are_and_tells_its_story(name: str) -> None:
    known = RECIPES[name]
    recipe = known()
    assert recipe.variant in VARIANTS
    assert recipe.data.size == VARIANTS[recipe.variant].size
    assert recipe.init is None or recipe.init in published_checkpoints()
    assert known.checkpoint is None or published_checkpoints()[known.checkpoint].variant == recipe.variant
    assert re.search(r"`swinkit train [\w-]+ data=\S+ out=\S+", known.story)
    for word in ("Hardware: ", "Result: " if name.startswith(("cifar10", "finetune")) else "Hours: "):
        assert word in known.story


@pytest.mark.parametrize("name", {known.make: name for name, known in RECIPES.items()}.values())
def test_a_recipe_of_each_kind_describes_a_model_and_its_optimiser(name: str) -> None:
    recipe = find(name)
    with torch.device("meta"):
        backbone = build(replace(VARIANTS[recipe.variant].spec, drop_path=recipe.drop_path))
        model = SimMIM(backbone) if recipe.task == "simmim" else backbone
    groups = parameter_groups(model, recipe.optimiser)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    layers = sum(backbone.spec.depths) + 1 if recipe.optimiser.layer_decay else 1
    assert len({group["lr"] for group in groups}) == layers


def test_pictures_are_cut_as_microsoft_evaluates() -> None:
    fitted = {
        recipe.data.size[0]: recipe.data.resize for _, recipe in described(r"imagenet-.*|simmim-imagenet-.*")
    }
    assert fitted == {192: 219, 224: 256, 256: 292, 384: None}


def test_published_results_in_the_stories_are_those_of_the_checkpoints() -> None:
    for name, known in RECIPES.items():
        reported = published_checkpoints()[known.checkpoint].reported if known.checkpoint else {}
        if "top1" in reported:
            assert f"{reported['top1']:.1f}" in known.story or f"{reported['top1']:.2f}" in known.story, name
