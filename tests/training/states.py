"""What a run has come to, compared to the bit."""

import shutil

import torch

from swinkit.files.tensors import read_torch
from swinkit.runs.checkpoints import write
from swinkit.runs.folder import RunFolder
from swinkit.runs.progress import Progress


def epochs(run):
    """Return what the log of a run tells of its epochs."""
    return [event for event in RunFolder(run).events() if event["event"] == "epoch"]


def read_state(run):
    """All that the only checkpoint of a run holds."""
    (checkpoint,) = (run / "checkpoints").iterdir()
    path = checkpoint / "state.pt"
    with path.open("rb") as file:
        return read_torch(path, file)


def last_state(run):
    """Return the same, but for the time that it took."""
    state = read_state(run)
    assert state["progress"].pop("seconds") > 0
    return state


def set_back(run, **changes):
    """Let the only checkpoint of a run say that it has come less far."""
    state = read_state(run)
    (checkpoint,) = (run / "checkpoints").iterdir()
    progress = Progress(**state["progress"] | changes)
    shutil.rmtree(checkpoint)
    earlier = checkpoint.with_name(progress.name())
    earlier.mkdir()
    write(earlier, state | {"progress": vars(progress)})


def rewritten(run, change):
    """Do something to what the only checkpoint of a run holds; it stays whole."""
    state = read_state(run)
    (checkpoint,) = (run / "checkpoints").iterdir()
    change(state)
    write(checkpoint, state)


def assert_same(ours, theirs, path=""):
    """Every tensor and every plain value, to the bit."""
    assert type(ours) is type(theirs), path
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), (
            path
        )  # an optimiser that was loaded may list them in another order
        for name in ours:
            assert_same(ours[name], theirs[name], f"{path}.{name}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), path
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{path}.{i}")
    elif isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), path
    else:
        assert ours == theirs, path
