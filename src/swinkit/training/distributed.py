"""Collectives between the processes of one training; a single process exchanges with itself.

Shapes: R processes, *S any.
"""

import atexit
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch import distributed as dist

from ..errors import SwinkitError, UsageError
from ..runs.progress import Progress
from ..tasks.observed import Observed

PATIENCE = 1.0  # seconds to wait at most for gloo, which takes some milliseconds if any
GLOO = "/gloo/"  # in its messages: the file that one comes from
in_flight: list[weakref.ref[Tensor]] = []  # the tensors of the last exchange: one lives while gloo holds it


def world_size() -> int:
    """Return the number of processes in the group; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the rank of this process, from 0; 0 without torch.distributed."""
    return dist.get_rank() if world_size() > 1 else 0


def destroy_group() -> None:
    """Destroy the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


@atexit.register  # also where a script of the user made the group
def wait_for_gloo() -> None:
    """Wait until gloo's threads, which go on for a moment after an exchange, have let go of its tensors.

    They need the interpreter for that, and abort the process if they meet one that is ending. To destroy the
    group would end these threads, but once there was DDP, torch keeps the group.
    """
    until = time.monotonic() + PATIENCE
    while any(tensor() is not None for tensor in in_flight) and time.monotonic() < until:
        time.sleep(0.001)


def numbers_of_rank(count: int) -> range:
    """Return the numbers of this rank's part of `count` batches; as all get as many, some may be too high."""
    return range(rank(), -(-count // world_size()) * world_size(), world_size())


def all_gather(value: Tensor, device: torch.device) -> Tensor:
    """Gather a tensor from all ranks: (*S) -> (R, *S) on the CPU, in order, sent from `device`."""
    if world_size() == 1:
        return value[None]
    own, values = value.to(device), [torch.empty_like(value, device=device) for _ in range(world_size())]
    in_flight[:] = map(weakref.ref, (own, *values))
    dist.all_gather(values, own)
    return torch.stack(values).cpu()


def reduce_step(
    loss: float, seconds: float, code: int, bad: int, device: torch.device
) -> tuple[float, float, int, int]:
    """Reduce over the ranks: mean loss, longest time, exit code to leave with (0: none), sum of bad samples.

    All are the same in each rank. Errors have lower codes than signals, and so come before them.
    """
    values = torch.tensor([loss, seconds, code, bad], dtype=torch.float64, device="cpu")
    losses, times, codes, counts = all_gather(values, device).T
    codes = codes[codes > 0]
    return losses.mean().item(), times.max().item(), int(codes.min()) if len(codes) else 0, int(counts.sum())


def reduce_exit_code(code: int, device: torch.device) -> int:
    """Return the exit code to leave with (0: none), the same in each rank."""
    return reduce_step(0.0, 0.0, code, 0, device)[2]


def sum_over_ranks(observed: Observed, device: torch.device) -> Observed:
    """Sum the observations of all ranks; the result is the same in each. `device` sends its own."""
    if world_size() == 1:
        return observed
    own = observed.encode()
    lengths = all_gather(torch.tensor(len(own), device="cpu"), device)
    padded = own.new_zeros(int(lengths.max()))
    padded[: len(own)] = own
    contents = zip(all_gather(padded, device), lengths.tolist(), strict=True)
    return Observed.sum(Observed.decode(content[:length]) for content, length in contents)


@contextmanager
def explain_peer_failures() -> Iterator[None]:
    """Turn the loss of another process into one line.

    Raises:
        SwinkitError: another process is gone.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, SwinkitError) or not (isinstance(error, dist.DistError) or GLOO in str(error)):
            raise
        reason = str(error).splitlines()[0]
        raise SwinkitError(f"a peer process of this training has failed; see its output ({reason})") from None


def require_same_checkpoint(progress: Progress, folder: Path, device: torch.device) -> None:
    """Check that all processes go on from the same checkpoint; all call this.

    Raises:
        UsageError: they do not, as without a folder that all of them see.
    """
    own = torch.tensor([progress.epoch, progress.step, progress.updates], device="cpu")
    places = all_gather(own, device)
    strays = (places != places[0]).any(1).nonzero().flatten().tolist()
    if strays:
        names = [Progress(*place).name() for place in places[[0, strays[0]]].tolist()]
        raise UsageError(
            f"{folder}: process 0 goes on from {names[0]}, and process {strays[0]} from {names[1]}; "
            "all processes need the same folder of the run, on a disk that their machines share"
        )


@torch.no_grad()
def average_buffers(buffers: Sequence[Tensor], device: torch.device) -> None:
    """Average buffers over the processes, so that they are the same in each; of integers take the largest.

    The statistics of batch norm are of the samples that a process saw.
    """
    if world_size() == 1 or not buffers:
        return
    for floating in (True, False):
        alike = [buffer for buffer in buffers if buffer.is_floating_point() == floating]
        if not alike:
            continue
        numbers = torch.cat(
            [each.flatten().to("cpu", torch.float64 if floating else torch.int64) for each in alike]
        )
        gathered = all_gather(numbers, device)
        common = gathered.mean(0) if floating else gathered.amax(0)
        for buffer, part in zip(alike, common.split([each.numel() for each in alike]), strict=True):
            buffer.copy_(part.view_as(buffer))
