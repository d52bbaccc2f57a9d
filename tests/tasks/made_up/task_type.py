"""The row of the made-up task: what a developer adds to `registry.TASKS`."""

import math

import torch

from swinkit.data.fitting import FitWithin
from swinkit.data.preprocess import Pipeline
from swinkit.data.sampler import GroupedByAspectRatio
from swinkit.models.build import build
from swinkit.tasks.from_recipe import random_weights, spec_of
from swinkit.tasks.task_type import TaskType
from swinkit.weights.load import load_weights

from .data import BoxDataset, Prepare, find_boxes
from .evaluation import BoxEvaluation
from .model import BoxFinder
from .settings import BoxRecipe


class BoxType(TaskType[BoxRecipe, BoxDataset, BoxFinder]):
    name = BoxFinder.name
    recipe = BoxRecipe
    preprocess_version = 2
    advice = "look at {model}"

    def find(self, recipe, data):
        return find_boxes(data, "train"), find_boxes(data, "val")

    def build(self, recipe, training, initial):
        fit = FitWithin(shorter=32, longest=64)
        preprocess = Pipeline(parts=(fit,), mean=recipe.data.mean, std=recipe.data.std)
        model = BoxFinder(build(spec_of(recipe, initial)), preprocess)
        if initial is not None:
            load_weights(model.backbone, initial.backbone.state_dict(), dialect="swinkit")
        return model, random_weights(recipe)

    def training_batches(self, recipe, model):
        return Prepare(model.preprocess, recipe.flip, recipe.run.seed)

    def evaluation_batches(self, model):
        return Prepare(model.preprocess)

    def sampler(self, recipe, model, samples):
        sizes = [samples.annotation(index)[1] for index in range(len(samples))]
        return GroupedByAspectRatio(torch.tensor(sizes).flip(1))

    def pixels(self, recipe, model, samples):
        def count(index):
            width, height = samples.annotation(index)[1]
            return math.prod(FitWithin(shorter=32, longest=64).size_of(height, width))

        return count

    def draw(self, model, samples, observed, run):
        (run / "boxes.txt").write_text(f"{len(observed.records)} of {len(samples)}")

    def samples(self, model, data, split):
        return find_boxes(data, split)

    def evaluation(self, model, samples, observed):
        return BoxEvaluation(model, samples, model.scores(observed))

    def restore(self, backbone, preprocess, labels, config):
        return BoxFinder(backbone, preprocess)
