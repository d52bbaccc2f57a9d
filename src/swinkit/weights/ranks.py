"""Merge the files that each process of a Swin-MoE's training saved, and split a state into such files.

Microsoft's code saves `NAME.pth.rank0`, `NAME.pth.rank1`, ... with the experts of each process, and all other
tensors once, as `NAME.pth.master` (or, in the middle of a run, with every process's experts). A single
process saves `NAME.pth.global`. Where there are more processes than experts, several share one: each has a
slice of its hidden channels, and of its second biases a slice of the output channels. All names are
Microsoft's.

Shapes: E experts, R ranks, F hidden channels, C channels.
"""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import DataError, EnvironmentProblem, UsageError, listed
from ..files.contents import State
from ..files.tensors import write_torch

EXPERT = re.compile(r"(?P<layer>.+)\.experts\.batched_(?P<part>fc[12]_(?:w|bias))")


def merge(ranks: Sequence[State], shared: State | None = None) -> State:
    """Merge the files of all ranks in order, and the shared file where there is one, to the whole state.

    Raises:
        DataError: a rank is missing, or they are not of one model.
    """
    differing = [str(number) for number, state in enumerate(ranks) if state.keys() != ranks[0].keys()]
    if differing:
        raise DataError(f"the ranks {listed(differing)} hold other tensors than rank 0; all are of one model")
    whole = {**ranks[0], **(shared or {})}
    for name, tensor in list(whole.items()):
        found = EXPERT.fullmatch(name)
        if found is None:
            continue
        pieces = [state[name] for state in ranks if name in state] or frozen(name, tensor, len(ranks))
        merged = join_pieces(name, pieces, experts_of(whole, found["layer"]))
        if found["part"] == "fc2_bias":
            merged = trim(name, merged, whole.get(f"{found['layer']}.experts.batched_fc2_w"), len(ranks))
        whole[name] = merged
    return whole


def frozen(name: str, bias: Tensor, ranks: int) -> list[Tensor]:
    """Return the pieces of an expert tensor that only the first rank saved: untrained, and zero everywhere.

    Raises:
        DataError: it is not zero, so that the other ranks' is lost.
    """
    if bias.any():
        raise DataError(
            f"{name} is in the file of rank 0 alone and not zero; those of other ranks are missing"
        )
    return [bias] * ranks


def experts_of(state: State, layer: str) -> int:
    """Return the number of experts E: the router has one row, or column, for each.

    Raises:
        DataError: there is no router.
    """
    linear, cosine = state.get(f"{layer}.gates.0.wg.weight"), state.get(f"{layer}.gates.0.sim_matrix")
    if linear is not None:
        return len(linear)
    if cosine is None:
        raise DataError(f"{layer} has no router; add the .pth.master file, which has what all ranks share")
    return cosine.shape[-1]


def join_pieces(name: str, pieces: Sequence[Tensor], experts: int) -> Tensor:
    """Join the pieces of all ranks, in order, to (E, F, C) or (E, ...).

    Raises:
        DataError: they do not add up to the experts there are.
    """
    axes = 2 if name.endswith("bias") else 3
    flat = [piece.flatten(1) if axes == 2 and piece.ndim == 3 else piece for piece in pieces]
    shapes = sorted({tuple(piece.shape) for piece in flat})
    try:
        own, shares = layout(experts, len(pieces), name)
    except UsageError:
        own, shares = 0, 0
    if not own or len(shapes) > 1 or len(shapes[0]) != axes or shapes[0][0] != own:
        raise DataError(
            f"{name}: {listed(shapes)} of each of {len(pieces)} ranks do not make {experts} experts; "
            "a rank's file is missing, or of another model"
        )
    whole = torch.cat(flat)
    return whole if shares == 1 else whole.unflatten(0, (experts, shares)).flatten(1, 2)


def trim(name: str, bias: Tensor, weight: Tensor | None, ranks: int) -> Tensor:
    """Cut the padding of the last share: (E, C or a little more) -> (E, C).

    Raises:
        DataError: there are fewer channels than the second weight (E, F, C) has, or a whole share more.
    """
    channels = 0 if weight is None else weight.shape[-1]
    shares = max(1, ranks // len(bias))
    if bias.shape[1] != math.ceil(channels / shares) * shares:
        raise DataError(
            f"{name}: {bias.shape[1]} channels of {ranks} ranks, where the second weight has {channels}; "
            "a rank's file is missing, or of another model"
        )
    return bias[:, :channels]


def layout(experts: int, ranks: int, name: str) -> tuple[int, int]:
    """Return how many experts each of R ranks has, and how many ranks share each expert.

    Raises:
        UsageError: they cannot be dealt out evenly.
    """
    if ranks < 1 or (experts % ranks and ranks % experts):
        raise UsageError(f"{name}: {experts} experts cannot be dealt out evenly to {ranks} ranks")
    return max(1, experts // ranks), max(1, ranks // experts)


def split(state: State, ranks: int) -> tuple[list[State], State]:
    """Split a whole state for R ranks: the experts of each, and what they share. Inverse of `merge`.

    Raises:
        UsageError: the experts, or their hidden channels, cannot be dealt out evenly.
    """
    parts: list[State] = [{} for _ in range(ranks)]
    for name, tensor in state.items():
        if EXPERT.fullmatch(name):
            for part, piece in zip(parts, cut(name, tensor, ranks), strict=True):
                part[name] = piece.clone()
    return parts, {name: tensor for name, tensor in state.items() if not EXPERT.fullmatch(name)}


def cut(name: str, tensor: Tensor, ranks: int) -> Iterable[Tensor]:
    """Cut a tensor (E, ...) into the piece of each rank, in order.

    Raises:
        UsageError: it cannot be cut evenly.
    """
    _, shares = layout(len(tensor), ranks, name)
    if shares == 1:
        return tensor.chunk(ranks)
    if name.endswith("fc2_bias"):  # the last share is filled up with zeros
        tensor = F.pad(tensor, (0, -tensor.shape[1] % shares))
    if tensor.shape[1] % shares:
        raise UsageError(f"{name}: {tensor.shape[1]} hidden channels cannot be dealt out to {shares} ranks")
    return tensor.unflatten(1, (shares, -1)).flatten(0, 1).split(1)


def write_ranks(state: State, folder: Path, name: str, ranks: int) -> list[Path]:
    """Write `NAME.pth.rank0` ... and `NAME.pth.master` into an existing folder, as Microsoft's code does.

    Raises:
        UsageError: see `split`; or one of the files is there already.
        EnvironmentProblem: the folder cannot be written to.
    """
    parts, shared = split(state, ranks)
    files = {folder / f"{name}.pth.rank{rank}": part for rank, part in enumerate(parts)}
    files[folder / f"{name}.pth.master"] = shared
    existing = [str(path) for path in files if path.exists()]
    if existing:
        raise UsageError(f"{listed(existing)} exist already; choose another name or folder")
    for path, part in files.items():
        try:
            write_torch(path, {"model": part})
        except OSError as error:
            raise EnvironmentProblem(f"{path} cannot be written: {error}") from None
    return list(files)
