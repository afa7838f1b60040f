"""What a worker does: one run in a folder of its own, tried again when its kernel dies."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil

from .. import runs
from ..notebooks import NotebookError, ParameterError
from ..notebooks.provenance import package_fingerprint
from ..runs import states
from ..runs.folders import MARKER, FolderInUse, write_json
from ..runs.states import ERROR
from ..values import one_line
from .files import Run
from .state import Outcome, code_of, look, write_error

PATIENCE = 60  # seconds for a run on a worker that is being ended to let go of its folder
LONGEST = 600  # characters of a message
DEATHS = 2  # after so many deaths of its process a run is tried once more; then it has failed
KINDS = {"failed": "raised", "time limit": "timeout", "killed": "killed", "disk": "disk", "no kernel": "killed"}
STOPPING = threading.Event()


def quiet(*_words: object, **_how: object) -> None:
    """Take the lines of progress of a run that nobody watches."""


def attempt(task: dict[str, object]) -> Outcome:
    """Run a notebook once and return what became of it; a failure is an outcome, not an exception."""
    started = time.monotonic()
    folder = Path(task["folder"])

    def failed(kind: str, error: Exception, cell: int | None = None) -> Outcome:
        seconds = round(time.monotonic() - started, 1)
        return Outcome("failed", seconds=seconds, kind=kind, error=one_line(error, LONGEST), cell=cell)

    try:
        clear(folder, Path(task["source"]).stem)
        result = run_when_free(task, folder)
    except runs.RunError as error:
        return failed(KINDS.get(error.status, "killed"), error, error.cell)
    except NotebookError as error:
        return failed("parameters", error)
    except ParameterError as error:  # the sweep has checked the parameters: this is about the folder
        return failed("disk", error)
    except OSError as error:
        return failed("disk", error)
    return Outcome("done", seconds=result.seconds, peak_memory_mb=result.peak_memory_mb)


def run_when_free(task: dict[str, object], folder: Path) -> runs.RunResult | Outcome:
    """Run a notebook, after waiting for another run to leave its folder where one is at work there."""
    began = time.monotonic()
    while True:
        done = done_meanwhile(task, folder)
        if done is not None:
            return done
        try:
            return runs.run_notebook(
                task["source"], task["parameters"], out=folder, time_limit=task["time_limit"], progress=quiet
            )
        except FolderInUse:
            if time.monotonic() - began > PATIENCE:
                raise
            time.sleep(0.5)


def done_meanwhile(task: dict[str, object], folder: Path) -> Outcome | None:
    """Return the outcome of a run that another worker has finished since the sweep began; None for any other.

    When a worker dies, Dask may hand one run to two of those that are left.
    """
    if states.look(folder).status != "done":
        return None
    run = Run(folder.name, Path(task["source"]), task["parameters"])
    found = look(run, folder.parent, code_of(run.source, package_fingerprint))
    return found if found.status == "done" else None


def clear(folder: Path, paper: str) -> None:
    """Take away what a run of this sweep may have left that ``run_notebook`` would not take for a run's folder."""
    (folder / ERROR).unlink(missing_ok=True)
    found = states.look(folder)
    if found.status == "damaged" and not found.marker:
        write_json(folder / MARKER, {"notebook": paper})


def work(task: dict[str, object]) -> Outcome:
    """Run one run of a sweep on a Dask worker.

    Parameters
    ----------
    task : dict
        ``name``, ``source``, ``parameters``, ``folder``, ``time_limit``, ``cwd``, ``environment`` (for the kernel),
        ``topic`` (of the message that it sends when it starts).

    Returns
    -------
    Outcome
        Also of a run that failed. "left" when the sweep was stopped meanwhile.
    """
    os.chdir(task["cwd"])
    os.environ.update(task["environment"])
    for number in range(1, DEATHS + 2):
        tell_start(task)
        outcome = attempt(task)
        outcome.attempts = number
        if STOPPING.is_set() and outcome.status == "failed":
            return Outcome(attempts=number, seconds=outcome.seconds)
        if outcome.kind != "killed":
            break
    if outcome.status == "failed":
        write_error(Path(task["folder"]), outcome)
    return outcome


def tell_start(task: dict[str, object]) -> None:
    """Tell the sweep that a run starts, so that one whose worker dies is counted too."""
    from distributed import get_worker

    get_worker().log_event(task["topic"], {"name": task["name"], "pid": os.getpid()})


def stop_runs() -> None:
    """End the kernels of this worker: what was reached is kept as after any run that was interrupted."""
    STOPPING.set()
    for child in psutil.Process().children():
        try:
            if "ipykernel" in " ".join(child.cmdline()):
                child.kill()
        except psutil.Error:
            pass
