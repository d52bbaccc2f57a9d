"""The names of classes, and how 1,000 classes of ImageNet lie among its 21,841."""

import json
from pathlib import Path

from swinkit.data.classes import class_names
from swinkit.data.imagenet import CLASSES_1K, CLASSES_22K, ids, ids_of_rows, rows_of_1k


def test_the_ids_are_those_of_timm():
    from timm.data import ImageNetInfo

    for name, subset, number in (("1k", "imagenet-1k", CLASSES_1K), ("22k", "imagenet-22k", CLASSES_22K)):
        assert list(ids(name)) == ImageNetInfo(subset).label_names()
        assert len(ids(name)) == number


def test_the_class_map_is_microsofts(shared: Path):
    path = shared / "golden" / "map22kto1k_a" / "map22kto1k.json"
    assert list(rows_of_1k()) == json.loads(path.read_text(encoding="utf-8"))


def test_rows_are_told_as_far_as_the_class_map_tells_them():
    """All but 796; and they agree with the list of 21,843 ids, of which the map's rows are."""
    from timm.data import ImageNetInfo

    rows, longer = ids_of_rows(), ImageNetInfo("imagenet-21k-goog").label_names()
    assert len(rows) == CLASSES_22K
    assert rows.count(None) == 796
    assert rows[:9205] == ids("22k")[:9205]
    assert all(wordnet in (None, expected) for wordnet, expected in zip(rows, longer, strict=False))


def test_classes_of_imagenet_22k_are_named_where_that_is_certain():
    names, origin = class_names(21841)
    assert len(names) == 21841
    assert (names[0], names[359], names[9206], names[21840]) == (
        "n00004475",
        "tench",
        "class 9206",
        "class 21840",
    )
    assert names[5564] == "n03013580"  # the map gives the teddy bear this row, of a garment
    assert sum(not name.startswith(("n0", "n1", "class ")) for name in names) == 999
    assert "ImageNet-22k" in origin


def test_other_numbers_of_classes_are_numbered():
    assert class_names(3)[0] == ("class 0", "class 1", "class 2")
    assert class_names(1000)[0][0] == "tench"
    assert class_names(400)[1].startswith("Kinetics-400")
