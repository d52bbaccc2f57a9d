"""Prefetching: work done ahead in other processes or in this one, with the same results in order."""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import EnvironmentProblem, SwinkitError

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Prefetcher(Generic[Request, Answer]):
    """Does `work` for each request in `workers` processes, which live as long as this; 0: in this one."""

    def __init__(self, work: Callable[[Request], Answer], workers: int):
        self.requests = Requests[Request]()
        with ignore_worker_warning():
            self.loader = DataLoader(
                RequestDataset(work),
                batch_size=None,
                sampler=self.requests,  # read anew by each pass
                num_workers=workers,
                pin_memory=torch.cuda.is_available(),  # a GPU then fetches answers by itself
                collate_fn=identity,
                worker_init_fn=ignore_signals,
                persistent_workers=workers > 0,
                generator=torch.Generator(),  # else it would draw from torch's global one
            )

    def __call__(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers in order, one pass at a time; requests are read as workers become free.

        Raises:
            SwinkitError: what `work` raised, when its turn comes.
            EnvironmentProblem: a worker died.
        """
        self.requests.asked = requests
        with ignore_worker_warning():
            answers = iter(self.loader)
        try:
            for answer in answers:
                if isinstance(answer, SwinkitError):
                    try:
                        raise answer
                    finally:
                        del answer  # else it, its traceback and the workers would hold each other
                yield answer
        except RuntimeError as error:
            if "exited unexpectedly" not in str(error):
                raise
            raise EnvironmentProblem(
                "a process that reads pictures died, perhaps for want of memory; try a smaller data.workers"
            ) from None


class Requests(Generic[Request]):
    """Requests of the next pass."""

    def __init__(self) -> None:
        self.asked: Iterable[Request] = ()

    def __iter__(self) -> Iterator[Request]:
        """Begin a new pass."""
        return iter(self.asked)


@contextmanager
def ignore_worker_warning() -> Iterator[None]:
    """Hide torch's warning of more processes than cores, which are useful where disks are slow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        yield


class RequestDataset(Dataset[Any]):
    """A function as the data set that `DataLoader` expects.

    A user's mistake is returned as a value, since torch would bury it in the traceback of the worker.
    """

    def __init__(self, work: Callable[[Any], Any]):
        self.work = work

    def __getitem__(self, request: Any) -> Any:
        """Return the answer, or the error."""
        try:
            return self.work(request)
        except SwinkitError as error:
            return error


def identity(answer: Any) -> Any:
    """Return the answer as it is: it needs no collation."""
    return answer


def ignore_signals(worker: int) -> None:  # noqa: ARG001
    """Ignore signals to stop, which may reach every process of a job; the main one finishes and saves."""
    for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS and Windows, where torch's own handling stays
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End at a SIGTERM from the parent, which it sends at its own end; ignore those of others."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
