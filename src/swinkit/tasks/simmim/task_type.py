"""Row of masked pre-training in the table of tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError, UsageError
from ..card import Training
from ..task_type import TaskType
from .settings import Masking, SimMIMOptions, SimMIMRecipe, published_masking

if TYPE_CHECKING:
    from ...core.backbone import Swin
    from ...core.spec import Size
    from ...data.dataset import ImageDataset
    from ...data.preprocess import Preprocess
    from ...weights.dialect import Translation
    from ...zoo.hub_configs import Facts
    from ..observed import Observed
    from ..task import Task
    from .data import MaskingCollate
    from .evaluation import MaskedEvaluation
    from .model import SimMIM


class SimMIMType(TaskType[SimMIMRecipe, "ImageDataset", "SimMIM"]):
    """Task of pictures, clips or volumes without labels: the model fills in the hidden part."""

    name = "simmim"
    recipe = SimMIMRecipe
    predict_options = SimMIMOptions
    evaluation_files = ("metrics.json", "reconstructions.png")

    def require_trainable(self, recipe: SimMIMRecipe) -> None:
        """Raise UsageError unless `data.size` has as many axes as the variant takes."""
        from ..from_recipe import require_axes

        require_axes(recipe.variant, recipe.data)

    def find(self, recipe: SimMIMRecipe, data: Path) -> "tuple[ImageDataset, ImageDataset]":
        """Return the inputs of two splits; if no split is named, all of them for both."""
        from ...data.dataset import ALL, HELD_OUT, TRAIN
        from ...data.find_dataset import find_inputs
        from ..from_recipe import preprocess_of

        preprocess = preprocess_of(recipe.data)
        training, held_out = (find_inputs(data, preprocess, *splits) for splits in ((TRAIN,), HELD_OUT))
        if training.split == ALL != held_out.split:  # all, those of `held_out` included
            raise DataError(
                f"{data}: {held_out.split} is there for validation, but no {TRAIN} for training; rename its "
                f"folder to {TRAIN}, or give a folder without {held_out.split}"
            )
        return training, held_out

    def find_whole(self, recipe: SimMIMRecipe, data: Path) -> "ImageDataset":
        """Return all inputs of a folder without splits."""
        from ...data.dataset import ALL, HELD_OUT, TRAIN
        from ...data.find_dataset import find_inputs
        from ..from_recipe import preprocess_of

        whole = find_inputs(data, preprocess_of(recipe.data), *HELD_OUT, TRAIN)
        if whole.split not in (TRAIN, ALL):
            raise UsageError(
                f"{data} has a split {whole.split}, so that nothing needs to be held out; drop data.hold_out"
            )
        return whole

    def build(
        self,
        recipe: SimMIMRecipe,
        samples: "ImageDataset",  # noqa: ARG002  there are no classes
        initial: "Task | None",
    ) -> "tuple[SimMIM, dict[str, str]]":
        """Return a model of the recipe's variant and masking, and notes about its weights."""
        from ...models.build import build
        from ...weights.load import load_weights
        from ..from_recipe import given_weights, preprocess_of, random_weights, spec_of
        from .model import SimMIM

        model = SimMIM(build(spec_of(recipe, initial)), recipe.masking, preprocess_of(recipe.data))
        if initial is None:
            return model, random_weights(recipe)
        report = load_weights(model, initial.state_dict(), dialect="swinkit", head="new", channels="adapt")
        return model, given_weights(recipe, report)

    def training_batches(self, recipe: SimMIMRecipe, model: "SimMIM") -> "MaskingCollate":
        """Return the maker of augmented batches, partly hidden."""
        collate = self.evaluation_batches(model)
        return replace(collate, seed=recipe.run.seed, augmentation=recipe.augmentation)

    def evaluation_batches(self, model: "SimMIM") -> "MaskingCollate":
        """Return the maker of batches as in prediction, always with the same part hidden."""
        from .data import MaskingCollate
        from .evaluation import SEED

        patch = model.backbone.spec.patch
        return MaskingCollate(preprocess=model.preprocess, masking=model.masking, patch=patch, seed=SEED)

    def advise(self, recipe: SimMIMRecipe, model: str) -> str:
        """Return the command that trains a classifier; of clips and volumes, the one that evaluates."""
        from ...settings.augmentation import OF_RGB

        if len(recipe.data.size) != 2:
            return f"try `swinkit evaluate {model} data=DATA split=val`"
        fields = {"init": model, "variant": recipe.variant}
        if len(recipe.data.mean) != 3:
            numbers = {"mean": recipe.data.mean, "std": recipe.data.std}
            fields |= {f"data.{name}": f'"[{",".join(map(str, each))}]"' for name, each in numbers.items()}
            fields |= {f"augmentation.{name}": "0" for name in OF_RGB}
        words = " ".join(f"{name}={value}" for name, value in fields.items())
        return f"its backbone begins a classifier: `swinkit train RECIPE data=DATA out=RUN {words}`"

    def draw(self, model: "SimMIM", samples: "ImageDataset", observed: "Observed", run: Path) -> None:  # noqa: ARG002
        """Draw reconstructions of a few samples, which show more than the sums observed."""
        from .figures import write_reconstructions

        write_reconstructions(model, samples, run)

    def samples(self, model: "SimMIM", data: Path, split: str) -> "ImageDataset":
        """Return the inputs of a split; of the split `all`, every one that there is."""
        from .evaluation import find_split

        return find_split(data, split, model)

    def evaluation(
        self, model: "SimMIM", samples: "ImageDataset", observed: "Observed"
    ) -> "MaskedEvaluation":
        """Return the evaluation of `model` on hidden parts of `samples`."""
        from .evaluation import evaluation_of

        return evaluation_of(model, samples, observed)

    def protocol(self, model: "SimMIM", samples: "ImageDataset") -> dict[str, Any]:
        """Return the protocol of an evaluation, with the masking."""
        from .evaluation import masked_protocol

        return masked_protocol(model, samples)

    def config(self, model: "SimMIM") -> dict[str, Any]:
        """Return the masking."""
        return {"masking": asdict(model.masking)}

    def card(self, model: "SimMIM", training: "Training[SimMIMRecipe, ImageDataset] | None" = None) -> str:
        """Return the card, which says how much the model explains where that is known from a training."""
        from .card import plain_card, pretraining_card

        return plain_card(model) if training is None else pretraining_card(model, training)

    def restore(
        self,
        backbone: "Swin",
        preprocess: "Preprocess",
        labels: Sequence[str],  # noqa: ARG002  there are none
        config: Mapping[str, Any],
    ) -> "SimMIM":
        """Return the model without its weights."""
        from .model import SimMIM

        return SimMIM(backbone, masking_from(config.get("masking")), preprocess)

    def from_checkpoint(
        self,
        translation: "Translation",
        backbone: "Swin",
        facts: "Facts",  # noqa: ARG002  there is nothing to be said of pictures
        size: "Size",
        head: str,  # noqa: ARG002
    ) -> "tuple[SimMIM, list[str]] | None":
        """Return a model where the checkpoint has a mask token and a decoder."""
        from ..from_recipe import published_preprocess
        from .model import SimMIM

        if not {"mask_token", "head.decoder.weight"} <= set(translation.state):
            return None
        fit = published_preprocess(size, interpolation="bilinear")
        model = SimMIM(backbone, published_masking(backbone.spec), fit)
        return model, ["mask token and decoder of masked pre-training"]


def masking_from(values: Any) -> Masking:
    """Return the masking that config.json describes.

    Raises:
        DataError: a field is missing, unknown or wrong.
    """
    known = set(asdict(Masking()))
    if not isinstance(values, dict) or set(values) != known:
        raise DataError(f"config.json: `masking` must have the fields {', '.join(sorted(known))}")
    try:
        return Masking(**values)
    except UsageError as error:
        raise DataError(f"config.json: {error}") from None
