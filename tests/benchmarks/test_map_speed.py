"""One DEAP subject to MT-CNN's maps: whole arrays against a loop over trials, channels and windows.

Both use the same filters. The loop does four of the 40 trials; its time is taken times ten.
"""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.signal

pytest.importorskip("pytest_benchmark")

from eegemo_utils.features import BANDS, electrode_maps  # noqa: E402
from eegemo_utils.montage import GRID_8X9, make_info  # noqa: E402
from eegemo_utils.trials import Trials  # noqa: E402

CAP = ("Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz "
       "Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2").split()
N_TRIALS, N_LOOP, SFREQ, ONSET, N_SAMPLES = 40, 4, 128.0, 384, 64


@pytest.fixture(scope="module")
def subject():
    rng = np.random.default_rng(0)
    signals = [rng.normal(0, 10, (32, 8064)).astype(np.float32) for _ in range(N_TRIALS)]
    table = pd.DataFrame({"subject": "s01", "session": 1, "trial": range(1, N_TRIALS + 1), "label": 0,
                          "baseline_seconds": 3.0})
    return Trials(signals, make_info(CAP, SFREQ), table)


def features_in_a_loop(signal):
    """DE and energy of each band and window of one channel, (2, n_bands, n_windows)."""
    made = np.zeros((2, len(BANDS["mtcnn"]), len(signal) // N_SAMPLES))
    for number, (low, high) in enumerate(BANDS["mtcnn"].values()):
        sections = scipy.signal.butter(3, [low, high], "bandpass", fs=SFREQ, output="sos")
        filtered = scipy.signal.sosfilt(sections, signal)
        for window in range(made.shape[2]):
            piece = filtered[window * N_SAMPLES : (window + 1) * N_SAMPLES]
            made[0, number, window] = 0.5 * np.log(2 * np.pi * np.e * np.var(piece, ddof=1))
            made[1, number, window] = np.sum(piece**2)
    return made


def maps_in_a_loop(trials):
    """What one would write first."""
    maps = []
    for signal in trials.signals:
        features = np.stack([
            features_in_a_loop(channel[ONSET:]) - features_in_a_loop(channel[:ONSET]).mean(axis=2, keepdims=True)
            for channel in signal.astype(np.float64)])
        for window in range(features.shape[3]):
            image = np.zeros((8, 8, 9), np.float32)
            for kind in range(2):
                values = features[:, kind, :, window]
                values = (values - values.mean()) / values.std()
                for channel, name in enumerate(CAP):
                    image[4 * kind : 4 * kind + 4, *GRID_8X9[name]] = values[channel]
            maps.append(image)
    return np.stack(maps)


def test_one_deap_subject_to_maps(benchmark, subject):
    windows = benchmark.pedantic(electrode_maps, (subject,), rounds=3, warmup_rounds=1)
    some = subject.select(np.arange(N_TRIALS) < N_LOOP)
    start = time.perf_counter()
    looped = maps_in_a_loop(some)
    slow = (time.perf_counter() - start) * N_TRIALS / N_LOOP
    np.testing.assert_allclose(windows.X[: len(looped)], looped, atol=1e-4)
    benchmark.extra_info["loop_seconds"] = round(slow, 2)
    benchmark.extra_info["times_faster"] = round(slow / benchmark.stats.stats.median, 1)
    assert benchmark.stats.stats.median < 3
    assert benchmark.extra_info["times_faster"] > 10


def test_maps_take_less_memory_than_four_subjects(subject):
    size = sum(signal.nbytes for signal in subject.signals)
    tracemalloc.start()
    electrode_maps(subject)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * size  # and the subject itself
