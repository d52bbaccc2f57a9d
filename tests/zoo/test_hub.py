"""Repositories of the hub: what is read of them, and every way in which that can fail, told in one line."""

import errno
import json
import re

import pytest
from huggingface_hub import HfApi, constants
from safetensors.torch import save

from swinkit.errors import DataError, EnvironmentProblem, UsageError
from swinkit.weights.load import canonical
from swinkit.zoo.hub import Repository, fetch_repository, open_repository
from swinkit.zoo.hub_configs import Facts

from ..weights.models import classifier
from .hub_state import Hub

NAME = "me/swin"
TIMM = {"architecture": "swin_tiny_patch4_window7_224", "num_classes": 1000, "pretrained_cfg": {}}


@pytest.fixture
def weights() -> bytes:
    return save(canonical(classifier()))


def as_json(values: object) -> bytes:
    return json.dumps(values).encode()


def test_weights_and_settings_are_read_and_nothing_else(hub: Hub, weights: bytes):
    files = {"config.json": as_json(TIMM), "model.safetensors": weights, "pytorch_model.bin": b"\x80\x04"}
    hub.put(NAME, {**files, "modeling_swin.py": b"print('run')", "README.md": b"# a card"})
    path, facts = fetch_repository(f"hf:{NAME}")
    assert path.read_bytes() == weights
    assert facts.spec is not None
    read = {line.split("/")[-1] for line in hub.asked if "resolve" in line}
    assert read == {"config.json", "model.safetensors"}


def test_what_was_downloaded_is_not_downloaded_again(hub: Hub, weights: bytes):
    hub.put(NAME, {"model.safetensors": weights})
    first = fetch_repository(NAME)
    hub.asked.clear()
    assert fetch_repository(NAME) == first
    assert not [line for line in hub.asked if line.startswith("GET large")]


def test_a_repository_without_a_config_leaves_all_to_the_tensors(hub: Hub):
    hub.put(NAME, {"pytorch_model.bin": b"some torch file"})
    path, facts = fetch_repository(f"hf:{NAME}")
    assert (path.name, facts) == ("pytorch_model.bin", Facts())


def test_a_revision_is_a_branch_or_a_commit(hub: Hub):
    first = hub.put(NAME, {"model.safetensors": b"first"})
    hub.put(NAME, {"model.safetensors": b"second"})
    hub.put(NAME, {"model.safetensors": b"third"}, branch="new/heads")
    read = {
        revision: fetch_repository(f"hf:{NAME}{revision}")[0].read_bytes()
        for revision in ("", f"@{first}", "@new/heads")
    }
    assert read == {"": b"second", f"@{first}": b"first", "@new/heads": b"third"}
    with pytest.raises(DataError, match=r"hf:me/swin@old: the repository has no such revision"):
        fetch_repository(f"hf:{NAME}@old")


@pytest.mark.parametrize("name", ["hf:swin", "hf:a/b/c", "hf:a b/c", "hf:", "hf:a/b@", "hf:../..@x y"])
def test_what_is_no_name_is_refused_before_anything_is_asked(hub: Hub, name: str):
    with pytest.raises(UsageError, match="names no repository"):
        open_repository(name)
    assert hub.asked == []


def test_a_name_that_the_hub_cannot_have_is_refused(hub: Hub):
    with pytest.raises(UsageError, match="hf:me/swin--t"):
        fetch_repository("hf:me/swin--t")


@pytest.mark.parametrize("token", ["", "mine"])
def test_a_repository_that_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(
        DataError, match=r"hf:me/swin: no such repository .* or a private one; .*`hf auth login`"
    ):
        fetch_repository(f"hf:{NAME}")


def test_a_gated_repository_needs_a_person(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    hub.put(NAME, {"model.safetensors": b"weights"}, gated=True)
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(EnvironmentProblem, match=r"hf:me/swin: its owners grant access one by one"):
        fetch_repository(f"hf:{NAME}")


def test_a_private_repository_is_read_with_a_token_that_the_store_of_files_never_sees(hub: Hub):
    hub.put(NAME, {"model.safetensors": b"weights"}, private=True)
    assert fetch_repository(f"hf:{NAME}")[0].read_bytes() == b"weights"
    assert hub.told_to_store == set()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, "takes no more requests from here for now; wait"),
        (500, "answered with status 500; try again later"),
        (401, "hf auth login"),
        (403, "the token may not do this"),
    ],
)
def test_a_refusal_says_what_to_do(hub: Hub, status: int, said: str):
    hub.put(NAME, {"model.safetensors": b"weights"})
    hub.fail("api/models", status=status)
    with pytest.raises((EnvironmentProblem, DataError), match=said):
        fetch_repository(f"hf:{NAME}")


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    content = bytes(range(256)) * 4096
    hub.put(NAME, {"model.safetensors": content})
    hub.fail("large", cut_at=300_000, times=2)
    assert fetch_repository(f"hf:{NAME}")[0].read_bytes() == content
    assert hub.begun == [0, 300_000, 600_000]


def test_a_connection_that_always_breaks_is_told(hub: Hub):
    hub.put(NAME, {"model.safetensors": b"weights"})
    hub.fail("large", cut_at=0, times=99)
    with pytest.raises(
        EnvironmentProblem, match=r"model.safetensors: the hub cannot be reached .*try again later"
    ):
        fetch_repository(f"hf:{NAME}")


def test_no_connection(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EnvironmentProblem, match=r"hf:me/swin: the hub cannot be reached") as told:
        fetch_repository(f"hf:{NAME}")
    way = r"By hand: from http://127.0.0.1:9/me/swin/tree/main fetch the .json files and model.safetensors .*"
    assert re.search(way + "give that folder to swinkit.load$", str(told.value))


def test_without_a_connection_the_cache_is_used_and_that_is_said(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    hub.put(NAME, {"config.json": as_json(TIMM), "model.safetensors": b"weights"})
    before = fetch_repository(f"hf:{NAME}")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert fetch_repository(f"hf:{NAME}") == before
    assert "cannot be reached" in caplog.text
    assert "what was downloaded before is used" in caplog.text


@pytest.mark.parametrize("switch", ["swinkit", "huggingface_hub"])
def test_offline_only_the_cache_is_read(hub: Hub, monkeypatch: pytest.MonkeyPatch, switch: str):
    hub.put(NAME, {"config.json": as_json(TIMM), "model.safetensors": b"weights"})
    before = fetch_repository(f"hf:{NAME}")
    hub.asked.clear()
    if switch == "swinkit":
        monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    else:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch_repository(f"hf:{NAME}") == before
    with pytest.raises(
        EnvironmentProblem,
        match=r"other@v2: model.safetensors was not downloaded before, and the network is forbidden .*--off",
    ) as told:
        fetch_repository("hf:me/other@v2")
    assert "/me/other/tree/v2 fetch" in str(told.value)
    assert hub.asked == []


def test_a_file_with_another_hash_is_refused_and_fetched_anew(hub: Hub):
    hub.put(NAME, {"model.safetensors": b"right"})
    (known,) = hub.large
    hub.large[known] = b"wrong"
    with pytest.raises(
        DataError, match=r"model.safetensors has SHA-256 .*, not .* as on the hub; .* load it again"
    ):
        fetch_repository(f"hf:{NAME}")
    hub.large[known] = b"right"
    assert fetch_repository(f"hf:{NAME}")[0].read_bytes() == b"right"


def test_a_file_damaged_in_the_cache_is_refused_offline_too(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    hub.put(NAME, {"model.safetensors": b"right"})
    fetch_repository(f"hf:{NAME}")[0].resolve().write_bytes(b"wrong")
    monkeypatch.setenv("SWINKIT_OFFLINE", "1")
    with pytest.raises(DataError, match="the damaged copy was deleted"):
        fetch_repository(f"hf:{NAME}")


def test_a_full_disk_names_the_place(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    hub.put(NAME, {"model.safetensors": b"weights"})

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(HfApi, "hf_hub_download", full)
    with pytest.raises(
        EnvironmentProblem, match=rf"no space left for it in {constants.HF_HUB_CACHE}.*\$HF_HOME"
    ):
        fetch_repository(f"hf:{NAME}")


def test_weights_in_several_files_are_told(hub: Hub):
    hub.put(NAME, {"config.json": as_json(TIMM), "model.safetensors.index.json": b"{}"})
    with pytest.raises(DataError, match="has its weights in several files"):
        fetch_repository(f"hf:{NAME}")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "hf:me/swin has no model.safetensors and no pytorch_model.bin; it holds no model"),
        ({"config.json": b"{"}, "hf:me/swin: config.json is no JSON"),
        ({"config.json": b"[1]"}, "must hold an object of settings, not a list"),
        ({"config.json": b"{}"}, "names no architecture .* and no model_type"),
        ({"config.json": as_json({"swinkit": "0.1.0"})}, "has no preprocess.json"),
    ],
)
def test_what_is_no_model(hub: Hub, files: dict[str, bytes], said: str):
    hub.put(NAME, files)
    with pytest.raises(DataError, match=said):
        fetch_repository(f"hf:{NAME}")


def test_settings_too_large_to_be_any_are_not_even_downloaded(hub: Hub):
    hub.put(NAME, {"config.json": b"[" * (2**24 + 1), "model.safetensors": b"weights"})
    with pytest.raises(DataError, match=r"config.json has 16777217 bytes, too many for settings"):
        fetch_repository(f"hf:{NAME}")
    assert not [line for line in hub.asked if "resolve" in line]


def test_a_repository_is_named_as_the_user_named_it():
    assert str(Repository("me/swin", None)) == "hf:me/swin"
    assert str(Repository("me/swin", "v2")) == "hf:me/swin@v2"
