"""Hugging Face hub: download of the weights and metadata of `hf:org/name`, and upload of a folder.

Files are downloaded, cached and shared with other libraries by huggingface_hub, which only this module and
`hub_errors` import. Only weights and settings are requested; other files of a repository, code above all, are
never downloaded.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, EnvironmentProblem, UsageError
from ..files.folder import CONFIG, LABELS, PREPROCESS, WEIGHTS
from ..files.structure import sha256_of
from ..files.typed_json import LARGEST_FILE
from ..version import __version__
from .checkpoints import HUB
from .hub_configs import Facts
from .hub_errors import LOG_IN, Unreachable, explain_hub_errors
from .paths import is_network_forbidden
from .repo_files import OLD_WEIGHTS, find_weights, is_from_swinkit, read_facts, settings_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger(__name__)

NAME = re.compile(r"(?:hf:)?([\w.-]+/[\w.-]+)(?:@([\w./+-]+))?")
SHA256 = re.compile("[0-9a-f]{64}")
FORBIDDEN = "the network is forbidden (--offline, $SWINKIT_OFFLINE or $HF_HUB_OFFLINE)"


@dataclass(frozen=True)
class RemoteFile:
    """Size in bytes of a file on the hub, and for large files the SHA-256."""

    size: int | None
    sha256: str | None


@dataclass(frozen=True)
class Repository:
    """Repository at one revision (None: its main branch), and its files by name.

    `files` None: the hub is not asked, and only what is in this machine's cache is there.
    """

    name: str
    revision: str | None
    files: Mapping[str, RemoteFile] | None = None

    def __str__(self) -> str:
        """Return the name as a user writes it."""
        return f"{HUB}{self.name}" + (f"@{self.revision}" if self.revision else "")


def fetch_repository(source: str) -> tuple[Path, Facts]:
    """Download the weights of `hf:org/name` or `hf:org/name@revision`, and return them with their facts.

    For a repository that `push` wrote, the path is the folder of a saved model, without facts; else it is a
    file of weights. Weights are compared with the SHA-256 that the hub keeps of them.

    Raises:
        UsageError: no name of a repository.
        DataError: no such repository, revision or weights; files that are damaged or of no Swin.
        EnvironmentProblem: no connection, no permission, no space, or offline and not in the cache.
    """
    try:
        return fetch_files(open_repository(source))
    except Unreachable as problem:
        raise EnvironmentProblem(f"{problem}. By hand: {manual_instructions(source)}") from None


def fetch_files(repository: Repository) -> tuple[Path, Facts]:
    """Download the weights of an opened repository."""
    find, where = partial(find_file, repository), f"{repository}: "
    config = settings_of(find, CONFIG, where)
    if config is not None and is_from_swinkit(config):
        paths = [require_file(repository, name) for name in (CONFIG, PREPROCESS, LABELS, WEIGHTS)]
        if len({path.parent for path in paths}) > 1:
            raise EnvironmentProblem(f"{repository} was changed while it was read; load it again")
        return paths[0].parent, Facts()
    facts = Facts() if config is None else read_facts(config, find, where)
    return find_weights(find, str(repository)) or require_file(repository, WEIGHTS), facts


def manual_instructions(source: str) -> str:
    """Return the instructions for a machine that cannot reach the hub."""
    from huggingface_hub import constants

    name, revision = split_name(source)
    page = f"{constants.ENDPOINT}/{name}/tree/{revision or 'main'}"
    return (
        f"from {page} fetch the .json files and {WEIGHTS} (if there is none, {OLD_WEIGHTS}) elsewhere, put "
        "them into one folder here, and give that folder to swinkit.load"
    )


def split_name(source: str) -> tuple[str, str | None]:
    """Split `hf:org/name@revision` into `org/name` and the revision.

    Raises:
        UsageError: it names no repository, or one that the hub cannot have.
    """
    from huggingface_hub.utils import validate_repo_id

    found = NAME.fullmatch(source)
    if found is None:
        raise UsageError(
            f"{source!r} names no repository; write hf:organisation/name or hf:.../name@revision"
        )
    with explain_hub_errors(source):
        validate_repo_id(found[1])
    return found[1], found[2]


def require_writable(name: str) -> str:
    """Return `org/name` if it is a name that can be pushed to.

    Raises:
        UsageError: it names no repository, or a revision of one.
    """
    if NAME.fullmatch(name) is None or "@" in name:
        raise UsageError(f"{name!r} names no repository; write organisation/name, and name a branch apart")
    return split_name(name)[0]


def open_repository(source: str) -> Repository:
    """Return the repository that `source` names, with its list of files if the hub can be reached."""
    repository = Repository(*split_name(source))
    if is_offline():
        return repository
    try:
        with explain_hub_errors(str(repository)):
            info = client().model_info(repository.name, revision=repository.revision, files_metadata=True)
    except EnvironmentProblem as problem:
        if find_file(repository, CONFIG) is None:
            raise
        logger.warning("%s; what was downloaded before is used", problem)
        return repository
    files = {
        file.rfilename: RemoteFile(file.size, file.lfs.sha256 if file.lfs else None)
        for file in info.siblings or ()
    }
    return replace(repository, files=files)


def is_offline() -> bool:
    """Return whether the user has forbidden the network, to swinkit or to huggingface_hub."""
    from huggingface_hub import constants

    return is_network_forbidden() or constants.HF_HUB_OFFLINE


def client() -> "HfApi":
    """Return the client of the hub; token, cache and address are huggingface_hub's own."""
    from huggingface_hub import HfApi

    return HfApi(library_name="swinkit", library_version=__version__)


def require_file(repository: Repository, name: str) -> Path:
    """Return a file of the repository that must be there, downloaded if it is not cached.

    Raises:
        DataError: it has none of this name.
        EnvironmentProblem: the hub cannot be asked, and the file is not in the cache.
    """
    path = find_file(repository, name)
    if path is not None:
        return path
    if repository.files is None:
        reason = FORBIDDEN if is_offline() else "there is no connection"
        raise Unreachable(f"{repository}: {name} was not downloaded before, and {reason}")
    other = f" and no {OLD_WEIGHTS}" if name == WEIGHTS else ""
    raise DataError(f"{repository} has no {name}{other}; it holds no model that swinkit can read")


def find_file(repository: Repository, name: str) -> Path | None:
    """Return a file of the repository, downloaded unless it is cached; None if there is none."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    cached_only = repository.files is None
    remote = None if repository.files is None else repository.files.get(name)
    if remote is None and not cached_only:
        return None
    if remote is not None and name not in (WEIGHTS, OLD_WEIGHTS) and (remote.size or 0) > LARGEST_FILE:
        raise DataError(f"{repository}: {name} has {remote.size} bytes, too many for settings")
    with explain_hub_errors(f"{repository}: {name}"):
        try:
            path = client().hf_hub_download(
                repository.name, name, revision=repository.revision, local_files_only=cached_only
            )
        except LocalEntryNotFoundError:
            if cached_only:
                return None
            raise
    check_hash(Path(path), remote.sha256 if remote else None, f"{repository}: {name}")
    return Path(path)


def check_hash(path: Path, known: str | None, where: str) -> None:
    """Compare a file with the hub's SHA-256, else with the one in its name in the cache."""
    kept = path.resolve().name
    expected = known or (kept if SHA256.fullmatch(kept) else None)
    if expected is None:  # a small text, which git keeps under another hash
        return
    actual = sha256_of(path)
    if actual != expected:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DataError(
            f"{where} has SHA-256 {actual[:12]}..., not {expected[:12]}... as on the hub; the damaged copy "
            "was deleted, so load it again"
        )


def upload(folder: Path, name: str, *, private: bool, revision: str | None, message: str) -> str:
    """Create `name` (org/name) on the hub if it is missing, and put all of `folder` there in one commit.

    Returns the address of the commit.

    Raises:
        UsageError: no name of a repository, or `private` is asked of one that everyone can see.
        EnvironmentProblem: no token, no permission or no connection.
    """
    from huggingface_hub import get_token

    name = require_writable(name)
    if is_offline():
        raise EnvironmentProblem(f"{name} cannot be written: {FORBIDDEN}")
    if get_token() is None:
        raise EnvironmentProblem(f"{name} cannot be written without a token of the hub: {LOG_IN}")
    hub = client()
    with explain_hub_errors(name):
        hub.create_repo(name, private=private or None, exist_ok=True)
        if private and not hub.model_info(name).private:
            raise UsageError(
                f"{name} exists, and everyone can see it; make it private there, or take another"
            )
        if revision is not None:
            hub.create_branch(name, branch=revision, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=name, folder_path=folder, revision=revision, commit_message=message
        )
    return str(commit.commit_url)
