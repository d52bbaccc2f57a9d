"""What is counted without a GPU, and what is measured with one, as far as that can be told without."""

import pytest
import torch

from benchmarks import gpu_attention
from benchmarks.gpu_attention import Stage, attend_by_sdpa, floors, main, stages
from swinkit.core.windows import PadThenRoll
from swinkit.engine.gpu import reference, tuning

SMALL = Stage("small", 1, PadThenRoll((8, 8), (4, 4), (2, 2)), heads=2, channels=32, cosine=True, batch=2)


def test_bytes_of_the_first_stage_of_swin_t() -> None:
    first = next(stages("swin-t", 64))
    tokens = 64 * 56 * 56
    assert first.tokens == tokens
    assert first.forward_bytes == tokens * (3 * 96 + 96) * 2  # in bf16
    assert first.backward_bytes == tokens * (3 * 96 + 96 + 3 * 96) * 2
    assert first.forward_operations == tokens * 2 * (2 * 49 * 96)
    assert "| swin-t, 64 | 1 | 49 | 154 | 51 | 5 | 270 | 90 | 12 |" in floors([first])


def test_the_last_stage_has_no_shift_where_one_window_covers_it() -> None:
    *_, third, last = stages("swin-t", 64)
    assert third.layout.shift == (3, 3)
    assert last.layout.shift == (0, 0)


def test_torchs_attention_answers_as_the_twin() -> None:
    qkv, padding, bias = (x.double() for x in SMALL.sources("cpu"))
    arguments = (qkv, padding, bias, SMALL.layout, SMALL.heads, SMALL.similarity().double())
    torch.testing.assert_close(attend_by_sdpa(*arguments), reference.attend_in_torch(*arguments))


def test_without_a_gpu_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--models", "swin-t"]) == 4
    assert capsys.readouterr().err.startswith("error: measuring needs a GPU")


def test_tuning_tries_each_kernel_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("triton")
    before, tried = dict(tuning.HALF), []

    def milliseconds(*_: object) -> tuple[float, float]:
        tried.append([name for name in before if tuning.HALF[name] != before[name]])
        return 0.1, 0.2

    monkeypatch.setattr(gpu_attention, "milliseconds", milliseconds)
    lines = list(gpu_attention.tune_stages([SMALL]))
    assert ["attend_windows" in lines[0], "differentiate_window" in lines[1], len(lines)] == [True, True, 2]
    assert {name for names in tried for name in names} == {"attend_windows", "differentiate_window"}
    assert before == tuning.HALF
