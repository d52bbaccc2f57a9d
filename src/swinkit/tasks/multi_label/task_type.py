"""Row of several labels for a picture in the table of tasks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ..whole_pictures.task_type import PictureType
from .settings import MultiLabelOptions, MultiLabelRecipe

if TYPE_CHECKING:
    from ...core.backbone import Swin
    from ...data.dataset import ImageDataset
    from ...data.preprocess import Preprocess
    from ...data.values import ValueDataset
    from ..observed import Observed
    from .evaluation import MultiLabelEvaluation
    from .model import MultiLabel


class MultiLabelType(PictureType[MultiLabelRecipe, "MultiLabel"]):
    """Pictures and all the classes that each shows."""

    name = "multi-label"
    problem = "multi_label_classification"
    recipe = MultiLabelRecipe
    predict_options = MultiLabelOptions
    evaluation_files = ("metrics.json", "per_class.csv", "predictions.csv")

    def read_values(self, samples: "ImageDataset", names: Sequence[str] | None) -> "ValueDataset":
        """Return the samples with 1 for each class that a picture shows."""
        from ...data.values import read_label_sets

        return read_label_sets(samples, names)

    def new_model(
        self, recipe: MultiLabelRecipe, backbone: "Swin", preprocess: "Preprocess", samples: "ValueDataset"
    ) -> "MultiLabel":
        """Return a model of the classes of `samples`."""
        from .model import MultiLabel

        model = MultiLabel(backbone, samples.classes, preprocess, threshold=recipe.threshold)
        model.smoothing = recipe.augmentation.smoothing
        return model

    def bare_model(self, backbone: "Swin", labels: Sequence[str], preprocess: "Preprocess") -> "MultiLabel":
        """Return a model with the usual threshold."""
        from .model import MultiLabel

        return MultiLabel(backbone, labels, preprocess)

    def evaluation(
        self, model: "MultiLabel", samples: "ValueDataset", observed: "Observed"
    ) -> "MultiLabelEvaluation":
        """Return the answers of `model` to all pictures, and their scores."""
        from .evaluation import MultiLabelEvaluation

        return MultiLabelEvaluation(**self.measured(model, samples, observed), threshold=model.threshold)

    def config(self, model: "MultiLabel") -> dict[str, Any]:
        """Return the number of classes, and the threshold."""
        return {"num_classes": len(model.labels), "threshold": model.threshold}

    def restore(
        self, backbone: "Swin", preprocess: "Preprocess", labels: Sequence[str], config: Mapping[str, Any]
    ) -> "MultiLabel":
        """Return the model without its weights."""
        from .model import MultiLabel

        threshold = config.get("threshold")
        if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise DataError(f"config.json: threshold is {threshold!r}; it must be in [0, 1]")
        return MultiLabel(backbone, labels, preprocess, threshold=threshold)
