"""That what was written answers as the model does: in the target library's own model, where it is installed.

The same random pixels go through both. Ours runs under the borders of the target's library, since what is
proved is the weights; where its borders make the answers differ is told apart (`weights.agreement`).
"""

import copy
import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core.spec import Size, Spec
from ..errors import DataError
from ..files.tensors import read_state
from ..models.build import build
from ..models.counts import num_macs
from ..tasks.serialization import read_model
from ..weights.configs import times, uncut_size
from ..weights.dialect_table import dialect_named
from ..weights.load import backbone_of, load_weights
from ..weights.rank_files import is_ranked, read_ranks
from ..weights.unsupported import smallest_grid
from .libraries import LIBRARIES
from .source import Subject

TOLERANCE = 1e-4  # of the largest answer; a wrong order of channels moves the logits by as much as they are
MOST_MACS = 20e9  # of one forward pass; above, the smallest pictures are taken that fill every window


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The largest difference of two models' answers to pixels of `size`, and the largest answer.

    `against` says what ours was compared with; `exact`, that nothing at all may differ.
    """

    against: str
    size: Size
    difference: float
    largest: float
    exact: bool = False

    @property
    def holds(self) -> bool:
        """Whether they agree; they do not if either is not finite."""
        allowed = 0.0 if self.exact else TOLERANCE
        return self.difference <= allowed * self.largest < float("inf")


def prove(subject: Subject, dialect: str, path: Path, size: Size) -> Proof | str:
    """Compare what was written at `path` with the model; or why that cannot be done here.

    Raises:
        DataError: the library's own loader refuses the file, or reads other tensors than were written.
    """
    library = LIBRARIES.get(dialect)
    if library is None:
        return proved_by_reading(subject, dialect, path, size)
    try:
        version = importlib.metadata.version(library.package)
    except importlib.metadata.PackageNotFoundError:
        return f"not checked: {library.package} is not installed"
    pixels, target = drawn(subject.spec, size), dialect_named(dialect)
    with under(in_float(subject.model), target.border, target.clipped_bias) as model:
        own = subject.answers(model, pixels)
    try:
        theirs = library.load(subject, path, size)
        with torch.inference_mode():
            made = theirs(pixels)
    except DataError:
        raise
    except ImportError as error:
        return f"not checked: {library.package} {version} cannot be imported ({error})"
    except (RuntimeError, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{library.package} {version} cannot run what was written: {reason}") from None
    return compared(f"{library.package} {version}", size, own, made)


def proved_by_reading(subject: Subject, dialect: str, path: Path, size: Size) -> Proof:
    """The file, read back into a model of ours; here nothing may differ at all."""
    pixels, model = drawn(subject.spec, size), in_float(subject.model)
    if is_ranked(path):
        again = copy.deepcopy(model)
        load_weights(again, read_ranks(path), dialect=dialect)
    elif path.is_dir():
        again = in_float(read_model(path))
    else:
        again = copy.deepcopy(model)
        load_weights(again, read_state(path), dialect=dialect)
    own, made = subject.answers(model, pixels), subject.answers(again, pixels)
    return replace(compared("swinkit, read back", size, own, made), exact=True)


def compared(against: str, size: Size, own: Sequence[Tensor], made: Sequence[Tensor]) -> Proof:
    """The differences of several answers.

    Raises:
        DataError: they are not alike in number and shape.
    """
    if [a.shape for a in own] != [b.shape for b in made]:
        shapes = [tuple(b.shape) for b in made], [tuple(a.shape) for a in own]
        raise DataError(f"{against} answers in shapes {shapes[0]}, this model in {shapes[1]}")
    differences = [(a.float() - b.float()).abs().max() for a, b in zip(own, made, strict=True)]
    return Proof(
        against=against,
        size=size,
        difference=float(torch.stack(differences).max()),
        largest=float(torch.stack([a.float().abs().max() for a in own]).max()),
    )


def proof_size(spec: Spec, usual: Size, *, one_window: bool) -> Size:
    """Pixels per axis of a proof: the usual ones, or the fewest that fill every window if those are many."""
    size = uncut_size(spec, usual, one_window=one_window)
    if num_macs(spec, size) <= MOST_MACS or spec.absolute_grid is not None:
        return size
    fewest = times(smallest_grid(spec.window_sizes, spec.merge), spec.patch)
    return tuple(map(min, size, fewest))


def drawn(spec: Spec, size: Size) -> Tensor:
    """(1, in_channels, *size) random pixels, the same every time."""
    return torch.randn(1, spec.in_channels, *size, generator=torch.Generator().manual_seed(0))


@contextmanager
def under(model: nn.Module, border: str, clipped_bias: str) -> Iterator[nn.Module]:
    """`model` under other borders while inside; the weights are shared."""
    swin = backbone_of(model)
    with torch.device("meta"):
        other = build(replace(swin.spec, border=border, clipped_bias=clipped_bias))
    other.load_state_dict(swin.state_dict(), assign=True)
    if model is swin:
        yield other.eval()
        return
    model.backbone = other.eval()
    try:
        yield model
    finally:
        model.backbone = swin


def in_float(model: nn.Module) -> nn.Module:
    """`model`, or a copy in fp32 if it is in another precision."""
    whole = all(tensor.dtype == torch.float32 for tensor in model.parameters())
    return model if whole else copy.deepcopy(model).float()
