"""Compilers and exporters see every family whole: one graph for each size, or one for all.

By day a few families stand for the others where a test takes ten seconds for each; by night all are tried.
"""

import pytest
import torch
from torch.export import Dim, export

from swinkit.core.spec import Size

from .small import PIXELS, pixels, small

pytestmark = pytest.mark.slow

FAMILIES = sorted(PIXELS)
SLOTS = {"moe": {"capacity_factor": 2.0}}  # else how many there are follows from what the tokens hold


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def by_night(values, *, but):
    """Return the parameters, of which only those in `but` are tried by day."""
    return [pytest.param(each, marks=[] if each in but else pytest.mark.nightly) for each in values]


@pytest.mark.parametrize("family", FAMILIES)
def test_one_graph_for_each_of_two_sizes_and_no_break(family):
    one_graph_for_each_size(small(family, **SLOTS.get(family, {})), family)


@pytest.mark.parametrize("family", by_night(FAMILIES, but=("v2", "moe")))
def test_one_graph_for_each_of_two_sizes_in_training(family):
    one_graph_for_each_size(small(family, **SLOTS.get(family, {})).train(), family)


def one_graph_for_each_size(model, family):
    graphs = []

    def noted(graph, _inputs):
        graphs.append(graph)
        return graph

    compiled = torch.compile(model, backend=noted, fullgraph=True, dynamic=False)
    for size in (PIXELS[family], tuple(32 for _ in PIXELS[family])):
        for _ in range(2):
            x = pixels(family, size)
            for a, b in zip(drawn(compiled, x), drawn(model, x), strict=True):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert len(graphs) == 2


@pytest.mark.parametrize("family", by_night(("v2", "video"), but=("video",)))
def test_compiled_as_by_default_it_serves_all_sizes_by_a_few_graphs(family):
    """The first size has its own; from then on sides are unknowns, until another way of padding comes."""
    graphs = []

    def noted(graph, _inputs):
        graphs.append(graph)
        return graph

    model = small(family, depths=(2, 1))
    compiled = torch.compile(model, backend=noted, fullgraph=True)
    *first, height, width = PIXELS[family]
    with torch.no_grad():
        for more in (0, 13, 32, 40, 64, 41, 0):
            x = torch.randn(2, 3, *first, height + more, width + 2 * more)
            for a, b in zip(compiled(x), model(x), strict=True):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert len(graphs) <= 4


def drawn(model, x):
    """Routers draw noise in training."""
    torch.manual_seed(0)
    return model(x)


def test_a_compiled_model_and_a_plain_one_share_no_memory_of_weights():
    """What eager remembered must not be frozen into a graph."""
    model = small("v2")
    x = pixels("v2")
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        model(x)
        compiled(x)
        for parameter in model.parameters():
            parameter.mul_(1.1)
        for a, b in zip(compiled(x), model(x), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


PERIOD: Size = (32, 32)  # patches of 4, two stages, windows of 4


@pytest.mark.parametrize("family", by_night(("v1", "v2", "v2-cr", "mlp"), but=("v2", "mlp")))
def test_one_program_serves_every_batch_and_every_multiple_of_the_period(family):
    model = small(family, depths=(2, 1))
    height, width = Dim("height", min=2, max=8), Dim("width", min=2, max=8)
    shapes = ({0: Dim("batch", min=1, max=64), 2: 32 * height, 3: 32 * width},)
    program = export(model, (torch.randn(2, 3, 96, 128),), dynamic_shapes=shapes).module()
    for batch, *size in ((1, 64, 96), (3, 160, 64), (2, 96, 128)):
        x = torch.randn(batch, 3, *size)
        for a, b in zip(program(x), model(x), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_one_program_serves_clips_of_every_multiple_of_the_period():
    model = small("video", depths=(2,), num_heads=(2,), window_sizes=((4, 4, 4),))
    frames, height, width = (Dim(name, min=2, max=8) for name in ("frames", "height", "width"))
    shapes = ({0: Dim("batch", min=1, max=64), 2: 8 * frames, 3: 16 * height, 4: 16 * width},)
    program = export(model, (torch.randn(2, 3, 16, 96, 128),), dynamic_shapes=shapes).module()
    for batch, *size in ((1, 24, 64, 96), (3, 16, 96, 64)):
        x = torch.randn(batch, 3, *size)
        for a, b in zip(program(x), model(x), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "moe"])
def test_one_program_serves_every_batch_of_one_size(family):
    model = small(family)
    program = export(model, (pixels(family),), dynamic_shapes=({0: Dim("batch", min=1, max=64)},)).module()
    x = torch.cat([pixels(family), pixels(family)[:1]])
    for a, b in zip(program(x), model(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_program_of_experts_serves_one_batch():
    """How many slots an expert has follows from how many tokens there are, a number of the program."""
    model, x = small("moe", **SLOTS["moe"]), pixels("moe")
    for a, b in zip(export(model, (x,)).module()(x), model(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:`torch.jit.trace.* is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("family", ["v1", "v2", "video"])
def test_a_trace_and_a_transform_answer_as_the_model_does(family):
    model, x = small(family), pixels(family)
    traced = torch.jit.trace(model, x, check_trace=False)
    mapped = torch.vmap(lambda one: model(one[None])[-1][0])(x)
    for a, b in zip(traced(x), model(x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mapped, model(x)[-1], atol=1e-5, rtol=1e-5)
