"""The commands that train, killed on real pictures however they learn, go on to the very same weights.

The moments are drawn from $KILL_SEED, as those of `tests/training/test_resume.py`; by day every
other way to learn is tried.
"""

import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.commands import commanded
from tests.training.moments import SEED, by_day
from tests.training.processes import PATIENCE, ended
from tests.training.states import assert_same, last_state

pytestmark = pytest.mark.processes

SHORT = [
    "schedule.epochs=3",
    "schedule.warmup_epochs=0",
    "run.batch_size=4",
    "run.save_every=1",
    "run.ema=0.9",
]
MIXED = ["augmentation.mixup=0.8", "augmentation.cutmix=1"]
DROPPED = ["drop_path=0.3", "run.micro_batch=2"]
WAYS = {
    "bf16, drop-path and two readers": [
        "train", "cifar10-swinv2-pico", "run.precision=bf16", "data.workers=2", *DROPPED,
    ],
    "Muon, mixup and CutMix": ["train", "cifar10-swin-pico", *MIXED],
    "SimMIM": ["pretrain", "swin-pico", "data.workers=1"],
    "AdamW with rates by layer, RandAugment": ["train", "finetune-swin-pico", "augmentation.operations=2"],
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Eight to learn from and two to watch, each all noise, so that any other view of them is told."""
    root, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 1)):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 256, (40, 36, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("way", by_day([(way,) for way in WAYS], every=2))
def test_the_command_killed_twice_goes_on_to_the_same_weights(
    way: str, seed: int, pictures: Path, tmp_path: Path
):
    draw, said = random.Random(f"{seed} {way}"), tmp_path / "said.txt"

    def training(run: Path):
        return commanded([*WAYS[way], f"data={pictures}", f"out={run}", *SHORT], said)

    assert ended(training(tmp_path / "whole")) == 0, said.read_text()
    run = tmp_path / "run"
    for _ in range(2):
        process = training(run)
        after_checkpoints(run, process, draw.randint(1, 2))
        time.sleep(draw.uniform(0, 0.2))
        process.kill()
        assert ended(process) == -signal.SIGKILL, said.read_text()
    assert ended(commanded(["train", "--resume", run], said)) == 0, said.read_text()
    assert_same(last_state(run), last_state(tmp_path / "whole"))
    shutil.rmtree(tmp_path / "whole")


def after_checkpoints(run: Path, process, count: int):
    """Wait until the newest checkpoint has changed so many times, or the process has ended."""
    until = time.monotonic() + PATIENCE
    for _ in range(count):
        before = newest(run)
        while newest(run) in (before, "") and process.is_alive():
            assert time.monotonic() < until, "it does not get on"
            time.sleep(0.005)


def newest(run: Path) -> str:
    """Return the name of the last whole checkpoint, or nothing."""
    return max((path.name for path in (run / "checkpoints").glob("epoch-*")), default="")
