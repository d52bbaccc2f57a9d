"""Files of many ranks: merged, cut, found in folders and archives, and refused where something is wrong."""

import re
import zipfile
from pathlib import Path

import pytest
import torch

import swinkit
from swinkit.errors import DataError, UsageError
from swinkit.weights.load import export_weights, load_weights
from swinkit.weights.rank_files import is_ranked, read_ranks
from swinkit.weights.ranks import merge, split, write_ranks

from .models import classifier, copy_of

LAYER = "layers.1.blocks.1.mlp._moe_layer"
EXPERTS = {"moe_blocks": ((), (1,)), "num_experts": 4, "mlp_output_bias": False}


def whole(**changes):
    """Return a whole state in Microsoft's names: 4 experts of 96 hidden and 24 output channels."""
    torch.manual_seed(0)
    model = classifier("moe", **{**EXPERTS, **changes})
    return copy_of(export_weights(model, "microsoft"))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("router", ["linear", "cosine"])
@pytest.mark.parametrize("ranks", [1, 2, 4, 8, 16, 32])
def test_merging_undoes_cutting(ranks, router, biased):
    """From four experts on each rank to an eighth of one."""
    state = whole(router=router, router_dim=6, mlp_output_bias=biased)
    assert same(merge(*split(state, ranks)), state)


def test_a_rank_has_whole_experts_or_a_slice_of_hidden_channels():
    state = whole()
    two, eight = split(state, 2)[0], split(state, 8)[0]
    weight, bias = f"{LAYER}.experts.batched_fc1_w", f"{LAYER}.experts.batched_fc1_bias"
    assert torch.equal(two[1][weight], state[weight][2:])
    assert torch.equal(eight[3][weight][0], state[weight][1, 48:])
    assert torch.equal(eight[3][bias][0], state[bias][1, 48:])
    assert eight[3][f"{LAYER}.experts.batched_fc2_bias"].shape == (1, 12)


def test_shares_of_an_output_that_does_not_divide_are_filled_up_with_zeros():
    state = whole(mlp_output_bias=True)
    name = f"{LAYER}.experts.batched_fc2_bias"
    pieces = [part[name] for part in split(state, 64)[0]]  # 16 shares of 24 channels: 2 each, 12 in use
    assert {tuple(piece.shape) for piece in pieces} == {(1, 2)}
    assert not torch.cat(pieces[12:16]).any()
    assert torch.equal(merge(*split(state, 64))[name], state[name])


def test_published_files_have_biases_with_an_axis_more_and_no_count():
    """As loading errors of Tutel's issue 248 show them: (1, 1, 1536) and (1, 1, 384)."""
    state = whole(mlp_output_bias=True)
    parts, shared = split(state, 8)
    del shared[f"{LAYER}._num_global_experts"]
    for part in parts:
        for name in (f"{LAYER}.experts.batched_fc1_bias", f"{LAYER}.experts.batched_fc2_bias"):
            part[name] = part[name][:, None]
    del state[f"{LAYER}._num_global_experts"]
    assert same(merge(parts, shared), state)


def test_each_rank_may_hold_all_that_is_shared():
    """As runs save them, without a master."""
    state = whole()
    parts, shared = split(state, 2)
    assert same(merge([{**shared, **part} for part in parts]), state)


def test_a_bias_that_is_not_trained_may_lie_in_the_master():
    state = whole()
    name = f"{LAYER}.experts.batched_fc2_bias"
    parts, shared = split(state, 8)
    shared[name], *_ = [part.pop(name) for part in parts]
    assert same(merge(parts, shared), state)
    shared[name] = shared[name] + 1
    with pytest.raises(DataError, match="rank 0 alone"):
        merge(parts, shared)


@pytest.mark.parametrize(("ranks", "kept"), [(4, 3), (4, 2), (2, 1), (8, 4), (8, 7), (32, 16)])
def test_ranks_that_are_missing_at_the_end_are_noticed(ranks, kept):
    parts, shared = split(whole(), ranks)
    with pytest.raises(DataError, match="a rank's file is missing"):
        merge(parts[:kept], shared)


def test_a_model_cannot_be_cut_unevenly():
    with pytest.raises(UsageError, match="4 experts cannot be dealt out evenly to 3 ranks"):
        split(whole(), 3)
    with pytest.raises(UsageError, match="96 hidden channels cannot be dealt out to 5"):
        split(whole(), 20)


def test_ranks_of_two_models_and_a_lost_master_are_refused():
    parts, shared = split(whole(), 2)
    with pytest.raises(DataError, match="other tensors than rank 0"):
        merge([parts[0], {}], shared)
    with pytest.raises(DataError, match="no router"):
        merge(parts)
    parts[1][f"{LAYER}.experts.batched_fc1_w"] = torch.zeros(5)
    with pytest.raises(DataError, match="of another model"):
        merge(parts, shared)


# ---- files


@pytest.fixture
def written(tmp_path) -> tuple[Path, dict]:
    """Return a folder of eight ranks and a master, and what they hold."""
    state = whole()
    folder = tmp_path / "ranks"
    folder.mkdir()
    write_ranks(state, folder, "moe", 8)
    return folder, state


def archive(folder: Path, target: Path, inside: str = "moe/", **names: str) -> Path:
    """Return the folder as an archive; `names` gives files of it other names."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.iterdir()):
            packed.writestr(names.get(path.suffix[1:], inside + path.name), path.read_bytes())
    return target


def test_a_folder_an_archive_and_one_of_the_files_are_all_of_them(written, tmp_path):
    folder, state = written
    packed = archive(folder, tmp_path / "moe.zip")
    for path in (folder, packed, folder / "moe.pth.rank3", folder / "moe.pth.master"):
        assert is_ranked(path)
        assert same(read_ranks(path), state)
    assert not is_ranked(tmp_path / "model.pth")
    assert not is_ranked(tmp_path)


def test_nothing_is_left_of_an_archive_that_was_read(written, tmp_path, monkeypatch):
    folder, _ = written
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    read_ranks(archive(folder, tmp_path / "moe.zip"))
    assert list(scratch.iterdir()) == []


def test_a_file_of_one_process_is_whole(tmp_path):
    state = whole()
    torch.save({"model": state}, tmp_path / "moe.pth.global")
    assert same(read_ranks(tmp_path), state)


def test_a_missing_rank_is_named(written):
    folder, _ = written
    (folder / "moe.pth.rank5").unlink()
    with pytest.raises(DataError, match=re.escape("lacks `moe.pth.rank5`")):
        read_ranks(folder)


def test_files_of_several_checkpoints_are_told_apart(written):
    folder, state = written
    write_ranks(state, folder, "other", 2)
    with pytest.raises(DataError, match="several checkpoints"):
        read_ranks(folder)
    assert same(read_ranks(folder / "other.pth.rank0"), state)


def test_files_are_not_written_over(written):
    folder, state = written
    with pytest.raises(UsageError, match="exist already"):
        write_ranks(state, folder, "moe", 8)


def test_a_master_alone_and_an_empty_archive_are_refused(tmp_path):
    torch.save({"model": whole()}, tmp_path / "moe.pth.master")
    with pytest.raises(DataError, match="no file of any rank"):
        read_ranks(tmp_path)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as packed:
        packed.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match="no files of ranks"):
        read_ranks(tmp_path / "empty.zip")


@pytest.mark.parametrize(
    "name",
    ["../moe.pth.rank0", "/moe.pth.rank0", "C:moe.pth.rank0", "a\\moe.pth.rank0", "a/../moe.pth.rank0"],
)
def test_members_that_would_be_unpacked_elsewhere_are_refused(written, tmp_path, name):
    folder, _ = written
    packed = archive(folder, tmp_path / "moe.zip", rank0=name)
    with pytest.raises(DataError, match="no members of an archive of weights"):
        read_ranks(packed)


def test_a_member_that_stands_twice_is_refused(written, tmp_path):
    folder, _ = written
    packed = archive(folder, tmp_path / "moe.zip", rank1="other/moe.pth.rank0")
    with pytest.raises(DataError, match="more than once"):
        read_ranks(packed)


def test_an_archive_that_grows_beyond_measure_is_refused_before_it_is_unpacked(written, tmp_path):
    folder, _ = written
    (folder / "moe.pth.rank0").write_bytes(bytes(10**8))
    with pytest.raises(DataError, match="times its size"):
        read_ranks(archive(folder, tmp_path / "moe.zip"))


def test_a_damaged_archive_and_a_damaged_member_are_named(written, tmp_path):
    folder, _ = written
    packed = archive(folder, tmp_path / "moe.zip")
    (tmp_path / "cut.zip").write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"cut\.zip is no whole archive"):
        read_ranks(tmp_path / "cut.zip")
    (folder / "moe.pth.rank0").write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"moe/moe\.pth\.rank0"):
        read_ranks(archive(folder, tmp_path / "bad.zip"))


def test_a_member_that_could_run_code_is_refused(written, tmp_path):
    folder, _ = written
    torch.save({"model": {"weight": Path("x")}}, folder / "moe.pth.rank0")
    with pytest.raises(DataError, match=r"moe/moe\.pth\.rank0"):
        read_ranks(archive(folder, tmp_path / "moe.zip"))


def test_a_model_answers_the_same_from_its_ranks(written):
    folder, state = written
    model, again = classifier("moe", **EXPERTS), classifier("moe", **EXPERTS)
    load_weights(model, state)
    load_weights(again, read_ranks(folder))
    x = torch.randn(2, 3, 40, 40)
    assert torch.equal(model(x), again(x))


def test_whoever_downloaded_an_archive_loads_it_in_one_step(written, tmp_path, capsys):
    folder, state = written
    for source in (archive(folder, tmp_path / "moe.zip"), folder):
        model = swinkit.load(source)
        assert torch.equal(model.head.classifier.weight, state["head.weight"])
        assert "moe, from the tensors" in capsys.readouterr().err


def test_the_file_of_one_rank_alone_is_refused_with_a_hint():
    parts, shared = split(whole(), 2)
    with pytest.raises(DataError, match="one of several; give the folder or the archive"):
        load_weights(classifier("moe", **EXPERTS), {**shared, **parts[0]})
