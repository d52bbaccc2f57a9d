"""The row of the made-up task: what a developer adds to `registry.TASKS`."""

import math
from pathlib import Path

import torch

from swinkit.data.fitting import FitWithin
from swinkit.data.paths import find_images
from swinkit.data.preprocess import Preprocess
from swinkit.data.sampler import GroupedByAspectRatio
from swinkit.models.build import build
from swinkit.tasks.from_recipe import random_weights, spec_of
from swinkit.tasks.task_type import TaskType
from swinkit.weights.load import load_weights

from .data import BoxDataset, Prepare, find_boxes
from .evaluation import BoxEvaluation
from .model import BoxFinder
from .settings import BoxOptions, BoxRecipe


class BoxType(TaskType[BoxRecipe, BoxDataset, BoxFinder]):
    name = BoxFinder.name
    recipe = BoxRecipe
    predict_options = BoxOptions

    def find(self, recipe, data):
        return find_boxes(data, "train"), find_boxes(data, "val")

    def build(self, recipe, samples, initial):
        fit = FitWithin(shorter=recipe.shorter, longest=2 * recipe.shorter)
        preprocess = Preprocess(parts=(fit,), mean=recipe.data.mean, std=recipe.data.std)
        model = BoxFinder(build(spec_of(recipe, initial)), samples.classes, preprocess)
        if initial is not None:
            load_weights(model.backbone, initial.backbone.state_dict(), dialect="swinkit")
        return model, random_weights(recipe)

    def advise(self, recipe, model):
        return f"look at {model}"

    def training_batches(self, recipe, model):
        return Prepare(model.preprocess, recipe.flip, recipe.run.seed)

    def evaluation_batches(self, model):
        return Prepare(model.preprocess)

    def sampler(self, recipe, model, samples):
        return GroupedByAspectRatio(torch.tensor([samples.size(index) for index in range(len(samples))]))

    def pixels(self, recipe, model, samples):
        return lambda index: math.prod(model.preprocess.parts[0].size_of(*samples.size(index)))

    def draw(self, model, samples, observed, run):
        (run / "boxes.txt").write_text(f"{len(observed.records)} of {len(samples)}")

    def samples(self, model, data, split):
        return find_boxes(data, split)

    def evaluation(self, model, samples, observed):
        return BoxEvaluation(model, samples, model.scores(observed))

    def restore(self, backbone, preprocess, labels, config):
        return BoxFinder(backbone, labels, preprocess)

    @staticmethod
    def find_inputs(name):
        """Find the arrays in a folder, or pictures."""
        arrays = sorted(Path(name).glob("*.npy"))
        return arrays or find_images(name)
