"""What the start page shows, as plain values for its template."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pandas as pd
from PIL import Image

from ..collect import AUDIT, KINDS_OF_DATA, STATUSES, compare, groups
from ..collect.summaries import SEED
from ..reported import reported

COLUMNS = {"metrics.accuracy_published": "published", "metrics.accuracy_by_trial": "by trial",
           "metrics.accuracy_by_subject": "by subject", "metrics.chance": "chance", "metrics.majority": "majority"}
MARKS = {"emotion": "●", "not emotion": "○", "simulated": "◇", "unknown": "?"}
WORDS = {"emotion": "emotion", "not emotion": "no emotion", "simulated": "simulated", "unknown": "unknown labels"}
SIGNS = {"done": "✓", "failed": "✕", "damaged": "!", "left": "…"}
NOISE = ("noise_by_window", "noise_published")
MOST_PARAMETERS = 6  # that get a column of their own; all of them stand on a run's page
THUMBNAIL = (560, 400)  # pixels
MOST_CARDS = 48


def missing(value: object) -> bool:
    """Say whether a cell of the table is empty."""
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def shown(value: object) -> str:
    """Return a value as a reader wants it."""
    if missing(value):
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def varied_parameters(table: pd.DataFrame) -> list[str]:
    """Return the parameters that differ between runs of one notebook, the first few; dataset and protocol go before."""
    fixed = ("parameters.dataset", "parameters.protocol", "parameters.data_root")
    names = [name for name in table if name.startswith("parameters.") and name not in fixed]
    counts = table[["notebook", *names]].groupby("notebook")[names].nunique()
    found = [name for name in names if (counts[name] > 1).any()]
    found.sort(key=lambda name: name != SEED)
    return found[:MOST_PARAMETERS]


def result_rows(table: pd.DataFrame, pages: dict[str, str]) -> tuple[list[dict], list[dict]]:
    """Return the columns and the rows of the results table.

    Returns
    -------
    columns : list of dict
        name, kind ("text" or "number").
    rows : list of dict
        run, page (or None), data, status, cells: a list of (text, sort key).
    """
    first = [name for name in ("parameters.dataset", *COLUMNS, "parameters.protocol") if name in table]
    names = [*first, *varied_parameters(table), "seconds"]
    columns = [{"name": COLUMNS.get(name, name.removeprefix("parameters.").replace("_", " ")),
                "kind": "number" if pd.api.types.is_numeric_dtype(table[name]) else "text",
                "filter": name in ("parameters.dataset", "parameters.protocol")} for name in names]
    columns[-1]["name"] = "time (s)"
    rows = []
    for row in table.to_dict("records"):
        cells = [(f"{row[name]:.0f}" if name == "seconds" and not missing(row[name]) else shown(row[name]),
                  "" if missing(row[name]) else row[name]) for name in names]
        rows.append({"run": row["run"], "notebook": shown(row["notebook"]), "page": pages.get(row["run"]),
                     "data": shown(row["data"]), "status": row["status"], "reason": shown(row["reason"]),
                     "cells": cells, "attempts": 1 if missing(row["attempts"]) else row["attempts"]})
    return columns, rows


def troubles(table: pd.DataFrame, pages: dict[str, str]) -> list[dict]:
    """Return the runs that did not finish, with the reason."""
    bad = table[table["status"] != "done"]
    return [{name: shown(row[name]) for name in ("run", "status", "kind", "cell", "reason", "attempts")}
            | {"page": pages.get(row["run"])} for row in bad.to_dict("records")]


def score(part: pd.DataFrame, metric: str) -> tuple[str, str]:
    """Return mean and SD of a metric of a group, and its interval where it has one."""
    if metric not in part.index:
        return "", ""
    row = part.loc[metric]
    if row["n"] < 2 or row["sd"] < 1e-9:
        return f"{row['mean']:.3f}", ""
    return f"{row['mean']:.3f} ± {row['sd']:.3f}", f"[{row['low']:.3f}, {row['high']:.3f}]"


def noise(part: pd.DataFrame) -> str:
    """Return the name under which a notebook records the published split on labels without meaning."""
    return next((metric for metric in NOISE if metric in part.index), NOISE[0])


def spread_over(part: pd.DataFrame) -> str:
    """Return what the spread of a group's accuracies is over, e.g. "5 seeds"."""
    known = [metric for metric in AUDIT if metric in part.index]
    n, over = max(part.loc[metric, ["n", "over"]].tolist() for metric in known)
    n_runs = int(part.loc[known, "n_runs"].max())
    return f"{n} {over}" if n > 1 else "one run" if n_runs == 1 else f"the mean of {n_runs} runs of one seed"


def summary_rows(rows: list[pd.DataFrame]) -> list[dict]:
    """Return the summary: a row a group, each score with its spread, and what the spread is over."""
    found = []
    for part in rows:
        facts = part.iloc[0]
        found.append({"notebook": facts["notebook"], "dataset": facts["dataset"], "data": facts["data"],
                      "settings": facts["settings"], "over": spread_over(part), "note": facts["note"],
                      "scores": [score(part, metric) for metric in (*AUDIT, noise(part), "chance", "majority")]})
    return found


def comparison_rows(table: pd.DataFrame) -> list[dict]:
    """Return the comparisons between protocols, as text."""
    rows = compare(table).to_dict("records")
    return [row | {"first": AUDIT.get(row["first"], row["first"]), "second": AUDIT.get(row["second"], row["second"]),
                   "change": f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" if row["n"] else "",
                   "p": f"{row['p']:.3g}" if row["n"] else "", "p_holm": f"{row['p_holm']:.3g}" if row["n"] else ""}
            for row in rows]


def paper_numbers(table: pd.DataFrame) -> list[dict]:
    """Return the accuracies that the papers of these notebooks report."""
    found = []
    for notebook in sorted(table["notebook"].dropna().unique()):
        try:
            paper = reported(notebook)
        except ValueError:  # a notebook without a paper
            continue
        found += [{"notebook": notebook, "value": f"{quantity.value:.3f}", "what": quantity.what,
                   "source": quantity.source, "certainty": quantity.certainty} for name, quantity in paper.items()
                  if name.startswith("accuracy_") and isinstance(quantity.value, float)]
    return found


def thumbnail(folder: Path) -> str | None:
    """Return the picture that stands for a run, small, as a data address: its audit, else its first figure."""
    figures = sorted(folder.glob("figures/*.png"), key=lambda path: (not path.stem.endswith("_audit"), path.name))
    for path in figures:
        try:
            with Image.open(path) as image:
                small = image.convert("RGB")
                small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
                file = io.BytesIO()
                small.quantize(64).save(file, "PNG", optimize=True)
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # cut off: the next one may be whole
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
    return None


def cards(table: pd.DataFrame, root: Path, pages: dict[str, str]) -> list[dict]:
    """Return a picture for each group of alike runs, of its first run that has one."""
    found = []
    for group in groups(table):
        for row in group.table.to_dict("records"):
            folder = root / row["run"] if (root / row["run"]).is_dir() else root
            picture = thumbnail(folder)
            if picture:
                n = len(group.table)
                found.append(group.facts | {"picture": picture, "page": pages.get(row["run"]), "run": row["run"],
                                            "runs": f"one of {n} alike" if n > 1 else "one run"})
                break
        if len(found) == MOST_CARDS:
            break
    return found


def counted(table: pd.DataFrame) -> list[tuple[str, int]]:
    """Return how many runs there are of each status that occurs."""
    return [(status, n) for status in STATUSES if (n := int((table["status"] == status).sum()))]


def kinds(table: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Return mark, meaning and number of runs of each kind of data that occurs."""
    return [(MARKS[kind], meaning, n) for kind, meaning in KINDS_OF_DATA.items()
            if (n := int((table["data"] == kind).sum()))]
