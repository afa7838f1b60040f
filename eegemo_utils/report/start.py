"""What the start page shows, as plain values for its template."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pandas as pd
from PIL import Image

from ..collect import AUDIT, KINDS_OF_DATA, STATUSES, compare, groups
from ..collect.summaries import PROTOCOL, SEED
from ..reported import reported

COLUMNS = {"metrics.accuracy_published": "published", "metrics.accuracy_by_trial": "by trial",
           "metrics.accuracy_by_subject": "by subject", "metrics.chance": "chance", "metrics.majority": "majority"}
MARKS = {"emotion": "●", "not emotion": "○", "simulated": "◇", "unknown": "?"}
WORDS = {"emotion": "emotion", "not emotion": "no emotion", "simulated": "simulated", "unknown": "unknown labels"}
SIGNS = {"done": "✓", "failed": "✕", "damaged": "!", "left": "…"}
NOISE = ("noise_by_window", "noise_published")
DATASET, DATA_ROOT = "parameters.dataset", "parameters.data_root"
OWN_COLUMN = (DATASET, PROTOCOL, SEED)
SCORES = tuple(COLUMNS)[:4]  # on a narrow screen too
LONGEST_SETTINGS = 28  # letters; more are folded
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
    """Return the parameters that differ between runs of one notebook, without those that have a column."""
    names = [name for name in table if name.startswith("parameters.") and name not in (*OWN_COLUMN, DATA_ROOT)]
    counts = table[["notebook", *names]].groupby("notebook")[names].nunique()
    return [name for name in names if (counts[name] > 1).any()]


def folded(row: dict, names: list[str]) -> dict[str, object]:
    """Return the settings of a run as one cell: ``text``, and ``more`` to unfold when that is not all of it."""
    parts = [f"{name.removeprefix('parameters.')}={shown(row[name])}" for name in names if not missing(row[name])]
    whole = ", ".join(parts)
    if len(whole) <= LONGEST_SETTINGS:
        return {"text": whole, "more": []}
    return {"text": f"{len(parts)} setting{'' if len(parts) == 1 else 's'}", "more": parts}


def result_rows(table: pd.DataFrame, pages: dict[str, str]) -> tuple[list[dict], list[dict]]:
    """Return the columns and the rows of the results table: what is compared stands first.

    Returns
    -------
    columns : list of dict
        name, kind ("text" or "number"), lead (whether it stands before status, paper and data), minor (whether a
        narrow screen leaves it out), filter.
    rows : list of dict
        run, page (or None), data, status, cells: a list of (text, sort key), settings: see `folded`.
    """
    lead = [name for name in (PROTOCOL, *COLUMNS) if name in table]
    names = [*lead, *(name for name in (DATASET, SEED) if name in table), "seconds"]
    columns = [{"name": COLUMNS.get(name, name.removeprefix("parameters.")), "lead": name in lead,
                "kind": "number" if pd.api.types.is_numeric_dtype(table[name]) else "text",
                "minor": name not in SCORES, "filter": name in (DATASET, PROTOCOL)} for name in names]
    columns[-1]["name"] = "time (s)"
    varied = varied_parameters(table)
    rows = []
    for row in table.to_dict("records"):
        cells = [(f"{row[name]:.0f}" if name == "seconds" and not missing(row[name]) else shown(row[name]),
                  "" if missing(row[name]) else row[name]) for name in names]
        rows.append({"run": row["run"], "notebook": shown(row["notebook"]), "page": pages.get(row["run"]),
                     "data": shown(row["data"]), "status": row["status"], "reason": shown(row["reason"]),
                     "cells": cells, "settings": folded(row, varied),
                     "attempts": 1 if missing(row["attempts"]) else row["attempts"]})
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
    """Return what the spread of a group's accuracies is over, e.g. "5 seeds"; of each where they differ."""
    said = {}
    for metric in (metric for metric in AUDIT if metric in part.index):
        n, over, n_runs = part.loc[metric, ["n", "over", "n_runs"]]
        alone = "one run" if n_runs == 1 else f"the mean of {n_runs} runs of one seed"
        said[AUDIT[metric]] = f"{n} {over}" if n > 1 else alone
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{name}: {text}" for name, text in said.items())


def summary_rows(rows: list[pd.DataFrame]) -> list[dict]:
    """Return the summary: a row a group, each score with its spread, and what the spread is over."""
    found = []
    for part in rows:
        facts = part.iloc[0]
        found.append({"notebook": facts["notebook"], "dataset": facts["dataset"], "data": facts["data"],
                      "settings": facts["settings"], "over": spread_over(part), "note": facts["note"],
                      "scores": [score(part, metric) for metric in (*AUDIT, "chance", "majority", noise(part))]})
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
    for path in filter(Path.is_file, figures):
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
