"""Row of regression in the table of tasks."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import DataError, UsageError
from ..whole_pictures.task_type import PictureType
from .settings import RegressionRecipe

if TYPE_CHECKING:
    from ...core.backbone import Swin
    from ...data.dataset import ImageDataset
    from ...data.preprocess import Preprocess
    from ...data.values import ValueDataset
    from ..observed import Observed
    from .evaluation import RegressionEvaluation
    from .model import Regression


class RegressionType(PictureType[RegressionRecipe, "Regression"]):
    """Pictures and numbers."""

    name = "regression"
    problem = "regression"
    recipe = RegressionRecipe
    evaluation_files = ("metrics.json", "per_value.csv", "predictions.csv")

    def read_values(self, samples: "ImageDataset", names: Sequence[str] | None) -> "ValueDataset":
        """Return the samples with the numbers of their labels."""
        from ...data.values import read_numbers

        return read_numbers(samples, names)

    def new_model(
        self, recipe: RegressionRecipe, backbone: "Swin", preprocess: "Preprocess", samples: "ValueDataset"
    ) -> "Regression":
        """Return a model in whose units the values of `samples` have mean 0 and standard deviation 1."""
        from .model import Regression

        values = samples.values.double()
        spread = [each or 1.0 for each in values.std(0, correction=0).tolist()]  # 1: all values are equal
        units = {"mean": values.mean(0).tolist(), "std": spread}
        return Regression(backbone, samples.classes, preprocess, **units, error=recipe.error)

    def bare_model(self, backbone: "Swin", labels: Sequence[str], preprocess: "Preprocess") -> "Regression":
        """Return a model whose head gives the numbers themselves."""
        from .model import Regression

        return Regression(backbone, labels, preprocess)

    def evaluation(
        self, model: "Regression", samples: "ValueDataset", observed: "Observed"
    ) -> "RegressionEvaluation":
        """Return the answers of `model` to all pictures, and their errors."""
        from .evaluation import RegressionEvaluation

        return RegressionEvaluation(**self.measured(model, samples, observed))

    def config(self, model: "Regression") -> dict[str, Any]:
        """Return the number of values, their mean and standard deviation, and the loss."""
        units = {"mean": list(model.mean), "std": list(model.std)}
        return {"num_classes": len(model.labels), **units, "error": model.error}

    def restore(
        self, backbone: "Swin", preprocess: "Preprocess", labels: Sequence[str], config: Mapping[str, Any]
    ) -> "Regression":
        """Return the model without its weights."""
        from .model import Regression

        units = {name: numbers_in(config.get(name), name) for name in ("mean", "std")}
        error: Any = config.get("error")
        try:
            return Regression(backbone, labels, preprocess, **units, error=error)
        except UsageError as problem:
            raise DataError(f"config.json: {problem}") from None


def numbers_in(values: object, name: str) -> list[float]:
    """Return a list of finite numbers from a file.

    Raises:
        DataError: it is something else.
    """
    known = isinstance(values, list) and all(isinstance(each, int | float) for each in values)
    if not isinstance(values, list) or not known or not all(map(math.isfinite, values)):
        raise DataError(f"config.json: {name} is {values!r}; it must be a list of numbers")
    return [float(each) for each in values]
