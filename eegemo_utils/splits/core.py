"""A split of windows, and the guard that refuses one that leaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

PROTOCOLS = ("published", "by_trial", "by_subject")
TRIAL_KEY = ("subject", "session", "trial")


class LeakError(ValueError):
    """A split that would let a model be tested on what it was trained or selected on."""


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of a windows' table, as three non-overlapping parts.

    Parameters
    ----------
    name : str
        What the fold holds out, for tables and figures, e.g. ``"subject 3"``.
    protocol : {"published", "by_trial", "by_subject"}
    train, val, test : array of int64, shape (n,)
        ``val`` may be empty; ``train`` and ``test`` may not.

    Raises
    ------
    ValueError
        Unknown protocol, an empty part, a repeated row, or a row in two parts.
    """

    name: str
    protocol: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    def __post_init__(self):
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"split {self.name!r}: protocol {self.protocol!r} is not one of {PROTOCOLS}")
        for part in ("train", "val", "test"):
            object.__setattr__(self, part, self._rows(part))
        rows = np.concatenate([self.train, self.val, self.test])
        values, counts = np.unique(rows, return_counts=True)
        if len(values) < len(rows):
            raise ValueError(f"split {self.name!r}: {(counts > 1).sum()} row(s) stand in more than one "
                             f"part or twice in one, first {values[counts > 1][0]}")

    def _rows(self, part: str) -> np.ndarray:
        rows = np.asarray(getattr(self, part))
        if rows.size == 0 and part != "val":
            raise ValueError(f"split {self.name!r}: the {part} part is empty")
        if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
            raise ValueError(f"split {self.name!r}: {part} must be a list of row numbers, "
                             f"found shape {rows.shape} of {rows.dtype}")
        if rows.size and rows.min() < 0:
            raise ValueError(f"split {self.name!r}: {part} holds a negative row number {rows.min()}")
        return rows.astype(np.int64)


def guard(split: Split, table: pd.DataFrame) -> None:
    """Refuse a split whose parts share a trial or, under ``by_subject``, share a tested person.

    Parameters
    ----------
    split : Split
    table : DataFrame, one row a window
        Must hold ``trial`` (with ``subject`` and ``session`` if there are any), for ``by_subject``
        also ``subject``.

    Raises
    ------
    LeakError
        Names the trials or subjects on both sides. Nothing is refused under ``published``.
    ValueError
        The split does not belong to this table, or the table lacks a column.
    """
    last = max(part.max() for part in (split.train, split.val, split.test) if len(part))
    if last >= len(table):
        raise ValueError(f"split {split.name!r} holds row {last}, but the table has {len(table)} rows")
    if split.protocol == "published":
        return
    fitted = np.concatenate([split.train, split.val])
    checks = [("trial", trial_names(table), fitted, split.test, "training or validation", "test"),
              ("trial", trial_names(table), split.train, split.val, "training", "validation")]
    if split.protocol == "by_subject":
        names = "subject " + column(table, "subject").astype(str)
        checks.insert(0, ("subject", names.to_numpy(), fitted, split.test, "training or validation", "test"))
    for what, names, left, right, left_name, right_name in checks:
        shared = sorted(set(names[left]) & set(names[right]))
        if shared:
            shown = "; ".join(shared[:5]) + ("; ..." if len(shared) > 5 else "")
            raise LeakError(f"split {split.name!r} ({split.protocol}): {len(shared)} {what}(s) stand in both "
                            f"the {left_name} and the {right_name} part: {shown}")


def column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column that must be there, with a value in every row; ValueError otherwise."""
    if name not in table:
        raise ValueError(f"the table has no column {name!r}, which this split needs. "
                         f"Found: {', '.join(table.columns)}")
    if table[name].isna().any():
        raise ValueError(f"column {name!r} is empty in {table[name].isna().sum()} row(s), "
                         f"first row {int(table[name].isna().to_numpy().argmax())}")
    return table[name]


def trial_names(table: pd.DataFrame) -> np.ndarray:
    """One text a row, equal exactly where subject, session and trial are."""
    column(table, "trial")
    columns = [name for name in TRIAL_KEY if name in table]
    names = [name + " " + column(table, name).astype(str) for name in columns]
    return names[0].str.cat(names[1:], sep=", ").to_numpy() if names[1:] else names[0].to_numpy()
