"""Trackers that follow a training: TensorBoard, Weights & Biases, MLflow, Trackio, through Accelerate.

No tracker is on by default. Each stores its record where its own settings say; files of a run go into its
folder. A tracker that fails is dropped, because the run's log is complete without it.
"""

import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import EnvironmentProblem
from ..files.plain import read_json
from .environment import installed
from .folder import RunFolder
from .progress import Progress

logger = logging.getLogger(__name__)

Plain = bool | int | float | str

SERIES = "trackers.json"  # in the folder of a run: what each must be told to go on with its series
PROJECT = "swinkit"
PACKAGES = {  # any of which a tracker needs
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "mlflow-skinny"),
    "trackio": ("trackio",),
}
QUIET = {  # they would tell their makers how they are used
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
    "GRADIO_ANALYTICS_ENABLED": "false",
}


class TrackerHost(Protocol):
    """The part of an `Accelerator` that is used here."""

    trackers: list[Any]

    def init_trackers(
        self,
        project_name: str,
        config: dict[str, Any] | None = None,
        init_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Begin all trackers that it was made with, and list them in `trackers`."""
        ...


class Trackers:
    """Trackers of these `names`. The x-axis of all numbers is the count of optimiser steps.

    Each tracker records the `settings` of the training once.
    """

    def __init__(
        self, host: TrackerHost, names: Sequence[str], settings: Mapping[str, Any], folder: RunFolder
    ):
        self.host, self.names, self.settings, self.folder = host, names, settings, folder

    def open(self, progress: Progress) -> None:
        """Begin the trackers, or continue the series of this run.

        Raises:
            EnvironmentProblem: one cannot begin, for want of a key or a network, for example.
        """
        if not self.names:
            return
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        path = self.folder.path / SERIES
        series: dict[str, Any] = read_json(path, dict) if path.exists() else {}
        project = series.setdefault("project", os.environ.get("WANDB_PROJECT", PROJECT))
        known = set(series)
        told = {
            name: options_to_begin(name, self.folder.path, series.get(name), progress) for name in self.names
        }
        try:
            self.host.init_trackers(project, init_kwargs=told)
            for tracker in self.host.trackers:
                if tracker.name not in known:
                    tracker.store_init_configuration(flat(self.settings))
                series[tracker.name] = identity(tracker, told[tracker.name])
        except Exception as error:  # noqa: BLE001  each library has errors of its own
            raise EnvironmentProblem(
                f"a tracker of run.trackers={list(self.names)} cannot begin: {first_line(error)}"
            ) from None
        self.folder.replace(SERIES, json.dumps(series, indent=1) + "\n")

    def log(self, kind: str, updates: int, numbers: Mapping[str, float]) -> None:
        """Log numbers to all trackers, as `kind/name`."""
        values = {f"{kind}/{name}": value for name, value in numbers.items()}
        for tracker in list(self.host.trackers):
            try:
                tracker.log(values, step=updates)
            except Exception as error:  # noqa: BLE001  as above; a training is worth more than its trackers
                logger.warning("%s failed, and is left out from here on: %s", tracker.name, first_line(error))
                self.host.trackers.remove(tracker)

    def close(self) -> None:
        """Let each tracker write its last numbers."""
        while self.host.trackers:
            tracker = self.host.trackers.pop()
            try:
                tracker.finish()
            except Exception as error:  # noqa: BLE001  as above
                logger.warning("%s may have lost its last numbers: %s", tracker.name, first_line(error))


def require_trackers(names: Sequence[str]) -> None:
    """Check that all these trackers are installed.

    Raises:
        EnvironmentProblem: one is missing.
    """
    for name in names:
        if not any(installed(package) for package in PACKAGES[name]):
            raise EnvironmentProblem(
                f"run.trackers asks for {name}, which is missing: pip install 'swinkit[{name}]'"
            )


def options_to_begin(
    name: str, run: Path, series: dict[str, Any] | None, progress: Progress
) -> dict[str, Any]:
    """Return the options that a tracker begins with, new or to continue `series`."""
    title = run.absolute().name
    unique = f"{title}-{secrets.token_hex(4)}"
    match name:
        case "tensorboard":  # what was logged after the checkpoint is about to be logged again
            return {} if series is None else {"purge_step": progress.updates + 1}
        case "wandb":  # which would else take hold of the terminal, and garble the bar
            own = {"dir": os.environ.get("WANDB_DIR", str(run)), "settings": {"console": "off"}}
            return {"name": title, "resume": "allow", **own, **(series or {"id": unique})}
        case "trackio":
            return {"resume": "allow", **(series or {"name": unique})}
        case _:
            return series or {"run_name": title}


def identity(tracker: Any, told: dict[str, Any]) -> dict[str, Any]:
    """Return the identity of the series of a tracker that has begun."""
    if tracker.name == "mlflow":
        return {"run_id": tracker.tracker.info.run_id}
    return {name: told[name] for name in {"wandb": ("id",), "trackio": ("name",)}.get(tracker.name, ())}


def flat(settings: Mapping[str, Any]) -> dict[str, Plain]:
    """Return nested settings by their dotted names, in the plain types that all trackers take."""
    return dict(iterate_flat(settings))


def iterate_flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Plain]]:
    """Yield the settings of `flat` one at a time."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from iterate_flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, Plain) else json.dumps(value)


def first_line(error: Exception) -> str:
    """Return the first line of an error."""
    return (str(error).splitlines() or [type(error).__name__])[0]
