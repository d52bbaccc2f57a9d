"""Tar shards in WebDataset's layout: read at any place, indexed once, and never written to."""

import io
import json
import os
import tarfile

import pytest
import torch

from swinkit.data.find_dataset import find_samples
from swinkit.data.images import ImageError
from swinkit.data.loader import Loader
from swinkit.data.paths import cache_root
from swinkit.errors import DataError

from .pictures import numbered


def shard(path, files, mode="w"):
    """Return a tar of these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def numbers(samples, epoch):
    """Collation: (B,) the numbers in the pictures."""
    return torch.stack([sample.image[0, 0, 0] for sample in samples])


@pytest.fixture
def files(tmp_path):
    """Twelve pictures as files of a shard, each with its label, in either spelling."""
    root = numbered(tmp_path / "pictures", 12)
    found = []
    for i, path in enumerate(sorted(root.rglob("*.png"), key=lambda path: path.stem)):
        label = json.dumps({"label": i % 2}).encode() if i % 3 else f"{i % 2}\n".encode()
        found += [(f"{i:04}.png", path.read_bytes()), (f"{i:04}.{'json' if i % 3 else 'cls'}", label)]
    return found


@pytest.fixture
def root(tmp_path, files):
    """Two shards of training, one of validation."""
    shard(tmp_path / "set" / "train-000.tar", files[:12])
    shard(tmp_path / "set" / "train-001.tar", [(f"sub/{name}", content) for name, content in files[12:]])
    shard(tmp_path / "set" / "val.tar", files[:4])
    return tmp_path / "set"


def test_every_picture_is_found_with_its_label_in_any_order(root):
    samples = find_samples(root, "train")
    assert len(samples) == 12
    assert samples.ids[0] == "train-000.tar/0000.png"
    assert samples.ids[-1] == "train-001.tar/sub/0011.png"
    assert samples.classes == ("0", "1")
    for i in (11, 0, 5):
        assert int(samples[i].image[0, 0, 0]) == i
        assert samples.labels[i] == i % 2
    assert len(find_samples(root, "valid", "val", classes=samples.classes)) == 2


def test_shards_may_lie_in_a_folder_of_their_split_and_labels_have_names(root, files):
    shard(root / "test" / "0.tar", files)
    (root / "classes.txt").write_text("even\nodd\n")
    samples = find_samples(root, "test")
    assert samples.classes == ("even", "odd")
    assert samples.ids[3] == "test/0.tar/0003.png"


def test_the_index_is_kept_in_the_cache_and_follows_the_file(root, files, monkeypatch):
    before = {path: path.read_bytes() for path in root.rglob("*")}
    first = find_samples(root, "train")
    assert {path: path.read_bytes() for path in root.rglob("*")} == before
    monkeypatch.setattr("swinkit.data.shards.scan", lambda path: pytest.fail("was indexed again"))
    assert find_samples(root, "train").fingerprint == first.fingerprint
    monkeypatch.undo()
    shard(root / "train-001.tar", files[:2])
    os.utime(root / "train-001.tar", ns=(1, 1))
    assert len(find_samples(root, "train")) == 7


def test_a_damaged_index_is_made_anew_and_one_that_cannot_be_kept_does_no_harm(
    root, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "cache"))
    find_samples(root, "train")
    for index in cache_root().rglob("*.json"):
        index.write_text(index.read_text()[:20])
    assert len(find_samples(root, "train")) == 12
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "file"))
    assert len(find_samples(root, "train")) == 12
    assert "cannot be written (Not a directory); it is built again next time" in caplog.text


def test_workers_read_shards_and_zips_alike(root):
    samples = find_samples(root, "train")
    told = [
        [
            batch.tolist()
            for _, batch in Loader(samples, numbers, micro_batch=2, seed=0, workers=w).micro_batches(0)
        ]
        for w in (0, 2)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda files: files[:1],
            "1 pictures have no label, such as `train-002.tar/0000.png`; each needs a .cls",
        ),
        (lambda files: [*files, files[0]], "the same file twice"),
        (
            lambda files: [(files[0][0], b""), ("0000.json", b"{")],
            "train-002.tar/0000.json: the label cannot",
        ),
        (lambda files: [(files[0][0], b""), ("0000.cls", b"\xff")], "the label cannot be read"),
        (lambda files: [(files[0][0], b""), ("0000.json", b'{"kind": 1}')], "have no label"),
    ],
)
def test_what_is_wrong_with_a_shard_is_explained(root, files, change, message):
    shard(root / "train-002.tar", change(files))
    with pytest.raises(DataError, match=message):
        find_samples(root, "train")


def test_shards_without_pictures_are_told(root):
    shard(root / "test.tar", [("a.cls", b"0")])
    with pytest.raises(DataError, match="no pictures in the 1 shards of test"):
        find_samples(root, "test")


@pytest.mark.parametrize("mode", ["w:gz", "cut"])
def test_compressed_and_cut_shards_are_refused(root, files, mode):
    path = root / "train-002.tar"
    shard(path, files, "w" if mode == "cut" else mode)
    if mode == "cut":
        path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match=r"train-002\.tar: cannot be read as an uncompressed tar"):
        find_samples(root, "train")


def test_a_shard_that_vanishes_is_a_bad_picture(root):
    samples = find_samples(root, "train")
    (root / "train-000.tar").unlink()
    with pytest.raises(ImageError, match=r"train-000\.tar/0000\.png: cannot be read from the tar"):
        _ = samples[0]
