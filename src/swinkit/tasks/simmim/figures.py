"""Figure of reconstructions of a few pictures, always the same ones."""

from pathlib import Path

from PIL import Image

from ...data.dataset import ImageDataset
from ...viz.overlays import draw_sheet
from ...viz.reconstructions import draw_reconstruction
from ..results import save_picture
from .model import SimMIM

RECONSTRUCTIONS = "reconstructions.png"
SHOWN = 8  # pictures
HEIGHT = 330  # of each, in pixels: two square ones fit beside each other


def write_reconstructions(model: SimMIM, samples: ImageDataset, run: Path) -> None:
    """Write the picture into the folder of a run.

    Raises:
        ImageError: one of the pictures cannot be read.
        EnvironmentProblem: the folder cannot be written.
    """
    save_picture(draw_reconstructions(model, samples), run / RECONSTRUCTIONS)


def draw_reconstructions(model: SimMIM, samples: ImageDataset, count: int = SHOWN) -> Image.Image:
    """Draw cards of up to `count` pictures from all over the data set."""
    count = min(count, len(samples))
    chosen = [i * len(samples) // count for i in range(count)]
    results = model.answer([samples[i] for i in chosen])
    cards = [  # by their whole names, as the last parts of them repeat from class to class
        draw_reconstruction(made.image, made.mask, made.completed, title=made.name, subtitle=made.summary)
        for made in results
    ]
    return draw_sheet(cards, height=HEIGHT)
