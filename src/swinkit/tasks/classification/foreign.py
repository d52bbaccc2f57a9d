"""A file of another library's weights -> the model in it, told from its tensors."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ...core.backbone import Swin
from ...core.spec import Size, Spec
from ...data.classes import class_names
from ...data.preprocess import Preprocess
from ...errors import UsageError
from ...heads.pyramid import Pyramid
from ...models.build import build
from ...models.catalogue import canonical, find
from ...models.config import family_of
from ...models.families import SpecV2
from ...models.specs import VARIANTS
from ...weights.dialect import Dialect, Reading, listed
from ...weights.dialects import detect
from ...weights.files import Contents, read_contents
from ...weights.infer import infer
from ...weights.load import load_weights
from .model import Classifier

USUAL_SIZE = (224, 224)
SQUEEZED_FROM = 384  # pixels from which the official evaluation resizes without cropping


def load_file(
    path: Path, variant: str | None, labels: Sequence[str] | None
) -> tuple[Classifier | Pyramid | Swin, str]:
    """The model in a file of weights, in eval mode, and a report of what became of every tensor.

    Raises:
        DataError: the file is damaged, or holds tensors that cannot be explained.
        UsageError: the file does not tell its architecture, or `labels` do not fit its classes.
    """
    contents = read_contents(path)
    dialect = detect(contents.state)
    reading = dialect.read(contents.state)
    spec, size, told_by = architecture(reading, path, variant)
    spec = replace(spec, border=dialect.border, clipped_bias=dialect.clipped_bias)
    notes = [*opened(contents), f"architecture: {family_of(spec)}, told by {told_by}", trained_under(dialect)]
    with torch.device("meta"):
        model, answers = shell(reading, spec, size, labels)
    report = load_weights(model, contents.state, dialect=dialect.name)
    lines = [f"{path}: {report}", *(f"  {note}" for note in [*notes, *answers])]
    return model.eval(), "\n".join(lines)


def architecture(reading: Reading, path: Path, variant: str | None) -> tuple[Spec, Size, str]:
    """Spec, usual size in pixels, and who told: caller, else tensors, else the file's name."""
    if variant is not None:
        name, chosen = find(variant)
        return chosen.spec, chosen.size, f"the name {name}"
    stem = canonical(path.name)
    try:
        spec = infer(reading.state, reading.buffers)
    except UsageError:
        if stem is None:
            raise
        chosen = VARIANTS[stem]
        return chosen.spec, chosen.size, f"the file's name ({stem})"
    return spec, usual_size(spec, stem), "the tensors"


def usual_size(spec: Spec, stem: str | None) -> Size:
    """Pixels per axis of the variant with these windows, else of the one that the file is named for."""
    for variant in VARIANTS.values():
        if outline(variant.spec) == outline(spec):
            return variant.size
    return VARIANTS[stem].size if stem else USUAL_SIZE


def outline(spec: Spec) -> tuple[object, ...]:
    """What tells variants apart and follows from weights."""
    references = spec.reference_windows if isinstance(spec, SpecV2) else None
    return family_of(spec), spec.embed_dim, spec.depths, spec.num_heads, spec.window_sizes, references


def opened(contents: Contents) -> list[str]:
    """For the report: the dictionaries around the tensors, and what else lay in them."""
    beside = f"; left alone: {listed(contents.ignored)}" if contents.ignored else ""
    return [f"opened: {listed(contents.wrappers)}{beside}"] if contents.wrappers else []


def trained_under(dialect: Dialect) -> str:
    """For the report: which published borders were switched in."""
    index = ", clipped bias of the published slice" if dialect.clipped_bias == "leading" else ""
    return f"border policy: {dialect.border}{index}, as {dialect.name} runs them"


def shell(
    reading: Reading, spec: Spec, size: Size, labels: Sequence[str] | None
) -> tuple[Classifier | Pyramid | Swin, list[str]]:
    """The module that the names ask for, without weights yet, and what to say of it."""
    swin = build(spec)
    classifier = reading.state.get("head.classifier.weight")
    outputs = sorted({int(name.split(".")[1]) for name in reading.state if name.startswith("norms.")})
    if classifier is None:
        return (Pyramid(swin, outputs), [f"norms of stages {outputs}"]) if outputs else (swin, ["no head"])
    classes = classifier.shape[0]
    names, origin = (tuple(labels), "given") if labels is not None else class_names(classes)
    if len(names) != classes:
        raise UsageError(f"{len(names)} labels were given, but the file has {classes} classes")
    fit = published_preprocess(size)
    how = f"squeezed to {fit.crop}" if fit.resize is None else f"shorter side {fit.resize}, middle {fit.crop}"
    notes = [f"{classes} class names: {origin}", f"pictures: {how} pixels, as Microsoft evaluates"]
    return Classifier(swin, names, fit), notes


def published_preprocess(size: Size) -> Preprocess:
    """As Microsoft evaluates: shorter side to 256/224 of the size, middle crop; from 384 pixels squeezed."""
    crop = size[-2:]
    squeezed = min(crop) >= SQUEEZED_FROM
    return Preprocess(crop=crop, resize=None if squeezed else int(256 / 224 * min(crop)))
