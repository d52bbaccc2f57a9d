"""What is timed is the same work for all: alike in weights, pixels and results, whoever computes it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.peers import libraries
from benchmarks.peers.builders import BUILDERS, Environment
from benchmarks.peers.cases import CHECKPOINTED, INFERENCE, TRAINING, VIT, Case
from benchmarks.peers.inputs import build_classifier, crop_to_patches, draw_pixels, draw_targets
from benchmarks.peers.verification import relative_difference
from benchmarks.peers.worker import Worker
from benchmarks.peers.workload import Inference, TrainingStep, workload_of
from swinkit.errors import EnvironmentProblem

pytestmark = pytest.mark.slow

V1 = Case(variant="swin-pico", size=(32, 32), batch=2)
V2 = Case(variant="swinv2-pico", size=(32, 32), batch=2)
AGREED = 1e-5


def disagreement(name: str, row: Case, folder: Path = Path()) -> float:
    built = BUILDERS[name](row, Environment(1, folder))
    return relative_difference([built.call() for _ in range(2)], row, built.dialect)


def test_every_process_is_given_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    one = build_classifier(V1).state_dict()
    torch.rand(3)
    two = build_classifier(V1).state_dict()
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert all(value.abs().max() > 0 for value in one.values())  # so that each has a say
    assert torch.equal(draw_pixels(V1), draw_pixels(V1))
    assert torch.equal(draw_targets(V1), draw_targets(V1))


def test_drawing_it_leaves_the_users_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build_classifier(V1)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("row", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("name", ["swinkit", "timm", "torchvision", "transformers"])
def test_eager_models_answer_as_ours_does(name: str, row: Case) -> None:
    assert disagreement(name, row) < AGREED


@pytest.mark.parametrize("name", ["swinkit", "timm", "torchvision", "transformers"])
def test_they_do_so_too_where_pixels_fill_no_patch_and_tokens_no_window(name: str) -> None:
    assert disagreement(name, replace(V1, size=(46, 71))) < AGREED


@pytest.mark.parametrize("work", [TRAINING, CHECKPOINTED])
@pytest.mark.parametrize("name", ["swinkit", "timm", "transformers"])
def test_training_steps_lose_as_much_as_ours(name: str, work: str) -> None:
    assert disagreement(name, replace(V1, workload=work)) < AGREED


def test_clips_are_answered_alike() -> None:
    row = Case(variant="video-swin-t", size=(4, 32, 32), batch=1)
    assert disagreement("torchvision", row) < AGREED


def test_a_model_that_computes_something_else_is_found_out() -> None:
    model, dialect = libraries.timm(V1)
    with torch.no_grad():
        table = model.layers[0].blocks[1].attn.relative_position_bias_table
        table.copy_(table.roll(1, 0))  # each displacement with its neighbour's bias, in one block
    assert relative_difference([Inference(model, V1)()], V1, dialect.name) > 10 * AGREED


def test_a_step_that_learns_otherwise_is_found_out() -> None:
    row = replace(V1, workload=TRAINING)
    step = TrainingStep(build_classifier(row), row)
    step.optimiser.param_groups[0]["lr"] *= 1.1
    assert relative_difference([step() for _ in range(2)], row, None) > 10 * AGREED


@pytest.mark.parametrize("name", ["swinkit-compiled", "timm-compiled", "torchvision-compiled"])
def test_compiled_models_are_the_same_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda model: compiled.append(model) or model)
    assert disagreement(name, V1) < AGREED
    assert len(compiled) == 1


def test_the_engine_takes_part_once_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swinkit.engine.cpu.build.find_library", lambda: None)
    with pytest.raises(EnvironmentProblem, match="not built: swinkit optimize"):
        disagreement("swinkit-engine", V1)
    attached = []
    monkeypatch.setattr("swinkit.engine.cpu.build.find_library", lambda: "a library")
    monkeypatch.setattr(
        "swinkit.engine.attach.copy_with_engines", lambda model: attached.append(model) or model
    )
    assert disagreement("swinkit-engine", V1) < AGREED
    assert not attached[0].training


@pytest.mark.parametrize("work", [INFERENCE, TRAINING, CHECKPOINTED])
def test_fused_attention_takes_part_where_triton_is_installed(
    work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, attached = replace(V1, workload=work), []
    monkeypatch.setattr("swinkit.engine.gpu.attach.attach_kernels", attached.append)
    monkeypatch.setattr("swinkit.engine.gpu.fallback.has_triton", lambda: True)
    assert disagreement("swinkit-fused", row) < AGREED
    assert len(attached) == 1
    monkeypatch.setattr("swinkit.engine.gpu.fallback.has_triton", lambda: False)
    with pytest.raises(EnvironmentProblem, match="not installed: triton"):
        disagreement("swinkit-fused", row)


def test_the_other_model_of_growth_is_compared_with_nothing() -> None:
    assert BUILDERS[VIT](replace(V1, size=(32, 32)), Environment(1, Path())).comparable is False


@pytest.mark.parametrize("name", [pytest.param("onnxruntime", marks=pytest.mark.nightly), "openvino"])
def test_runtimes_answer_as_ours_does_and_their_file_is_kept(name: str, tmp_path_factory) -> None:
    for package in ("onnx", "onnxscript", name):
        pytest.importorskip(package)
    folder = tmp_path_factory.getbasetemp() / "onnx-kept"  # one export serves both
    assert disagreement(name, V1, folder) < AGREED
    (path,) = folder.rglob("*.onnx")
    before = path.stat().st_mtime_ns
    assert disagreement(name, V1, folder) < AGREED
    assert path.stat().st_mtime_ns == before


def test_pixels_that_fill_no_patch_can_be_left_out() -> None:
    assert crop_to_patches(torch.zeros(1, 3, 9, 15), (4, 4)).shape == (1, 3, 8, 12)


def test_on_another_device_answers_are_computed_in_bf16_and_steps_begin_in_fp32() -> None:
    row = replace(V1, device="meta")
    answer = workload_of(build_classifier(row), row)
    assert isinstance(answer, Inference)
    assert (answer.pixels.device.type, answer.pixels.dtype) == ("meta", torch.bfloat16)
    assert answer().dtype == torch.bfloat16


def test_a_worker_times_and_compares() -> None:
    worker = Worker("timm", V1, Environment(1, Path()))
    found = worker.answer({"calls": 3})["seconds"]
    assert len(found) == 3
    assert min(found) > 0
    assert worker.memory > 0
    assert worker.answer({"verify": True})["difference"] < AGREED


def test_a_worker_compares_another_model_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker("swinkit", replace(V1, workload=INFERENCE), Environment(1, Path()))
    monkeypatch.setattr(worker, "built", replace(worker.built, comparable=False))
    assert worker.answer({"verify": True}) == {"difference": None}
