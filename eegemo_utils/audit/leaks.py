"""What stands on both sides of a split, counted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eegemo_utils.audit.predictions import Predictions, runs, trial_keys

# what may stand on both sides, the columns that name it, and what a score then means
LEAKS = {
    "trial": "windows of one trial are alike in everything that the recording is: the trial is recognised again",
    "overlapping window": "test samples were trained on",
    "person": "how well this does for new people is not known",
    "clip": "the clip may be recognised instead of what it evokes",
}


def leaks(predictions: Predictions) -> pd.DataFrame:
    """Count the tested rows whose trial, person, clip or samples also stand in the training part of their fold.

    Returns
    -------
    DataFrame
        One row per thing that could be looked for: what, n_rows, share (of tested rows), meaning, example. Empty
        where the folds are not known.
    """
    table = predictions.table
    rows = []
    if "fold" not in table:
        return pd.DataFrame(columns=["what", "n_rows", "share", "meaning", "example"])
    keys = {"trial": trial_keys(table), "person": ["subject"], "clip": ["clip"]}
    for what, columns in keys.items():
        if columns and set(columns) <= set(table):
            names = table[columns].astype(str).agg(", ".join, axis=1)
            rows.append(_count(what, table, names))
    if trial_keys(table) and {"start", "stop"} <= set(table):
        rows.append(_overlaps(table))
    return pd.DataFrame(rows, columns=["what", "n_rows", "share", "meaning", "example"])


def _count(what: str, table: pd.DataFrame, names: pd.Series) -> list:
    """Return the row of the table of leaks for one kind of name."""
    shared = pd.Series(False, table.index)
    for _, run in runs(table):
        folds_with = run["fold"].groupby(names[run.index]).transform("nunique")
        shared[run.index] = folds_with > 1
    example = f"{what} {names[shared].iloc[0]}" if shared.any() else ""
    return [what, int(shared.sum()), float(shared.mean()), LEAKS[what] if shared.any() else "", example]


def _overlaps(table: pd.DataFrame) -> list:
    """Return the row for windows that share time (start, stop: s) with a window of another fold of their trial."""
    shared = pd.Series(False, table.index)
    for _, run in runs(table):
        for _, trial in run.groupby(trial_keys(table), sort=False):
            start, stop, fold = (trial[name].to_numpy() for name in ("start", "stop", "fold"))
            meet = (start[:, None] < stop[None]) & (start[None] < stop[:, None]) & (fold[:, None] != fold[None])
            shared[trial.index] = meet.any(axis=1)
    what = "overlapping window"
    return [what, int(shared.sum()), float(shared.mean()), LEAKS[what] if shared.any() else "",
            f"row {shared.idxmax()}" if shared.any() else ""]


def majority_of_training(table: pd.DataFrame) -> pd.Series:
    """Return for each row the most frequent label of the other folds of its run; of the whole run without folds."""
    guess = pd.Series("", table.index)
    for _, run in runs(table):
        if "fold" not in run or run["fold"].nunique() < 2:
            guess[run.index] = run["label"].value_counts(sort=True).index[0]
            continue
        counts = pd.crosstab(run["fold"], run["label"])
        rest = counts.sum() - counts
        guess[run.index] = run["fold"].map(rest.idxmax(axis=1))
    return guess


def label_follows_person(table: pd.DataFrame) -> float | None:
    """Return the share of rows whose label is the person's most frequent one; None where people are not known.

    Where it is far above the most frequent label of all, a model that recognises people scores without any signal of
    the label.
    """
    if "subject" not in table:
        return None
    usual = table.groupby("subject")["label"].transform(lambda labels: labels.mode().iloc[0])
    return float(np.mean(usual == table["label"]))
