"""What is done and what is left: read from the folders of the runs, so that it survives everything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..notebooks import default_parameters
from ..notebooks.provenance import package_fingerprint
from ..runs import states
from ..runs.folders import identity, write_json
from ..runs.states import ERROR
from .files import Run

SWEEP = "sweep.json"


@dataclass
class Outcome:
    """What became of a run.

    Attributes
    ----------
    status : str
        One of ``eegemo_utils.runs.states.STATUSES``.
    why : str
        Why it is to be run: "new", "changed epochs 3 -> 4", what is damaged, ...; "" otherwise.
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

    @property
    def to_run(self) -> bool:
        """Whether the sweep runs it."""
        return self.status in ("left", "damaged")


@dataclass(frozen=True)
class Code:
    """What runs of one notebook are made by: its identity without parameters, defaults, this package's code.

    ``fingerprint`` is called when there is a finished run to compare with: it takes half a second.
    """

    identity: dict[str, object]
    defaults: dict[str, object]
    fingerprint: Callable[[], str]


def code_of(source: Path, fingerprint: Callable[[], str]) -> Code:
    """Return what runs of a notebook are made by now."""
    return Code(identity(source, {}), default_parameters(source), fingerprint)


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
    found = states.look(out / run.name)
    if found.status == "damaged":
        return Outcome("damaged", found.reason or "")
    if found.status == "failed":
        return Outcome(why=f"failed before ({found.facts.get('kind') or 'raised'})")
    if found.status == "left":
        return Outcome(why=found.reason if found.marker else "new")
    changed = changes(run, found, code)
    if changed:
        return Outcome(why=f"changed {', '.join(changed)}")
    return Outcome("done", "", 1, found.result.get("seconds"), found.result.get("peak_memory_mb"))


def changes(run: Run, found: states.State, code: Code) -> list[str]:
    """Return what tells a finished run from the one that is wanted now."""
    before, now = found.result["parameters"], json.loads(json.dumps(code.defaults | run.parameters))
    names = [name for name in {**now, **before} if name not in now or name not in before or now[name] != before[name]]
    changed = [f"{name} {shown(name, before)} -> {shown(name, now)}" for name in names]
    if {**found.marker, "parameters": {}} != code.identity:
        changed.append("the notebook's code")
    if found.result.get("fingerprint") != code.fingerprint():
        changed.append("the package's code")
    return changed


def shown(name: str, values: Mapping[str, object]) -> str:
    """Return a parameter's value for a line, "none" where there is no such parameter."""
    return repr(values[name]) if name in values else "none"


def what_cannot_run(runs: Sequence[Run]) -> list[str]:
    """Return a line for each problem for which runs cannot start."""
    having: dict[str, list[str]] = {}
    for run in runs:
        if run.problem:
            having.setdefault(run.problem, []).append(run.name)
    return [f"cannot run: {with_others(names[0], len(names))}: {why}" for why, names in having.items()]


def with_others(first: str, count: int) -> str:
    """Return the first of some names, and how many more there are."""
    return f"{first} and {count - 1} more" if count > 1 else first


def what_changed(runs: Sequence[Run], outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return a line for each reason for which finished runs are run again."""
    reasons: Counter[str] = Counter()
    first: dict[str, str] = {}
    for run in runs:
        outcome = outcomes[run.name]
        if outcome.status == "damaged" or outcome.why.startswith("changed"):
            reasons[outcome.why] += 1
            first.setdefault(outcome.why, run.name)
    return [f"again: {with_others(first[why], count)}: {why}" for why, count in reasons.items()]


def look_at_all(runs: Sequence[Run], out: Path) -> dict[str, Outcome]:
    """Return the outcome of each run by its name; one that cannot be run has failed already."""
    fingerprint = cache(package_fingerprint)
    codes = {source: code_of(source, fingerprint) for source in {run.source for run in runs}}
    before = attempts_before(out)
    found = {}
    for run in runs:
        if run.problem:
            found[run.name] = Outcome("failed", attempts=0, kind=run.kind, error=run.problem)
            continue
        found[run.name] = look(run, out, codes[run.source])
        if found[run.name].status == "done":
            found[run.name].attempts = before.get(run.name, 1)
    return found


def attempts_before(out: Path) -> dict[str, int]:
    """Return how often each run was started, as an earlier call wrote it down."""
    try:
        entries = states.read_json(out / SWEEP).get("runs", ())
        return {entry["name"]: max(1, entry.get("attempts") or 1) for entry in entries if entry.get("status") == "done"}
    except (states.Damaged, TypeError, KeyError, AttributeError):
        return {}


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
