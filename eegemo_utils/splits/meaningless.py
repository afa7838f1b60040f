"""Labels that mean nothing: what a protocol gives for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eegemo_utils.splits.core import Split, column, trial_names

N_TRIES = 1000


def meaningless_labels(table: pd.DataFrame, labels: np.ndarray, random_state: int | np.random.Generator = 0, *,
                       within: Sequence[str] = (), folds: Sequence[Split] = ()) -> np.ndarray:
    """The labels of whole trials, dealt out again at random; a trial's windows keep one label.

    A model that scores above chance on them has recognised recordings, not what the labels stood for.

    Parameters
    ----------
    table : DataFrame, one row a window
        ``trial``, with ``subject`` and ``session`` where there are any; trials of one ``group`` count as one.
    labels : array, shape (n_windows,)
        The true labels, one value a trial. How often each occurs is kept.
    random_state : int or Generator
    within : names of columns
        Labels change places only between trials that agree in these, e.g. ``["subject", "session"]``.
    folds : list of Split
        Drawn again until each of them trains on every class.

    Returns
    -------
    array like ``labels``

    Raises
    ------
    ValueError
        A trial with two labels or in two places of ``within``, a length that is not the table's, or folds
        that cannot all be given every class.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(table),):
        raise ValueError(f"labels have shape {labels.shape}, expected one label for each of {len(table)} rows")
    names, first, trial = np.unique(trial_names(table), return_index=True, return_inverse=True)
    place = np.zeros(len(table), int)
    if len(within):
        place = table.groupby([column(table, name) for name in within]).ngroup().to_numpy()
        _one_a_trial(place, f"values of {', '.join(within)}", names, first, trial)
    _one_a_trial(labels, "labels", names, first, trial)
    label, place = labels[first], place[first]
    rng = np.random.default_rng(random_state)
    for _ in range(N_TRIES):
        drawn = label.copy()
        for one in np.unique(place):
            drawn[place == one] = rng.permutation(drawn[place == one])
        new = drawn[trial]
        if all(set(new[fold.train]) == set(labels) for fold in folds):
            return new
    raise ValueError(f"in {N_TRIES} orders of the labels of {len(names)} trials, none gave every training part all "
                     f"{len(set(labels))} classes: more trials or fewer folds are needed")


def _one_a_trial(values: np.ndarray, what: str, names: np.ndarray, first: np.ndarray, trial: np.ndarray) -> None:
    """Refuse a trial whose windows differ in what belongs to the whole trial."""
    differs = values != values[first][trial]
    if differs.any():
        row = int(differs.argmax())
        raise ValueError(f"{names[trial[row]]} has two {what} (rows {first[trial[row]]} and {row} differ): "
                         "one a trial is expected")
