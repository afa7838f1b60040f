"""Rows of Bird's feature tables put back into recordings.

A row holds two windows, and the next row of the same recording begins with the second of them, digit for
digit. So a shuffled table without any name in it still tells which rows belong together.
"""

import hashlib

import numpy as np
import pandas as pd


def link_chains(blocks_a: np.ndarray, blocks_b: np.ndarray) -> pd.DataFrame:
    """Put shuffled rows back into recordings: a row follows another when its block a is the other's block b.

    Where several rows have the same block (a copied recording, a dead headband) the k-th goes to the k-th
    and all of them are flagged; a chain that bites its tail is cut before its first row.

    Parameters
    ----------
    blocks_a, blocks_b : ndarray, shape (n_rows, n_features)
        Previous and current window of each row, as printed (equality is exact).

    Returns
    -------
    DataFrame
        One row a row: chain (0, 1, ... by the first row of each), position in it, ambiguous.
    """
    n_rows = len(blocks_a)
    keys_a, keys_b = _keys(blocks_a), _keys(blocks_b)
    rows_a, rows_b = _rows_by_key(keys_a), _rows_by_key(keys_b)
    following = np.full(n_rows, -1)
    ambiguous = np.zeros(n_rows, dtype=bool)
    for key, ends in rows_b.items():
        starts = rows_a.get(key, [])
        for end, start in zip(ends, starts):
            following[end] = start
        if len(starts) > 1 or (starts and len(ends) > 1):
            ambiguous[[*starts, *ends]] = True
    return _number_chains(following, ambiguous)


def _keys(blocks: np.ndarray) -> list[bytes]:
    blocks = np.ascontiguousarray(blocks, dtype=np.float64) + 0.0  # makes -0.0 and 0.0 one number
    return [hashlib.blake2b(row, digest_size=16).digest() for row in blocks]


def _rows_by_key(keys: list[bytes]) -> dict[bytes, list[int]]:
    rows: dict[bytes, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows


def _number_chains(following: np.ndarray, ambiguous: np.ndarray) -> pd.DataFrame:
    n_rows = len(following)
    chain, position = np.full(n_rows, -1), np.zeros(n_rows, dtype=int)
    heads = np.setdiff1d(np.arange(n_rows), following)
    n_chains = 0
    for head in [*heads, *range(n_rows)]:  # what no head reaches is a ring
        if chain[head] >= 0:
            continue
        row, place = head, 0
        while row >= 0 and chain[row] < 0:
            chain[row], position[row] = n_chains, place
            row, place = following[row], place + 1
        if row >= 0:
            ambiguous[chain == n_chains] = True
        n_chains += 1
    first = pd.Series(np.arange(n_rows)).groupby(chain).min().rank().astype(int) - 1
    chain = first.reindex(chain).to_numpy()
    return pd.DataFrame({"chain": chain, "position": position, "ambiguous": ambiguous})
