"""Everything that starts several processes starts the same training."""

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load_file

from swinkit.cli.launch import launch
from swinkit.cli.main import main
from swinkit.errors import UsageError
from swinkit.files.tensors import read_torch
from swinkit.runs.lock import Lock
from tests.data.pictures import of_two_greys
from tests.training.processes import PATIENCE

pytestmark = pytest.mark.processes

WORDS = ["schedule.epochs=1", "schedule.warmup_epochs=0", "run.batch_size=4"]
LONG = ["schedule.epochs=500", *WORDS[1:], "run.save_every=1"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return of_two_greys(tmp_path_factory.mktemp("pictures"))


def free_port():
    """One that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], marks=pytest.mark.nightly, id="none"),
        pytest.param(["run.sharding=full", "optimiser.kind=adamw", "run.precision=bf16"], id="full"),
    ],
)
def test_torchrun_and_accelerate_train_what_processes_does(fields, pictures, tmp_path):
    here = [sys.executable, "-m"]
    starters = {
        "processes": [*here, "swinkit"],
        "torchrun": [*here, "torch.distributed.run", "--nproc-per-node=2", "--master-port", free_port()],
        "accelerate": [*here, "accelerate.commands.launch", "--multi_gpu", "--num_processes=2"],
    }
    starters["torchrun"] += ["-m", "swinkit"]
    starters["accelerate"] += ["--main_process_port", free_port(), "-m", "swinkit"]
    running = {}
    for name, starter in starters.items():
        words = ["train", "cifar10-swin-pico", f"data={pictures}", f"out={tmp_path / name}", *WORDS, *fields]
        words += ["--processes=2"] if name == "processes" else []
        running[name] = subprocess.Popen(
            [*starter, *words],
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    said = {name: process.communicate()[0] for name, process in running.items()}
    assert {name: process.returncode for name, process in running.items()} == dict.fromkeys(starters, 0), said
    expected = load_file(tmp_path / "processes" / "last" / "model.safetensors")
    for name in starters:
        assert said[name].count("2 at a time x 2 processes") == 1
        weights = load_file(tmp_path / name / "last" / "model.safetensors")
        assert all(torch.equal(value, weights[key]) for key, value in expected.items()), name
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["recipe"]["run"]["sharding"] == ("full" if fields else "none")
        assert said[name].count("parameters in this process") == bool(fields)


def test_shared_out_weights_train_as_whole_ones_do(pictures, tmp_path, capfd):
    """By the command, and each process keeps about half: it is no DDP under another name."""
    weights = {}
    for sharding in ("none", "full"):
        out = tmp_path / sharding
        words = ["train", "cifar10-swin-pico", f"data={pictures}", f"out={out}", *WORDS, "--processes=2"]
        assert main([*words, "optimiser.kind=adamw", "optimiser.lr=1e-4", f"run.sharding={sharding}"]) == 0
        weights[sharding] = load_file(out / "last" / "model.safetensors")
    said = capfd.readouterr().out
    (kept,) = re.findall(r"shared out +([\d,]+) parameters in this process", said)
    every = sum(value.numel() for value in weights["full"].values())
    assert every / 2 <= int(kept.replace(",", "")) < 0.52 * every
    for name, value in weights["none"].items():
        torch.testing.assert_close(weights["full"][name], value, rtol=1e-4, atol=1e-5)


def test_two_processes_pre_train_as_one_does(pictures, tmp_path):
    weights = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        words = ["pretrain", "swin-pico", f"data={pictures}", f"out={out}", *WORDS, "run.micro_batch=2"]
        assert main([*words, f"--processes={processes}"]) == 0
        weights.append(load_file(out / "last" / "model.safetensors"))
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-5)


@pytest.fixture
def going(pictures, tmp_path):
    """Two processes that train, begun in a terminal; the launcher, the run, and the terminal's other end."""
    out, log = tmp_path / "run", tmp_path / "said.txt"
    words = ["train", "cifar10-swin-pico", f"data={pictures}", f"out={out}", *LONG, "--processes=2"]
    launcher, terminal = pty.fork()
    if not launcher:
        variables = os.environ | {"TERM": "xterm", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "swinkit", *words], variables)
    with log.open("wb") as said:
        until = time.monotonic() + PATIENCE
        while not list((out / "checkpoints").glob("epoch-*")):
            assert time.monotonic() < until, log.read_bytes()
            if select.select([terminal], [], [], 0.05)[0]:
                said.write(os.read(terminal, 4096))
                said.flush()
    return launcher, out, terminal, log.read_bytes()


def freed(out):
    """Wait until nobody trains there; the last event of the log."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            Lock(out).release()
        except UsageError:
            assert time.monotonic() < until, "it trains on"
            time.sleep(0.05)
        else:
            return json.loads((out / "log.jsonl").read_text().splitlines()[-1])


def test_a_terminal_has_one_bar_and_closing_it_stops_all(going):
    launcher, out, terminal, said = going
    assert said.count(b"\x1b[?25l") == 1  # the cursor is hidden by each bar
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1]) == 129
    assert freed(out) | {"updates": 0} == {"event": "stopped", "updates": 0, "signal": 1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_all_finish_the_step_and_save(number, going):
    """By Ctrl-C in the terminal, or by SIGTERM to the command."""
    launcher, out, terminal, _ = going
    if number == signal.SIGINT:
        os.write(terminal, b"\x03")
    else:
        os.kill(launcher, number)
    while not (over := os.waitpid(launcher, os.WNOHANG))[0]:
        if select.select([terminal], [], [], 0.05)[0]:
            with suppress(OSError):
                os.read(terminal, 4096)
    assert os.waitstatus_to_exitcode(over[1]) == 128 + number
    stopped = freed(out)
    assert (stopped["event"], stopped["signal"]) == ("stopped", number)
    (checkpoint,) = (out / "checkpoints").glob("epoch-*")
    with (checkpoint / "state.pt").open("rb") as file:
        assert read_torch(checkpoint, file)["progress"]["updates"] == stopped["updates"]
    os.close(terminal)


def test_without_their_launcher_all_stop(going):
    launcher, out, terminal, _ = going
    os.kill(launcher, signal.SIGKILL)
    os.waitpid(launcher, 0)
    assert freed(out)["signal"] == signal.SIGTERM
    os.close(terminal)


def test_a_bad_picture_of_one_process_ends_both_in_one_line(pictures, tmp_path):
    data = shutil.copytree(pictures, tmp_path / "data")
    (data / "train" / "black" / "2.png").write_bytes(b"")
    words = ["train", "cifar10-swin-pico", f"data={data}", f"out={tmp_path / 'run'}", *WORDS, "--processes=2"]
    command = [sys.executable, "-m", "swinkit", *words]
    found = subprocess.run(
        command, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 3, found.stderr
    (error,) = (line for line in found.stderr.splitlines() if not line.startswith("epoch"))
    assert error.startswith("error: 1 of 8 training pictures cannot be read, more than data.max_bad_fraction")


def test_processes_within_processes_are_refused(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UsageError, match="--processes 2 was given to one of 4 processes that torchrun"):
        launch(["train"], 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--processes=3"], "run.batch_size=4 cannot be shared by 3 processes; choose a multiple of 3"),
        (["--processes=8"], "run.batch_size=4 cannot be shared by 8 processes"),
        (
            ["run.sharding=full", "optimiser.kind=adamw"],
            "run.sharding=full shares the weights out among processes, and this is one",
        ),
        (["run.sharding=some"], "run.sharding"),
    ],
)
def test_what_processes_cannot_share_is_said_once_before_any_starts(words, message, capfd, tmp_path):
    place = f"out={tmp_path / 'run'}"
    assert main(["train", "cifar10-swin-pico", "data=x", place, *WORDS, *words]) == 2
    assert capfd.readouterr().err.count(message) == 1
    assert not (tmp_path / "run").exists()
