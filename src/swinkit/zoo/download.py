"""Download of one file: resumed, retried, within limits of time and size. Torch-free."""

import email.utils
import errno
import http.client
import json
import logging
import re
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DataError, EnvironmentProblem, SwinkitError

logger = logging.getLogger(__name__)

Watch = Callable[[int, int | None], None]  # takes the bytes so far, and the total or None
Span = tuple[int, int | None]  # where an answer begins, and the size of the whole file if that is known
CHUNK = 2**18
PROGRESS = 2**20  # bytes after which failures are counted anew
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BUSY = (408, 425, 429, 500, 502, 503, 504)
GONE = (404, 410)
RANGE = re.compile(r"bytes (?P<begin>\d+)-\d+/(?P<total>\d+)")


@dataclass(frozen=True)
class Patience:
    """Limits of a download: attempts, waiting times in seconds, sizes in bytes."""

    attempts: int = 5  # in a row that bring less than PROGRESS
    pause: float = 1.0  # after the first failure; doubled after each further one
    longest_pause: float = 300.0  # that a server may ask for
    silence: float = 30.0  # without a single byte
    window: float = 60.0  # over which the rate is measured
    slowest: float = 4096.0  # bytes per second
    largest: int = 2**36


USUAL = Patience()


class TransferInterrupted(Exception):
    """Failure worth another attempt: after `pause` seconds if the server asks, `anew` if the file changed."""

    def __init__(self, reason: str, pause: float | None = None, *, anew: bool = False):
        super().__init__(reason)
        self.pause = pause
        self.anew = anew


@dataclass(frozen=True)
class ResumeMark:
    """Data needed to resume a partial file; `validator` is the server's identifier of its content."""

    address: str
    validator: str
    total: int | None

    @staticmethod
    def path(partial: Path) -> Path:
        """Return the path of the mark."""
        return partial.with_name(f"{partial.name}.json")

    @classmethod
    def read(cls, partial: Path) -> "ResumeMark | None":
        """Return the mark beside a partial file; None if there is none."""
        try:
            return cls(**json.loads(cls.path(partial).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # none, or half of one: then the file begins anew
            return None

    def write(self, partial: Path) -> None:
        """Write the mark beside the partial file."""
        with disk_errors(partial):
            self.path(partial).write_text(json.dumps(asdict(self)), encoding="utf-8")


def download(address: str, partial: Path, watch: Watch, patience: Patience = USUAL) -> None:
    """Download `address` into `partial`, and resume what an earlier call left there.

    Raises:
        DataError: there is no such file, or it is none, or too large.
        EnvironmentProblem: no network, no space, or a server that does not answer or is too slow.
    """
    failures = 0
    while True:
        before = file_size(partial)
        try:
            return transfer(address, partial, patience, watch)
        except TransferInterrupted as stop:
            failures = 1 if file_size(partial) - before >= PROGRESS else failures + 1
            pause = patience.pause * 2 ** (failures - 1) if stop.pause is None else stop.pause
            if failures >= patience.attempts or pause > patience.longest_pause:
                wait = f"; it asks to wait {pause:.0f} s" if stop.pause else ""
                raise EnvironmentProblem(
                    f"{address}: {stop}{wait}; what came so far is kept, so try again later"
                ) from None
            if stop.anew:
                ResumeMark.path(partial).unlink(missing_ok=True)
            logger.warning("%s: %s; again in %.1f s", address, stop, pause)
            time.sleep(pause)


def transfer(address: str, partial: Path, patience: Patience, watch: Watch) -> None:
    """Make one attempt.

    Raises:
        Interrupted: it is worth another one.
    """
    mark = ResumeMark.read(partial)
    have = file_size(partial) if mark is not None and mark.address == address else 0
    if mark is not None and have and have == mark.total:
        return
    wanted = {"Range": f"bytes={have}-", "If-Range": mark.validator} if mark is not None and have else {}
    with open_response(address, wanted, patience) as response:
        begin, total = read_range(response, have)
        check_headers(response, address, total, patience)
        if total is not None:
            require_space(partial, total - begin)
        validator = validator_of(response.headers)
        with disk_errors(partial), partial.open("r+b" if begin else "wb") as file:
            if validator:  # now that no bytes of another file are there; without, nothing is gone on with
                ResumeMark(address, validator, total).write(partial)
            else:
                ResumeMark.path(partial).unlink(missing_ok=True)
            file.seek(begin)
            arrived = write_body(response, file, (begin, total), patience, watch)
    if total is not None and arrived != total:
        raise TransferInterrupted(f"the connection ended after {arrived} of {total} bytes")


@contextmanager
def open_response(
    address: str, headers: Mapping[str, str], patience: Patience
) -> Iterator[http.client.HTTPResponse]:
    """Yield the server's answer after redirects; HTTP and network errors become errors of this package."""
    try:
        request = urllib.request.Request(
            address, headers={"User-Agent": "swinkit", "Accept-Encoding": "identity", **headers}
        )
        with urllib.request.build_opener(HttpsRedirectHandler).open(
            request, timeout=patience.silence
        ) as response:
            yield response
    except urllib.error.HTTPError as error:
        with error:
            raise explain_status(address, error) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, socket.gaierror):
            raise EnvironmentProblem(f"{address}: no network, or no such server ({error.reason})") from None
        raise TransferInterrupted(f"no connection ({error.reason})") from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise TransferInterrupted(describe_error(error)) from None
    except SwinkitError:  # a ValueError too
        raise
    except ValueError as error:  # from urllib's reading of an address, ours or one redirected to
        raise DataError(f"{address}: it, or where it leads, is no address of a file ({error})") from None


class HttpsRedirectHandler(urllib.request.HTTPRedirectHandler):
    """Redirect handler that never leaves https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the next request.

        Raises:
            DataError: it would leave https.
        """
        if req.type == "https" and not newurl.lower().startswith("https://"):
            raise DataError(f"{req.full_url}: redirects to an address without https, which is refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def explain_status(address: str, error: urllib.error.HTTPError) -> Exception:
    """Return the error for an answer with status 300 or above."""
    if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        return TransferInterrupted("the file is another one than the part that is here", 0.0, anew=True)
    if error.code in BUSY:
        return TransferInterrupted(
            f"the server answers {error.code} ({error.reason})", retry_after(error.headers)
        )
    if error.code in GONE:
        return DataError(f"{address}: there is no such file any more ({error.code})")
    return DataError(f"{address}: the server refuses it ({error.code} {error.reason})")


def retry_after(headers: Message) -> float | None:
    """Return the seconds that a server asks to wait, given as a number or as a date."""
    text = headers.get("Retry-After", "").strip()
    if is_number(text):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def is_number(text: str) -> bool:
    """Return whether a header is a plain number; `isdigit` alone would accept a superscript."""
    return text.isascii() and text.isdigit()


def read_range(response: http.client.HTTPResponse, have: int) -> Span:
    """Return where in the file the answer begins, and the size of the whole file if it is known."""
    if response.status != http.client.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if is_number(length) else None
    found = RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or int(found["begin"]) != have:
        raise DataError(f"{response.url}: the server answers with another part than was asked for")
    return have, int(found["total"])


def check_headers(
    response: http.client.HTTPResponse, address: str, total: int | None, patience: Patience
) -> None:
    """Raise DataError if the headers alone show that this is no file of weights."""
    if response.headers.get_content_type() == "text/html":
        raise DataError(f"{address}: the server answers with a page instead of the file")
    if total is not None and total > patience.largest:
        raise DataError(f"{address}: {total} bytes are more than the {patience.largest} that are allowed")


def validator_of(headers: Message) -> str:
    """Return the value for `If-Range`: a strong tag, else the date; "" if there is neither."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def write_body(
    response: http.client.HTTPResponse, file: BinaryIO, span: Span, patience: Patience, watch: Watch
) -> int:
    """Write the body to `file` and return the number of bytes there; give up on a server that is too slow."""
    arrived, total = span
    most = patience.largest if total is None else total
    since, then = time.monotonic(), arrived
    watch(arrived, total)
    for piece in read_pieces(response):
        file.write(piece)
        arrived += len(piece)
        if arrived > most:
            raise DataError(f"{response.url}: more bytes came than were announced, or than are allowed")
        watch(arrived, total)
        elapsed = time.monotonic() - since
        if elapsed >= patience.window:
            if arrived - then < patience.slowest * elapsed:
                raise TransferInterrupted(f"it is too slow: {(arrived - then) / elapsed:.0f} bytes a second")
            since, then = time.monotonic(), arrived
    return arrived


def read_pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it arrives."""
    try:
        while piece := response.read1(CHUNK):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise TransferInterrupted(describe_error(error)) from None


def describe_error(error: Exception) -> str:
    """Describe a network error for a message."""
    return f"the connection broke ({error or type(error).__name__})"


def file_size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def require_space(partial: Path, needed: int) -> None:
    """Raise EnvironmentProblem, before the download, if `needed` bytes do not fit beside `partial`."""
    free = shutil.disk_usage(partial.parent).free
    if free < needed:
        raise EnvironmentProblem(
            f"{partial.parent}: {format_megabytes(needed)} are needed there and "
            f"{format_megabytes(free)} are free; make room, or set SWINKIT_CACHE to a folder on another disk"
        )


@contextmanager
def disk_errors(partial: Path) -> Iterator[None]:
    """Turn an OSError into an EnvironmentProblem; the part that was written is kept."""
    try:
        yield
    except OSError as error:
        advice = (
            "make room and try again" if error.errno in FULL else "choose another folder with SWINKIT_CACHE"
        )
        kept = f"; the {format_megabytes(file_size(partial))} that came are kept" if partial.exists() else ""
        raise EnvironmentProblem(f"{partial}: cannot be written ({error.strerror}){kept}; {advice}") from None


def format_megabytes(size: int) -> str:
    """Format a number of bytes."""
    return f"{size / 1e6:.1f} MB"
