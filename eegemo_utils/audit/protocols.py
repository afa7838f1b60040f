"""The protocols that an audit compares, and labels that its controls use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eegemo_utils import splits
from eegemo_utils.splits.core import column, trial_names

PROTOCOLS = {
    "published": "windows shuffled",
    "by_trial": "trials left out",
    "by_subject": "people left out",
    "by_clip": "clips left out",
}
TRUE, MEANINGLESS, PLANTED = "true", "meaningless", "planted"


def folds(table: pd.DataFrame, protocol: str, n_folds: int = 5, random_state: int = 0) -> list[splits.Split]:
    """Return the folds of one protocol; each window is tested once.

    Parameters
    ----------
    table : DataFrame
        One row per window: label and trial, with subject, session and clip where they are known.
    protocol : {"published", "by_trial", "by_subject", "by_clip"}
        ``"published"`` shuffles windows, as most published results on such data did.
    n_folds : int
        At most; there are fewer where a class has fewer trials, people or clips.
    random_state : int

    Raises
    ------
    ValueError
        An unknown protocol, a column that it needs is missing, or there are too few trials, people or clips.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} is not one of {', '.join(PROTOCOLS)}")
    if protocol == "published":
        return splits.window_folds(table, n_folds, random_state=random_state)
    if protocol == "by_trial":
        most = _fewest(table, trial_names(table))
        return splits.by_trial(table, min(n_folds, most), val_fraction=0, random_state=random_state)
    if protocol == "by_subject":
        most = _fewest(table, column(table, "subject"))
        return splits.by_subject(table, min(n_folds, most), val_fraction=0, random_state=random_state)
    most = _fewest(table, column(table, "clip"))
    return splits.by_clip(table, min(n_folds, most), val_fraction=0, random_state=random_state)


def _fewest(table: pd.DataFrame, names) -> int:
    """Return how many of the named groups the class with fewest of them has; at least 2, so that too few is said."""
    groups = pd.Series(np.asarray(names)).groupby(column(table, "label").to_numpy()).nunique()
    return max(2, int(groups.min()))


def deal(table: pd.DataFrame, protocol_folds: Sequence[splits.Split], random_state: int) -> tuple[np.ndarray, str]:
    """Return labels without meaning, and between which trials they changed places.

    They change places within people where people have several labels, so that what distinguishes people stays as it
    is; else, or where too few trials allow it, across all trials.

    Raises
    ------
    ValueError
        When no order of the labels is without meaning.
    """
    labels = table["label"].to_numpy()
    if "subject" in table and table.groupby("subject")["label"].nunique().min() > 1:
        try:
            dealt = splits.meaningless_labels(table, labels, random_state, within=["subject"], folds=protocol_folds)
            return dealt, "within people"
        except ValueError:
            pass
    return splits.meaningless_labels(table, labels, random_state, folds=protocol_folds), "across trials"


def plant(X: np.ndarray, labels: np.ndarray, size: float, random_state: int) -> np.ndarray:
    """Return inputs with an effect of the labels in them, the same in all people.

    Each class gets a pattern of its own, normal over the input's features and scaled by `size` times each feature's
    standard deviation: what an honest method must find, in new trials and in new people.

    Parameters
    ----------
    X : array, shape (n_windows, ...)
    labels : array, shape (n_windows,)
    size : float
        In standard deviations of a feature.
    random_state : int
    """
    classes, codes = np.unique(labels, return_inverse=True)
    patterns = np.random.default_rng(random_state).normal(size=(len(classes), *X.shape[1:]))
    return X + size * X.std(axis=0) * patterns[codes]
