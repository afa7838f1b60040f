"""The tidy table over runs: made, typed, written."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..files import one_move
from ..notebooks.parameters import ParameterError
from ..runs.states import Damaged, read_json, short_reason
from ..values import is_number
from .comparisons import compare
from .folders import SWEEP, find, kind_of_data, read_run, relative
from .numbers import numbers_only
from .summaries import summarise

FIRST = ("run", "sweep", "notebook", "data", "status", "attempts", "seconds", "peak_memory_mb", "kind", "cell",
         "reason", "code", "fingerprint")
PARTS = ("parameters", "metrics", "provenance")
FROM_SWEEP = {"done": "damaged", "failed": "failed"}  # where there is no folder; any other is left


@dataclass
class Collection:
    """What lies below a folder.

    Attributes
    ----------
    table : DataFrame
        One row a run; columns as in `eegemo_utils.collect`.
    problems : list of str
        One line for each damaged file: which, what was expected, what was found.
    remarks : list of str
        One line for each recorded value that cannot be what its name says, see `numbers_only`.
    """

    table: pd.DataFrame
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def collect(root: str | Path) -> Collection:
    """Read every run below a folder; what is damaged is told, and the rest is read.

    Parameters
    ----------
    root : path
        A run folder, or one that holds run folders at any depth.

    Raises
    ------
    ParameterError
        No such folder, or no run in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise ParameterError(f"{root} is not a folder. Give the folder of a run, or one that holds runs.")
    root = root.absolute()
    folders, sweeps, problems = find(root)
    rows = []
    for folder, names in folders:
        row, found = read_run(folder, names, root)
        rows.append(row)
        problems += found
    rows, found = with_sweeps(rows, sweeps, root)
    if not rows:
        raise ParameterError(f"{root} holds no runs: no run.json, metrics.json or sweep.json is in it or below it.")
    rows = [flat(row) for row in rows]
    remarks = numbers_only(rows)
    return Collection(tidy(rows), problems + found, remarks)


def with_sweeps(rows: list[dict], sweeps: list[Path], root: Path) -> tuple[list[dict], list[str]]:
    """Return the rows with what the sweeps know of them, the runs that left no folder added."""
    by_name, problems = {row["run"]: row for row in rows}, []
    for path in sweeps:
        try:
            sweep = read_json(path)
            entries = sweep.get("runs")
            if not isinstance(entries, list) or not all(map(is_entry, entries)):
                raise Damaged(f"{SWEEP}: expected a list of runs with names under 'runs'; run the sweep again")
        except Damaged as error:
            problems.append(f"{relative(path.parent, root)}: {error}")
            continue
        for entry in entries:
            name = relative(path.parent / str(entry["name"]), root)
            row = by_name.get(name)
            if row is None:
                row = by_name[name] = from_entry(name, entry)
                if row["status"] == "damaged":
                    problems.append(f"{name}: {row['reason']}")
            row["sweep"] = str(sweep.get("sweep") or path.parent.name)
            for key in ("attempts", "seconds", "notebook"):
                row[key] = entry.get(key) if row.get(key) is None else row[key]
            row["parameters"] = row["parameters"] or given(entry)
    return list(by_name.values()), problems


def is_entry(entry: object) -> bool:
    """Say whether an entry of a sweep names a run below its folder."""
    name = entry.get("name") if isinstance(entry, dict) else None
    return isinstance(name, str) and not os.path.isabs(name)


def given(entry: dict) -> dict[str, object]:
    """Return the parameters that a sweep gave to a run."""
    parameters = entry.get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def from_entry(name: str, entry: dict) -> dict[str, object]:
    """Return the row of a run that a sweep names and that has no folder."""
    reason = short_reason(entry["error"]) if entry.get("error") else None
    row = {"run": name, "notebook": entry.get("notebook"), "status": FROM_SWEEP.get(entry.get("status"), "left"),
           "parameters": given(entry), "reason": reason}
    if row["status"] == "damaged":
        row["reason"] = f"{SWEEP} says done, but its folder holds no run; run the sweep again"
    elif row["status"] == "left":
        row["reason"] = row["reason"] or "not run yet, or stopped"
    return row


def flat(row: dict[str, object]) -> dict[str, object]:
    """Return a row by the names of the table's columns."""
    parts = {part: row.get(part) or {} for part in PARTS}
    named = "dataset" in parts["parameters"] | parts["provenance"]
    data = kind_of_data(parts["parameters"], parts["provenance"]) if named or parts["metrics"] else None
    found = {name: value for name, value in row.items() if name not in PARTS} | {"data": data}
    return found | {f"{part}.{name}": value for part in PARTS for name, value in parts[part].items()}


def tidy(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return the table: one type a column, so that any reader of parquet takes it."""
    names = dict.fromkeys(name for row in rows for name in row)
    order = [*FIRST, *(name for part in PARTS for name in names if name.startswith(f"{part}."))]
    table = pd.DataFrame({name: column([row.get(name) for row in rows]) for name in order})
    return table.sort_values("run", ignore_index=True)


def column(values: list) -> pd.Series:
    """Return values as a column of one type: truth values, whole numbers, numbers, else text (lists as JSON)."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {bool}:
        return pd.Series(values, dtype="boolean")
    if kinds and kinds <= {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pd.Series(values, dtype="Int64")
    if kinds and kinds <= {int, float} and all(is_number(value) for value in values if value is not None):
        return pd.Series([math.nan if value is None else float(value) for value in values], dtype="float64")
    return pd.Series([value if value is None or isinstance(value, str) else json.dumps(value) for value in values],
                     dtype="string")


def write_tables(table: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write ``runs.parquet``, ``runs.csv``, ``summary.csv`` and ``comparisons.csv``, each whole or not at all.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ParameterError
        When the folder cannot be made.
    """
    folder = Path(folder)
    make_folder(folder)
    summary, comparisons = summarise(table), compare(table)
    tables = {"runs.parquet": table, "runs.csv": table, "summary.csv": summary, "comparisons.csv": comparisons}
    for name, rows in tables.items():
        with one_move(folder / name) as partial:
            rows.to_parquet(partial, index=False) if name.endswith("parquet") else rows.to_csv(partial, index=False)
    return [folder / name for name in tables]


def make_folder(folder: Path) -> None:
    """Make a folder for results, or raise ParameterError where that cannot be."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file. Give --out a folder, or a name for a new one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"{folder} cannot be made ({error.strerror}). Give another folder with --out.") from error
