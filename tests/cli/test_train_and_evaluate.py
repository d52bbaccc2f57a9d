"""`swinkit train` and `swinkit evaluate`, from the command line, on a folder of pictures."""

import json
from importlib.util import find_spec

import pytest
from PIL import Image

from swinkit.cli.main import main
from tests.data.pictures import of_two_greys
from tests.training.states import epochs

pytestmark = pytest.mark.slow

SHORT = ["schedule.epochs=1", "schedule.warmup_epochs=0", "run.batch_size=4"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return of_two_greys(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    """Return a finished training."""
    out = tmp_path_factory.mktemp("runs") / "one"
    assert (
        main(["train", "cifar10-swin-pico", f"data={pictures}", f"out={out}", *SHORT, "optimiser.lr=2e-3"])
        == 0
    )
    return out


def test_training_writes_its_resolved_recipe_its_log_and_models(run, pictures):
    config = json.loads((run / "config.json").read_text())
    assert config["recipe"]["optimiser"]["lr"] == 2e-3
    assert config["recipe"]["schedule"]["epochs"] == 1
    assert config["data"] == str(pictures)
    assert config["fingerprints"]["training"]["pictures"] == 8
    assert json.loads((run / "env.json").read_text())["packages"]["torch"]
    assert [epoch["epoch"] for epoch in epochs(run)] == [1]
    for name in ("best", "last"):
        assert (run / name / "model.safetensors").exists()


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(pictures, tmp_path, capsys):
    words = ["train", "cifar10-swin-pico", f"data={pictures}", f"out={tmp_path / 'run'}", *SHORT]
    assert main([*words, "optimiser.lr=2e-3", "-n"]) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first.startswith("swin-pico on 8 pictures of ")
    assert first.endswith(": 1 epoch of 2 steps")
    assert "optimiser.lr 0.002" in [" ".join(line.split()) for line in lines]
    assert last == "dry run, nothing was written"
    assert not list(tmp_path.iterdir())
    assert main([*words[:2], f"data={tmp_path}", *words[3:], "--dry-run"]) == 3
    if find_spec("mlflow") is None:
        assert main([*words, "--dry-run", "run.trackers=[mlflow]"]) == 4


def test_after_ctrl_c_only_how_to_go_on_is_said(pictures, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("swinkit.training.loop.observe_over_ranks", interrupted)
    assert main(["train", "cifar10-swin-pico", f"data={pictures}", f"out={tmp_path / 'run'}", *SHORT]) == 130
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("stopped; `swinkit train --resume ")
    assert "interrupted" not in said.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train"], 2, "name a recipe first, such as cifar10-swin-pico"),
        (["train", "--resume"], 2, "resume needs a value: --resume RUN"),
        (["train", "--resume=nowhere"], 3, "nowhere holds no run"),
        (["train", "cifar10-swin-pico", "data=x", "out=y", "processes=0"], 2, "processes is 0"),
        (
            ["train", "cifar10-swin-pcio", "data=x", "out=y"],
            2,
            "unknown recipe 'cifar10-swin-pcio', did you mean",
        ),
        (["train", "cifar10-swin-pico", "data=x"], 2, "out"),
        (
            ["train", "cifar10-swin-pico", "data=x", "out=y", "optimiser.lrr=1"],
            2,
            "did you mean 'optimiser.lr'?",
        ),
        (["train", "cifar10-swin-pico", "data=x", "out=y", "optimiser.lr=fast"], 2, "optimiser.lr"),
        (["train", "cifar10-swin-pico", "data=x", "out=y", "run.batch_size=0"], 2, "it must be 1 or more"),
        (
            ["train", "cifar10-swin-pico", "data=x", "out=y", "init="],
            2,
            "init needs a value: --init NAME; null stands for none",
        ),
        (["train", "cifar10-swin-pico", "data=nowhere", "out=y"], 3, "nowhere: no such folder, zip or list"),
        (["evaluate", "swin-pico", "data=nowhere"], 3, "nowhere: no such folder, zip or list"),
        (["evaluate", "swin-pcio", "data=x"], 2, "no such file, folder or checkpoint"),
        (["evaluate"], 2, "model"),
        (["evaluate", "swin-pico", "data=nowhere", "batch_size=0"], 2, "unknown option 'batch_size'"),
        (["evaluate", "swin-pico", "data=nowhere", "--batch-size", "0"], 2, "--batch-size is 0"),
    ],
)
def test_mistakes_are_one_line(words, code, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_classes_that_a_model_does_not_know_are_an_error(run, tmp_path, capsys):
    (tmp_path / "test" / "grey").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "test" / "grey" / "0.png")
    assert main(["evaluate", str(run / "best"), f"data={tmp_path}"]) == 3
    assert "test has the unknown classes `grey` (known: `black`, `white`)" in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_is_named_and_never_left_out(run, pictures, tmp_path, capsys):
    (tmp_path / "test" / "black").mkdir(parents=True)
    (tmp_path / "test" / "black" / "bad.png").write_bytes(b"not a picture")
    assert main(["evaluate", str(run / "best"), f"data={tmp_path}"]) == 3
    assert "bad.png" in capsys.readouterr().err
