"""Which electrodes a band's power differs at between trials of one kind and of another: plain statistics."""

import mne
import numpy as np

from eegemo_utils.features.power import welch_bands
from eegemo_utils.trials import DatasetError, Trials


def band_contrast(trials: Trials, values, hertz: tuple[float, float] = (8.0, 13.0)) -> np.ndarray:
    """Difference of log band power between each person's trials above and below the person's median.

    Parameters
    ----------
    trials : Trials
        Signals after baseline_seconds, where the table has that, are looked at.
    values : sequence of float, one a trial
        Such as the rating of valence.
    hertz : (low, high)

    Returns
    -------
    ndarray, shape (n_chans,)
        log10 of the ratio of powers, mean over people; EEG channels only.

    Raises
    ------
    DatasetError
        When no person has trials on both sides.
    """
    eeg, sfreq = mne.pick_types(trials.info, eeg=True), trials.info["sfreq"]
    onsets = trials.table.get("baseline_seconds", np.zeros(len(trials)))
    power = np.array([np.log10(welch_bands(signal[eeg, int(round(onset * sfreq)):], sfreq, {"band": hertz})[:, 0])
                      for signal, onset in zip(trials.signals, onsets)])
    values, maps = np.asarray(values, float), []
    for subject in trials.table["subject"].unique():
        here = (trials.table["subject"] == subject).to_numpy()
        above = values > np.median(values[here])
        if (here & above).any() and (here & ~above).any():
            maps.append(power[here & above].mean(axis=0) - power[here & ~above].mean(axis=0))
    if not maps:
        raise DatasetError(f"{trials.description}: nobody has trials above and below his own median of these values")
    return np.mean(maps, axis=0)
