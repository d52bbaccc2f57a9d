"""`swinkit predict`: its lines, its files, its exit codes."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swinkit import api
from swinkit.cli import console
from swinkit.cli.main import main
from swinkit.data.preprocess import Preprocess
from swinkit.errors import escaped
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.results import Classification
from swinkit.tasks.simmim.model import SimMIM
from swinkit.tasks.simmim.settings import Masking

from ..tasks.conftest import classifier as classifier  # a fixture

LOAD = api.load
GENERATOR = np.random.default_rng(1)


def photo(path: Path, height: int = 30, width: int = 45) -> None:
    """Return a picture file of random colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GENERATOR.integers(0, 256, (height, width, 3), np.uint8)).save(path)


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch, classifier) -> Path:
    """Return a working folder with pictures, good and bad; `swinkit.load` gives the tests' classifier."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "load", lambda name, **_: classifier)
    for name in ("cat.png", "photos/cat.png", "photos/more/cat.jpg", "photos/dog.png"):
        photo(tmp_path / name)
    (tmp_path / "bad.jpg").write_text("no picture")
    (tmp_path / "empty").mkdir()
    return tmp_path


def predict(*arguments: str) -> int:
    """As typed."""
    return main(["predict", *arguments])


def test_a_line_a_picture(capsys):
    assert predict("cat.png") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    score = r"\w+ [01]\.\d\d"
    assert re.fullmatch(rf"cat\.png 45x30  ({score}, ){{4}}{score}  \d+\.\d ms\n", printed.out)


@pytest.mark.parametrize(
    "arguments", [["--top", "2", "cat.png"], ["cat.png", "--top=2"], ["cat.png", "--top", "2", "photos"]]
)
def test_top_and_the_order_of_arguments(arguments, capsys):
    assert predict(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (4 if "photos" in arguments else 1)
    assert all(line.count(", ") == 1 for line in lines)


def test_files_folders_and_patterns_once_each_and_in_order(capsys):
    assert predict("photos/dog.png", "photos", "./photos/more/*.jpg", "c*.png") == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["photos/dog.png", "photos/cat.png", "photos/more/cat.jpg", "cat.png"]


@pytest.mark.parametrize("batch_size", ["1", "2", "64"])
def test_batches_do_not_change_what_is_said(batch_size, capsys):
    assert predict("photos", "--json", "--batch-size", batch_size) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert predict("photos", "--json") == 0
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == [row["name"] for row in again]
    for row, other in zip(rows, again, strict=True):
        for one, two in zip(row["predictions"], other["predictions"], strict=True):
            assert one["label"] == two["label"]
            assert one["score"] == pytest.approx(two["score"], abs=1e-5)


def test_json_is_one_object_a_line_and_nothing_else(capsys):
    assert predict("cat.png", "bad.jpg", "photos", "--json", "--save", "out") == 3
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert [row["name"] for row in rows] == [
        "cat.png",
        "photos/cat.png",
        "photos/dog.png",
        "photos/more/cat.jpg",
    ]
    assert set(rows[0]) == {"name", "image", "predictions", "overlay"}
    assert "error: bad.jpg" in printed.err


def test_the_same_pictures_give_the_same_bytes(capsys):
    outputs = []
    for _ in range(2):
        predict("photos", "--json")
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


# ------------------------------------------------------------------------------------------ output


def test_save_writes_pictures_and_rows(capsys, photos):
    assert predict("photos", "cat.png", "--save", "out/of/here") == 0
    printed = capsys.readouterr()
    assert printed.err == "4 pictures and predictions.jsonl are in out/of/here\n"
    folder = photos / "out/of/here"
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["overlay"] for row in rows] == ["cat.jpg", "dog.jpg", "cat-2.jpg", "cat-3.jpg"]
    assert {path.name for path in folder.iterdir()} == {
        "predictions.jsonl",
        *(row["overlay"] for row in rows),
    }
    for row in rows:
        with Image.open(folder / row["overlay"]) as picture:
            assert picture.height == 600


def test_another_run_replaces_its_own_files_and_no_others(photos):
    photo(photos / "out/cat.jpg")
    mine = (photos / "out/cat.jpg").read_bytes()
    (photos / "out/notes.txt").write_text("keep me")
    for _ in range(2):
        assert predict("photos", "--save", "out") == 0
        files = {path.name for path in (photos / "out").iterdir()}
        assert files == {"cat.jpg", "cat-2.jpg", "cat-3.jpg", "dog.jpg", "notes.txt", "predictions.jsonl"}
    assert (photos / "out/cat.jpg").read_bytes() == mine


def test_saving_among_the_pictures_overwrites_none_of_them(photos, capsys):
    before = {path: path.read_bytes() for path in photos.rglob("*.*g")}
    for _ in range(2):
        assert predict("photos/more", "photos/more/cat.jpg", "--save", "photos/more") == 0
    assert all(path.read_bytes() == data for path, data in before.items())


def test_an_earlier_runs_answers_in_the_folder_are_no_pictures(photos, capsys):
    for _ in range(2):
        capsys.readouterr()
        assert predict("photos", "--save", "photos/out") == 0
        assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_file_of_rows_that_is_not_ours_gives_nothing_away(photos):
    (photos / "out").mkdir()
    (photos / "out/predictions.jsonl").write_text("[1, 2]\nnot json")
    photo(photos / "out/cat.jpg")
    mine = (photos / "out/cat.jpg").read_bytes()
    assert predict("cat.png", "--save", "out") == 0
    assert (photos / "out/cat.jpg").read_bytes() == mine


def test_names_that_file_systems_do_not_like(photos, capsys):
    long, odd = "x" * 250 + ".png", "new\nline \x1b[31m ü.png"
    photo(photos / "names" / long)
    photo(photos / "names" / odd)
    photo(photos / "names" / "CAT.png")
    photo(photos / "names/lower/cat.png")
    assert predict("names", "--save", "out") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert not any("\x1b" in line for line in lines)
    assert len(list((photos / "out").iterdir())) == 5
    assert (photos / "out/cat-2.jpg").exists()  # not cat.jpg, which is CAT.jpg on many disks


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_a_name_that_is_no_text(photos, capsys):
    photo(photos / "names/a.png")
    (photos / "names/a.png").rename(photos / "names/\udcff.png")
    assert predict("names", "--save", "out") == 0
    assert r"\udcff.png 45x30" in capsys.readouterr().out
    assert predict("names", "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "names/\udcff.png"


# ------------------------------------------------------------------------------------------- errors


def test_a_bad_file_does_not_stop_the_others(capsys, photos):
    photo(photos / "bad/z.png")
    (photos / "bad/a.png").touch()
    assert predict("bad.jpg", "bad", "cat.png", "gone.jpg", "empty") == 3
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["bad/z.png", "cat.png"]
    assert printed.err.splitlines() == [
        "error: gone.jpg: no such file or folder",
        "error: empty: no pictures in this folder (looked for .jpg, .jpeg, .png, .webp, .bmp, .tif, .tiff)",
        "error: bad.jpg: not a JPEG, PNG, WEBP, BMP or TIFF picture; convert it to one of these",
        "error: bad/a.png: the file is empty",
        "2 of 4 could not be read",
    ]


def refuse_to_load(name):
    raise AssertionError("no model is needed to see this mistake")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "error: name a picture, a folder or a pattern"),
        (["--json"], 2, "error: name a picture"),
        (["cat.png", "--top", "0"], 2, "error: --top is 0; it must be 1 or more"),
        (["cat.png", "--top", "x"], 2, "error: "),
        (["cat.png", "--top"], 2, "error: "),
        (
            ["cat.png", "--batch-size", "-3"],
            2,
            "error: --batch-size is -3; it must be 1 or more",
        ),
        (["cat.png", "--tpo", "3"], 2, "error: unknown option 'tpo', did you mean 'top'?"),
        (["empty"], 3, "error: empty: no pictures in this folder"),
        (["gone.jpg"], 3, "error: gone.jpg: no such file or folder"),
        (["*.gif"], 3, "error: *.gif: no file matches"),
        (["https://example.org/cat.jpg"], 3, "error: https://example.org/cat.jpg: swinkit reads local files"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(arguments, code, message, monkeypatch, capsys):
    monkeypatch.setattr(api, "load", refuse_to_load)
    assert predict(*arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(message)
    assert printed.err.count("\n") == 1


def test_only_bad_files(capsys):
    assert predict("bad.jpg") == 3
    assert capsys.readouterr().out == ""


def test_an_unknown_model(monkeypatch, capsys, photos):
    """One line with a suggestion, and no output folder."""
    monkeypatch.setattr(api, "load", LOAD)
    assert predict("cat.png", "--model", "swin-pico/cifr-10", "--save", "out") == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert "swin-pico/cifar-10" in printed.err
    assert printed.err.count("\n") == 1
    assert not (photos / "out").exists()


def test_a_model_without_a_head(monkeypatch, capsys, classifier):
    monkeypatch.setattr(api, "load", lambda name, **_: classifier.backbone)
    assert predict("cat.png", "--model", "swin-pico") == 2
    assert "error: swin-pico is a Swin, which has no task; " in capsys.readouterr().err


@pytest.mark.parametrize("target", ["cat.png", "cat.png/out", "/proc/swinkit-test"])
def test_an_output_folder_that_cannot_be_written(target, capsys):
    if target.startswith("/proc") and sys.platform != "linux":
        pytest.skip("only Linux has /proc")
    assert predict("photos", "--save", target) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {target}: cannot write into this folder: ")
    assert printed.err.count("\n") == 1


def test_a_full_disk_keeps_the_earlier_rows(photos, monkeypatch, capsys):
    assert predict("cat.png", "--save", "out") == 0
    before = (photos / "out/predictions.jsonl").read_bytes()

    def full(self, *arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert predict("photos", "--save", "out") == 4
    assert "No space left on device" in capsys.readouterr().err
    assert (photos / "out/predictions.jsonl").read_bytes() == before
    assert not (photos / "out/predictions.jsonl.partial").exists()


def stop_after(monkeypatch, pictures: int, error: BaseException) -> None:
    """Let printing fail after some lines."""
    lines = []

    def line(text):
        if len(lines) == pictures:
            raise error
        lines.append(text)

    monkeypatch.setattr("swinkit.cli.predict.line", line)


def test_interrupted(photos, monkeypatch, capsys):
    """130, no traceback, the rows so far kept apart, the earlier file untouched."""
    assert predict("cat.png", "--save", "out") == 0
    before = (photos / "out/predictions.jsonl").read_bytes()
    capsys.readouterr()
    stop_after(monkeypatch, 1, KeyboardInterrupt())
    assert predict("photos", "--save", "out", "--batch-size", "1") == 130
    assert (photos / "out/predictions.jsonl").read_bytes() == before
    rows = (photos / "out/predictions.jsonl.partial").read_text().splitlines()
    assert [json.loads(row)["name"] for row in rows] == ["photos/cat.png", "photos/dog.png"]
    assert "stopped; what was done until then is in out/predictions.jsonl.partial" in capsys.readouterr().err


# ----------------------------------------------------------------------------------------- terminal


class Terminal(io.StringIO):
    """What calls itself a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Return True, as a terminal does."""
        return True


def test_a_bar_on_a_terminal_for_long_lists_only(photos, monkeypatch, capsys):
    for i in range(console.LONG):
        photo(photos / f"many/{i}.png", 2, 2)
    monkeypatch.setenv("TERM", "xterm")
    for paths, expected in ((["many"], True), (["photos"], False)):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        assert predict(*paths, "--json") == 0
        assert ("pictures" in terminal.getvalue()) is expected
        rows = capsys.readouterr().out.splitlines()
        assert all(json.loads(row) for row in rows)
        assert len(rows) == (console.LONG if expected else 3)


def test_no_bar_in_a_pipe(photos, capsys):
    for i in range(console.LONG):
        photo(photos / f"many/{i}.png", 2, 2)
    assert predict("many") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("cat ü 猫", "utf-8", "cat ü 猫"),
        ("cat ü", "ascii", r"cat \xfc"),
        ("\x1b[31m\r\n", "utf-8", r"\x1b[31m\r\n"),
        ("\udcff", "utf-8", r"\udcff"),
        ("plain", None, "plain"),
    ],
)
def test_what_a_terminal_is_sent(text, encoding, shown):
    assert console.encodable(escaped(text), encoding) == shown


def test_results_are_not_kept(photos, monkeypatch, classifier):
    """Memory does not grow with the list: at no time are more results alive than a batch holds."""
    import gc
    import weakref

    alive: list[weakref.ref[Classification]] = []
    most = 0
    answer = Classifier.answer

    def watched(self, *arguments, **options):
        nonlocal most
        results = answer(self, *arguments, **options)
        alive.extend(weakref.ref(result.image) for result in results)
        gc.collect()
        most = max(most, sum(one() is not None for one in alive))
        return results

    monkeypatch.setattr(Classifier, "answer", watched)
    for i in range(12):
        photo(photos / f"many/{i}.png", 2, 2)
    assert predict("many", "--batch-size", "2", "--save", "out") == 0
    assert len(alive) == 12
    assert most <= 5


def test_the_command_stops_quietly_when_its_reader_has_seen_enough(photos):
    """In a process of its own, since the pipe is the process's: `swinkit predict ... | head -n 1`."""
    for i in range(12):
        photo(photos / f"many/{i}.png", 2, 2)
    program = """
import sys
from swinkit import api
from swinkit.cli.main import main
from swinkit.data.preprocess import Preprocess
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.model import Classifier
backbone = build(VARIANTS["swin-pico"].spec)
model = Classifier(backbone, ["cat", "dog"], Preprocess.to_crop(crop=(32, 32), resize=32))
api.load = lambda name, **_: model
sys.exit(main(["predict", "many", "--batch-size", "1"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().startswith("many/")
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert errors == ""


def test_a_model_of_another_task_answers_in_its_own_way(photos, monkeypatch, capsys):
    backbone = build(VARIANTS["swin-pico"].spec)
    preprocess = Preprocess.to_crop(crop=(32, 32), resize=32)
    model = SimMIM(backbone, Masking(patch=8, ratio=0.5), preprocess)
    monkeypatch.setattr(api, "load", lambda name, **_: model)
    assert predict("cat.png", "bad.jpg", "--model", "swin-pico", "--save", "out") == 3
    printed = capsys.readouterr()
    assert re.fullmatch(r"cat\.png 45x30  50% hidden, off by \d\.\d\d  \d+\.\d ms\n", printed.out)
    assert "error: bad.jpg" in printed.err
    assert (photos / "out" / "cat.jpg").is_file()
    assert predict("cat.png", "--model", "swin-pico", "--top", "3") == 2
    said = r"error: --top is for models of classification.*, and swin-pico is for simmim; leave it out\n"
    assert re.fullmatch(said, capsys.readouterr().err)
