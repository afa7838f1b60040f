"""Numbers that a notebook records: shown as a table, stored as JSON, compared with tolerance."""

from __future__ import annotations

import math
import re
from pathlib import Path

from .cells import read_notebook

MIME = "application/vnd.eegemo.metrics+json"
# what differs between two runs of the same thing on the same machine
NOT_COMPARED = frozenset({"seconds", "peak_memory_mb"})
SCORE = re.compile(r"(accuracy|chance|majority|noise)(_|$)")  # names of shares from 0 to 1
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
Value = int | float | str | bool | None


def plain(name: str, value: object) -> Value:
    """Return a metric as a plain Python value, a NumPy scalar or a one-element tensor as its number."""
    if not SNAKE_CASE.fullmatch(name):
        raise ValueError(f"record() takes names in snake_case, but got '{name}'.")
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is not None and not isinstance(value, Value):
        raise ValueError(f"record() takes numbers, texts, truth values, None; {name} is {repr(value):.80}.")
    if SCORE.match(name) and isinstance(value, str | bool):
        raise ValueError(f"record() takes a number or None under the name of a score; {name} is {value!r:.80}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"record() takes finite numbers, but {name} is {value}.")
    return value


def as_text(value: object) -> str:
    """Return a value as a cell of a table: floats with four digits, nothing as a dash."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def markdown_table(rows: dict[str, object], names: tuple[str, str]) -> str:
    """Return names and values as a markdown table of two columns."""
    lines = [f"| {names[0]} | {names[1]} |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {as_text(value)} |" for name, value in rows.items()])


def bundle(metrics: dict[str, Value]) -> dict[str, object]:
    """Return what a notebook's output holds for a set of metrics, by MIME type."""
    return {
        MIME: metrics,
        "text/markdown": markdown_table(metrics, ("metric", "value")),
        "text/plain": "metrics: " + ", ".join(metrics),
    }


def without_costs(data: dict[str, object]) -> dict[str, object]:
    """Return a bundle as ``bundle`` made it, with the metrics in NOT_COMPARED emptied."""
    order = data["text/plain"].removeprefix("metrics: ").split(", ")  # a stored notebook sorts JSON by name
    return bundle({name: None if name in NOT_COMPARED else data[MIME][name] for name in order})


def show(mime_bundle: dict[str, object]) -> None:
    """Display a bundle in a notebook; elsewhere print its table."""
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(mime_bundle["text/markdown"])
    else:
        display(mime_bundle, raw=True)


def record(**metrics: object) -> None:
    """Show metrics as a table and keep them in the notebook for tests and for tables over many runs.

    Every number that training made goes through here and is printed nowhere else: this way it is compared
    with tolerance, where printed text would have to be equal to the letter.

    Parameters
    ----------
    **metrics
        Names in snake_case; whole numbers, finite floats, texts, truth values or None. Scores (names that begin with
        accuracy, chance, majority or noise): numbers or None.

    Raises
    ------
    ValueError
        For a name that is not snake_case, a value of another type, NaN or infinity; says which.
    """
    show(bundle({name: plain(name, value) for name, value in metrics.items()}))


def read_outputs(path: str | Path, mime: str) -> dict[str, object]:
    """Return the JSON objects of one MIME type in all outputs of a notebook as one; later values win."""
    merged: dict[str, object] = {}
    for cell in read_notebook(path).cells:
        for output in cell.get("outputs", ()):
            merged.update(output.get("data", {}).get(mime, {}))
    return merged


def read_metrics(path: str | Path) -> dict[str, Value]:
    """Return all metrics that an executed notebook recorded; {} when it recorded none."""
    return read_outputs(path, MIME)
