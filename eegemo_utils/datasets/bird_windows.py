"""One-second windows of Muse recordings, cut and resampled as Bird's two feature generators cut them.

Sources: jordan-bird/eeg-feature-generation, commit af01fc1 src/armada18eeg.py:34-49, 407-424 (older
generator, the one behind emotions.csv) and commit 368947a code/EEG_feature_extraction.py:54-86, 812-830
(newer generator).
"""

from functools import lru_cache

import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS
from eegemo_utils.trials import DatasetError, Trials, Windows

PERIOD, HOP, SHORTEST = 1.0, 0.5, 0.9  # seconds: window, step, shortest span that still counts as a window
N_TIMES = 150  # samples of a window after resampling
SIGNALS = (*MUSE_CHANNELS, MUSE_AUX)


def window_bounds(stamps: np.ndarray, generator: str = "old") -> np.ndarray:
    """First and one-past-last sample of each window of an uninterrupted recording.

    Window k starts 0.5 k seconds after the first stamp and lasts one second. The old generator takes the
    samples from the first stamp >= start up to the first stamp >= end, which must exist; the new one from
    the last stamp <= start up to the last stamp <= end. The first window with a span under 0.9 s ends the
    recording.

    Parameters
    ----------
    stamps : ndarray, shape (n_samples,)
        Seconds. Small steps back (packets out of order) are allowed.
    generator : {"old", "new"}

    Returns
    -------
    ndarray of int, shape (n_windows, 2)
    """
    if len(stamps) == 0:
        return np.empty((0, 2), dtype=int)
    n_tried = int((stamps.max() - stamps[0]) / HOP) + 2
    starts = stamps[0] + HOP * np.arange(n_tried)
    # Stamps that step back are not sorted; their running extreme is, and has the same first (last) crossing.
    if generator == "old":
        sorted_stamps = np.maximum.accumulate(stamps)
        bounds = [np.searchsorted(sorted_stamps, edge, "left") for edge in (starts, starts + PERIOD)]
    else:
        sorted_stamps = np.minimum.accumulate(stamps[::-1])[::-1]
        bounds = [np.searchsorted(sorted_stamps, edge, "right") - 1 for edge in (starts, starts + PERIOD)]
    first, last = bounds
    inside = last < len(stamps)
    span = stamps[np.where(inside, last, 0)] - stamps[np.minimum(first, len(stamps) - 1)]
    good = inside & (last > first) & (span >= SHORTEST * PERIOD)
    n_windows = len(good) if good.all() else int(np.argmin(good))
    return np.stack([first, last], axis=1)[:n_windows]


@lru_cache(maxsize=64)
def _resampler(n_samples: int) -> np.ndarray:
    """SciPy's Fourier resampler of n_samples to 150 as a matrix, shape (n_samples, 150): it is linear."""
    matrix = scipy.signal.resample(np.eye(n_samples), N_TIMES, axis=0).T.copy()
    matrix.setflags(write=False)
    return matrix


def _stamps(trials: Trials, row: int) -> np.ndarray:
    if trials.times is not None:
        return trials.times[row]
    # Files hold milliseconds, and window edges fall on them.
    return np.round(np.arange(trials.signals[row].shape[1]) / trials.info["sfreq"], 3)


def _pick(trials: Trials, names: tuple[str, ...]) -> list[int]:
    missing = [name for name in names if name not in trials.info["ch_names"]]
    if missing:
        raise DatasetError(f"{trials.description or 'trials'}: the features need the signals "
                           f"{', '.join(names)}; {', '.join(missing)} missing among "
                           f"{', '.join(trials.info['ch_names'])}")
    return [trials.info["ch_names"].index(name) for name in names]


def _cut(signals: np.ndarray, first: np.ndarray, n_samples: np.ndarray) -> np.ndarray:
    """Resample the pieces signals[:, first:first + n_samples], shape (n_windows, 150, n_signals)."""
    out = np.empty((len(first), N_TIMES, len(signals)))
    for length in np.unique(n_samples):
        rows = np.flatnonzero(n_samples == length)
        pieces = signals[:, first[rows, None] + np.arange(length)].astype(np.float64)
        out[rows] = np.moveaxis(pieces @ _resampler(int(length)), 0, 2)
    return out


def _window_table(trials: Trials, bounds: list[np.ndarray]) -> pd.DataFrame:
    """One row a window: the trial's identity, the number of the window in it and its start in seconds."""
    counts = [len(part) for part in bounds]
    kept = [name for name in ("subject", "session", "trial", "recording") if name in trials.table]
    trial_rows = np.repeat(np.arange(len(trials)), counts)
    table = trials.table[kept].iloc[trial_rows].reset_index(drop=True)
    if "recording" not in kept:
        table["recording"] = trial_rows
    table["window"] = np.concatenate([np.arange(count) for count in counts]) if counts else []
    table["label"] = trials.table["label"].to_numpy()[trial_rows]
    table["start_s"] = HOP * table["window"]
    return table


def resample_windows(trials: Trials, generator: str = "old", signals: tuple[str, ...] = SIGNALS) -> Windows:
    """One-second windows with half overlap, resampled to 150 samples: time sequences of the raw signals.

    Parameters
    ----------
    trials : Trials
        Muse recordings, real or simulated.
    generator : {"old", "new"}
        Whose window edges: see `window_bounds`.
    signals : tuple of str
        Which signals, in which order.

    Returns
    -------
    Windows
        X of shape (n_windows, 150, n_signals), float64, microvolt; the table has subject, session, trial,
        recording, window (0, 1, ... in the trial), label and start_s. A trial shorter than a window has
        none.

    Raises
    ------
    DatasetError
        When a signal is missing.
    ValueError
        When the generator is neither "old" nor "new".
    """
    if generator not in ("old", "new"):
        raise ValueError(f"generator takes 'old' or 'new', not {generator!r}")
    picks = _pick(trials, signals)
    bounds = [window_bounds(_stamps(trials, row), generator) for row in range(len(trials))]
    offsets = np.cumsum([0] + [signal.shape[1] for signal in trials.signals])
    nothing = np.empty((len(picks), 0), dtype=np.float32)
    joined = np.concatenate([nothing, *(signal[picks] for signal in trials.signals)], axis=1)
    moved = [part + offset for part, offset in zip(bounds, offsets)]
    first, last = np.concatenate(moved or [np.empty((0, 2), dtype=int)]).T
    return Windows(_cut(joined, first, last - first), _window_table(trials, bounds))
