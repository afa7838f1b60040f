"""Each feature against a plain implementation that shares no line with it."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.signal

from eegemo_utils.features import (
    BANDS,
    band_energy,
    band_features,
    band_pass,
    band_power,
    baseline_mean,
    cut_windows,
    differential_entropy,
    electrode_maps,
    feature_maps,
    lds_smooth,
    resample,
    stft_bands,
    stimulus_features,
    trial_features,
    welch_bands,
    window_starts,
    window_table,
    zscore,
    zscore_windows,
)
from eegemo_utils.montage import make_info
from eegemo_utils.trials import DatasetError, Trials, Windows

RNG = np.random.default_rng(0)
NAMES = ["Fp1", "Fz", "C3", "Oz", "ECG"]


def some_trials(lengths=(640, 900, 300), baseline_seconds=1.0, sfreq=128.0):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"subject": "a", "session": 1, "trial": range(1, len(lengths) + 1), "label": "x"})
    if baseline_seconds:
        table["baseline_seconds"] = baseline_seconds
    signals = [rng.normal(0, 10, (len(NAMES), n)) for n in lengths]
    return Trials(signals, make_info(NAMES, sfreq), table)


def some_windows(n_trials=3, n_windows=5, dtype=np.float64):
    rows = [{"subject": "ab"[trial >= 2], "session": 1 + trial % 2, "trial": trial, "label": 0, "window": window}
            for trial in range(n_trials) for window in range(n_windows)]
    X = np.random.default_rng(2).normal(3, 2, (len(rows), 4, 2)).astype(dtype)
    return Windows(X, pd.DataFrame(rows), info=make_info(NAMES[:4], 128), bands=("theta", "alpha"))


# ---- filters ----

def test_causal_filter_is_a_difference_equation_from_zero():
    x = RNG.normal(size=200)
    b, a = scipy.signal.butter(3, [8 / 64, 14 / 64], "band")
    y = np.zeros(200)
    for n in range(200):
        y[n] = sum(b[k] * x[n - k] for k in range(7) if n >= k) - sum(a[k] * y[n - k] for k in range(1, 7) if n >= k)
    np.testing.assert_allclose(band_pass(x, 8, 14, 128), y, atol=1e-10)


def test_causal_filter_knows_nothing_of_what_comes_and_the_others_do():
    x = RNG.normal(size=(2, 1280))
    later = x.copy()
    later[:, 700:] += 50
    for method, looks_ahead in (("causal", False), ("zero_phase", True), ("fir", True)):
        change = np.abs(band_pass(x, 4, 8, 128, method=method) - band_pass(later, 4, 8, 128, method=method))
        assert (change[:, :690].max() > 0.01) == looks_ahead


@pytest.mark.parametrize("method", ["zero_phase", "fir"])
def test_zero_phase_moves_no_peak_and_keeps_the_band(method):
    time = np.arange(1280) / 128
    inside, outside = np.sin(2 * np.pi * 10 * time), np.sin(2 * np.pi * 25 * time)
    np.testing.assert_allclose(band_pass(inside + outside, 8, 14, 128, method=method)[256:-256], inside[256:-256],
                               atol=0.1)
    causal = band_pass(inside, 8, 14, 128)[256:-256]
    assert np.abs(causal - inside[256:-256]).max() > 0.2  # one pass delays


def test_bands_of_the_papers():
    assert list(BANDS["mtcnn"].values()) == [(4, 8), (8, 14), (14, 31), (31, 45)]
    assert list(BANDS["mtcnn_slides"].values()) == [(4, 8), (8, 14), (14, 30), (30, 45)]
    assert list(BANDS["faced"].values()) == [(1, 4), (4, 8), (8, 14), (14, 30), (30, 47)]
    assert list(BANDS["seed"]) == ["delta", "theta", "alpha", "beta", "gamma"]


@pytest.mark.parametrize("low, high, method", [(0, 8, "causal"), (8, 4, "causal"), (4, 64, "fir"), (4, 8, "acausal")])
def test_impossible_filters_are_refused(low, high, method):
    with pytest.raises(ValueError, match="between 0 and half the rate|method is one of"):
        band_pass(np.zeros(500), low, high, 128, method=method)


# ---- windows ----

@pytest.mark.parametrize("sfreq", [128, 200, 250, 125, 1000, 256.0])
def test_sixty_seconds_hold_sixty_windows_the_last_of_which_ends_with_the_last_sample(sfreq):
    signal = np.arange(int(60 * sfreq))
    windows = cut_windows(signal, sfreq, 1.0)
    assert windows.shape == (60, sfreq)
    assert windows[0, 0] == 0 and windows[-1, -1] == signal[-1]
    assert len(np.unique(windows)) == len(signal)


@pytest.mark.parametrize("n_times, sfreq, seconds, step, count", [
    (7680, 128, 0.5, None, 120), (7680, 128, 1.0, 0.5, 119), (7679, 128, 1.0, None, 59), (127, 128, 1.0, None, 0),
    (128, 128, 1.0, 0.1, 1), (6000, 200, 4.0, None, 7), (1000, 125, 0.5, None, 16), (62, 125, 0.5, None, 1),
    (0, 128, 1.0, None, 0),
])
def test_windows_are_counted_as_a_loop_counts_them(n_times, sfreq, seconds, step, count):
    starts, n_samples = window_starts(n_times, sfreq, seconds, step)
    expected, number = [], 0
    while round(number * (step or seconds) * sfreq) + round(seconds * sfreq) <= n_times:
        expected.append(round(number * (step or seconds) * sfreq))
        number += 1
    assert starts.tolist() == expected and len(starts) == count
    signal = RNG.normal(size=(2, n_times))
    windows = cut_windows(signal, sfreq, seconds, step)
    assert windows.shape == (2, count, n_samples)
    for place, start in enumerate(starts):
        np.testing.assert_array_equal(windows[:, place], signal[:, start : start + n_samples])


def test_touching_windows_take_no_memory_and_too_short_ones_are_refused():
    signal = np.zeros((3, 1280))
    assert np.shares_memory(cut_windows(signal, 128, 0.5), signal)
    for seconds, step in ((0.001, None), (1, 0.001)):
        with pytest.raises(ValueError, match="shorter than a sample"):
            cut_windows(signal, 128, seconds, step)


def test_window_table_repeats_the_trial():
    table = some_trials().table
    rows = window_table(table, [2, 0, 3], 0.5)
    assert rows["trial"].tolist() == [1, 1, 3, 3, 3] and rows["window"].tolist() == [0, 1, 0, 1, 2]
    assert rows["start_s"].tolist() == [0, 0.5, 0, 0.5, 1] and list(rows.index) == [0, 1, 2, 3, 4]
    assert len(window_table(table[:0], [], 0.5)) == 0


# ---- power ----

def test_entropy_energy_and_power_of_a_window_by_hand():
    window = [1.0, -2.0, 4.0, 1.0]
    variance = sum((value - 1) ** 2 for value in window) / 3
    assert differential_entropy(np.array(window)) == pytest.approx(0.5 * math.log(2 * math.pi * math.e * variance))
    assert differential_entropy(np.array(window), ddof=0) == pytest.approx(
        0.5 * math.log(2 * math.pi * math.e * variance * 3 / 4))
    assert band_energy(np.array(window)) == 22 and band_power(np.array(window)) == 5.5
    off = 0.5 * math.log(2 * math.pi * math.e * 1e-6)  # a standard deviation of 0.001 microvolt
    assert differential_entropy(np.ones((2, 8))).tolist() == pytest.approx([off] * 2)


def test_band_features_are_those_of_a_loop_over_channels_bands_and_windows():
    signals = RNG.normal(0, 10, (2, 3, 700))
    features = band_features(signals, 128, BANDS["mtcnn"], 0.5, kinds=("de", "energy", "power"), step=0.25)
    assert features.shape == (3, 2, 20, 3, 4)
    for trial, channel, window, (number, (low, high)) in [
            (trial, channel, window, band) for trial in range(2) for channel in range(3) for window in (0, 7, 19)
            for band in enumerate(BANDS["mtcnn"].values())]:
        b, a = scipy.signal.butter(3, [low / 64, high / 64], "band")
        piece = scipy.signal.lfilter(b, a, signals[trial, channel])[window * 32 : window * 32 + 64]
        mean = sum(piece) / 64
        entropy = 0.5 * math.log(2 * math.pi * math.e * sum((value - mean) ** 2 for value in piece) / 63)
        energy = sum(value**2 for value in piece)
        np.testing.assert_allclose(features[:, trial, window, channel, number], [entropy, energy, energy / 64],
                                   rtol=1e-8)


def test_spectra_give_the_power_of_a_sine_to_its_band_and_white_noise_its_density():
    time = np.arange(128 * 20) / 128
    signal = np.stack([6 * np.sin(2 * np.pi * 10 * time), 6 * np.sin(2 * np.pi * 20 * time)])
    windowed = stft_bands(signal, 128, BANDS["mtcnn"], 2.0).swapaxes(0, 1)
    for density in (welch_bands(signal, 128, seconds=2.0)[:, None], windowed):
        power = density * np.array([4, 6, 17, 14])  # a mean density times the width of its band
        np.testing.assert_allclose(power[0, :, 1], 18, rtol=0.02)
        np.testing.assert_allclose(power[1, :, 2], 18, rtol=0.02)
        assert power[0, :, [0, 2, 3]].max() < 0.01 and power[1, :, [0, 1, 3]].max() < 0.01
    noise = np.random.default_rng(3).normal(0, 10, (4, 128 * 300))
    np.testing.assert_allclose(welch_bands(noise, 128), 100 / 64, rtol=0.15)
    np.testing.assert_allclose(stft_bands(noise, 128).mean(axis=0), 100 / 64, rtol=0.15)


def test_welch_and_stft_are_the_sums_of_their_definition():
    signals = RNG.normal(0, 10, (2, 500))
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(100) / 100)
    bands = BANDS["seed"] | {"up to half the rate": (45, 51)}
    turns = np.exp(-2j * np.pi * np.outer(np.arange(51), np.arange(100)) / 100)  # 100 Hz: bins of 1 Hz

    def density(piece):
        power = abs(turns @ ((piece - piece.mean()) * taper)) ** 2 / (100 * sum(taper**2))
        power[1:50] *= 2
        return [np.mean([power[hz] for hz in range(51) if low <= hz < high]) for low, high in bands.values()]

    for channel in range(2):
        pieces = [density(signals[channel, start : start + 100]) for start in range(0, 401, 50)]
        np.testing.assert_allclose(welch_bands(signals, 100, bands, 1.0)[channel], np.mean(pieces, axis=0))
        np.testing.assert_allclose(stft_bands(signals, 100, bands, step=0.5)[:, channel], pieces)


def test_bands_without_a_bin_are_refused():
    with pytest.raises(ValueError, match="lies in theta.*2 Hz apart.*longer windows"):
        welch_bands(np.zeros(64), 128, {"theta": (4.5, 5.5)})
    with pytest.raises(ValueError, match="lies in high"):
        stft_bands(np.zeros((1, 256)), 128, {"high": (70, 80)})


# ---- scaling ----

def test_baseline_is_its_own_mean_or_that_of_the_released_code():
    baseline = RNG.normal(size=(6, 3, 4))
    own, released = baseline_mean(baseline), baseline_mean(baseline, theta_bug=True)
    for channel in range(3):
        for band in range(4):
            values = [baseline[window, channel, band] for window in range(6)]
            assert own[0, channel, band] == pytest.approx(sum(values) / 6)
            taken = values[:3] + [baseline[window, channel, 0] for window in (3, 4, 5)]
            assert released[0, channel, band] == pytest.approx(sum(taken) / 6)
    with pytest.raises(ValueError, match="shorter than a window"):
        baseline_mean(baseline[:0])


def test_a_window_is_scaled_over_channels_and_bands_jointly():
    values = RNG.normal(3, 2, (5, 4, 2))
    scaled = zscore_windows(values)
    for window in range(5):
        flat = values[window].ravel().tolist()
        mean = sum(flat) / 8
        spread = math.sqrt(sum((value - mean) ** 2 for value in flat) / 8)
        np.testing.assert_allclose(scaled[window].ravel(), [(value - mean) / spread for value in flat])
    np.testing.assert_allclose(zscore_windows(np.full((1, 4, 2), 0.1)), 0, atol=1e-12)


@pytest.mark.parametrize("scope, keys", [("all", []), ("subject", ["subject"]), ("session", ["subject", "session"]),
                                         ("trial", ["subject", "session", "trial"])])
@pytest.mark.parametrize("with_fit", [False, True])
def test_zscore_of_each_scope(scope, keys, with_fit):
    windows = some_windows(4)
    fit = np.arange(20) % 5 < 3 if with_fit else None
    scaled = zscore(windows, scope, fit)
    known = np.ones(20, bool) if fit is None else fit
    for row in range(20):
        same = [other for other in range(20) if (windows.table.loc[other, keys] == windows.table.loc[row, keys]).all()]
        values = np.array([windows.X[other] for other in same if known[other]])
        np.testing.assert_allclose(scaled.X[row], (windows.X[row] - values.mean(axis=0)) / values.std(axis=0))
    assert scaled.bands == windows.bands and scaled.table is not None


def test_zscore_keeps_float32_leaves_constants_alone_and_refuses_groups_without_training_windows():
    windows = some_windows(4, dtype=np.float32)
    windows.X[:, 0, 0] = 0.1
    scaled = zscore(windows, "all")
    assert scaled.X.dtype == np.float32
    np.testing.assert_allclose(scaled.X[:, 0, 0], 0, atol=1e-6)
    with pytest.raises(ValueError, match="no window.*'subject': 'b'"):
        zscore(windows, "subject", windows.table["subject"] == "a")
    with pytest.raises(ValueError, match="a scope is one of"):
        zscore(windows, "person")
    assert len(zscore(windows.select([]), "all")) == 0


def plain_lds(values, start, variance):
    """Kalman filter of one series as a textbook has it: A = C = 1."""
    state, out = start, []
    for place, value in enumerate(values):
        if place:
            variance = variance + 1e-4
        gain = variance / (variance + 1.0)
        state = state + gain * (value - state)
        variance = variance - gain * variance
        out.append(state)
    return out


@pytest.mark.parametrize("causal", [True, False])
def test_lds_is_a_kalman_filter_of_each_series_of_each_trial(causal):
    windows = some_windows(3, 40)
    smooth = lds_smooth(windows, causal=causal)
    for trial in range(3):
        rows = slice(40 * trial, 40 * trial + 40)
        for channel in range(4):
            values = windows.X[rows, channel, 1].tolist()
            start = (0, 1e12) if causal else (sum(values) / 40, 0.01)
            np.testing.assert_allclose(smooth.X[rows, channel, 1], plain_lds(values, *start))
    assert smooth.X.std() < windows.X.std() / 2


def test_causal_lds_knows_nothing_of_what_comes_and_the_usual_one_does():
    windows = some_windows(2, 20)
    later = Windows(windows.X.copy(), windows.table)
    later.X[10:20] += 5
    for causal in (True, False):
        change = np.abs(lds_smooth(windows, causal=causal).X - lds_smooth(later, causal=causal).X)
        assert (change[:10].max() == 0) == causal
        assert change[10:20].max() > 0 == change[20:].max()


def test_lds_over_a_person_runs_on_across_trials_and_wants_the_order_of_time():
    windows = some_windows(2, 10)
    values = windows.X[:, 0, 0].tolist()
    person = lds_smooth(windows, causal=True, within="subject")
    np.testing.assert_allclose(person.X[:, 0, 0], plain_lds(values, 0, 1e12))
    with pytest.raises(DatasetError, match="order of time"):
        lds_smooth(windows.select(np.arange(20)[::-1]), causal=True)


# ---- recordings ----

def test_windows_begin_after_the_baseline_and_both_are_filtered_apart():
    signal = RNG.normal(0, 10, (2, 640))
    features = stimulus_features(signal, 128, 1.0, baseline="own")
    before = band_features(signal[:, :128], 128, seconds=0.5, kinds=("de", "energy"))
    after = band_features(signal[:, 128:], 128, seconds=0.5, kinds=("de", "energy"))
    np.testing.assert_allclose(features, after - before.mean(axis=1, keepdims=True))
    with pytest.raises(ValueError, match="baseline is one of"):
        stimulus_features(signal, 128, 1.0, baseline="theta")


def test_trial_features_are_windows_of_the_electrodes():
    trials = some_trials()
    windows = trial_features(trials, BANDS["faced"], 1.0, method="zero_phase")
    assert windows.X.shape == (4 + 6 + 1, 4, 5) and windows.X.dtype == np.float64
    assert windows.info["ch_names"] == NAMES[:4] and windows.bands == tuple(BANDS["faced"])
    assert windows.table["trial"].tolist() == [1] * 4 + [2] * 6 + [3]
    expected = band_features(trials.signals[1][:4, 128:], 128, BANDS["faced"], method="zero_phase")[0]
    np.testing.assert_allclose(windows.X[4:10], expected, rtol=1e-6)
    power = trial_features(trials, seconds=0.5, kind="power", baseline="own", method="causal")
    expected = stimulus_features(trials.signals[2][:4], 128, 1.0, BANDS["seed"], kinds=("power",))[0]
    np.testing.assert_allclose(power.X[-2:], expected, rtol=1e-5)
    assert len(trial_features(trials.select([]))) == 0


def test_maps_of_any_cap_hold_the_window_mean_in_empty_cells():
    windows = electrode_maps(some_trials())
    assert windows.X.shape == (8 + 12 + 2, 8, 8, 9)
    filled = windows.X[:, :, [0, 1, 3, 7], [3, 4, 2, 4]]
    assert (windows.X != 0).sum() == filled.size
    for first in (0, 4):
        one_kind = filled[:, first : first + 4].reshape(22, -1)
        np.testing.assert_allclose(one_kind.mean(axis=1), 0, atol=1e-5)
        np.testing.assert_allclose(one_kind.std(axis=1), 1, rtol=1e-4)
    assert electrode_maps(some_trials(), BANDS["mtcnn"], kinds=("de",)).X.shape[1] == 4
    one = feature_maps(RNG.normal(size=(2, 3, 4, 5)), NAMES[:4])
    assert one.shape == (3, 10, 8, 9)


def test_recordings_without_a_baseline_are_refused_where_one_is_needed():
    trials = some_trials(baseline_seconds=None)
    with pytest.raises(DatasetError, match="take baseline='none'"):
        electrode_maps(trials)
    assert len(electrode_maps(trials, baseline="none")) == 10 + 14 + 4
    with pytest.raises(ValueError, match="shorter than a window"):
        electrode_maps(some_trials(baseline_seconds=0.25))


@pytest.mark.parametrize("make", [trial_features, electrode_maps])
def test_trials_that_are_all_shorter_than_a_window_are_refused(make):
    trials = some_trials((384, 256), baseline_seconds=1.0)
    with pytest.raises(DatasetError, match="trials: expected trials of 3 s at least, a window, found 1 to 2 s"):
        make(trials, seconds=3.0, baseline="none")
    assert len(make(trials, seconds=2.0, baseline="none")) == 1


def test_unknown_kinds_are_answered_with_the_known_ones():
    trials = some_trials()
    for call in (lambda: trial_features(trials, kind="bandpower"),
                 lambda: electrode_maps(trials, baseline="none", kinds=("de", "bandpower"))):
        with pytest.raises(ValueError, match="one of .*de.*, not 'bandpower'"):
            call()


@pytest.mark.parametrize("rate", [100.0, 127.5, 250.0, 256.0, 1024.0])
def test_other_rates_keep_a_sine_in_its_place_and_a_dc_level(rate):
    def sine(sfreq):
        return 4240 + np.sin(2 * np.pi * 10 * np.arange(round(60 * sfreq)) / sfreq)[None]

    found = resample(sine(rate).astype(np.float32), rate, 128.0)
    assert found.shape == (1, 7680) and found.dtype == np.float64
    error = np.abs(found - sine(128.0))[0]
    assert error[64:-64].max() < 0.002 and error.max() < 0.1
    with pytest.raises(ValueError, match="above 0 Hz; got 0 and 128"):
        resample(found, 0.0, 128.0)
