"""Names and families of the columns of Bird's two feature generators.

The names are those of emotions.csv (2548 columns) and of the newer generator's output (988 columns). The
letters ``_a`` and ``_b`` are the previous and the current window, not frequency bands; the number at the
end is a place in the flattened block, not always an electrode.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))  # quarters that are subtracted from each other
BIN_HZ = np.linspace(0, 75, 75)  # the newer generator's labels of its bins; 1 Hz apart would be right
KEPT_BINS = np.flatnonzero((BIN_HZ > 0) & (np.abs(BIN_HZ - 50) > 1))
N_TOP = 10
# The half overlap makes quarters 3 and 4 of the previous window quarters 1 and 2 of the current one.
REDUNDANT = tuple(f"{stat}_{part}_" for stat in ("mean", "max", "min") for part in ("q3", "q4", "d_q3q4"))


def _old_block_columns() -> list[tuple[str, str, int]]:
    """Name, family and signal (-1: of none) of the 1274 numbers, in order."""
    def numbered(prefix, count, family, of_signal=True):
        return [(f"{prefix}{i}", family, i % 5 if of_signal else -1) for i in range(count)]

    columns = numbered("mean_", 5, "mean") + numbered("mean_d_", 5, "mean_d")
    columns += numbered("mean_d_", 50, "mean_q")
    columns += numbered("stddev_", 5, "stddev") + numbered("stddev_d_", 5, "stddev_d")
    columns += numbered("moments_", 20, "moments")
    for stat in ("max", "min"):
        columns += numbered(f"{stat}_", 5, stat) + numbered(f"{stat}_d_", 5, f"{stat}_d")
        columns += numbered(f"{stat}_q_", 50, f"{stat}_q")
    columns += numbered("covmat_", 144, "covmat", False) + numbered("eigen_", 12, "eigen", False)
    columns += numbered("logm_", 78, "logm", False) + numbered("entropy", 5, "entropy")
    return columns + numbered("correlate_", 75, "correlate", False) + numbered("fft_", 750, "fft", False)


def _new_block_columns() -> list[tuple[str, str, int]]:
    """Name, family and signal (-1: of none) of the 512 numbers, in order."""
    signals = range(4)

    def quartered(stat):
        parts = [f"q{q}" for q in (1, 2, 3, 4)] + [f"d_q{p + 1}q{q + 1}" for p, q in PAIRS]
        return [(f"{stat}_{part}_{i}", f"{stat}_q", i) for part in parts for i in signals]

    def halved(stat):
        return ([(f"{stat}_{i}", stat, i) for i in signals]
                + [(f"{stat}_d_h2h1_{i}", f"{stat}_d", i) for i in signals])

    triangle = [(i, j) for i in signals for j in range(i, 4)]
    columns = halved("mean") + quartered("mean") + halved("std")
    columns += [(f"{stat}_{i}", "moments", i) for stat in ("skew", "kurt") for i in signals]
    columns += halved("max") + quartered("max") + halved("min") + quartered("min")
    columns += [(f"covM_{i}_{j}", "covmat", -1) for i, j in triangle]
    columns += [(f"eigenval_{i}", "eigen", -1) for i in signals]
    columns += [(f"logcovM_{i}_{j}", "logm", -1) for i, j in triangle]
    columns += [(f"topFreq_{k}_{i}", "topfreq", i) for i in signals for k in range(1, N_TOP + 1)]
    tenths = (10 * np.round(BIN_HZ[KEPT_BINS], 1)).astype(int)
    return columns + [(f"freq_{tenth:03d}_{i}", "fft", i) for i in signals for tenth in tenths]


@lru_cache(maxsize=2)
def _columns(n_columns: int) -> tuple[tuple[str, str, str, int], ...]:
    """Name, family, block and signal of every column."""
    if n_columns == 2548:
        rows = []
        for block in ("a", "b"):
            seen = set()
            for name, family, signal in _old_block_columns():
                rows.append((f"{name}_{block}" + ("2" if name in seen else ""), family, block, signal))
                seen.add(name)
        return tuple(rows)
    if n_columns == 988:
        block = _new_block_columns()
        lag = [(f"lag1_{name}", family, "lag", signal) for name, family, signal in block
               if not name.startswith(REDUNDANT)]
        return tuple(lag + [(name, family, "now", signal) for name, family, signal in block])
    raise ValueError(f"n_columns takes 2548 (older generator) or 988 (newer generator), not {n_columns}")


def column_names(n_columns: int = 2548) -> list[str]:
    """Names of the columns, in order, as emotions.csv (2548) or the newer generator (988) has them.

    The older generator names ten columns of a block ``mean_d_0`` to ``mean_d_4`` twice over; the csv
    gives the second five a ``2``: ``mean_d_0_a2``.
    """
    return [name for name, *_ in _columns(n_columns)]


def column_families(n_columns: int = 2548) -> pd.DataFrame:
    """What each column is.

    Returns
    -------
    DataFrame
        column; family (mean, mean_d, mean_q, ..., covmat, eigen, logm, entropy, correlate, fft); block
        ("a"/"b", or "lag"/"now"): previous or current window; signal: 0-4 for TP9 AF7 AF8 TP10 Right AUX,
        -1 when the number comes from several.
    """
    return pd.DataFrame(_columns(n_columns), columns=["column", "family", "block", "signal"])
