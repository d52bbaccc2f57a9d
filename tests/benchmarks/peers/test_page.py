"""docs/performance.md is what was measured, and says where nothing was."""

from pathlib import Path

from benchmarks.peers.page import PAGE, page, store

from .measurements import record


def test_the_page_is_written_from_what_is_kept() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m benchmarks.peers.page"


def test_what_was_not_measured_is_told(tmp_path: Path) -> None:
    assert page(tmp_path).endswith("## On a processor\n\nNot measured.\n\n## On a GPU\n\nNot measured.\n")


def test_a_run_is_taken_in_with_its_pictures_tables_and_verdicts(tmp_path: Path) -> None:
    record().write(tmp_path / "run" / "bench.json")
    (tmp_path / "run" / "growth.png").touch()
    store(tmp_path / "run", tmp_path / "kept")
    text = page(tmp_path / "kept")
    for expected in (
        "By `python -m benchmarks.peers` on 2026-01-02, in 9 minutes:\n\n* A Processor, 2 cores",
        "![Time and memory as pictures grow](performance/cpu/growth.png)",
        "### swin-t 224x224, batch 1, inference\n\n| candidate | ms |",
        "| swinkit-engine | 40.0 | 0.7% | 1.25 | 1.25-1.25 | 225 | 112% | 50 | 3e-07 |",
        "* onnxruntime: not installed: pip install onnxruntime\n",
        "swinkit-engine is faster than the fastest peer, openvino: 1.25 (1.25-1.25) times as fast",
        "| vit-b-16 | 448 | 4 | 1,600 | 8.0 | 800 | 8.0 |",
    ):
        assert expected in text
    assert "performance/cpu/ratios.png" not in text
    assert text.endswith("## On a GPU\n\nNot measured.\n")
