"""Features and maps of MT-CNN against the output of its authors' own functions.

`golden/multitask_cnn.json` holds what the released scripts (shark-in-a-coma/4D-CRNN, branches master for DE and
psd_generation for PSD) give for a recording that a formula makes.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eegemo_utils.features import (
    BANDS,
    band_features,
    baseline_mean,
    electrode_maps,
    feature_maps,
    stimulus_features,
    trial_features,
)
from eegemo_utils.montage import make_info
from eegemo_utils.trials import Trials

GOLDEN = json.loads((Path(__file__).parent / "golden" / "multitask_cnn.json").read_text())
CAP = ("Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz "
       "Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2").split()
SFREQ, BASELINE, HALF = 128.0, 384, 0.5
KINDS = {"DE": 0, "PSD": 1}
VARIANTS = {"theta_bug": None, "own": "fixed_baseline"}


def golden_recording():
    """The 40 trials of 32 electrodes and 63 s, as the golden file's README says."""
    trial, channel, time = np.ogrid[:40, :32, :8064]
    time = time / SFREQ
    signals = np.zeros((40, 32, 8064))
    for k, hz in enumerate([5, 6.5, 9, 11, 17, 23, 34, 41]):
        amplitude = 10 / (1 + k) * (1 + 0.3 * np.sin(0.7 * channel + k) + 0.2 * np.cos(0.31 * trial * (k + 1)))
        phase = 0.37 * channel * (k + 1) + 0.11 * trial * (k + 2)
        swell = 1 + 0.25 * np.sin(2 * np.pi * 0.05 * (k + 1) * time + 0.2 * channel)
        signals += amplitude * np.sin(2 * np.pi * hz * time + phase) * swell
    return signals


def expected(kind, variant):
    """The golden values of a kind, with the baseline of a variant."""
    values = GOLDEN[kind]
    return values if VARIANTS[variant] is None else values | values[VARIANTS[variant]]


@pytest.fixture(scope="module")
def signals():
    return golden_recording()


@pytest.fixture(scope="module")
def maps(signals):
    """Maps of each variant, (4800, 8, 8, 9), float64."""
    made = {}
    for variant in VARIANTS:
        features = stimulus_features(signals, SFREQ, 3.0, baseline=variant)
        made[variant] = feature_maps(features, CAP).reshape(4800, 8, 8, 9)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_raw_features(signals, kind):
    golden = GOLDEN[kind]
    raw = stimulus_features(signals[[0, 39]], SFREQ, 3.0, baseline="none")[KINDS[kind]]
    assert raw.shape == (2, 120, 32, 4) and golden["data_shape"] == [40 * 120, 32 * 4]
    for number, band in enumerate(BANDS["mtcnn"]):
        np.testing.assert_allclose(raw[0, 0, :, number], golden["raw_w0"][band], rtol=1e-9)
        np.testing.assert_allclose(raw[1, 119, :, number], golden["raw_w4799"][band], rtol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
def test_baseline_of_the_first_trial(signals, kind, variant):
    before = band_features(signals[0, :, :BASELINE], SFREQ, seconds=HALF, kinds=("de", "energy"))[KINDS[kind]]
    assert before.shape == (6, 32, 4)
    mean = baseline_mean(before, theta_bug=variant == "theta_bug")[0]
    for number, band in enumerate(BANDS["mtcnn"]):
        np.testing.assert_allclose(mean[:, number], expected(kind, variant)["base_trial0"][band], rtol=1e-9)


def check_maps(maps, kind, variant, **tolerance):
    golden, first = expected(kind, variant), 4 * KINDS[kind]
    np.testing.assert_allclose(maps[0, first], golden["map_w0_theta"], **tolerance)
    np.testing.assert_allclose(maps[0, first + 3], golden["map_w0_gamma"], **tolerance)
    np.testing.assert_allclose(maps[4799, first + 1], golden["map_w4799_alpha"], **tolerance)
    total = np.abs(maps[:, first: first + 4]).sum(dtype=np.float64)
    assert total == pytest.approx(golden["map_sum_abs"], rel=tolerance["rtol"])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
def test_maps_and_their_sums_in_float64(maps, kind, variant):
    check_maps(maps[variant], kind, variant, rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def trials(signals):
    table = pd.DataFrame({"subject": "s01", "session": 1, "trial": range(1, 41), "label": 0, "baseline_seconds": 3.0})
    return Trials(list(signals), make_info(CAP, SFREQ), table, description="golden recording")


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_recordings_in_float64(trials, kind):
    name = {"DE": "de", "PSD": "energy"}[kind]
    windows = trial_features(trials, BANDS["mtcnn"], HALF, kind=name, method="causal")
    assert windows.X.shape == (4800, 32, 4) and windows.X.dtype == np.float64
    for number, band in enumerate(BANDS["mtcnn"]):
        np.testing.assert_allclose(windows.X[0, :, number], GOLDEN[kind]["raw_w0"][band], rtol=1e-5)
        np.testing.assert_allclose(windows.X[4799, :, number], GOLDEN[kind]["raw_w4799"][band], rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_maps_of_recordings_in_float64(trials, maps, variant):
    windows = electrode_maps(trials, baseline=variant)
    assert windows.X.shape == (4800, 8, 8, 9) and windows.X.dtype == np.float64
    for kind in KINDS:
        check_maps(windows.X, kind, variant, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(windows.X, maps[variant], rtol=1e-5, atol=1e-5)
    assert windows.table["window"].tolist() == list(range(120)) * 40 and windows.bands == tuple(BANDS["mtcnn"])
    assert windows.table["start_s"].max() == 59.5 and windows.table["trial"].nunique() == 40


def test_the_two_variants_differ_where_the_bug_is(signals):
    before = band_features(signals[0, :, :BASELINE], SFREQ, seconds=HALF)[0]
    own, bug = baseline_mean(before), baseline_mean(before, theta_bug=True)
    np.testing.assert_array_equal(own[..., 0], bug[..., 0])
    assert np.abs(own - bug)[..., 1:].min() > 0.1
