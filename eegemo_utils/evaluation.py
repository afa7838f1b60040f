"""Scores, what guessing would score, and how sure a score is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy  # scipy.stats and scipy.special load when they are used: they take a second

FEWEST = 5  # people, for an interval or a test: below, it would be wide and rest on the shape of the spread


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


class Interval(NamedTuple):
    """A mean and where it may lie for other people; low and high are None where the data cannot tell."""

    mean: float
    low: float | None
    high: float | None


def unit_means(values, subject=None, trial=None) -> pd.Series:
    """Return the mean of the values of each unit that counts as one observation.

    The windows of a trial and the trials of a person are not independent. So a person is one observation, whatever
    the number of their trials, seeds and folds; without people a trial is; without trials each value is.

    Parameters
    ----------
    values : array, shape (n,)
        Such as right (1) and wrong (0) answers.
    subject, trial : array, shape (n,), optional

    Raises
    ------
    ValueError
        No values, one that is not finite, or names of another length.
    """
    values = np.asarray(values, dtype=float)
    names = next((np.asarray(names) for names in (subject, trial) if names is not None), np.arange(len(values)))
    if values.ndim != 1 or len(values) == 0 or len(names) != len(values):
        raise ValueError(f"one name per value and at least one value: found values of shape {values.shape} and "
                         f"{len(names)} names")
    if not np.isfinite(values).all():
        raise ValueError(f"expected finite values, found {np.count_nonzero(~np.isfinite(values))} that are not")
    return pd.Series(values).groupby(pd.Series(names)).mean()


def interval(values, *, subject=None, trial=None, level: float = 0.95) -> Interval:
    """Return the mean of a score over people and its interval: Student's, over people, on the logit scale.

    People are weighted equally. The logit, by the delta method, keeps the interval of a share inside 0 and 1 and its
    promise near them: on simulated answers of 8, 15 and 32 people who differ it holds the truth in 93 to 97 % of the
    experiments, also at a mean of 0.93, where the plain Student interval holds it in 90 to 92 %. Values outside 0
    and 1, such as kappa or a difference, get the plain one.

    Parameters
    ----------
    values, subject, trial
        See `unit_means`.
    level : float

    Returns
    -------
    Interval
        low and high are None with fewer than `FEWEST` people (or trials, where there are no people), and where all of
        them score the same: then their spread says nothing about others.

    Raises
    ------
    ValueError
        As in `unit_means`.
    """
    means = unit_means(values, subject, trial).to_numpy()
    plain = _student(means, level)
    if plain.low is None or means.min() < 0 or means.max() > 1:
        return plain
    mean = plain.mean
    around, half = scipy.special.logit(mean), (plain.high - mean) / (mean * (1 - mean))
    return Interval(mean, float(scipy.special.expit(around - half)), float(scipy.special.expit(around + half)))


def paired(a, b, subject=None, trial=None) -> np.ndarray:
    """Return the difference a - b of each person (or trial), for values of the same rows."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"a paired difference needs the same rows on both sides: found {a.shape} and {b.shape}")
    return unit_means(a - b, subject, trial).to_numpy()


def difference(a, b, *, subject=None, trial=None, level: float = 0.95) -> Interval:
    """Return the mean paired difference a - b over people and its Student interval.

    Parameters
    ----------
    a, b : arrays, shape (n,)
        Values of the same rows under two methods or conditions.
    subject, trial, level
        See `interval`.

    Raises
    ------
    ValueError
        As in `unit_means`; or different lengths.
    """
    return _student(paired(a, b, subject, trial), level)


def wilcoxon(a, b, *, subject=None, trial=None) -> float | None:
    """Return the p value of Wilcoxon's signed-rank test of paired differences over people; None below `FEWEST`.

    Exact up to 50 people without ties and zeros, as SciPy does. 1.0 where nobody differs.
    """
    each = paired(a, b, subject, trial)
    if len(each) < FEWEST:
        return None
    return float(scipy.stats.wilcoxon(each).pvalue) if each.any() else 1.0


def holm(p_values) -> np.ndarray:
    """Return p values corrected for their number (Holm, 1979, A simple sequentially rejective procedure).

    Reject where a corrected value is below the level: the chance of one false rejection or more is then below it too.
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    return np.minimum(corrected, 1.0)


def smallest_effect(values, *, subject=None, trial=None, level: float = 0.95, power: float = 0.8) -> float | None:
    """Return the smallest true effect that data of this spread would show with a probability of `power`.

    Of Student's test at `level` over people (two-sided); None below `FEWEST`.
    """
    means = unit_means(values, subject, trial).to_numpy()
    if len(means) < FEWEST:
        return None
    t = scipy.stats.t(len(means) - 1)
    return float(t.ppf((1 + level) / 2) + t.ppf(power)) * _standard_error(means)


def _student(means: np.ndarray, level: float) -> Interval:
    """Return the mean and Student's interval; no interval with too few values, or where all are equal."""
    mean, error = float(means.mean()), _standard_error(means)
    if len(means) < FEWEST or error == 0:
        return Interval(mean, None, None)
    half = float(scipy.stats.t.ppf((1 + level) / 2, len(means) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def _standard_error(means: np.ndarray) -> float:
    """Return the standard error of a mean; 0 where all are equal but for rounding."""
    if len(means) < 2 or np.ptp(means) < 1e-12:
        return 0.0
    return float(means.std(ddof=1) / np.sqrt(len(means)))


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
