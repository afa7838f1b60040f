"""Cross-validation over windows (as most published results), over trials, over people."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from eegemo_utils.splits.core import Split, column, guard, trial_names


def random_split(table: pd.DataFrame, train_size: float = 0.7, val_fraction: float = 0.2,
                 random_state: int = 123, name: str = "random") -> Split:
    """Shuffle single windows, as most published results on such tables did.

    Neighbouring windows of one recording land on both sides: the protocol is ``published``, and its
    score says how well a recording is recognised again. The shuffle is scikit-learn's
    ``train_test_split`` (unstratified); validation is the *last* ``val_fraction`` of the shuffled
    training rows, as Keras's ``validation_split`` takes it. Defaults: the GRU article's notebook.
    """
    from sklearn.model_selection import train_test_split  # late: half a second

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
    table : DataFrame with ``trial``, ``label`` and, where they exist, ``subject``, ``session`` and ``group``
        Trials of one group are dealt with as one.
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
        Too few trials; the message counts them by class. ``val_fraction=0`` does with one less of each.
    """
    return _group_folds(table, trial_names(table), "trial", n_splits, val_fraction, random_state)


def by_clip(table: pd.DataFrame, n_splits: int = 5, val_fraction: float = 0.2, random_state: int = 0) -> list[Split]:
    """Cross-validation over whole clips: what everybody saw is in one part only; validation is whole training clips.

    Unlike `leave_clips_out`, a clip to which people gave different labels stays whole.

    Parameters
    ----------
    table : DataFrame with ``clip``, ``trial``, ``label`` and, where they exist, ``subject`` and ``session``
    n_splits, val_fraction, random_state
        As in `by_trial`.

    Returns
    -------
    list of Split
        "by_trial": people are the same on all sides.

    Raises
    ------
    ValueError
        As in `by_trial`.
    """
    return _group_folds(table, column(table, "clip").astype(str).to_numpy(), "clip", n_splits, val_fraction,
                        random_state)


def _group_folds(table, names, what, n_splits, val_fraction, random_state) -> list[Split]:
    """Return the folds over groups of rows; validation is whole groups of the training part."""
    labels, splits = column(table, "label").to_numpy(), []
    _enough(names, labels, n_splits, what)
    for k, (rest, test) in enumerate(_folds(names, labels, n_splits, random_state)):
        if set(labels[rest]) != set(labels):
            raise too_few(names, labels, what, f"fold {k + 1} of {n_splits} would train without a class")
        train, val = hold_out(rest, names, labels, val_fraction, random_state)
        if val is None:
            raise too_few(names, labels, what, f"no {what} is left for validation")
        splits.append(Split(f"{what}s {k + 1}/{n_splits}", "by_trial", train, val, test))
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
        Too few people, or trials where ``val_fraction`` is not 0; the message counts them by class.
    """
    subjects, labels = column(table, "subject").astype(str).to_numpy(), column(table, "label").to_numpy()
    people_of = pd.Series(subjects).groupby(labels).nunique()
    everyone_has_all = (people_of == len(set(subjects))).all()
    one_out = n_splits is None and everyone_has_all
    if n_splits is None:
        n_splits = max(2, int(len(set(subjects)) if everyone_has_all else people_of.min()))
    _enough(subjects, labels, n_splits, "subject")
    splits = []
    for k, (rest, test) in enumerate(_folds(subjects, labels, n_splits, random_state)):
        if set(labels[rest]) != set(labels):
            raise too_few(subjects, labels, "subject",
                           f"fold {k + 1} of {n_splits} would train without a class")
        train, val = validation_people(table, rest, val_fraction, random_state)
        name = f"subject {subjects[test[0]]}" if one_out else f"subjects {k + 1}/{n_splits}"
        splits.append(Split(name, "by_subject", train, val, test))
        guard(splits[-1], table)
    order = sorted(range(len(splits)), key=lambda k: splits[k].test[0]) if one_out else range(len(splits))
    return [splits[k] for k in order]


def validation_people(table, rest, val_fraction, random_state):
    """Validation out of the training rows `rest`: whole people if it can be, else whole trials."""
    subjects, labels = table["subject"].astype(str).to_numpy(), table["label"].to_numpy()
    if len(set(subjects[rest])) >= 3:
        train, val = hold_out(rest, subjects, labels, val_fraction, random_state)
        if val is not None and (len(val) == 0 or set(labels[val]) == set(labels)):
            return train, val
    names = trial_names(table)
    train, val = hold_out(rest, names, labels, val_fraction, random_state)
    if val is None:
        raise too_few(names[rest], labels[rest], "trial", "no training trial is left for validation")
    return train, val


def _folds(groups, labels, n_splits, random_state):
    """Yield (rest, test) row numbers, whole groups, the classes spread over the folds."""
    from sklearn.model_selection import StratifiedGroupKFold  # late: half a second

    cv = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():  # fewer groups than folds in a class: checked by the callers
        warnings.filterwarnings("ignore", message="The least populated class")
        yield from cv.split(np.zeros(len(labels)), labels, groups)


def hold_out(rows, groups, labels, fraction, random_state):
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


def _enough(groups, labels, n_splits, what):
    found, needed = len(set(groups)), max(2, n_splits)
    if found < needed:
        raise too_few(groups, labels, what, f"{needed} folds need {needed} {what}s, found {found}", fewer=n_splits > 2)
    if n_splits < 2:
        raise ValueError(f"n_splits must be at least 2, found {n_splits}")


def too_few(groups, labels, what, why, fewer=False) -> ValueError:
    """The error for folds that cannot be: why, how many groups each class has, what to do; `fewer` folds may help.

    Whoever runs a notebook reads it too: it names nothing that only Python code can set.
    """
    counts = pd.Series(groups).groupby(labels).nunique()
    listed = ", ".join(f"{label}: {n}" for label, n in counts.items())
    more = {"trial": "record more trials of the classes that have fewest",
            "clip": "show more clips of the classes that have fewest, or take the protocol by_trial",
            "subject": "add people or take the protocol by_trial"}[what]
    return ValueError(f"{why}. {what.capitalize()}s by class: {listed}. Each class needs one {what} for "
                      f"training and one for test (and, for validation, another trial). What to do: "
                      f"{'use fewer folds, or ' * fewer}{more}")
