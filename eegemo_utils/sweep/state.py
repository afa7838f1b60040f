"""What is done and what is left: read from the folders of the runs, so that it survives everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..notebooks import read_parameters
from ..notebooks.provenance import package_fingerprint
from ..runs.folders import MARKER, identity, write_json
from .files import Run

SWEEP, ERROR = "sweep.json", "error.json"


@dataclass
class Outcome:
    """What became of a run.

    Attributes
    ----------
    status : str
        "done", "failed" or "left".
    why : str
        Why it is left, before it is run: "new", "changed code", ...; "" otherwise.
    attempts : int
        How often it was started.
    seconds, peak_memory_mb : float, int or None
        Time and memory of the last attempt.
    kind, error, cell : str, str, int or None
        Of a failed run; see ``eegemo_utils.sweep``.
    """

    status: str = "left"
    why: str = ""
    attempts: int = 0
    seconds: float | None = None
    peak_memory_mb: int | None = None
    kind: str | None = None
    error: str | None = None
    cell: int | None = None


@dataclass(frozen=True)
class Code:
    """What runs of one notebook are made by: its identity without parameters, defaults, this package's code."""

    identity: dict[str, object]
    defaults: dict[str, object]
    fingerprint: str


def code_of(source: Path, fingerprint: str) -> Code:
    """Return what runs of a notebook are made by now."""
    defaults = {name: parameter.default for name, parameter in read_parameters(source).items()}
    return Code(identity(source, {}), defaults, fingerprint)


def read_json(path: Path) -> object:
    """Return what a JSON file holds, None when there is no such file, "damaged" when it is none."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return "damaged"


def look(run: Run, out: Path, code: Code) -> Outcome:
    """Return whether a run is done and unchanged, judged by what lies in its folder.

    Parameters
    ----------
    run : Run
        What should be there.
    out : pathlib.Path
        The sweep's folder.
    code : Code
        What would make it now.
    """
    folder = out / run.name
    marker, metrics = read_json(folder / MARKER), read_json(folder / "metrics.json")
    notebook = read_json(folder / f"{run.source.stem}.ipynb")
    if marker is None or notebook is None:
        before = read_json(folder / ERROR)
        failed = isinstance(before, dict) and before.get("kind")
        return Outcome(why=f"failed before ({before['kind']})" if failed else "new" if marker is None else "unfinished")
    if not all(isinstance(part, dict) for part in (marker, metrics, notebook)) or not notebook.get("cells"):
        return Outcome(why="damaged")
    changed = [
        what
        for what, same in {
            "parameters": metrics.get("parameters") == json.loads(json.dumps(code.defaults | run.parameters)),
            "notebook": {**marker, "parameters": {}} == code.identity,
            "code": metrics.get("fingerprint") == code.fingerprint,
        }.items()
        if not same
    ]
    if changed:
        return Outcome(why=f"changed {' and '.join(changed)}")
    return Outcome("done", "", 1, metrics.get("seconds"), metrics.get("peak_memory_mb"))


def look_at_all(runs: Sequence[Run], out: Path) -> dict[str, Outcome]:
    """Return the outcome of each run by its name; one whose parameters are wrong has failed already."""
    fingerprint = package_fingerprint()
    codes = {source: code_of(source, fingerprint) for source in {run.source for run in runs}}
    before = attempts_before(out)
    found = {}
    for run in runs:
        if run.problem:
            found[run.name] = Outcome("failed", attempts=0, kind="parameters", error=run.problem)
            continue
        found[run.name] = look(run, out, codes[run.source])
        if found[run.name].status == "done":
            found[run.name].attempts = before.get(run.name, 1)
    return found


def attempts_before(out: Path) -> dict[str, int]:
    """Return how often each run was started, as an earlier call wrote it down."""
    content = read_json(out / SWEEP)
    entries = content.get("runs", ()) if isinstance(content, dict) else ()
    return {entry["name"]: max(1, entry.get("attempts") or 1) for entry in entries if entry.get("status") == "done"}


def write_sweep(out: Path, name: str, runs: Sequence[Run], outcomes: dict[str, Outcome]) -> None:
    """Write ``sweep.json``, whole or not at all."""
    entries = []
    for run in runs:
        outcome = outcomes[run.name]
        entries.append({
            "name": run.name,
            "notebook": run.source.stem,
            "parameters": run.parameters,
            "varied": list(run.varied),
            "status": outcome.status,
            "attempts": outcome.attempts,
            "seconds": outcome.seconds,
            "error": outcome.error,
        })  # fmt: skip
    notebooks = list(dict.fromkeys(run.source.stem for run in runs))
    write_json(out / SWEEP, {"sweep": name, "notebooks": notebooks, "runs": entries})


def write_error(folder: Path, outcome: Outcome) -> None:
    """Write ``error.json`` into the folder of a run that failed; on a full disk sweep.json's line must do."""
    facts = {name: getattr(outcome, name) for name in ("cell", "error", "kind", "attempts")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / ERROR, facts)
    except OSError:
        pass
