"""A classifier measured on pictures: which pictures, with which labels, against whom."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from swinkit.data.classes import imagenet_1k_names
from swinkit.data.find_dataset import find_samples
from swinkit.data.imagenet import ids
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError
from swinkit.tasks.classification.evaluation import ClassifierEvaluation, find_pictures
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.predictions import Answers
from swinkit.tasks.classification.task_type import ClassificationType


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One each of a tench and a goldfish, in folders called as ImageNet's."""
    for i, name in enumerate(ids("1k")[:2]):
        (tmp_path / "val" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (90 * i, 20, 20)).save(tmp_path / "val" / name / "a.png")
    return tmp_path


def test_imagenets_folders_are_known_to_models_that_name_its_classes(pictures: Path):
    fit = Preprocess.to_crop((8, 8), 8)
    found = find_pictures(as_model(imagenet_1k_names(), fit), pictures, "val")
    assert [imagenet_1k_names()[i] for i in found.labels] == ["tench", "goldfish"]
    with pytest.raises(DataError, match="n01440764"):
        find_pictures(as_model([f"class {i}" for i in range(1000)], fit), pictures, "val")


def as_model(labels: Sequence[str], preprocess: Preprocess) -> Any:
    """Return what finding pictures needs of a classifier."""
    return SimpleNamespace(labels=labels, preprocess=preprocess)


def test_a_model_goes_on_as_it_was_and_is_measured_without_its_dropout(
    classifier: Classifier, pictures: Path
):
    samples = replace(find_samples(pictures, "val"), labels=torch.tensor([3, 5]))
    before = ClassificationType().evaluate(classifier, samples, batch_size=2)
    classifier.train()
    try:
        again = ClassificationType().evaluate(classifier, samples, batch_size=1)
        assert classifier.training
    finally:
        classifier.eval()
    assert again.top1 == before.top1
    torch.testing.assert_close(again.answers.losses, before.answers.losses, rtol=1e-5, atol=1e-6)


def test_pictures_pass_by_number_as_they_are_measured(classifier: Classifier, pictures: Path):
    passed = []

    class Bar:
        def __init__(self, numbers):
            self.numbers = numbers

        def __enter__(self):
            return (passed.append(number) for number in self.numbers)

        def __exit__(self, *_):
            passed.append("end")

    samples = replace(find_samples(pictures, "val"), labels=torch.tensor([3, 5]))
    ClassificationType().evaluate(classifier, samples, batch_size=1, progress=Bar)
    assert passed == [*range(2), "end"]


def evaluation(pictures: Path, labels: list[int], names: tuple[str, ...]) -> ClassifierEvaluation:
    """Of a model that is always right."""
    samples = find_samples(pictures, "val")
    logits = torch.nn.functional.one_hot(torch.tensor(labels), len(names)).float()
    return ClassifierEvaluation(
        names, samples, Preprocess.to_crop(crop=(8, 8), resize=8), Answers.of(logits, torch.tensor(labels))
    )


def test_labels_that_mean_other_classes_to_another_model_are_not_compared(pictures: Path):
    one, same = (evaluation(pictures, [0, 1], ("a", "b")), evaluation(pictures, [1, 0], ("b", "a")))
    assert one.against(same).difference == 0
    with pytest.raises(DataError, match=r"name the classes in classes\.txt"):
        one.against(evaluation(pictures, [0, 1], ("b", "a")))
    for path in list(pictures.rglob("a.png")):
        path.rename(path.with_name("b.png"))
    with pytest.raises(DataError, match="of different pictures"):
        one.against(evaluation(pictures, [0, 1], ("a", "b")))
