"""The model cards of pre-trained models."""

from ...data.dataset import ALL, ImageDataset
from ...models.counts import num_parameters
from ...version import __version__
from ..card import Training
from .model import SimMIM
from .settings import SimMIMRecipe

USE = """It answers with pictures, not with classes: `swinkit.load("FOLDER").predict("PICTURE").plot()` shows
what it makes of a picture of which a part is hidden. To be trained further, it is named as `init` of a
classifier's recipe, or begins a classifier in Python: `swinkit.load("FOLDER", labels=[...], head="new")`.
"""


def pretraining_card(model: SimMIM, training: Training[SimMIMRecipe, ImageDataset]) -> str:
    """Return the card of a model that has just been pre-trained."""
    masking, samples, held_out = model.masking, training.samples, training.held_out
    scores = training.scores
    watched = f"the {len(held_out)} of {held_out.split}"
    if held_out.split == ALL:
        watched = "all pictures, those of training included"
    return f"""# {training.recipe.variant}, pre-trained by swinkit {__version__}

By SimMIM, without labels, on the {len(samples)} pictures of `{samples.root.name}` ({samples.split}):
{masking.ratio:.0%} of each was hidden, in cells of {masking.patch} x {masking.patch} pixels. Of {watched},
it explains {scores["explained"]:.1%} of what is hidden (0% is answering with the mean colour; the mean
absolute error is {scores["l1"]:.4f}, in units of the spread).

{USE}
Intended use, limits and licence: to be stated by whoever trained it.
"""


def plain_card(model: SimMIM) -> str:
    """Return the card of a model that has numbers, but no description."""
    parameters = num_parameters(model.backbone.spec, 0) / 1e6
    masking = model.masking
    return f"""# A Swin pre-trained on masked pictures

A backbone of {parameters:.1f} M parameters, with the decoder of SimMIM: {masking.ratio:.0%} of the pictures
were hidden, in cells of {masking.patch} x {masking.patch} pixels. Made by swinkit {__version__}.

{USE}
Training data, intended use, limits and licence: not stated by whoever saved it.
"""
