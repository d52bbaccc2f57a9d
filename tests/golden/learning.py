"""Cases of learning: rates over a training, and the groups of parameters, as published code makes them.

Their answers are numbers in JSON; they become tensors here and are compared as all others.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from swinkit.errors import DataError
from swinkit.models.build import build
from swinkit.settings.optimiser import Optimiser, Rule
from swinkit.settings.schedule import Schedule, learning_rate
from swinkit.tasks.simmim.model import SimMIM
from swinkit.training.param_groups import parameter_groups
from swinkit.weights.dialect import taken_once
from swinkit.weights.dialect_table import dialect_named
from tests.models.small import Headed

from . import microsoft, microsoft_moe, openmmlab
from .case import Case, NotCovered
from .reference import Reference

Groups = dict[str, dict[str, Any] | None]  # by parameter; None: it is not trained
NOT_TRAINED = -1.0
# The rates of parameters are smaller than the absolute tolerances that most of these cases state, so all must
# agree as the strictest of them says.
EXACT = {"rtol": 1e-12, "atol": 0.0}
SCHEDULER: dict[str, Any] = {  # of Microsoft's config.py
    "NAME": "cosine",
    "DECAY_EPOCHS": 30,
    "DECAY_RATE": 0.1,
    "WARMUP_PREFIX": True,
    "GAMMA": 0.1,
    "MULTISTEPS": [],
}
DEFAULTS = {
    "swin": microsoft.V1,
    "swinv2": microsoft.V2,
    "swin_mlp": microsoft.V1,
    "swin_moe": microsoft_moe.DEFAULTS,
}
TWINS: dict[str, Callable[[dict[str, Any]], Reference]] = {
    "swin": microsoft.v1,
    "swinv2": microsoft.v2,
    "swin_mlp": microsoft.mlp,
    "swin_moe": microsoft_moe.moe,
}
MODES: dict[str, Rule] = {
    "": "microsoft",
    "supervised": "microsoft",
    "simmim_finetune": "microsoft",
    "simmim_pretrain": "simmim-pretrain",
}
EXCEPTIONS = ("absolute_pos_embed", "relative_position_bias_table", "norm")
FREE = {name: {"decay_mult": 0.0} for name in EXCEPTIONS}
CUSTOM_KEYS: list[tuple[dict[str, Any], Rule]] = [
    (FREE, "openmmlab"),
    ({**FREE, "backbone": {"lr_mult": 0.1}}, "video"),
]
FORKS = {"Object-Detection": "det", "Semantic-Segmentation": "seg", "Video": "video"}


@dataclass
class Answers:
    """Numbers by name, the reference's and ours; `remark` says what they prove less than the others."""

    kind: str
    tolerance: dict[str, float]
    expected: dict[str, Tensor] = field(default_factory=dict)
    found: dict[str, Tensor] = field(default_factory=dict)
    remark: str = ""

    def add(self, name: str, expected: Iterable[float], found: Iterable[float]) -> None:
        """One row of both."""
        self.expected[name] = torch.tensor(list(expected), dtype=torch.float64)
        self.found[name] = torch.tensor(list(found), dtype=torch.float64)

    def add_groups(self, name: str, theirs: Groups, ours: Groups) -> None:
        """Every setting that the reference gives of each parameter, and which of them are in one group."""
        names = sorted({*theirs, *ours})
        settings = {key for group in theirs.values() if group for key in group}
        for key in settings & {"weight_decay", "lr", "lr_scale"}:
            rows = [[setting(groups.get(p), key) for p in names] for groups in (theirs, ours)]
            self.add(f"{name}{key}", *rows)
        if "group_index" in settings:
            rows = [[setting(groups.get(p), "group_index") for p in names] for groups in (theirs, ours)]
            self.add(f"{name}grouping", *(numbered(row) for row in rows))

    def case(self, folder: Path, about: dict[str, Any]) -> Case:
        """Return the case with the expected numbers as its outputs."""
        return Case(folder, {**about, "tolerance": self.tolerance}, {}, self.expected)


def setting(group: dict[str, Any] | None, key: str) -> float:
    """One setting of a parameter's group."""
    return NOT_TRAINED if group is None else float(group[key])


def numbered(row: list[float]) -> list[int]:
    """Renumber groups by the order in which they appear, whatever their own numbers are."""
    seen = list(dict.fromkeys(row))
    return [seen.index(group) for group in row]


def document(path: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        DataError: the file is missing or holds none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not found:
        raise DataError(f"{path} is no JSON object with entries")
    return found


def schedules(folder: Path, about: dict[str, Any]) -> Answers:
    """`build_scheduler` of lr_scheduler.py, for each configuration and group of parameters."""
    answers = Answers("lr_schedule", about["tolerance"])
    for name, entry in document(folder / "schedules.json").items():
        told = {**about, **entry}
        schedule = schedule_of(entry["config"], prefix="SimMIM" not in about["reference_repo"])
        peaks = [told["base_lr"] * scale for scale in told["group_lr_scales"]]
        steps = [0, *range(len(entry["after_step_update"]))]  # the first is set before any update
        expected = [entry["initial"], *entry["after_step_update"]]
        for i, peak in enumerate(peaks):
            rates = (learning_rate(step, told["n_iter_per_epoch"], peak, schedule) for step in steps)
            answers.add(f"{name}.group{i}", (row[i] for row in expected), rates)
    return answers


def schedule_of(config: dict[str, Any], *, prefix: bool) -> Schedule:
    """Our settings for a configuration; `prefix`: whether cosines begin after the warm-up by default."""
    scheduler = {**SCHEDULER, "WARMUP_PREFIX": prefix, **config["LR_SCHEDULER"]}
    drops: dict[str, dict[str, Any]] = {
        "step": {"at": (scheduler["DECAY_EPOCHS"],), "factor": scheduler["DECAY_RATE"]},
        "multistep": {"at": tuple(scheduler["MULTISTEPS"]), "factor": scheduler["GAMMA"]},
    }
    return Schedule(
        kind=scheduler["NAME"],
        epochs=config["EPOCHS"],
        warmup_epochs=config["WARMUP_EPOCHS"],
        warmup_lr=config["WARMUP_LR"],
        final_lr=config["MIN_LR"],
        after_warmup=scheduler["WARMUP_PREFIX"],
        **drops.get(scheduler["NAME"], {}),
    )


def microsoft_groups(folder: Path, about: dict[str, Any]) -> Answers:
    """`build_optimizer` of optimizer.py, in each of its modes, on each of its models."""
    groups = document(folder / "groups.json")
    experts = all(name.startswith("swin_moe") for name in groups)
    answers = Answers("optim_groups_moe" if experts else "optim_groups", EXACT)
    for key, theirs in groups.items():
        mode, _, name = key.rpartition("/")
        family = "swin_moe" if name.startswith("swin_moe") else name
        if mode not in MODES or family not in TWINS:
            raise NotCovered(f"groups of {key}")
        given = {**about["constructor"], "cosine_router": name.endswith("cosine")}
        given["mlp_fc2_bias"] = None not in theirs.values()
        with torch.device("meta"):
            reference = TWINS[family]({k: v for k, v in given.items() if k in DEFAULTS[family]})
            pretraining = mode == "simmim_pretrain"
            model = SimMIM(reference.backbone) if pretraining else reference.model
            if family == "swin_moe":  # a bias that the option switches off is not trained: no parameter
                trained = replace(reference.backbone.spec, expert_output_bias=None)
                model = Headed(build(trained), given["num_classes"])
        settings = Optimiser(
            lr=about["base_lr"],
            weight_decay=about["weight_decay"],
            layer_decay=about["layer_decay"] if mode == "simmim_finetune" else None,
            rule=MODES[mode],
        )
        names = named(model, "microsoft-simmim" if pretraining else reference.dialect)
        answers.add_groups(f"{key}.", theirs, groups_of(model, names, settings))
    return answers


def openmmlab_groups(folder: Path, about: dict[str, Any]) -> Answers:
    """mmcv's `build_optimizer` on a detector, a segmenter or a video model of the forks."""
    theirs = document(folder / "groups.json")
    constructor, optimiser = about["constructor"], about["optimizer"]
    keys = optimiser["paramwise_cfg"]
    rule = next((rule for known, rule in CUSTOM_KEYS if keys == {"custom_keys": known}), None)
    if rule is None:
        raise NotCovered(f"the exceptions {keys}")
    with torch.device("meta"):
        video = constructor["backbone"]["type"] == "SwinTransformer3D"
        reference = openmmlab.video(constructor) if video else openmmlab.dense(constructor["backbone"])
        names = named(reference.model, reference.dialect, prefix="backbone.")
        rest = stand_ins(name for name in theirs if name not in names)
    model = nn.ModuleList([reference.model, *{id(m): m for m, _ in rest.values()}.values()])
    names |= {name: getattr(module, last) for name, (module, last) in rest.items()}
    settings = Optimiser(lr=optimiser["lr"], weight_decay=optimiser["weight_decay"], rule=rule)
    fork = next(kind for word, kind in FORKS.items() if word in about["reference_repo"])
    answers = Answers(f"optim_groups_mm_{fork}", EXACT)
    answers.add_groups("", theirs, groups_of(model, names, settings))
    if rest:
        answers.remark = (
            f"{len(rest)} of {len(theirs)} parameters, of neck and heads, on stand-ins of their types"
        )
    return answers


def stand_ins(names: Iterable[str]) -> dict[str, tuple[nn.Module, str]]:
    """Return for each parameter a module that it may belong to, and its name there."""
    owners: dict[str, nn.Module] = {}
    found: dict[str, tuple[nn.Module, str]] = {}
    for name in names:
        owner, _, last = name.rpartition(".")
        module = owners.setdefault(owner, stand_in(owner.rpartition(".")[2]))
        if getattr(module, last, None) is None:
            module.register_parameter(last, nn.Parameter(torch.empty(1)))
        found[name] = (module, last)
    return found


def stand_in(word: str) -> nn.Module:
    """As mmcv calls them: batch norms `bn`, layer norms `norm`; the rest are convolutions or linear."""
    if word == "bn":
        return nn.BatchNorm2d(1)
    return nn.LayerNorm(1) if "norm" in word else nn.Conv2d(1, 1, 1, bias=False)


def named(model: nn.Module, dialect: str, prefix: str = "") -> dict[str, nn.Parameter]:
    """Return the parameters of `model` by the reference's names."""
    ours, rules = dict(model.named_parameters()), dialect_named(dialect)
    theirs = {
        rules.with_prefix(name): ours[own]
        for move in taken_once(ours, [rule.invert for rule in rules.rules])
        for name, own in zip(move.given, move.taken, strict=False)  # a count or zeros are no parameter
    }
    if len(theirs) != len(ours):
        raise DataError(f"{dialect} names {len(theirs)} of {len(ours)} parameters")
    return {
        name if name.startswith((prefix, "cls_head.")) else prefix + name: p for name, p in theirs.items()
    }


def groups_of(model: nn.Module, names: dict[str, nn.Parameter], settings: Optimiser) -> Groups:
    """Return the settings of our optimiser for each parameter, by the reference's names."""
    groups = parameter_groups(model, settings)
    found = {id(p): (i, group) for i, group in enumerate(groups) for p in group["params"]}
    return {
        name: {
            "group_index": found[id(p)][0],
            "weight_decay": found[id(p)][1]["weight_decay"],
            "lr": found[id(p)][1]["lr"],
            "lr_scale": found[id(p)][1]["lr"] / settings.lr,
        }
        for name, p in names.items()
    }


KINDS: list[tuple[str, Callable[[Path, dict[str, Any]], Answers]]] = [  # patterns of the reference's function
    ("build_scheduler", schedules),
    ("build_optimizer", microsoft_groups),
    (r"mmcv\.runner\.build_optimizer.*", openmmlab_groups),
]


def find(about: dict[str, Any]) -> Callable[[Path, dict[str, Any]], Answers] | None:
    """How a case is answered; None if it is of another kind."""
    said = str(about.get("reference_class") or "")
    return next((answer for pattern, answer in KINDS if re.fullmatch(pattern, said)), None)
