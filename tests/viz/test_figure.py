"""Figures by matplotlib: the same for everybody, silent, and left out with one line where it is missing."""

import logging
import subprocess
import sys

import numpy as np
import pytest

from swinkit.errors import EnvironmentProblem
from swinkit.runs.folder import RunFolder
from swinkit.runs.plots import draw_results
from swinkit.viz import figure
from swinkit.viz.figure import can_draw, fit_line, render


@pytest.fixture
def _without_matplotlib(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(figure, "has_matplotlib", lambda: False)
    can_draw.cache_clear()
    yield
    can_draw.cache_clear()


@pytest.mark.usefixtures("_without_matplotlib")
def test_without_matplotlib_one_line_says_what_to_install(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "swinkit"):
        for _ in range(3):
            draw_results(RunFolder(tmp_path))
    expected = 'results.png is not drawn: matplotlib is not installed; pip install "swinkit[plot]"'
    assert caplog.messages == [expected]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_without_matplotlib")
def test_rendering_without_matplotlib_is_an_error():
    with pytest.raises(EnvironmentProblem, match="matplotlib is not installed"):
        render(lambda _: None, 10, 10)


def test_a_figure_has_the_size_that_was_asked_for_and_the_same_pixels_again():
    def draw(made):
        made.add_subplot().set_title("$x^2$ in dollars")

    first, second = (render(draw, 321, 123) for _ in range(2))
    assert (first.size, first.mode) == ((321, 123), "RGB")
    assert np.array_equal(np.asarray(first), np.asarray(second))


def test_the_users_own_settings_neither_matter_nor_change():
    import matplotlib as mpl

    def draw(made):
        made.add_subplot().plot([1, 2], [1, 2])

    plain = np.asarray(render(draw, 200, 100))
    with mpl.rc_context({"axes.facecolor": "red", "lines.linewidth": 20, "figure.dpi": 300}):
        assert np.array_equal(np.asarray(render(draw, 200, 100)), plain)
        assert mpl.rcParams["axes.facecolor"] == "red"


def test_nothing_is_imported_before_a_figure_is_drawn_and_pyplot_never():
    code = (
        "import sys, swinkit.viz.curves as c, swinkit.viz.confusion, swinkit.runs.plots\n"
        "before = 'matplotlib' in sys.modules\n"
        "c.draw_curves([c.Curve('x', [(1, 1)])], title='t')\n"
        "sys.exit(before or 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_text_of_any_length_and_script_fits():
    assert fit_line("a  b\nc", 10) == "a b c"
    assert fit_line("x" * 3000, 10) == "xxxxxxx..."
    assert fit_line("猫", 10) == "?"
