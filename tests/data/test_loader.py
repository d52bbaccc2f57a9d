"""The order of a training and what is random in it: the same for any number of workers and processes."""

import gc
import os
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swinkit.data.folders import find_folders
from swinkit.data.loader import CACHE_BYTES, ImageCache, InOrder, Loader
from swinkit.data.prefetch import Prefetcher
from swinkit.data.rng import draws
from swinkit.data.sample import Sample
from swinkit.errors import DataError, EnvironmentProblem, UsageError

from .pictures import numbered


@dataclass(frozen=True)
class Told:
    """A batch that tells its samples, and a draw for each."""

    ids: list[str]
    numbers: torch.Tensor


def tell(samples, epoch):
    """Collation: the numbers in the pictures plus a fraction that is drawn."""
    read = list(samples)
    numbers = [sample.image[0, 0, 0] + draws(epoch, sample.id).random() for sample in read]
    return Told([sample.id for sample in read], torch.stack(numbers))


def refuse(samples, epoch):
    """Collation that finds a mistake."""
    raise DataError("what is wrong")


def die(samples, epoch):
    """Collation for which the system has no memory."""
    os._exit(1)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return find_folders(numbered(tmp_path_factory.mktemp("set"), 23), "train")


def epoch_of(loader, epoch=0, **where):
    """Return number, ids and draws of each micro-batch."""
    return [
        (number, batch.ids, batch.numbers.tolist()) for number, batch in loader.micro_batches(epoch, **where)
    ]


def test_an_epoch_has_each_sample_at_most_once_in_full_micro_batches(samples):
    loader = Loader(samples, tell, micro_batch=4, seed=0)
    told = epoch_of(loader)
    assert [number for number, _, _ in told] == list(range(5)) == list(range(len(loader)))
    assert len({name for _, ids, _ in told for name in ids}) == 20
    assert all(ids == [samples.ids[i] for i in loader.indices(0, number)] for number, ids, _ in told)


def test_the_order_differs_between_epochs_and_seeds_and_repeats_exactly(samples):
    first, again, other = (Loader(samples, tell, micro_batch=4, seed=seed) for seed in (0, 0, 1))
    assert epoch_of(first, 3) == epoch_of(again, 3)
    assert len({str(x) for x in (epoch_of(first), epoch_of(first, 1), epoch_of(other))}) == 3


@given(start=st.integers(0, 6), ranks=st.integers(1, 4), epoch=st.integers(0, 3))
def test_ranks_share_an_epoch_from_any_start_without_gap_or_overlap(samples, start, ranks, epoch):
    loader = Loader(samples, tell, micro_batch=3, seed=5)
    whole = epoch_of(loader, epoch)
    parts = [epoch_of(loader, epoch, start=start, rank=rank, ranks=ranks) for rank in range(ranks)]
    assert sorted(chain(*parts)) == whole[start:]
    for rank, part in enumerate(parts):
        assert all((number - start - rank) % ranks == 0 for number, _, _ in part)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing_also_after_a_pass_that_was_left(samples, workers):
    alone = Loader(samples, tell, micro_batch=3, seed=0)
    helped = Loader(samples, tell, micro_batch=3, seed=0, workers=workers)
    assert epoch_of(helped) == epoch_of(alone)
    next(iter(helped.micro_batches(1)))  # as when a training stops, or a step fails
    assert epoch_of(helped, 2, start=3) == epoch_of(alone, 2, start=3)


def test_a_zip_is_read_by_several_processes_at_once(samples, tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in samples.ids:
            archive.write(samples.root / name, name)
    packed = find_folders(path, "train")
    packed[0]
    for epoch in range(3):
        alone = Loader(samples, tell, micro_batch=1, seed=0)
        helped = Loader(packed, tell, micro_batch=1, seed=0, workers=3)
        assert epoch_of(helped, epoch) == epoch_of(alone, epoch)


@pytest.mark.parametrize("workers", [0, 1])
def test_neither_needs_nor_moves_torchs_own_random_numbers(samples, workers):
    told = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        told.append(epoch_of(Loader(samples, tell, micro_batch=3, seed=0, workers=workers)))
        assert torch.equal(torch.get_rng_state(), before)
    assert told[0] == told[1]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_evaluation_sees_every_sample_once_in_order(samples, ranks):
    prepared = InOrder(samples, tell, batch_size=5)
    parts = [list(prepared.batches(range(rank, len(prepared), ranks))) for rank in range(ranks)]
    turns = [part[i].ids for i in range(len(parts[0])) for part in parts if i < len(part)]
    assert list(chain(*turns)) == list(samples.ids)
    assert [len(ids) for ids in turns] == [5, 5, 5, 5, 3]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_in_a_worker_is_one_line_not_its_traceback(samples, workers):
    with pytest.raises(DataError, match=r"^what is wrong$"):
        next(Loader(samples, refuse, micro_batch=2, seed=0, workers=workers).micro_batches(0))


def test_workers_end_at_once_with_their_loader_also_after_a_mistake(samples):
    loader = Loader(samples, refuse, micro_batch=2, seed=0, workers=1)
    with suppress(DataError):
        next(loader.micro_batches(0))
    began = time.monotonic()
    del loader
    gc.collect()
    assert time.monotonic() - began < 4  # torch waits five seconds for one that was not told


def test_a_worker_that_dies_is_told(samples):
    with pytest.raises(
        EnvironmentProblem, match=r"died, perhaps for want of memory; try a smaller data\.workers"
    ):
        list(Loader(samples, die, micro_batch=2, seed=0, workers=1).micro_batches(0))


def test_pictures_are_kept_in_memory_only_if_all_would_fit(samples, monkeypatch):
    size = 3 * 8 * 8
    for most, kept in ((len(samples) * size, len(samples)), (len(samples) * size - 1, 0)):
        remembered = ImageCache(samples, most)
        assert all(torch.equal(remembered.read(i).image, samples[i].image) for i in range(len(samples)))
        assert len(remembered.stored) == kept
    monkeypatch.setattr(type(samples), "__getitem__", lambda *_: pytest.fail("was read again"))
    known = ImageCache(samples, 2**20)
    known.stored[3] = Sample("3", torch.zeros(3, 8, 8, dtype=torch.uint8), {})
    assert known.read(3) is known.stored[3]


@pytest.mark.parametrize("readers", [2, 5])
def test_processes_that_read_share_the_memory_for_pictures(samples, readers):
    size = 3 * 8 * 8
    each = ImageCache(samples, len(samples) * size, readers)
    assert all(torch.equal(each.read(i).image, samples[i].image) for i in range(len(samples)))
    assert len(each.stored) == len(samples) // readers


def test_what_is_kept_of_training_and_held_out_pictures_has_one_budget(samples):
    training = Loader(samples, tell, micro_batch=4, seed=0, workers=0)
    held_out = InOrder(samples, tell, batch_size=4, workers=0)
    most = [each.ahead.loader.dataset.work.cache.most for each in (training, held_out)]
    assert sum(most) == CACHE_BYTES


def test_an_epoch_of_many_samples_is_not_listed_before_it_begins(samples):
    asked = []

    def requests():
        for number in range(1000):
            asked.append(number)
            yield number

    answers = Prefetcher(abs, 0)(requests())
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    assert len(asked) < 5


def test_fewer_samples_than_a_batch_are_refused(samples):
    with pytest.raises(DataError, match="23 pictures in train are fewer than one batch of 24"):
        Loader(samples, tell, micro_batch=24, seed=0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"micro_batch": 0}, "micro_batch"),
        ({"workers": -1}, "workers"),
        ({"max_bad_fraction": 2}, "fraction"),
    ],
)
def test_settings_that_mean_nothing_are_refused(samples, change, named):
    with pytest.raises(UsageError, match=named):
        Loader(samples, tell, **{"micro_batch": 2, "seed": 0, **change})
