"""Share what every test needs, and divide the tests into tiers.

A file names its tier in one line, `pytestmark = pytest.mark.slow` (or `processes`, or `nightly`). A file
without that line holds unit tests. CONTRIBUTING.md says what belongs where.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("swinkit", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("swinkit")

ROOT = Path(__file__).resolve().parents[1]
TIER = re.compile(r"^pytestmark = \[?pytest\.mark\.(processes|slow|nightly)\b", re.MULTILINE)
ORDER = ("processes", "slow", "nightly", "")  # the longest first, so that no worker waits at the end
BUDGET = 2.0  # seconds of CPU time that a unit test may take


@cache
def tier(path: Path) -> str:
    """Return the tier that a test file names, "" for a file of unit tests."""
    found = TIER.search(path.read_text(encoding="utf-8"))
    return found[1] if found else ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore a file of a tier that `-m` excludes, so that the libraries it needs are not imported."""
    if collection_path.suffix != ".py" or not tier(collection_path):
        return None
    return f"not {tier(collection_path)}" in config.getoption("markexpr") or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest tiers first where several workers share the tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: ORDER.index(tier(item.path)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files, and all that start processes to one, so that these never overlap."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "processes" if tier(ROOT / path) == "processes" else path

    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the CPU time of a test and its child processes, which hardly depends on the machine's load."""
    before = sum(os.times()[:4])
    try:
        return (yield)
    finally:
        item.user_properties.append(("cpu", sum(os.times()[:4]) - before))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the unit tests that take longer than `BUDGET`."""
    above = [
        (seconds, report.nodeid)
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and not {"processes", "slow", "nightly"} & report.keywords.keys()
        if (seconds := dict(report.user_properties).get("cpu", 0.0)) > BUDGET
    ]
    if above:
        terminalreporter.section(
            f"unit tests above {BUDGET:g} s of CPU time: make them quicker, or mark their file slow"
        )
        for seconds, name in sorted(above, reverse=True):
            terminalreporter.line(f"{seconds:6.1f} s  {name}")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference data beside the checkout; without it, fail under CI, else skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        message = "the reference data of the project (../shared beside the checkout) are not on this machine"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Compute in one thread, since the models are too small for more and one thread adds in one order."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Let every test draw the same numbers, whichever ran before."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _away_from_the_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests from the network and from the user's downloads."""
    monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    monkeypatch.setenv("SWINKIT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("SWINKIT_MIRROR", raising=False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Stand in for the Hugging Face hub (`zoo/hub_server.py`), with an empty cache."""
    from tests.zoo.hub_server import connected

    with connected(monkeypatch, tmp_path / "cache") as hub:
        yield hub
