"""Evaluation and batches of samples with other sizes and numbers of boxes each, by the made-up task."""

import json

import pytest
import torch

import swinkit
from swinkit.data.fitting import FitWithin
from swinkit.data.preprocess import Preprocess
from swinkit.errors import UsageError
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.tasks.registry import TASKS

from .made_up.data import KINDS, Collate, find_boxes, write_data
from .made_up.model import BoxFinder
from .made_up.run import RECIPE
from .made_up.task_type import BoxType

FIT = Preprocess(parts=(FitWithin(shorter=32, longest=64),), mean=(0.2,) * 3, std=(0.3,) * 3)


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "boxes")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return BoxFinder(build(VARIANTS["swin-pico"].spec), tuple(KINDS), FIT).eval()


def test_lists_are_evaluated_in_the_order_of_the_samples(data, model):
    """Scores are those of all boxes, and each record has as many boxes as its sample."""
    task_type, samples = BoxType(), find_boxes(data, "val")
    seen = []
    evaluate, keep = task_type.evaluation, lambda *of: seen.append(of[2]) or evaluate(*of)
    task_type.evaluation = keep
    found = task_type.evaluate(model, samples, batch_size=2)
    (observed,) = seen
    assert list(observed.records) == [0, 1, 2, 3, 4]
    assert [len(record["boxes"]) for record in observed.records.values()] == [0, 1, 2, 3, 0]
    assert int(observed.counts["confusion"].sum()) == 6
    errors = [error for record in observed.records.values() for error in record["errors"]]
    assert found.scores["error"] == sum(errors) / 6


def test_an_evaluation_of_lists_is_saved_and_replaced(data, model, tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, "made-up", BoxType)
    found = swinkit.evaluate(model, data, split="val", batch_size=2)
    for _ in range(2):
        found.save(tmp_path / "out")
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (written["task"], written["pictures"], written["near"]) == ("made-up", 5, found.scores["near"])


def test_what_a_task_does_not_offer_is_a_usage_error(model, monkeypatch):
    monkeypatch.setitem(TASKS, "made-up", BoxType)
    with pytest.raises(UsageError, match="does not begin with labels"):
        BoxType().start_from(model, ["a"], variant=None, tables=None)
    for scores in ({}, {"top1": 0.5, "dataset": "x"}):
        with pytest.raises(
            UsageError, match=r"^model is for made-up, whose models cannot be published; push "
        ):
            swinkit.push(model, "me/boxes", **scores)
    with pytest.raises(UsageError, match=r"predict\(\) got an unknown option 'top'; expected boxes"):
        model.predict("a.png", top=5)


def test_the_plain_card_counts_parameters_and_names_no_author(model):
    card = BoxType().card(model)
    assert card.startswith("# A Swin for made-up\n")
    assert "not stated by whoever saved it" in card


def test_batches_of_lists_move_and_count(data):
    samples = find_boxes(data, "train")
    batch = Collate(FIT)([samples[i] for i in range(4)], 0)
    assert [len(boxes) for boxes in batch.boxes] == [len(labels) for labels in batch.labels] == [0, 1, 2, 3]
    moved = batch.to(torch.device("meta"))
    assert len(moved) == 4
    assert all(tensor.is_meta for tensor in (moved.pixels, *moved.boxes, *moved.labels))


def test_a_micro_batch_has_pictures_of_one_shape(data):
    samples = find_boxes(data, "train")
    sampler = BoxType().sampler(RECIPE, None, samples)
    order = sampler.order(0, 3, 2).tolist()
    assert len(order) == sampler.length(2)
    for first, second in zip(order[::2], order[1::2], strict=True):
        assert sampler.wide[first] == sampler.wide[second]
