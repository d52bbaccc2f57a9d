"""`swinkit data check`: the tables, the JSON, the page with pictures, and the exit code."""

import json
import shutil

import pytest
from PIL import Image

from swinkit.cli.main import main

from ..data.pictures import numbered


@pytest.fixture
def root(tmp_path):
    numbered(tmp_path / "set", 6)
    return numbered(tmp_path / "set", 3, "val", side=9)


def check(root, *words):
    """One run of the command."""
    return main(["data", "check", str(root), "workers=0", *words])


def test_a_sound_set_is_shown_and_passes(root, capsys):
    assert check(root) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].endswith("set: folders, recognised by train/class0/000.png")
    assert "train 6 2 8 / 8 / 8 8 / 8 / 8" in lines
    assert "class1 3 1" in lines
    assert "8 to 15 6 3" in lines
    assert "square 6 3" in lines
    assert "RGB 6 3" in lines
    assert lines[-1] == "no problems found"


def test_pictures_that_a_camera_turned_are_counted_only_where_there_are_some(root, capsys):
    turned = Image.Exif()
    turned[0x0112] = 8
    Image.new("RGB", (9, 9), (77, 0, 0)).save(root / "train" / "class0" / "9.jpg", exif=turned)
    assert check(root) == 0
    assert "turned upright as their EXIF data say: 1 of train" in capsys.readouterr().out.splitlines()


def test_the_fields_of_the_json_are_a_promise(root, capsys):
    assert check(root, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["version", "path", "layout", "evidence", "splits", "problems", "blocking"]
    assert report["version"] == 1
    fields = ["pictures", "classes", "sizes", "shorter_sides", "shapes", "modes", "turned"]
    assert [list(split) for split in report["splits"].values()] == [fields, fields]
    (root / "val" / "class0" / "000.png").write_bytes(b"")
    assert check(root, "--json") == 3
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert list(problem) == ["kind", "message", "blocking", "pictures"]


def test_a_table_without_rows_is_left_out(tmp_path, capsys):
    (tmp_path / "train.csv").write_text("file,class\na.png,cat\n")
    assert check(tmp_path) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["BLOCKING"] * (len(lines) - 1)
    assert "no column `path`, `label` (found: `file`, `class`)" in lines[1]


def test_a_note_does_not(root, capsys):
    shutil.copy(root / "train" / "class0" / "000.png", root / "train" / "class0" / "1.png")
    assert check(root, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [problem["kind"] for problem in report["problems"]] == ["duplicate"]
    assert report["problems"][0]["pictures"] == [["train/class0/000.png", "train/class0/1.png"]]


def test_the_page_shows_pictures_and_nothing_from_a_name_becomes_markup(root, tmp_path, capsys):
    strange = "<script>x<" + "&" * 3
    shutil.copytree(root / "train" / "class0", root / "train" / strange)
    (root / "val" / strange).mkdir()
    (root / "val" / strange / "<b>.png").write_bytes(b"")
    page = tmp_path / "page.html"
    assert check(root, f"html={page}") == 3
    text = page.read_text()
    assert "<script" not in text
    assert "<b>.png" not in text
    assert "&lt;script&gt;x&lt;&amp;&amp;&amp;" in text
    assert text.count("data:image/jpeg;base64,") >= 9 + 3
    assert "Blocking: corrupt." in text
    assert text.count("shorter side, pixels") == 2
    assert "8 to 15" in text
    assert f"wrote {page}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["data"], 2, "say what to do; for example `swinkit data check PATH`"),
        (["data", "chek", "x"], 2, "unknown action 'chek', did you mean 'check'?"),
        (["data", "check", "nowhere"], 3, "nowhere: no such file or folder"),
        (["data", "check", "nowhere", "workers=-1"], 2, "workers is -1"),
    ],
)
def test_wrong_calls_are_explained(words, code, message, capsys):
    assert main(words) == code
    assert message in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_told(root, tmp_path, capsys):
    assert check(root, f"html={tmp_path}/none/page.html") == 4
    assert "page.html: cannot be written: No such file or directory" in capsys.readouterr().err
