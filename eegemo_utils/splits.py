"""Evaluation protocols: who is trained on, who chooses the epoch, who is tested.

Every split is made from the columns of the windows' table (``subject``, ``session``, ``trial``,
``label``), never from row positions, so a leak can be read off the code. Three protocols exist:

``published``   the paper's own split, leaks and all; it exists to show what it does to a score
``by_trial``    a whole trial (recording) stands on one side only
``by_subject``  a whole person stands on one side only; no window of a tested person is trained on
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

PROTOCOLS = ("published", "by_trial", "by_subject")
TRIAL_KEY = ("subject", "session", "trial")


class LeakError(ValueError):
    """A split that would let a model be tested on what it was trained or selected on."""


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of a windows' table, as three non-overlapping parts.

    Parameters
    ----------
    name : str
        What the fold holds out, for tables and figures, e.g. ``"subject 3"``.
    protocol : {"published", "by_trial", "by_subject"}
    train, val, test : array of int64, shape (n,)
        ``val`` may be empty; ``train`` and ``test`` may not.

    Raises
    ------
    ValueError
        Unknown protocol, an empty part, a repeated row, or a row in two parts.
    """

    name: str
    protocol: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def __post_init__(self):
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"split {self.name!r}: protocol {self.protocol!r} is not one of {PROTOCOLS}")
        for part in ("train", "val", "test"):
            object.__setattr__(self, part, self._rows(part))
        rows = np.concatenate([self.train, self.val, self.test])
        values, counts = np.unique(rows, return_counts=True)
        if len(values) < len(rows):
            raise ValueError(f"split {self.name!r}: {(counts > 1).sum()} row(s) stand in more than one "
                             f"part or twice in one, first {values[counts > 1][0]}")

    def _rows(self, part: str) -> np.ndarray:
        rows = np.asarray(getattr(self, part))
        if rows.size == 0 and part != "val":
            raise ValueError(f"split {self.name!r}: the {part} part is empty")
        if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
            raise ValueError(f"split {self.name!r}: {part} must be a list of row numbers, "
                             f"found shape {rows.shape} of {rows.dtype}")
        if rows.size and rows.min() < 0:
            raise ValueError(f"split {self.name!r}: {part} holds a negative row number {rows.min()}")
        return rows.astype(np.int64)


def guard(split: Split, table: pd.DataFrame) -> None:
    """Refuse a split whose parts share a trial or, under ``by_subject``, share a tested person.

    Parameters
    ----------
    split : Split
    table : DataFrame, one row a window
        Must hold ``trial`` (with ``subject`` and ``session`` if there are any), for ``by_subject``
        also ``subject``.

    Raises
    ------
    LeakError
        Names the trials or subjects on both sides. Nothing is refused under ``published``.
    ValueError
        The split does not belong to this table, or the table lacks a column.
    """
    last = max(part.max() for part in (split.train, split.val, split.test) if len(part))
    if last >= len(table):
        raise ValueError(f"split {split.name!r} holds row {last}, but the table has {len(table)} rows")
    if split.protocol == "published":
        return
    fitted = np.concatenate([split.train, split.val])
    checks = [("trial", _trial_names(table), fitted, split.test, "training or validation", "test"),
              ("trial", _trial_names(table), split.train, split.val, "training", "validation")]
    if split.protocol == "by_subject":
        names = "subject " + _column(table, "subject").astype(str)
        checks.insert(0, ("subject", names.to_numpy(), fitted, split.test, "training or validation", "test"))
    for what, names, left, right, left_name, right_name in checks:
        shared = sorted(set(names[left]) & set(names[right]))
        if shared:
            shown = "; ".join(shared[:5]) + ("; ..." if len(shared) > 5 else "")
            raise LeakError(f"split {split.name!r} ({split.protocol}): {len(shared)} {what}(s) stand in both "
                            f"the {left_name} and the {right_name} part: {shown}")


def random_split(table: pd.DataFrame, train_size: float = 0.7, val_fraction: float = 0.2,
                 random_state: int = 123, name: str = "random") -> Split:
    """Shuffle single windows, as most published results on such tables did.

    Neighbouring windows of one recording land on both sides: the protocol is ``published``, and its
    score says how well a recording is recognised again. The shuffle is scikit-learn's
    ``train_test_split`` (unstratified); validation is the *last* ``val_fraction`` of the shuffled
    training rows, as Keras's ``validation_split`` takes it. Defaults: the GRU article's notebook.
    """
    train, test = train_test_split(np.arange(len(table)), train_size=train_size, random_state=random_state)
    n_fit = int(len(train) * (1 - val_fraction))
    split = Split(name, "published", train[:n_fit], train[n_fit:], test)
    guard(split, table)
    return split


def by_trial(table: pd.DataFrame, n_splits: int = 5, val_fraction: float = 0.2,
             random_state: int = 0) -> list[Split]:
    """Cross-validation over whole trials, class by class; validation is whole training trials.

    Parameters
    ----------
    table : DataFrame with ``trial``, ``label`` and, where they exist, ``subject`` and ``session``
    n_splits : int
        Number of folds; each trial is tested once.
    val_fraction : float
        About this share of the training windows becomes validation (0: none). Every class stays in
        training; a class with a single training trial is missing from validation.
    random_state : int
        Shuffles which trials fall together.

    Returns
    -------
    list of Split

    Raises
    ------
    ValueError
        Too few trials; the message counts them by class.
    """
    names, labels = _trial_names(table), _column(table, "label").to_numpy()
    _enough(names, labels, n_splits, "trial")
    splits = []
    for k, (rest, test) in enumerate(_folds(names, labels, n_splits, random_state)):
        if set(labels[rest]) != set(labels):
            raise _too_few(names, labels, "trial", f"fold {k + 1} of {n_splits} would train without a class")
        train, val = _hold_out(rest, names, labels, val_fraction, random_state)
        if val is None:
            raise _too_few(names, labels, "trial", "no trial is left for validation")
        splits.append(Split(f"trials {k + 1}/{n_splits}", "by_trial", train, val, test))
        guard(splits[-1], table)
    return splits


def by_subject(table: pd.DataFrame, n_splits: int | None = None, val_fraction: float = 0.2,
               random_state: int = 0) -> list[Split]:
    """Cross-validation over whole people.

    With ``n_splits=None`` one person is left out at a time if every person has every class.
    Otherwise (recordings in which each person has but one class) the people are dealt into folds
    class by class, as many folds as the rarest class has people, so that each test part holds
    every class.

    Parameters
    ----------
    table : DataFrame with ``subject``, ``trial``, ``label`` and, where it exists, ``session``
    n_splits : int or None
    val_fraction : float
        About this share of the training windows becomes validation (0: none): whole people where
        at least three are trained on and every class can stay on both sides, else whole trials of
        the people trained on. Never the tested people.
    random_state : int

    Returns
    -------
    list of Split

    Raises
    ------
    ValueError
        Too few people; the message counts them by class.
    """
    subjects, labels = _column(table, "subject").astype(str).to_numpy(), _column(table, "label").to_numpy()
    people_of = pd.Series(subjects).groupby(labels).nunique()
    everyone_has_all = (people_of == len(set(subjects))).all()
    one_out = n_splits is None and everyone_has_all
    if n_splits is None:
        n_splits = max(2, int(len(set(subjects)) if everyone_has_all else people_of.min()))
    _enough(subjects, labels, n_splits, "subject")
    splits = []
    for k, (rest, test) in enumerate(_folds(subjects, labels, n_splits, random_state)):
        if set(labels[rest]) != set(labels):
            raise _too_few(subjects, labels, "subject",
                           f"fold {k + 1} of {n_splits} would train without a class")
        train, val = _validation_people(table, rest, val_fraction, random_state)
        name = f"subject {subjects[test[0]]}" if one_out else f"subjects {k + 1}/{n_splits}"
        splits.append(Split(name, "by_subject", train, val, test))
        guard(splits[-1], table)
    order = sorted(range(len(splits)), key=lambda k: splits[k].test[0]) if one_out else range(len(splits))
    return [splits[k] for k in order]


def _validation_people(table, rest, val_fraction, random_state):
    """Validation out of the training rows `rest`: whole people if it can be, else whole trials."""
    subjects, labels = table["subject"].astype(str).to_numpy(), table["label"].to_numpy()
    if len(set(subjects[rest])) >= 3:
        train, val = _hold_out(rest, subjects, labels, val_fraction, random_state)
        if val is not None and (len(val) == 0 or set(labels[val]) == set(labels)):
            return train, val
    names = _trial_names(table)
    train, val = _hold_out(rest, names, labels, val_fraction, random_state)
    if val is None:
        raise _too_few(names[rest], labels[rest], "trial", "no training trial is left for validation")
    return train, val


def _folds(groups, labels, n_splits, random_state):
    """Yield (rest, test) row numbers, whole groups, the classes spread over the folds."""
    cv = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():  # fewer groups than folds in a class: checked by the callers
        warnings.filterwarnings("ignore", message="The least populated class")
        yield from cv.split(np.zeros(len(labels)), labels, groups)


def _hold_out(rows, groups, labels, fraction, random_state):
    """Take whole groups out of `rows`, rarest class first, never a class's last training group.

    Returns (train, val), sorted; val is None where no group could be taken.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"val_fraction must be at least 0 and under 1, found {fraction}")
    if fraction == 0:
        return rows, rows[:0]
    counts = pd.crosstab(groups[rows], labels[rows])
    counts = counts.sample(frac=1, random_state=random_state)
    left, taken = counts.sum(), []
    for label in (counts > 0).sum().sort_values(kind="stable").index:
        target = fraction * counts[label].sum()
        for group in counts.index[counts[label] > 0]:
            have = counts.loc[taken, label].sum()
            after = have + counts.at[group, label]
            closer = have == 0 or abs(after - target) < abs(have - target)
            if group not in taken and closer and (left - counts.loc[group] > 0).all():
                taken.append(group)
                left = left - counts.loc[group]
    val = np.isin(groups[rows], taken)
    return (rows[~val], rows[val]) if taken else (rows, None)


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        raise ValueError(f"the table has no column {name!r}, which this split needs. "
                         f"Found: {', '.join(table.columns)}")
    if table[name].isna().any():
        raise ValueError(f"column {name!r} is empty in {table[name].isna().sum()} row(s), "
                         f"first row {int(table[name].isna().to_numpy().argmax())}")
    return table[name]


def _trial_names(table: pd.DataFrame) -> np.ndarray:
    """One text a row, equal exactly where subject, session and trial are."""
    _column(table, "trial")
    columns = [name for name in TRIAL_KEY if name in table]
    names = [name + " " + _column(table, name).astype(str) for name in columns]
    return names[0].str.cat(names[1:], sep=", ").to_numpy() if names[1:] else names[0].to_numpy()


def _enough(groups, labels, n_splits, what):
    if n_splits < 2:
        raise ValueError(f"n_splits must be at least 2, found {n_splits}")
    found = len(set(groups))
    if found < n_splits:
        raise _too_few(groups, labels, what, f"{n_splits} folds need {n_splits} {what}s, found {found}")


def _too_few(groups, labels, what, why) -> ValueError:
    counts = pd.Series(groups).groupby(labels).nunique()
    listed = ", ".join(f"{label}: {n}" for label, n in counts.items())
    advice = {"trial": "use fewer folds, val_fraction=0, or record more trials",
              "subject": "use fewer folds or the protocol by_trial, or add people"}[what]
    return ValueError(f"{why}. {what.capitalize()}s by class: {listed}. Each class needs one {what} for "
                      f"training and one for test (and, for validation, another trial). What to do: {advice}")
