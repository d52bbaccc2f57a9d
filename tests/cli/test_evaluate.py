"""`swinkit evaluate`, from the command line: its numbers are those of the training's log, and its files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import swinkit
from swinkit import api
from swinkit.cli.main import main
from swinkit.data.preprocess import Preprocess
from swinkit.errors import UsageError
from swinkit.tasks.classification.model import Classifier
from swinkit.viz.figure import can_draw
from tests.training.states import epochs

pytestmark = pytest.mark.slow

SHORT = ["schedule.epochs=1", "schedule.warmup_epochs=0", "run.batch_size=6", "optimiser.lr=2e-3"]
NAMES = ("ant", "bee", "cat", "dog", "elk", "fox")
LOAD = api.load


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six classes of noise, each about its own brightness, so that none is told for sure."""
    root, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for split, count in (("train", 2), ("val", 4)):
        for number, name in enumerate(NAMES):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                noise = generator.normal(60 + 25 * number, 30, (32, 32, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(noise).save(root / split / name / f"{i}.png")
    return root


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def run(request, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a training whose best model holds averaged weights."""
    out = tmp_path_factory.mktemp("runs") / request.param
    words = [*SHORT, "run.ema=0.5", f"run.precision={request.param}"]
    assert main(["train", "cifar10-swin-pico", f"data={pictures}", f"out={out}", *words]) == 0
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a saved classifier of the six classes, untrained."""
    torch.manual_seed(3)
    classifier = Classifier(
        swinkit.backbone("swin-pico"), NAMES, Preprocess.to_crop(crop=(32, 32), resize=32)
    )
    torch.nn.init.normal_(classifier.head.classifier.weight, std=0.5)
    folder = tmp_path_factory.mktemp("models") / "six"
    swinkit.save(classifier, folder)
    return folder


def as_json(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    """Return the one object that a command prints."""
    capsys.readouterr()
    assert main(["evaluate", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def rows(path: Path) -> list[dict[str, str]]:
    """Return a table of a folder."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------------------ the log


@pytest.mark.parametrize("batch_size", [64, 5])
def test_the_numbers_are_those_of_the_log_whatever_the_precision_of_training_and_the_batches(
    run: Path, pictures: Path, batch_size: int, capsys
):
    found = as_json(capsys, run / "best", f"data={pictures}", "split=val", "--batch-size", batch_size)
    (row,), (epoch,) = rows(run / "metrics.csv"), epochs(run)
    for name in ("top1", "top5"):
        assert found[name] == epoch[name] == float(row[name])
    assert found["loss"] == epoch["val_loss"] == float(row["val_loss"]) != epoch["loss"]
    assert found["pictures"] == 24
    recorded = json.loads((run / "config.json").read_text())["fingerprints"]["held out"]
    assert found["data"]["sha256"] == recorded["sha256"]


def test_a_run_is_told_to_be_none_of_its_models(run: Path, pictures: Path, capsys):
    for words in (["evaluate", run, f"data={pictures}"], ["predict", pictures, "--model", run]):
        assert main([*map(str, words)]) == 2
        assert capsys.readouterr().err == f"error: {run} is a run; give {run / 'best'}\n"
    with pytest.raises(UsageError, match="is a run; give"):
        swinkit.load(run)


def test_a_run_without_a_model_is_told_so(tmp_path: Path, capsys):
    for name in ("config.json", "log.jsonl"):
        (tmp_path / name).write_text("{}")
    assert main(["convert", str(tmp_path), "a.pth", "--to", "timm"]) == 2
    assert "is a run; it has no model before its first epoch is over" in capsys.readouterr().err


def test_where_the_split_is_missing_another_one_is_suggested(model: Path, pictures: Path, capsys):
    assert main(["evaluate", str(model), f"data={pictures}"]) == 3
    assert capsys.readouterr().err.endswith("; try split=val\n")


def test_a_new_best_is_drawn_into_the_folder_of_the_run(run: Path):
    for name in ("confusion.png", "val_worst.png"):
        with Image.open(run / name) as picture:
            assert min(picture.size) > 500


# --------------------------------------------------------------------------------------- what it says


def test_people_get_the_protocol_a_line_a_class_and_the_totals(model: Path, pictures: Path, capsys):
    assert main(["evaluate", str(model), f"data={pictures}", "split=val"]) == 0
    protocol, head, *classes, totals = capsys.readouterr().out.splitlines()
    assert protocol.startswith(f"24 pictures of {pictures} (val, sha256 ")
    assert "; shorter side 32, middle 32x32 pixels, bicubic; one view" in protocol
    assert head.split() == ["class", "pictures", "recall", "precision", "F1", "most", "confused", "with"]
    assert [line.split()[:2] for line in classes] == [[name, "4"] for name in NAMES]
    assert [word for word in totals.split() if word[0].isalpha()] == ["top-1", "top-5", "loss"]


def test_of_many_classes_those_with_the_lowest_recall_are_shown(
    model: Path, pictures: Path, capsys, monkeypatch
):
    monkeypatch.setattr("swinkit.tasks.classification.evaluation.SHOWN_CLASSES", 2)
    found = as_json(capsys, model, f"data={pictures}", "split=val")
    worst = sorted(found["classes"], key=lambda row: row["recall"])[:2]
    assert main(["evaluate", str(model), f"data={pictures}", "split=val"]) == 0
    shown = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in shown[:2]] == [row["class"] for row in worst]
    assert shown[2].startswith("2 of 6 classes")


def test_programs_get_one_object_with_all_of_it(model: Path, pictures: Path, capsys):
    found = as_json(capsys, model, f"data={pictures}", "split=val")
    assert {"model", "swinkit", "task", "data", "protocol", "top1", "top5", "loss", "pictures"} < set(found)
    assert found["protocol"]["resize"] == 32
    confusion = torch.tensor(found["confusion"])
    assert confusion.sum(1).tolist() == [4] * 6
    assert found["top1"] == confusion.diagonal().sum().item() / 24
    for i, row in enumerate(found["classes"]):
        assert row["recall"] == confusion[i, i].item() / 4
        most = confusion[i].clone().index_fill(0, torch.tensor(i), 0).max().item()
        assert row["confused"] == most


# --------------------------------------------------------------------------------------------- files


def test_its_folder_holds_tables_and_pictures(model: Path, pictures: Path, tmp_path: Path, capsys):
    folder = tmp_path / "some" / "where"
    for _ in range(2):  # an earlier evaluation is replaced
        found = as_json(capsys, model, f"data={pictures}", "split=val", "--save", folder)
    names = ["confusion.png", "metrics.json", "per_class.csv", "predictions.csv", "worst.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert [path.name for path in folder.parent.iterdir()] == ["where"]
    assert json.loads((folder / "metrics.json").read_text()) | {"confusion": found["confusion"]} == found
    predicted = rows(folder / "predictions.csv")
    assert [row["id"] for row in predicted[:2]] == ["val/ant/0.png", "val/ant/1.png"]
    assert sum(row["true"] == row["answer"] for row in predicted) == round(24 * found["top1"])
    assert all(0 <= float(row["true_score"]) <= float(row["score"]) <= 1 for row in predicted)
    by_class = rows(folder / "per_class.csv")
    assert [float(row["recall"]) for row in by_class] == [row["recall"] for row in found["classes"]]


def test_without_matplotlib_all_but_the_matrix_is_written(
    model: Path, pictures: Path, tmp_path: Path, capsys, caplog, monkeypatch
):
    monkeypatch.setattr("swinkit.viz.figure.has_matplotlib", lambda: False)
    can_draw.cache_clear()
    assert (
        main(["evaluate", str(model), f"data={pictures}", "split=val", "--save", str(tmp_path / "out")]) == 0
    )
    can_draw.cache_clear()
    names = ["metrics.json", "per_class.csv", "predictions.csv", "worst.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    expected = 'confusion.png is not drawn: matplotlib is not installed; pip install "swinkit[plot]"'
    assert caplog.messages == [expected]


def test_what_it_did_not_write_is_never_replaced(
    model: Path, pictures: Path, tmp_path: Path, capsys, monkeypatch
):
    def refuse(*_, **__):
        raise AssertionError("nothing is loaded before this mistake is told")

    (tmp_path / "mine").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "mine" / "metrics.json").write_text('{"accuracy": 1}')
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("keep me")
    monkeypatch.setattr(api, "load", refuse)
    for name, words in (("mine", "`metrics.json`"), ("other", "`notes.txt`"), ("file", "is no folder")):
        before = sorted(tmp_path.rglob("*"))
        assert main(["evaluate", str(model), f"data={pictures}", "split=val", f"save={tmp_path / name}"]) == 2
        assert words in capsys.readouterr().err
        assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_keeps_the_earlier_evaluation(
    model: Path, pictures: Path, tmp_path: Path, capsys, monkeypatch
):
    words = ["evaluate", str(model), f"data={pictures}", "split=val", "--save", str(tmp_path / "out")]
    assert main(words) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert main(words) == 4
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("cannot be written (No space left on device); nothing there was changed")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


# ---------------------------------------------------------------------------------------- comparison


def reordered(model: Path, folder: Path, order: list[int], *, wrong: float = 0.0) -> Path:
    """Return the same classifier with its classes in another order, and perhaps another bias."""
    old = LOAD(model)
    assert isinstance(old, Classifier)
    new = Classifier(old.backbone, [NAMES[i] for i in order], old.preprocess)
    with torch.no_grad():
        new.head.load_state_dict(
            {
                name: value[order] if "classifier" in name else value
                for name, value in old.head.state_dict().items()
            }
        )
        new.head.classifier.bias[0] += wrong
    swinkit.save(new, folder)
    return folder


def test_classes_are_matched_by_name(model: Path, pictures: Path, tmp_path: Path, capsys):
    other = reordered(model, tmp_path / "other", [4, 2, 0, 5, 1, 3])
    found = as_json(capsys, model, f"data={pictures}", "split=val", "--compare", other)["comparison"]
    assert (found["difference"], found["interval"], found["p_value"]) == (0, [0, 0], 1)


def test_another_model_is_compared_picture_by_picture(model: Path, pictures: Path, tmp_path: Path, capsys):
    other = reordered(model, tmp_path / "other", [1, 0, 2, 3, 4, 5], wrong=100.0)  # always a bee
    words = [model, f"data={pictures}", "split=val"]
    one, two = as_json(capsys, *words), as_json(capsys, other, *words[1:])
    both = as_json(capsys, *words, "--compare", other)
    found = both["comparison"]
    assert found["difference"] == pytest.approx(one["top1"] - two["top1"])
    assert found["first_only"] - found["second_only"] == round(24 * found["difference"])
    assert found["interval"][0] <= found["difference"] <= found["interval"][1]
    assert main(["evaluate", *map(str, words), "--compare", str(other)]) == 0
    *_, head, interval, alone = capsys.readouterr().out.splitlines()
    assert head == f"against {other}: {100 * found['difference']:+.2f} points of top-1"
    assert "95% interval" in interval
    assert "paired bootstrap, 10000 resamples, seed 0" in interval
    assert f"right where the other errs: {found['first_only']} pictures" in alone


def test_models_of_other_classes_are_not_compared(model: Path, pictures: Path, tmp_path: Path, capsys):
    few = tmp_path / "seven"
    fit = Preprocess.to_crop(crop=(32, 32), resize=32)
    swinkit.save(Classifier(swinkit.backbone("swin-pico"), [*NAMES, "gnu"], fit), few)
    assert main(["evaluate", str(model), f"data={pictures}", "split=val", f"compare={few}"]) == 2
    assert "different classes cannot be compared: only one has `gnu`" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["data=PICTURES"], 3, "expected SPLIT/CLASS/picture.jpg"),
        (["data=PICTURES", "split=val", "compare=swn-t"], 2, "swn-t: no such file, folder or checkpoint"),
        (["data=PICTURES", "split=val", "--workers", "-1"], 2, "--workers is -1; it must be 0 or more"),
        (["data=PICTURES", "split=val", "--batch-size", "0"], 2, "--batch-size is 0; it must be 1 or more"),
        (["data=PICTURES", "split=val", "--save", "/proc/swinkit"], 4, "cannot be written"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], code: int, message: str, model: Path, pictures: Path, capsys
):
    given = [word.replace("PICTURES", str(pictures)) for word in words]
    assert main(["evaluate", str(model), *given]) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_scores_that_are_not_finite_are_an_error(model: Path, pictures: Path, tmp_path: Path, capsys):
    broken = LOAD(model)
    assert isinstance(broken, Classifier)
    torch.nn.init.constant_(broken.head.classifier.bias, float("nan"))
    swinkit.save(broken, tmp_path / "broken")
    assert main(["evaluate", str(tmp_path / "broken"), f"data={pictures}", "split=val"]) == 3
    assert "the model's scores are not finite" in capsys.readouterr().err
