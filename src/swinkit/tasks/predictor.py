"""How a task answers about pictures: one, a list or a stream of them, in batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from typing import Any, TypeVar

from torch import Tensor, nn

from ..core.spec import Spec
from ..data.images import load_image, name_of
from ..errors import UsageError, require
from .precision import exact_convolutions

Result = TypeVar("Result")
Answer = Callable[[Sequence[Tensor], Sequence[str]], list[Result]]


def answered(inputs: Any, answer: Answer[Result], batch_size: int) -> Any:
    """Pictures -> their results: one for one; for a list or tuple a list, for an iterator an iterator.

    `answer` takes the (3, h, w) uint8 of a batch and their names. An iterator is read `batch_size` at a time.

    Raises:
        ImageError: a picture cannot be read.
        UsageError: something else than pictures was given, or a `batch_size` below 1.
    """
    require(batch_size >= 1, "batch_size", batch_size, "a number of pictures of at least 1")
    if isinstance(inputs, list | tuple):
        return list(stream(inputs, answer, batch_size))
    if isinstance(inputs, Iterator):
        return stream(inputs, answer, batch_size)
    return answer([load_image(inputs)], [name_of(inputs)])[0]


def stream(pictures: Iterable[Any], answer: Answer[Result], batch_size: int) -> Iterator[Result]:
    """Read and answer a batch at a time."""
    named = ((name_of(picture, f"image {i}"), picture) for i, picture in zip(count(), pictures))
    while batch := list(islice(named, batch_size)):
        images = [load_image(picture, name=name) for name, picture in batch]
        yield from answer(images, [name for name, _ in batch])


def require_pictures(spec: Spec) -> None:
    """Raise UsageError unless a model of `spec` takes RGB pictures."""
    axes, channels = len(spec.patch), spec.in_channels
    if (axes, channels) != (2, 3):
        kind = "clips or volumes" if axes != 2 else f"{channels} channels"
        raise UsageError(f"pictures are RGB, and this model takes {kind}; call model(pixels) instead")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and exact fp32 inside; afterwards each part is in its own mode again."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with exact_convolutions():
            yield
    finally:
        for module, training in before:
            module.training = training
