"""Notes about pictures that no batch has room for, and errors about too few pictures for a batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swinkit.data.corrupt import enough_for
from swinkit.data.loader import Loader
from swinkit.errors import DataError
from swinkit.settings.run import Run
from swinkit.training.batch_plan import Plan
from swinkit.training.summary import describe_left_out

from .jobs import Numbers, prepare


def described(count: int, batch: int, ranks: int = 1, micro: int | None = None) -> dict[str, str]:
    """Return the row about so many samples in batches of this size."""
    plan = Plan.of(Run(batch_size=batch, micro_batch=micro), ranks)
    return describe_left_out(plan, Loader(Numbers(count), prepare, micro_batch=plan.micro_batch, seed=0))


def test_a_third_of_the_pictures_left_out_of_every_epoch_is_said_with_a_batch_that_would_do():
    assert described(48, 32) == {
        "left out": "16 of 48 in each epoch, others each time; run.batch_size=24 leaves out none"
    }
    assert described(47, 32)["left out"].endswith("others each time; run.batch_size=23 leaves out 1")
    assert described(48, 32, ranks=2, micro=8)["left out"].endswith("others each time")  # 32 is the best
    assert described(48, 16) == {}
    assert described(1000, 9) == {}  # 1 of 1000


@given(st.integers(1, 400), st.integers(1, 100), st.integers(1, 4), st.integers(1, 4))
def test_the_batch_that_is_named_is_one_that_the_recipe_takes_and_never_worse(
    samples: int, share: int, ranks: int, micro: int
):
    batch = micro * ranks * share
    plan = Plan.of(Run(batch_size=batch, micro_batch=micro), ranks)
    size = plan.fitting(samples)
    assert Plan.of(Run(batch_size=size, micro_batch=micro if share > 1 else None), ranks).ranks == ranks
    assert batch / 2 < size <= batch
    assert samples % size <= samples % batch


def test_too_few_pictures_for_a_batch_are_told_a_batch_that_would_do():
    with pytest.raises(
        DataError, match=r"fewer than one batch of 128; .* such as run\.batch_size=12"
    ) as error:
        described(48, 128)
    size = int(str(error.value).rpartition("=")[2])
    assert described(48, size) == {}


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_the_fraction_that_is_named_allows_so_many_corrupt_pictures(corrupt: int, total: int):
    allowed = enough_for(corrupt, total)
    assert 0 < allowed < 1
    assert corrupt <= allowed * total or corrupt > 0.999 * total
    assert corrupt > (allowed - 0.001) * total - 1e-9


def test_one_unreadable_picture_of_48():
    assert enough_for(1, 48) == 0.021
