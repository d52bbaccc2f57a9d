"""Hugging Face datasets: saved folders and Parquet, read row by row; what is said of wrong ones."""

import io
import pickle
import sys
from itertools import chain

import pytest
from PIL import Image

from swinkit.data import images
from swinkit.data.find_dataset import find_pictures, find_samples, layout_of
from swinkit.data.images import ImageError
from swinkit.data.loader import Loader
from swinkit.errors import DataError, EnvironmentProblem

from .pictures import saved_tables, table

NAMES = ("cat", "dog")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["saved", "hub", "converted"])
def root(request, tmp_path):
    """Six rows to train on and three to watch: saved, as the hub keeps them, or as it converts them."""
    root = tmp_path / "set"
    if request.param == "saved":
        return saved_tables(root, {"train": 6, "validation": 3})
    for split, count in (("train", 6), ("validation", 3)):
        name = f"data/{split}-00000-of-00001" if request.param == "hub" else f"default/{split}/0000"
        path = root / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table(count).to_parquet(path)
    return root


def pixels(samples, epoch):
    """Collation: (B,) the numbers in the pictures."""
    return [int(sample.image[0, 0, 0]) for sample in samples]


def test_pictures_labels_and_classes_are_the_tables(root):
    training = find_samples(root, "train")
    assert training.ids == tuple(f"train/{row}" for row in range(6))
    assert training.classes == NAMES
    assert training.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert pixels([training[i] for i in (5, 0, 3)], 0) == [5, 0, 3]
    held_out = find_samples(root, "val", "valid", "validation", "test", classes=("dog", "cat"))
    assert (held_out.split, held_out.labels.tolist()) == ("validation", [1, 0, 1])
    assert find_pictures(root, "train").ids == training.ids
    assert layout_of(root, "train")[0] == "tables"
    assert layout_of(root, "test") is None


def test_batches_are_the_same_for_any_number_of_workers(root):
    samples = find_samples(root, "train")
    batches = [
        [
            batch
            for _, batch in Loader(samples, pixels, micro_batch=2, seed=3, workers=workers).micro_batches(1)
        ]
        for workers in (0, 2)
    ]
    assert batches[0] == batches[1]
    assert sorted(chain.from_iterable(batches[0])) == list(range(6))
    assert pixels([pickle.loads(pickle.dumps(samples))[4]], 0) == [4]  # noqa: S301 - as workers get them


def test_pictures_are_decoded_here_and_never_by_the_library(root, monkeypatch):
    seen = []
    decode = images.open_image
    monkeypatch.setattr(
        images, "open_image", lambda source, name: seen.append(type(source)) or decode(source, name)
    )
    monkeypatch.setattr("datasets.Image.decode_example", lambda *_, **__: pytest.fail("decoded by datasets"))
    _ = find_samples(root, "train")[0]
    assert seen == [bytes]


def test_fingerprints_tell_pictures_and_labels_apart_but_not_places(tmp_path):
    sets = [saved_tables(tmp_path / "a", {"train": 4}), saved_tables(tmp_path / "b", {"train": 4})]
    sets.append(saved_tables(tmp_path / "c", {"train": 4}, side=40))
    sets.append(saved_tables(tmp_path / "d", {"train": 4}, names=("cat", "owl")))
    sets.append(saved_tables(tmp_path / "e", {"train": 4}, labels=[1, 1, 0, 1]))
    found = [find_samples(each, "train").fingerprint for each in sets]
    assert found[0] == found[1]
    assert len(set(found)) == 4


def test_a_set_that_is_saved_anew_is_read_anew(tmp_path):
    assert len(find_samples(saved_tables(tmp_path / "a", {"train": 4}), "train")) == 4
    assert len(find_samples(saved_tables(tmp_path / "a", {"train": 6}), "train")) == 6
    path = tmp_path / "b" / "train-00000-of-00001.parquet"
    path.parent.mkdir()
    for count in (4, 6):
        table(count).to_parquet(path)
        assert len(find_samples(path.parent, "train")) == count


def test_a_row_whose_picture_is_damaged_is_named(tmp_path):
    root = saved_tables(tmp_path, {"train": 4}, replaced={1: b"no picture", 2: None})
    samples = find_samples(root, "train")
    with pytest.raises(ImageError, match=r":train/1: not a JPEG"):
        _ = samples[1]
    with pytest.raises(ImageError, match=r":train/2: the column `image` is empty in this row"):
        _ = samples[2]


def test_the_folder_is_never_written_to(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    _ = find_samples(root, "train")[0]
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_one_set_saved_alone_has_one_split(tmp_path):
    table(3).save_to_disk(tmp_path / "alone")
    assert find_pictures(tmp_path / "alone", "train").ids == ("all/0", "all/1", "all/2")
    with pytest.raises(
        DataError, match="saved alone, is not val or test; save a DatasetDict with all splits"
    ):
        find_samples(tmp_path / "alone", "val", "test")


def test_labels_may_be_a_plain_column_or_missing_where_none_are_needed(tmp_path):
    from datasets import Value

    rows = table(4).cast_column("label", Value("int64"))
    rows.save_to_disk(tmp_path / "numbers" / "train")
    assert find_samples(tmp_path / "numbers", "train").classes == ("0", "1")
    rows.remove_columns("label").save_to_disk(tmp_path / "plain" / "train")
    assert find_pictures(tmp_path / "plain", "train").labels is None
    with pytest.raises(DataError, match=r"tables of train have no column of labels; make one a ClassLabel"):
        find_samples(tmp_path / "plain", "train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows.remove_columns("image"),
            r"train has no column of pictures.* \(columns: `label`\)",
        ),
        (lambda rows: twice(rows, "image", ("a", "b")), "cast the right one to datasets.Image"),
        (
            lambda rows: twice(rows, "label", ("fine", "coarse")),
            "`fine`, `coarse` could all be the labels",
        ),
        (lambda rows: rows.select([]), "train has no rows"),
    ],
)
def test_tables_of_which_it_is_unclear_what_they_show_are_refused(change, message, tmp_path):
    change(table(4)).save_to_disk(tmp_path / "train")
    with pytest.raises(DataError, match=message):
        find_samples(tmp_path, "train")


def twice(rows, column, names):
    """Return the same column by two names."""
    both = rows.select_columns([column]).rename_column(column, names[1])
    from datasets import concatenate_datasets

    return concatenate_datasets([rows.rename_column(column, names[0]), both], axis=1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [0, -1, 1, -1],
            r"2 rows have no label \(empty or -1\) in the column `label`, such as `train/1` and 1 more",
        ),
        ([0, None, 1, 1], r"1 rows have no label .* such as `train/1`; remove them from the data set"),
    ],
)
def test_rows_without_a_label_are_told(labels, message, tmp_path):
    with pytest.raises(DataError, match=message):
        find_samples(saved_tables(tmp_path, {"train": 4}, labels=labels), "train")


def test_labels_beyond_the_names_are_told(tmp_path):
    """The library refuses to write such labels, but not to read them."""
    root = saved_tables(tmp_path, {"train": 6}, names=("cat", "dog", "owl"), labels=[0, 1, 2, 0, 1, 2])
    info = root / "train" / "dataset_info.json"
    info.write_text(info.read_text().replace(',\n        "owl"', ""))
    (arrow,) = (root / "train").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes().replace(b'"cat", "dog", "owl"', b'"cat", "dog"       '))
    with pytest.raises(
        DataError, match="label 2 of `train/2` is out of range; the column `label` has 2 classes, 0 to 1"
    ):
        find_samples(root, "train")


@pytest.mark.parametrize("name", ["data-00000-of-00001.arrow", "state.json", "dataset_info.json"])
@pytest.mark.parametrize("length", [0, 30])
def test_files_that_are_cut_short_are_told(name, length, tmp_path):
    root = saved_tables(tmp_path, {"train": 4})
    path = root / "train" / name
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match=r"train.*: cannot be read.*; save it again|save the data set again"):
        find_samples(root, "train")


def test_tables_of_several_sets_are_not_mixed(tmp_path):
    for name in ("fine", "coarse"):
        (tmp_path / name).mkdir()
        table(4).to_parquet(tmp_path / name / "train-00000-of-00001.parquet")
    with pytest.raises(
        DataError, match=r"2 folders hold tables of train: .*coarse`, .*fine`; give one of them"
    ):
        find_samples(tmp_path, "train")
    assert len(find_samples(tmp_path / "fine", "train")) == 4


def test_a_table_that_is_called_as_a_list_is_told_its_name(tmp_path):
    table(4).to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"call it as the hub does, train-00000-of-00001\.parquet"):
        find_samples(tmp_path, "train")
    (tmp_path / "train.parquet").rename(tmp_path / "train-00000-of-00001.parquet")
    assert len(find_samples(tmp_path, "train")) == 4


def test_a_damaged_parquet_and_a_full_cache_are_told_apart(tmp_path, monkeypatch):
    path = tmp_path / "train-00000-of-00001.parquet"
    table(4).to_parquet(path)
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("SWINKIT_CACHE", str(blocked))
    with pytest.raises(EnvironmentProblem, match=r"cannot be unpacked into .*file: .*\$SWINKIT_CACHE"):
        find_samples(tmp_path, "train")
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path / "cache"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(
        DataError, match=r"parquet: cannot be read as a Hugging Face dataset: .*; save it again"
    ):
        find_samples(tmp_path, "train")


def test_without_the_library_it_is_asked_for(tmp_path, monkeypatch):
    root = saved_tables(tmp_path, {"train": 4})
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EnvironmentProblem, match=r"needs datasets; pip install 'swinkit\[datasets\]'"):
        find_samples(root, "train")


def test_pictures_turn_as_their_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    Image.new("RGB", (8, 4)).save(content, "JPEG", exif=exif)
    root = saved_tables(tmp_path, {"train": 2}, replaced={0: content.getvalue()})
    assert find_samples(root, "train")[0].image.shape == (3, 8, 4)
