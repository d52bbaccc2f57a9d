"""Task: the interface of a model to a training loop and to users, and its answers about pictures.

Pure torch, no trainer inside: any loop can train a task, and the loop knows a task by these methods alone.
"""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count, islice
from threading import Lock
from typing import Any, ClassVar, Generic, TypeVar, overload

import torch
from torch import Tensor, nn

from ..core.backbone import Swin
from ..core.spec import Spec
from ..data.arrays import is_array, load_array
from ..data.channels import RGB, Channels
from ..data.images import ImageError, Picture, load_image, name_of
from ..data.preprocess import Preprocess
from ..data.sample import Sample
from ..errors import UsageError, listed, require, shown
from ..files.contents import State
from ..type_check import expand_home
from .observed import Observed
from .options import PredictOptions, options_of
from .results import Result

ResultT = TypeVar("ResultT", bound=Result)

HELD_OUT_LOSS = "val_loss"  # the score that is the mean loss of the held-out pictures
NOT_FINITE = "the model's scores are not finite: its weights are damaged, or overflow in fp16"

LOCK = Lock()  # of the next line
EARLIER: list[str] = []  # for each call that computes exactly now: the setting before all of them


class Task(nn.Module, ABC, Generic[ResultT]):
    """Model of one problem: its losses, scores and answers."""

    name: ClassVar[str]  # its row in `registry.TASKS`
    lower_is_better: ClassVar[bool] = False  # whether a lower first score ranks higher
    ranked_loss: ClassVar[str] = HELD_OUT_LOSS  # a score; of equal first scores, its lower value wins
    table_resize: ClassVar[str | None] = None  # how another task carries bias tables to other windows
    backbone: Swin
    preprocess: Preprocess
    predict_options: ClassVar[type[PredictOptions]] = PredictOptions  # the further keywords of `predict`

    @abstractmethod
    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Return named losses of one training batch, already weighted; the loop sums them.

        Weights must be used by calling the task, `self(...)`, because where they are shared out among
        processes they are whole only inside that call.
        """

    @abstractmethod
    def observe(self, batch: Any) -> Observed:
        """Return the observation of one validation batch; records are numbered by position in it."""

    @abstractmethod
    def scores(self, observed: Observed) -> dict[str, float]:
        """Return the metrics of an observation, the one to rank by first.

        A metric that compares with the training loss is called `HELD_OUT_LOSS`.
        """

    @abstractmethod
    def answer(self, samples: Sequence[Sample], *_: Any, **options: Any) -> list[ResultT]:
        """Return a result for each sample of one batch; images may have any sizes, targets are not read.

        Results are in pixels of `Sample.image`. `options` are the fields of `predict_options`.

        Raises:
            DataError: the outputs are not finite.
        """

    def begin_answers(self, options: Any) -> Callable[[Sequence[Sample]], Sequence[ResultT]]:
        """Return `answer` with the options of one call of `predict`, for all its batches in order."""
        return partial(self.answer, **vars(options))

    def require_inputs(self) -> None:
        """Raise UsageError unless the model takes what `read` reads: by default pictures."""
        require_pictures(self.backbone.spec, self.preprocess)

    @property
    def input_device(self) -> torch.device:
        """The device of the pixels that the model takes: that of its patch embedding."""
        return self.first_weight.device

    @property
    def input_dtype(self) -> torch.dtype:
        """The precision of the pixels that the model takes: that of its patch embedding."""
        return self.first_weight.dtype

    @property
    def first_weight(self) -> Tensor:
        """A weight of the patch embedding; if it has none, as when wrapped, one on the CPU in fp32."""
        weights = filter(Tensor.is_floating_point, self.backbone.embed.parameters())
        return next(weights, torch.empty(0))

    def read(self, source: Any, name: str) -> Sample:
        """Read one input of `predict`, called `name`: by default a picture.

        Raises:
            ImageError: it cannot be read.
            UsageError: it is something else than an input.
        """
        require(not isinstance(source, str) or source != "", "picture", source, "a path that is not empty")
        count = self.preprocess.channels
        if count != RGB and isinstance(source, str | os.PathLike) and is_array(os.fspath(source)):
            channels = Channels(self.preprocess.mean, self.preprocess.std)
            return Sample(name, load_array(expand_home(source), 2, channels), {})
        return Sample(name, load_image(source, name=name, channels=count), {})

    @overload
    def predict(self, inputs: Picture, *, batch_size: int = ..., **options: Any) -> ResultT: ...

    @overload
    def predict(
        self,
        inputs: list[Any] | tuple[Any, ...],
        *,
        batch_size: int = ...,
        on_unreadable: Callable[[ImageError], object] | None = ...,
        **options: Any,
    ) -> list[ResultT]: ...

    @overload
    def predict(
        self,
        inputs: Iterator[Picture],
        *,
        batch_size: int = ...,
        on_unreadable: Callable[[ImageError], object] | None = ...,
        **options: Any,
    ) -> Iterator[ResultT]: ...

    def predict(
        self,
        inputs: Any,
        *,
        batch_size: int = 8,
        on_unreadable: Callable[[ImageError], object] | None = None,
        **options: Any,
    ) -> Any:
        """Answer about pictures: one result for one; a list for a list, an iterator for an iterator.

        A picture is a path, the bytes of a file, a PIL image, a uint8 array (h, w, 3) or a uint8 tensor
        (3, h, w), RGB. A model of other channels takes so many of them, as they are stored, and paths of
        arrays (.npy). A result may keep its picture, so give many pictures as an iterator, of which
        `batch_size` are held at a time. Where `on_unreadable` is given, it is called with the error of a
        picture that cannot be read, which then has no result. `options` are those of `predict_options`. A
        task of other inputs than pictures says which by `read`.

        Raises:
            ImageError: a picture cannot be read.
            UsageError: something else was given, an option makes no sense, or the model takes no pictures.
        """
        chosen = options_of(self.predict_options, options) if options else self.predict_options()
        answer = self.begin_answers(chosen)
        self.require_inputs()
        require_weights(self)
        possible = isinstance(batch_size, int) and batch_size >= 1
        require(possible, "batch_size", batch_size, "a whole number, 1 or more")
        if not isinstance(inputs, list | tuple | Iterator):
            return next(stream([(name_of(inputs), inputs)], self.read, answer, 1, None))
        named = ((name_of(picture, f"image {i}"), picture) for i, picture in zip(count(), inputs))
        results = stream(named, self.read, answer, batch_size, on_unreadable)
        return results if isinstance(inputs, Iterator) else list(results)

    def saved_tensors(self) -> State:
        """Return the tensors that are saved of the model, under our own names."""
        return {name: value.detach().contiguous() for name, value in self.state_dict().items()}

    @property
    def labels(self) -> Sequence[str]:
        """Names of the classes, by index; () where there are none."""
        return ()


def stream(
    named: Iterable[tuple[str, Any]],
    read: Callable[[Any, str], Sample],
    answer: Callable[[Sequence[Sample]], Sequence[ResultT]],
    batch_size: int,
    on_unreadable: Callable[[ImageError], object] | None,
) -> Iterator[ResultT]:
    """Read and answer a batch at a time, and note the seconds that each result took."""
    remaining = iter(named)
    while batch := list(islice(remaining, batch_size)):
        samples, seconds = [], []
        for name, source in batch:
            began = time.perf_counter()
            try:
                samples.append(read(source, name))
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


def unwrap(model: object) -> object:
    """Return the model inside of what torch wraps around one, such as `torch.compile` or `DataParallel`."""
    while isinstance(model, nn.Module) and not isinstance(model, Task):
        children = dict(model.named_children())
        inner = children.get("_orig_mod", children.get("module"))
        if inner is None:
            break
        model = inner
    return model


def require_task(model: object, name: str, remedy: str = "give a model with the head of a task") -> Task:
    """Return a model if it is of a task; `name` is what the user called it.

    Raises:
        UsageError: it is of none, such as a backbone without a head; with the remedy.
    """
    if isinstance(model, Task):
        return model
    if isinstance(model, str | os.PathLike):
        raise UsageError(f"{name} is a path or name; give the model, swinkit.load({shown(os.fspath(model))})")
    inner, kind = unwrap(model), type(model).__name__
    if isinstance(inner, Task):
        raise UsageError(
            f"{name} is a {kind} around a {type(inner).__name__}; give the model inside "
            "(to compile one in place, call model.compile())"
        )
    if callable(getattr(model, "merge_and_unload", None)):
        remedy = "merge its adapters first, by merge_and_unload()"
    raise UsageError(f"{name} is a {kind}, which has no task; {remedy}")


def require_weights(model: nn.Module) -> None:
    """Raise UsageError if weights of the model are on the meta device, where tensors have no values."""
    absent = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if absent:
        raise UsageError(
            f"the model has no values for {len(absent)} weights (they are on the meta device): "
            f"{listed(absent)}; load them first, for example with load_state_dict(..., assign=True)"
        )


def require_pictures(spec: Spec, preprocess: Preprocess) -> None:
    """Raise UsageError unless a model of `spec` takes pictures, of the channels of `preprocess`."""
    axes, channels = len(spec.patch), spec.in_channels
    if axes != 2:
        shape = f"(batch, {channels} channels, frames, height, width)"
        raise UsageError(
            f"this model takes clips or volumes, and predict reads pictures; call model(clips), {shape}"
        )
    if channels != preprocess.channels:
        raise UsageError(
            f"this model takes {channels} channels, and its preprocessing has mean and std of "
            f"{preprocess.channels}; call model(pixels) instead"
        )


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


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Let convolutions of fp32 compute in fp32; restore the setting of torch at the end.

    By default torch lets NVIDIA's GPUs round what goes into them to TF32, with 10 bits of mantissa for 23; of
    a Swin this would be the patches, and so all that follows. Matrix products are exact by default, and stay
    as whoever changed that wants them (`torch.set_float32_matmul_precision`).

    The setting is one for all threads, so the last that leaves restores it.
    """
    cudnn: Any = torch.backends.cudnn  # which can be told on machines without a GPU, too
    with LOCK:
        EARLIER.append(EARLIER[0] if EARLIER else cudnn.conv.fp32_precision)
        cudnn.conv.fp32_precision = "ieee"
    try:
        yield
    finally:
        with LOCK:
            before = EARLIER.pop()
            if not EARLIER:
                cudnn.conv.fp32_precision = before
