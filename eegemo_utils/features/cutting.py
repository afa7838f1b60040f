"""Windows with exact edges, and their table."""

import numpy as np
import pandas as pd


def window_starts(n_times: int, sfreq: float, seconds: float, step: float | None = None) -> tuple[np.ndarray, int]:
    """First sample of each window that lies wholly in the signal, and the samples of a window.

    60 s hold 60 windows of 1 s, the last of which ends with the last sample. Start number i is the sample
    nearest to i times `step` seconds, so that edges do not wander where a step is no whole number of samples.

    Parameters
    ----------
    n_times : int
    sfreq : float
        Samples a second.
    seconds : float
        Length of a window.
    step : float, optional
        Seconds from start to start; by default `seconds`, so that windows touch and do not overlap.

    Returns
    -------
    starts : ndarray of int, shape (n_windows,)
    n_samples : int
        Of each window.

    Raises
    ------
    ValueError
        When a window or a step is shorter than a sample.
    """
    step = seconds if step is None else step
    n_samples = int(round(seconds * sfreq))
    if n_samples < 1 or round(step * sfreq) < 1:
        raise ValueError(f"windows of {seconds} s every {step} s are shorter than a sample at {sfreq} Hz")
    starts = np.round(np.arange(int(n_times / (step * sfreq)) + 2) * step * sfreq).astype(int)
    return starts[starts + n_samples <= n_times], n_samples


def cut_windows(signals: np.ndarray, sfreq: float, seconds: float, step: float | None = None) -> np.ndarray:
    """Cut the last axis into windows; see `window_starts` for their edges and for errors.

    Parameters
    ----------
    signals : ndarray, shape (..., n_times)
    sfreq, seconds, step
        See `window_starts`.

    Returns
    -------
    ndarray, shape (..., n_windows, n_samples)
        A view where windows touch and edges are regular.
    """
    signals = np.asarray(signals)
    starts, n_samples = window_starts(signals.shape[-1], sfreq, seconds, step)
    if np.array_equal(starts, np.arange(len(starts)) * n_samples):
        return signals[..., : len(starts) * n_samples].reshape(*signals.shape[:-1], len(starts), n_samples)
    return signals[..., starts[:, None] + np.arange(n_samples)]


def window_table(table: pd.DataFrame, n_windows, step: float) -> pd.DataFrame:
    """One row a window: all columns of its trial, its number in the trial and its start.

    Parameters
    ----------
    table : DataFrame
        One row a trial.
    n_windows : sequence of int
        Of each trial.
    step : float
        Seconds from start to start.

    Returns
    -------
    DataFrame
        The columns of `table`, window (0, 1, ...), start_s (seconds after the first window's start).
    """
    rows = table.iloc[np.repeat(np.arange(len(table)), n_windows)].reset_index(drop=True)
    window = np.concatenate([np.arange(count) for count in n_windows]) if len(n_windows) else np.zeros(0, int)
    return rows.assign(window=window, start_s=window * step)
