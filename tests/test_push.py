"""What a push writes, where, and what it refuses; whole models are in `test_hub_models.py`."""

from typing import Any

import pytest

import swinkit
from swinkit.data.preprocess import Preprocess
from swinkit.errors import EnvironmentProblem, UsageError
from swinkit.models.build import build
from swinkit.tasks.classification.model import Classifier
from swinkit.tasks.simmim.model import SimMIM

from .models.small import spec
from .zoo.hub_state import Hub

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")  # how huggingface_hub sends large files

NAME = "me/swin"


def model_of(family: str) -> Classifier:
    """Return a small classifier."""
    return Classifier(
        build(spec(family)), ("cat", "dog"), Preprocess.to_crop(crop=(64, 64), resize=64)
    ).eval()


def test_a_push_is_one_commit_of_five_files_and_the_card_reports_what_was_claimed(hub: Hub):
    address = swinkit.push(model_of("v1"), NAME, licence="mit", dataset="three", top1=0.875)
    assert address == f"{hub.address}/{NAME}/commit/{hub.repos[NAME].branches['main']}"
    assert len(hub.repos[NAME].commits) == 2
    files = hub.repos[NAME].files
    assert sorted(files) == [
        "README.md",
        "config.json",
        "labels.json",
        "model.safetensors",
        "preprocess.json",
    ]
    card = files["README.md"].decode()
    assert 'license: "mit"' in card
    assert '"value": 0.875' in card
    assert "Reported: 87.50% top-1 on three." in card


def test_a_card_of_ones_own_is_kept_below_the_metadata(hub: Hub):
    swinkit.push(model_of("v1"), NAME, card="# Mine\n")
    assert hub.repos[NAME].files["README.md"].decode().endswith("---\n# Mine\n")
    own = "---\nlicense: mit\n---\n# Mine\n"
    swinkit.push(model_of("v1"), NAME, card=own)
    assert hub.repos[NAME].files["README.md"].decode() == own


def test_another_branch_leaves_main_alone(hub: Hub):
    first, second = model_of("v1"), model_of("v2")
    swinkit.push(first, NAME)
    swinkit.push(second, NAME, revision="v2/try")
    families = [swinkit.load(f"hf:{NAME}{end}").backbone.spec for end in ("", "@v2/try")]
    assert families == [first.backbone.spec, second.backbone.spec]


def test_a_private_push_never_becomes_public(hub: Hub):
    swinkit.push(model_of("v1"), NAME, private=True)
    assert hub.repos[NAME].private
    hub.put("me/open", {})
    with pytest.raises(UsageError, match="me/open exists, and everyone can see it"):
        swinkit.push(model_of("v1"), "me/open", private=True)
    assert len(hub.repos["me/open"].commits) == 2


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("swin", {}, "'swin' names no repository"),
        ("me/swin@v1", {}, "name a branch apart"),
        (NAME, {"top1": 0.5}, "given together with the dataset"),
        (NAME, {"top1": 81.3, "dataset": "x"}, "a fraction from 0 to 1"),
    ],
)
def test_a_push_that_cannot_be_meant_is_refused_before_anything_is_asked(
    hub: Hub, name: str, changes: dict[str, Any], said: str
):
    with pytest.raises(UsageError, match=said):
        swinkit.push(model_of("v1"), name, **changes)
    assert hub.asked == []


def test_only_models_of_tasks_that_publish_are_pushed(hub: Hub):
    able = "push publishes models of classification"
    backbone: Any = model_of("v1").backbone
    with pytest.raises(UsageError, match=f"^model is a Swin, which has no task; {able}$"):
        swinkit.push(backbone, NAME)
    cannot = f"model is for simmim, whose models cannot be published; {able}"
    for scores in ({}, {"top1": 0.9, "dataset": "x"}):
        with pytest.raises(UsageError, match=f"^{cannot}$"):
            swinkit.push(SimMIM(backbone), NAME, **scores)  # pyright: ignore[reportArgumentType]
    assert hub.asked == []


def test_a_push_without_a_token_says_how_to_get_one(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(EnvironmentProblem, match=r"without a token of the hub: log in with `hf auth login`"):
        swinkit.push(model_of("v1"), NAME)
    assert hub.repos == {}


def test_a_push_with_a_token_that_is_not_accepted(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "old")
    with pytest.raises(EnvironmentProblem, match=r"me/swin: the hub does not accept the token"):
        swinkit.push(model_of("v1"), NAME)


def test_a_push_offline_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    with pytest.raises(EnvironmentProblem, match=r"me/swin cannot be written: the network is forbidden"):
        swinkit.push(model_of("v1"), NAME)
    assert hub.asked == []


def test_a_push_that_breaks_off_is_told(hub: Hub):
    hub.fail("large", status=403, times=99)
    with pytest.raises(EnvironmentProblem, match="me/swin: "):
        swinkit.push(model_of("v1"), NAME)
    assert hub.repos[NAME].files == {}
