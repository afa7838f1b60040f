"""One notebook in a kernel of its own, through papermill: progress, time limit, and errors in plain words."""

from __future__ import annotations

import errno
import logging
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

from ..files import in_a_sentence
from ..notebooks import NotebookError, default_parameters
from ..notebooks.cells import sections
from ..notebooks.provenance import peak_memory_mb

START_TIMEOUT = 120  # seconds for a kernel to answer; a busy machine needs more than papermill's 60
WRONG_KERNEL = ("If it is installed, the kernel is that of another Python: `python -m ipykernel install --user`, with this "
                "command's own python, puts that right.")
NO_MEMORY = re.compile(
    r"\bMemoryError|OutOfMemoryError|out of memory|can't allocate memory|unable to allocate|_STATUS_ALLOC_FAILED", re.I
)
SIZES = ("models_at_once", "batch_size", "n_hidden", "width", "model_size", "subjects")  # what memory grows with
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# CellTimeoutError is an OSError, DeadKernelError and a kernel that does not start are RuntimeErrors
STOPS = (papermill.PapermillExecutionError, OSError, RuntimeError, NoSuchKernel, KeyboardInterrupt)
log = logging.getLogger("eegemo.kernel")
log.addHandler(logging.NullHandler())  # RunError says once what goes wrong


def is_news(record: logging.LogRecord) -> bool:
    """Say whether asyncio tells more than that a kernel ended whose run was interrupted."""
    return not (record.exc_info and isinstance(record.exc_info[1], DeadKernelError))


logging.getLogger("asyncio").addFilter(is_news)


class RunError(RuntimeError):
    """A run that did not finish: which notebook, which section, what happened, what to do.

    Attributes
    ----------
    status : str
        "failed" (a cell raised), "killed" (the kernel died), "time limit", "interrupted", "disk" or
        "no kernel".
    cell : int or None
        Which code cell it was, counted from 1; None before the first.
    """

    def __init__(self, message: str, status: str, cell: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.cell = cell


@dataclass
class Watch:
    """What is known of a run while it goes: where it is, since when, how much memory its kernel has held."""

    progress: Callable[..., None]
    time_limit: float | None = None
    started: float = field(default_factory=time.monotonic)
    peak_memory_mb: int | None = None
    cell: int | None = None
    section: str = ""
    shown: str | None = None
    since: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.started

    def remaining(self, _cell: object = None) -> float | None:
        """Return the seconds left, never 0 (which nbclient takes for "no limit"), or None without a limit."""
        return None if self.time_limit is None else max(0.01, self.time_limit - self.seconds)

    @property
    def is_over(self) -> bool:
        """Whether the time limit has passed."""
        return self.time_limit is not None and self.seconds >= self.time_limit

    def enter(self, cell: int, section: str) -> None:
        """Note that a code cell starts; a new section ends the last one's line and begins its own."""
        self.cell, self.section = cell, section
        if section != self.shown:
            self.leave()
            self.shown, self.since = section, self.seconds
            self.progress(f"  {section or 'start'} ...", end="", flush=True)

    def leave(self, prefix: str = "") -> None:
        """End the line of the current section with the time it took."""
        if self.shown is not None:
            self.progress(f" {prefix}{self.seconds - self.since:.1f} s", flush=True)
        self.shown = None

    def measure(self, pid: int | None) -> None:
        """Note how much memory the kernel has held so far."""
        now = peak_memory_mb(pid) if pid else None
        if now:
            self.peak_memory_mb = max(now, self.peak_memory_mb or 0)


class WatchedManager(NotebookExecutionManager):
    """papermill's record of a run, saved after each cell, which also tells a Watch about each code cell."""

    def __init__(self, nb: NotebookNode, output_path: str, watch: Watch) -> None:
        super().__init__(nb, output_path=output_path, progress_bar=False)
        self.watch = watch
        self.sections = sections(nb.cells)

    def cell_start(self, cell: NotebookNode, cell_index: int, **kwargs: object) -> None:
        """Note the start of a cell."""
        if cell.cell_type == "code":
            number = sum(each.cell_type == "code" for each in self.nb.cells[: cell_index + 1])
            self.watch.enter(number, self.sections[cell_index])
        super().cell_start(cell, cell_index, **kwargs)


class WatchedClient(PapermillNotebookClient):
    """papermill's client, which also looks at the kernel's memory after each cell."""

    def execute_cell(self, cell: NotebookNode, cell_index: int, **kwargs: object) -> NotebookNode:
        """Execute a cell, then measure; a kernel that has died has nothing left to measure."""
        try:
            return super().execute_cell(cell, cell_index, **kwargs)
        finally:
            provisioner = getattr(self.km, "provisioner", None)
            self.nb_man.watch.measure(getattr(getattr(provisioner, "process", None), "pid", None))


class WatchedEngine(Engine):
    """papermill's engine with a limit on the whole run, an environment for the kernel, and progress."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str,
        *,
        watch: Watch,
        env: dict[str, str],
        kernel_log: TextIO,
        **_unused: object,
    ) -> NotebookNode:
        """Run every cell of a notebook."""
        manager = WatchedManager(nb, output_path, watch)
        manager.notebook_start()
        try:
            client = WatchedClient(
                manager,
                kernel_name=kernel_name,
                startup_timeout=math.ceil(min(START_TIMEOUT, watch.remaining() or START_TIMEOUT)),
                timeout_func=watch.remaining,
                iopub_timeout=60,  # the default of 4 s is too short for a large output on a busy machine
                coalesce_streams=True,
                log=log,
            )
            client.execute(env=env, stdout=kernel_log, stderr=kernel_log)
        finally:
            manager.notebook_complete()
        return manager.nb


papermill_engines.register("eegemo", WatchedEngine)


def kernel_environment(out: Path) -> dict[str, str]:
    """Return the environment of a kernel whose results go to ``out``."""
    env = {**os.environ, "EEGEMO_OUT": str(out.resolve()), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    env.setdefault("TQDM_DISABLE", "1")  # a bar that nobody watches is a page of noise in the notebook
    # Threads that spin while they wait make small networks 20 times slower as soon as two runs share the cores.
    env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if env.get("EEGEMO_DATA"):
        env["EEGEMO_DATA"] = str(Path(env["EEGEMO_DATA"]).resolve())
    return env


def literal(path: Path) -> str:
    """Return a path as papermill takes it: it would fill in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def execute(
    source: Path,
    target: Path,
    watch: Watch,
    *,
    parameters: dict[str, object],
    out: Path,
    cwd: Path | None = None,
) -> None:
    """Execute a notebook into another file, saved after every cell.

    Parameters
    ----------
    source, target : pathlib.Path
        The notebook, and where its executed copy goes; it holds what was reached when a run breaks off.
    watch : Watch
        Takes the progress; its time limit is that of the whole run.
    parameters : dict
        Put in after the cell tagged ``parameters``; with none, no cell is added.
    out : pathlib.Path
        The kernel's EEGEMO_OUT.
    cwd : pathlib.Path, optional
        The kernel's working folder, by default this process's.

    Raises
    ------
    RunError
        When the run did not reach its end.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as kernel_log:
        try:
            papermill.execute_notebook(
                literal(source),
                literal(target),
                parameters or None,
                engine_name="eegemo",
                progress_bar=False,
                cwd=cwd,
                watch=watch,
                env=kernel_environment(out),
                kernel_log=kernel_log,
            )
        except STOPS as error:
            watch.leave("stopped after ")
            kernel_log.seek(0)
            raise explain(error, source, watch, kernel_log.read(), parameters) from error
    watch.leave()


def what_to_lower(source: Path, parameters: Mapping[str, object]) -> str:
    """Return what makes a run smaller: those parameters of its notebook that memory grows with, and their values."""
    try:
        values = default_parameters(source) | dict(parameters)
    except NotebookError:
        values = {}
    found = [f"{name} (now {value})" for size in SIZES for name, value in values.items() if name.endswith(size)]
    smaller = f"Lower {' or '.join(found)}" if found else "Choose smaller parameters"
    cuda = " or, on CUDA, give precision bf16" if "precision" in values else ""
    return f"{smaller}{cuda}; close other programs that use this memory; then run it again."


def explain(
    error: BaseException, source: Path, watch: Watch, kernel_log: str, parameters: Mapping[str, object]
) -> RunError:
    """Turn what papermill and nbclient raise into a RunError of one paragraph."""
    section = f", section '{watch.section}'" if watch.section else ""
    place = f"In [{watch.cell}]{section}" if watch.cell else "before its first cell"
    where = f"{source.name}, {place}"
    after = f"after {watch.seconds:.0f} s"
    if isinstance(error, KeyboardInterrupt):
        return RunError(f"{where}: interrupted {after}. Run it again to go on.", "interrupted", watch.cell)
    if isinstance(error, papermill.PapermillExecutionError):
        line = COLOUR.sub("", f"{error.ename}: {error.evalue}").strip()
        if NO_MEMORY.search(line):
            what = "The GPU's memory" if "cuda" in line.lower() else "Memory"
            advice = what_to_lower(source, parameters)
            line = f"{' '.join(line.split())[:200].rstrip('. ')}. {what} has run out. {advice}"
        if error.ename == "ModuleNotFoundError":
            line += f". {WRONG_KERNEL}"
        return RunError(f"{where}: the cell raised {line}", "failed", watch.cell)
    if isinstance(error, CellTimeoutError) or (isinstance(error, RuntimeError) and watch.is_over):
        limit = f"the time limit of {watch.time_limit:g} s for the whole run was reached"
        return RunError(f"{where}: {limit}. Give it more, or choose smaller parameters.", "time limit", watch.cell)
    if isinstance(error, DeadKernelError):
        words = [line for line in kernel_log.splitlines() if not line.startswith("[IPKernelApp]")]  # its settings
        said = " ".join(" ".join(words).split())[-300:]
        last = f" Its last words: {said}" if said else ""
        advice = f"Most often memory has run out. {what_to_lower(source, parameters)}"
        return RunError(f"{where}: the kernel died {after}. {advice}{last}", "killed", watch.cell)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = " Make room on that disk and run it again." if full else ""
        said = in_a_sentence(error).rstrip(".")
        return RunError(f"{where}: could not write: {said}.{advice}", "disk", watch.cell)
    return RunError(f"{where}: no answer from the kernel: {error}", "no kernel", watch.cell)
