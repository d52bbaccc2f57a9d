"""The engine against a plain loop of torch, which takes of it the groups of parameters and Muon alone."""

import copy
import hashlib
import math
import random
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import swinkit
from swinkit.recipes.catalogue import find
from swinkit.runs.folder import RunFolder
from swinkit.runs.step_report import Report
from swinkit.settings.run import Run
from swinkit.settings.schedule import Schedule
from swinkit.tasks.classification.settings import Augmentation
from swinkit.tasks.observed import Observed
from swinkit.training import loop
from swinkit.training.job import job_of
from swinkit.training.muon import Muon
from swinkit.training.param_groups import parameter_groups

from ..data.pictures import numbered
from .jobs import Numbers, job, prepare, recipe, with_methods
from .states import assert_same, last_state, read_state

OPTIMISERS = {"adamw": torch.optim.AdamW, "muon": Muon}
EPOCHS, STEPS, SEED, CLIP, DECAY = 3, 6, 5, 2.5, 0.5
SCALE = 2.0**10


def chosen(kind):
    """Whatever a step can have: warm-up, layer-wise rates, accumulation, clipping, averages, dropout."""
    plain = recipe(EPOCHS, seed=SEED, micro_batch=2, ema=DECAY)
    settings = replace(plain.optimiser, kind=kind, weight_decay=0.3, layer_decay=0.5, clip_norm=CLIP)
    schedule = Schedule(epochs=EPOCHS, warmup_epochs=1, warmup_lr=1e-4, final_lr=1e-3)
    return replace(plain, optimiser=settings, schedule=schedule)


def learned(recipe):
    """Weights, averages, and of each step the loss and the length of the gradient, by the plain loop."""
    task, losses, lengths = job(recipe).task.train(), [], []
    step_by = OPTIMISERS[recipe.optimiser.kind](parameter_groups(task, recipe.optimiser), eps=1e-3)
    peaks = [group["lr"] for group in step_by.param_groups]
    averages = copy.deepcopy(task.state_dict())
    for now in range(EPOCHS * STEPS):
        epoch, step = divmod(now, STEPS)
        for group, peak in zip(step_by.param_groups, peaks, strict=True):
            group["lr"] = rate(now, peak)
        loss = 0.0
        for number in (2 * step, 2 * step + 1):
            torch.manual_seed((SEED * 1_000_003 + epoch) * 1_000_003 + number)
            batch = prepare((Numbers()[i] for i in order(epoch)[2 * number : 2 * number + 2]), epoch)
            half = F.cross_entropy(task(batch.pixels), batch.targets) / 2
            half.backward()
            loss += half.item()
        length = nn.utils.clip_grad_norm_(task.parameters(), CLIP)
        if length.isfinite():
            step_by.step()
            kept = min(DECAY, (2 + now) / (11 + now))
            for name, weight in task.state_dict().items():
                averages[name] = kept * averages[name] + (1 - kept) * weight
        step_by.zero_grad()
        losses.append(loss)
        lengths.append(length.item())
    return task.state_dict(), averages, losses, lengths


def rate(now, peak):
    """Return a line for one epoch, then half a wave."""
    if now < STEPS:
        return 1e-4 + (peak - 1e-4) * now / STEPS
    return 1e-3 + (peak - 1e-3) * (1 + math.cos(math.pi * (now - STEPS) / (EPOCHS - 1) / STEPS)) / 2


def order(epoch):
    """Of the samples."""
    stream = random.Random(hashlib.sha256(repr((SEED, epoch, "order")).encode()).digest())
    return torch.randperm(24, generator=torch.Generator().manual_seed(stream.getrandbits(63))).tolist()


@pytest.fixture
def _one_sample_is_not_finite(monkeypatch):
    read = Numbers.__getitem__

    def poisoned(self, i):
        sample = read(self, i)
        return replace(sample, image=sample.image * (math.nan if i == 7 else 1.0))

    monkeypatch.setattr(Numbers, "__getitem__", poisoned)


def scaling(monkeypatch):
    """Losses are scaled as for fp16, by a power of two and in fp32, so that it must come to the same."""
    from accelerate.utils import AutocastKwargs

    accelerated = loop.accelerator_of

    def with_scaler(*given):
        made = accelerated(*given)
        made.native_amp, made.autocast_handler = True, AutocastKwargs(enabled=False)
        monkeypatch.setattr(made.state, "_mixed_precision", "fp16")
        made.scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
        return made

    monkeypatch.setattr(loop, "accelerator_of", with_scaler)


@pytest.mark.usefixtures("_one_sample_is_not_finite")
@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("scaled", [False, True])
def test_a_training_is_what_a_plain_loop_comes_to(tmp_path, monkeypatch, kind, scaled):
    weights, averages, losses, lengths = learned(chosen(kind))
    finite = [length for length in lengths if math.isfinite(length)]
    assert len(finite) == EPOCHS * (STEPS - 1)
    assert 3 <= sum(length > CLIP for length in finite) <= len(finite) - 3
    if scaled:
        scaling(monkeypatch)
    said = []
    loop.train(job(chosen(kind)), chosen(kind), RunFolder(tmp_path), reporting=said.append)
    state = read_state(tmp_path)
    for ours, theirs in ((state["model"], weights), (state["model_ema"], averages)):
        for name, value in theirs.items():
            torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-6, msg=name)
    reported = [each.loss for each in said if isinstance(each, Report)]
    assert reported == pytest.approx(losses, rel=1e-5, nan_ok=True)
    assert not scaled or state["scaler"]["scale"] == SCALE / 2**EPOCHS  # half for each step skipped


def test_the_scale_of_losses_goes_on_with_the_rest(tmp_path, monkeypatch):
    """A run that stops after a step that was skipped, and so halved the scale, is resumed to the same."""
    scaling(monkeypatch)
    poisoned = {"poisoned": 7}
    saving = recipe(save_every=1)
    loop.train(job(saving, **poisoned), saving, RunFolder(tmp_path / "whole"))
    skipped = [
        event["updates"] for event in RunFolder(tmp_path / "whole").events() if event["event"] == "skipped"
    ]

    def stop(said):
        if isinstance(said, Report) and said.epoch == 1 and said.step == skipped[0] + 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        loop.train(job(saving, **poisoned), saving, RunFolder(tmp_path / "run"), reporting=stop)
    assert read_state(tmp_path / "run")["scaler"]["scale"] == SCALE / 2
    loop.train(job(saving, **poisoned), saving, RunFolder(tmp_path / "run"))
    assert_same(last_state(tmp_path / "run"), last_state(tmp_path / "whole"))


def test_what_is_observed_in_training_is_what_the_saved_model_answers(tmp_path):
    dropping, shown = recipe(1, dropout=0.9), []
    made = with_methods(job(dropping), draw=lambda run, observed: shown.append(observed))
    loop.train(made, dropping, RunFolder(tmp_path))
    saved = swinkit.load(tmp_path / "best")
    observed = Observed.sum(
        saved.observe(batch).at(2 * i) for i, batch in enumerate(made.validation_loader(2).batches())
    )
    assert list(shown[0].records) == list(observed.records) == list(range(9))
    torch.testing.assert_close(shown[0].records, observed.records, rtol=0, atol=1e-6)


def test_the_first_loss_is_of_labels_as_smooth_as_the_recipe_says(tmp_path):
    still = Augmentation(scale=None, flip=0, operations=0, erase=0, mixup=0, cutmix=0, smoothing=0.1)
    smooth = replace(find("cifar10-swin-pico"), drop_path=0.0, augmentation=still, run=Run(batch_size=3))
    smooth = replace(smooth, schedule=Schedule(epochs=1, warmup_epochs=0))
    data = numbered(numbered(tmp_path / "set", 3), 2, "test")
    made, said = with_methods(job_of(smooth, data), draw=lambda run, observed: None), []
    nn.init.normal_(made.task.head.classifier.weight)
    _, batch = next(made.loader(3).micro_batches(0))
    with torch.no_grad():
        logarithms = made.task(batch.pixels).log_softmax(1)
    targets = torch.where(F.one_hot(batch.targets, 2).bool(), 0.95, 0.05)
    loop.train(made, smooth, RunFolder(tmp_path / "run"), reporting=said.append)
    (first,) = (each.loss for each in said if isinstance(each, Report))
    assert first == pytest.approx(-(targets * logarithms).sum(1).mean().item(), rel=1e-4)
