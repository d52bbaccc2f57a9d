"""Entries beside a model, such as losses, are set aside and reported, unless they could be part of it."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.optim.swa_utils import AveragedModel

import swinkit
from swinkit.errors import DataError, UsageError
from swinkit.files.tensors import read_contents
from swinkit.tasks.multi_label.model import MultiLabel
from swinkit.weights.beside import is_average, is_record, plain_name
from swinkit.weights.load import export_weights

from ..models.small import pixels
from .models import classifier

State = dict[str, Tensor]
SOURCE = classifier(border="roll-first")
TIMM = export_weights(SOURCE, "timm")


def load(path: Path, content: object, **options: Any) -> tuple[Any, str]:
    """Return the model in a file of `content`, and the report."""
    torch.save(content, path / "a.pth")
    told: list[str] = []
    model = swinkit.load(path / "a.pth", **options, reporting=told.append)
    return model, told[0]


def under(prefix: str, state: State = TIMM) -> State:
    """Return the tensors with a prefix before their names."""
    return {prefix + name: tensor for name, tensor in state.items()}


def within(part: str) -> State:
    """Return the tensors of a classifier in which every stage is wrapped once more."""
    return {name.replace("layers.0.", f"layers.0.{part}."): tensor for name, tensor in TIMM.items()}


def averaged(wrapped: Callable[[nn.Module], nn.Module]) -> State:
    """Return the state of torch's average of a module with timm's names."""
    module = nn.Module()
    for name, tensor in TIMM.items():
        *path, last = name.split(".")
        inside = module
        for part in path:
            if not hasattr(inside, part):
                inside.add_module(part, nn.Module())
            inside = getattr(inside, part)
        inside.register_buffer(last, tensor)
    return AveragedModel(wrapped(module)).state_dict()


METRICS = {
    "criterion.weight": torch.ones(5),
    "loss_fn.pos_weight": torch.ones(5),
    "train_acc.tp": torch.zeros(5),
    "val_metrics.MulticlassF1Score.total": torch.tensor(3),
    "class_weights": torch.ones(5),
}
WRAPPED = {
    "averaged": lambda: averaged(lambda module: module),
    "averaged, data parallel": lambda: averaged(nn.DataParallel),
    "mmengine's average": lambda: under("module.") | {"steps": torch.tensor(4)},
    "compiled, distributed": lambda: under("_orig_mod.module."),
    "distributed, compiled, in a trainer": lambda: {"state_dict": under("model.module._orig_mod.")},
    "a compiled stage": lambda: within("_orig_mod"),
    "a sharded and recomputed stage": lambda: within("_fsdp_wrapped_module._checkpoint_wrapped_module"),
    "profiled": lambda: TIMM | {"layers.0.total_ops": torch.zeros(1), "total_params": torch.zeros(1)},
    "loss and metrics": lambda: {
        "state_dict": under("model.") | METRICS,
        "optimizer_states": [{"state": {}}],
    },
    "flat": lambda: TIMM | METRICS | {"epoch": 3, "best": None, "rows": torch.zeros(0), 7: "seven"},
    "a wrapper of another name": lambda: {"weights": TIMM, "optimizer": {"state": {0: {"m": torch.ones(3)}}}},
    "a slow copy": lambda: (
        under("model.") | under("model_ema.", copies()) | {"model_ema.decay": torch.ones(1)}
    ),
}


def copies() -> State:
    """Return other weights of the same names."""
    return {name: tensor + 1 for name, tensor in TIMM.items()}


@pytest.mark.parametrize("case", WRAPPED)
def test_a_wrapped_model_answers_as_it_did(tmp_path: Path, case: str):
    model, report = load(tmp_path, WRAPPED[case]())
    x = pixels()
    assert torch.equal(model(x), SOURCE(x))
    assert "missing" not in report


def test_what_is_set_aside_is_told(tmp_path: Path):
    _, report = load(tmp_path, {"state_dict": under("model.") | METRICS, "epoch": 3})
    assert "unused           5: `criterion.weight`, `loss_fn.pos_weight` and 3 more" in report
    assert "opened: `state_dict`; left alone: `epoch`" in report
    _, report = load(tmp_path, TIMM | {"epoch": 3, "empty": torch.zeros(0)})
    assert "\n  left alone: `epoch`, `empty`" in report


def test_one_of_two_models_is_chosen_by_what_its_names_begin_with(tmp_path: Path):
    model, _ = load(tmp_path, WRAPPED["a slow copy"](), entry="model_ema")
    assert torch.equal(model.backbone.embed.proj.weight, SOURCE.backbone.embed.proj.weight + 1)
    twins = under("left.") | under("right.")
    with pytest.raises(DataError, match=r"two models .*, under `left\.`, `right\.`; .*entry='right'"):
        load(tmp_path, twins)
    wrapped = under("module.left.") | under("module.right.")
    with pytest.raises(DataError, match=r"entry='module\.right'"):
        load(tmp_path, wrapped)
    assert len(load(tmp_path, wrapped, entry="module.right")[0].labels) == 5
    model, report = load(tmp_path, twins, entry="right")
    x = pixels()
    assert torch.equal(model(x), SOURCE(x))
    assert "left alone: `left." in report
    with pytest.raises(UsageError, match=r"tensors in `one`, `two`; choose one: entry='one', or --entry one"):
        load(tmp_path, {"one": TIMM, "two": copies()})
    with pytest.raises(UsageError, match="no dictionary 'three' to open, and no tensors whose names begin"):
        load(tmp_path, twins, entry="three")


OPTIMISERS = {
    name: kind
    for name, kind in vars(optim).items()
    if inspect.isclass(kind) and issubclass(kind, optim.Optimizer) and kind is not optim.Optimizer
}
SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "LambdaLR": lambda x: optim.lr_scheduler.LambdaLR(x, lambda _: 1.0),
    "MultiplicativeLR": lambda x: optim.lr_scheduler.MultiplicativeLR(x, lambda _: 1.0),
    "StepLR": lambda x: optim.lr_scheduler.StepLR(x, 2),
    "MultiStepLR": lambda x: optim.lr_scheduler.MultiStepLR(x, [1, 2]),
    "ConstantLR": optim.lr_scheduler.ConstantLR,
    "LinearLR": optim.lr_scheduler.LinearLR,
    "ExponentialLR": lambda x: optim.lr_scheduler.ExponentialLR(x, 0.9),
    "PolynomialLR": optim.lr_scheduler.PolynomialLR,
    "CosineAnnealingLR": lambda x: optim.lr_scheduler.CosineAnnealingLR(x, 3),
    "CosineAnnealingWarmRestarts": lambda x: optim.lr_scheduler.CosineAnnealingWarmRestarts(x, 3),
    "CyclicLR": lambda x: optim.lr_scheduler.CyclicLR(x, 0.1, 0.2),
    "OneCycleLR": lambda x: optim.lr_scheduler.OneCycleLR(x, 0.1, 10),
    "ReduceLROnPlateau": optim.lr_scheduler.ReduceLROnPlateau,
    "SequentialLR": lambda x: optim.lr_scheduler.SequentialLR(
        x, [optim.lr_scheduler.ConstantLR(x), optim.lr_scheduler.StepLR(x, 2)], [1]
    ),
    "ChainedScheduler": lambda x: optim.lr_scheduler.ChainedScheduler([optim.lr_scheduler.StepLR(x, 2)]),
    "SWALR": lambda x: optim.swa_utils.SWALR(x, 0.1),
}


@pytest.mark.filterwarnings("ignore")
def test_the_state_of_every_optimiser_and_schedule_is_passed_over(tmp_path: Path):
    faults, beside = [], {}
    for name, kind in OPTIMISERS.items():
        weights = [nn.Parameter(torch.ones(3, 3))]
        try:
            optimiser = kind([*zip("w", weights, strict=True)] if name == "Muon" else weights)
            weights[0].grad = torch.ones(3, 3)
            optimiser.step(*[lambda: 1.0] * (name == "LBFGS"))
        except RuntimeError:  # SparseAdam wants another gradient
            pass
        beside[name] = optimiser.state_dict()
    for name, make in SCHEDULES.items():
        beside[name] = make(optim.SGD([nn.Parameter(torch.ones(3))], lr=0.1, momentum=0.9)).state_dict()
    for name, state in beside.items():
        torch.save({"model": {"a": torch.ones(2)}, "state": state, "all": [state]}, tmp_path / "a.pth")
        try:
            found = read_contents(tmp_path / "a.pth")
        except DataError as error:
            faults.append(f"{name}: {error}")
            continue
        if list(found.state) != ["a"] or found.ignored != ("state", "all"):
            faults.append(f"{name}: {found}")
    assert not faults
    assert len(beside) > 25


@pytest.mark.parametrize(
    "name",
    [
        "lightning.fabric.utilities.data.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
        "lightning.pytorch.utilities.parsing.AttributeDict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.nodes.AnyNode",
    ],
)
def test_the_hyperparameters_of_a_trainer_are_passed_over(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    """Written as their libraries write them, and read without these."""
    place, _, last = name.rpartition(".")
    kind = type(last, (dict,) if last == "AttributeDict" else (), {"__module__": place})
    with monkeypatch.context() as patch:
        for part in [place[:end] for end, mark in enumerate(place + ".") if mark == "."]:
            patch.setitem(sys.modules, part, ModuleType(part))
        setattr(sys.modules[place], last, kind)
        made = kind()
        made.__dict__["rate"] = {"kind": Any, "value": 3}
        torch.save({"state_dict": TIMM, "hyper_parameters": made}, tmp_path / "a.ckpt")
    contents = read_contents(tmp_path / "a.ckpt")
    assert (len(contents.state), contents.ignored) == (len(TIMM), ("hyper_parameters",))


def renamed(new: str) -> State:
    """Return timm's tensors with another name of the classifier."""
    return {name.replace("head.fc", new): tensor for name, tensor in TIMM.items()}


@pytest.mark.parametrize("name", ["head.1", "head.fc.1", "classifier.1", "classifier", "fc"])
@pytest.mark.parametrize("prefix", ["", "model.", "module._orig_mod."])
def test_a_classifier_behind_a_dropout_is_one(tmp_path: Path, name: str, prefix: str):
    model, report = load(tmp_path, under(prefix, renamed(name)))
    x = pixels()
    assert torch.equal(model(x), SOURCE(x))
    assert (
        f"classifier: {prefix}{name}; layers before it have no weights, and are taken for dropouts" in report
    )


def test_what_openmmlab_says_of_a_head_of_several_labels_is_heeded(tmp_path: Path):
    state = export_weights(SOURCE, "openmmlab")
    for kind, key in (("MultiLabelLinearClsHead", "cfg"), ("CSRAMultiLabelHead", "config")):
        meta = {key: f"model = dict(head=dict(type='{kind}', num_classes=5))"}
        several, _ = load(tmp_path, {"meta": meta, "state_dict": state})
        assert isinstance(several, MultiLabel)
        assert torch.equal(several.head.classifier.weight, SOURCE.head.classifier.weight)
        bare, _ = load(tmp_path, {"meta": meta, "state_dict": state}, head="none")
        assert torch.equal(bare.embed.proj.weight, SOURCE.backbone.embed.proj.weight)
    meta = {"cfg": "model = dict(head=dict(type='LinearClsHead', num_classes=5))"}
    model, _ = load(tmp_path, {"meta": meta, "state_dict": state})
    assert torch.equal(model.head.classifier.weight, SOURCE.head.classifier.weight)


CLASSIFIERS = {
    "microsoft": ("head.", "head.1."),
    "torchvision": ("head.", "head.1."),
    "transformers": ("classifier.", "classifier.1."),
    "transformers-legacy": ("classifier.", "classifier.2."),
    "openmmlab": ("head.fc.", "head.fc.1."),
}


@pytest.mark.parametrize("dialect", CLASSIFIERS)
def test_so_is_one_in_the_names_of_every_library(tmp_path: Path, dialect: str):
    known, behind = CLASSIFIERS[dialect]
    theirs = export_weights(SOURCE, dialect)
    moved = {name.replace(known, behind) if name.startswith(known) else name: x for name, x in theirs.items()}
    assert moved.keys() != theirs.keys()
    model, report = load(tmp_path, moved)
    assert torch.equal(model.head.classifier.weight, SOURCE.head.classifier.weight)
    assert f"classifier: {behind.rstrip('.')}; layers before it" in report


LAYERS = {"head.fc.3.weight": torch.ones(5, 5), "head.fc.3.bias": torch.ones(5)}
UNKNOWN = {
    "two layers": lambda: renamed("head.fc.0") | LAYERS,
    "a norm before": lambda: (
        renamed("head.fc.1") | {"head.fc.0.weight": torch.ones(24), "head.fc.0.bias": torch.ones(24)}
    ),
    "other widths": lambda: {
        name: tensor[:, :8] if name == "head.1.weight" else tensor
        for name, tensor in renamed("head.1").items()
    },
    "a second head": lambda: TIMM | {"head_dist.weight": torch.ones(5, 24), "head_dist.bias": torch.ones(5)},
    "a projection": lambda: renamed("projection"),
    "an adapter": lambda: TIMM | {"adapter.weight": torch.ones(3)},
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_head_is_refused_and_left_out_if_asked(tmp_path: Path, case: str):
    content = UNKNOWN[case]()
    with pytest.raises(DataError, match="the backbone fits, but swinkit has no such head: head='none'"):
        load(tmp_path, content)
    x = pixels()
    bare, report = load(tmp_path, content, head="none")
    assert all(torch.equal(a, b) for a, b in zip(bare(x), SOURCE.backbone(x), strict=True))
    assert "no head, as asked" in report
    assert "unused" in report
    new, _ = load(tmp_path, content, head="new", labels=["a", "b"])
    assert torch.equal(new.backbone(x)[-1], SOURCE.backbone(x)[-1])
    assert new.labels == ("a", "b")


@pytest.mark.parametrize("head", ["same", "none", "new"])
@pytest.mark.parametrize(
    "name", ["layers.0.blocks.0.attn.extra", "layers.0.loss.weight", "patch_embed.norm2.bias"]
)
def test_a_part_of_the_backbone_is_never_set_aside(tmp_path: Path, head: str, name: str):
    with pytest.raises(DataError, match=f"1 unexpected .`model.{name}`.; name the model"):
        load(tmp_path, under("model.", TIMM | {name: torch.ones(3)}), head=head, labels=list("abcde"))


def test_names():
    records = [
        "criterion.weight",
        "ce_loss.weight",
        "train_acc1.total",
        "top5",
        "n_averaged",
        "optimizer.state",
    ]
    parts = [
        "acc_head.weight",
        "score.weight",
        "fc.weight",
        "f.weight",
        "top.weight",
        "neck.loss.w",
        "steps.weight",
    ]
    assert [name for name in [*records, *parts] if is_record(name)] == records
    averages = ["ema_model.", "teacher.backbone.", "averaged_model.module.", "encoder_k.", "modelEma."]
    models = ["", "model.", "schema.", "module.backbone.", "encoder."]
    assert [name for name in [*averages, *models] if is_average(name)] == averages
    assert plain_name("module.layers_1.blocks.0._orig_mod.attn.w") == "layers.1.blocks.0.attn.w"
    assert plain_name("class_1.weight") == "class_1.weight"


TINY = {"depths": (2, 2), "num_heads": (2, 4), "embed_dim": 16}


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [(0, 1), (0,), (1,)])
def test_a_feature_network_of_timm_gives_its_features_here(tmp_path: Path, outputs: tuple[int, ...]):
    """Alone, and as a library of segmenters saves it."""
    import timm

    name = "swin_tiny_patch4_window7_224"
    theirs = timm.create_model(name, features_only=True, out_indices=outputs, **TINY).eval()
    state = theirs.state_dict()
    around = {"decoder.blocks.0.conv1.0.weight": torch.ones(2), "segmentation_head.0.bias": torch.ones(2)}
    x = torch.randn(1, 3, 224, 224)
    for content in (state, {"state_dict": under("encoder.model.", state) | around}):
        bare, report = load(tmp_path, content)
        assert len(bare(x)) == 1 + max(outputs)
        ours = [bare(x)[stage] for stage in outputs]
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs(x), strict=True))
        assert ("`decoder.blocks.0.conv1.0.weight`" in report) == (content is not state)
