"""Band-pass filters, the bands of the papers, and other sampling rates."""

from fractions import Fraction
from functools import lru_cache

import mne
import numpy as np
import scipy  # scipy.signal loads when it is used: it takes a second

# Hz. "mtcnn" is what the code of MT-CNN's features does (4D-CRNN, DEAP_1D.py:61-64), "mtcnn_slides" what its talk says.
BANDS = {
    "mtcnn": {"theta": (4, 8), "alpha": (8, 14), "beta": (14, 31), "gamma": (31, 45)},
    "mtcnn_slides": {"theta": (4, 8), "alpha": (8, 14), "beta": (14, 30), "gamma": (30, 45)},
    "seed": {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 14), "beta": (14, 31), "gamma": (31, 50)},
    "faced": {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 14), "beta": (14, 30), "gamma": (30, 47)},
}
METHODS = ("causal", "zero_phase", "fir")


@lru_cache(maxsize=64)
def _sections(low: float, high: float, sfreq: float, order: int) -> np.ndarray:
    """Butterworth in second-order sections: the polynomials of a narrow band lose digits. Designing takes as long
    as filtering a trial, so each filter is designed once."""
    return scipy.signal.butter(order, [low, high], "bandpass", fs=sfreq, output="sos")


def band_pass(signals: np.ndarray, low: float, high: float, sfreq: float, *, method: str = "causal",
              order: int = 3) -> np.ndarray:
    """Band-pass filter along the last axis.

    Parameters
    ----------
    signals : ndarray, shape (..., n_times)
    low, high : float
        Hz.
    sfreq : float
        Samples a second.
    method : {"causal", "zero_phase", "fir"}
        "causal": Butterworth, one pass from a state of zero, as the features of MT-CNN are made; the first
        samples are the filter's start (take a large offset off first). "zero_phase": the same filter
        forward and backward, so twice as steep, with the signal's ends mirrored. "fir": MNE's default
        filter, as the features of FACED are made.
    order : int
        Of the Butterworth low-pass that becomes the band-pass: 3 makes a band-pass of order 6.

    Returns
    -------
    ndarray, shape (..., n_times)
        float64.

    Raises
    ------
    ValueError
        When the band does not lie between 0 and half the rate, or `method` is another word.
    """
    if not 0 < low < high < sfreq / 2:
        raise ValueError(f"a band lies between 0 and half the rate, {sfreq / 2} Hz; got {low} to {high} Hz")
    signals = np.asarray(signals, np.float64)
    if method == "fir":
        return mne.filter.filter_data(signals, sfreq, low, high, verbose="error")
    if method not in METHODS:
        raise ValueError(f"method is one of {METHODS}, not {method!r}")
    once = scipy.signal.sosfilt if method == "causal" else scipy.signal.sosfiltfilt
    return once(_sections(low, high, sfreq, order), signals, axis=-1)


def resample(signals: np.ndarray, sfreq: float, new_sfreq: float) -> np.ndarray:
    """Bring signals to another sampling rate, through a low-pass filter without delay.

    The ratio of the rates is exact, so that what comes late stays in its place, which MNE's FFT method does not
    promise. Each channel's mean goes around the filter, whose gain at 0 Hz differs from sample to sample, and a line
    through a signal's ends is continued beyond them: a DC level makes neither a ripple nor a step at the edges.

    Parameters
    ----------
    signals : ndarray, shape (n_chans, n_times)
    sfreq, new_sfreq : float
        Samples a second, now and afterwards; any, also such as 127.5.

    Returns
    -------
    ndarray, shape (n_chans, ceil(n_times * new_sfreq / sfreq))
        float64, or the signals themselves where the rates are equal.

    Raises
    ------
    ValueError
        When a rate is not above 0.
    """
    if not (sfreq > 0 and new_sfreq > 0):
        raise ValueError(f"rates are above 0 Hz; got {sfreq:g} and {new_sfreq:g}")
    if sfreq == new_sfreq:
        return signals
    ratio = Fraction(new_sfreq / sfreq).limit_denominator(10_000)
    signals = np.asarray(signals, np.float64)
    level = signals.mean(axis=1, keepdims=True)
    return level + scipy.signal.resample_poly(signals - level, ratio.numerator, ratio.denominator, axis=1,
                                              padtype="line")
