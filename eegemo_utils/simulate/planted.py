"""What was put into simulated recordings, as the electrodes are to see it."""

import mne
import numpy as np

from eegemo_utils.simulate.head import SOURCES, lead_field


def planted_map(info: mne.Info, quality: str = "valence", band: str = "alpha", effect: float = 1.0) -> np.ndarray:
    """Expected change of a band's power at each electrode from the lowest to the highest valence or arousal.

    Of the sources' own rhythm alone: background and contacts, which no state changes, make what is measured smaller.

    Parameters
    ----------
    info : mne.Info
        Electrodes, averaged to a common reference.
    quality : {"valence", "arousal"}
        From -1 to 1.
    band : {"alpha", "beta", "muscle"}
    effect : float
        That of the simulation.

    Returns
    -------
    ndarray, shape (n_chans,)
        log10 of the ratio of powers; EEG channels only.
    """
    names = tuple(info["ch_names"][pick] for pick in mne.pick_types(info, eeg=True))
    rows = (SOURCES["band"] == band).to_numpy()
    sources = SOURCES[rows]
    power = (lead_field(names, "average")[:, : len(SOURCES)][:, rows] * sources["moment"].to_numpy()) ** 2
    change = 2 * effect * sources[quality].to_numpy()  # of the log power
    return np.log10((power * np.exp(change)).sum(axis=1) / (power * np.exp(-change)).sum(axis=1))
