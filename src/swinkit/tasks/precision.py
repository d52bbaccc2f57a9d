"""Guard that fp32 is computed in fp32 on every device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Let convolutions of fp32 compute in fp32; restore the setting of torch at the end.

    By default torch lets NVIDIA's GPUs round what goes into them to TF32, with 10 bits of mantissa for 23; of
    a Swin this would be the patches, and so all that follows. Matrix products are exact by default, and stay
    as whoever changed that wants them (`torch.set_float32_matmul_precision`).
    """
    cudnn: Any = torch.backends.cudnn  # which can be told on machines without a GPU, too
    before = cudnn.conv.fp32_precision
    cudnn.conv.fp32_precision = "ieee"
    try:
        yield
    finally:
        cudnn.conv.fp32_precision = before
