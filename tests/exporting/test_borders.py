"""What is said about borders, which other libraries treat otherwise, is true."""

from pathlib import Path

import pytest
import torch

from swinkit.core.spec import Size
from swinkit.exporting import verify as proving
from swinkit.exporting.convert import convert_model
from swinkit.exporting.source import Source
from swinkit.exporting.targets import dialect_for
from swinkit.weights.agreement import differing_stages
from swinkit.weights.dialect_table import dialect_named

from .models import classifier

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("changes", "to", "crop", "warnings"),
    [
        ({"border": "roll-first"}, "timm", (64, 64), []),
        ({}, "timm", (64, 64), ["answers agree at 64 x 64 pixels, but can differ"]),
        ({}, "timm", (72, 72), ["answers differ at 72 x 72 pixels, from stages 1, 2 on"]),
        ({}, "transformers", (64, 128), ["answers agree at 64 x 128 pixels, but can differ"]),
        (
            {"window_sizes": ((8, 8),) * 2},
            "torchvision",
            (48, 48),
            ["answers differ at 48 x 48 pixels, from stage"],
        ),
        (
            {"window_sizes": ((8, 8),) * 2},
            "timm",
            (48, 48),
            ["its config says 64 x 64 pixels: at 48 x 48 its windows", "answers differ at 48 x 48 pixels"],
        ),
    ],
)
def test_other_borders_are_told(changes: dict, to: str, crop: Size, warnings: list[str], tmp_path: Path):
    done = convert_model(classifier(crop=crop, **changes), tmp_path / "out.pth", to, dry_run=True)
    assert len(done.warnings) == len(warnings)
    assert all(found.startswith(wanted) for found, wanted in zip(done.warnings, warnings, strict=True))


@pytest.mark.parametrize("to", ["timm", "torchvision", "transformers", "openmmlab-fork"])
@pytest.mark.parametrize("crop", [(64, 64), (32, 32), (72, 104), (40, 40)])
def test_the_warning_is_right(to: str, crop: Size, tmp_path: Path):
    """Answers differ under the target's borders exactly where the warning says so."""
    model = classifier(crop=crop) if to != "openmmlab-fork" else classifier(crop=crop).backbone
    source = Source.of(model)
    dialect = dialect_named(dialect_for(to, source))
    x = torch.randn(1, 3, *crop)
    own = source.answers(model, x)[0]
    with proving.replace_borders(model, dialect.border, dialect.clipped_bias) as other:
        theirs = source.answers(other, x)[0]
    told = differing_stages(source.spec, dialect.border, dialect.clipped_bias, crop)
    assert bool(told) == (not torch.equal(own, theirs))
