"""What became of a run, judged by its folder: one set of words for sweeps, tables and reports.

===========  =====================================================================================
``done``     whole: marker, metrics and notebook are there
``failed``   it ended in an error, and the reason is known
``damaged``  something that a finished run leaves is cut off, unreadable or gone; to be run again
``left``     not run yet, at work, or broken off
===========  =====================================================================================
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..values import is_number, one_line
from .folders import MARKER

STATUSES = ("done", "failed", "damaged", "left")
RESULT, ERROR = "metrics.json", "error.json"
MARKS = {MARKER, RESULT, ERROR}
# what `eegemo run` adds for whoever sits at that machine: folders there
ADVICE = re.compile(r" (?:What was reached|Training goes on|The last finished run is) (?:is in|from|in) .*$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Damaged(ValueError):
    """A file of a run that cannot be used: which, what was expected, what was found."""


@dataclass
class State:
    """What a folder says of its run.

    Attributes
    ----------
    status : str
        One of STATUSES.
    reason : str or None
        Of all but a finished one.
    facts : dict
        ``kind``, ``cell`` and ``attempts`` of a failure, as far as they are known.
    marker, result : dict
        ``run.json`` and ``metrics.json``, {} where they are not there or damaged.
    problems : list of str
        One line for each damaged file.
    """

    status: str = "left"
    reason: str | None = None
    facts: dict[str, object] = field(default_factory=dict)
    marker: dict[str, object] = field(default_factory=dict)
    result: dict[str, object] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def look(folder: Path, names: set[str] | None = None) -> State:
    """Return what became of the run of a folder.

    Parameters
    ----------
    folder : pathlib.Path
        May not be there.
    names : set of str, optional
        What lies in it, where that is known already.
    """
    if names is None:
        names = set(os.listdir(folder)) if folder.is_dir() else set()
    found = State()
    damaged = []

    def attempt(read: Callable[[Path], dict], name: str) -> dict:
        try:
            return read(folder / name) if name in names else {}
        except Damaged as error:
            found.problems.append(str(error))
            damaged.append(name)
            return {}

    found.marker, found.result = attempt(read_json, MARKER), attempt(read_result, RESULT)
    error = attempt(read_json, ERROR)
    bad = [line for name, line in zip(damaged, found.problems) if name != ERROR]
    notebook = f"{found.result.get('notebook') or found.marker.get('notebook')}.ipynb"
    if bad:
        found.status, found.reason = "damaged", bad[-1]
    elif found.result or notebook in names:
        found.reason = not_whole(folder, names, notebook)
        found.status = "damaged" if found.reason else "done"
        found.problems += [found.reason] if found.reason else []
    else:
        unfinished(found, folder, names, error)
    return found


def not_whole(folder: Path, names: set[str], notebook: str) -> str | None:
    """Return what a run that looks finished lacks; None for a whole one."""
    missing = [name for name in (MARKER, RESULT, notebook) if name not in names]
    if missing:
        there = next(name for name in (RESULT, notebook) if name in names)
        return f"{there} is there, but {missing[0]}, which belongs to a finished run, is not; run it again"
    try:
        return None if is_whole(folder / notebook) else f"{notebook} is cut off; run it again"
    except Damaged as error:
        return str(error)


def unfinished(found: State, folder: Path, names: set[str], error: dict[str, object]) -> None:
    """Say of a run that is not finished how far it came."""
    failed = next((name for name in sorted(names) if name.endswith(".failed.ipynb")), None)
    if error:
        found.status, found.reason = "failed", short_reason(error.get("error", "no reason given"))
        found.facts = {name: error.get(name) for name in ("kind", "cell", "attempts")}
    elif failed:
        found.status = "failed"
        found.reason, found.facts["cell"] = reason_in(folder / failed)
    elif any(name.endswith(".partial.ipynb") for name in names):
        found.reason = "at work, or broken off"
    else:
        found.reason = "begun, and left nothing to read" if names & MARKS else "not run yet"


def no_constant(name: str) -> None:
    """Refuse NaN and infinity, which are no JSON and no result."""
    raise ValueError(f"it holds {name}")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file of a run, or raise Damaged: one that cannot be read, or is a folder or a pipe, which never ends."""
    try:
        if path.exists() and not path.is_file():
            raise Damaged(f"{path.name} is no regular file; remove it and run it again")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read: {error.strerror}") from error


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON object in a file, or raise Damaged."""
    with opened(path) as file:
        content = file.read()
    try:
        found = json.loads(content, parse_constant=no_constant)
        if b"\\u" in content:  # halves of a letter, which JSON can spell and no file can hold
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path.name} is damaged, not whole JSON: {one_line(error)}; run it again") from error
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
    for cost in ("seconds", "peak_memory_mb"):
        if found.get(cost) is not None and not is_number(found[cost]):
            raise Damaged(f"{path.name}: expected a number under {cost!r}, found {found[cost]!r:.40}; run it again")
    return found


def is_whole(notebook: Path) -> bool:
    """Say whether a notebook ends as one does; to parse megabytes of ten thousand runs would take minutes.

    Written with a line for each value, it ends in the one brace that stands at the beginning of a line.
    """
    with opened(notebook) as file:
        many_lines = file.read(2) == b"{\n"
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 16))
        return file.read().rstrip().endswith(b"\n}" if many_lines else b"}")


def reason_in(notebook: Path) -> tuple[str, int | None]:
    """Return the error that a failed notebook stopped at, in one line, and its cell, In [number]."""
    cell = None
    try:
        with opened(notebook) as file:
            cells = json.load(file)["cells"]
        for each in cells:
            cell = each.get("execution_count") or cell
            for output in each.get("outputs", ()):
                if output.get("output_type") == "error":
                    return short_reason(f"{output.get('ename')}: {output.get('evalue')}"), cell
    except Damaged as error:
        return str(error), None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{notebook.name} cannot be read: {one_line(error)}", None
    return "stopped before its end: out of time, killed or interrupted", cell


def short_reason(text: object) -> str:
    """Return the reason of a failure in one line, without the machine's folders."""
    return ADVICE.sub("", one_line(COLOUR.sub("", str(text))))
