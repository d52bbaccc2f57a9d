"""The command: one line per case, and exit code 0 only if every covered case holds."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .compare import ERROR, FAILED, OK, Outcome, check


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the cases of the folders; 1 if one fails, 3 if one cannot be read or there is none, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.golden", description="Compare swinkit with reference answers."
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a case folder, or a folder of such"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    options = parser.parse_args(arguments)

    outcomes = []
    for folder in options.folders:
        for case in cases(folder) or [folder]:
            outcomes.append(check(case))
            if not options.json:
                print(line(outcomes[-1]), flush=True)
    if options.json:
        print(json.dumps([document(outcome) for outcome in outcomes], indent=1))
    statuses = {outcome.status for outcome in outcomes}
    return 3 if ERROR in statuses else int(FAILED in statuses)


def cases(folder: Path) -> list[Path]:
    """Return the folder itself if it is a case, else the cases in it, also one that has lost a file."""
    signs = ("case.json", "outputs.safetensors")
    if any((folder / sign).is_file() for sign in signs):
        return [folder]
    return sorted({path.parent for sign in signs for path in folder.glob(f"*/{sign}")})


def line(outcome: Outcome) -> str:
    """One line for a person."""
    start = f"{outcome.case:<28} {outcome.kind:<16} "
    if outcome.worst is None:
        return start + "; ".join([outcome.status, *outcome.reasons])
    largest = f"largest error {outcome.shares[outcome.worst]:.3g} of its tolerance in {outcome.worst}"
    counted = f"{len(outcome.shares)} outputs"
    return start + "; ".join([f"{outcome.status:<6} {largest}", counted, *outcome.reasons])


def document(outcome: Outcome) -> dict:
    """Return the same for machines; errors that are not finite are strings, because JSON lacks them."""
    finite = {
        name: {"error": number(outcome.errors[name]), "share": number(share)}
        for name, share in outcome.shares.items()
    }
    return {
        "case": outcome.case,
        "kind": outcome.kind,
        "status": outcome.status,
        "ok": outcome.status == OK,
        "worst": outcome.worst,
        "outputs": finite,
        "reasons": outcome.reasons,
    }


def number(value: float) -> float | str:
    """JSON knows no infinity."""
    return value if value < float("inf") else "inf"


if __name__ == "__main__":
    sys.exit(main())
