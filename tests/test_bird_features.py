import numpy as np
import pandas as pd
import pytest
import reference_features as reference
import scipy.linalg
from muse_recordings import muse_lsl_folder

from eegemo_utils.datasets import muse
from eegemo_utils.datasets.bird_features import (
    bird_features,
    column_families,
    column_names,
    feature_block_2548,
    resample_windows,
    singular_logm,
    waveform_from_fft,
)
from eegemo_utils.datasets.bird_windows import window_bounds
from eegemo_utils.datasets.chains import link_chains
from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS, make_info
from eegemo_utils.trials import DatasetError, Trials

NAMES = [*MUSE_CHANNELS, MUSE_AUX]


def stamps_of(n_samples, seed=0, start=1_500_000_000.0):
    """Milliseconds with the headband's 3 and 4 ms steps; a few packets out of order."""
    stamps = np.round(start + np.arange(n_samples) / 256.1, 3)
    places = np.random.default_rng(seed).integers(20, n_samples - 20, 3)
    for place in places:
        stamps[place:place + 4] -= 0.014
    return stamps


def some_trials(n_trials=2, n_samples=1300, positive=False):
    rng = np.random.default_rng(1)
    signals = [np.cumsum(rng.normal(0, 3, (5, n_samples)), axis=1) + 20 for _ in range(n_trials)]
    if positive:
        signals = [signal - signal.min() + 100 for signal in signals]
    table = pd.DataFrame({"subject": "a", "session": 1, "trial": range(n_trials), "label": "x"})
    times = [stamps_of(n_samples, seed) for seed in range(n_trials)]
    return Trials(signals, make_info(NAMES, 256), table, times)


def old_reference(trials):
    return np.concatenate([reference.old_rows(stamps, signal.T.astype(float))
                           for stamps, signal in zip(trials.times, trials.signals)])


def new_reference(trials):
    names = column_names(988)
    lag = [name.removeprefix("lag1_") for name in names if name.startswith("lag1_")]
    block = names[len(lag):]
    kept = [block.index(name) for name in lag]
    return np.concatenate([reference.new_rows(stamps, signal[:4].T.astype(float), kept)
                           for stamps, signal in zip(trials.times, trials.signals)])


def assert_families_agree(rows, expected, skip):
    """Each family within 1e-9 of its largest number in the row."""
    families = column_families(rows.shape[1])["family"]
    assert rows.shape == expected.shape and np.isfinite(rows).all()
    for family in [name for name in families.unique() if name not in skip]:
        of_family = (families == family).to_numpy()
        scale = np.abs(expected[:, of_family]).max(axis=1, keepdims=True) + 1e-12
        error = np.abs(rows - expected)[:, of_family] / scale
        assert error.max() < 1e-9, f"{family}: {error.max():.1e} at {np.argwhere(error == error.max())[0]}"


def assert_eigenvalues_agree(rows, expected):
    families = column_families(rows.shape[1])
    for block in families["block"].unique():
        of_block = ((families["family"] == "eigen") & (families["block"] == block)).to_numpy()
        have, want = rows[:, of_block], expected[:, of_block]
        scale = np.abs(want).max(axis=1, keepdims=True)
        np.testing.assert_allclose(have / scale, -np.sort(-want / scale), atol=1e-9)


def matrices(rows, family, block):
    """The 12 x 12 matrices of covmat or logm columns."""
    families = column_families(2548)
    values = rows[:, ((families["family"] == family) & (families["block"] == block)).to_numpy()]
    if family == "covmat":
        return values.reshape(-1, 12, 12)
    out = np.zeros((len(rows), 12, 12))
    start = 0
    for k in range(12):
        place = np.arange(12 - k)
        out[:, place, place + k] = out[:, place + k, place] = values[:, start:start + 12 - k]
        start += 12 - k
    return out


def assert_logarithms_agree_off_the_null_direction(rows, expected):
    for block in "ab":
        have, want = matrices(rows, "logm", block), matrices(expected, "logm", block)
        null = np.linalg.eigh(matrices(expected, "covmat", block))[1][:, :, 0]
        project = np.eye(12) - null[:, :, None] * null[:, None, :]
        np.testing.assert_allclose(project @ have @ project, project @ want @ project, atol=1e-5)


@pytest.mark.parametrize("positive", [False, True])
def test_2548_columns_equal_the_reference_on_random_input(positive):
    trials = some_trials(positive=positive)
    rows, expected = bird_features(trials).X, old_reference(trials)
    assert_families_agree(rows, expected, skip=("eigen", "logm"))
    assert_eigenvalues_agree(rows, expected)
    assert_logarithms_agree_off_the_null_direction(rows, expected)
    entropy = column_families(2548)["family"].eq("entropy").to_numpy()
    assert (rows[:, entropy] > 4).all() if positive else (rows[:, entropy] == 0).any()


def test_988_columns_equal_the_reference_on_random_input():
    trials = some_trials()
    rows, expected = bird_features(trials, 988).X, new_reference(trials)
    assert_families_agree(rows, expected, skip=("eigen",))
    assert_eigenvalues_agree(rows, expected)


def test_real_recordings_equal_the_reference():
    trials = muse.read(muse_lsl_folder())
    first = [0, 4, 6]  # the last one has packets out of order
    short = Trials([trials.signals[i][:, :4000] for i in first], trials.info, trials.table.iloc[first],
                   [trials.times[i][:4000] for i in first])
    rows, expected = bird_features(short).X, old_reference(short)
    assert_families_agree(rows, expected, skip=("eigen", "logm"))
    assert_eigenvalues_agree(rows, expected)
    assert_logarithms_agree_off_the_null_direction(rows, expected)
    rows, expected = bird_features(short, 988).X, new_reference(short)
    assert_families_agree(rows, expected, skip=("eigen",))


def test_real_recordings_give_1903_rows_in_eight_pure_chains():
    trials = muse.read(muse_lsl_folder())
    rows = bird_features(trials)
    assert rows.X.shape == (1903, 2548) and np.isfinite(rows.X).all()
    newer = bird_features(trials, 988)
    assert newer.X.shape[1] == 988 and np.isfinite(newer.X).all()
    printed = np.array([[float(f"{value:.3g}") for value in row] for row in rows.X])
    order = np.random.default_rng(0).permutation(len(rows))
    chains = link_chains(printed[order, :1274], printed[order, 1274:])
    truth = rows.table.iloc[order].reset_index(drop=True)
    by_chain = truth.groupby(chains["chain"])
    assert sorted(by_chain.size()) == [237] + [238] * 7
    assert (by_chain["recording"].nunique() == 1).all()
    np.testing.assert_array_equal(chains["position"], truth["window"] - 1)


# ---- windows ----

def stamps_out_of_order_at_edges():
    stamps = np.round(np.arange(1500) / 256, 3)
    for edge in range(128, 1400, 128):
        stamps[edge - 3:edge + 3] = stamps[edge - 3:edge + 3][::-1]
    return stamps


@pytest.mark.parametrize("stamps", [
    stamps_out_of_order_at_edges(), stamps_of(2000), stamps_of(900, seed=4),
    100.0 + np.arange(700) / 256, np.arange(400) / 256, np.arange(100) / 256,
    np.round(np.concatenate([np.arange(700) / 256, 30 + np.arange(700) / 256]), 3),
])
def test_window_edges_equal_the_reference(stamps):
    signals = np.arange(len(stamps), dtype=float)[:, None]
    for generator, slow in (("old", reference.old_windows), ("new", reference.new_windows)):
        bounds = window_bounds(stamps, generator)
        expected = slow(stamps, signals)
        assert len(bounds) == len(expected)
        for (first, last), window in zip(bounds, expected):
            assert window.mean() == pytest.approx((first + last - 1) / 2)


def test_resampled_windows_for_sequence_models():
    trials = some_trials()
    windows = resample_windows(trials)
    assert windows.X.shape[1:] == (150, 5)
    expected = reference.old_windows(trials.times[1], trials.signals[1].T.astype(float))
    of_second = (windows.table["trial"] == 1).to_numpy()
    np.testing.assert_allclose(windows.X[of_second], expected, atol=1e-9)
    assert windows.table["window"][of_second].tolist() == list(range(len(expected)))
    assert windows.table["start_s"][of_second].tolist() == [k / 2 for k in range(len(expected))]
    assert resample_windows(trials, signals=("AF8",)).X.shape[2] == 1


def test_a_row_joins_neighbours_of_one_trial():
    trials = some_trials(n_trials=3)
    windows, rows = resample_windows(trials), bird_features(trials)
    assert len(rows) == len(windows) - 3
    assert rows.table.columns.tolist() == ["subject", "session", "trial", "recording", "window", "label",
                                           "start_s"]
    block = feature_block_2548(windows.X)
    place = windows.table.reset_index().set_index(["trial", "window"])["index"]
    for row in (0, 5, len(rows) - 1):
        trial, window = rows.table.loc[row, ["trial", "window"]]
        np.testing.assert_array_equal(rows.X[row, :1274], block[place[trial, window - 1]])
        np.testing.assert_array_equal(rows.X[row, 1274:], block[place[trial, window]])


def test_trials_too_short_give_no_rows():
    assert bird_features(some_trials(n_samples=300)).X.shape == (0, 2548)
    assert bird_features(some_trials(n_samples=300), 988).X.shape == (0, 988)


def test_missing_signals_are_named():
    trials = some_trials()
    short = Trials([signal[:4] for signal in trials.signals], make_info(MUSE_CHANNELS, 256), trials.table)
    assert bird_features(short, 988).X.shape[1] == 988
    with pytest.raises(DatasetError, match="Right AUX missing among TP9"):
        bird_features(short)
    with pytest.raises(ValueError, match="2548 .*or 988"):
        bird_features(trials, 2549)


# ---- columns ----

def test_column_names():
    old, new = column_names(2548), column_names(988)
    assert len(old) == len(set(old)) == 2548 and len(new) == len(set(new)) == 988
    assert old[:6] == ["mean_0_a", "mean_1_a", "mean_2_a", "mean_3_a", "mean_4_a", "mean_d_0_a"]
    assert old[9:12] == ["mean_d_4_a", "mean_d_0_a2", "mean_d_1_a2"]
    assert old[15] == "mean_d_5_a" and old[1274] == "mean_0_b" and old[-1] == "fft_749_b"
    assert old.index("entropy0_a") == 1274 - 750 - 75 - 5
    assert new[0] == "lag1_mean_0" and new[476] == "mean_0" and new[-1] == "freq_750_3"
    missing = {f"lag1_{stat}_{part}_{i}" for stat in ("mean", "max", "min") for part in ("q3", "q4", "d_q3q4")
               for i in range(4)}
    assert {f"lag1_{name}" for name in new[476:]} - set(new) == missing
    assert "freq_010_0" in new
    assert sum("freq" in name for name in new[476:]) == 72 * 4


def test_column_families():
    old = column_families(2548)
    assert old["column"].tolist() == column_names(2548)
    counts = old[old["block"] == "a"].groupby("family").size().to_dict()
    assert counts == {
        "mean": 5, "mean_d": 5, "mean_q": 50, "stddev": 5, "stddev_d": 5, "moments": 20, "max": 5, "max_d": 5,
        "max_q": 50, "min": 5, "min_d": 5, "min_q": 50, "covmat": 144, "eigen": 12, "logm": 78, "entropy": 5,
        "correlate": 75, "fft": 750}
    assert set(old.loc[old["column"].str.startswith(("mean_2_", "max_q_47", "entropy2")), "signal"]) == {2}
    new = column_families(988)
    assert new.groupby("block").size().to_dict() == {"lag": 476, "now": 512}
    assert new.groupby("family").size()["topfreq"] == 80


def test_signal_column_says_which_signal_moves_a_number():
    x = resample_windows(some_trials()).X
    changed = x.copy()
    changed[:, :, 3] = changed[:, ::-1, 3] * 1.5 + 7
    moved = (feature_block_2548(x) != feature_block_2548(changed)).any(axis=0)
    signal = column_families(2548)["signal"][:1274]
    assert moved[signal == 3].mean() > 0.9 and not moved[(signal >= 0) & (signal != 3)].any()


# ---- parts ----

def test_waveform_is_the_three_mixes_of_the_signals():
    x = resample_windows(some_trials()).X
    mixes = waveform_from_fft(feature_block_2548(x)[:, -750:])
    angle = 2 * np.pi * np.arange(5) / 5
    np.testing.assert_allclose(mixes[..., 0], x.sum(axis=2), atol=1e-9)
    np.testing.assert_allclose(mixes[..., 1], x @ np.cos(angle), atol=1e-9)
    np.testing.assert_allclose(mixes[..., 2], x @ np.cos(2 * angle), atol=1e-9)


def test_logarithm_is_exact_where_it_exists_and_floored_where_not():
    rng = np.random.default_rng(0)
    full = rng.normal(size=(12, 30))
    full = full @ full.T
    np.testing.assert_allclose(singular_logm(full[None], rank=12)[0], scipy.linalg.logm(full), atol=1e-9)
    flat = rng.normal(size=(12, 11))
    flat = flat @ flat.T
    noisy = flat + 1e-13 * np.outer(np.ones(12), np.ones(12))
    np.testing.assert_allclose(singular_logm(flat[None], 11), singular_logm(noisy[None], 11), atol=1e-6)
    values = np.linalg.eigvalsh(singular_logm(flat[None], 11)[0])
    largest = np.linalg.eigvalsh(flat)[-1]
    assert values[0] == pytest.approx(np.log(np.finfo(float).eps * largest))


def test_flat_signals_give_finite_numbers():
    trials = some_trials()
    for signal in trials.signals:
        signal[1] = 3.3
        signal[4] = 0
    assert np.isfinite(bird_features(trials).X).all() and np.isfinite(bird_features(trials, 988).X).all()
    for signal in trials.signals:
        signal[:] = 0
    assert np.isfinite(bird_features(trials).X).all() and np.isfinite(bird_features(trials, 988).X).all()
