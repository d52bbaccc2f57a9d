"""`swinkit train` as a user stops it, disturbs it and goes on: what it says, and with which code it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from swinkit.cli.main import main
from swinkit.runs.folder import RunFolder
from tests.data.pictures import of_two_greys
from tests.training.commands import commanded
from tests.training.disks import small_disk
from tests.training.processes import PATIENCE, ended
from tests.training.states import set_back

pytestmark = pytest.mark.processes

NOBODY = 65534
RECIPE = "cifar10-swin-pico"
SHORT = ["schedule.epochs=2", "schedule.warmup_epochs=0", "run.batch_size=4", "run.save_every=1"]
LONG = ["schedule.epochs=500", *SHORT[1:]]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return of_two_greys(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory):
    """Return a run that has come to its end."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    assert main(["train", RECIPE, f"data={pictures}", f"out={out}", *SHORT]) == 0
    return out


@pytest.fixture
def run(finished, tmp_path):
    """Return a copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def going(pictures, tmp_path, request):
    """Yield a training that has done some steps, and the file of its output; the parameter adds fields."""
    out, said = tmp_path / "run", tmp_path / "said.txt"
    more = getattr(request, "param", ())
    process = commanded(["train", RECIPE, f"data={pictures}", f"out={out}", *LONG, *more], said)
    until = time.monotonic() + PATIENCE
    while not list((out / "checkpoints").glob("epoch-*")):
        assert process.is_alive(), said.read_text()
        assert time.monotonic() < until, "it does not get on"
        time.sleep(0.01)
    yield process, out, said
    process.kill()
    ended(process)


def message(words, capsys, code):
    """Return the one line that an error is."""
    capsys.readouterr()
    assert main(words) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error.strip()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_asked_to_stop_it_says_how_to_go_on(number, code, going):
    process, out, said = going
    os.kill(process.pid, number)
    assert ended(process) == code
    lines = said.read_text().splitlines()
    assert f"stopped; `swinkit train --resume {out}`, or the same command, goes on" in lines[-2:], lines
    assert RunFolder(out).events()[-1]["event"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("going", [["data.workers=2"]], indirect=True)
def test_a_signal_to_all_of_its_processes_stops_it_as_one_to_itself(number, going):
    process, out, said = going
    readers = psutil.Process(process.pid).children()
    assert len(readers) >= 2
    for each in readers:  # before the main one: it must find them alive, to finish its step
        each.send_signal(number)
    time.sleep(0.2)
    os.kill(process.pid, number)
    assert ended(process) == 128 + number, said.read_text()
    assert RunFolder(out).events()[-1]["event"] == "stopped"
    assert psutil.wait_procs(readers, timeout=10)[1] == []


def test_two_trainings_in_one_folder_are_refused_until_the_first_is_gone(going, tmp_path):
    process, out, _ = going
    said = tmp_path / "second.txt"
    second = commanded(["train", "--resume", out], said)
    assert ended(second) == 2
    last, place = said.read_text().splitlines()[-1], os.uname().nodename
    assert last.startswith(f"error: {out} is in use: process {process.pid} on {place}, since 20")
    assert last.endswith(", trains in it; wait for it, stop it, or choose another folder")
    process.kill()
    ended(process)
    third = commanded(["train", "--resume", out, "schedule.epochs=1", "--allow-changes"], said)
    assert ended(third) == 0, said.read_text()


def test_a_resumed_run_says_where_it_goes_on_and_that_nothing_has_changed(run, capsys):
    set_back(run, epoch=1, step=1, updates=3, ended="")
    assert main(["train", "--resume", str(run)]) == 0
    said = capsys.readouterr().out
    assert "weights        as this run left them" in said
    (line,) = (each for each in said.splitlines() if each.startswith("resuming at"))
    assert line.startswith("resuming at epoch 2 of 2, step 1 of 2")
    assert line.endswith("configuration unchanged, data unchanged")


def test_another_field_is_refused_with_the_difference_unless_allowed(run, capsys):
    before = json.loads((run / "config.json").read_text())["recipe"]["optimiser"]["lr"]
    words = ["train", "--resume", str(run), "optimiser.lr=0.5", "run.seed=7"]
    change = f"optimiser.lr was {before}, now 0.5"
    assert message(words, capsys, 2) == (
        f"error: {run} holds a run that differs: `{change}`, `run.seed was 0, now 7`. "
        "Choose another folder, or allow changes (--allow-changes) to go on all the same"
    )
    assert main([*words, "--allow-changes"]) == 0
    assert f"changed since this run began: {change}" in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text())["recipe"]["optimiser"]["lr"] == 0.5


def test_other_pictures_are_refused_with_the_difference_unless_allowed(run, tmp_path, capsys):
    other = of_two_greys(tmp_path / "other")
    Image.new("RGB", (32, 32)).save(other / "train" / "black" / "new.png")
    words = ["train", "--resume", str(run), f"data={other}"]
    error = message(words, capsys, 2)
    assert "the training pictures differ: 8 then, 9 now" in error
    assert "sha256" not in error
    assert error.endswith("or allow changes (--allow-changes) to go on all the same")
    assert main([*words, "--allow-changes"]) == 0


def test_a_checkpoint_cut_short_is_named_and_nothing_is_guessed(run, capsys):
    (checkpoint,) = (run / "checkpoints").iterdir()
    os.truncate(checkpoint / "state.pt", 1000)
    assert main(["train", "--resume", str(run)]) == 3
    out, error = capsys.readouterr()
    damaged = f"passed over a damaged checkpoint: {checkpoint / 'state.pt'} is not as it was written"
    assert damaged in out.splitlines()
    where = run / "checkpoints"
    assert error.startswith(
        f"error: {where}: no checkpoint is whole, so the run cannot go on; its models are"
    )
    assert error.endswith("to train anew, choose another folder\n")


def test_steps_without_a_finite_loss_stop_it_with_the_samples_on_the_disk(pictures, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["train", RECIPE, f"data={pictures}", f"out={out}", *SHORT]
    error = message([*words, "optimiser.lr=1e30", "run.bad_steps=2", "run.batch_size=2"], capsys, 3)
    assert error == (
        "error: 2 steps in a row had no finite loss and gradient, up to epoch 1, step 3; log.jsonl of the "
        "run lists their samples; look at these, or begin anew in another folder with a lower learning rate, "
        "such as optimiser.lr=1e+29"
    )
    skipped = [event for event in RunFolder(out).events() if event["event"] == "skipped"]
    assert len(skipped) == 2
    assert all(len(event["samples"]) == 2 for event in skipped)
    assert set(skipped[0]["samples"] + skipped[1]["samples"]) <= {
        f"train/{name}/{i}.png" for name in ("black", "white") for i in range(4)
    }


def test_weights_that_have_grown_out_of_bounds_are_no_success(pictures, tmp_path, capsys):
    """Though few steps were skipped: the model would answer with no numbers."""
    out = tmp_path / "run"
    words = ["train", RECIPE, f"data={pictures}", f"out={out}", *SHORT, "optimiser.lr=1e30"]
    error = message(words, capsys, 3)
    assert error.startswith(
        "error: after epoch 1 the model has no finite answer to any picture of the validation split, with 1"
    )
    assert "learning has diverged; begin anew in another folder with a lower learning rate, such" in error
    assert not (out / "best").exists()


def test_a_run_whose_checkpoints_are_gone_is_not_trained_anew_over_its_models(run, capsys):
    best = (run / "best" / "model.safetensors").read_bytes()
    shutil.rmtree(run / "checkpoints")
    error = message(["train", "--resume", str(run), "run.hours=1", "--allow-changes"], capsys, 3)
    assert error == (
        f"error: {run} has trained (see metrics.csv), but its checkpoints are gone, so it cannot "
        "go on. Its models are best and last; to train anew, choose another folder, with "
        f"init={run / 'best'} to begin with what it learned"
    )
    assert (run / "best" / "model.safetensors").read_bytes() == best


def test_other_classes_and_models_are_refused_whatever_is_allowed(run, tmp_path, capsys):
    """A row of the head would become another class's."""
    other = of_two_greys(tmp_path / "other")
    for split in ("train", "val"):
        (other / split / "black").rename(other / split / "zebra")
    words = ["train", "--resume", str(run), "--allow-changes"]
    error = message([*words, f"data={other}"], capsys, 2)
    assert "`the classes differ: 2 then, 2 now; `black` gone, `zebra` new`" in error
    assert error.endswith(
        f"with init={run / 'best'}: what fits is taken from it, and of a head the classes of the same names"
    )
    assert "`variant was" in message([*words, "variant=swinv2-pico"], capsys, 2)


def test_what_was_learned_is_safe_before_it_is_measured(pictures, tmp_path, capsys):
    data, out = shutil.copytree(pictures, tmp_path / "data"), tmp_path / "run"
    damaged = data / "val" / "white" / "1.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:50])
    words = ["train", RECIPE, f"data={data}", f"out={out}", *SHORT, "run.save_every=1000"]
    assert str(damaged.relative_to(data)) in message(words, capsys, 3)
    (checkpoint,) = (out / "checkpoints").iterdir()
    assert checkpoint.name == "epoch-0000-step-00000002"
    damaged.write_bytes(whole)
    assert main([*words, "--allow-changes"]) == 0
    assert "resuming at epoch 1 of 2, step 2 of 2" in capsys.readouterr().out


def test_a_run_among_the_pictures_is_refused(pictures, capsys):
    out = pictures / "train" / "run"
    error = message(["train", RECIPE, f"data={pictures}", f"out={out}", *SHORT], capsys, 2)
    assert error == f"error: {out} lies among the pictures of {pictures}; choose a folder beside them"
    assert not out.exists()


def test_a_log_with_bytes_that_are_no_text_is_read_around_them(run, capsys):
    with (run / "log.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\x00rubbish\n")
    assert main(["train", "--resume", str(run)]) == 0
    assert "nothing is left to do" in capsys.readouterr().out


def test_when_nobody_reads_what_it_says_it_goes_on(pictures, tmp_path):
    """`swinkit train ... | head -1`."""
    out = tmp_path / "run"
    words = [sys.executable, "-m", "swinkit", "train", RECIPE, f"data={pictures}", f"out={out}", *SHORT]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert RunFolder(out).events()[-1]["event"] == "ended"


def test_without_space_it_says_so_keeps_what_it_has_and_goes_on_with_space(pictures, tmp_path, capsys):
    with small_disk(tmp_path / "disk", "64m") as disk:
        out, filling = disk / "run", disk / "filling"
        filling.write_bytes(bytes(shutil.disk_usage(disk).free - 6_000_000))
        words = ["train", RECIPE, f"data={pictures}", f"out={out}", *SHORT]
        error = message(words, capsys, 4)
        assert error.startswith(f"error: {out / 'checkpoints' / 'epoch-'}")
        reason = "cannot be written (No space left on device)"
        assert error.endswith(f" {reason}; earlier checkpoints are kept: make room, and resume the run")
        filling.unlink()
        assert main(words) == 0


def test_without_permission_it_says_where(tmp_path):
    with tempfile.TemporaryDirectory() as open_to_all:
        root = Path(open_to_all)
        root.chmod(0o755)
        of_two_greys(root / "data")
        said = tmp_path / "said.txt"
        words = ["train", RECIPE, f"data={root / 'data'}", f"out={root / 'run'}", *SHORT]
        root.chmod(0o555)
        user = None if os.geteuid() else NOBODY  # root sees no closed doors
        code = ended(commanded(words, said, user))
        root.chmod(0o755)
        assert code == 4
        assert said.read_text().splitlines()[-1] == (
            f"error: {root / 'run'} cannot be written: Permission denied; when that is mended, "
            "the same command goes on"
        )
