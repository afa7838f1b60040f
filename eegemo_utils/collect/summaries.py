"""Mean, standard deviation and interval of each metric over the runs that differ in nothing but person and seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from ..evaluation import summary

AUDIT = {
    "accuracy_published": "as published",
    "accuracy_by_trial": "trials left out",
    "accuracy_by_subject": "people left out",
}
PEOPLE = ("parameters.subject", "parameters.subjects")
SEED = "parameters.seed"
PROTOCOL = "parameters.protocol"
NO_PAIRS = "no pairs: the protocols were run with other people or seeds, so their difference is not theirs alone"
# what changes how fast a run is, not what it finds
MACHINE = {"parameters.device", "parameters.models_at_once"}
LEVEL = 0.95
N_RESAMPLES = 2000
COLUMNS = ["notebook", "dataset", "data", "settings", "metric", "mean", "sd", "n", "over", "low", "high", "level",
           "n_runs"]


@dataclass(frozen=True)
class Group:
    """Finished runs of one notebook with the same parameters, but for person and seed.

    Attributes
    ----------
    notebook, dataset, data : str
        `data` is a key of KINDS_OF_DATA.
    settings : str
        What tells this group from the others of its notebook and dataset, e.g. "protocol=by_trial"; often "".
    table : DataFrame
        Its rows of the tidy table.
    """

    notebook: str
    dataset: str
    data: str
    settings: str
    table: pd.DataFrame

    @property
    def facts(self) -> dict[str, str]:
        """Return what a row of a summary begins with."""
        return {name: getattr(self, name) for name in ("notebook", "dataset", "data", "settings")}


def groups(table: pd.DataFrame, but_for: tuple[str, ...] = ()) -> Iterator[Group]:
    """Yield the groups of finished runs in a tidy table.

    Parameters
    ----------
    table : DataFrame
        As `collect` makes it.
    but_for : tuple of str
        Columns in which the rows of a group may differ besides person, seed and machine.
    """
    done = table[table["status"] == "done"]
    alike = {*PEOPLE, SEED, *MACHINE, *but_for}
    keys = ["notebook", "data", "code"]
    keys += [name for name in table if name.startswith("parameters.") and name not in alike]
    same = {notebook: varied(part, keys) for notebook, part in done.groupby("notebook")}
    for values, part in done.groupby(keys, dropna=False, sort=True):
        known = dict(zip(keys, values, strict=True))
        tells = [f"{name.removeprefix('parameters.')}={known[name]}" for name in same[known["notebook"]]
                 if name != "parameters.dataset" and not pd.isna(known[name])]
        dataset = known.get("parameters.dataset", "")
        yield Group(known["notebook"], "" if pd.isna(dataset) else str(dataset), known["data"], ", ".join(tells), part)


def varied(part: pd.DataFrame, keys: list[str]) -> list[str]:
    """Return the columns in which runs of one notebook and dataset differ."""
    by = part["parameters.dataset"] if "parameters.dataset" in part else pd.Series("", part.index)
    counts = part[keys].drop(columns=["notebook", "data"]).groupby(by, dropna=False).nunique(dropna=False)
    return [name for name in counts if (counts[name] > 1).any()]


def units(group: pd.DataFrame, values: pd.DataFrame | pd.Series) -> tuple[pd.DataFrame | pd.Series, str]:
    """Return the mean of values for each person, else for each seed, and a word for what they are.

    People are what conclusions are about: where runs differ in person and seed, the seeds of a person are averaged
    first. With one person and one seed it is one value over "runs".
    """
    people = next((name for name in PEOPLE if name in group and group[name].nunique() > 1), None)
    by = people or (SEED if SEED in group and group[SEED].nunique() > 1 else None)
    means = values.groupby(group[by] if by else np.zeros(len(group))).mean()
    over = "runs" if by is None else "seeds" if people is None else "subjects"
    seeds = group.groupby(people)[SEED].nunique() if people and SEED in group else pd.Series(1, [0])
    fewest, most = seeds.min(), seeds.max()  # of a sweep that goes on yet, some have fewer
    over += f", each the mean of {most if fewest == most else f'{fewest} to {most}'} seeds" if most > 1 else ""
    repeated = len(group) - unit_of_each(group).nunique()
    return means, over + (f", {repeated} repeated run{'' if repeated == 1 else 's'} averaged" if repeated else "")


def unit_of_each(table: pd.DataFrame) -> pd.Series:
    """Return for each row a number that stands for its person and seed."""
    keys = [name for name in (*PEOPLE, SEED) if name in table]
    return table.groupby(keys, dropna=False).ngroup() if keys else pd.Series(0, table.index)


def audited(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the runs of one network on which its protocols can be compared, and what is to be said of the choice.

    A difference between protocols is one only within pairs: in runs that recorded all of them; else, where each run
    recorded its own, over the people and seeds that all protocols have.

    Parameters
    ----------
    table : DataFrame
        Rows that differ in nothing but person, seed and protocol.

    Returns
    -------
    DataFrame
        Some of the rows; all of them where there are no pairs.
    str
        "" when nothing was left out; NO_PAIRS.
    """
    table = table.reset_index(drop=True)
    names = [f"metrics.{name}" for name in AUDIT if f"metrics.{name}" in table]
    there = table[names].notna()
    there = there.loc[there.any(axis=1), there.any()]
    if there.shape[1] < 2:
        return table.loc[there.index] if len(there) else table, ""
    rows, complete = table.loc[there.index], there.all(axis=1)
    if complete.any():
        left = int((~complete).sum())
        return rows[complete], f"without {left} run{'' if left == 1 else 's'} of fewer protocols" if left else ""
    unit = unit_of_each(rows)
    common = there.groupby(unit).any().all(axis=1)
    if not common.any():
        return rows, NO_PAIRS
    left = "" if common.all() else f"the {common.sum()} of {len(common)} that all protocols have"
    return rows[unit.map(common)], left


@lru_cache(maxsize=64)
def shares(n: int) -> np.ndarray:
    """Return how much of each of n values a bootstrap resample holds, (N_RESAMPLES, n); rows sum to 1."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), N_RESAMPLES) / n


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean; NaN for fewer than two values.

    `evaluation.bootstrap_interval` in one matrix product: a table of ten thousand runs needs thousands of them.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(shares(len(values)) @ values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def holds_numbers(values: pd.Series) -> bool:
    """Say whether a column holds numbers; truth values are none."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, SD and bootstrap interval of every metric, saying over what.

    Parameters
    ----------
    table : DataFrame
        As `collect` makes it. Only finished runs count.

    Returns
    -------
    DataFrame
        One row a group and metric: notebook, dataset, data, settings, metric, mean, sd (n - 1; NaN for one value),
        n, over ("seeds", "subjects", ...), low, high (percentile bootstrap over the n values), level, n_runs.
    """
    rows = [row for group in groups(table) for row in metric_rows(group)]
    return pd.DataFrame(rows, columns=COLUMNS)


def audit(table: pd.DataFrame) -> pd.DataFrame:
    """The accuracies of each network under the protocols, over the same people and seeds, see `audited`.

    Returns
    -------
    DataFrame
        As `summarise` gives it, and ``note``; runs that differ in the parameter ``protocol`` are one group, since what
        is recorded for a protocol does not depend on it.
    """
    rows = []
    for group in groups(table, but_for=(PROTOCOL,)):
        part, note = audited(group.table)
        rows += [row | {"note": note} for row in metric_rows(replace(group, table=part))]
    return pd.DataFrame(rows, columns=[*COLUMNS, "note"])


def metric_rows(group: Group) -> Iterator[dict[str, object]]:
    """Yield a row a metric of a group, over the runs that recorded it."""
    numbers = [name for name in group.table if name.startswith("metrics.") and holds_numbers(group.table[name])]
    values = group.table[numbers].astype(float).dropna(axis=1, how="all")
    alike: dict[bytes, list[str]] = {}  # recorded by the same runs: averaged together, which takes a tenth of the time
    for name in values:
        alike.setdefault(values[name].notna().to_numpy().tobytes(), []).append(name)
    found = {}
    for names in alike.values():
        there = values[names[0]].notna()
        each, over = units(group.table[there], values.loc[there, names])
        found |= {name: (each[name].to_numpy(), over, int(there.sum())) for name in names}
    for name in values:
        known, over, n_runs = found[name]
        result, (low, high) = summary(known, over), interval(known)
        yield group.facts | {"metric": name.removeprefix("metrics."), "mean": result.mean, "sd": result.sd,
                             "n": result.n, "over": over, "low": low, "high": high, "level": LEVEL, "n_runs": n_runs}
