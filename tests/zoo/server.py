"""A file server on this machine that behaves, and misbehaves, like those on the web."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TAG = '"v1"'


@dataclass
class Behaviour:
    """What the server does; a list is used up, one entry a request."""

    content: bytes = b""
    tag: str | None = TAG
    ranges: bool = True
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # status, headers
    cuts: list[int] = field(default_factory=list)  # bytes of the body after which the connection ends
    page: bool = False
    announced: int | None = None  # a wrong Content-Length
    unannounced: bool = False  # no Content-Length at all
    drip: float = 0.0  # seconds between bytes
    flow: int = 0  # bytes that come at once before it drips
    pause: float = 0.0  # seconds before the first
    begin: int | None = None  # a part that nobody asked for
    hops: int = 0  # redirects before the file
    seen: list[tuple[str, str | None]] = field(default_factory=list)  # path and Range of each request


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """Yield the address of a server that behaves so."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            behaviour.seen.append((self.path, self.headers.get("Range")))
            self.close_connection = True
            hop = int(self.path.rpartition("hop=")[2] or 0) if "hop=" in self.path else 0
            if hop < behaviour.hops:
                self.answer(302, {"Location": f"/elsewhere?hop={hop + 1}", "Content-Length": "0"})
            elif behaviour.refusals:
                status, headers = behaviour.refusals.pop(0)
                self.answer(status, {"Content-Length": "0"} | headers)
            elif behaviour.page:
                self.answer(200, {"Content-Type": "text/html"})
                self.wfile.write(b"<!doctype html><title>Too large to be scanned</title>")
            else:
                self.send_file()

        def send_file(self) -> None:
            asked, same = self.headers.get("Range"), self.headers.get("If-Range") == behaviour.tag
            begin = int(asked.removeprefix("bytes=").partition("-")[0]) if asked and same else 0
            size = len(behaviour.content)
            headers = {"Content-Type": "application/octet-stream"}
            if behaviour.tag:
                headers["ETag"] = behaviour.tag
            if behaviour.ranges and asked and same:
                if begin >= size:
                    return self.answer(416, {"Content-Length": "0"})
                told = begin if behaviour.begin is None else behaviour.begin
                headers["Content-Range"] = f"bytes {told}-{size - 1}/{size}"
                status = 206
            else:
                begin, status = 0, 200
            body = behaviour.content[begin:]
            if not behaviour.unannounced:
                headers["Content-Length"] = str(behaviour.announced or len(body))
            self.answer(status, headers)
            body = body[: behaviour.cuts.pop(0)] if behaviour.cuts else body
            time.sleep(behaviour.pause)
            flow = behaviour.flow if behaviour.drip else len(body)
            self.wfile.write(body[:flow])
            for i in range(flow, len(body)):
                time.sleep(behaviour.drip)
                self.wfile.write(body[i : i + 1])
            return None

        def answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *words: object) -> None:
            """Ignore that a client went away."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
