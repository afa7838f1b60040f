"""How much a band holds: differential entropy, energy, power, spectra."""

import numpy as np
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.features.cutting import cut_windows
from eegemo_utils.features.filters import BANDS, band_pass

RESOLUTION_UV = 1e-3  # standard deviation; the steps of amplifiers are a hundred times as large


def differential_entropy(windows: np.ndarray, ddof: int = 1) -> np.ndarray:
    """Differential entropy of a Gaussian with the variance of each window: 0.5 ln(2 pi e s^2), in nat.

    Parameters
    ----------
    windows : ndarray, shape (..., n_samples)
        Band-passed, microvolt.
    ddof : int
        1 divides by n_samples - 1, as the features of MT-CNN do; 0 by n_samples.

    Returns
    -------
    ndarray, shape (...)
        Of at least `RESOLUTION_UV`: a constant window, such as one of an electrode that is off, would have -inf, and
        one of them in a table would keep every model from training.
    """
    variance = np.maximum(np.var(windows, axis=-1, ddof=ddof), RESOLUTION_UV**2)
    return 0.5 * np.log(2 * np.pi * np.e * variance)


def band_energy(windows: np.ndarray) -> np.ndarray:
    """Sum of squares of each window, uV^2: what the code of MT-CNN calls PSD. (..., n_samples) to (...)."""
    return np.einsum("...t,...t->...", windows, windows)


def band_power(windows: np.ndarray) -> np.ndarray:
    """Mean square of each window, uV^2: what the features of FACED call PSD. (..., n_samples) to (...)."""
    return band_energy(windows) / windows.shape[-1]


KINDS = {"de": differential_entropy, "energy": band_energy, "power": band_power}


def band_features(signals: np.ndarray, sfreq: float, bands: dict = BANDS["mtcnn"], seconds: float = 1.0, *,
                  kinds=("de",), step: float | None = None, method: str = "causal") -> np.ndarray:
    """Features of windows in bands: signals are filtered whole, then cut.

    Parameters
    ----------
    signals : ndarray, shape (..., n_chans, n_times)
        Microvolt.
    sfreq : float
        Samples a second.
    bands : dict
        Name: (low, high), Hz. `BANDS` has those of the papers.
    seconds, step
        See `window_starts`.
    kinds : sequence of {"de", "energy", "power"}
    method : str
        See `band_pass`.

    Returns
    -------
    ndarray, shape (n_kinds, ..., n_windows, n_chans, n_bands)
        float64.

    Raises
    ------
    ValueError
        When a kind is unknown.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"a kind of feature is one of {', '.join(KINDS)}, not {', '.join(map(repr, unknown))}")
    made = []
    for low, high in bands.values():
        windows = cut_windows(band_pass(signals, low, high, sfreq, method=method), sfreq, seconds, step)
        made.append(np.stack([KINDS[kind](windows) for kind in kinds]))
    return np.stack(made, axis=-1).swapaxes(-3, -2)


def _mean_in_bands(hz: np.ndarray, density: np.ndarray, bands: dict) -> np.ndarray:
    """Mean of the bins low <= hz < high, (..., n_bands)."""
    means = []
    for name, (low, high) in bands.items():
        inside = (hz >= low) & (hz < high)
        if not inside.any():
            raise ValueError(f"no bin of the spectrum lies in {name} ({low} to {high} Hz): bins are "
                             f"{hz[1]:.3g} Hz apart up to {hz[-1]:.3g} Hz. Take longer windows, or other bands.")
        means.append(density[..., inside].mean(axis=-1))
    return np.stack(means, axis=-1)


def welch_bands(signals: np.ndarray, sfreq: float, bands: dict = BANDS["mtcnn"], seconds: float = 2.0) -> np.ndarray:
    """Mean power spectral density in each band by Welch's method: Hann pieces of `seconds` with half overlap.

    Parameters
    ----------
    signals : ndarray, shape (..., n_times)
        Microvolt; whole signals, or windows of `cut_windows`.
    sfreq : float
        Samples a second.
    bands : dict
        Name: (low, high), Hz; a bin on the upper edge belongs to the next band.
    seconds : float
        Length of a piece; a shorter signal is one piece.

    Returns
    -------
    ndarray, shape (..., n_bands)
        uV^2/Hz.

    Raises
    ------
    ValueError
        When no bin lies in a band.
    """
    n_samples = min(int(round(seconds * sfreq)), np.shape(signals)[-1])
    hz, density = scipy.signal.welch(signals, sfreq, nperseg=n_samples)
    return _mean_in_bands(hz, density, bands)


def stft_bands(signals: np.ndarray, sfreq: float, bands: dict = BANDS["seed"], seconds: float = 1.0,
               step: float | None = None) -> np.ndarray:
    """Mean power spectral density in each band of each window, by the short-time Fourier transform with a Hann taper.

    Parameters
    ----------
    signals : ndarray, shape (..., n_chans, n_times)
        Microvolt.
    sfreq : float
        Samples a second.
    bands : dict
        Name: (low, high), Hz; a bin on the upper edge belongs to the next band.
    seconds, step
        See `window_starts`.

    Returns
    -------
    ndarray, shape (..., n_windows, n_chans, n_bands)
        uV^2/Hz.

    Raises
    ------
    ValueError
        When no bin lies in a band.
    """
    windows = cut_windows(np.asarray(signals, np.float64), sfreq, seconds, step)
    n_samples = windows.shape[-1]
    taper = scipy.signal.get_window("hann", n_samples)
    windows = (windows - windows.mean(axis=-1, keepdims=True)) * taper
    density = np.abs(np.fft.rfft(windows)) ** 2 / (sfreq * (taper**2).sum())
    density[..., 1 : (n_samples + 1) // 2] *= 2  # one-sided: each bin but the ends holds its negative twin
    return _mean_in_bands(np.fft.rfftfreq(n_samples, 1 / sfreq), density, bands).swapaxes(-3, -2)
