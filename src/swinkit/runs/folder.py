"""Folder of one training: configuration, machine, log, checkpoints and models.

* `config.json`: the resolved recipe, the fingerprints of the data, and what was found when the run began
* `env.json`: the machine and the versions, of the latest start
* `log.jsonl`: a line for each event; `metrics.csv`: one for each evaluation; `results.png`: curves
* `RESUME.txt`: the command that goes on; `trackers.json`: where else it is followed, if it is
* `split.csv`: what `data.hold_out` held out, a list that `data=` reads
* `bad_files.csv`: training pictures that could not be read, if there are any, and what stood in for them
* `checkpoints/`: from which it goes on
* `best/`, `last/`: saved models, which `swinkit.load` reads
* `.lock`: held by the process that trains here
"""

import csv
import errno
import io
import json
import logging
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DataError, EnvironmentProblem, SwinkitError, UsageError, listed
from ..files.atomic import atomic_write, remove_leftovers
from ..files.plain import read_json
from .checkpoints import Checkpoints
from .config_diff import Change, changes_of
from .environment import environment
from .lock import LOCK, Lock, require_free
from .progress import Progress

logger = logging.getLogger(__name__)

FOUND = "found"  # the entry of what was found out about the machine: no choice, and so no change
CONFIG, ENVIRONMENT, LOG, METRICS = "config.json", "env.json", "log.jsonl", "metrics.csv"
BEST, LAST, CHECKPOINTS = "best", "last", "checkpoints"
RESUME = "RESUME.txt"
SPLIT = "split.csv"
EVALUATIONS = ("epoch", "evaluation")  # events of the log, by the unit of the schedule
REMEDY = "when that is mended, the same command goes on"
LISTED = 6  # differences in one message


class RunFolder:
    """Folder of a run, whose files are replaced atomically. Of several processes, one writes."""

    def __init__(self, path: Path):
        self.path = path
        self.checkpoints = Checkpoints(path / CHECKPOINTS)
        self.lock: Lock | None = None

    def begin(self, config: dict[str, Any], *, allow_changes: bool = False) -> list[Change]:
        """Lock the folder until `end`, and record the configuration if the run is new.

        If it is recorded already, it must be the same, but for where the data lie and for fields by which no
        result can differ. What else has changed, where that is allowed, is returned; `accept` records it.

        Raises:
            UsageError: the folder holds something else, a run of another configuration or other data, or one
                that another process trains in.
            EnvironmentProblem: the folder cannot be written.
        """
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
            self.refuse_strangers()
            self.lock = Lock(self.path)
        try:
            changes = self.compare(config, allow_changes=allow_changes)
        except SwinkitError:
            self.end()
            raise
        for change in changes:
            logger.warning("changed since this run began: %s", change)
        remove_leftovers(self.path)
        if not (self.path / CONFIG).exists():
            self.replace(CONFIG, json.dumps(config, indent=1) + "\n")
        return changes

    def rehearse(self, config: dict[str, Any], *, allow_changes: bool = False) -> list[Change]:
        """Refuse what `begin` refuses, and write nothing; return the changes.

        Raises:
            UsageError, DataError, EnvironmentProblem: as `begin`.
        """
        with self.writing():
            require_creatable(self.path)
            self.refuse_strangers()
            require_free(self.path)
        return self.compare(config, allow_changes=allow_changes)

    def refuse_strangers(self) -> None:
        """Raise UsageError if the folder holds something, and no run."""
        names = [path.name for path in self.path.iterdir()] if self.path.exists() else []
        strange = [name for name in names if name[0] != "."]
        if strange and CONFIG not in names:
            raise UsageError(f"{self.path} holds {listed(strange)}, and no run; choose another folder")

    def compare(self, config: dict[str, Any], *, allow_changes: bool) -> list[Change]:
        """Return what has changed since the run was recorded; nothing for a new run.

        Raises:
            UsageError: something has changed that is not allowed to, or cannot.
            DataError: the record is damaged, or the checkpoints are gone.
        """
        recorded, wanted = self.path / CONFIG, json.loads(json.dumps(config))
        before = read_json(recorded, dict) if recorded.exists() else wanted
        found = {FOUND: before[FOUND]} if FOUND in before else {}
        changes = changes_of(before, wanted | found)
        self.refuse_loss()
        refuse_changes(self.path, changes, allowed=allow_changes)
        return changes

    def refuse_loss(self) -> None:
        """Refuse to begin anew over a training whose checkpoints are gone.

        Raises:
            DataError: epochs are logged, but no checkpoint is there.
        """
        if any(map(is_evaluation, self.events())) and not any(self.checkpoints):
            raise DataError(
                f"{self.path} has trained (see {METRICS}), but its {CHECKPOINTS} are gone, so it "
                f"cannot go on. Its models are {BEST} and {LAST}; to train anew, choose another folder, with "
                f"init={shlex.quote(str(self.path / BEST))} to begin with what it learned"
            )

    def accept(self, config: dict[str, Any]) -> None:
        """Record the configuration and the machine from here on, once the checkpoint has been resumed.

        Raises:
            EnvironmentProblem: the folder cannot be written.
        """
        before = recorded_config(self.path)
        found = {FOUND: before[FOUND]} if FOUND in before else {}
        self.replace(CONFIG, json.dumps(config | found, indent=1) + "\n")
        self.replace(ENVIRONMENT, json.dumps(environment(), indent=1) + "\n")

    def end(self) -> None:
        """Release the lock."""
        if self.lock is not None:
            self.lock.release()

    def found(self, name: str) -> Any:
        """Return the value that `note` recorded under this name, or None."""
        return recorded_config(self.path).get(FOUND, {}).get(name)

    def note(self, name: str, value: Any) -> None:
        """Record a finding about the machine, so that the run goes on with the same value."""
        config = recorded_config(self.path)
        found = {FOUND: config.get(FOUND, {}) | {name: value}}
        self.replace(CONFIG, json.dumps(config | found, indent=1) + "\n")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failure to write into one line."""
        try:
            yield
        except OSError as error:
            raise EnvironmentProblem(
                f"{error.filename or self.path} cannot be written: {error.strerror or error}; {REMEDY}"
            ) from None

    def replace(self, name: str, text: str) -> None:
        """Write a file beside the one of this name; once it is on the disk, it takes the name, for good."""
        with atomic_write(self.path / name, REMEDY) as partial:
            partial.write_text(text, encoding="utf-8")

    def log(self, event: str, updates: int, **facts: Any) -> None:
        """Append an event after `updates` optimiser steps to the log."""
        with self.writing(), (self.path / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "updates": updates, **facts}) + "\n")

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of the log, without one that a killed process left half written."""
        found = []
        path = self.path / LOG
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def bad_file(self, rank: int) -> Path:
        """Return the path where a process lists the training pictures that it could not read."""
        return self.path / (f"bad_files-{rank}.csv" if rank else "bad_files.csv")

    def bad_files(self) -> list[Path]:
        """Return these lists, of all processes that have trained here."""
        return sorted(self.path.glob("bad_files*.csv"))

    def forget_bad_files(self, changes: Sequence[Change]) -> None:
        """Delete the lists of bad pictures if the training pictures have changed."""
        if any(change.of_training for change in changes):
            with self.writing():
                for path in self.bad_files():
                    path.unlink()

    def rewind(self, progress: Progress) -> None:
        """Drop the log's events after the checkpoint of `progress`, because they will happen again."""

        def is_past(event: dict[str, Any]) -> bool:
            to_come = is_evaluation(event) and not progress.is_evaluated
            return event["updates"] < progress.updates + (not to_come)

        self.replace(LOG, "".join(json.dumps(event) + "\n" for event in self.events() if is_past(event)))
        self.tabulate()

    def tabulate(self) -> None:
        """Write `metrics.csv` from the log."""
        rows = list(filter(is_evaluation, self.events()))
        text = io.StringIO()
        if rows:
            names = [name for name in rows[-1] if name != "event"]
            table = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        self.replace(METRICS, text.getvalue())


def is_evaluation(event: Mapping[str, Any]) -> bool:
    """Return whether a line of the log holds scores: of an epoch, or after a number of iterations."""
    return event["event"] in EVALUATIONS


def refuse_changes(run: Path, changes: Sequence[Change], *, allowed: bool) -> None:
    """Raise UsageError if there are changes that are not allowed, or that no allowing makes sense of."""
    fatal = [change.text for change in changes if change.fatal]
    if fatal:
        raise UsageError(
            f"{run} cannot go on as another model: {listed(fatal, LISTED)}. Begin a run in another folder, "
            f"with init={shlex.quote(str(run / BEST))}: what fits is taken from it, and of a head the "
            "classes of the same names"
        )
    texts = [change.text for change in changes]
    if texts and not allowed:
        raise UsageError(
            f"{run} holds a run that differs: {listed(texts, LISTED)}. Choose another folder, "
            "or allow changes (--allow-changes) to go on all the same"
        )


def require_creatable(folder: Path) -> None:
    """Raise the OSError that making the folder, or a file in it, would raise, as far as can be known."""
    if folder.is_dir():
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder / LOCK))
        return
    if os.path.lexists(folder):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    missing = [path for path in (folder, *folder.absolute().parents) if not path.exists()]
    above = missing[-1].absolute().parent
    if not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(missing[-1]))


def how_to_resume(run: Path) -> str:
    """Return the content of `RESUME.txt`."""
    return (
        "When this training was stopped, by whatever, it goes on to the same weights by\n\n"
        f"    swinkit train --resume {shlex.quote(str(run))}\n\n"
        f"from the folder {Path.cwd()}, or by the command or call of Python that began it.\n"
    )


def recorded_config(folder: Path) -> dict[str, Any]:
    """Return the `config.json` of a run.

    Raises:
        DataError: the folder holds no run, or the file is damaged.
    """
    if not (folder / CONFIG).is_file():
        raise DataError(f"{folder} holds no run: there is no {CONFIG} in it")
    return read_json(folder / CONFIG, dict)
