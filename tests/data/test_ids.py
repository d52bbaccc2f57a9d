"""Names of samples, which take little memory and are otherwise as a tuple of strings."""

import sys
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swinkit.data.ids import Ids, Rows, Texts

ANY = st.lists(st.text(st.characters(exclude_categories=())), max_size=5)  # bytes that are no text included
KINDS = (Texts(["a/1.png", "", "b/\udcff.png"]), Rows("train", 3))


@given(names=ANY)
def test_names_come_back_as_they_were(names: list[str]) -> None:
    assert list(Texts(names)) == names


@pytest.mark.parametrize("ids", KINDS)
def test_they_are_taken_as_from_any_sequence(ids: Ids) -> None:
    names = tuple(ids)
    assert ids == names
    assert names == ids
    assert ids[:] == list(names)
    assert (ids[-1], ids[1:], ids[::-1]) == (names[-1], list(names[1:]), list(names[::-1]))
    assert names[1] in ids
    assert deepcopy(ids) == ids  # as workers get them
    with pytest.raises(IndexError):
        ids[3]


def test_they_are_equal_to_the_same_names_alone() -> None:
    assert Rows("val", 2) == Texts(["val/0", "val/1"])
    assert Rows("val", 2) != Texts(["val/0", "val/2"])
    assert Rows("val", 2) != Texts(["val/0"])
    assert Rows("val", 2) != 2


def test_a_million_names_would_take_their_letters_and_little_more() -> None:
    names = [f"train/n{i // 650:08}/n{i // 650:08}_{i}.JPEG" for i in range(20_000)]
    texts = Texts(names)
    held = sys.getsizeof(texts.letters) + sys.getsizeof(texts.ends)
    assert held < 1.15 * (sum(map(len, names)) + 8 * len(names))  # room to grow, as of lists
    assert held < sum(map(sys.getsizeof, names)) / 1.8
