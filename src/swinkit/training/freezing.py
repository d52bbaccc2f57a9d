"""Frozen weights: they do not learn, and the parts that hold nothing else compute as in evaluation.

So a frozen stage has no drop-path and no dropout, and the statistics of a frozen batch norm stay as they are.
A part that also holds trained weights, such as a block whose norms learn, trains as ever.
"""

from collections.abc import Iterator

from torch import nn

from ..errors import UsageError
from ..settings.recipe import Recipe
from ..tasks.task import Task
from .param_groups import backbone_parameters, roles


def freeze(task: Task, recipe: Recipe) -> None:
    """Take the weights that the recipe freezes out of the training.

    Raises:
        UsageError: the backbone has fewer stages than `recipe.frozen_stages`.
    """
    backbone, frozen = task.backbone, set[nn.Parameter]()
    if recipe.frozen_stages is not None:
        stages = list(backbone.stages)
        if recipe.frozen_stages > len(stages):
            raise UsageError(
                f"frozen_stages is {recipe.frozen_stages}, and {recipe.variant} has {len(stages)} stages; "
                "to train the head alone, choose trainable=head"
            )
        for part in (backbone.embed, backbone.position, *stages[: recipe.frozen_stages]):
            frozen.update(part.parameters())
    if recipe.trainable is not None:
        role = roles(task)
        inside = backbone_parameters(task)
        frozen.update(each for each in inside if recipe.trainable == "head" or role[each] != "norm")
    for parameter in frozen:
        parameter.requires_grad_(False)


def begin_training(task: Task) -> None:
    """Set the task to training mode, and its frozen parts to evaluation."""
    task.train()
    for part in frozen_parts(task):
        part.eval()


def frozen_parts(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost modules that hold weights, all of them frozen."""
    weights = list(module.parameters())
    if weights and not any(weight.requires_grad for weight in weights):
        yield module
        return
    for child in module.children():
        yield from frozen_parts(child)
