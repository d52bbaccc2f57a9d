"""Attack: an object in the file runs code when it is unpickled. Wherever it lies, in every protocol."""

import pickle
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.errors import DataError

from .pickled import Trap, torch_zip

PLACES = {
    "alone": lambda trap, state: trap,
    "beside the weights": lambda trap, state: {"model": state, "config": trap},
    "among the weights": lambda trap, state: {"model": {**state, "a": trap}},
    "as a key": lambda trap, state: {"model": state, (trap,): 1},
    "deep": lambda trap, state: {"model": state, "optimizer": {"state": [({"x": [trap]},)]}},
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("layout", ["zip", "legacy", "plain"])
def test_it_is_refused_and_does_not_run(tmp_path: Path, place: str, protocol: int, layout: str):
    mark, path = tmp_path / "mark", tmp_path / "a.pth"
    state = {} if layout == "plain" else {"w": torch.zeros(2)}
    hostile = PLACES[place](Trap(mark), state)
    if layout == "plain":
        path.write_bytes(pickle.dumps(hostile, protocol))
    elif layout == "zip" and place == "alone":
        torch_zip(path, pickle.dumps(hostile, protocol))
    else:
        torch.save(
            hostile, path, pickle_protocol=max(protocol, 2), _use_new_zipfile_serialization=layout == "zip"
        )
    with pytest.raises(DataError, match=r"a\.pth"):
        swinkit.load(path)
    assert not mark.exists()
