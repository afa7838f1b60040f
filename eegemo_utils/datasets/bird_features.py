"""The statistical features of Bird's EEG work, for all windows of all recordings at once.

Two generators exist. The older one makes the 2548 columns of emotions.csv: a block of 1274 numbers of the
previous window and one of the current window. The newer one makes 988: a block of 512 numbers of each of
the two windows, less 36 of the previous one that the half overlap makes redundant. `column_families` says
what each column is.

Sources: jordan-bird/eeg-feature-generation, commit af01fc1 src/armada18eeg.py (2548) and commit 368947a
code/EEG_feature_extraction.py (988). Differences, on purpose: what is undefined becomes 0 (entropy of a
window with both signs, as in emotions.csv; skewness, kurtosis and scaled spectrum of flat signals); and
what rounding decides is fixed: the logarithm of the singular 12 x 12 covariance (`singular_logm`), its zero
eigenvalue, and the order of eigenvalues.
"""

import numpy as np

from eegemo_utils.datasets.bird_columns import BIN_HZ, KEPT_BINS, N_TOP, PAIRS, column_families, column_names
from eegemo_utils.datasets.bird_windows import N_TIMES, SIGNALS, resample_windows
from eegemo_utils.montage import MUSE_CHANNELS
from eegemo_utils.trials import Trials, Windows

__all__ = ["bird_features", "column_families", "column_names", "feature_block_2548", "feature_block_988",
           "resample_windows", "singular_logm", "waveform_from_fft"]

QUARTERS = (0, 37, 75, 112, 150)
EPS = np.finfo(np.float64).eps


def _halves_and_quarters(x: np.ndarray, statistic) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Statistic over the window, half 2 less half 1, and the four quarters with their six differences."""
    half = x.shape[2] // 2
    quarters = [statistic(x[:, :, start:stop]) for start, stop in zip(QUARTERS, QUARTERS[1:])]
    differences = [quarters[p] - quarters[q] for p, q in PAIRS]
    change = statistic(x[:, :, half:]) - statistic(x[:, :, :half])
    return statistic(x), change, np.concatenate(quarters + differences, axis=1)


def _mean(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=2)


def _max(x: np.ndarray) -> np.ndarray:
    return x.max(axis=2)


def _min(x: np.ndarray) -> np.ndarray:
    return x.min(axis=2)


def _covariance(x: np.ndarray) -> np.ndarray:
    """Covariance of the rows of each matrix, shape (n, rows, rows), exactly symmetric."""
    centred = x - x.mean(axis=2, keepdims=True)
    product = centred @ centred.transpose(0, 2, 1) / (x.shape[2] - 1)
    return (product + product.transpose(0, 2, 1)) / 2


def _eigenvalues(matrices: np.ndarray, rank: int) -> np.ndarray:
    """Eigenvalues of symmetric matrices, largest first; those beyond the rank and rounding noise become 0.

    The generators give them in their general solver's order, which is no property of the matrix: another
    processor turns it.
    """
    values = np.linalg.eigvalsh(matrices)[:, ::-1].copy()
    noise = matrices.shape[1] * EPS * np.abs(values).max(axis=1, keepdims=True)
    values[:, rank:] = 0
    return np.where(np.abs(values) <= noise, 0.0, values)


def singular_logm(matrices: np.ndarray, rank: int) -> np.ndarray:
    """Logarithm of symmetric positive semi-definite matrices whose rank is at most `rank`.

    The logarithm of a singular matrix does not exist; what a general routine gives is the logarithm of
    the rounding error, different on every machine. Here the eigenvalues beyond the rank, and any that are
    smaller, are put at machine precision times the largest one, so that the outcome is the same
    everywhere.

    Parameters
    ----------
    matrices : ndarray, shape (n, k, k)
    rank : int

    Returns
    -------
    ndarray, shape (n, k, k)
    """
    values, vectors = np.linalg.eigh(matrices)
    floor = np.maximum(EPS * values[:, -1:], np.finfo(np.float64).tiny)
    values[:, :matrices.shape[1] - rank] = 0
    logs = np.log(np.maximum(values, floor))
    return (vectors * logs[:, None, :]) @ vectors.transpose(0, 2, 1)


def _entropy(x: np.ndarray) -> np.ndarray:
    """Shannon entropy (nats) of signals normalised to sum 1; 0 where a share is negative or the sum is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = x / x.sum(axis=2, keepdims=True)
        summands = np.where(share == 0, 0.0, share * np.log(share))
    entropy = -summands.sum(axis=2)
    return np.where(np.isfinite(entropy), entropy, 0.0)


def _central_moments(x: np.ndarray, mean: np.ndarray) -> dict[int, np.ndarray]:
    centred = x - mean[:, :, None]
    square = centred * centred
    cube = square * centred
    powers = {2: square, 3: cube, 4: square * square, 5: square * cube, 6: cube * cube}
    return {order: _mean(power) for order, power in powers.items()}


def feature_block_2548(x: np.ndarray) -> np.ndarray:
    """The older generator's 1274 numbers of each window (half a row of the 2548).

    Parameters
    ----------
    x : ndarray, shape (n, 150, 5)
        Resampled windows, microvolt, signals TP9 AF7 AF8 TP10 Right AUX.

    Returns
    -------
    ndarray, shape (n, 1274)
    """
    x = np.asarray(x, dtype=np.float64)
    wave = np.ascontiguousarray(x.transpose(0, 2, 1))
    n, half = len(x), N_TIMES // 2
    mean, mean_d, mean_q = _halves_and_quarters(wave, _mean)
    high, high_d, high_q = _halves_and_quarters(wave, _max)
    low, low_d, low_q = _halves_and_quarters(wave, _min)
    moments = _central_moments(wave, mean)
    std_d = wave[:, :, half:].std(axis=2) - wave[:, :, :half].std(axis=2)
    # 144 numbers make a square; the last six of the 150 quarter values are left out for it.
    square = np.concatenate([mean_q[:, :-6], high_q, low_q], axis=1).reshape(n, 12, 12)
    covariance = _covariance(square)
    log = singular_logm(covariance, rank=11)
    diagonals = [np.diagonal(log, k, axis1=1, axis2=2) for k in range(12)]
    correlate = np.einsum("nis,nis->ni", x[:, :half], x[:, half:])
    across = np.cos(2 * np.pi * np.outer(np.arange(5), np.arange(5)) / 5)  # real part of a 5-point transform
    return np.concatenate([
        mean, mean_d, mean_q, np.sqrt(moments[2]), std_d, *(moments[order] for order in (3, 4, 5, 6)),
        high, high_d, high_q, low, low_d, low_q,
        covariance.reshape(n, 144), _eigenvalues(covariance, rank=11), *diagonals,
        _entropy(wave), correlate, (x @ across).reshape(n, 750),
    ], axis=1)


def _spectra(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strongest frequencies (n, 4, 10), amplitudes (n, 4, 72) of windows scaled to -1..1 as a whole."""
    low = wave.min(axis=(1, 2), keepdims=True)
    extent = wave.max(axis=(1, 2), keepdims=True) - low
    scaled = -1 + 2 * (wave - low) / np.where(extent == 0, 1, extent)
    amplitude = np.abs(np.fft.rfft(scaled, axis=2))[:, :, KEPT_BINS] * 2 / wave.shape[2]
    strongest = np.argsort(amplitude, axis=2, kind="stable")[:, :, ::-1][:, :, :N_TOP]
    return BIN_HZ[KEPT_BINS][strongest], amplitude


def _shape_moments(wave: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected skewness and excess kurtosis, each (n, 4); 0 for flat signals."""
    n = wave.shape[2]
    moments = _central_moments(wave, mean)
    flat = moments[2] <= (EPS * mean) ** 2
    variance = np.where(flat, 1, moments[2])
    skew = moments[3] / variance**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (moments[4] / variance**2 - 3) + 6)
    return np.where(flat, 0, skew), np.where(flat, 0, kurtosis)


def feature_block_988(x: np.ndarray) -> np.ndarray:
    """The newer generator's 512 numbers of each window (a row has them in full once, less 36 once).

    Parameters
    ----------
    x : ndarray, shape (n, 150, 4)
        Resampled windows, microvolt, electrodes TP9 AF7 AF8 TP10.

    Returns
    -------
    ndarray, shape (n, 512)
    """
    wave = np.ascontiguousarray(np.asarray(x, dtype=np.float64).transpose(0, 2, 1))
    n, half = len(wave), N_TIMES // 2
    mean, mean_d, mean_q = _halves_and_quarters(wave, _mean)
    std_d = wave[:, :, half:].std(axis=2, ddof=1) - wave[:, :, :half].std(axis=2, ddof=1)
    covariance = _covariance(wave)
    rows, columns = np.triu_indices(4)
    log = np.abs(singular_logm(covariance, rank=4))
    strongest, amplitude = _spectra(wave)
    return np.concatenate([
        mean, mean_d, mean_q, wave.std(axis=2, ddof=1), std_d, *_shape_moments(wave, mean),
        *_halves_and_quarters(wave, _max), *_halves_and_quarters(wave, _min),
        covariance[:, rows, columns], _eigenvalues(covariance, rank=4), log[:, rows, columns],
        strongest.reshape(n, -1), amplitude.reshape(n, -1),
    ], axis=1)


def waveform_from_fft(columns: np.ndarray) -> np.ndarray:
    """The waveform hidden in the 750 fft columns of one block of the 2548.

    They are a 5-point transform across the five signals at each of 150 samples, not a spectrum over time:
    the first of five values is the sum of the signals, the next two are fixed cosine mixes of them, the
    last two repeat those.

    Parameters
    ----------
    columns : ndarray, shape (n, 750)
        ``fft_0`` to ``fft_749`` of one block.

    Returns
    -------
    ndarray, shape (n, 150, 3)
        Sum and the two cosine mixes, microvolt, 150 samples a second.
    """
    return np.asarray(columns).reshape(len(columns), N_TIMES, 5)[:, :, :3]


def bird_features(trials: Trials, n_columns: int = 2548) -> Windows:
    """Bird's features of Muse recordings: one row for each window but the first of a trial.

    Parameters
    ----------
    trials : Trials
        Muse recordings with TP9, AF7, AF8, TP10 and, for the 2548, Right AUX.
    n_columns : {2548, 988}
        Older or newer generator.

    Returns
    -------
    Windows
        X of shape (n_rows, n_columns), float64, all finite; names; a table with subject, session, trial,
        recording, window (number of the current window in the trial, from 1), label and start_s of that
        window.

    Raises
    ------
    DatasetError
        When a signal is missing.
    ValueError
        When n_columns is neither 2548 nor 988.
    """
    names = column_names(n_columns)
    if n_columns == 2548:
        windows = resample_windows(trials, "old", SIGNALS)
        block = feature_block_2548(windows.X)
        kept = slice(None)
    else:
        windows = resample_windows(trials, "new", MUSE_CHANNELS)
        block = feature_block_988(windows.X)
        lag = [name.removeprefix("lag1_") for name in names if name.startswith("lag1_")]
        kept = np.flatnonzero(np.isin(names[len(lag):], lag))
    # Inside a trial windows are numbered 0, 1, ...: each but number 0 follows the row above it.
    current = np.flatnonzero(windows.table["window"].to_numpy() > 0)
    X = np.concatenate([block[current - 1][:, kept], block[current]], axis=1)
    return Windows(X, windows.table.iloc[current], names)
