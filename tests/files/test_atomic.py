"""Whatever fails while a file or folder is written, the old content stays whole and nothing else is left."""

import ctypes
import errno
import os
import resource
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import torch
from PIL import Image

from swinkit.data.corrupt import CorruptSample
from swinkit.data.corrupt import write as write_list
from swinkit.errors import EnvironmentProblem, SwinkitError, UsageError
from swinkit.exporting import convert as exporting
from swinkit.exporting.convert import convert_model
from swinkit.files import plain
from swinkit.files.atomic import atomic_write, refuse_to_replace, remove_leftovers
from swinkit.files.folder import SavedModel, write_folder
from swinkit.runs.checkpoints import Checkpoints
from swinkit.runs.folder import RunFolder
from swinkit.runs.progress import Progress
from swinkit.tasks.evaluation import write_evaluation
from swinkit.tasks.results import save_picture
from swinkit.weights.load import canonical
from swinkit.zoo.cache import DownloadRecord

from ..exporting.models import classifier

MODELS = [classifier(), classifier("v2")]
LARGE = torch.zeros(10_000)


def plain_file(at: Path, number: int) -> None:
    """Write a file of one number."""
    with atomic_write(at / "a.txt") as partial:
        assert (partial.suffix, partial.parent) == (".txt", at)  # loaders know formats by the ending
        partial.write_text(f"{number}" * 50_000)


def plain_folder(at: Path, number: int) -> None:
    """Write a folder with a folder in it."""
    with atomic_write(at / "a") as partial:
        (partial / "b").mkdir(parents=True)
        (partial / "b" / "c").write_text(f"{number}" * 50_000)


def saved_model(at: Path, number: int) -> None:
    """Write a saved model."""
    model = SavedModel({}, {}, [], canonical(MODELS[number]) | {"large": LARGE}, f"# {number}\n")
    write_folder(at / "a", model)


def evaluation(at: Path, number: int) -> None:
    """Write the folder of an evaluation."""
    content = {"metrics.json": {"swinkit": number, "protocol": {}}, "per_class.csv": "x" * 50_000}
    write_evaluation(at / "a", content)


def checkpoint(at: Path, number: int) -> None:
    """Write a checkpoint of a training, which keeps the one before until it is whole."""
    Checkpoints(at / "a").save({"weights": LARGE}, Progress(epoch=number))


def record(at: Path, number: int) -> None:
    """Write the record of a download."""
    DownloadRecord("a" * 50_000, "", "", number, 0, "", compared=True).write(at / "a")


def exported(name: str) -> Callable[[Path, int], None]:
    """Return a function that writes a model in the layout of timm, as a file or folder of this name."""

    def write(at: Path, number: int) -> None:
        convert_model(MODELS[number], at / name, "timm", check=False, force=True)

    return write


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "file": plain_file,
    "folder": plain_folder,
    "saved model": saved_model,
    "evaluation": evaluation,
    "checkpoint": checkpoint,
    "torch file": exported("a.pth"),
    "safetensors file": exported("a.safetensors"),
    "exported folder": exported("a"),
    "file of a run": lambda at, number: RunFolder(at).replace("a.txt", f"{number}" * 50_000),
    "list of corrupt files": lambda at, number: write_list(
        at / "a.csv", {"x": CorruptSample("x", "1" * 50_000, str(number))}
    ),
    "picture": lambda at, number: save_picture(Image.effect_noise((300, 300), 9 + number), at / "a.png"),
    "record of a download": record,
}
FAULTS = [
    OSError(errno.ENOSPC, "No space left on device"),
    PermissionError(13, "not now"),
    KeyboardInterrupt(),
]


def contents(at: Path) -> dict[str, bytes | None]:
    """Every file and folder below, with its bytes."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in at.rglob("*")}


@pytest.mark.parametrize("fault", FAULTS, ids=["full", "forbidden", "interrupted"])
@pytest.mark.parametrize("existing", [True, False], ids=["replacing", "new"])
@pytest.mark.parametrize("writer", WRITERS)
def test_every_step_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, existing: bool, fault: BaseException
):
    write = WRITERS[writer]
    if writer == "checkpoint":
        (tmp_path / "a").mkdir()
    if existing:
        write(tmp_path, 0)
    before, failed = contents(tmp_path), []
    for step in count():
        with monkeypatch.context() as patch:
            fail_at(step, fault, patch)
            error = failure_of(write, tmp_path)
        if error is None:
            break
        assert isinstance(fault, KeyboardInterrupt) or f"cannot be written ({fault.strerror})" in str(error)
        failed.append(contents(tmp_path))
    if failed[-1] != before:  # of a file, the last step comes after it has its name
        assert failed.pop() == contents(tmp_path)
        assert not (tmp_path / "a").is_dir()
    assert all(state == before for state in failed)
    assert len(failed) >= (1 if writer == "picture" else 2)
    assert contents(tmp_path) != before
    assert not list(tmp_path.rglob(".*"))


def failure_of(write: Callable[[Path, int], None], at: Path) -> BaseException | None:
    """Return the exception that ends writing; None where it succeeds."""
    try:
        write(at, 1)
    except (SwinkitError, KeyboardInterrupt) as error:
        return error
    return None


def fail_at(step: int, fault: BaseException, patch: pytest.MonkeyPatch) -> None:
    """Let the change of the disk of this number fail, and no other."""
    steps = count()

    def failing(change: Callable[..., object]) -> Callable[..., object]:
        def fail_once(*args: object, **options: object) -> object:
            if next(steps) == step:
                raise fault
            return change(*args, **options)

        return fail_once

    for name in ("mkdir", "fsync", "replace"):
        patch.setattr(os, name, failing(getattr(os, name)))


@pytest.fixture(params=["mounted", "limited"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Yield a folder without room for 300 kB: on a disk of its own if it may be mounted, else by a limit."""
    if request.param == "limited":
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, before[1]))
        yield tmp_path
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    mount = getattr(libc, "mount", None)
    if mount is None or mount(b"tmpfs", bytes(tmp_path), b"tmpfs", 0, b"size=400k"):
        pytest.skip("mounting a small disk takes rights that this process does not have")
    yield tmp_path
    ctypes.CDLL(None).umount2(bytes(tmp_path), 2)


@pytest.mark.parametrize(
    "writer", ["saved model", "checkpoint", "torch file", "safetensors file", "exported folder"]
)
def test_a_full_disk_keeps_what_was_there(small_disk: Path, monkeypatch: pytest.MonkeyPatch, writer: str):
    WRITERS[writer](small_disk, 0)
    before = contents(small_disk)
    monkeypatch.setattr(f"{__name__}.LARGE", torch.zeros(150_000))
    monkeypatch.setattr(f"{__name__}.MODELS", [MODELS[0], classifier(embed_dim=64)])
    with pytest.raises(EnvironmentProblem, match=r"a\S* cannot be written \(.+\)"):
        WRITERS[writer](small_disk, 1)
    assert contents(small_disk) == before


def test_damage_on_the_way_to_the_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    saved_model(tmp_path, 0)
    before, save = contents(tmp_path), plain.save_file
    monkeypatch.setattr(plain, "save_file", lambda state, *rest: save(dict([*state.items()][1:]), *rest))
    for write in (saved_model, exported("b"), exported("b.safetensors")):
        with pytest.raises(EnvironmentProblem, match="did not come out as it was written"):
            write(tmp_path, 1)
        assert contents(tmp_path) == before


def test_an_interrupted_proof_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "prove", interrupt)
    for name in ("a.pth", "a.safetensors", "a"):
        with pytest.raises(KeyboardInterrupt):
            convert_model(MODELS[0], tmp_path / name, "timm")
    assert not contents(tmp_path)


def test_a_file_never_replaces_a_folder_nor_a_folder_a_file(tmp_path: Path):
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "a.txt" / "photo").write_text("x")
    (tmp_path / "a").write_text("thesis")
    before = contents(tmp_path)
    for write in (plain_file, plain_folder):
        with pytest.raises(EnvironmentProblem, match="cannot be written"):
            write(tmp_path, 1)
    assert contents(tmp_path) == before


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path):
    for name in (".a.12345678.partial.txt", ".config.json.partial", ".lock", "a.partial"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".best.12345678.old").mkdir()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a.partial"]


def test_only_what_may_be_lost_is_replaced(tmp_path: Path):
    refuse_to_replace(tmp_path / "none", ("a",), "model")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("x")
    refuse_to_replace(tmp_path / "folder", ("a", "b"), "model")
    with pytest.raises(UsageError, match="folder holds `a`, which would be lost; choose another folder"):
        refuse_to_replace(tmp_path / "folder", ("b",), "model")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("link", "folder/a"):
        with pytest.raises(UsageError, match="is no folder; choose another name for the model"):
            refuse_to_replace(tmp_path / name, ("a",), "model")
