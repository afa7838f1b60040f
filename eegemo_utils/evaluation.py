"""Scores, what guessing would score, and how sure a score is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


def scores(y_true, y_pred, n_outputs: int) -> dict[str, float]:
    """Accuracy, balanced accuracy, macro F1 and Cohen's kappa of class numbers 0 .. n_outputs - 1.

    Macro F1 is over the classes that occur in `y_true` or `y_pred`; balanced accuracy over those in
    `y_true`. Kappa is 0 where both hold one and the same class only (it is undefined there).

    Raises
    ------
    ValueError
        Empty, of different length, or a class number out of range.
    """
    from sklearn import metrics  # late: half a second

    y_true, y_pred = _classes(y_true, n_outputs, "y_true"), _classes(y_pred, n_outputs, "y_pred")
    if len(y_true) != len(y_pred):
        raise ValueError(f"y_true has {len(y_true)} rows, y_pred {len(y_pred)}")
    present = np.union1d(y_true, y_pred)
    recall = metrics.recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro", zero_division=0)
    kappa = metrics.cohen_kappa_score(y_true, y_pred) if len(present) > 1 else 0.0
    return {"accuracy": float(metrics.accuracy_score(y_true, y_pred)),
            "balanced_accuracy": float(recall),
            "macro_f1": float(metrics.f1_score(y_true, y_pred, average="macro", zero_division=0)),
            "kappa": float(kappa)}


def baselines(y_train, y_test, n_outputs: int) -> dict[str, float]:
    """Accuracy without looking at the EEG.

    Returns
    -------
    dict
        ``chance``: 1 / n_outputs. ``majority``: accuracy on `y_test` of always answering the most frequent
        class of `y_train` (the lowest class number among equals).
    """
    y_train, y_test = _classes(y_train, n_outputs, "y_train"), _classes(y_test, n_outputs, "y_test")
    most_frequent = np.bincount(y_train, minlength=n_outputs).argmax()
    return {"chance": 1 / n_outputs, "majority": float(np.mean(y_test == most_frequent))}


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation, and over what they are taken."""

    mean: float
    sd: float
    n: int
    over: str

    def __str__(self):
        if self.n == 1:
            return f"{self.mean:.3f} (one value, no SD over {self.over})"
        return f"{self.mean:.3f} ± {self.sd:.3f} (mean ± SD over {self.n} {self.over})"


def summary(values, over: str = "seeds") -> Summary:
    """Mean and SD (n - 1) of `values`, saying over what.

    Prints as ``0.913 ± 0.021 (mean ± SD over 5 seeds)``.

    Raises
    ------
    ValueError
        No values, or one that is not finite.
    """
    values = np.asarray(list(values), dtype=float)
    if len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"a summary over {over} needs one or more finite values; found {values.tolist()}")
    sd = values.std(ddof=1) if len(values) > 1 else float("nan")
    return Summary(float(values.mean()), float(sd), len(values), over)


def bootstrap_interval(values, groups=None, level: float = 0.95, n_resamples: int = 2000,
                       random_state: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, such as accuracy from right (1) and wrong (0) answers.

    Parameters
    ----------
    values : array (n,)
    groups : array (n,), optional
        Recording or person of each value. Whole groups are drawn, since windows of one recording are not
        independent; an interval over windows would be far too narrow. With fewer than about ten
        groups the interval is rough.
    level : float
    n_resamples : int
    random_state : int

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        No values, groups of another length, or only one group.
    """
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(values) == 0 or len(groups) != len(values):
        raise ValueError(f"one group a value and at least one value: found {len(values)} values, "
                         f"{len(groups)} groups")
    codes = pd.factorize(groups)[0]
    sums, counts = np.bincount(codes, weights=values), np.bincount(codes)
    if len(counts) < 2:
        raise ValueError("a bootstrap needs at least two groups, found one: it says nothing about others")
    rng = np.random.default_rng(random_state)
    means = np.empty(n_resamples)
    for k in range(n_resamples):  # one resample at a time: all at once would need n_resamples x groups
        drawn = rng.integers(0, len(counts), len(counts))
        means[k] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def majority_vote(probabilities, groups, y) -> pd.DataFrame:
    """One answer a group: the class with the highest mean probability over its windows.

    Parameters
    ----------
    probabilities : array (n, n_outputs)
    groups : array (n,)
    y : array (n,)
        The same within a group.

    Returns
    -------
    DataFrame
        One row a group, in order of appearance: group, label, predicted, correct, n_windows, agreement
        (share of windows whose own answer is the group's).

    Raises
    ------
    ValueError
        A group with more than one label, or different lengths.
    """
    probabilities, groups, y = _probabilities(probabilities), np.asarray(groups), np.asarray(y)
    if not len(probabilities) == len(groups) == len(y):
        raise ValueError(f"found {len(probabilities)} probabilities, {len(groups)} groups, {len(y)} labels")
    own, rows = probabilities.argmax(1), []
    for group in pd.unique(pd.Series(groups)):
        at = groups == group
        labels = np.unique(y[at])
        if len(labels) > 1:
            raise ValueError(f"group {group!r} has labels {labels.tolist()}; a vote needs one label a group")
        predicted = int(probabilities[at].mean(0).argmax())
        rows.append({"group": group, "label": int(labels[0]), "predicted": predicted,
                     "correct": bool(predicted == labels[0]), "n_windows": int(at.sum()),
                     "agreement": float(np.mean(own[at] == predicted))})
    return pd.DataFrame(rows)


def calibration(probabilities, y, n_bins: int = 10) -> tuple[pd.DataFrame, float]:
    """Is a model right as often as it says?

    Parameters
    ----------
    probabilities : array (n, n_outputs), rows sum to 1
    y : array (n,), class numbers
    n_bins : int
        Equal-width bins of confidence, the highest probability of a row; (low, high].

    Returns
    -------
    table : DataFrame
        One row a bin: low, high, confidence (mean), accuracy, n; NaN where a bin is empty.
    error : float
        Expected calibration error: mean of |accuracy - confidence| weighted by n.
        (Guo et al., 2017, On calibration of modern neural networks, section 2.)
    """
    probabilities = _probabilities(probabilities)
    y = _classes(y, probabilities.shape[1], "y")
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    n = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(bins, weights=confidence, minlength=n_bins) / n
        accuracy = np.bincount(bins, weights=right, minlength=n_bins) / n
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "confidence": mean_confidence,
                          "accuracy": accuracy, "n": n})
    error = np.nansum(np.abs(accuracy - mean_confidence) * n) / n.sum()
    return table, float(error)


def _classes(values, n_outputs, what):
    values = np.asarray(values)
    if values.ndim != 1 or len(values) == 0 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{what} must be a non-empty list of class numbers, found shape {values.shape} "
                         f"of {values.dtype}")
    if values.min() < 0 or values.max() >= n_outputs:
        raise ValueError(f"{what} must hold class numbers 0 to {n_outputs - 1}, "
                         f"found {values.min()} to {values.max()}")
    return values


def _probabilities(values):
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not np.allclose(values.sum(1), 1, atol=1e-3) or (values < 0).any():
        raise ValueError("probabilities must be (n, n_outputs), not negative, with rows that sum to 1; "
                         "apply softmax to logits first")
    return values
