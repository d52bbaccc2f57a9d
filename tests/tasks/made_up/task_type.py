"""The row of the made-up task, added to `registry.TASKS`. Torch-free, because methods import their parts."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from swinkit.data.paths import find_images
from swinkit.tasks.task_type import TaskType

from .settings import BoxOptions, BoxRecipe

if TYPE_CHECKING:
    from .data import BoxDataset
    from .model import BoxFinder


class BoxType(TaskType[BoxRecipe, "BoxDataset", "BoxFinder"]):
    name = "made-up"
    recipe = BoxRecipe
    predict_options = BoxOptions

    def find(self, recipe, data):
        from .data import find_boxes

        return find_boxes(data, "train"), find_boxes(data, "val")

    def build(self, recipe, samples, initial):
        from swinkit.data.fitting import FitWithin
        from swinkit.data.preprocess import Preprocess
        from swinkit.models.build import build
        from swinkit.tasks.from_recipe import given_weights, random_weights, spec_of
        from swinkit.weights.load import load_weights

        from .model import BoxFinder

        fit = FitWithin(shorter=recipe.shorter, longest=2 * recipe.shorter)
        preprocess = Preprocess(parts=(fit,), mean=recipe.data.mean, std=recipe.data.std)
        model = BoxFinder(build(spec_of(recipe, initial)), samples.classes, preprocess)
        if initial is None:
            return model, random_weights(recipe)
        report = load_weights(model.backbone, initial.backbone.state_dict(), dialect="swinkit")
        return model, given_weights(recipe, report)

    def advise(self, recipe, model):
        return f"look at {model}"

    def training_batches(self, recipe, model):
        from .data import Collate

        return Collate(model.preprocess, recipe.flip, recipe.run.seed)

    def evaluation_batches(self, model):
        from .data import Collate

        return Collate(model.preprocess)

    def sampler(self, recipe, model, samples):
        import torch

        from swinkit.data.sampler import GroupedByAspectRatio

        return GroupedByAspectRatio(torch.tensor([samples.size(index) for index in range(len(samples))]))

    def pixels(self, recipe, model, samples):
        return lambda index: math.prod(model.preprocess.parts[0].size_of(*samples.size(index)))

    def draw(self, model, samples, observed, run):
        (run / "boxes.txt").write_text(f"{len(observed.records)} of {len(samples)}")

    def samples(self, model: "BoxFinder", data: Path, split: str) -> "BoxDataset":
        from .data import find_boxes

        return find_boxes(data, split)

    def evaluation(self, model, samples, observed):
        from .evaluation import BoxEvaluation

        return BoxEvaluation(model, samples, model.scores(observed))

    def restore(self, backbone, preprocess, labels, config):
        from .model import BoxFinder

        return BoxFinder(backbone, labels, preprocess)

    @staticmethod
    def find_inputs(name):
        """Find the arrays in a folder, or pictures."""
        arrays = sorted(Path(name).glob("*.npy"))
        return arrays or find_images(name)
