"""A classifier to ask."""

import pytest
import torch

from swinkit.data.preprocess import Preprocess
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.model import Classifier

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """swin-pico with large random weights, so that different pictures get clearly different answers."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        backbone = build(VARIANTS["swin-pico"].spec)
        model = Classifier(backbone, LABELS, Preprocess.to_crop(crop=(32, 32), resize=32))
        torch.nn.init.normal_(model.head.classifier.weight, std=0.5)
    return model.eval()
