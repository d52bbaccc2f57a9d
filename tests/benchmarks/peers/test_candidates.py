"""Who is measured where, and what must be installed for it."""

import tomllib
from pathlib import Path

import pytest

from benchmarks.peers import candidates
from benchmarks.peers.builders import BUILDERS
from benchmarks.peers.candidates import CANDIDATES, candidates_for
from benchmarks.peers.cases import CASES, INFERENCE, TRAINING

pytestmark = pytest.mark.slow


def names(row: str, peers: list[str] | None = None, *, quick: bool = True) -> set[str]:
    return {candidate.name for candidate in candidates_for(CASES[row], peers, quick=quick)}


def test_each_can_be_built() -> None:
    assert list(CANDIDATES) == list(BUILDERS)


def test_the_extra_installs_all_packages_that_swinkit_does_not_need_anyway(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    required = project["dependencies"] + project["optional-dependencies"]["bench"]
    bare = {line.partition(">")[0] for line in required}
    assert {name for each in CANDIDATES.values() for name in each.packages} <= bare


def test_a_row_is_measured_with_all_that_have_its_model() -> None:
    eager = {"swinkit", "swinkit-engine", "timm", "torchvision", "transformers"}
    assert names("swin-t-224-b1") == eager | {"onnxruntime", "openvino"}
    assert names("video-swin-t-32x224x224-b1") == {"swinkit", "swinkit-engine", "torchvision"}
    assert names("growth-448") == {"swinkit", "swinkit-engine", "vit-b-16"}
    assert names("swin-t-224-b8-train") == {"swinkit", "timm", "torchvision", "transformers"}
    assert names("swin-t-224-b8-train-lean") == {"swinkit", "timm", "transformers"}


def test_fused_attention_is_measured_on_gpus_alone() -> None:
    for name, row in CASES.items():
        here = names(name, quick=False)
        assert ("swinkit-fused" in here) == (row.device == "cuda")
        assert ("swinkit-fused-compiled" in here) == (
            row.device == "cuda" and row.workload in (INFERENCE, TRAINING)
        )


def test_compiled_models_take_part_in_long_runs_at_small_batches_or_where_they_are_named() -> None:
    assert "timm-compiled" in names("swin-t-224-b8", quick=False)
    assert "timm-compiled" not in names("swin-t-224-b32", quick=False)
    assert "timm-compiled" not in names("swin-t-224-b8")
    assert names("swin-t-224-b8", ["timm-compiled"]) == {"swinkit", "swinkit-engine", "timm-compiled"}


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "version", lambda name: None if name.startswith("onnx") else "1.0")
    assert CANDIDATES["onnxruntime"].missing_packages == ("onnx", "onnxscript", "onnxruntime")
    assert CANDIDATES["timm"].missing_packages == ()
