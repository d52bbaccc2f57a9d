"""What a stand-in for the Hugging Face hub holds: repositories, large files, and the faults it is to make."""

import hashlib
from dataclasses import dataclass, field

LARGE = (".safetensors", ".bin")


@dataclass
class Repo:
    """`commits[commit][path]` is the content of a file; `branches` and tags name commits."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"0" * 40: {}})
    branches: dict[str, str] = field(default_factory=lambda: {"main": "0" * 40})

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the branch main, by path."""
        return self.commits[self.branches["main"]]

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Put `files` on top of what `branch` holds."""
        whole = {**self.commits[self.branches[branch]], **files}
        listing = "".join(f"{path}{sha256(content)}" for path, content in sorted(whole.items()))
        name = hashlib.sha1(f"{len(self.commits)}{listing}".encode(), usedforsecurity=False).hexdigest()
        self.commits[name] = whole
        self.branches[branch] = name
        return name


@dataclass
class Fault:
    """What happens to a request whose address contains `part`, the next `times` it comes."""

    part: str
    status: int
    cut_at: int | None
    times: int


class Hub:
    """The state of the stand-in, and what it was asked."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.tokens: set[str] = {"mine"}
        self.told_to_store: set[str] = set()  # tokens, which it has no business to know
        self.begun: list[int] = []  # where each reading of a large file began
        self.address = ""
        self.store = ""  # of large files: another host than the hub, so that no token is sent there

    def fail(self, part: str, *, status: int = 0, cut_at: int | None = None, times: int = 1) -> None:
        """Let the next `times` requests whose address contains `part` end so."""
        self.faults.append(Fault(part, status, cut_at, times))

    def put(self, name: str, files: dict[str, bytes], branch: str = "main", **settings: bool) -> str:
        """Files into a repository, which is made if there is none."""
        repo = self.repos.setdefault(name, Repo(**settings))
        repo.branches.setdefault(branch, repo.branches["main"])
        self.large |= {sha256(content): content for path, content in files.items() if path.endswith(LARGE)}
        return repo.commit(files, branch)


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def git_hash(content: bytes) -> str:
    """As git names a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
