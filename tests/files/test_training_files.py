"""Files as trainings leave them, and what else torch writes: the allow-list lets all of it pass."""

import functools
import random
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, MultiStepLR, SequentialLR

from swinkit.errors import DataError
from swinkit.files.tensors import read_contents

WAYS = [(2, True), (3, True), (2, False), (3, False)]  # protocol; zipped, or as before torch 1.6


def written(path: Path, content: object, protocol: int = 2, zipped: bool = True) -> Path:
    """Return the content as torch writes it."""
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return path


def noted(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor with an attribute, and one of the names of its own methods."""
    tensor.note, tensor.numel = {"a": 1}, 5
    return tensor


BASE = torch.arange(20.0).reshape(4, 5)
TYPES = ["float16", "bfloat16", "float64", "int8", "uint8", "int16", "int32", "int64", "bool", "complex64"]
STATES = {
    "metadata": nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).state_dict(),
    "parameters": {"a": nn.Parameter(torch.ones(3)), "b": noted(nn.Parameter(torch.ones(3)))},
    "attributes": {"a": noted(torch.ones(2)), "b": torch.ones(2, requires_grad=True)},
    "views": {"a": BASE[1:], "b": BASE.t(), "c": BASE[:, ::2], "d": BASE, "e": BASE[2, 3]},
    "types": {name: torch.ones(3).to(getattr(torch, name)) for name in TYPES},
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize(("protocol", "zipped"), WAYS)
def test_states_come_back(tmp_path: Path, name: str, protocol: int, zipped: bool):
    state = STATES[name]
    read = read_contents(written(tmp_path / "a.pth", state, protocol, zipped)).state
    assert read.keys() == state.keys()
    assert all(torch.equal(read[key], state[key]) and read[key].dtype == state[key].dtype for key in state)


def test_types_that_only_the_zipped_format_has_come_back(tmp_path: Path):
    state = {name: torch.ones(3).to(getattr(torch, name)) for name in ("float8_e4m3fn", "uint16", "uint32")}
    read = read_contents(written(tmp_path / "a.pth", state)).state
    assert {name: tensor.dtype for name, tensor in read.items()} == {
        name: tensor.dtype for name, tensor in state.items()
    }


def beside() -> dict[str, object]:
    """Return the objects that a training stores beside its weights."""
    model = nn.Linear(4, 2)
    optimiser = optim.AdamW(model.parameters())
    model(torch.ones(1, 4)).sum().backward()
    optimiser.step()
    steps = MultiStepLR(optimiser, [30, 60, 60])
    both = SequentialLR(optimiser, [ConstantLR(optimiser), CosineAnnealingLR(optimiser, 9)], [3])
    return {
        "optimizer": optimiser.state_dict(),
        "schedules": [steps.state_dict(), both.state_dict()],
        "scaler": torch.amp.GradScaler("cpu").state_dict(),
        "random": [torch.get_rng_state(), torch.Generator().get_state(), random.getstate()],
        "numpy": [np.random.default_rng(0).random(2), np.float32(3), np.int64(3), np.array([])],
        "plain": [3, 0.5, None, True, (1, (2, [None])), {1, "a"}, {0.5: 1, True: 2, None: 3}],
        "addresses": {140_234_567_890_123: {"step": 1}},  # keys of optimisers until torch 1.5
        "counts": [Counter("abca"), Counter(), OrderedDict(), defaultdict(int, {1: 2})],
        "torch": [torch.Size([1, 2]), torch.device("cuda:0"), torch.float16, torch.zeros(0, 3)],
        "args": Namespace(lr=1, out=Path("x"), betas=(0.9, 0.999)),
    }


@pytest.mark.parametrize(("protocol", "zipped"), WAYS)
def test_a_training_loads_whatever_it_keeps_beside_its_weights(tmp_path: Path, protocol: int, zipped: bool):
    kept = beside()
    if protocol == 3:
        del kept["numpy"]  # as bytes, which torch's reader does not know in this protocol
    contents = read_contents(written(tmp_path / "a.pth", {"model": {"a": BASE}} | kept, protocol, zipped))
    assert torch.equal(contents.state["a"], BASE)
    assert contents.ignored == tuple(kept)


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_protocol_that_torch_does_not_read_is_told(tmp_path: Path, protocol: int):
    with pytest.raises(DataError, match="without `pickle_protocol`"):
        read_contents(written(tmp_path / "a.pth", {"a": BASE}, protocol))


@pytest.mark.parametrize("zipped", [True, False])
def test_all_that_is_not_allowed_is_named_at_once_with_advice(tmp_path: Path, zipped: bool):
    content = {"a": BASE, "f": functools.partial(print), "set": torch.utils.data.TensorDataset(BASE)}
    with pytest.raises(
        DataError, match=r"`builtins.print`, `functools.partial`, `torch.utils.data.*convert it"
    ):
        read_contents(written(tmp_path / "a.pth", content, zipped=zipped))


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch warns of quantised tensors
@pytest.mark.parametrize(
    "make",
    [
        torch.Tensor.to_sparse,
        lambda x: x.to("meta"),
        lambda x: torch.quantize_per_tensor(x, 1, 0, torch.qint8),
    ],
)
def test_tensors_that_are_no_arrays_are_refused_as_such(tmp_path: Path, make):
    with pytest.raises(DataError, match=r"no plain arrays .*save dense ones"):
        read_contents(written(tmp_path / "a.pth", {"a": make(BASE)}))
