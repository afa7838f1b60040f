"""From recordings to features: one row a window, as models take them."""

import mne
import numpy as np

from eegemo_utils.cache import cached
from eegemo_utils.features.cutting import window_table
from eegemo_utils.features.filters import BANDS
from eegemo_utils.features.power import band_features
from eegemo_utils.features.scaling import baseline_mean, zscore_windows
from eegemo_utils.montage import to_grid
from eegemo_utils.trials import DatasetError, Trials, Windows

BASELINES = ("none", "own", "theta_bug")


def stimulus_features(signals: np.ndarray, sfreq: float, baseline_seconds: float = 0.0, bands: dict = BANDS["mtcnn"],
                      seconds: float = 0.5, *, kinds=("de", "energy"), baseline: str = "own",
                      method: str = "causal") -> np.ndarray:
    """Features of the windows after the baseline, less the mean feature of the baseline.

    Baseline and stimulus are filtered apart, each from a state of zero.

    Parameters
    ----------
    signals : ndarray, shape (..., n_chans, n_times)
        Microvolt, baseline first.
    sfreq : float
        Samples a second.
    baseline_seconds : float
        Length of the baseline.
    bands, seconds, kinds, method
        See `band_features`.
    baseline : {"none", "own", "theta_bug"}
        What is subtracted: nothing, each band's own mean, or what the released code of MT-CNN subtracts; see
        `baseline_mean`.

    Returns
    -------
    ndarray, shape (n_kinds, ..., n_windows, n_chans, n_bands)
        float64.

    Raises
    ------
    ValueError
        When `baseline` is another word, or the baseline is shorter than a window.
    """
    if baseline not in BASELINES:
        raise ValueError(f"baseline is one of {BASELINES}, not {baseline!r}")
    onset = int(round(baseline_seconds * sfreq))
    options = {"bands": bands, "seconds": seconds, "kinds": kinds, "method": method}
    features = band_features(signals[..., onset:], sfreq, **options)
    if baseline == "none":
        return features
    before = band_features(signals[..., :onset], sfreq, **options)
    return features - baseline_mean(before, theta_bug=baseline == "theta_bug")


def _each_trial(trials: Trials, baseline: str, **options):
    """Features of each trial, (n_kinds, n_windows, n_chans, n_bands), electrodes only."""
    eeg = mne.pick_types(trials.info, eeg=True)
    before = trials.table.get("baseline_seconds", np.zeros(len(trials)))
    lengths = [signal.shape[1] / trials.info["sfreq"] - baseline_seconds
               for signal, baseline_seconds in zip(trials.signals, before)]
    if lengths and max(lengths) < options["seconds"] - 0.5 / trials.info["sfreq"]:  # windows are whole samples
        raise DatasetError(f"{trials.description or 'trials'}: expected trials of {options['seconds']:g} s at least, a "
                           f"window, found {min(lengths):g} to {max(lengths):g} s. Take shorter windows.")
    for signal, baseline_seconds in zip(trials.signals, before):
        if baseline != "none" and not baseline_seconds:
            raise DatasetError(f"{trials.description or 'trials'}: baseline={baseline!r} needs recordings that begin "
                               f"with one (column baseline_seconds); take baseline='none'")
        yield stimulus_features(signal[eeg], trials.info["sfreq"], baseline_seconds, baseline=baseline, **options)


def trial_features(trials: Trials, bands: dict = BANDS["seed"], seconds: float = 1.0, *, kind: str = "de",
                   baseline: str = "none", method: str = "zero_phase", cache: bool = False) -> Windows:
    """One kind of feature of all windows of all trials.

    Parameters
    ----------
    trials : Trials
        Where the table has baseline_seconds, windows begin after the baseline.
    bands, seconds, baseline, method
        See `stimulus_features`.
    kind : {"de", "energy", "power"}
    cache : bool
        Take what was computed before from the user's cache folder, and keep it there; see `eegemo_utils.cache`.

    Returns
    -------
    Windows
        X of shape (n_windows, n_chans, n_bands), float64, of the electrodes; table of the trials with window
        (0, 1, ... in the trial) and start_s (seconds after the baseline). A trial shorter than a window
        has no row.

    Raises
    ------
    DatasetError
        When a baseline is to be subtracted from recordings that have none, or every trial is shorter than a window.
    ValueError
        When the kind is unknown.
    """
    if cache:
        return cached(trial_features, trials, bands=bands, seconds=seconds, kind=kind, baseline=baseline, method=method)
    made = _each_trial(trials, baseline, bands=bands, seconds=seconds, kinds=(kind,), method=method)
    parts = [features[0] for features in made]
    info = mne.pick_info(trials.info, mne.pick_types(trials.info, eeg=True))
    X = np.concatenate(parts) if parts else np.zeros((0, len(info["ch_names"]), len(bands)))
    table = window_table(trials.table, [len(part) for part in parts], seconds)
    return Windows(X, table, None, info, tuple(bands), trials.description, trials.decisions)


def electrode_maps(trials: Trials, bands: dict = BANDS["mtcnn"], seconds: float = 0.5, *, baseline: str = "own",
                   kinds=("de", "energy"), cache: bool = False) -> Windows:
    """MT-CNN's input: 8 x 9 maps of each feature and band, z-scored in each window.

    Parameters
    ----------
    trials : Trials
        Electrodes with a cell each on the grid, see `grid_positions`.
    bands, seconds, baseline, kinds
        See `stimulus_features`.
    cache : bool
        As in `trial_features`.

    Returns
    -------
    Windows
        X of shape (n_windows, n_kinds * n_bands, 8, 9), float64: all bands of the first kind, then of the
        second. Each kind of a window is z-scored over bands and electrodes, so that the empty cells' 0 is
        the window's mean. Table as in `trial_features`.

    Raises
    ------
    DatasetError
        When a baseline is to be subtracted from recordings that have none, or every trial is shorter than a window.
    ValueError
        When an electrode has no cell of its own, or a kind is unknown.
    """
    if cache:
        return cached(electrode_maps, trials, bands=bands, seconds=seconds, baseline=baseline, kinds=kinds)
    info = mne.pick_info(trials.info, mne.pick_types(trials.info, eeg=True))
    parts = []
    for features in _each_trial(trials, baseline, bands=bands, seconds=seconds, kinds=kinds, method="causal"):
        parts.append(feature_maps(features, info["ch_names"]))
    X = np.concatenate(parts) if parts else np.zeros((0, len(kinds) * len(bands), 8, 9))
    table = window_table(trials.table, [len(part) for part in parts], seconds)
    return Windows(X, table, None, info, tuple(bands), trials.description, trials.decisions)


def feature_maps(features: np.ndarray, ch_names) -> np.ndarray:
    """z-score the windows of each kind of feature and put them on the 8 x 9 grid.

    Parameters
    ----------
    features : ndarray, shape (n_kinds, ..., n_windows, n_chans, n_bands)
    ch_names : sequence of str

    Returns
    -------
    ndarray, shape (..., n_windows, n_kinds * n_bands, 8, 9)
    """
    scaled = np.moveaxis(zscore_windows(features), 0, -3)  # (..., n_windows, n_kinds, n_chans, n_bands)
    maps = to_grid(scaled.swapaxes(-2, -1), ch_names)
    return maps.reshape(*maps.shape[:-4], maps.shape[-4] * maps.shape[-3], *maps.shape[-2:])  # of no windows, too
