"""What the folder of one run says of itself, damaged or not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

STATUSES = ("done", "failed", "damaged", "left")
SWEEP, MARKER, RESULT, ERROR = "sweep.json", "run.json", "metrics.json", "error.json"
MARKS = {MARKER, RESULT, ERROR}
INSIDE = {"previous", "figures", "checkpoints"}  # of a run folder: what lies there is not a run of its own
KINDS_OF_DATA = {
    "emotion": "emotion data",
    "simulated": "simulated data, which say nothing about emotion",
    "not emotion": "real EEG without emotions",
    "unknown": "recordings whose labels are not known to be emotions",
}
EMOTION = {"faced", "deap", "dreamer", "seed", "seed_iv", "seed_v", "mped", "emotions"}
NOT_EMOTION = {"eegmat", "tuab", "tuev", "mobi"}
# what `eegemo run` adds for whoever sits at that machine: folders there
ADVICE = re.compile(r" (?:What was reached|Training goes on|The last finished run is) (?:is in|from|in) .*$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Damaged(ValueError):
    """A file of a run that cannot be used: which, what was expected, what was found."""


def kind_of_data(parameters: dict[str, object], provenance: dict[str, object]) -> str:
    """Return what a run's scores come from: a key of KINDS_OF_DATA.

    A dataset's own files may hold simulated recordings too: then their ``description`` in the provenance begins
    with "simulated", and wins over the dataset's name.
    """
    dataset = str(parameters.get("dataset", provenance.get("dataset", "")))
    if dataset == "simulated" or str(provenance.get("description", "")).startswith("simulated"):
        return "simulated"
    return "emotion" if dataset in EMOTION else "not emotion" if dataset in NOT_EMOTION else "unknown"


def no_constant(name: str) -> None:
    """Refuse NaN and infinity, which are no JSON and no result."""
    raise ValueError(f"it holds {name}")


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON object in a file, or raise Damaged."""
    try:
        found = json.loads(path.read_bytes(), parse_constant=no_constant)
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise Damaged(f"{path.name} is damaged, not whole JSON: {reason}; run it again") from error
    if not isinstance(found, dict):
        raise Damaged(f"{path.name}: expected an object, found {type(found).__name__}; run it again")
    return found


def read_result(path: Path) -> dict[str, object]:
    """Return a checked metrics.json, or raise Damaged."""
    found = read_json(path)
    if not isinstance(found.get("notebook"), str):
        raise Damaged(f"{path.name}: expected the notebook's name under 'notebook', found "
                      f"{found.get('notebook')!r:.40}")
    for part in ("metrics", "parameters", "provenance"):
        if not isinstance(found.setdefault(part, {}), dict):
            raise Damaged(f"{path.name}: expected names and values under {part!r}, found {found[part]!r:.40}")
    return found


def is_whole(notebook: Path) -> bool:
    """Say whether a notebook ends as one does; to parse megabytes of ten thousand runs would take minutes."""
    with notebook.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 16))
        return file.read().rstrip().endswith(b"}")


def reason_in(notebook: Path) -> tuple[str, int | None]:
    """Return the error that a failed notebook stopped at, in one line, and its cell, In [number]."""
    cell = None
    try:
        for each in json.loads(notebook.read_bytes())["cells"]:
            cell = each.get("execution_count") or cell
            for output in each.get("outputs", ()):
                if output.get("output_type") == "error":
                    return one_line(f"{output.get('ename')}: {output.get('evalue')}"), cell
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{notebook.name} cannot be read: {' '.join(str(error).split())}", None
    return "stopped before its end: out of time, killed or interrupted", cell


def one_line(text: object) -> str:
    """Return the reason of a failure in one line, without the machine's folders."""
    return ADVICE.sub("", " ".join(COLOUR.sub("", str(text)).split()))


def find(root: Path) -> tuple[list[tuple[Path, set[str]]], list[Path], list[str]]:
    """Return the run folders below a folder with the names in them, the sweep files, and what could not be read."""
    runs, sweeps, problems, stack = [], [], [], [root]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            problems.append(f"{relative(folder, root)}: cannot be read: {error.strerror}")
            continue
        names = {name for name, _ in found}
        if names & MARKS:
            runs.append((folder, names))
        if SWEEP in names:
            sweeps.append(folder / SWEEP)
        skipped = INSIDE if names & MARKS else ()
        stack += [folder / name for name, is_folder in found
                  if is_folder and name not in skipped and not name.startswith(".")]
    return sorted(runs), sorted(sweeps), problems


def relative(path: Path, root: Path) -> str:
    """Return a path as it is told to readers: below the collected folder, with that folder's own name for itself."""
    inside = path.relative_to(root).as_posix()
    return root.name if inside == "." else inside


def read_run(folder: Path, names: set[str], root: Path) -> tuple[dict[str, object], list[str]]:
    """Return the row of a run folder, and a line for each file in it that is damaged."""
    row: dict[str, object] = {"run": relative(folder, root)}
    problems: list[str] = []

    def attempt(read, name):
        try:
            return read(folder / name) if name in names else {}
        except Damaged as error:
            problems.append(f"{row['run']}: {error}")
            return None

    marker = attempt(read_json, MARKER) or {}
    result = attempt(read_result, RESULT)
    error = attempt(read_json, ERROR) or {}
    known = {**marker, **(result or {})}
    row |= {"notebook": known.get("notebook"), "code": marker.get("code"),
            "parameters": known.get("parameters") if isinstance(known.get("parameters"), dict) else {},
            "provenance": known.get("provenance", {})}
    row |= {name: known[name] for name in ("seconds", "peak_memory_mb", "fingerprint") if name in known}
    row |= state(folder, names, result, error)
    if row["status"] == "done":
        row["metrics"] = result["metrics"]
    elif row["status"] == "damaged" and not problems:
        problems.append(f"{row['run']}: {row['reason']}")
    elif row["status"] == "damaged":
        row["reason"] = problems[-1].partition(": ")[2]
    return row, problems


def state(folder: Path, names: set[str], result: dict | None, error: dict) -> dict[str, object]:
    """Return the status of a run, and for all but a finished one the reason."""
    if result is None:
        return {"status": "damaged"}
    if result:
        notebook = f"{result['notebook']}.ipynb"
        if notebook not in names:
            return {"status": "damaged", "reason": f"{RESULT} is there, but {notebook}, which marks a finished run, "
                                                   "is not; run it again"}
        if not is_whole(folder / notebook):
            return {"status": "damaged", "reason": f"{notebook} is cut off; run it again"}
        return {"status": "done"}
    failed = next((name for name in sorted(names) if name.endswith(".failed.ipynb")), None)
    if error:
        facts = {name: error.get(name) for name in ("kind", "cell", "attempts")}
        return {"status": "failed", "reason": one_line(error.get("error", "no reason given")), **facts}
    if failed:
        reason, cell = reason_in(folder / failed)
        return {"status": "failed", "reason": reason, "cell": cell}
    at_work = any(name.endswith(".partial.ipynb") for name in names)
    return {"status": "left", "reason": "at work, or broken off" if at_work else "begun, and left nothing to read"}
