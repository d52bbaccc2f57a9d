"""Native code answers as its plain twin does in float64, whatever the model and the size."""

import copy
import random

import pytest
import torch
from torch import Tensor

from swinkit.core.backbone import Swin
from swinkit.core.spec import BORDER_NAMES, Size
from swinkit.engine.attach import copy_with_engines
from swinkit.engine.cpu.blocks import NativeBlocks
from swinkit.models.catalogue import VARIANTS
from swinkit.models.families import SpecMLP
from tests.models.small import PIXELS, small

pytestmark = pytest.mark.slow

CLOSE = 2e-6  # fp32 rounds by 6e-8; a small model does so some dozens of times in a row


def apart(model: Swin, pixels: Tensor) -> float:
    """Return the largest error of any stage's features, as a share of the largest number there.

    The plain path in fp32 is as far off, or half as far; errors of geometry or weights are beyond 1e-2.
    """
    with torch.inference_mode():
        exact = copy.deepcopy(model).double()(pixels.double())
        found = copy_with_engines(model)(pixels)
    assert [x.shape for x in found] == [x.shape for x in exact]
    pairs = zip(found, exact, strict=True)
    return max(float((a.double() - b).abs().max() / b.abs().max()) for a, b in pairs)


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch):
    """Every test here runs native code, and not the twin by a refusal."""
    calls = []
    run = NativeBlocks.run
    monkeypatch.setattr(NativeBlocks, "run", lambda self, *given: (calls.append(0), run(self, *given))[1])
    yield
    assert calls


@pytest.mark.parametrize("family", ["v1", "v2", "v2-cr", "moe", "video", "signal"])
def test_every_family_answers_as_its_twin(engine, family):
    pixels = torch.randn(2, 3, *PIXELS[family])
    assert apart(small(family), pixels) < CLOSE


@pytest.mark.parametrize("border", BORDER_NAMES)
@pytest.mark.parametrize("family", ["v1", "v2", "video"])
def test_every_border_policy_is_followed(engine, family, border):
    """On the second grid a window of 7 is clipped, padded or unshifted, by the policy."""
    window = (4,) * (3 if family == "video" else 2)
    model = small(family, border=border, window_sizes=(window, tuple(7 for _ in window)))
    for size in ((19, 45), (24, 24), (61, 83)):
        assert apart(model, torch.randn(1, 3, *PIXELS[family][:-2], *size)) < CLOSE


@pytest.mark.parametrize("width", [8, 12, 16, 24, 32, 40, 48, 64, 96])
def test_every_width_of_heads_works(engine, width):
    """Those of the published models and others, so that panels end in every way."""
    for family in ("v1", "v2"):
        model = small(family, embed_dim=3 * width, depths=(2,), num_heads=(3,), window_sizes=((4, 4),))
        assert apart(model, torch.randn(1, 3, 37, 51)) < CLOSE


@pytest.mark.parametrize(
    "window", [(1, 1), (2, 3), (4, 4), (5, 5), (7, 7), (8, 8), (9, 4), (12, 12), (16, 16)]
)
def test_every_window_works(engine, window):
    for family in ("v1", "v2"):
        model = small(family, depths=(2,), num_heads=(2,), window_sizes=(window,))
        assert apart(model, torch.randn(1, 3, 4 * 17, 4 * 18 + 1)) < CLOSE


def published() -> list[tuple[str, Size, int]]:
    """Family, window and width of a head, of every stage of every variant that the engine runs."""
    names = {"Spec": "v1", "SpecV2": "v2", "SpecCR": "v2-cr", "SpecMoE": "moe"}
    return sorted(
        {
            (names[type(spec).__name__], window, spec.embed_dim * 2**stage // heads)
            for spec in (variant.spec for variant in VARIANTS.values())
            for stage, (heads, window) in enumerate(zip(spec.num_heads, spec.window_sizes, strict=True))
            if not isinstance(spec, SpecMLP)
        }
    )


@pytest.mark.parametrize(("family", "window", "width"), published())
def test_every_published_window_works_with_its_heads(engine, family, window, width):
    """Shifted and not, on a grid that is no multiple of it; those of 40 x 40 have scores of 20 MB."""
    numbers = {"embed_dim": width, "depths": (2,), "num_heads": (1,), "window_sizes": (window,)}
    more = {"moe": {"moe_blocks": ((1,),)}}.get(family, {})
    axes = "video" if len(window) == 3 else family
    model = small(axes, **numbers, **more)
    sizes = (patch * (w + 3 + i) for i, (patch, w) in enumerate(zip(model.spec.patch, window, strict=True)))
    assert apart(model, torch.randn(1, 3, *sizes)) < CLOSE


def test_the_window_of_video_works(engine):
    """392 tokens, whose scores are computed some rows at a time; clipped in time at the second size."""
    model = small("video", depths=(2,), num_heads=(2,), window_sizes=((8, 7, 7),))
    for frames in (20, 6):
        assert apart(model, torch.randn(1, 3, frames, 40, 40)) < CLOSE


def test_random_models_answer_as_their_twins(engine):
    draw = random.Random(0)
    for _ in range(25):
        family = draw.choice(["v1", "v2"])
        heads = draw.randint(1, 4)
        given = {
            "embed_dim": 2 * heads * draw.randint(2, 20),
            "depths": (draw.randint(1, 2), draw.randint(1, 2)),
            "num_heads": (heads, 2 * heads),
            "window_sizes": tuple((draw.randint(1, 9), draw.randint(1, 9)) for _ in range(2)),
            "mlp_ratio": draw.choice([0.4, 1.0, 2.7, 4.0]),
            "border": draw.choice(BORDER_NAMES),
            "qkv_bias": draw.random() < 0.7,
        }
        pixels = torch.randn(draw.randint(1, 3), 3, draw.randint(1, 90), draw.randint(1, 90))
        assert apart(small(family, **given), pixels) < CLOSE, (family, given, pixels.shape)


def test_a_wide_stage_is_summed_in_parts(engine):
    """Beyond 384 channels, products run over parts of the depth and of the MLP's inside."""
    model = small(embed_dim=432, depths=(1, 1), num_heads=(3, 6))
    assert apart(model, torch.randn(1, 3, 30, 30)) < 2 * CLOSE


def test_an_oddly_made_embedding_works(engine):
    """No norm, other channels than three, patches that are not square."""
    model = small(patch=(2, 3), in_channels=5, patch_norm=False, merge=(3, 2))
    assert apart(model, torch.randn(2, 5, 31, 44)) < CLOSE


@pytest.fixture
def threads():
    """Restores their number."""
    yield torch.set_num_threads
    torch.set_num_threads(1)


@pytest.mark.parametrize("family", ["v1", "v2", "video"])
def test_threads_and_neighbours_change_no_bit(engine, threads, family):
    """With many threads for few rows, columns are shared out instead of rows."""
    model, pixels = copy_with_engines(small(family)), torch.randn(3, 3, *PIXELS[family])
    with torch.inference_mode():
        alone = torch.cat([model(image[None])[-1] for image in pixels])
        for number in (1, 2, 7):
            threads(number)
            assert torch.equal(model(pixels)[-1], alone)
