"""Verification of an output: its answers beside the model's, in the library's own model if it is installed.

The same random pixels go through both models. Ours runs under the borders of the target's library, because
the weights are verified; where its borders make answers differ is reported separately (`weights.agreement`).
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
from .source import Source

TOLERANCE = 1e-4  # of the largest answer; a wrong order of channels moves the logits by as much as they are
MOST_MACS = 20e9  # of one forward pass; above, the smallest pictures are taken that fill every window


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Largest difference of two models' answers to pixels of `size`, and the largest answer.

    `against` names the other model; `exact` means that the answers must be equal.
    """

    against: str
    size: Size
    difference: float
    largest: float
    exact: bool = False

    @property
    def holds(self) -> bool:
        """True if the answers agree and are finite."""
        allowed = 0.0 if self.exact else TOLERANCE
        return self.difference <= allowed * self.largest < float("inf")


def prove(source: Source, dialect: str, path: Path, size: Size) -> Proof | str:
    """Compare the output at `path` with the model; return a reason where that cannot be done here.

    Raises:
        DataError: the library's own loader refuses the file, or reads other tensors than were written.
    """
    library = LIBRARIES.get(dialect)
    if library is None:
        return prove_by_reading(source, dialect, path, size)
    try:
        version = importlib.metadata.version(library.package)
    except importlib.metadata.PackageNotFoundError:
        return f"not checked: {library.package} is not installed"
    pixels, target = random_pixels(source.spec, size), dialect_named(dialect)
    with replace_borders(to_float(source.model), target.border, target.clipped_bias) as model:
        own = source.answers(model, pixels)
    try:
        theirs = library.load(source, path, size)
        with torch.inference_mode():
            made = theirs(pixels)
    except DataError:
        raise
    except ImportError as error:
        return f"not checked: {library.package} {version} cannot be imported ({error})"
    except (RuntimeError, ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{library.package} {version} cannot run the written file: {reason}") from None
    return compare_answers(f"{library.package} {version}", size, own, made)


def prove_by_reading(source: Source, dialect: str, path: Path, size: Size) -> Proof:
    """Read the file back into a model of ours, whose answers must be equal."""
    pixels, model = random_pixels(source.spec, size), to_float(source.model)
    if is_ranked(path):
        again = copy.deepcopy(model)
        load_weights(again, read_ranks(path), dialect=dialect)
    elif path.is_dir():
        again = to_float(read_model(path))
    else:
        again = copy.deepcopy(model)
        load_weights(again, read_state(path), dialect=dialect)
    own, made = source.answers(model, pixels), source.answers(again, pixels)
    return replace(compare_answers("swinkit, read back", size, own, made), exact=True)


def compare_answers(against: str, size: Size, own: Sequence[Tensor], made: Sequence[Tensor]) -> Proof:
    """Compute the differences of several answers.

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
    """Return the input size of a proof: the usual one, or the smallest that fills every window."""
    size = uncut_size(spec, usual, one_window=one_window)
    if num_macs(spec, size) <= MOST_MACS or spec.absolute_grid is not None:
        return size
    fewest = times(smallest_grid(spec.window_sizes, spec.merge), spec.patch)
    return tuple(map(min, size, fewest))


def random_pixels(spec: Spec, size: Size) -> Tensor:
    """Draw the same random pixels every time: (1, in_channels, *size)."""
    return torch.randn(1, spec.in_channels, *size, generator=torch.Generator().manual_seed(0))


@contextmanager
def replace_borders(model: nn.Module, border: str, clipped_bias: str) -> Iterator[nn.Module]:
    """Run `model` under other borders while the context lasts; the weights are shared."""
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


def to_float(model: nn.Module) -> nn.Module:
    """Return `model`, or a copy in fp32 if it has another precision."""
    whole = all(tensor.dtype == torch.float32 for tensor in model.parameters())
    return model if whole else copy.deepcopy(model).float()
