"""The engine on a tiny job, in this process: what it computes, skips, keeps, refuses and says."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.errors import DataError, EnvironmentProblem, UsageError
from swinkit.runs.checkpoints import write
from swinkit.runs.folder import RunFolder
from swinkit.runs.step_report import Report
from swinkit.tasks.classification.model import Classifier
from swinkit.training.loop import train
from swinkit.training.parallelize import explain_compiler_failures
from swinkit.training.step import Objective

from ..runs.test_lock import locked
from .jobs import Numbers, job, prepare, recipe, with_methods
from .states import epochs, read_state

pytestmark = pytest.mark.slow


def trained(path, chosen, made=None, **options):
    """Return the job after training in `path`."""
    made = job(chosen) if made is None else made
    train(made, chosen, RunFolder(path), **options)
    return made


def weights(made):
    """Of its task."""
    return made.task.state_dict()


def events(path):
    """Return the log of a run."""
    return RunFolder(path).events()


def assert_close(ours, theirs):
    """Within what adding in another order changes."""
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-6, msg=name)


def test_it_learns_and_saves_a_model_that_answers_alike(tmp_path):
    trained(tmp_path, recipe(epochs=4))
    log = epochs(tmp_path)
    assert [event["epoch"] for event in log] == [1, 2, 3, 4]
    assert log[-1]["top1"] == 1.0
    assert log[-1]["loss"] < log[0]["loss"] / 2
    batch = prepare((Numbers(8)[i] for i in range(8)), 0)
    best = swinkit.load(tmp_path / "best")
    assert (best(batch.pixels).argmax(1) == batch.targets).all()


def test_the_table_holds_what_the_log_tells_of_epochs(tmp_path):
    trained(tmp_path, recipe())
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    log = epochs(tmp_path)
    assert [{name: str(event[name]) for name in rows[0]} for event in log] == rows
    assert {"epoch", "loss", "lr", "top1", "seconds"} <= set(rows[0])


def test_accumulation_computes_what_the_whole_batch_does(tmp_path):
    chosen = recipe(1, dropout=0.0), recipe(1, dropout=0.0, micro_batch=2)
    whole, parts = (trained(tmp_path / str(i), each) for i, each in enumerate(chosen))
    assert_close(weights(whole), weights(parts))


def test_recomputing_blocks_changes_nothing_and_is_undone(tmp_path):
    plain = trained(tmp_path / "a", recipe(1))
    frugal = trained(tmp_path / "b", recipe(1, checkpointing=True))
    assert_close(weights(plain), weights(frugal))
    assert not any("forward" in vars(part) for part in frugal.task.modules())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # looked at by torch's compiler
def test_a_run_of_compiled_blocks_learns_what_a_plain_one_does(tmp_path):
    """By torch's own compiler, C++ and all, beside recomputing and averages; one epoch, watched and saved."""
    torch.compiler.reset()
    plain = trained(tmp_path / "a", recipe(1, dropout=0.0, checkpointing=True))
    compiled = trained(tmp_path / "b", recipe(1, dropout=0.0, checkpointing=True, compile=True))
    for name, value in weights(plain).items():
        torch.testing.assert_close(value, weights(compiled)[name], rtol=1e-3, atol=1e-5, msg=name)
    assert not any(part._compiled_call_impl for part in compiled.task.modules())
    (before,), (after,) = epochs(tmp_path / "a"), epochs(tmp_path / "b")
    assert after["loss"] == pytest.approx(before["loss"], rel=1e-4)
    assert after["val_loss"] == pytest.approx(before["val_loss"], rel=1e-3)


def test_bf16_trains_near_fp32_and_keeps_its_weights_in_fp32(tmp_path):
    plain, half = (
        trained(tmp_path / precision, recipe(1, precision=precision)) for precision in ("fp32", "bf16")
    )
    for name, value in weights(half).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, weights(plain)[name], rtol=0, atol=3e-3)
    assert not torch.equal(half.task.head.classifier.weight, plain.task.head.classifier.weight)


def test_in_training_and_evaluation_fp32_is_fp32_and_torch_is_as_before_afterwards(tmp_path, monkeypatch):
    seen, before = [], torch.backends.cudnn.conv.fp32_precision
    for name in ("losses", "observe"):
        monkeypatch.setattr(Classifier, name, noting(getattr(Classifier, name), seen))
    trained(tmp_path, recipe(1))
    assert len(seen) == 6 + 5
    assert set(seen) == {"ieee"}
    assert torch.backends.cudnn.conv.fp32_precision == before


def noting(method, seen):
    """Return `method`, which notes the precision of convolutions on a GPU in `seen` before it runs."""

    def noted(*given):
        seen.append(torch.backends.cudnn.conv.fp32_precision)
        return method(*given)

    return noted


def test_the_average_is_saved_beside_the_weights_and_is_what_is_measured(tmp_path):
    made = trained(tmp_path, recipe(1, ema=0.5))
    state = read_state(tmp_path)
    raw, average = state["model"]["head.classifier.weight"], state["model_ema"]["head.classifier.weight"]
    assert torch.equal(made.task.head.classifier.weight, raw)
    assert not torch.equal(raw, average)
    for name in ("best", "last"):
        assert torch.equal(swinkit.load(tmp_path / name).head.classifier.weight, average)


def test_it_stops_when_the_score_gets_no_better(tmp_path, monkeypatch):
    monkeypatch.setattr(Classifier, "scores", lambda self, observed: {"top1": 0.5})
    trained(tmp_path, recipe(epochs=9, patience=2))
    assert events(tmp_path)[-1] | {"why": "2 epochs brought no better score"} == events(tmp_path)[-1]
    assert len(epochs(tmp_path)) == 3
    said = []
    trained(tmp_path, recipe(epochs=9, patience=2), reporting=said.append)
    assert said[-1].endswith("no better score; with a larger bound and --allow-changes it goes on")


def test_a_model_is_the_best_before_there_is_a_score_and_none_after(tmp_path, monkeypatch):
    scores = iter([math.nan, 0.5, math.nan])
    monkeypatch.setattr(Classifier, "scores", lambda self, observed: {"top1": next(scores)})
    stages = []
    chosen, made = recipe(epochs=3), job(recipe(epochs=3))
    saving = with_methods(made, save=lambda path, found: (stages.append(path.name), made.save(path, found)))
    trained(tmp_path, chosen, saving)
    assert stages == ["best", "last", "best", "last", "last"]
    assert read_state(tmp_path)["progress"]["best"] == 0.5


def test_a_failure_before_the_first_step_leaves_nothing_behind(tmp_path, monkeypatch):
    def failing(*_):
        raise RuntimeError("no optimiser")

    made = job(recipe(checkpointing=True))
    with monkeypatch.context() as patch:
        patch.setattr("swinkit.training.setup.optimiser_of", failing)
        with pytest.raises(RuntimeError, match="no optimiser") as caught:  # which keeps all frames alive
            trained(tmp_path, recipe(checkpointing=True), made)
    assert not locked(tmp_path), caught
    assert not any("forward" in vars(part) for part in made.task.modules())
    assert not made.task.training


def test_it_stops_when_its_time_is_over_and_has_measured_what_came_of_it(tmp_path):
    trained(tmp_path, recipe(epochs=9, hours=1e-9))
    kinds = [event["event"] for event in events(tmp_path)]
    assert kinds == ["began", "epoch", "ended"]
    assert events(tmp_path)[1]["updates"] == 1
    assert isinstance(swinkit.load(tmp_path / "best"), Classifier)


@pytest.mark.parametrize(("given", "evaluated"), [(None, 64), (2, 2)])
def test_an_evaluation_takes_no_more_at_a_time_than_is_known_to_fit(tmp_path, given, evaluated):
    """Where nothing is known, the same in any number of processes, so that scores are equal to the bit."""
    chosen, asked = recipe(micro_batch=given, epochs=1), []
    made = job(chosen)
    trained(
        tmp_path,
        chosen,
        with_methods(made, validation_loader=lambda size: asked.append(size) or made.validation_loader(size)),
    )
    assert asked == [evaluated]


def test_a_step_that_is_not_finite_is_skipped_counted_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Numbers, "__getitem__", poisoned("sample-7"))
    made = trained(tmp_path, recipe())
    skipped = [event for event in events(tmp_path) if event["event"] == "skipped"]
    assert [event["epoch"] for event in skipped] == [1, 2]
    assert all("sample-7" in event["samples"] and len(event["samples"]) == 4 for event in skipped)
    assert all(event["loss"] == "nan" for event in skipped)
    assert all(value.isfinite().all() for value in weights(made).values())
    assert events(tmp_path)[-2]["skipped"] == 2


def test_a_loss_that_is_no_number_is_a_word_in_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr("swinkit.runs.logger.LOGGED_EVERY", 1)
    monkeypatch.setattr(Numbers, "__getitem__", poisoned("sample-7"))
    trained(tmp_path, recipe())
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    read = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert "nan" in [event["loss"] for event in read if event["event"] == "step"]


def poisoned(name):
    """Return a `__getitem__` that makes the sample `name` NaN."""
    read = Numbers.__getitem__

    def sample(self, index):
        found = read(self, index)
        return replace(found, image=found.image * (math.nan if found.id == name else 1.0))

    return sample


def test_too_many_such_steps_in_a_row_stop_it(tmp_path, monkeypatch):
    monkeypatch.setattr(Classifier, "losses", lambda self, batch: {"x": self(batch.pixels).sum() * math.nan})
    with pytest.raises(DataError, match=r"3 steps in a row had no finite .* up to epoch 1, step 3"):
        trained(tmp_path, recipe(bad_steps=3))
    assert [event["event"] for event in events(tmp_path)] == ["began", *["skipped"] * 3]


def test_every_step_is_reported(tmp_path):
    said = []
    trained(tmp_path, recipe(), reporting=said.append)
    reports = [each for each in said if isinstance(each, Report)]
    assert [(each.epoch, each.step) for each in reports] == [(e, s) for e in (1, 2) for s in range(1, 7)]
    assert all(each.images_per_second > 0 and 0 <= each.waiting <= 1 for each in reports)
    assert reports[-1].seconds_left < 10  # for the evaluation, as long as the one before
    assert str(reports[0]).startswith("epoch 1/2  step 1/6  loss ")
    assert next(each for each in said if isinstance(each, str)) == "numbers: 2 epochs of 6 steps"


def test_a_finished_run_is_left_as_it_is(tmp_path):
    before = weights(trained(tmp_path, recipe()))
    config, said = tmp_path / "config.json", []
    config.write_text(json.dumps(json.loads(config.read_text())))  # as another version would write it
    recorded = config.read_bytes()
    again = trained(tmp_path, recipe(), reporting=said.append)
    assert said[-1] == "nothing is left to do: all epochs are done"
    assert config.read_bytes() == recorded
    for name, value in before.items():
        assert torch.equal(value, weights(again)[name])


def test_other_data_are_refused_with_the_difference(tmp_path):
    trained(tmp_path, recipe())
    with pytest.raises(UsageError, match='fingerprint was "24 numbers", now "28 numbers"'):
        trained(tmp_path, recipe(), job(recipe(), count=28))


def test_data_that_only_moved_are_the_same_data(tmp_path):
    trained(tmp_path, recipe(hours=1e-9))
    made = replace(job(recipe()), data=Path("elsewhere"))
    trained(tmp_path, recipe(), made, allow_changes=True)
    assert json.loads((tmp_path / "config.json").read_text())["data"] == "elsewhere"


def test_a_damaged_checkpoint_is_passed_over_aloud(tmp_path, caplog):
    trained(tmp_path, recipe(1))
    (good,) = (tmp_path / "checkpoints").iterdir()
    bad = good.with_name("epoch-0009-step-00000000")
    bad.mkdir()
    (bad / "COMMIT.json").write_bytes((good / "COMMIT.json").read_bytes())
    (bad / "state.pt").write_bytes((good / "state.pt").read_bytes()[:-1])
    trained(tmp_path, recipe(1))
    assert f"passed over a damaged checkpoint: {bad / 'state.pt'} is not as it was written" in caplog.text


def test_a_checkpoint_of_another_version_is_no_damaged_one(tmp_path):
    trained(tmp_path, recipe(1))
    state = read_state(tmp_path)
    (checkpoint,) = (tmp_path / "checkpoints").iterdir()
    write(checkpoint, state | {"progress": state["progress"] | {"moons": 3}})
    with pytest.raises(DataError, match=r"written by another version of swinkit, .* go on with that version"):
        trained(tmp_path, recipe(1))


def test_without_a_whole_checkpoint_nothing_is_guessed(tmp_path):
    trained(tmp_path, recipe(1))
    (checkpoint,) = (tmp_path / "checkpoints").iterdir()
    (checkpoint / "COMMIT.json").unlink()
    with pytest.raises(DataError, match="no checkpoint is whole, so the run cannot go on"):
        trained(tmp_path, recipe(1))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match=r"holds `thesis\.txt`, and no run; choose another folder"):
        trained(tmp_path, recipe())


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match=r"file cannot be written"):
        trained(tmp_path / "file", recipe())


def test_fewer_samples_than_a_batch_are_an_error(tmp_path):
    with pytest.raises(DataError, match="3 pictures in train are fewer than one batch of 4"):
        trained(tmp_path, recipe(), job(recipe(), count=3))
    with pytest.raises(DataError, match="3 training samples are fewer than one batch of 4"):
        trained(tmp_path, recipe(micro_batch=2), job(recipe(), count=3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="fp16 is for GPUs")
def test_fp16_trains_with_scaled_losses_and_keeps_the_scale(tmp_path):
    made = trained(tmp_path, recipe(precision="fp16"))
    assert read_state(tmp_path)["scaler"]["scale"] > 1
    assert all(value.isfinite().all() for value in weights(made).values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="GPUs have fp16")
def test_fp16_is_refused_where_losses_cannot_be_scaled(tmp_path):
    with pytest.raises(EnvironmentProblem, match=r"run\.precision=fp16 is for GPUs, and this trains on cpu"):
        trained(tmp_path, recipe(precision="fp16"))


def test_compiling_without_a_compiler_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    objective = Objective(job(recipe()).task)
    objective.compile()
    refused = pytest.raises(EnvironmentProblem, match=r"run\.compile needs a C\+\+ compiler")
    with refused, explain_compiler_failures(True):
        objective(prepare((Numbers(4)[i] for i in range(4)), 0))


@pytest.mark.parametrize(
    ("method", "result", "problem"),
    [
        ("losses", {"l": torch.zeros(4)}, r"loss 'l' has shape \(4,\); it must be a scalar"),
        ("losses", {}, r"Classifier.losses\(\) is empty; it must return one loss or more"),
        ("scores", {}, r"Classifier.scores\(\) is empty; its first score ranks evaluations"),
    ],
)
def test_a_task_without_a_scalar_loss_or_without_a_score_is_told(
    method, result, problem, tmp_path, monkeypatch
):
    monkeypatch.setattr(Classifier, method, lambda *_: result)
    with pytest.raises(TypeError, match=f"^{problem}$"):
        trained(tmp_path, recipe())
