"""The report on predictions of anybody's model: one HTML page and one json file."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd

from eegemo_utils import evaluation
from eegemo_utils.audit.audit import bar, person_means, units
from eegemo_utils.audit.leaks import label_follows_person, leaks, majority_of_training
from eegemo_utils.audit.predictions import ROW, Predictions, PredictionsError, read_predictions, runs
from eegemo_utils.audit.protocols import PROTOCOLS, TRUE
from eegemo_utils.audit.sentences import ALPHA, span
from eegemo_utils.files import save_text

TEMPLATES = Path(__file__).parent / "templates"
SCORES = ["protocol", "labels", "accuracy", "low", "high", "balanced_accuracy", "chance", "majority", "p",
          "smallest_effect", "n_people", "n_trials", "n_windows", "n_seeds"]


def report(paths: Sequence[str | Path], out: str | Path) -> str:
    """Write ``index.html`` and ``audit.json`` about one or more files of predictions, and return the text of both.

    Parameters
    ----------
    paths : sequence of paths
        csv or parquet; see `read_predictions`. Several files are compared in pairs, on the windows that both have.
    out : folder
        New, empty, or with an older report.

    Raises
    ------
    PredictionsError
        A file that cannot be used, two files of one name, or a folder that holds something else.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir()) and not (out / "audit.json").is_file()):
        raise PredictionsError(f"{out}: expected a new or empty folder, or one with an older report; choose another "
                               "one with --out")
    read = [read_predictions(path) for path in paths]
    names = [one.name for one in read]
    if len(set(names)) < len(names):
        raise PredictionsError(f"expected files of different names, found {', '.join(names)}; rename one of each pair")
    facts = {"files": [examine(one) for one in read], "comparisons": compare(read)}
    out.mkdir(parents=True, exist_ok=True)
    page = environment().get_template("predictions.html.j2").render(**facts, pictures=[picture(one) for one in read])
    for name, text in (("index.html", page), ("audit.json", json.dumps(facts, indent=1, allow_nan=False))):
        save_text(out / name, text)
    return as_lines(facts)


def examine(predictions: Predictions) -> dict[str, object]:
    """Return everything that is said about one file, as plain values."""
    table = predictions.table.assign(majority=majority_of_training(predictions.table))
    found = leaks(predictions)
    keys = [name for name in ("protocol", "labels") if name in table]
    parts = table.groupby(keys, sort=False) if keys else [((), table)]
    scores = [dict(zip(keys, key if isinstance(key, tuple) else (key,))) | bar(rows) for key, rows in parts]
    scores = pd.DataFrame([{"protocol": "as given", "labels": TRUE} | score for score in scores])[SCORES]
    scores["p"] = corrected(scores["p"])
    return {"name": predictions.name, "classes": predictions.classes, "notes": predictions.notes,
            "leaks": records(found), "scores": records(scores), "people": records(people(table)),
            "label_follows_person": label_follows_person(table), "calibration": calibrated(predictions),
            "sentences": sentences(scores, found, label_follows_person(table)), "checklist": checklist(table, found)}


def corrected(p_values: pd.Series) -> pd.Series:
    """Return p values corrected by Holm; where there is none, none."""
    known = p_values.notna()
    result = pd.Series(np.nan, p_values.index)
    result[known] = evaluation.holm(p_values[known].astype(float))
    return result


def people(table: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy, trials and windows of each person."""
    if "subject" not in table:
        return pd.DataFrame(columns=["subject", "accuracy", "n_windows"])
    right = (table["label"] == table["predicted"]).astype(float)
    by = right.groupby(table["subject"].astype(str))
    return pd.DataFrame({"accuracy": by.mean(), "n_windows": by.size()}).reset_index()


def calibrated(predictions: Predictions) -> float | None:
    """Return the expected calibration error, None without probabilities."""
    if not predictions.probabilities:
        return None
    y = pd.Categorical(predictions.table["label"], categories=predictions.classes).codes.astype(int)
    return evaluation.calibration(predictions.table[predictions.probabilities].to_numpy(float), y)[1]


def sentences(scores: pd.DataFrame, found: pd.DataFrame, follows: float | None) -> list[str]:
    """Return what the numbers say, in words."""
    lines = []
    for leak in found[found["n_rows"] > 0].itertuples():
        lines.append(f"Leak: {leak.n_rows} of the tested rows ({leak.share:.0%}) have their {leak.what} in the "
                     f"training part too (such as {leak.example}): {leak.meaning}.")
    if len(found) and not (found["n_rows"] > 0).any():
        lines.append(f"No leak found; looked for: {', '.join(found['what'])}.")
    for row in scores.itertuples():
        guess = max(row.chance, row.majority)
        line = f"{PROTOCOLS.get(row.protocol, row.protocol).capitalize()}, {row.labels} labels: accuracy " \
               f"{row.accuracy:.3f}{span(row.low, row.high)}, guessing {guess:.3f}"
        if not pd.isna(row.p):
            line += f"; above guessing: {'shown' if row.p < ALPHA else 'not shown'} (p = {row.p:.2g}, Student, Holm)"
        lines.append(line + ".")
        if not pd.isna(row.n_people) and row.n_people < evaluation.FEWEST:
            lines.append(f"{row.n_people:.0f} people are too few for an interval or a verdict; {evaluation.FEWEST} are "
                         "needed.")
    if follows is not None:
        lines.append(f"{follows:.0%} of the rows have their person's most frequent label: so much is right for a model "
                     "that only recognises people whom it knows.")
    return lines


def checklist(table: pd.DataFrame, found: pd.DataFrame) -> list[dict[str, object]]:
    """Return what an honest score needs, and what of it this file shows."""
    clean = dict(zip(found["what"], found["n_rows"] == 0))
    labels = set(table["labels"]) if "labels" in table else set()
    items = [
        ("tested trials were not trained on", clean.get("trial")),
        ("tested people were not trained on", clean.get("person")),
        ("tested clips were not trained on", clean.get("clip")),
        ("labels without meaning were tried under the same protocol", bool(labels - {TRUE}) if labels else False),
        (f"at least {evaluation.FEWEST} people", count(table, "subject") >= evaluation.FEWEST),
        ("three seeds or more", count(table, "seed") >= 3),
        ("several protocols side by side", count(table, "protocol") > 1),
    ]
    words = {True: "yes", False: "no", None: "not known"}
    return [{"what": what, "done": words[None if done is None else bool(done)]} for what, done in items]


def count(table: pd.DataFrame, name: str) -> int:
    """Return how many values a column has; 0 where there is none."""
    return table[name].nunique() if name in table else 0


def compare(read: Sequence[Predictions]) -> list[dict[str, object]]:
    """Return the paired differences of all pairs of files, with Wilcoxon's test over people, corrected by Holm."""
    rows = []
    for one, other in combinations(read, 2):
        keys = [name for name in (*ROW, "protocol", "labels", "seed") if name in one.table and name in other.table]
        pair = {"files": f"{one.name} - {other.name}", "n_rows": 0, "mean": None, "low": None, "high": None, "p": None}
        if "window" in keys or "trial" in keys:
            both = one.table.merge(other.table, on=keys, suffixes=("", "_other"))
            if len(both) and (both["label"] == both["label_other"]).all():
                right = [(both["label"] == both[name]).astype(float) for name in ("predicted", "predicted_other")]
                lost = evaluation.difference(*right, **units(both))
                pair |= {"n_rows": len(both), **lost._asdict(), "p": evaluation.wilcoxon(*right, **units(both))}
        rows.append(pair)
    tested = [row for row in rows if row["p"] is not None]
    for row, p in zip(tested, evaluation.holm([row["p"] for row in tested])):
        row["p"] = float(p)
    return rows


def records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a table as plain values; what is missing is None."""
    return json.loads(table.to_json(orient="records"))


def as_lines(facts: dict[str, object]) -> str:
    """Return the report as lines to print."""
    lines = []
    for file in facts["files"]:
        lines += [file["name"], *(f"  {line}" for line in [*file["sentences"], *file["notes"]])]
    for pair in facts["comparisons"]:
        if pair["mean"] is None:
            lines.append(f"{pair['files']}: no common windows with the same labels, so no difference")
        else:
            test = "" if pair["p"] is None else f", p = {pair['p']:.2g} (Wilcoxon, Holm)"
            lines.append(f"{pair['files']}: {pair['mean']:+.3f}{span(pair['low'], pair['high'], 3, '+')} on "
                         f"{pair['n_rows']} windows{test}")
    return "\n".join(lines)


def picture(predictions: Predictions) -> str:
    """Return a PNG of the scores of each person, as text for an HTML page."""
    from matplotlib.figure import Figure

    from eegemo_utils.plots import OKABE_ITO

    table = predictions.table
    drawn = Figure((6.4, 2.6), layout="constrained")
    ax = drawn.subplots()
    for number, (_, rows) in enumerate(runs(table)):
        means = np.sort(person_means(rows).to_numpy())
        ax.plot(means, np.full(len(means), number) + np.linspace(-0.2, 0.2, len(means)), "o", ms=4, alpha=0.7)
        ax.plot([means.mean()], [number], "|", ms=18, color="black")
    names = [name or "as given" for name, _ in runs(table)]
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.axvline(1 / len(predictions.classes), color=OKABE_ITO[1], ls=":")
    unit = "person" if "subject" in table else "trial"
    ax.set(xlim=(0, 1.02), ylim=(len(names) - 0.5, -0.5))
    ax.set_xlabel(f"accuracy of each {unit}; black: mean; dotted: chance")
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode()


def environment() -> jinja2.Environment:
    """Return the templates; everything that comes from a file is escaped."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    made.filters["figure"] = figure
    return made


def figure(value: object) -> object:
    """Return a value as it stands in a table."""
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else value
