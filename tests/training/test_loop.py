"""The loop on pictures in a folder: it learns, goes on where it stopped, refuses what it cannot do."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import swinkit
from swinkit.errors import DataError, EnvironmentProblem, UsageError
from swinkit.recipes.tiny import cifar10_swin_pico
from swinkit.tasks.task import Task
from swinkit.training.loop import loss_of
from swinkit.training.recipe import Optimiser, Recipe, Run, Schedule

COLOURS = {"blue": (20, 30, 200), "red": (200, 30, 20)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes told apart by colour; the values of a picture vary with its number."""
    root = tmp_path_factory.mktemp("pictures")
    for split, count in (("train", 16), ("val", 4)):
        for name, colour in COLOURS.items():
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (40, 36), tuple(c + i for c in colour)).save(
                    root / split / name / f"{i}.png"
                )
    return root


def recipe(epochs: int = 2, lr: float = 1e-3) -> Recipe:
    """Small enough for a test."""
    return replace(
        cifar10_swin_pico(),
        optimiser=Optimiser(lr=lr),
        schedule=Schedule(epochs=epochs, warmup_epochs=0),
        run=Run(batch_size=8, seed=3),
    )


def test_it_learns_two_colours_and_saves_a_model_that_answers_alike(pictures: Path, tmp_path: Path) -> None:
    model = swinkit.train(recipe(), pictures, tmp_path)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [1, 2]
    assert log[-1]["top1"] == 1.0 == swinkit.evaluate(model, pictures, split="val").top1
    loaded = swinkit.load(tmp_path / "model")
    pixels = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded(pixels), model(pixels))
    assert loaded.labels == ("blue", "red")


def test_a_stopped_training_goes_on_to_the_same_weights(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = swinkit.train(recipe(), pictures, tmp_path / "whole")

    class Stopped(Exception):
        """Stands for a killed process."""

    def stop_after_one(self: object, *args: object) -> None:
        if (tmp_path / "parts" / "checkpoint.pt").exists():
            raise Stopped
        return forward(self, *args)

    from swinkit.tasks.classification.model import Classifier

    forward = Classifier.losses
    monkeypatch.setattr(Classifier, "losses", stop_after_one)
    with pytest.raises(Stopped):
        swinkit.train(recipe(), pictures, tmp_path / "parts")
    monkeypatch.undo()
    parts = swinkit.train(recipe(), pictures, tmp_path / "parts")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_another_recipe_may_not_go_on_in_the_same_folder(pictures: Path, tmp_path: Path) -> None:
    swinkit.train(recipe(epochs=1), pictures, tmp_path)
    with pytest.raises(UsageError, match="another recipe"):
        swinkit.train(recipe(epochs=2), pictures, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_training(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the loss is (nan|inf).* try a lower optimiser\.lr"):
        swinkit.train(recipe(lr=1e30), pictures, tmp_path)


def test_too_few_pictures_for_a_batch_are_an_error(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="32 training pictures are fewer than one batch of 64"):
        swinkit.train(replace(recipe(), run=Run(batch_size=64)), pictures, tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Run(batch_size=0), "run.batch_size is 0; it must be 1 or more"),
        (lambda: Run(seed=2**40), "run.seed is 1099511627776"),
        (lambda: Optimiser(lr=-1.0), "optimiser.lr is -1.0; it must be above 0"),
        (lambda: Schedule(epochs=3, warmup_epochs=3), "warmup_epochs is 3"),
        (lambda: replace(cifar10_swin_pico(), drop_path=1.0), "drop_path is 1.0"),
    ],
)
def test_impossible_values_are_refused_when_the_recipe_is_made(make: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()  # type: ignore[operator]


def test_a_damaged_checkpoint_is_named(pictures: Path, tmp_path: Path) -> None:
    swinkit.train(recipe(epochs=1), pictures, tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:1000])
    with pytest.raises(DataError, match=r"checkpoint\.pt is no "):
        swinkit.train(recipe(epochs=1), pictures, tmp_path)


def test_a_training_does_not_go_on_with_other_classes(pictures: Path, tmp_path: Path) -> None:
    swinkit.train(recipe(epochs=1), pictures, tmp_path / "run")
    renamed = tmp_path / "renamed"
    shutil.copytree(pictures, renamed)
    for split in ("train", "val"):
        (renamed / split / "blue").rename(renamed / split / "azure")
    with pytest.raises(UsageError, match="other classes"):
        swinkit.train(recipe(epochs=1), renamed, tmp_path / "run")


def test_a_place_that_cannot_be_written_is_named(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match=r"file.* cannot be written"):
        swinkit.train(recipe(), pictures, tmp_path / "file")


def test_a_variant_that_takes_no_pictures_is_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pictures are RGB, and this model takes clips or volumes"):
        swinkit.train(replace(recipe(), variant="video-swin-t"), pictures, tmp_path)


class Line(Task):
    """The smallest task: one number times another."""

    labels = ("one",)

    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.slope * x + x.sin()

    def losses(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": self(batch).sum()}

    def observe(self, batch: torch.Tensor) -> None: ...

    def scores(self) -> dict[str, float]:
        return {}

    def predict(self, inputs: object) -> None: ...


def test_compiling_without_a_compiler_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    task = Line()
    task.compile()
    with pytest.raises(EnvironmentProblem, match=r"run\.compile needs a C\+\+ compiler"):
        loss_of(task, torch.ones(3), replace(recipe(), run=Run(compile=True)))
