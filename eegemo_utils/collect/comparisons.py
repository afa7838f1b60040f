"""Protocols against each other, in pairs of the same person or the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
import scipy  # scipy.stats loads when it is used

from .summaries import AUDIT, LEVEL, NO_PAIRS, PEOPLE, PROTOCOL, SEED, Group, audited, groups, interval, units

PROTOCOLS = ("published", "by_trial", "by_subject")
COLUMNS = ["notebook", "dataset", "data", "settings", "first", "second", "difference", "low", "high", "level", "n",
           "over", "p", "p_holm", "note"]


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """Paired comparisons between protocols.

    Two kinds of pairs: the audit's accuracies of the same runs (``accuracy_published`` against
    ``accuracy_by_trial`` ...), and one accuracy of runs that differ in nothing but the parameter ``protocol``
    (``accuracy_supervised, published`` against ``accuracy_supervised, by_trial``). Pairs are people, or seeds where
    the runs do not differ in people. Where both sides have runs and none of them is of the same person and seed, the
    row says so in place of a difference.

    Parameters
    ----------
    table : DataFrame
        As `collect` makes it.

    Returns
    -------
    DataFrame
        One row a comparison: notebook, dataset, data, settings, first, second, difference (mean of first minus
        second), low, high (bootstrap interval of it), level, n (pairs), over, p (Wilcoxon's signed-rank test, two
        sides), p_holm (corrected for all comparisons of the same notebook, dataset and settings, after Holm), note.
    """
    rows = []
    for group in groups(table, but_for=(PROTOCOL,)):
        family = [row for pair in candidates(group) if (row := compared(*pair))]
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            rows.append(group.facts | row | {"p_holm": p})
    return pd.DataFrame(rows, columns=COLUMNS)


def candidates(group: Group) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield two names and the rows with both values: people, seeds, columns ``first`` and ``second``."""
    table, _ = audited(group.table)
    recorded = [name for name in AUDIT if f"metrics.{name}" in table and table[f"metrics.{name}"].notna().any()]
    for first, second in combinations(recorded, 2):
        yield first, second, paired(table, table, f"metrics.{first}", f"metrics.{second}")
    if PROTOCOL not in group.table:
        return
    parts = [(name, part) for name in PROTOCOLS if len(part := group.table[group.table[PROTOCOL] == name])]
    others = [name for name in table if name.startswith("metrics.accuracy_")]
    for (one, left), (two, right) in combinations(parts, 2):
        for name in others:
            label = name.removeprefix("metrics.")
            # those of the audit hold all protocols, whatever the parameter says
            if label not in AUDIT and left[name].notna().any() and right[name].notna().any():
                yield f"{label}, {one}", f"{label}, {two}", paired(left, right, name, name)


def paired(left: pd.DataFrame, right: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return two columns side by side for each person and seed that has both; repeated runs are averaged."""
    keys = [name for name in (*PEOPLE, SEED) if name in left]

    def values(part: pd.DataFrame, name: str) -> pd.Series:
        known = part[part[name].notna()]
        by = [known[key] for key in keys] or [pd.Series(0, known.index)]
        return known[name].astype(float).groupby(by, dropna=False).mean()

    both = pd.concat({"first": values(left, first), "second": values(right, second)}, axis=1, join="inner")
    return both.reset_index()


def compared(first: str, second: str, pairs: pd.DataFrame) -> dict[str, object] | None:
    """Return one comparison, or None where there is one pair, or none that differs."""
    if pairs.empty:
        nothing = dict.fromkeys(("difference", "low", "high", "p"), float("nan"))
        return {"first": first, "second": second, **nothing, "level": LEVEL, "n": 0, "over": "", "note": NO_PAIRS}
    each, over = units(pairs, pairs["first"] - pairs["second"])
    difference = each.to_numpy()
    differs = difference[np.abs(difference) > 1e-12]
    if len(difference) < 2 or not len(differs):
        return None
    low, high = interval(difference)
    n = len(differs)
    note = f"too few pairs: p cannot fall below {2.0 ** (1 - n):.2g}" if n < 6 else ""
    p = float(scipy.stats.wilcoxon(differs).pvalue)
    return {"first": first, "second": second, "difference": float(difference.mean()), "low": low, "high": high,
            "level": LEVEL, "n": len(difference), "over": over, "p": p, "note": note}


def holm(p_values: list[float]) -> np.ndarray:
    """Return p values corrected for their number (Holm, 1979, A simple sequentially rejective procedure)."""
    p = np.asarray(p_values, dtype=float)
    known = np.isfinite(p).sum()  # NaN, where nothing was tested, is sorted last and stays
    order = np.argsort(p)[:known]
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(known, 0, -1)))
    return corrected
