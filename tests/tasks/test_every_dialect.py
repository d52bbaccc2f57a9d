"""One command reads a file of any library: the right kind of model, with every tensor in its place."""

from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.core.backbone import Swin
from swinkit.heads.pyramid import Pyramid
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.simmim.model import SimMIM
from swinkit.weights.dialect_table import DIALECTS
from swinkit.weights.load import backbone_of, canonical, export_weights

from ..weights.test_dialects import HELD, MAKERS

KINDS = {"classifier": Classifier, "pyramid": Pyramid, "simmim": SimMIM, "backbone": Swin}
TOLD = [  # families whose tensors tell all of their spec
    (dialect, kind, family)
    for dialect, kind, families in HELD
    for family in families
    if family in ("v1", "mlp", "video") and not dialect.startswith("swinkit")
]


@pytest.mark.parametrize(("dialect", "kind", "family"), TOLD)
def test_a_file_of_any_library_is_loaded(tmp_path: Path, dialect: str, kind: str, family: str):
    model = MAKERS[kind](family)
    torch.save({"model": export_weights(model, dialect)}, tmp_path / "file.pth")
    loaded = swinkit.load(tmp_path / "file.pth")
    assert type(loaded) is KINDS[kind]
    spec = backbone_of(loaded).spec
    assert (spec.border, spec.clipped_bias) == (DIALECTS[dialect].border, DIALECTS[dialect].clipped_bias)
    ours, theirs = canonical(model), canonical(loaded)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
