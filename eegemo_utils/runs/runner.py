"""One run of one notebook with parameters, and the table of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..notebooks import cast_parameters, default_parameters, notebook_path, read_metrics, read_provenance
from ..notebooks.metrics import as_text
from ..notebooks.provenance import package_fingerprint
from .engine import RunError, Watch, execute, explain
from .folders import RunFolder

TABLE_PARAMETERS = ("dataset", "protocol")
TABLE_METRICS = ("accuracy_published", "accuracy_by_trial", "accuracy_by_subject", "chance")


@dataclass
class RunResult:
    """What a run came to.

    Attributes
    ----------
    name : str
        The notebook.
    status : str
        "finished", or the status of a RunError.
    path : pathlib.Path or None
        The executed notebook; None when the run did not finish.
    metrics : dict
        What the notebook recorded.
    seconds : float
        Time of the whole run, kernel start included.
    peak_memory_mb : int or None
        The most memory the kernel has held, MiB.
    parameters : dict
        All parameters of the run, defaults included.
    """

    name: str
    status: str
    path: Path | None = None
    metrics: dict[str, object] = field(default_factory=dict)
    seconds: float | None = None
    peak_memory_mb: int | None = None
    parameters: dict[str, object] = field(default_factory=dict)


def run_notebook(
    paper: str | Path,
    parameters: Mapping[str, object] | None = None,
    *,
    out: str | Path | None = None,
    device: str | None = None,
    time_limit: float | None = None,
    progress: Callable[..., None] = print,
) -> RunResult:
    """Run a notebook in a kernel of its own and leave its results in a folder.

    Parameters
    ----------
    paper : str or pathlib.Path
        A name ("gru") or the path of an .ipynb file.
    parameters : Mapping, optional
        Values in place of the notebook's defaults; texts are turned into what each parameter takes.
    out : str or pathlib.Path, optional
        The folder, by default ``runs/<paper>``. ``eegemo_utils.runs.folders`` says what lies in it when.
    device : str, optional
        Short for the parameter ``device``.
    time_limit : float, optional
        Seconds for the whole run.
    progress : callable, optional
        Takes the lines of progress, called as ``print`` is.

    Raises
    ------
    NotebookError, ParameterError
        Before a kernel starts and anything is written: no such notebook, or parameters that it does not take.
    RunError
        When the run did not finish. What was reached is in ``<paper>.failed.ipynb``, checkpoints stay, and no
        file looks like that of a finished run.
    """
    source = notebook_path(paper).resolve()
    given = cast_parameters(source, {**(parameters or {}), **({"device": device} if device else {})})
    everything = default_parameters(source) | given
    folder = RunFolder(Path(out) if out else Path("runs", source.stem), source, everything)
    watch = Watch(progress, time_limit)
    # before: the code may be edited while a long run goes on; beside: the kernel takes as long to start
    beside = ThreadPoolExecutor(1)
    fingerprint = beside.submit(package_fingerprint)
    try:
        if folder.begin():
            progress(f"  going on from the checkpoints in {folder.checkpoints}")
        execute(source, folder.partial, watch, parameters=given, out=folder.out)
        return finished(folder, watch, everything, fingerprint.result())
    except RunError as error:
        raise given_up(error, folder) from error.__cause__
    except OSError as error:
        raise given_up(explain(error, source, watch, "", given), folder) from error
    finally:
        beside.shutdown(wait=False)
        folder.release()


def finished(folder: RunFolder, watch: Watch, parameters: dict[str, object], fingerprint: str) -> RunResult:
    """Write the summary of a run that reached its end, and tell its time and memory."""
    name, metrics = folder.finished.stem, read_metrics(folder.partial)
    cost = {"seconds": round(watch.seconds, 1), "peak_memory_mb": watch.peak_memory_mb}
    provenance = read_provenance(folder.partial)
    made_by = {"provenance": provenance, "fingerprint": fingerprint}
    folder.finish({"notebook": name, "metrics": metrics, "parameters": parameters, **made_by, **cost})
    memory = f", {watch.peak_memory_mb} MB at most" if watch.peak_memory_mb else ""
    watch.progress(f"  finished in {watch.seconds:.1f} s{memory}: {folder.finished}")
    return RunResult(name, "finished", folder.finished, metrics, parameters=parameters, **cost)


def given_up(error: RunError, folder: RunFolder) -> RunError:
    """Return the error with what is left to read or to go on from."""
    try:
        kept = folder.give_up()
    except OSError:
        kept = None
    end = "" if str(error).rstrip().endswith((".", "!", "?")) else "."
    left = f"{end} What was reached is in {kept}." if kept else end
    if folder.checkpoints.is_dir():
        left += f" Training goes on from {folder.checkpoints} when it is run again."
    if (folder.out / "previous").is_dir():
        left += f" The last finished run is in {folder.out / 'previous'}."
    return RunError(f"{error}{left}", error.status, error.cell)


def results_table(results: Sequence[RunResult]) -> str:
    """Return one table over runs: notebook, dataset, protocol, status, time, memory, the audit's accuracies, chance."""
    header = ("notebook", *TABLE_PARAMETERS, "status", "time", "memory", *TABLE_METRICS)
    rows = [header]
    for result in results:
        time = "–" if result.seconds is None else f"{result.seconds:.0f} s"
        memory = "–" if result.peak_memory_mb is None else f"{result.peak_memory_mb} MB"
        values = (result.metrics.get(name) for name in TABLE_METRICS)
        numbers = (f"{value:.3f}" if isinstance(value, float) else as_text(value) for value in values)
        settings = (str(result.parameters.get(name, "–")) for name in TABLE_PARAMETERS)
        rows.append((result.name, *settings, result.status, time, memory, *numbers))
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows)
