"""`--dry-run` refuses what the training would refuse, in the same words, and writes nothing."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swinkit.cli.main import main
from tests.data.pictures import of_two_greys
from tests.training.states import set_back

pytestmark = pytest.mark.slow

SHORT = ["schedule.epochs=2", "schedule.warmup_epochs=0", "run.batch_size=4", "run.ema=0.9"]
STARTED = 99  # the code of a training that comes to its first step


def own(root: Path) -> Path:
    return root / "data"


def without_val(root: Path) -> Path:
    shutil.rmtree(root / "data/val")
    return root / "data"


def with_another_class(root: Path) -> Path:
    shutil.copytree(root / "data/val/black", root / "data/val/grey")
    return root / "data"


def with_a_new_class(root: Path) -> Path:
    for split in ("train", "val"):
        shutil.copytree(root / f"data/{split}/black", root / f"data/{split}/grey")
    return root / "data"


def with_an_empty_class(root: Path) -> Path:
    shutil.rmtree(root / "data/val/black")
    (root / "data/val/black").mkdir()
    return root / "data"


def with_one_picture_less(root: Path) -> Path:
    (root / "data/train/black/0.png").unlink()
    return root / "data"


def too_few(root: Path) -> Path:
    for name in ("black", "white"):
        for i in (1, 2, 3):
            (root / f"data/train/{name}/{i}.png").unlink()
    return root / "data"


DATA = {
    "whole": own,
    "none": lambda root: root / "nowhere",
    "no val": without_val,
    "another class": with_another_class,
    "a new class": with_a_new_class,
    "an empty class": with_an_empty_class,
    "one less": with_one_picture_less,
    "too few": too_few,
    "a file": lambda root: root / "data/train/black/0.png",
}


def beside(root: Path) -> Path:
    return root / "new"


def a_file(root: Path) -> Path:
    (root / "file").write_text("x")
    return root / "file"


def with_strangers(root: Path) -> Path:
    (root / "other").mkdir()
    (root / "other/notes.txt").write_text("x")
    return root / "other"


def recorded(root: Path) -> Path:
    return root / "run"


def interrupted(root: Path) -> Path:
    set_back(root / "run", epoch=1, updates=2, evaluated=2)
    return root / "run"


def without_checkpoints(root: Path) -> Path:
    shutil.rmtree(root / "run/checkpoints")
    return root / "run"


def damaged(root: Path) -> Path:
    for path in (root / "run/checkpoints").rglob("state.pt"):
        path.write_bytes(b"x")
    return root / "run"


def with_a_broken_record(root: Path) -> Path:
    (root / "run/config.json").write_text("[")
    return root / "run"


def of_bad_pictures(root: Path) -> Path:
    (root / "run/bad_files.csv").write_text("id,reason,replaced_by\na,b,c\n")
    return interrupted(root)


def of_another_model(root: Path) -> Path:
    path = root / "run/config.json"
    path.write_text(path.read_text().replace('"swin-pico"', '"swinv2-pico"'))
    return root / "run"


OUT = {
    "new": beside,
    "deep": lambda root: root / "new/er/est",
    "a file": a_file,
    "below a file": lambda root: a_file(root) / "run",
    "strangers": with_strangers,
    "the data": own,
    "in the data": lambda root: root / "data/runs/a",
    "in a split": lambda root: root / "data/train/run",
    "a class": lambda root: root / "data/val/black",
    "finished": recorded,
    "interrupted": interrupted,
    "no checkpoints": without_checkpoints,
    "damaged": damaged,
    "a broken record": with_a_broken_record,
    "bad pictures": of_bad_pictures,
    "another model": of_another_model,
}
WORDS = {
    "nothing": [],
    "fp16": ["run.precision=fp16"],
    "rate": ["optimiser.lr=1e-5"],
    "allowed": ["optimiser.lr=1e-5", "--allow-changes"],
    "more": ["schedule.epochs=3", "--allow-changes"],
    "muon": ["optimiser.kind=adamw", "--allow-changes"],
    "no average": ["run.ema=null", "--allow-changes"],
    "warm-up": ["schedule.warmup_epochs=2"],
    "batch": ["run.batch_size=64"],
    "sharding": ["run.sharding=full", "optimiser.kind=adamw"],
    "clips": ["variant=video-swin-t-k400"],
    "video": ["variant=video-swin-t"],
    "unknown": ["variant=swin-pic"],
    "init": ["init=nowhere.pth"],
    "another init": ["init=swinv2-pico/cifar-10"],
    "channels": ["data.mean=[0.5]", "data.std=[0.5]"],
    "processes": ["run.batch_size=5", "--processes=2"],
    "tracker": ["run.trackers=[tensorboard]"],
}


FINE = (
    "nothing",
    "rate",
    "allowed",
    "more",
    "muon",
    "no average",
    "tracker",
    "channels",
)  # of these, for a new run


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data and a finished run on them."""
    root = tmp_path_factory.mktemp("origin")
    of_two_greys(root / "data")
    words = [f"data={root / 'data'}", f"out={root / 'run'}", *SHORT]
    assert main(["train", "cifar10-swin-pico", *words]) == 0
    return root


def files(root: Path) -> dict[str, bytes]:
    """Return all files below a folder with their content; folders end in a slash."""
    found = {f"{path.relative_to(root)}/": b"" for path in root.rglob("*") if path.is_dir()}
    return found | {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def answer(words: list[str]) -> tuple[int, str]:
    """Return the exit code and the error of a command."""
    error = StringIO()
    with redirect_stderr(error), redirect_stdout(StringIO()):
        try:
            code = main(words)
        except SystemExit as end:
            code = int(end.code or 0)
    return code, "".join(line for line in error.getvalue().splitlines() if line.startswith("error: "))


@contextmanager
def copied(origin: Path) -> Iterator[Path]:
    """Give a copy of the data and the run, at the same path each time, so that data are where they were."""
    kept = origin.with_name("kept")
    if not kept.exists():
        shutil.copytree(origin, kept)
    shutil.rmtree(origin)
    shutil.copytree(kept, origin)
    yield origin


def compare(origin: Path, data: str, out: str, words: str) -> tuple[int, str]:
    """Return the answer of the training, which a dry run must give as well."""
    with copied(origin) as root:
        target = OUT[out](root)
        order = ["train", "cifar10-swin-pico", f"data={DATA[data](root)}", f"out={target}", *SHORT]
        order += WORDS[words]
        before = files(root)
        dry = answer([*order, "--dry-run"])
        assert files(root) == before
        with patch("swinkit.training.loop.train_steps", side_effect=SystemExit(STARTED)):
            code, error = answer([word for word in order if word != "--processes=2"])
        if "processes" not in words:  # these would be started
            assert dry == (0 if code == STARTED else code, error)
        return dry


@pytest.mark.parametrize("name", DATA)
def test_each_refusal_of_data(origin: Path, name: str):
    refused = compare(origin, name, "new", "nothing")[0] != 0
    assert refused == (name not in ("whole", "a new class", "one less"))


@pytest.mark.parametrize("name", WORDS)
def test_each_refusal_of_fields(origin: Path, name: str):
    refused = compare(origin, "whole", "new", name)[0] != 0
    assert refused == (name not in FINE)


@pytest.mark.parametrize("out", OUT)
@pytest.mark.parametrize("words", ["nothing", "allowed"])
def test_each_refusal_of_a_folder(origin: Path, out: str, words: str):
    code, error = compare(origin, "whole", out, words)
    free = {"new", "deep", "in the data", "finished", "interrupted"}
    assert (code == 0) == (out in free), error


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*DATA]), st.sampled_from([*OUT]), st.sampled_from([*WORDS]))
def test_any_of_them_together(origin: Path, data: str, out: str, words: str):
    compare(origin, data, out, words)


def test_a_folder_that_another_process_trains_in(origin: Path):
    with copied(origin) as root:
        ready, done = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            file = os.open(root / "run/.lock", os.O_RDWR)
            fcntl.lockf(file, fcntl.LOCK_EX)
            os.write(ready[1], b".")
            os.read(done[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
        words = ["train", "--resume", str(root / "run")]
        dry, real = answer([*words, "--dry-run"]), answer(words)
        os.write(done[1], b".")
        os.waitpid(child, 0)
        for end in (*ready, *done):
            os.close(end)
    assert dry == real
    assert dry[0] == 2
    assert "is in use" in dry[1]


def test_pictures_without_splits_and_a_folder_among_them(tmp_path: Path):
    """Its curves would be pictures to learn from when the run goes on."""
    data = of_two_greys(tmp_path / "set") / "train" / "black"
    shutil.move(data, tmp_path / "pictures")
    words = ["pretrain", "swin-pico", f"data={tmp_path / 'pictures'}", f"out={tmp_path / 'pictures' / 'run'}"]
    words += ["run.batch_size=2", "schedule.epochs=2", "schedule.warmup_epochs=0", "data.size=[32,32]"]
    dry, real = answer([*words, "masking.patch=4", "--dry-run"]), answer([*words, "masking.patch=4"])
    assert dry == real
    assert dry[0] == 2
    assert "lies among the pictures of" in dry[1]
    assert not (tmp_path / "pictures" / "run").exists()
