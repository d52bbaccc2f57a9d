"""Specs, preprocessing and notes for the builders of all tasks, from a recipe or a published size."""

from dataclasses import replace

from ..core.spec import Size, Spec
from ..data.fitting import Interpolation
from ..data.imagenet_preprocessing import side_before_crop
from ..data.preprocess import Preprocess
from ..errors import UsageError
from ..models.catalogue import find_variant
from ..settings.data import CroppedData
from ..settings.recipe import Recipe
from ..weights.report import LoadReport
from .task import Task


def spec_of(recipe: Recipe, initial: Task | None = None) -> Spec:
    """Return the spec of the recipe's variant; its border is the one that `initial` was trained with."""
    spec = find_variant(recipe.variant)[1].spec
    spec = replace(spec, drop_path=recipe.drop_path, in_channels=len(recipe.data.mean))
    if initial is None:
        return spec
    old = initial.backbone.spec
    return replace(spec, border=old.border, clipped_bias=old.clipped_bias)


def preprocess_of(data: CroppedData) -> Preprocess:
    """Return the preprocessing of the trained model."""
    return Preprocess.to_crop(data.size, data.resize, data.interpolation, mean=data.mean, std=data.std)


def published_preprocess(size: Size, interpolation: Interpolation = "bicubic") -> Preprocess:
    """Return Microsoft's preprocessing: shorter side to 256/224, middle crop; from 384 pixels squeezed."""
    crop = size[-2:]
    return Preprocess.to_crop(crop, side_before_crop(min(crop)), interpolation)


def axes_of(variant: str) -> int:
    """Return the number of axes of a variant's inputs: 2 of pictures, 3 of clips and volumes."""
    return len(find_variant(variant)[1].spec.patch)


def require_axes(variant: str, data: CroppedData) -> None:
    """Raise UsageError unless `data.size` has as many axes as the variant takes."""
    axes, given = axes_of(variant), len(data.size)
    if axes != given:
        sizes = {2: "[height,width]", 3: "[frames,height,width]"}
        kinds = {2: "pictures", 3: "clips or volumes"}
        raise UsageError(
            f"{variant} takes {kinds.get(axes, f'{axes} axes')}, and data.size is of {kinds[given]}; "
            f"give data.size={sizes.get(axes, 'of as many numbers')}"
        )


def random_weights(recipe: Recipe) -> dict[str, str]:
    """Return the note about weights that start at random."""
    return {"weights": f"new, drawn by run.seed={recipe.run.seed}"}


def given_weights(recipe: Recipe, report: LoadReport) -> dict[str, str]:
    """Return the note about weights that start as those of another model."""
    changes = {"resized": report.resized, "inflated": report.inflated, "adapted": report.adapted}
    counts = [f"{report.loaded} tensors", *(f"{len(made)} {name}" for name, made in changes.items() if made)]
    return {"weights": f"of {recipe.init or 'the given model'}: {', '.join(counts)}"}
