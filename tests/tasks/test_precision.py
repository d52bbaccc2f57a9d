"""That fp32 means fp32; the setting can be looked at on machines without a GPU, too."""

import pytest
import torch
from torch import nn

from swinkit.tasks.task import evaluating, exact_convolutions


def setting():
    """Return the precision that convolutions would have on a GPU."""
    return torch.backends.cudnn.conv.fp32_precision


@pytest.mark.parametrize("before", ["tf32", "ieee"])
def test_convolutions_are_exact_inside_and_as_before_afterwards(before):
    torch.backends.cudnn.conv.fp32_precision = before
    try:
        with exact_convolutions():
            assert setting() == "ieee"
        assert setting() == before
        with pytest.raises(ZeroDivisionError), exact_convolutions():
            _ = 1 / 0
        assert setting() == before
    finally:
        torch.backends.cudnn.conv.fp32_precision = "tf32"


def test_the_last_of_several_threads_restores_the_setting():
    """Whatever the order in which they begin and end."""
    before, first, second = setting(), exact_convolutions(), exact_convolutions()
    assert before != "ieee"
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert setting() == "ieee"
    second.__exit__(None, None, None)
    assert setting() == before


def test_so_they_are_while_a_model_is_measured_or_answers():
    with evaluating(nn.Identity()):
        assert setting() == "ieee"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="only GPUs round to TF32")
def test_on_a_gpu_they_then_agree_with_the_cpu():
    torch.manual_seed(0)
    patches, x = nn.Conv2d(3, 96, 4, 4), torch.randn(8, 3, 64, 64)
    expected = patches(x)
    with exact_convolutions():
        found = patches.cuda()(x.cuda()).cpu()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
