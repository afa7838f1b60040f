"""Labels that mean nothing: what a protocol gives for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eegemo_utils.splits.core import Split, column, trial_names

N_TRIES = 1000
MOST_KEPT = 0.25  # of all trials, more or fewer than chance keeps


def meaningless_labels(table: pd.DataFrame, labels: np.ndarray, random_state: int | np.random.Generator = 0, *,
                       within: Sequence[str] = (), folds: Sequence[Split] = ()) -> np.ndarray:
    """The labels of whole trials, dealt out again at random; a trial's windows keep one label.

    A model that scores above chance on them has recognised recordings, not what the labels stood for. Few trials
    can come to lie as they were, or all exchanged: 4 people with 2 trials each keep 3 or 4 of their pairs, or none
    or one, in 10 of 16 orders, and a model of the true labels then seems to read what means nothing. So the labels are
    drawn again as long as the share of trials that kept theirs is `MOST_KEPT` from what chance keeps.

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
        A trial with two labels or in two places of ``within``, a length that is not the table's, folds
        that cannot all be given every class, or so few trials that each order of labels tells of the true ones.
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
    rng, expected, dull = np.random.default_rng(random_state), _kept_by_chance(label, place), True
    for _ in range(N_TRIES):
        drawn = label.copy()
        for one in np.unique(place):
            drawn[place == one] = rng.permutation(drawn[place == one])
        new = drawn[trial]
        telling = expected < 1 and abs((drawn == label).mean() - expected) >= MOST_KEPT
        dull &= telling
        if not telling and all(set(new[fold.train]) == set(labels) for fold in folds):
            return new
    if dull:
        raise ValueError(f"{len(names)} trials are too few for labels without meaning: in {N_TRIES} orders, the share "
                         f"of trials that kept their label was never within {MOST_KEPT} of the {expected:.2f} that "
                         "chance keeps. More trials or more people are needed")
    raise ValueError(f"in {N_TRIES} orders of the labels of {len(names)} trials, none gave every training part all "
                     f"{len(set(labels))} classes: more trials or fewer folds are needed")


def _kept_by_chance(label: np.ndarray, place: np.ndarray) -> float:
    """Share of the trials that keep their label on average, when labels change places within `place`."""
    rows = pd.DataFrame({"label": label, "place": place})
    counts = rows.value_counts()
    return float((counts**2 / counts.groupby("place").transform("sum")).sum() / len(rows))


def _one_a_trial(values: np.ndarray, what: str, names: np.ndarray, first: np.ndarray, trial: np.ndarray) -> None:
    """Refuse a trial whose windows differ in what belongs to the whole trial."""
    differs = values != values[first][trial]
    if differs.any():
        row = int(differs.argmax())
        raise ValueError(f"{names[trial[row]]} has two {what} (rows {first[trial[row]]} and {row} differ): "
                         "one a trial is expected")
