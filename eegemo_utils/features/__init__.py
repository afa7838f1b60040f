"""Features that two or more papers share: filters, band features, spectra, windows, scaling, maps.

Arrays go in and come out with time, or windows, where the docstring says; nothing loops over channels,
windows or bands' samples. `trial_features` and `electrode_maps` go from recordings to model-ready windows.
"""

from eegemo_utils.features.contrast import band_contrast
from eegemo_utils.features.cutting import cut_windows, window_starts, window_table
from eegemo_utils.features.filters import BANDS, band_pass, resample
from eegemo_utils.features.power import (
    band_energy,
    band_features,
    band_power,
    differential_entropy,
    stft_bands,
    welch_bands,
)
from eegemo_utils.features.recordings import electrode_maps, feature_maps, stimulus_features, trial_features
from eegemo_utils.features.scaling import baseline_mean, lds_smooth, zscore, zscore_windows

__all__ = [
    "BANDS", "band_contrast", "band_energy", "band_features", "band_pass", "band_power", "baseline_mean", "cut_windows",
    "differential_entropy", "electrode_maps", "feature_maps", "lds_smooth", "resample", "stft_bands",
    "stimulus_features", "trial_features", "welch_bands", "window_starts", "window_table", "zscore", "zscore_windows",
]
