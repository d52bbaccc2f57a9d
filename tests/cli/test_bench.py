"""`swinkit bench MODEL`: one table of what a model needs on every engine that is ready."""

import copy
import json
import logging

import pytest
import torch

import swinkit
from swinkit.cli.main import main
from swinkit.engine import benchmark
from swinkit.tasks.simmim.model import SimMIM

MODEL = "swin-pico"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "BUDGET", 0.0)
    monkeypatch.setattr(benchmark, "ROUND", 0.0)
    monkeypatch.setattr(benchmark, "find_library", lambda: None)


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert main(["bench", *words]) == code
    return capsys.readouterr()


def with_native(monkeypatch: pytest.MonkeyPatch, attached) -> None:
    """Let the native engine be ready, and `attached` stand in for it."""
    monkeypatch.setattr(benchmark, "find_library", lambda: "a library")
    monkeypatch.setattr(benchmark, "copy_with_engines", attached)


def test_a_table_has_time_throughput_memory_and_agreement_of_every_engine(capsys, monkeypatch):
    with_native(monkeypatch, copy.deepcopy)
    threads = torch.get_num_threads()
    text, errors = run(capsys, MODEL, "--size", "32x48", "--batch", "4", "--threads", "1")
    heading, head, plain, native = text.splitlines()
    assert heading == "swin-pico: 32x48 pixels, batch 4, fp32, 1 thread"
    assert head.split() == [
        *("engine", "ms", "95", "%", "samples/s", "speed-up", "memory,", "MB", "difference")
    ]
    assert plain.startswith("PyTorch ")
    assert plain.split()[4] == "1.00"
    assert plain.split()[-1] == "-"
    assert native.startswith("native engine ")
    assert native.split()[-1] == "0e+00"
    assert max(map(len, text.splitlines())) <= 80
    assert errors == ""
    assert torch.get_num_threads() == threads


def test_a_saved_model_is_measured_whole_at_its_own_size(capsys, tmp_path):
    swinkit.save(swinkit.load(), tmp_path / "mine")
    text, errors = run(capsys, str(tmp_path / "mine"), "--json", "--precision", "bf16")
    found = json.loads(text)
    assert (found["size"], found["batch"], found["precision"]) == ([32, 32], 1, "bf16")
    (plain,) = found["engines"]
    low, high = plain["seconds_interval"]
    assert 0 < low <= plain["seconds"] <= high
    assert (plain["engine"], plain["rounds"], plain["difference"]) == ("PyTorch", 6, 0.0)
    assert plain["memory"] >= 0
    assert found["not_measured"] == {"native engine": "it computes in fp32 only"}
    assert errors == "native engine: it computes in fp32 only\n"


def test_of_a_model_that_takes_more_than_pixels_the_backbone_is_measured(capsys, tmp_path):
    swinkit.save(SimMIM(swinkit.backbone(MODEL)), tmp_path / "pretrained")
    text, _ = run(capsys, str(tmp_path / "pretrained"), "--size", "64", "--json")
    assert json.loads(text)["size"] == [64, 64]


def test_what_an_engine_leaves_to_pytorch_is_said(capsys, monkeypatch):
    def attached(model):
        logging.getLogger("swinkit.engine.attach").info("%d blocks run without the engine", 3)
        return copy.deepcopy(model)

    with_native(monkeypatch, attached)
    text, _ = run(capsys, MODEL)
    assert text.splitlines()[-1] == "native engine: 3 blocks run without the engine"


def test_an_engine_that_computes_something_else_is_an_error_after_the_table(capsys, monkeypatch):
    def attached(model):
        model = copy.deepcopy(model)
        with torch.no_grad():
            next(model.parameters()).mul_(1.5)
        return model

    with_native(monkeypatch, attached)
    text, errors = run(capsys, MODEL, code=4)
    assert len(text.splitlines()) == 4
    assert errors == "error: native engine: the output differs from plain PyTorch's; please report this\n"


def test_an_engine_that_fails_stops_no_other(capsys, monkeypatch):
    def attached(_):
        raise ValueError("no such\nmodel")

    with_native(monkeypatch, attached)
    text, errors = run(capsys, MODEL)
    assert text.splitlines()[-1].startswith("PyTorch")
    assert errors == "native engine: ValueError: no such model\n"


def test_torch_compile_is_measured_where_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: model)
    monkeypatch.setattr(benchmark, "has_compiler", lambda: True)
    text, _ = run(capsys, MODEL, "--compile")
    assert text.splitlines()[-1].startswith("torch.compile ")


def test_without_a_compiler_the_others_are_measured(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    text, errors = run(capsys, MODEL, "--compile", code=4)
    assert text.splitlines()[-1].startswith("PyTorch")
    expected = "torch.compile: no C++ compiler is installed; install g++, or name one in $CXX"
    assert errors.splitlines()[-1] == expected


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RuntimeError("too\nsmall"), 2, "the model cannot compute 32x32: too small"),
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            4,
            "batch 2 of 32x32 does not fit into memory (cpu); choose a smaller --batch or --size",
        ),
    ],
)
def test_a_size_that_the_model_or_the_memory_refuses_is_one_line(error, code, message, capsys, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("swinkit.core.backbone.Swin.forward", lambda self, pixels: fail(self, pixels))
    _, errors = run(capsys, MODEL, "--batch", "2", code=code)
    assert errors == f"error: {message}\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["swim-t"], 2, "swim-t: no such file, folder or checkpoint, did you mean 'swin-t'?"),
        ([MODEL, "--size", "3x3x3"], 2, "--size: expected 2 numbers such as 224x224, got '3x3x3'"),
        ([MODEL, "--size", "0"], 2, "--size: expected 2 numbers such as 224x224, got '0'"),
        ([MODEL, "--batch", "0"], 2, "--batch is 0; it must be 1 or more"),
        ([MODEL, "--threads", "0"], 2, "--threads is 0; it must be 1 or more"),
        ([MODEL, "--precision", "fp64"], 2, "precision must be one of 'fp32', 'bf16', not 'fp64'"),
        ([MODEL, "--device", "cuda"], 4, "PyTorch sees no NVIDIA GPU; take --device cpu"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(words, code, message, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    _, errors = run(capsys, *words, code=code)
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1
