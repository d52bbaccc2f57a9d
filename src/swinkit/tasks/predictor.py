"""Prediction: one picture, a list or a stream of them, in batches."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice
from typing import Any, Protocol, TypeVar

from torch import nn

from ..core.spec import Spec
from ..data.images import ImageError, load_image, name_of
from ..data.sample import Sample
from ..errors import UsageError, require
from .precision import exact_convolutions
from .results import Result

ResultOut = TypeVar("ResultOut", bound=Result, covariant=True)


class Answer(Protocol[ResultOut]):
    """A task's answers to one batch."""

    def __call__(self, samples: Sequence[Sample], /) -> Sequence[ResultOut]:
        """Return a result for each sample, in order."""
        ...


def predict(
    inputs: Any,
    answer: Answer[ResultOut],
    batch_size: int,
    on_unreadable: Callable[[ImageError], object] | None = None,
) -> Any:
    """Read pictures and answer: one result for one; a list for a list or tuple, an iterator for an iterator.

    An iterator is read `batch_size` pictures at a time. Where `on_unreadable` is given, it is called with the
    error of a picture that cannot be read, which then has no result.

    Raises:
        ImageError: a picture cannot be read.
        UsageError: something else than pictures was given, or a `batch_size` below 1.
    """
    require(batch_size >= 1, "batch_size", batch_size, "a number of pictures of at least 1")
    if not isinstance(inputs, list | tuple | Iterator):
        return next(stream([(name_of(inputs), inputs)], answer, 1, None))
    named = ((name_of(picture, f"image {i}"), picture) for i, picture in zip(count(), inputs))
    results = stream(named, answer, batch_size, on_unreadable)
    return results if isinstance(inputs, Iterator) else list(results)


def stream(
    named: Iterable[tuple[str, Any]],
    answer: Answer[ResultOut],
    batch_size: int,
    on_unreadable: Callable[[ImageError], object] | None,
) -> Iterator[ResultOut]:
    """Read and answer a batch at a time, and note the seconds that each result took."""
    remaining = iter(named)
    while batch := list(islice(remaining, batch_size)):
        samples, seconds = [], []
        for name, picture in batch:
            began = time.perf_counter()
            try:
                samples.append(Sample(name, load_image(picture, name=name), {}))
            except ImageError as error:
                if on_unreadable is None:
                    raise
                on_unreadable(error)
                continue
            seconds.append(time.perf_counter() - began)
        if samples:
            began = time.perf_counter()
            results = answer(samples)
            share = (time.perf_counter() - began) / len(samples)
            for result, reading in zip(results, seconds, strict=True):
                yield replace(result, seconds=reading + share)


def require_pictures(spec: Spec) -> None:
    """Raise UsageError unless a model of `spec` takes RGB pictures."""
    axes, channels = len(spec.patch), spec.in_channels
    if (axes, channels) != (2, 3):
        kind = "clips or volumes" if axes != 2 else f"{channels} channels"
        raise UsageError(f"pictures are RGB, and this model takes {kind}; call model(pixels) instead")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put `model` into evaluation mode and fp32 into exact mode; restore both for every module at the end."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with exact_convolutions():
            yield
    finally:
        for module, training in before:
            module.training = training
