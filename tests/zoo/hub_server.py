"""A stand-in for the Hugging Face hub: all that huggingface_hub asks it for models and data, on this machine.

Large files (weights) are kept by their SHA-256 and given out from another address, as the hub does.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import close_session, constants

from .hub_state import LARGE, Hub, Repo, git_hash, sha256


@contextmanager
def serving() -> Iterator[Hub]:
    """Yield a hub that answers at `hub.address` until the end."""
    hub = Hub()

    class Handler(Answers):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address, hub.store = (f"http://{host}:{server.server_port}" for host in ("127.0.0.1", "localhost"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """Yield a hub that huggingface_hub, and all that use it in this process, take for the real one.

    Its addresses are read once, on import, so that the environment would come too late.
    """
    with serving() as hub:
        template = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        settings = {
            "ENDPOINT": hub.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HUB_CACHE": str(cache),
            "HF_TOKEN_PATH": str(cache / "token"),
            "HF_HUB_DISABLE_XET": True,  # another protocol for large files, not HTTP
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_TELEMETRY": True,  # no cache of its own in the home of whoever runs the tests
            "HF_HUB_DISABLE_PROGRESS_BARS": True,
        }
        for name, value in settings.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", "mine")
        monkeypatch.delenv("SWINKIT_OFFLINE", raising=False)
        monkeypatch.setattr("time.sleep", lambda _: None)  # between one try and the next
        close_session()
        yield hub
        close_session()


class Answers(BaseHTTPRequestHandler):
    """One request."""

    state: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        """Read."""
        self.answer("GET")

    def do_HEAD(self) -> None:
        """Ask what would be read."""
        self.answer("HEAD")

    def do_POST(self) -> None:
        """Write settings and small files."""
        self.answer("POST")

    def do_PUT(self) -> None:
        """Write large files."""
        self.answer("PUT")

    def answer(self, method: str) -> None:
        """Faults first, then by the first words of the address."""
        words = [unquote(word) for word in urlsplit(self.path).path.strip("/").split("/")]
        path = "/".join(words)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self.chunks()
        self.state.asked.append(f"{method} {path}")
        self.fault = next((f for f in self.state.faults if f.part in path and f.times > 0), None)
        if self.fault is not None:
            self.fault.times -= 1
            if self.fault.status:
                return self.refuse(self.fault.status, "")
        if words[0] == "large":
            return self.large(method, words[1], body)
        if path.endswith(".git/info/lfs/objects/batch"):
            return self.batch(json.loads(body))
        if words[0] == "api":
            return self.api(words[1:], body)
        if words[0] == "datasets":  # whose addresses begin so
            words = words[1:]
        if len(words) > 4 and words[2] == "resolve":
            return self.resolve("/".join(words[:2]), words[3], "/".join(words[4:]))
        return self.refuse(404, "")

    def chunks(self) -> bytes:
        """Read a body that comes in pieces, as commits do."""
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def api(self, words: list[str], body: bytes) -> None:
        """Answer a request to the hub's API."""
        if words == ["validate-yaml"]:
            return self.send(200, {"errors": [], "warnings": []})
        if self.command == "POST" and self.token() not in self.state.tokens:
            return self.refuse(401, "")
        if words == ["repos", "create"]:
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            known = name in self.state.repos
            private = asked.get("visibility") == "private"
            self.state.repos.setdefault(name, Repo(private=private))
            return self.send(409 if known else 200, {"url": f"{self.state.address}/{name}", "id": name})
        repo = self.allowed("/".join(words[1:3]))
        if repo is None:
            return None
        action, revision = words[3:] or ["revision", "main"]
        if action == "branch":
            known = revision in repo.branches
            repo.branches.setdefault(revision, repo.branches["main"])
            return self.send(409 if known else 200, {})
        if self.commit_of(repo, revision) is None:
            return self.refuse(404, "RevisionNotFound")
        act = {"revision": self.info, "preupload": self.preupload, "commit": self.commit}.get(
            action, self.tree
        )
        return act("/".join(words[1:3]), repo, revision, body)

    def info(self, name: str, repo: Repo, revision: str, body: bytes) -> None:
        """Send the listing of a repository."""
        commit = self.commit_of(repo, revision)
        files = [
            {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
            | (
                {"lfs": {"sha256": sha256(content), "size": len(content), "pointerSize": 130}}
                if large
                else {}
            )
            for path, content in repo.commits[str(commit)].items()
            for large in [path.endswith(LARGE)]
        ]
        self.send(200, {"id": name, "sha": commit, "private": repo.private, "siblings": files})

    def tree(self, name: str, repo: Repo, revision: str, body: bytes) -> None:
        """Send the list of files."""
        files = repo.commits[str(self.commit_of(repo, revision))].items()
        entries = [
            {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
            for path, content in files
        ]
        self.send(200, json.dumps(entries).encode())

    def preupload(self, name: str, repo: Repo, revision: str, body: bytes) -> None:
        """Which of the files are large."""
        answers = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(body)["files"]
        ]
        self.send(200, {"files": answers})

    def commit(self, name: str, repo: Repo, revision: str, body: bytes) -> None:
        """All files at once, one JSON value a line."""
        files = {}
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.state.large[value["oid"]]
        commit = repo.commit(files, revision)
        self.send(200, {"commitUrl": f"{self.state.address}/{name}/commit/{commit}", "commitOid": commit})

    def batch(self, asked: dict[str, Any]) -> None:
        """Where large files are to be sent."""
        objects = [
            {**known, "actions": {"upload": {"href": f"{self.state.address}/large/{known['oid']}"}}}
            for known in asked["objects"]
        ]
        self.send(200, {"transfer": "basic", "objects": objects})

    def resolve(self, name: str, revision: str, path: str) -> None:
        """Send a file, or its address if it is large."""
        repo = self.allowed(name)
        if repo is None:
            return None
        commit = self.commit_of(repo, revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        content = repo.commits[commit].get(path)
        if content is None:
            return self.refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        headers = {"X-Repo-Commit": commit, "ETag": f'"{git_hash(content)}"'}
        if path.endswith(LARGE):
            known = sha256(content)
            headers |= {"X-Linked-Etag": f'"{known}"', "X-Linked-Size": str(len(content))}
            return self.send(302, b"", headers | {"Location": f"{self.state.store}/large/{known}"})
        return self.send(200, content, headers)

    def large(self, method: str, known: str, body: bytes) -> None:
        """Answer as the store of large files."""
        if method == "PUT":
            self.state.large[known] = body
            return self.send(200, b"")
        self.state.told_to_store |= {self.token()} - {""}
        content = self.state.large[known]
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.state.begun.append(begin)
        if not begin:
            return self.send(200, content)
        where = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
        return self.send(206, content[begin:], where)

    def allowed(self, name: str) -> Repo | None:
        """Return the repository, if this person may know of it; else the refusal is sent."""
        repo = self.state.repos.get(name)
        member = self.token() in self.state.tokens
        if repo is None or (repo.private and not member):
            self.refuse(404 if member else 401, "RepoNotFound")
        elif repo.gated and not member:
            self.refuse(403, "GatedRepo")
        else:
            return repo
        return None

    def commit_of(self, repo: Repo, revision: str) -> str | None:
        """Return the commit that a branch or a commit's own name means."""
        return repo.branches.get(revision, revision if revision in repo.commits else None)

    def token(self) -> str:
        """Who asks."""
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        """Send an error as the hub does."""
        self.send(status, b"", (headers or {}) | ({"X-Error-Code": code} if code else {}))

    def send(
        self, status: int, content: bytes | dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        """Send the answer; only the first bytes of it if the connection is to break."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault is not None and self.fault.cut_at is not None:
            self.wfile.write(data[: self.fault.cut_at])
            self.close_connection = True
            return
        self.wfile.write(data)
