"""`swinkit cache list|clear`: the downloaded checkpoints on this machine. Imports no torch."""

import json
from collections.abc import Sequence
from typing import Any

from ..data.paths import cache_root
from ..errors import DataError, UsageError
from ..files.structure import sha256_of
from ..models.catalogue import suggest
from ..zoo.cache import CachedFile, list_cached_files, remove_cached_file
from ..zoo.checkpoints import find_checkpoint
from ..zoo.download import format_megabytes
from .arguments import Parser, parse
from .console import complain, note, table

ACTIONS = ("list", "clear")
HEAD = ("checkpoint", "size", "downloaded", "SHA-256")


def command(arguments: Sequence[str]) -> int:
    """List the downloaded files, or delete them."""
    parser = Parser("cache", "List the downloaded checkpoints, or delete them.")
    parser.add_argument("action", nargs="?", default="list", help="list (the default) or clear")
    parser.add_argument("name", nargs="?", help="only this checkpoint")
    parser.add_argument("--check", action="store_true", help="compare each file with its SHA-256")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    options = parse(parser, arguments, intermixed=True)
    if options.action not in ACTIONS:
        hint = suggest(options.action, list(ACTIONS))
        raise UsageError(f"unknown action {options.action!r}{hint} (known: {', '.join(ACTIONS)})")
    if options.check and options.action != "list":
        raise UsageError("--check is for `swinkit cache list`")
    wanted = None if options.name is None else find_checkpoint(options.name).name
    found = [entry for entry in list_cached_files() if wanted in (None, entry.name)]
    rows = [facts(entry, check=options.check) for entry in found]
    if options.action == "clear":
        for entry in found:
            remove_cached_file(entry)
    if options.json:
        print(json.dumps(rows, indent=1))
    elif options.action == "list" and rows:
        print(table(HEAD, [cells(row) for row in rows], right=("size",)))
    total = format_megabytes(sum(row["size"] for row in rows))
    verb = "deleted" if options.action == "clear" else "downloaded"
    note(f"{len(rows)} {'file' if len(rows) == 1 else 'files'} {verb}, {total}, in {cache_root()}")
    damaged = [row["name"] for row in rows if row["intact"] is False]
    for name in damaged:
        complain(f"{name} differs from what was downloaded; remove it with `swinkit cache clear {name}`")
    return DataError.exit_code if damaged else 0


def facts(entry: CachedFile, *, check: bool) -> dict[str, Any]:
    """Return one file as JSON; `whole` is false during its download, `intact` null unless it was compared."""
    record = entry.record
    return {
        "name": entry.name,
        "path": str(entry.path),
        "size": entry.size,
        "whole": record is not None,
        "date": None if record is None else record.date,
        "address": None if record is None else record.address,
        "sha256": None if record is None else record.sha256,
        "published_sha256": None if record is None else record.compared,
        "intact": sha256_of(entry.path) == record.sha256 if check and record is not None else None,
    }


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return one file's row of the table."""
    if not row["whole"]:
        return row["name"], format_megabytes(row["size"]), "not ended", "-"
    origin = "as published" if row["published_sha256"] else "of the first download"
    checked = {True: ", compared", False: ", NOT what it was", None: ""}[row["intact"]]
    return (
        row["name"],
        format_megabytes(row["size"]),
        row["date"][:10],
        f"{row['sha256'][:8]}, {origin}{checked}",
    )
