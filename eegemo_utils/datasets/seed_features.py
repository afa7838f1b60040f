"""Features as SEED and SEED-IV store them, for simulated recordings: twelve kinds from one differential entropy.

Zheng and Lu 2015 (IEEE Trans. Autonomous Mental Development 7:162-175) name them: differential entropy (de) and power
(psd) of five bands, asymmetry of 27 pairs left and right (dasm: difference, rasm: ratio, asm: both) and of 23 pairs
front and back (dcau: difference), each smoothed by a moving average or a linear dynamical system (LDS).
"""

import numpy as np
import scipy.ndimage
import scipy.signal

from eegemo_utils.montage import SEED_62

EDGES = ((1.0, 4.0), (4.0, 8.0), (8.0, 14.0), (14.0, 31.0), (31.0, 50.0))  # Hz
LEFT = "Fp1 AF3 F7 F5 F3 F1 FT7 FC5 FC3 FC1 T7 C5 C3 C1 TP7 CP5 CP3 CP1 P7 P5 P3 P1 PO7 PO5 PO3 CB1 O1".split()
RIGHT = "Fp2 AF4 F8 F6 F4 F2 FT8 FC6 FC4 FC2 T8 C6 C4 C2 TP8 CP6 CP4 CP2 P8 P6 P4 P2 PO8 PO6 PO4 CB2 O2".split()
FRONT = "FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 F7 F5 F3 F1 Fz F2 F4 F6 F8 Fp1 Fp2 Fpz AF3 AF4".split()
BACK = "TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 O1 O2 Oz CB1 CB2".split()
AVERAGED = 5  # windows of the moving average
PRIOR, PROCESS, OBSERVATION = 0.01, 1e-4, 1.0  # variances of the dynamical system


def band_powers(signal: np.ndarray, sfreq: float, window_seconds: float) -> np.ndarray:
    """Mean square of each band in windows side by side, shape (n_chans, n_windows, 5); a rest is left out."""
    n_times = int(window_seconds * sfreq)
    n_windows = signal.shape[1] // n_times
    powers = []
    for edges in EDGES:
        sections = scipy.signal.butter(3, edges, "bandpass", fs=sfreq, output="sos")
        padding = min(signal.shape[1] - 1, int(3 * sfreq))
        filtered = scipy.signal.sosfiltfilt(sections, signal, padlen=padding)[:, : n_windows * n_times]
        powers.append((filtered.reshape(len(signal), n_windows, n_times) ** 2).mean(axis=2))
    return np.stack(powers, axis=2)


def entropy(powers: np.ndarray) -> np.ndarray:
    """Differential entropy of Gaussian signals of these powers, nats."""
    return 0.5 * np.log(2 * np.pi * np.e * np.maximum(powers, np.finfo(float).tiny))


def smooth(features: np.ndarray, how: str) -> np.ndarray:
    """Features (n_rows, n_windows, n_bands) smoothed over windows by "movingAve" or "LDS" (forward only)."""
    if how == "movingAve":
        return scipy.ndimage.uniform_filter1d(features, AVERAGED, axis=1, mode="nearest")
    smoothed, state, variance = np.empty_like(features), features.mean(axis=1), PRIOR
    for window in range(features.shape[1]):
        variance = variance + PROCESS * bool(window)
        gain = variance / (variance + OBSERVATION)
        state = state + gain * (features[:, window] - state)
        variance = (1 - gain) * variance
        smoothed[:, window] = state
    return smoothed


def all_kinds(signal: np.ndarray, sfreq: float, window_seconds: float) -> dict[str, np.ndarray]:
    """The twelve kinds of one trial, each (n_rows, n_windows, 5).

    Parameters
    ----------
    signal : ndarray, shape (62, n_times)
        Microvolt, the electrodes of `SEED_62`.
    sfreq, window_seconds : float
    """
    powers = band_powers(signal.astype(np.float64), sfreq, window_seconds)
    rows = [[SEED_62.index(name) for name in group] for group in (LEFT, RIGHT, FRONT, BACK)]
    kinds = {}
    for how in ("movingAve", "LDS"):
        de = smooth(entropy(powers), how)
        left, right, front, back = (de[group] for group in rows)
        dasm, rasm = left - right, left / right
        kinds |= {f"de_{how}": de, f"psd_{how}": smooth(powers, how), f"dasm_{how}": dasm, f"rasm_{how}": rasm,
                  f"asm_{how}": np.concatenate([dasm, rasm]), f"dcau_{how}": front - back}
    return kinds
