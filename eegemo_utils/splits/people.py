"""Splits by people that papers print: one left out, fixed lists, the official evaluation part of a corpus."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eegemo_utils.splits.clips import number
from eegemo_utils.splits.core import Split, column, guard
from eegemo_utils.splits.folds import hold_out, too_few, validation_people

# Numbers of the people for training, validation and test. FACED: CBraMod (wjq-learning/CBraMod, commit b9e9610,
# preprocessing/preprocessing_faced.py). EEGMAT: the same repository, preprocessing_stress.py.
FACED_CBRAMOD = (range(80), range(80, 100), range(100, 123))
EEGMAT_CBRAMOD = (range(28), range(28, 32), range(32, 36))
# The folds of FACED's own scripts: nine of 12 people in the order of the files, the last of 15.
FACED_FOLDS = (*(range(first, first + 12) for first in range(0, 108, 12)), range(108, 123))


def leave_one_subject_out(table: pd.DataFrame, val_fraction: float = 0.0, random_state: int = 0) -> list[Split]:
    """Test each person once, train on all others, whatever classes they have.

    Parameters
    ----------
    table : DataFrame with ``subject``, ``trial``, ``label`` and, where it exists, ``session``
        Select one session before for the variant that uses but the first.
    val_fraction : float
        About this share of the training windows becomes validation (0: none, as published): whole people where
        there are enough of them, else whole trials.
    random_state : int
        Chooses who is in the validation part.

    Returns
    -------
    list of Split
        "by_subject", in the order of people's numbers.

    Raises
    ------
    ValueError
        When there is but one person, or no trial is left for validation.
    """
    people = sorted(column(table, "subject").astype(str).unique(), key=number)
    if len(people) < 2:
        raise too_few(table["subject"], column(table, "label"), "subject", "leaving one person out needs two")
    return [_people_split(table, f"subject {name}", [name], val_fraction, random_state) for name in people]


def people_folds(table: pd.DataFrame, folds=FACED_FOLDS, val_fraction: float = 0.0,
                 random_state: int = 0) -> list[Split]:
    """Test each fold of a fixed list of people, train on all others.

    Parameters
    ----------
    table : DataFrame with ``subject`` (a number in each name), ``trial``, ``label`` and maybe ``session``
    folds : sequence of collections of int
        Numbers of the people of each fold; the default is FACED's official one.
    val_fraction, random_state
        As in `leave_one_subject_out`.

    Returns
    -------
    list of Split
        "by_subject". Folds of which the table has nobody are left out.

    Raises
    ------
    ValueError
        When people stand in no fold, or fewer than two folds have anybody.
    """
    numbers = _numbers(table)
    lost = sorted(set(numbers.tolist()) - {one for fold in folds for one in fold})
    held = [(k, fold) for k, fold in enumerate(folds, start=1) if np.isin(numbers, list(fold)).any()]
    if lost or len(held) < 2:
        raise ValueError(f"each person in one of the {len(folds)} folds, and people in two of them at least, please; "
                         f"people in no fold: {lost}; folds with people: {[k for k, _ in held]}. This list is for a "
                         f"whole dataset: give your own, or use by_subject")
    names = column(table, "subject").astype(str).to_numpy()
    return [_people_split(table, f"people {k}/{len(folds)}", set(names[np.isin(numbers, list(fold))]), val_fraction,
                          random_state) for k, fold in held]


def people_parts(table: pd.DataFrame, parts=FACED_CBRAMOD) -> list[Split]:
    """One split by fixed lists of people for training, validation and test.

    Parameters
    ----------
    table : DataFrame with ``subject`` (a number in each name) and ``trial``
    parts : three collections of int
        Numbers of the people, such as `FACED_CBRAMOD` or `EEGMAT_CBRAMOD`.

    Returns
    -------
    list of Split
        One, "by_subject".

    Raises
    ------
    ValueError
        When a part has nobody, or a person stands in none or in two.
    """
    numbers = _numbers(table)
    rows = [np.flatnonzero(np.isin(numbers, list(part))) for part in parts]
    found = [len(set(numbers[part])) for part in rows]
    if min(found) == 0 or sum(map(len, rows)) != len(table):
        raise ValueError(f"each person in one of three lists of {', '.join(str(len(part)) for part in parts)} people, "
                         f"please; this table has {', '.join(map(str, found))} of them, {len(set(numbers))} people in "
                         f"all. The list is for a whole dataset: give your own, or use by_subject")
    split = Split("people " + "/".join(map(str, found)), "by_subject", *rows)
    guard(split, table)
    return [split]


def official_evaluation(table: pd.DataFrame, val_fraction: float = 0.2, random_state: int = 0,
                        part: str = "part") -> list[Split]:
    """The evaluation part that TUAB and TUEV come with, and whole people of the training part for validation.

    The same on every machine: people are drawn from their sorted names. A person with recordings of both classes
    stands on one side, unlike in LaBraM's make_TUAB.py:98-109, which also draws without a seed.

    Parameters
    ----------
    table : DataFrame with ``subject``, ``trial``, ``label`` and the column `part`
    val_fraction : float
        About this share of each class's training windows becomes validation (0: none).
    random_state : int
        Chooses the people.
    part : str
        Column that says "train" or "eval".

    Returns
    -------
    list of Split
        One, "by_subject".

    Raises
    ------
    ValueError
        When the column says something else, or no people are left for validation.
    """
    parts = column(table, part).astype(str).to_numpy()
    if set(parts) != {"train", "eval"}:
        found = ", ".join(sorted(set(parts))) or "nothing"
        raise ValueError(f"column {part!r}: expected train and eval, found {found}")
    names, labels = column(table, "subject").astype(str).to_numpy(), column(table, "label").to_numpy()
    train, val = hold_out(np.flatnonzero(parts == "train"), names, labels, val_fraction, random_state)
    if val is None:
        raise too_few(names, labels, "subject", "no person is left for validation")
    split = Split("official evaluation", "by_subject", train, val, np.flatnonzero(parts == "eval"))
    guard(split, table)
    return [split]


def _people_split(table: pd.DataFrame, name: str, tested, val_fraction: float, random_state: int) -> Split:
    test = column(table, "subject").astype(str).isin(tested).to_numpy()
    rest = np.flatnonzero(~test)
    train, val = validation_people(table, rest, val_fraction, random_state) if val_fraction else (rest, rest[:0])
    split = Split(name, "by_subject", train, val, np.flatnonzero(test))
    guard(split, table)
    return split


def _numbers(table: pd.DataFrame) -> np.ndarray:
    """The number in each person's name, such as 7 in "sub007"."""
    names = column(table, "subject").astype(str)
    numbers = {name: number(name)[0] for name in names.unique()}
    bad = sorted(name for name, value in numbers.items() if not np.isfinite(value))
    if bad or len(set(numbers.values())) < len(numbers):
        raise ValueError(f"each person needs a number of their own in the name; {bad[:1] or 'two names share one'}")
    return names.map(numbers).to_numpy().astype(int)
