"""Rare classes: weights of the classes, a balanced sampler and the focal loss, as fields of a recipe."""

import math
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import swinkit
from swinkit.cli.main import main
from swinkit.errors import UsageError
from swinkit.recipes.catalogue import find
from swinkit.runs.config_diff import changes_of
from swinkit.runs.step_report import Report
from swinkit.settings.recipe import Recipe, from_json
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.classification.losses import balanced_weights, cross_entropy
from swinkit.tasks.classification.settings import Augmentation, ClassificationRecipe
from swinkit.training.job import job_of
from tests.data.pictures import of_two_greys
from tests.training.states import assert_same, last_state

pytestmark = pytest.mark.slow

FIELDS = ("class_weights", "sampler", "focal_gamma")
LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, -3.0], [4.0, 4.5, 9.0], [-2.0, 0.0, 1.0]])
LABELS = torch.tensor([0, 2, 1, 2])
MIXED = torch.tensor([[0.3, 0.7, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
WEIGHTS = torch.tensor([0.5, 1.0, 4.0])


def by_hand(targets: torch.Tensor, smoothing: float, weights: list[float], gamma: float) -> float:
    """Return the loss, computed in plain Python."""
    rows = targets.tolist() if targets.ndim == 2 else F.one_hot(targets, 3).tolist()
    total = 0.0
    for logits, row in zip(LOGITS.double().tolist(), rows, strict=True):
        shares = [math.exp(x) / sum(map(math.exp, logits)) for x in logits]
        smooth = [(1 - smoothing) * y + smoothing / 3 for y in row]
        terms = [-y * (1 - p) ** gamma * math.log(p) for y, p in zip(smooth, shares, strict=True)]
        total += sum(terms) * sum(y * w for y, w in zip(row, weights, strict=True))
    return total / len(rows)


@pytest.mark.parametrize("targets", [LABELS, MIXED], ids=["labels", "mixed"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("gamma", [None, 0.0, 0.5, 2.0])
def test_the_loss_is_that_of_the_formula(targets, smoothing, weights, gamma):
    expected = by_hand(targets, smoothing, [1.0] * 3 if weights is None else weights.tolist(), gamma or 0.0)
    found = cross_entropy(LOGITS.double(), targets, smoothing, weights, gamma)
    assert found.item() == pytest.approx(expected, rel=1e-6)  # a mixed weight is a float32


def test_it_is_torchs_where_torch_has_it():
    assert torch.equal(
        cross_entropy(LOGITS, LABELS, 0.1), F.cross_entropy(LOGITS, LABELS, label_smoothing=0.1)
    )
    torch.testing.assert_close(
        cross_entropy(LOGITS, LABELS, 0.0, WEIGHTS),
        F.cross_entropy(LOGITS, LABELS, weight=WEIGHTS, reduction="none").mean(),
    )


def test_a_batch_in_parts_has_the_same_loss():
    """Add the losses of the parts of a batch; torch would divide each by the weights of its part."""
    whole = cross_entropy(LOGITS, LABELS, 0.1, WEIGHTS, 2.0)
    parts = [cross_entropy(LOGITS[i : i + 2], LABELS[i : i + 2], 0.1, WEIGHTS, 2.0) for i in (0, 2)]
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_gradients_of_certain_answers_are_finite(gamma):
    logits = torch.tensor([[200.0, 0.0], [-200.0, 0.0]], requires_grad=True)
    cross_entropy(logits, torch.tensor([0, 0]), 0.0, None, gamma).backward()
    assert logits.grad.isfinite().all()


def test_balanced_weights_make_classes_count_the_same_and_samples_one_on_average():
    counts = torch.tensor([90, 9, 1])
    weights = balanced_weights(counts)
    torch.testing.assert_close(weights * counts, torch.full((3,), 100 / 3))
    assert (weights * counts).sum().item() == pytest.approx(100)


def recipe(**fields: object) -> ClassificationRecipe:
    """Return a recipe of two epochs, with mixing, smoothing and averages."""
    return replace(
        find("cifar10-swin-pico"),
        schedule=Schedule(epochs=2, warmup_epochs=0),
        augmentation=Augmentation(),
        run=Run(batch_size=4, micro_batch=2, ema=0.9),
        **fields,
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return twelve pictures of one class and two of the other."""
    data = of_two_greys(tmp_path_factory.mktemp("rare"), counts={"train": 12, "val": 2})
    for i in range(2, 12):
        (data / f"train/white/{i}.png").unlink()
    return data


CASES = [
    {"class_weights": "balanced"},
    {"sampler": "class-balanced"},
    {"focal_gamma": 2.0},
    {"class_weights": "balanced", "focal_gamma": 1.5},
]


@pytest.mark.parametrize("fields", CASES, ids=lambda fields: " ".join(fields))
def test_each_changes_what_is_learned_and_resumes_to_the_bit(fields, pictures, tmp_path):
    plain, chosen = recipe(), recipe(**fields)
    swinkit.train(chosen, pictures, tmp_path / "whole")
    done = 0

    def stop(said: Report | str) -> None:
        nonlocal done
        done += isinstance(said, Report)
        if done == 2 and isinstance(said, Report):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        swinkit.train(chosen, pictures, tmp_path / "parts", reporting=stop)
    swinkit.train(chosen, pictures, tmp_path / "parts")
    assert_same(last_state(tmp_path / "whole"), last_state(tmp_path / "parts"))
    swinkit.train(plain, pictures, tmp_path / "plain")
    weights, others = (load_file(tmp_path / name / "last/model.safetensors") for name in ("whole", "plain"))
    assert weights.keys() == others.keys()  # nothing of it is saved with the model
    assert any(not torch.equal(weights[name], others[name]) for name in weights)


def test_what_the_fields_do_is_set_up(pictures):
    model = job_of(recipe(class_weights="balanced"), pictures)
    assert model.task.class_weights.tolist() == pytest.approx([14 / 24, 3.5])
    assert model.notes["class weights"] == "balanced, from 0.583 (`black`) to 3.5 (`white`)"
    balanced = job_of(recipe(sampler="class-balanced"), pictures)
    order = balanced.loader(2).order(0)
    assert balanced.training.labels[order % 14].tolist().count(1) == 7
    assert job_of(recipe(), pictures).task.class_weights is None


def test_runs_of_older_versions_lack_the_fields():
    now = recipe()
    older = {name: value for name, value in asdict(now).items() if name not in FIELDS}
    assert from_json(ClassificationRecipe, older) == now
    assert changes_of({"recipe": older}, {"recipe": asdict(now)}) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"focal_gamma": -1.0}, "focal_gamma is -1.0; it must be null, or 0 or more"),
        ({"class_weights": "even"}, "class_weights"),
        (
            {"class_weights": "balanced", "sampler": "class-balanced"},
            "already shows each class equally often",
        ),
    ],
)
def test_what_describes_no_training(fields: dict[str, object], message: str):
    with pytest.raises(UsageError, match=message):
        recipe(**fields)


def test_the_check_says_when_they_would_help_and_its_words_are_fields(pictures, tmp_path, capsys):
    main(["data", "check", str(pictures)])
    told = [line for line in capsys.readouterr().out.splitlines() if "rare classes" in line]
    assert len(told) == 1
    assert "1 class has at most a 5th of the 12 pictures of `black`, down to 2 of `white`" in told[0]
    words = [word.strip(",;") for word in told[0].split() if "=" in word]
    assert len(words) == 3
    for word in words:
        order = [f"data={pictures}", f"out={tmp_path / 'run'}", "run.batch_size=4", word, "--dry-run"]
        assert main(["train", "cifar10-swin-pico", *order]) == 0
    even = of_two_greys(tmp_path / "even", counts={"train": 4, "val": 2})
    main(["data", "check", str(even)])
    assert "rare classes" not in capsys.readouterr().out


def test_other_tasks_have_no_classes():
    assert not set(FIELDS) & set(asdict(find("simmim-swin-b-w6-192")))
    assert isinstance(find("simmim-swin-b-w6-192"), Recipe)
