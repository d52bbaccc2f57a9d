"""Several labels, and numbers, for each picture: trained, measured, saved, converted and predicted."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import swinkit
from swinkit.cli.main import main
from swinkit.data.find_dataset import find_samples
from swinkit.data.values import read_label_sets, read_numbers
from swinkit.errors import DataError, UsageError
from swinkit.recipes.catalogue import find
from swinkit.tasks.multi_label.metrics import LabelScores, average_precision
from swinkit.tasks.multi_label.model import MultiLabel
from swinkit.tasks.regression.metrics import NumberScores
from swinkit.tasks.regression.model import Regression

pytestmark = pytest.mark.slow

SHORT = ["run.batch_size=8", "schedule.warmup_epochs=0"]


def write_lists(root: Path, rows: dict[str, list[tuple[str, ...]]], head: str) -> Path:
    """Write lists of two splits; the number of a row says whether its picture is bright, and whether red."""
    for split, cells in rows.items():
        lines = [f"path,{head}"]
        for i, row in enumerate(cells):
            pixels = np.full((32, 32, 3), 40 + 170 * (i % 2), np.uint8)
            pixels[..., 1:] //= 1 + i // 2 % 2
            path = root / f"{split}-{i}.png"
            root.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
            lines.append(",".join((path.name, *row)))
        (root / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return root


def label_of(i: int) -> str:
    return ";".join(name for name, shown in (("bright", i % 2), ("red", i // 2 % 2)) if shown)


@pytest.fixture
def labelled(tmp_path):
    rows = {split: [(label_of(i),) for i in range(n)] for split, n in (("train", 16), ("val", 8))}
    return write_lists(tmp_path / "labelled", rows, "label")


@pytest.fixture
def measured(tmp_path):
    rows = {
        split: [(str(1000 + 500 * (i % 2)), str(-(i // 2 % 2))) for i in range(n)]
        for split, n in (("train", 16), ("val", 8))
    }
    return write_lists(tmp_path / "measured", rows, "light,red")


def read(data):
    return find_samples(data, "train", as_texts=True)


def test_labels_are_lists_or_columns(labelled, tmp_path):
    found = read_label_sets(read(labelled))
    assert found.classes == ("bright", "red")
    wanted = torch.tensor([[i % 2, i // 2 % 2] for i in range(16)], dtype=torch.float32)
    assert torch.equal(found.values, wanted)
    assert torch.equal(found[3].target["label"], wanted[3])
    assert found.counts().tolist() == [8, 8]
    rows = [(str(i % 2), str(i // 2 % 2), "0") for i in range(16)]
    columns = write_lists(tmp_path / "columns", {"train": rows}, "bright,red,never")
    found = read_label_sets(read(columns))
    assert found.classes == ("bright", "never", "red")
    assert torch.equal(found.values[:, [0, 2]], wanted)
    assert read_label_sets(read(columns), ("red", "bright", "never")).values[1].tolist() == [0, 1, 0]


def test_labels_of_folders_and_parquet(tmp_path):
    for name in ("cat;dog", "owl"):
        (tmp_path / "set" / "train" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "set" / "train" / name / "0.png")
    found = read_label_sets(read(tmp_path / "set"))
    assert (found.classes, found.values.tolist()) == (("cat", "dog", "owl"), [[1, 1, 0], [0, 0, 1]])
    pandas = pytest.importorskip("pandas")
    rows = {"path": ["train/owl/0.png", "train/cat;dog/0.png"], "label": [["owl"], ["dog", "cat"]]}
    pandas.DataFrame(rows).to_parquet(tmp_path / "set" / "train.parquet")
    assert read_label_sets(read(tmp_path / "set")).values.tolist() == [[0, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["cat=2"], "train-0.png`: `cat=2` must be 0 or 1"),
        (["cat", "owl"], "train-1.png`: the class `owl` is unknown"),
        ([""], "no picture of train shows a class"),
    ],
)
def test_labels_that_say_nothing_are_named(cells, message, tmp_path):
    data = write_lists(tmp_path / "set", {"train": [(cell,) for cell in cells]}, "label")
    with pytest.raises(DataError, match=message):
        read_label_sets(read(data), ["cat"] if "owl" in cells else None)


def test_numbers_are_read_by_name_or_by_place(measured, tmp_path):
    found = read_numbers(read(measured))
    assert found.classes == ("light", "red")
    assert found.values[3].tolist() == [1500, -1]
    for cells, names in (([("25",), ("-3",)], ("value",)), ([("1;2.5",)], ("value 1", "value 2"))):
        data = write_lists(tmp_path / names[-1], {"train": cells}, "label")
        assert read_numbers(read(data)).classes == names
    assert read_numbers(read(tmp_path / "value")).values.tolist() == [[25], [-3]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "nan"], "`nan` is no finite number"),
        (["1", "many"], "`many` is no finite number"),
        (["1", ""], "the label `` has not the numbers `value`"),
        (["a=1;b=2", "a=1"], "the label `a=1` has not the numbers `a`, `b`"),
    ],
)
def test_labels_that_are_no_numbers_are_named(cells, message, tmp_path):
    data = write_lists(tmp_path / "set", {"train": [(cell,) for cell in cells]}, "label")
    with pytest.raises(DataError, match=message):
        read_numbers(read(data))


def test_average_precision_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    draws = np.random.default_rng(0)
    for _ in range(20):
        scores, truth = draws.integers(0, 6, 30).astype(float), draws.random(30) < 0.4
        ours = average_precision(torch.tensor(scores), torch.tensor(truth))
        assert ours == pytest.approx(metrics.average_precision_score(truth, scores))
    assert average_precision(torch.tensor([1.0]), torch.tensor([False])) is None


def test_scores_of_labels_are_those_counted_by_hand():
    logits = torch.tensor([[2.0, -1.0], [1.0, 3.0], [-2.0, 0.5]], dtype=torch.float64)
    found = LabelScores(logits, torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64), 0.5)
    assert found.counts.tolist() == [[1, 2], [2, 2], [2, 2]]
    assert found.f1 == [0.5, 1.0]
    assert found.average_precision == pytest.approx([(1 + 2 / 3) / 2, 1.0])
    assert found.scores == pytest.approx({"mAP": (5 / 6 + 1) / 2, "f1": 0.75, "macro_f1": 0.75})


def test_scores_of_numbers_are_those_counted_by_hand():
    found = NumberScores(torch.tensor([[1.0], [2.0], [6.0]]), torch.tensor([[1.0], [3.0], [5.0]]))
    assert found.mae == pytest.approx([2 / 3])
    assert found.rmse == pytest.approx([math.sqrt(2 / 3)])
    assert found.r2 == pytest.approx([1 - 2 / 8])
    same = torch.ones(3, 1)
    assert (NumberScores(same, same).r2, NumberScores(same + 1, same).r2) == ([1.0], [0.0])


@pytest.mark.parametrize(
    "mixing",
    [pytest.param([], marks=pytest.mark.nightly), ["augmentation.mixup=0.8", "augmentation.cutmix=1"]],
)
def test_several_labels_are_learned_measured_and_saved(labelled, tmp_path, capsys, mixing):
    words = [
        "train",
        "finetune-multi-label-swin-pico",
        f"data={labelled}",
        f"out={tmp_path / 'run'}",
        "threshold=0.4",
    ]
    assert main([*words, "schedule.epochs=15", "augmentation.flip=0", *SHORT, *mixing]) == 0
    best = tmp_path / "run" / "best"
    model = swinkit.load(best)
    assert isinstance(model, MultiLabel)
    assert (model.labels, model.threshold) == (("bright", "red"), 0.4)
    assert swinkit.evaluate(model, labelled, split="val").scores["mAP"] > 0.9
    capsys.readouterr()
    words = ["evaluate", str(best), f"data={labelled}", "split=val"]
    assert main([*words, "--json", "--save", str(tmp_path / "measured")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["threshold"] == 0.4
    assert [row["class"] for row in found["values"]] == ["bright", "red"]
    written = {path.name for path in (tmp_path / "measured").iterdir()}
    assert written == {"metrics.json", "per_class.csv", "predictions.csv"}
    assert main(words) == 0
    assert "mAP " in capsys.readouterr().out
    picture = str(labelled / "val-3.png")
    assert (
        main(
            [
                "predict",
                picture,
                "--model",
                str(best),
                "--json",
                "--threshold",
                "0",
                "--save",
                str(tmp_path / "a"),
            ]
        )
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert set(answer["shown"]) == {"bright", "red"}
    assert str(model.predict(picture, threshold=1.0)).endswith("none")
    with pytest.raises(UsageError, match=r"threshold is 2\.0; it must be in"):
        model.predict(picture, threshold=2.0)


@pytest.mark.parametrize(
    "error",
    [pytest.param("l1", marks=pytest.mark.nightly), "l2", pytest.param("huber", marks=pytest.mark.nightly)],
)
def test_numbers_of_any_unit_are_learned_measured_and_saved(measured, tmp_path, capsys, error):
    words = [
        "train",
        "finetune-regression-swin-pico",
        f"data={measured}",
        f"out={tmp_path / 'run'}",
        f"error={error}",
    ]
    assert main([*words, "schedule.epochs=20", *SHORT]) == 0
    best = tmp_path / "run" / "best"
    model = swinkit.load(best)
    assert isinstance(model, Regression)
    assert (model.labels, model.mean, model.std, model.error) == (
        ("light", "red"),
        (1250, -0.5),
        (250, 0.5),
        error,
    )
    found = swinkit.evaluate(model, measured, split="val")
    assert found.scores["r2"] > 0.5
    assert found.rows[0]["mae"] < 200
    capsys.readouterr()
    assert main(["evaluate", str(best), f"data={measured}", "split=val"]) == 0
    assert "rmse" in capsys.readouterr().out
    picture = str(measured / "val-1.png")
    assert main(["predict", picture, "--model", str(best), "--json", "--save", str(tmp_path / "a")]) == 0
    values = json.loads(capsys.readouterr().out)["values"]
    assert set(values) == {"light", "red"}
    assert main(["predict", picture, "--model", str(best), "--top", "2"]) == 2
    assert main(["train", "--resume", str(tmp_path / "run"), "schedule.epochs=21", "--allow-changes"]) == 0


def made(kind, **changes):
    swin = swinkit.backbone(
        "swin-t", embed_dim=24, depths=(1, 1), num_heads=(2, 2), window_sizes=((4, 4),) * 2
    )
    torch.manual_seed(0)
    model = kind(swin, ["a", "b", "c"], swinkit.load().preprocess, **changes)
    torch.nn.init.normal_(model.head.classifier.weight)
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "changes", "problem"),
    [
        (MultiLabel, {}, "multi_label_classification"),
        (Regression, {"mean": (5.0, 0.0, -2.0), "std": (3.0, 1.0, 0.5)}, "regression"),
    ],
)
def test_there_and_back_in_transformers_names(kind, changes, problem, tmp_path):
    before = made(kind, **changes)
    swinkit.save(before, tmp_path / "ours")
    swinkit.convert(tmp_path / "ours", tmp_path / "theirs", to="transformers")
    assert json.loads((tmp_path / "theirs" / "config.json").read_text())["problem_type"] == problem
    again = swinkit.load(tmp_path / "theirs", reporting=lambda _: None)
    assert isinstance(again, kind)
    assert again.labels == ("a", "b", "c")
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(again(pixels), before(pixels), rtol=1e-5, atol=1e-4)


def test_a_classifier_of_the_same_number_of_classes_lends_no_rows(labelled, tmp_path):
    two = swinkit.load(labels=["bright", "dark"], head="new", reporting=lambda _: None)
    torch.nn.init.ones_(two.head.classifier.weight)
    swinkit.save(two, tmp_path / "two")
    words = [
        "train",
        "finetune-multi-label-swin-pico",
        f"data={labelled}",
        f"out={tmp_path / 'run'}",
        f"init={tmp_path / 'two'}",
    ]
    assert main([*words, "schedule.epochs=1", "optimiser.lr=1e-9", *SHORT]) == 0
    assert swinkit.load(tmp_path / "run" / "last").head.classifier.weight.abs().max() < 0.2


@pytest.mark.parametrize("changed", [{"threshold": "a"}, {"threshold": 2}, {"threshold": None}])
def test_a_damaged_threshold_is_refused(changed, tmp_path):
    from swinkit.tasks.registry import TASKS

    model = made(MultiLabel)
    with pytest.raises(DataError, match="threshold is"):
        TASKS["multi-label"]().restore(model.backbone, model.preprocess, ["a"], changed)


@pytest.mark.parametrize(
    "changed", [{"mean": "a"}, {"mean": [0.0, 1.0]}, {"std": [0.0]}, {"std": None}, {"error": "l3"}]
)
def test_damaged_units_are_refused(changed):
    from swinkit.tasks.registry import TASKS

    model = made(Regression)
    good = {"mean": [0.0], "std": [1.0], "error": "l1"}
    assert TASKS["regression"]().restore(model.backbone, model.preprocess, ["a"], good).error == "l1"
    with pytest.raises(DataError, match=next(iter(changed))):
        TASKS["regression"]().restore(model.backbone, model.preprocess, ["a"], good | changed)


def test_label_smoothing_has_no_meaning_for_numbers():
    recipe = find("finetune-regression-swin-pico")
    assert recipe.augmentation.smoothing == 0
    with pytest.raises(UsageError, match=r"smoothing is 0\.1; it must be 0, since numbers have no classes"):
        replace(recipe, augmentation=find("finetune-multi-label-swin-pico").augmentation)
