"""Splits that papers on emotional film clips print: by the number of the trial, by clip, over windows.

As printed they have no validation part, so that a model is chosen by its test score; `val_fraction` takes whole
training trials for that instead. Trials are told apart by the table's columns, so a table of any order will do.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from eegemo_utils.splits.core import Split, column, guard, trial_names
from eegemo_utils.splits.folds import hold_out, too_few


def first_trials(table: pd.DataFrame, n_train: int, val_fraction: float = 0.0, random_state: int = 0) -> list[Split]:
    """Train on the first trials of a recording, test on its last ones; one split a person and session.

    SEED: the first 9 of 15 (Zheng and Lu 2015). SEED-IV, read by time: the first 16 of 24; then the test part of
    session 1 has no sad trial.

    Parameters
    ----------
    table : DataFrame with ``subject``, ``session``, ``trial`` (1, 2, ... in the session) and ``label``
    n_train : int
        Trials with a number up to this one are trained on.
    val_fraction : float
        About this share of the training windows becomes validation, in whole trials (0: none).
    random_state : int
        Chooses the validation trials.

    Returns
    -------
    list of Split
        "by_trial", named "subject 1, session 1", in the order of people's numbers.

    Raises
    ------
    ValueError
        When a recording has no trial on one of the sides, or none is left for validation.
    """
    column(table, "trial")
    return _each_recording(table, lambda rows: rows["trial"] > n_train, val_fraction, random_state)


def last_of_each_class(table: pd.DataFrame, n_test: int, val_fraction: float = 0.0,
                       random_state: int = 0) -> list[Split]:
    """Test on the last trials of each class of a recording, train on the others; one split a person and session.

    SEED-IV: the last 2 of 6 of each class, 16 trials against 8. MPED: the last 1 of 4, 21 against 7
    (XJTU-EEG/LibEER, LibEER/data_utils/load_data.py:465).

    Parameters
    ----------
    table : DataFrame with ``subject``, ``session``, ``trial`` and ``label``
    n_test : int
        Trials of each class.
    val_fraction, random_state
        As in `first_trials`.

    Returns
    -------
    list of Split
        "by_trial", named as in `first_trials`.

    Raises
    ------
    ValueError
        When a recording has no trial on one of the sides, or none is left for validation.
    """
    def tested(rows: pd.DataFrame) -> pd.Series:
        trials = rows[["trial", "label"]].drop_duplicates().sort_values("trial")
        last = trials.groupby("label").tail(n_test)
        return rows["trial"].isin(last["trial"])

    column(table, "trial")
    return _each_recording(table, tested, val_fraction, random_state)


def _each_recording(table: pd.DataFrame, tested, val_fraction: float, random_state: int) -> list[Split]:
    """A split of each person's session; `tested` says which of its rows are for the test."""
    subjects, sessions = column(table, "subject").astype(str), column(table, "session")
    labels, names, splits = column(table, "label").to_numpy(), trial_names(table), []
    for (subject, session), place in _groups(subjects, sessions):
        test = tested(table.iloc[place]).to_numpy()
        if test.all() or not test.any():
            raise ValueError(f"subject {subject}, session {session}: {'all' if test.all() else 'none'} of the "
                             f"{len(set(names[place]))} trial(s) for the test. Choose another number of trials.")
        train, val = hold_out(place[~test], names, labels, val_fraction, random_state)
        if val is None:
            raise too_few(names[place], labels[place], "trial", f"subject {subject}, session {session}: no trial is "
                                                                f"left for validation")
        splits.append(Split(f"subject {subject}, session {session}", "by_trial", train, val, place[test]))
        guard(splits[-1], table)
    return splits


def _groups(subjects: pd.Series, sessions: pd.Series) -> list[tuple]:
    keys = pd.DataFrame({"subject": subjects.to_numpy(), "session": sessions.to_numpy()})
    found = keys.groupby(["subject", "session"]).indices
    return sorted(found.items(), key=lambda item: (number(item[0][0]), item[0][1]))


def number(name: str) -> tuple[float, str]:
    """Order of people: by the number in the name ("2" before "10"), then by the name."""
    digits = re.search(r"\d+", name)
    return (float(digits[0]) if digits else np.inf, name)


def block_folds(table: pd.DataFrame, n_blocks: int = 3) -> list[Split]:
    """Trials of each session in blocks by number; fold k tests block k, validates on the one before it.

    SEED-V: blocks of trials 1-5, 6-10, 11-15 of every session, all people together. The last fold is the one split of
    LaBraM (Jiang et al. 2024, appendix F) and CBraMod: train, validation, test in this order.

    Parameters
    ----------
    table : DataFrame with ``trial`` and, where they exist, ``subject`` and ``session``
    n_blocks : int
        At least 3; the trials of the table must be as many in each block.

    Returns
    -------
    list of Split
        "by_trial": people are the same on all sides.

    Raises
    ------
    ValueError
        When there are too few blocks, or the number of trials is no multiple of them.
    """
    trials = column(table, "trial")
    numbers = np.sort(trials.unique())
    if n_blocks < 3 or len(numbers) % n_blocks:
        raise ValueError(f"at least 3 blocks of equally many trials, please; found {n_blocks} blocks for "
                         f"{len(numbers)} trials")
    block = np.searchsorted(numbers, trials) // (len(numbers) // n_blocks)
    splits = []
    for k in range(n_blocks):
        test, val = block == k, block == (k - 1) % n_blocks
        splits.append(Split(f"block {k + 1}/{n_blocks}", "by_trial", *map(np.flatnonzero, (~test & ~val, val, test))))
        guard(splits[-1], table)
    return splits


def leave_clips_out(table: pd.DataFrame, n_splits: int = 3, n_people: int | None = None, clip: str = "trial",
                    val_fraction: float = 0.0, random_state: int = 0) -> list[Split]:
    """Test on clips that nobody was trained on: says whether it is the emotion or the clip that is recognised.

    The clips of each class, in their order, are dealt into the folds in turn. FACED: three clips an emotion, so fold 3
    trains on the first two and tests on the third; neutral's fourth clip stands with its first.

    Parameters
    ----------
    table : DataFrame with ``subject``, ``trial``, ``label`` and the column of the clip
    n_splits : int
        Folds of clips.
    n_people : int, optional
        Also deal the people into so many folds, in the order of their numbers, and test on people that were not
        trained on: n_splits x n_people splits, which leave out what shares only clips or only people.
    clip : str
        Column with the clip; where all sessions show the same clips, the trial.
    val_fraction : float
        About this share of the training windows becomes validation, in whole clips (0: none).
    random_state : int
        Chooses the validation clips.

    Returns
    -------
    list of Split
        "by_trial"; "by_subject" with `n_people`.

    Raises
    ------
    ValueError
        When a class has fewer clips than folds, or too few are left for validation.
    """
    clips, labels = column(table, clip).to_numpy(), column(table, "label").to_numpy()
    fold_of = {}
    for label in pd.unique(labels):
        own = np.unique(clips[labels == label])
        if len(own) < n_splits:
            raise too_few(clips, labels, "trial", f"{n_splits} folds need {n_splits} clips of each class",
                          fewer=n_splits > 2)
        fold_of |= {(label, name): place % n_splits for place, name in enumerate(own)}
    fold = np.array([fold_of[key] for key in zip(labels, clips)])
    splits = []
    for name, person in _people_folds(table, n_people):
        for k in range(n_splits):
            rest = np.flatnonzero((fold != k) & (~person if n_people else True))
            train, val = hold_out(rest, clips.astype(str), labels, val_fraction, random_state)
            if val is None:
                raise too_few(clips, labels, "trial", "no clip is left for validation")
            protocol = "by_subject" if n_people else "by_trial"
            splits.append(Split(f"clips {k + 1}/{n_splits}{name}", protocol, train, val,
                                np.flatnonzero((fold == k) & person)))
            guard(splits[-1], table)
    return splits


def _people_folds(table: pd.DataFrame, n_people: int | None):
    if n_people is None:
        return [("", np.ones(len(table), bool))]
    subjects = column(table, "subject").astype(str)
    known = sorted(subjects.unique(), key=number)
    if not 2 <= n_people <= len(known):
        raise ValueError(f"2 to {len(known)} folds of {len(known)} people, please; got n_people={n_people}")
    parts = np.array_split(np.array(known), n_people)
    return [(f", people {k}/{n_people}", subjects.isin(part).to_numpy()) for k, part in enumerate(parts, start=1)]


def window_folds(table: pd.DataFrame, n_splits: int = 5, each_subject: bool = False, validate: bool = False,
                 stratify: str | None = "label", random_state: int = 0) -> list[Split]:
    """Cross-validation over shuffled single windows: parts of one trial stand on both sides ("published").

    MT-CNN: 5 folds over everybody's windows, stratified by arousal, random_state=7 (Rudakov et al. 2021,
    train.py:58-60). TNAS: 10 folds in each person, with a validation part.

    Parameters
    ----------
    table : DataFrame
        With ``subject`` for `each_subject`, and the column `stratify`.
    n_splits : int
        Folds; each window is tested once.
    each_subject : bool
        Folds in each person, not over everybody.
    validate : bool
        The next fold is for validation (10 folds: 8 to 1 to 1).
    stratify : str or None
        Column whose values are spread evenly; None for a plain shuffle.
    random_state : int

    Returns
    -------
    list of Split

    Raises
    ------
    ValueError
        When there are too few windows for the folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold  # late: half a second

    groups = [("", np.arange(len(table)))]
    if each_subject:
        subjects = column(table, "subject").astype(str).to_numpy()
        groups = [(f"subject {name}, ", np.flatnonzero(subjects == name)) for name in sorted(set(subjects), key=number)]
    cv = (StratifiedKFold if stratify else KFold)(n_splits, shuffle=True, random_state=random_state)
    values = column(table, stratify).to_numpy() if stratify else np.zeros(len(table))
    splits = []
    for name, rows in groups:
        parts = [rows[test] for _, test in cv.split(rows, values[rows])]
        for k, test in enumerate(parts):
            val = parts[(k + 1) % n_splits] if validate else rows[:0]
            train = np.setdiff1d(rows, np.concatenate([test, val]))
            splits.append(Split(f"{name}windows {k + 1}/{n_splits}", "published", train, val, test))
    return splits


def segment_folds(table: pd.DataFrame, n_splits: int = 10) -> list[Split]:
    """Cut each trial into pieces that follow one another; fold k tests every trial's piece k ("published").

    FACED's own test within people: fold k is seconds 3k to 3k+2 of each clip, so that every clip is known from
    training. TorchEEG calls it KFoldGroupbyTrial, though no trial is held out.

    Parameters
    ----------
    table : DataFrame with ``trial``, ``window`` and, where they exist, ``subject`` and ``session``
    n_splits : int
        Pieces of a trial; each window is tested once. Select a person before for the test within people.

    Returns
    -------
    list of Split

    Raises
    ------
    ValueError
        When a trial has fewer windows than pieces.
    """
    names, rows = trial_names(table), table.reset_index(drop=True)
    column(table, "window")
    rank = rows.groupby(names)["window"].rank(method="first").astype(int) - 1
    length = rows.groupby(names)["window"].transform("size")
    if n_splits < 2 or (length < n_splits).any():
        short = names[int(length.argmin())]
        raise ValueError(f"at least 2 pieces and no more than a trial has windows, please; got n_splits={n_splits}, "
                         f"{length.min()} windows in {short}")
    piece = (rank * n_splits // length).to_numpy()
    return [Split(f"pieces {k + 1}/{n_splits}", "published", np.flatnonzero(piece != k), np.arange(0),
                  np.flatnonzero(piece == k)) for k in range(n_splits)]
