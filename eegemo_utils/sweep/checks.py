"""What is looked at before the first run, by a sweep and by its dry run alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from ..files import take_lock
from ..notebooks import ParameterError, default_parameters
from ..runs.folders import MARKER
from ..runs.start import asked_for, cannot_start, check_writable
from .files import Run

LOCK = ".sweep.lock"


def check_folder(out: Path) -> None:
    """Raise ParameterError when a sweep's results cannot go to a folder; nothing is left behind there."""
    check_writable(out)
    if (out / MARKER).exists():
        raise ParameterError(f"{out} is a run. Give a folder for the whole sweep.")


def check_alone(out: Path) -> None:
    """Raise ParameterError where another sweep is at work in a folder."""
    if (out / LOCK).exists():
        locked(out).release()


def locked(out: Path) -> FileLock:
    """Return the lock of a sweep's folder, taken; raise ParameterError where another sweep has it."""
    return take_lock(out / LOCK, ParameterError(f"Another sweep is at work in {out}. Wait for it, or give --out."))


def check_any(runs: Sequence[Run]) -> None:
    """Raise ParameterError when no run can start."""
    if all(run.problem for run in runs):
        raise ParameterError(f"No run can start, and the first, {runs[0].name}, because: {runs[0].problem}")


def with_data(runs: Sequence[Run]) -> list[Run]:
    """Return the runs, those that cannot start here, for their recordings, weights or device, with why as a problem."""
    defaults = {source: default_parameters(source) for source in {run.source for run in runs}}
    faults: dict[str, str] = {}
    checked = []
    for run in runs:
        values = defaults[run.source] | run.parameters
        wanted = repr((asked_for(values), "dataset" in run.parameters))
        if wanted not in faults:
            faults[wanted] = cannot_start(values, run.parameters)
        found = not run.problem and faults[wanted]
        checked.append(replace(run, problem=found, kind="data") if found else run)
    return checked
