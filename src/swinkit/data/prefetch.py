"""Work that is done ahead, in other processes or in this one, with the same answers in the same order."""

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


class Ahead(Generic[Request, Answer]):
    """`work` done for each request by `workers` processes, which live as long as this; 0: in this process."""

    def __init__(self, work: Callable[[Request], Answer], workers: int):
        self.requests = Requests[Request]()
        with as_asked():
            self.loader = DataLoader(
                Work(work),
                batch_size=None,
                sampler=self.requests,  # read anew by each pass
                num_workers=workers,
                pin_memory=torch.cuda.is_available(),  # a GPU then fetches answers by itself
                collate_fn=unchanged,
                worker_init_fn=leave_signals,
                persistent_workers=workers > 0,
                generator=torch.Generator(),  # else it would draw from torch's global one
            )

    def __call__(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """The answers, in order; only one pass at a time. Requests are taken as there are hands for them.

        Raises:
            SwinkitError: what `work` raised, when its turn comes.
            EnvironmentProblem: a worker died.
        """
        self.requests.asked = requests
        with as_asked():
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
    """What is asked for in the next pass."""

    def __init__(self) -> None:
        self.asked: Iterable[Request] = ()

    def __iter__(self) -> Iterator[Request]:
        """A new pass."""
        return iter(self.asked)


@contextmanager
def as_asked() -> Iterator[None]:
    """Torch warns of more processes than cores; whoever asks for them may want them, to wait for disks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        yield


class Work(Dataset[Any]):
    """A function in the clothes that torch expects.

    A user's mistake is handed over as a value, since torch would bury it in the traceback of the worker.
    """

    def __init__(self, work: Callable[[Any], Any]):
        self.work = work

    def __getitem__(self, request: Any) -> Any:
        """The answer, or the error."""
        try:
            return self.work(request)
        except SwinkitError as error:
            return error


def unchanged(answer: Any) -> Any:
    """The answer is what was asked for, not a sample to be collated."""
    return answer


def leave_signals(worker: int) -> None:  # noqa: ARG001
    """What asks to stop may reach every process of a terminal or a job; the main one finishes and saves."""
    for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS and Windows, where torch's own handling stays
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=obey_parent, daemon=True).start()


def obey_parent() -> None:
    """End at a SIGTERM that the parent sends, as it does to those left at its own end; pass over others'."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
