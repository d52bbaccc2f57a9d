"""`swinkit pretrain`, from the command line, on a folder of pictures; and what may be done with its model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import swinkit
from swinkit.cli.main import main
from swinkit.models.specs import VARIANTS
from swinkit.recipes.catalogue import find_pretraining
from swinkit.tasks.simmim.model import SimMIM
from tests.data.pictures import of_two_greys
from tests.data.tiffs import write_tiff
from tests.training.states import epochs

pytestmark = pytest.mark.slow

SHORT = ["schedule.epochs=1", "schedule.warmup_epochs=0", "run.batch_size=4"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return of_two_greys(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished pre-training."""
    out = tmp_path_factory.mktemp("runs") / "one"
    words = ["pretrain", "swin-pico", f"data={pictures}", f"out={out}", *SHORT, "masking.ratio=0.5"]
    assert main(words) == 0
    return out


def test_its_run_holds_a_model_its_settings_and_pictures_of_what_it_makes(run: Path):
    model = swinkit.load(run / "best")
    assert isinstance(model, SimMIM)
    assert (model.masking.patch, model.masking.ratio) == (8, 0.5)
    assert json.loads((run / "config.json").read_text())["recipe"]["masking"]["ratio"] == 0.5
    assert "pre-trained by swinkit" in (run / "best" / "README.md").read_text()
    with Image.open(run / "reconstructions.png") as picture:
        assert min(picture.size) > 500
    (epoch,) = epochs(run)
    assert {"explained", "l1"} <= set(epoch)


def test_evaluation_repeats_its_numbers_and_draws_what_it_makes_of_pictures(
    run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    words = ["evaluate", str(run / "best"), f"data={pictures}", "split=val"]
    capsys.readouterr()
    assert main([*words, "--json", f"save={tmp_path / 'out'}", "--batch-size", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    (epoch,) = epochs(run)
    for name in ("explained", "l1"):
        assert found[name] == pytest.approx(epoch[name], abs=1e-6)
    assert found["protocol"]["masking"] == {"ratio": 0.5, "cell": 8, "seed": 0}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"metrics.json", "reconstructions.png"}
    assert main(words) == 0
    protocol, scores = capsys.readouterr().out.splitlines()
    assert protocol.endswith("; 50% hidden in cells of 8 pixels")
    assert (
        scores == f"explained {epoch['explained']:.4f}  l1 {epoch['l1']:.4f}"
    )  # as the training prints them
    for other in (run / "best", "swin-pico"):
        assert main([*words, f"compare={other}"]) == 2
        assert capsys.readouterr().err == (  # no progress, so that nothing was measured
            f"error: --compare: {run / 'best'} is for simmim, which has no comparison; "
            "it is for two models of classification\n"
        )
    assert main(["evaluate", "swin-pico", *words[2:], f"compare={run / 'best'}"]) == 2
    assert f"error: --compare: {run / 'best'} is for simmim, which has no" in capsys.readouterr().err
    assert main(["push", str(run / "best"), "me/it", "-n", "--top1", "0.9"]) == 2
    assert capsys.readouterr().err == (
        f"error: {run / 'best'} is for simmim, whose models cannot be published; "
        "push publishes models of classification\n"
    )
    assert main([*words[:-1], "split=tset"]) == 3
    assert "nothing to measure it on in tset/; split=all takes all there is" in capsys.readouterr().err


def test_it_says_where_the_model_is_and_goes_on_as_any_run(run: Path, capsys: pytest.CaptureFixture):
    assert main(["train", "--resume", str(run)]) == 0
    assert "nothing is left to do" in capsys.readouterr().out


def test_pictures_need_no_labels(pictures: Path, tmp_path: Path):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for i, path in enumerate(sorted((pictures / split).rglob("*.png"))):
            (tmp_path / split / f"{i}.png").write_bytes(path.read_bytes())
    assert main(["pretrain", "swin-pico", f"data={tmp_path}", f"out={tmp_path / 'run'}", *SHORT]) == 0
    assert isinstance(swinkit.load(tmp_path / "run" / "best"), SimMIM)


def test_what_is_to_be_watched_is_never_learned_from(pictures: Path, tmp_path: Path, capsys):
    """As all pictures would be, where no split is called train."""
    shutil.copytree(pictures, tmp_path / "data")
    (tmp_path / "data" / "train").rename(tmp_path / "data" / "training")
    words = ["pretrain", "swin-pico", f"data={tmp_path / 'data'}", f"out={tmp_path / 'run'}", *SHORT]
    assert main(words) == 3
    assert "val is there for validation, but no train for training" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_pictures_may_be_wider_than_high_from_masks_to_a_classifier(pictures: Path, tmp_path: Path, capsys):
    size = ["data.size=[32,48]", "data.resize=48"]
    words = ["pretrain", "swinv2-pico", f"data={pictures}", f"out={tmp_path / 'run'}", *SHORT, *size]
    assert main(words) == 0
    best = tmp_path / "run" / "best"
    assert swinkit.load(best).preprocess.crop == (32, 48)
    capsys.readouterr()
    assert main(["evaluate", str(best), f"data={pictures}", "split=val", f"save={tmp_path / 'out'}"]) == 0
    assert (tmp_path / "out" / "reconstructions.png").stat().st_size > 1000
    assert "middle 32x48 pixels" in capsys.readouterr().out
    words = ["train", "cifar10-swinv2-pico", f"data={pictures}", f"out={tmp_path / 'fine'}", *SHORT, *size]
    assert main([*words, f"init={best}", "optimiser.layer_decay=0.8"]) == 0
    assert swinkit.load(tmp_path / "fine" / "best").preprocess.crop == (32, 48)


CLIPS = ["data.size=[4,32,32]", "data.resize=32", "masking.patch=8"]
GREY = ["data.mean=[0.5]", "data.std=[0.3]"]
FIVE = ["data.mean=[0.5,0.5,0.5,0.5,0.5]", "data.std=[0.2,0.2,0.2,0.2,0.2]"]


@pytest.mark.parametrize(
    ("variant", "shape", "fields"),
    [
        ("swin-pico", (40, 48, 5), FIVE),
        ("swin-pico", (40, 48), GREY),
        ("video-swin-t", (9, 40, 48), [*CLIPS, *GREY]),
        ("video-swin-t", None, CLIPS),
    ],
    ids=["five channels", "grey", "volumes", "clips"],
)
def test_other_channels_volumes_and_clips_are_pre_trained_and_measured(
    variant: str, shape: tuple[int, ...] | None, fields: list[str], tmp_path: Path, capsys
):
    data, generator = tmp_path / "data", np.random.default_rng(0)
    for split in ("train", "val"):
        for i in range(4):
            place = data / split / str(i)
            place.mkdir(parents=True)
            if shape is not None:
                np.save(place.with_suffix(".npy"), generator.integers(0, 255, shape, dtype=np.uint8))
            for frame in generator.integers(0, 255, (5, 40, 48, 3), dtype=np.uint8) if shape is None else ():
                Image.fromarray(frame).save(place / f"{len(list(place.iterdir()))}.png")
    out = tmp_path / "run"
    assert main(["pretrain", variant, f"data={data}", f"out={out}", *SHORT, *fields]) == 0
    best = swinkit.load(out / "best")
    assert best.backbone.spec.in_channels == best.preprocess.channels
    with Image.open(out / "reconstructions.png") as picture:
        assert min(picture.size) > 200
    capsys.readouterr()
    assert main(["evaluate", str(out / "best"), f"data={data}", "split=val", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (epoch,) = epochs(out)
    assert found["l1"] == pytest.approx(epoch["l1"], abs=1e-6)
    assert main(["train", "--resume", str(out), "schedule.epochs=2", "--allow-changes"]) == 0


@pytest.mark.parametrize(("bands", "fields"), [(1, GREY), (5, FIVE)], ids=["grey", "five bands"])
def test_grey_and_bands_of_files_are_pre_trained_and_measured_as_arrays_are(
    bands: int, fields: list[str], tmp_path: Path, capsys
):
    """Grey PNGs of 8 bits beside TIFFs of 16; TIFFs of five bands. A picture in colour is told."""
    generator = np.random.default_rng(0)
    for split in ("train", "val"):
        (tmp_path / "data" / split).mkdir(parents=True)
        for i in range(8):
            samples = generator.integers(0, 65536, (40, 48, bands)).astype(np.uint16)
            tiff = write_tiff(samples, extras=(0,) * (bands - 1), compression=8)
            (tmp_path / "data" / split / f"{i}.tif").write_bytes(tiff)
        if bands == 1:
            Image.effect_noise((48, 40), 90).save(tmp_path / "data" / split / "grey.png")
    out = tmp_path / "run"
    assert main(["pretrain", "swin-pico", f"data={tmp_path / 'data'}", f"out={out}", *SHORT, *fields]) == 0
    assert (out / "reconstructions.png").stat().st_size > 1000
    capsys.readouterr()
    words = ["evaluate", str(out / "best"), f"data={tmp_path / 'data'}", "split=val", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["l1"] == pytest.approx(epochs(out)[0]["l1"], abs=1e-6)
    Image.new("RGB", (48, 40)).save(tmp_path / "data" / "val" / "colour.png")
    assert main(words) == 3
    assert f"colour.png: channels: 3 are stored, {bands} expected" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("split", "code", "told"),
    [
        ("train", 0, 'train/3.npy,"holds 12 NaN of 7680 numbers'),
        ("val", 3, "val/3.npy: holds 12 NaN of 7680 numbers, the first in channel 0 at (2, 3)"),
    ],
)
def test_one_array_with_a_block_of_nan_never_looks_like_divergence(
    split: str, code: int, told: str, tmp_path: Path, capsys
):
    """Replace the array by another and list it in training; name it in an error in validation."""
    data, generator = tmp_path / "data", np.random.default_rng(0)
    for part in ("train", "val"):
        (data / part).mkdir(parents=True)
        for i in range(8):
            array = generator.random((40, 48, 4), dtype=np.float32)
            if (part, i) == (split, 3):
                array[2:3, 3:6] = np.nan
            np.save(data / part / f"{i}.npy", array)
    fields = ["data.mean=[0.5,0.5,0.5,0.5]", "data.std=[0.3,0.3,0.3,0.3]", "data.max_bad_fraction=0.2"]
    out = tmp_path / "run"
    assert main(["pretrain", "swin-pico", f"data={data}", f"out={out}", *SHORT, *fields]) == code
    console, listed = "".join(capsys.readouterr()), out / "bad_files.csv"
    assert "diverged" not in console
    assert told in (listed.read_text() if listed.exists() else console)


def test_its_model_begins_a_classifier(run: Path, pictures: Path, tmp_path: Path):
    words = ["train", "cifar10-swin-pico", f"data={pictures}", f"out={tmp_path / 'run'}", *SHORT]
    assert main([*words, f"init={run / 'best'}", "optimiser.lr=1e-9", "optimiser.layer_decay=0.8"]) == 0
    began, ended = (swinkit.load(folder).backbone for folder in (run / "best", tmp_path / "run" / "last"))
    difference = began.embed.proj.weight - ended.embed.proj.weight
    assert difference.abs().max() < 2e-5


def test_a_published_variant_is_trained_by_its_published_recipe():
    published, own = find_pretraining("swinv2-b-w12-192"), find_pretraining("swinv2-t")
    assert (published.schedule.epochs, published.run.batch_size) == (800, 2048)
    assert (published.masking.patch, published.masking.ratio, published.masking.target_window) == (
        32,
        0.6,
        47,
    )
    assert find_pretraining("swin-b-w6-192").masking.target_window is None
    assert (own.variant, own.data.size, own.data.resize) == ("swinv2-t", (256, 256), 292)


@pytest.mark.parametrize("variant", [name for name, known in VARIANTS.items() if len(known.spec.patch) == 2])
def test_every_variant_of_pictures_has_a_recipe_whose_masks_fit(variant: str):
    recipe = find_pretraining(variant)
    assert recipe.masking is not None
    recipe.masking.require_fits(recipe.data.size, VARIANTS[variant].spec.patch)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["pretrain"], 2, "name a variant first, such as swin-pico"),
        (["pretrain", "swin-pcio", "data=x", "out=y"], 2, "swin-pcio"),
        (["pretrain", "swin-pico", "out=y"], 2, "data is missing"),
        (
            ["pretrain", "swin-pico", "data=x", "out=y", "masking.raito=0.5"],
            2,
            "unknown option 'masking.raito', did",
        ),
        (["pretrain", "swin-pico", "data=x", "out=y", "masking.ratio=2"], 2, "masking.ratio is 2.0"),
        (
            ["pretrain", "swin-pico", "data=x", "out=y", "augmentation.mixup=1"],
            2,
            "augmentation.mixup is 1; it must be 0, because pre-training has no labels",
        ),
        (
            ["pretrain", "swin-pico", "data=x", "out=y", "augmentation.erase=0.25"],
            2,
            "augmentation.erase is 0.25; it must be 0, because it would change what is reconstructed",
        ),
        (["pretrain", "swin-pico", "data=nowhere", "out=y", "augmentation.mixup=0"], 3, "nowhere"),
        (["pretrain", "swin-pico", "data=nowhere", "out=y"], 3, "nowhere"),
        (
            ["pretrain", "video-swin-t", "data=x", "out=y", "data.size=[32,32]"],
            2,
            "takes clips or volumes, and data.size is of pictures; give data.size=[frames,height,width]",
        ),
        (
            ["pretrain", "swin-pico", "data=x", "out=y", "data.size=[4,32,32]"],
            2,
            "give data.size=[height,width]",
        ),
        (
            ["pretrain", "swin-pico", "data=x", "out=y", "data.mean=[0.5]"],
            2,
            "it must be above 0 for each of 1 channels",
        ),
        (
            [
                "train",
                "cifar10-swin-pico",
                "data=x",
                "out=y",
                "data.mean=[0.5]",
                "data.std=[0.2]",
                "augmentation.operations=2",
            ],
            2,
            "augmentation.operations is 2; it must be 0, since it is for RGB pictures alone",
        ),
        (
            ["train", "cifar10-swin-pico", "data=x", "out=y", "masking.patch=8"],
            2,
            "unknown option 'masking.patch'",
        ),
    ],
)
def test_mistakes_are_one_line(words: list[str], code: int, message: str, capsys: pytest.CaptureFixture):
    assert main(words) == code
    (told,) = capsys.readouterr().err.splitlines()
    assert message in told


def test_masks_that_would_hide_all_are_refused_before_training(pictures: Path, tmp_path: Path, capsys):
    words = ["pretrain", "swin-pico", f"data={pictures}", f"out={tmp_path / 'run'}", *SHORT]
    assert main([*words, "masking.patch=32"]) == 2
    assert "masking.patch is 32; it must be small enough" in capsys.readouterr().err
