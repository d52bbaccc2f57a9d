"""The answer to a picture does not depend on how the picture was given, nor on what stands beside it."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from swinkit.data.images import ImageError, load_image
from swinkit.data.preprocess import Preprocess
from swinkit.errors import DataError, UsageError
from swinkit.models.build import build
from swinkit.models.specs import VARIANTS
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.classification.results import Classification

from ..data.corpus import EXIF_ORIENTATION, ORIENTED, encode

PICTURE = np.kron(
    np.random.default_rng(3).integers(0, 256, (5, 7, 3), np.uint8), np.ones((9, 9, 1), np.uint8)
)  # 45 x 63


def same(first: Classification, second: Classification, tolerance: float = 1e-5) -> bool:
    """Answers agree; only names may differ."""
    close = np.allclose(first.scores, second.scores, rtol=0, atol=tolerance)
    return first.labels == second.labels and first.size == second.size and close


def test_a_picture_for_a_model_of_clips_is_explained_by_its_axes():
    numbers = {"embed_dim": 8, "depths": (1, 1), "num_heads": (1, 1), "window_sizes": ((2, 2, 2),) * 2}
    clips = replace(VARIANTS["video-swin-t"].spec, **numbers)
    model = Classifier(build(clips), ("a", "b"), Preprocess.to_crop((4, 32, 32), None))
    with pytest.raises(UsageError, match="takes clips or volumes, and predict reads pictures; call model"):
        model.predict(PICTURE)


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_and_entry_point_gets_the_same_answer(classifier, tmp_path, orientation, kind):
    """Path, bytes, PIL image, array and tensor, alone and in a list: all the upright picture's answer."""
    upright = classifier.predict(PICTURE)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(ORIENTED[orientation](PICTURE)))
    data = encode(stored, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    path = tmp_path / f"picture.{kind.lower()}"
    path.write_bytes(data)
    with Image.open(io.BytesIO(data)) as opened:
        tensor = load_image(data)
        sources = [str(path), path, data, opened, tensor.permute(1, 2, 0).numpy(), tensor]
        for source in sources:
            result = classifier.predict(source)
            assert (result.labels, result.scores, result.size) == (upright.labels, upright.scores, (45, 63))
            assert torch.equal(result.image, upright.image)
        assert all(same(result, upright) for result in classifier.predict(sources))


def test_one_a_list_and_an_iterator(classifier, tmp_path):
    path = tmp_path / "cat.png"
    path.write_bytes(encode(Image.fromarray(PICTURE), "PNG"))
    one = classifier.predict(path)
    assert isinstance(one, Classification)
    assert one.name == str(path)
    several = classifier.predict([path, PICTURE], batch_size=1)
    assert [result.name for result in several] == [str(path), "image 1"]
    assert isinstance(classifier.predict((path,)), list)
    assert classifier.predict([]) == []
    stream = classifier.predict(iter([path, PICTURE]))
    assert isinstance(stream, Iterator)
    assert all(same(*pair) for pair in zip(stream, several, strict=True))


def test_an_iterator_is_read_a_batch_at_a_time(classifier):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield PICTURE

    stream = classifier.predict(endless(), batch_size=3)
    assert not taken
    for _ in range(4):
        next(stream)
    assert len(taken) == 6


@pytest.mark.parametrize("batch_size", [1, 2, 5, 99])
def test_the_batch_does_not_change_the_answer(classifier, batch_size):
    generator = np.random.default_rng(0)
    pictures = [
        generator.integers(0, 256, (h, w, 3), np.uint8)
        for h, w in ((9, 70), (64, 64), (1, 1), (32, 32), (200, 30))
    ]
    together = classifier.predict(pictures, batch_size=batch_size)
    assert all(
        same(result, classifier.predict(picture)) for result, picture in zip(together, pictures, strict=True)
    )
    assert len({result.scores for result in together}) == 5  # the pictures do have different answers


def test_scores_are_probabilities_best_first(classifier):
    result = classifier.predict(PICTURE, top=10)
    assert sum(result.scores) == pytest.approx(1)
    assert list(result.scores) == sorted(result.scores, reverse=True)
    logits = classifier(classifier.preprocess(load_image(PICTURE))[None])[0]
    assert classifier.labels[logits.argmax()] == result.labels[0]
    assert len(classifier.predict(PICTURE, top=99).labels) == 10
    assert classifier.predict(PICTURE, top=2) == result.top(2)


def test_the_model_is_left_as_it_was(classifier):
    """In training mode, even in part, it answers as in evaluation mode, and stays in training."""
    expected = classifier.predict(PICTURE)
    modes = {}
    try:
        classifier.train()
        classifier.backbone.stages[0].eval()
        modes = {name: module.training for name, module in classifier.named_modules()}
        assert classifier.predict(PICTURE).scores == expected.scores
        next(classifier.predict(iter([PICTURE, PICTURE]), batch_size=1))
        with pytest.raises(ImageError):
            classifier.predict("no such file")
        assert {name: module.training for name, module in classifier.named_modules()} == modes
    finally:
        classifier.eval()
    assert any(modes.values())
    assert not all(modes.values())


def test_no_gradients_are_kept(classifier):
    assert not classifier.predict(PICTURE).image.is_inference()
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_a_bad_picture_in_a_list_is_named(classifier):
    with pytest.raises(ImageError, match="image 1: not a JPEG"):
        classifier.predict([PICTURE, b"no picture"])


@pytest.mark.parametrize("inputs", [7, None, {"a": 1}, object()])
def test_what_is_no_picture(classifier, inputs):
    with pytest.raises(UsageError, match="expected a path"):
        classifier.predict(inputs)


@pytest.mark.parametrize("options", [{"top": 0}, {"top": -1}, {"batch_size": 0}])
def test_numbers_below_one_are_refused_at_once(classifier, options):
    with pytest.raises(UsageError, match="1 or more"):
        classifier.predict(iter([PICTURE]), **options)


@pytest.mark.parametrize(
    ("variant", "reason"), [("video-swin-t", "clips or volumes"), ("swin-t", "4 channels")]
)
def test_models_that_take_no_pictures_say_so(variant, reason):
    spec = VARIANTS[variant].spec
    with torch.device("meta"):
        backbone = build(replace(spec, in_channels=4) if variant == "swin-t" else spec)
        model = Classifier(backbone, ["a", "b"], Preprocess.to_crop(crop=(32, 32), resize=32))
    with pytest.raises(UsageError, match=reason):
        model.predict(PICTURE)


def test_scores_that_are_not_finite_are_an_error(classifier):
    bias = classifier.head.classifier.bias
    before = bias.detach().clone()
    try:
        with torch.no_grad():
            bias[0] = float("nan")
        with pytest.raises(DataError, match="not finite"):
            classifier.predict(PICTURE)
    finally:
        with torch.no_grad():
            bias.copy_(before)


def test_half_precision_answers_alike(classifier):
    expected = classifier.predict(PICTURE)
    try:
        half = classifier.bfloat16().predict(PICTURE)
    finally:
        classifier.float()
    assert half.labels[0] == expected.labels[0]
    assert half.scores == pytest.approx(expected.scores, abs=0.05)


def test_threads_that_share_a_model_get_the_answers_of_one(classifier):
    pictures = [np.roll(PICTURE, shift, axis=0) for shift in range(12)]
    alone = [classifier.predict(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(classifier.predict, pictures))
    assert [(each.labels, each.scores) for each in together] == [(each.labels, each.scores) for each in alone]
