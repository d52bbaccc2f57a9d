"""Attack: the file uses the names that are stood in for (`files.standins`) to reach the real objects."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from swinkit.errors import DataError
from swinkit.files.pickle_stubs import MAPPINGS, OBJECTS, Mapping, Object, allow_stubs
from swinkit.files.tensors import read_contents

from .pickled import torch_zip

# {"model": {}, "x": module.name(*arguments) with a state} in protocol 2
MAKE = b"\x80\x02}(X\x05\x00\x00\x00modelcMODULE\nNAME\n"
MAKE += b"(X\x02\x00\x00\x00osX\x06\x00\x00\x00systemtR}X\x01\x00\x00\x00aK\x01sbu."


@pytest.mark.parametrize("name", [*MAPPINGS, *OBJECTS])
def test_a_name_makes_nothing_but_its_stand_in(tmp_path: Path, name: str):
    module, _, last = name.rpartition(".")
    data = MAKE.replace(b"MODULE", module.encode()).replace(b"NAME", last.encode())
    with allow_stubs():
        made = torch.load(torch_zip(tmp_path / "a.pth", data), weights_only=True)["model"]
    assert type(made) is (OrderedDict if name in MAPPINGS else Object)
    assert not made if name in MAPPINGS else not vars(made)


def test_what_a_stand_in_made_cannot_be_called(tmp_path: Path):
    # getattr(os, "system")("x"): the first call gives an empty object, the second is refused
    data = b"\x80\x02}X\x05\x00\x00\x00modelcbuiltins\ngetattr\n(X\x02\x00\x00\x00ostR(X\x01\x00\x00\x00xtRs."
    with pytest.raises(DataError, match="calls an object of its own making"):
        read_contents(torch_zip(tmp_path / "a.pth", data))


@pytest.mark.parametrize("module", ["os", "posix", "builtins", "nt", "subprocess", "yacs.config"])
def test_other_names_of_the_same_modules_are_refused(tmp_path: Path, module: str):
    data = MAKE.replace(b"MODULE", module.encode()).replace(b"NAME", b"system")
    with pytest.raises(DataError, match="system"):
        read_contents(torch_zip(tmp_path / "a.pth", data))


@pytest.mark.parametrize("attribute", ["get", "keys", "values", "pop"])
def test_attributes_of_a_dictionary_cannot_be_replaced(tmp_path: Path, attribute: str):
    state: OrderedDict[str, object] = OrderedDict(model={"a": torch.ones(2)})
    setattr(state, attribute, 5)
    torch.save(state, tmp_path / "a.pth")
    assert read_contents(tmp_path / "a.pth").state["a"].tolist() == [1, 1]


def test_afterwards_torch_allows_no_more_than_before(tmp_path: Path):
    before = torch.serialization.get_safe_globals()
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pth")
    read_contents(tmp_path / "a.pth")
    assert set(torch.serialization.get_safe_globals()) == set(before)  # a list of a set: in any order
    assert not {Mapping, Object} & {entry[0] for entry in before if isinstance(entry, tuple)}
