"""Predictions of anybody's model as a table: read, checked, and held against the split they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

NEEDED = ("label", "predicted")
UNITS = ("subject", "session", "trial")
RUN = ("method", "dataset", "protocol", "labels", "seed")
ROW = ("subject", "session", "trial", "clip", "window")
SUM_TOLERANCE = 1e-3


class PredictionsError(ValueError):
    """A table of predictions from which nothing can be computed."""


@dataclass
class Predictions:
    """A checked table of predictions, and what was found while checking it.

    Attributes
    ----------
    name : str
        Of the method, by default the file's.
    table : DataFrame
        label and predicted as texts, and what else the file has.
    notes : list of str
        One line per thing that is missing or wrong, and what that means for the report.
    """

    name: str
    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Return the labels, sorted."""
        return sorted(set(self.table["label"]))

    @property
    def probabilities(self) -> list[str]:
        """Return the columns of probabilities, one per class in the order of `classes`; [] where some are missing."""
        names = [f"p_{name}" for name in self.classes]
        return names if all(name in self.table for name in names) else []


def read_predictions(path: str | Path) -> Predictions:
    """Read predictions from a csv or parquet file and check them.

    Parameters
    ----------
    path : str or Path
        Columns ``label`` and ``predicted``; of ``subject, session, trial, clip, window, fold, seed, protocol, method,
        p_<class>`` what there is. Where there is a ``fold``, each row is a test row of its fold, and the rows of the
        other folds are its training part.

    Raises
    ------
    PredictionsError
        The file cannot be read, has no row, or lacks ``label`` or ``predicted``.
    """
    path = Path(path)
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else read_csv(path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PredictionsError(f"{path}: cannot be read as csv or parquet: {reason}") from error
    return check_predictions(table, path.stem, str(path))


def read_csv(path: Path) -> pd.DataFrame:
    """Read a csv file whose columns are parted by commas, semicolons or tabs."""
    with open(path, encoding="utf-8-sig") as file:
        header = file.readline()
    return pd.read_csv(path, sep=max(",;\t", key=header.count), encoding="utf-8-sig")


def check_predictions(table: pd.DataFrame, name: str = "predictions", where: str = "predictions") -> Predictions:
    """Check a table of predictions; see `read_predictions`.

    Raises
    ------
    PredictionsError
        No row is left, or ``label`` or ``predicted`` is missing.
    """
    missing = [column for column in NEEDED if column not in table]
    if missing:
        raise PredictionsError(f"{where}: expected the columns label and predicted, found "
                               f"{', '.join(map(str, table))}. Rename yours, or add {' and '.join(missing)}")
    found = Predictions(name, table.copy())
    _drop_empty(found)
    if not len(found.table):
        raise PredictionsError(f"{where}: no row with a label and a prediction")
    for column in NEEDED:
        found.table[column] = as_names(found.table[column])
    _drop_doubled(found)
    _check_probabilities(found)
    _check_units(found)
    _check_training(found)
    found.table = found.table.reset_index(drop=True)
    return found


def as_names(values: pd.Series) -> pd.Series:
    """Return labels as texts; 1.0 is 1, as in a column that once held a missing value."""
    if pd.api.types.is_float_dtype(values) and (values == values.round()).all():
        values = values.astype(int)
    return values.astype(str).str.strip()


def _drop_empty(found: Predictions) -> None:
    """Leave rows out that have no label or no prediction."""
    empty = found.table[list(NEEDED)].isna().any(axis=1)
    if empty.any():
        found.notes.append(f"{empty.sum()} rows without a label or a prediction are left out; scores are of the rest.")
        found.table = found.table[~empty]


def _drop_doubled(found: Predictions) -> None:
    """Leave out rows that say the same twice; where the same window is predicted twice otherwise, say so."""
    keys = [name for name in (*RUN, "fold", *ROW) if name in found.table]
    if "window" not in keys:
        return
    doubled = found.table.duplicated(keys)
    if doubled.any():
        found.notes.append(f"{doubled.sum()} rows name a window that stands in the file before; they are left out. If "
                           "they are of other runs, give them a seed or a protocol.")
        found.table = found.table[~doubled]


def _check_probabilities(found: Predictions) -> None:
    """Drop probabilities that are none."""
    given = [name for name in found.table if str(name).startswith("p_")]
    if not given:
        return
    if not found.probabilities:
        found.notes.append(f"Probabilities {', '.join(given)} do not fit the classes {', '.join(found.classes)} (a "
                           "column p_<class> for each): no calibration.")
        return
    values = found.table[found.probabilities].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    bad = ~np.isfinite(values).all(axis=1) | (values < 0).any(axis=1) | (np.abs(values.sum(axis=1) - 1) > SUM_TOLERANCE)
    if bad.any():
        found.notes.append(f"Probabilities of {bad.sum()} rows are missing, negative or do not sum to 1: no "
                           "calibration. Apply softmax to logits first.")
        found.table = found.table.drop(columns=found.probabilities)


def _check_units(found: Predictions) -> None:
    """Say what missing or single people and trials mean."""
    table = found.table
    for name, means in (("subject", "no interval over people, no look for people who are recognised"),
                        ("trial", "no look for parts of one trial on both sides")):
        if name in table and table[name].isna().any():
            found.notes.append(f"Column {name} is empty in {table[name].isna().sum()} rows and is not used.")
            found.table = table = table.drop(columns=name)
        if name not in table:
            found.notes.append(f"No column {name}: {means}.")
    if "subject" in table and table["subject"].nunique() == 1:
        found.notes.append("One person: the scores say nothing about others.")
    trials = table[trial_keys(table)].drop_duplicates()
    if {"subject", "trial"} <= set(table) and len(trials) == table["subject"].nunique():
        found.notes.append("One trial per person: a person and a trial cannot be told apart.")


def _check_training(found: Predictions) -> None:
    """Name labels that no other fold holds: nobody could have learned them."""
    if "fold" not in found.table:
        found.notes.append("No column fold: the split is not known, so no leak can be looked for.")
        return
    unseen = {label for _, run in runs(found.table) for label in unseen_labels(run)}
    if unseen:
        found.notes.append(f"Labels that stand in one fold only, so that its training part had none of them: "
                           f"{', '.join(sorted(unseen))}.")


def unseen_labels(run: pd.DataFrame) -> set[str]:
    """Return the labels that stand in one fold only, where there are several folds."""
    folds_with = run.groupby("label")["fold"].nunique()
    return set(folds_with.index[folds_with == 1]) if run["fold"].nunique() > 1 else set()


def trial_keys(table: pd.DataFrame) -> list[str]:
    """Return the columns that together name a trial."""
    return [name for name in UNITS if name in table] if "trial" in table else []


def runs(table: pd.DataFrame):
    """Yield (name, rows) for each protocol, seed and kind of labels of a file: within one, each row is tested once."""
    keys = [name for name in RUN if name in table]
    if not keys:
        yield "", table
        return
    for values, rows in table.groupby(keys, sort=False, dropna=False):
        yield ", ".join(map(str, values)), rows
