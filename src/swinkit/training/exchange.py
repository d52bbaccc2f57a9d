"""What the processes of one training tell each other; a process alone tells it to itself.

Shapes: R processes.
"""

import atexit
import time
import weakref

import torch
from torch import Tensor
from torch import distributed as dist

from ..tasks.observed import Observed

PATIENCE = 1.0  # seconds to wait at most for gloo, which takes some milliseconds if any
lent: list[weakref.ref[Tensor]] = []  # what the last exchange was of: a tensor lives while gloo holds it


def processes() -> int:
    """R."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """r, of 0 to R - 1."""
    return dist.get_rank() if processes() > 1 else 0


def take_leave() -> None:
    """Of the other processes, unless that was done."""
    if dist.is_initialized():
        dist.destroy_process_group()


@atexit.register  # whoever made the group
def wait_for_lent() -> None:
    """Wait until gloo's threads, which go on for a moment after an exchange, have let go of its tensors.

    They need the interpreter for that, and abort the process if they meet one that is ending. To destroy the
    group would end these threads, but once there was DDP, torch keeps the group.
    """
    until = time.monotonic() + PATIENCE
    while any(tensor() is not None for tensor in lent) and time.monotonic() < until:
        time.sleep(0.001)


def allotted(count: int) -> range:
    """Which of `count` things process r does: r, r + R, ...; all do as many, so the last may not exist."""
    return range(rank(), -(-count // processes()) * processes(), processes())


def everyones(value: Tensor, device: torch.device) -> Tensor:
    """(*S), of one shape in all processes -> (R, *S) on the CPU, by rank; sent from `device`."""
    if processes() == 1:
        return value[None]
    own, values = value.to(device), [torch.empty_like(value, device=device) for _ in range(processes())]
    lent[:] = map(weakref.ref, (own, *values))
    dist.all_gather(values, own)
    return torch.stack(values).cpu()


def agreed(
    loss: float, seconds: float, code: int, news: int, device: torch.device
) -> tuple[float, float, int, int]:
    """The mean loss, the longest time, the exit code to leave with (0: none) and the sum of the news.

    The same in each process. Errors have lower codes than signals, and so come before them.
    """
    values = torch.tensor([loss, seconds, code, news], dtype=torch.float64, device="cpu")
    losses, times, codes, told = everyones(values, device).T
    codes = codes[codes > 0]
    return losses.mean().item(), times.max().item(), int(codes.min()) if len(codes) else 0, int(told.sum())


def first_code(code: int, device: torch.device) -> int:
    """The exit code to leave with (0: none), the same in each process."""
    return agreed(0.0, 0.0, code, 0, device)[2]


def observed_by_all(observed: Observed, device: torch.device) -> Observed:
    """Return the sum of what the processes observed: the same in each of them, sent from `device`."""
    if processes() == 1:
        return observed
    own = observed.encode()
    lengths = everyones(torch.tensor(len(own), device="cpu"), device)
    padded = own.new_zeros(int(lengths.max()))
    padded[: len(own)] = own
    contents = zip(everyones(padded, device), lengths.tolist(), strict=True)
    return Observed.sum(Observed.decode(content[:length]) for content, length in contents)
