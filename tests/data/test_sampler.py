"""Orders of an epoch: deterministic, without gaps, and as each sampler promises."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swinkit.data.folders import find_folders
from swinkit.data.loader import Loader
from swinkit.data.sampler import ClassBalanced, GroupedByAspectRatio, Repeated, Shuffled
from swinkit.errors import DataError

from .pictures import numbered

SIZES = torch.tensor([[3, 4], [4, 3], [5, 5], [2, 9], [9, 2], [1, 7], [8, 1]] * 3)  # 9 wide ones of 21
LABELS = torch.tensor([0] * 12 + [1] * 3 + [3] * 5)
SAMPLERS = {
    "shuffled": Shuffled(21),
    "grouped": GroupedByAspectRatio(SIZES),
    "repeated": Repeated(Shuffled(21), 21, 3),
    "balanced": ClassBalanced(LABELS),
}


def read(samples, epoch):
    """Return a batch of ids and repeats, and a number drawn for each."""
    found = list(samples)
    return [(sample.id, sample.repeat, sample.draws(0, epoch, "augment").random()) for sample in found]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return find_folders(numbered(tmp_path_factory.mktemp("set"), 21), "train")


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_order_follows_from_seed_and_epoch_and_has_its_length(name):
    sampler = SAMPLERS[name]
    orders = [sampler.order(*which, 4) for which in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0], orders[3])
    assert {len(order) for order in orders} == {sampler.length(4)}


def test_a_shuffled_epoch_is_the_permutation_that_earlier_versions_drew():
    assert Shuffled(8).order(3, 5, 2).tolist() == [2, 7, 1, 4, 0, 6, 3, 5]


@given(
    sides=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=40),
    micro_batch=st.integers(1, 5),
    epoch=st.integers(0, 3),
)
def test_grouped_micro_batches_are_of_one_orientation_and_as_many_as_can_be(sides, micro_batch, epoch):
    sizes = torch.tensor(sides)
    sampler = GroupedByAspectRatio(sizes)
    order = sampler.order(0, epoch, micro_batch)
    assert len(order) == len(order.unique()) == sampler.length(micro_batch)
    wide = (sizes[:, 1] > sizes[:, 0])[order.long()].view(-1, micro_batch)
    assert (wide == wide[:, :1]).all()
    assert len(sides) - len(order) <= 2 * (micro_batch - 1)


def test_grouped_micro_batches_of_both_kinds_are_mixed():
    wide = torch.arange(400) % 2
    sampler = GroupedByAspectRatio(torch.stack([1 - wide, wide], 1))
    kinds = wide[sampler.order(0, 0, 4).long()].view(-1, 4)[:, 0]
    assert (kinds[1:] != kinds[:-1]).sum() > 30


@given(count=st.integers(1, 40), times=st.integers(1, 5), epoch=st.integers(0, 3))
def test_repeated_samples_come_in_a_row_each_time_with_another_number(count, times, epoch):
    sampler, chosen = Repeated(Shuffled(count), count, times), count // times
    order = sampler.order(0, epoch, 4)
    assert len(order) == sampler.length(4) == chosen * times
    expected = Shuffled(count).order(0, epoch, 4)[:chosen, None].expand(chosen, times)
    assert torch.equal((order % count).view(chosen, times), expected.long())
    assert torch.equal((order // count).view(chosen, times), torch.arange(times).expand(chosen, times))


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=40), epoch=st.integers(0, 3))
def test_a_balanced_epoch_has_every_class_equally_often_and_every_sample_of_it_alike(labels, epoch):
    sampler = ClassBalanced(torch.tensor(labels))
    order = sampler.order(0, epoch, 4)
    assert len(order) == len(order.unique()) == sampler.length(4)
    counts = Counter((order % len(labels)).tolist())
    for each in set(labels):
        own = [counts[i] for i, label in enumerate(labels) if label == each]
        assert sum(own) == len(labels) // len(set(labels))
        assert max(own) - min(own) <= 1


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_goes_on_anywhere_in_the_order_of_any_sampler(samples, name, workers):
    loader = Loader(samples, read, micro_batch=4, seed=0, workers=workers, sampler=SAMPLERS[name])
    whole = dict(loader.micro_batches(2))
    assert list(whole) == list(range(len(loader)))
    parts = [dict(loader.micro_batches(2, start=1, rank=rank, ranks=2)) for rank in (0, 1)]
    assert parts[0] | parts[1] == {number: batch for number, batch in whole.items() if number}
    for number, batch in whole.items():
        assert [name for name, _, _ in batch] == [samples.ids[i] for i in loader.indices(2, number)]
    draws = [number for batch in whole.values() for _, _, number in batch]
    assert len(set(draws)) == len(draws)  # also of a sample that comes again


def test_too_few_of_either_orientation_are_refused(samples):
    sizes = torch.tensor([[1, 2], [2, 1]] * 10 + [[1, 1]])
    with pytest.raises(DataError, match="the 21 pictures in train fill no batch of 12 of one kind"):
        Loader(samples, read, micro_batch=12, seed=0, sampler=GroupedByAspectRatio(sizes))


def test_the_largest_micro_batch_has_the_samples_of_the_most_pixels(samples):
    loader = Loader(samples, read, micro_batch=3, seed=0, pixels=lambda index: (index * 5) % 21)
    found = {name for name, _, _ in loader.largest_micro_batch()}
    assert found == {samples.ids[i] for i in (4, 8, 12)}  # 20, 19 and 18
    alike = Loader(samples, read, micro_batch=3, seed=0)
    assert alike.largest_micro_batch() == next(iter(alike.micro_batches(0)))[1]
