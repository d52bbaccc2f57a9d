"""Which pictures a file, a folder or a pattern names."""

import pytest

from swinkit.data.paths import find_images
from swinkit.errors import DataError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Return a folder with everything that folders hold."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "b.jpg",
        "a.PNG",
        "deep/er/c.tiff",
        "x.jpg/inside.png",
        "grün er.webp",
        ".hidden.jpg",
        ".git/d.jpg",
        "e[1].jpg",
    ):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "photos/notes.txt").write_text("no picture")
    (tmp_path / "photos/loop").symlink_to(tmp_path / "photos")
    (tmp_path / "photos/gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "photos/self.jpg").symlink_to(tmp_path / "photos/self.jpg")
    (tmp_path / "none").mkdir()
    return tmp_path


def names(paths):
    return [path.as_posix() for path in paths]


def test_a_folder_is_searched_to_its_depths(photos):
    found = names(find_images("photos"))
    assert found == sorted(found)
    inside = {"a.PNG", "b.jpg", "deep/er/c.tiff", "e[1].jpg", "grün er.webp", "x.jpg/inside.png"}
    assert set(found) == {f"photos/{name}" for name in inside}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.jpg", ["photos/b.jpg", "photos/e[1].jpg"]),
        ("photos/?.*", ["photos/a.PNG", "photos/b.jpg"]),
        ("photos/**/*.tiff", ["photos/deep/er/c.tiff"]),
        ("photos/e[[]1].jpg", ["photos/e[1].jpg"]),
        ("photos/e[1].jpg", ["photos/e[1].jpg"]),  # a file of that very name comes first
        ("photos/*.txt", ["photos/notes.txt"]),
        ("photos/x.jpg", ["photos/x.jpg/inside.png"]),  # a folder, in spite of its name
        ("photos/grün er.webp", ["photos/grün er.webp"]),
    ],
)
def test_patterns_and_odd_names(photos, pattern, expected):
    assert names(find_images(pattern)) == expected
    absolute = find_images(photos / pattern)
    assert [path.relative_to(photos).as_posix() for path in absolute] == expected


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none", "none: no pictures in this folder"),
        ("photos/*.gif", r"photos/\*.gif: no file matches"),
        ("photos/cat.jpg", "photos/cat.jpg: no such file or folder"),
        ("photos/self.jpg", "no such file or folder"),
        ("photos/gone.jpg", "no such file or folder"),
        ("http://example.org/cat.jpg", "download it first"),
        ("", "'': no such file or folder"),
        ("x" * 5000, "too long"),
        ("a\0b", "no such file or folder|null"),
    ],
)
def test_what_leads_to_no_picture_is_refused(photos, path, reason):
    with pytest.raises(DataError, match=reason):
        find_images(path)


def test_a_closed_folder_is_not_passed_over_in_silence(photos, monkeypatch):
    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", "photos/secret"))
        return iter(())

    monkeypatch.setattr("os.walk", walk)
    with pytest.raises(DataError, match="Permission denied"):
        find_images("photos")
