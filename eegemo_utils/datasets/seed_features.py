"""Features as the SEED sets store them, for simulated recordings: twelve kinds from entropy and power of five bands.

Zheng and Lu 2015 (IEEE Trans. Autonomous Mental Development 7:162-175) name them: differential entropy (de) and power
(psd) of five bands, asymmetry of 27 pairs left and right (dasm: difference, rasm: ratio, asm: both) and of 23 pairs
front and back (dcau: difference), each smoothed by a moving average or a linear dynamical system (LDS).
"""

import numpy as np
import pandas as pd
import scipy  # scipy.ndimage loads when it is used

from eegemo_utils.features import BANDS, band_features, lds_smooth
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import Windows

LEFT = "Fp1 AF3 F7 F5 F3 F1 FT7 FC5 FC3 FC1 T7 C5 C3 C1 TP7 CP5 CP3 CP1 P7 P5 P3 P1 PO7 PO5 PO3 CB1 O1".split()
RIGHT = "Fp2 AF4 F8 F6 F4 F2 FT8 FC6 FC4 FC2 T8 C6 C4 C2 TP8 CP6 CP4 CP2 P8 P6 P4 P2 PO8 PO6 PO4 CB2 O2".split()
FRONT = "FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 F7 F5 F3 F1 Fz F2 F4 F6 F8 Fp1 Fp2 Fpz AF3 AF4".split()
BACK = "TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 O1 O2 Oz CB1 CB2".split()
AVERAGED = 5  # windows of the moving average


def entropy_and_power(signal: np.ndarray, sfreq: float, seconds: float) -> np.ndarray:
    """Return differential entropy and mean square of five bands, shape (2, n_windows, n_chans, 5)."""
    return band_features(signal, sfreq, BANDS["seed"], seconds, kinds=("de", "power"), method="zero_phase")


def smooth(features: np.ndarray, how: str) -> np.ndarray:
    """Features (n_windows, n_rows, n_bands) of a trial smoothed over windows, by "movingAve" or "LDS"."""
    if how == "movingAve":
        return scipy.ndimage.uniform_filter1d(features, AVERAGED, axis=0, mode="nearest")
    table = pd.DataFrame({"subject": "", "session": 1, "trial": 1, "window": range(len(features)), "label": ""})
    return lds_smooth(Windows(features, table), causal=False).X


def all_kinds(signal: np.ndarray, sfreq: float, seconds: float) -> dict[str, np.ndarray]:
    """The twelve kinds of one trial, each (n_rows, n_windows, 5).

    Parameters
    ----------
    signal : ndarray, shape (62, n_times)
        Microvolt, the electrodes of `SEED_62`.
    sfreq, seconds : float
        Samples a second; length of a window.
    """
    raw = np.concatenate(entropy_and_power(signal, sfreq, seconds), axis=1)  # (n_windows, 124, 5)
    rows = [[SEED_62.index(name) for name in group] for group in (LEFT, RIGHT, FRONT, BACK)]
    kinds = {}
    for how in ("movingAve", "LDS"):
        de, psd = np.split(smooth(raw, how), 2, axis=1)
        left, right, front, back = (de[:, group] for group in rows)
        dasm, rasm = left - right, left / right
        kinds |= {f"de_{how}": de, f"psd_{how}": psd, f"dasm_{how}": dasm, f"rasm_{how}": rasm,
                  f"asm_{how}": np.concatenate([dasm, rasm], axis=1), f"dcau_{how}": front - back}
    return {kind: values.swapaxes(0, 1) for kind, values in kinds.items()}
