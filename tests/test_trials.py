import mne
import numpy as np
import pandas as pd
import pytest

from eegemo_utils.montage import make_info
from eegemo_utils.trials import DatasetError, Report, Trials, Windows, shown


def some_trials(n_trials=3, n_samples=50, scale=20.0, **changes):
    rng = np.random.default_rng(0)
    parts = {
        "signals": [rng.normal(0, scale, (2, n_samples)) for _ in range(n_trials)],
        "info": make_info(["Fz", "Right AUX"], 100),
        "table": pd.DataFrame({"subject": "a", "session": 1, "trial": range(n_trials), "label": "x"}),
        "times": [np.arange(n_samples) / 100.0 for _ in range(n_trials)],
        "description": "some trials",
    }
    return Trials(**(parts | changes))


def test_signals_are_float32_and_raw_is_volts():
    trials = some_trials()
    assert trials.signals[0].dtype == np.float32
    raw = trials.raw(1)
    np.testing.assert_allclose(raw.get_data() * 1e6, trials.signals[1], rtol=1e-6)
    assert raw.info["sfreq"] == 100 and raw.ch_names == ["Fz", "Right AUX"]


@pytest.mark.parametrize("mask", [np.array([True, False, True]), [0, 2]])
def test_select_takes_masks_and_rows(mask):
    trials = some_trials()
    chosen = trials.select(mask)
    assert chosen.table["trial"].tolist() == [0, 2] and list(chosen.table.index) == [0, 1]
    np.testing.assert_array_equal(chosen.signals[1], trials.signals[2])
    assert len(chosen.times) == len(chosen) == 2
    assert len(trials.select([])) == 0


@pytest.mark.parametrize("changes, message", [
    ({"signals": [np.ones((3, 50))] * 3}, r"row 0: expected \(2 channels"),
    ({"signals": [np.full((2, 50), np.nan)] * 3}, "not finite"),
    ({"times": [np.arange(49.0)] * 3}, "50 samples, but 49 time stamps"),
    ({"times": [np.arange(50.0)]}, "1 arrays of time stamps"),
    ({"table": pd.DataFrame({"subject": "a", "session": 1, "trial": [1, 1, 2], "label": "x"})}, "unique"),
    ({"table": pd.DataFrame({"subject": "a", "session": 1, "trial": [1, 2, 3]})}, "lacks .*label"),
    ({"table": pd.DataFrame({"subject": ["a"], "session": 1, "trial": 1, "label": "x"})}, "table of 1 rows"),
])
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(DatasetError, match=message):
        some_trials(**changes)


def test_volts_are_refused_and_dead_electrodes_are_not():
    with pytest.raises(DatasetError, match="looks like volts.*1e6"):
        some_trials(scale=20e-6)
    with pytest.raises(DatasetError, match="expected microvolt"):
        some_trials(scale=20e6)
    assert len(some_trials(signals=[np.zeros((2, 50))] * 3)) == 3


def test_fingerprint_changes_with_every_part():
    first = some_trials()
    prints = {first.fingerprint()}
    assert some_trials().fingerprint() in prints
    signals = [signal.copy() for signal in first.signals]
    signals[2][1, 49] += 1
    prints.add(some_trials(signals=signals).fingerprint())
    prints.add(some_trials(times=[stamps + 1 for stamps in first.times]).fingerprint())
    prints.add(some_trials(table=first.table.assign(label="y")).fingerprint())
    prints.add(some_trials(info=make_info(["Cz", "Right AUX"], 100)).fingerprint())
    assert len(prints) == 5


def test_windows_parts_must_fit():
    table = pd.DataFrame({"label": list("ab")})
    windows = Windows(np.zeros((2, 3)), table, ["x", "y", "z"])
    assert len(windows.select([False, True])) == 1
    with pytest.raises(DatasetError, match="2 names"):
        Windows(np.zeros((2, 3)), table, ["x", "y"])
    prints = {windows.fingerprint(), Windows(np.zeros((2, 3)), table, ["x", "y", "z"]).fingerprint()}
    assert len(prints) == 1
    prints.add(Windows(np.ones((2, 3)), table, ["x", "y", "z"]).fingerprint())
    prints.add(Windows(np.zeros((2, 3)), table.assign(label="c"), ["x", "y", "z"]).fingerprint())
    prints.add(Windows(np.zeros((2, 3)), table).fingerprint())
    assert len(prints) == 4
    told = Windows(np.zeros((2, 3)), table, description="simulated", decisions=("one left out",))
    assert told.fingerprint() in prints  # what is said of the values is none of them
    chosen = told.select([1])
    assert (chosen.description, chosen.decisions) == ("simulated", ("one left out",))
    with pytest.raises(DatasetError, match="3 windows"):
        Windows(np.zeros((3, 3)), table)


def test_windows_know_their_channels_and_bands():
    def made(names=("Fz", "Cz"), bands=("theta", "alpha", "beta"), sfreq=100):
        table = pd.DataFrame({"label": list("abcd")})
        info = None if names is None else make_info(names, sfreq)
        return Windows(np.zeros((4, 2, 3)), table, info=info, bands=bands)

    chosen = made(bands=["theta", "alpha", "beta"]).select([1, 3])
    assert chosen.info["ch_names"] == ["Fz", "Cz"] and chosen.bands == ("theta", "alpha", "beta")
    assert made().fingerprint() == made().fingerprint() != chosen.fingerprint()
    different = [made(), made(names=("Fz", "Pz")), made(bands=("theta", "alpha", "gamma")), made(sfreq=200),
                 made(names=None), made(bands=None), made(names=None, bands=None)]
    assert len({windows.fingerprint() for windows in different}) == len(different)
    with pytest.raises(DatasetError, match="3 channels do not fit"):
        made(names=("Fz", "Cz", "Pz"))
    with pytest.raises(DatasetError, match="theta.*do not fit"):
        made(bands=("theta", "alpha"))
    maps = Windows(np.zeros((4, 3, 8, 9)), made().table, info=made().info, bands=made().bands)
    assert maps.select([0]).bands == ("theta", "alpha", "beta")


def test_report_says_what_is_missing():
    text = Report("muse", "folder", False, found=["one file"], missing=["a second"]).text()
    assert "cannot be read" in text and "a second" in text and "will be done:\n    nothing" in text


def test_trials_and_windows_say_what_they_are_in_a_line():
    assert repr(some_trials()) == "<Trials: some trials: 3 trials of 1 people, 2 channels, 100 Hz, labels: x>"
    assert repr(some_trials(description="")).startswith("<Trials: no description: 3")
    table = pd.DataFrame({"subject": "a", "label": list("abcdefgh")})
    windows = Windows(np.zeros((8, 2, 5)), table, description="some windows")
    assert repr(windows) == "<Windows: some windows: 8 windows of (2, 5), labels: a, b, c, d, e, f, ...>"
    assert repr(Windows(np.zeros((8, 2)), table[["subject"]])) == "<Windows: no description: 8 windows of (2,)>"


def test_what_is_quoted_from_damaged_files_is_short_and_printable():
    assert shown("Größe 5µV") == "Größe 5µV" and shown("x" * 41) == "x" * 40 + "..."
    assert shown("a\0b\x1b[2J\r") == "a\\x00b\\x1b[2J\\r" and len(shown("\0" * 1000)) == 43
    error = DatasetError("file.csv: found \0\0,\x07\nnext line")
    assert str(error) == "file.csv: found \\x00\\x00,\\x07\nnext line" and isinstance(error, ValueError)


def own_arrays(n=6, n_samples=80):
    rng = np.random.default_rng(1)
    return 20 * rng.normal(size=(n, 3, n_samples)), ["calm", "tense"] * (n // 2), ["T3", "Fz", "photo"]


def test_own_arrays_in_any_unit_with_the_columns_of_moabb():
    X, y, names = own_arrays()
    metadata = pd.DataFrame({"subject": [1, 1, 1, 2, 2, 2], "session": "0train", "run": list("001001")})
    trials = Trials.from_arrays(X * 1e-6, y, names, 128, metadata=metadata, unit="V")
    np.testing.assert_allclose(trials.signals, X, rtol=1e-5)
    assert trials.info["ch_names"] == ["T7", "Fz", "photo"]
    assert trials.table.columns.tolist() == ["subject", "session", "trial", "label", "run"]
    assert trials.table["subject"].tolist() == list("111222") and trials.table["trial"].tolist() == [1, 2, 3] * 2
    named = Trials.from_arrays(list(X), y, names, 128, subject=list("abcdef"), clip=[1, 2] * 3)
    assert named.table["clip"].tolist() == [1, 2] * 3 and (named.table["trial"] == 1).all()


@pytest.mark.parametrize(("changes", "message"), [
    ({"y": ["calm"]}, "one label per trial: found 6 trials and 1 labels"),
    ({"unit": "nV"}, "unit 'nV' is not one of uV, mV, V"),
    ({"unit": "V"}, "looks like"),
    ({"subject": ["a", "b"]}, "subject: one value per trial, or one for all: found 2 for 6"),
    ({"metadata": pd.DataFrame({"run": [1]})}, "one row of metadata per trial: found 6 trials and 1 rows"),
    ({"y": ["calm", None] * 3}, "trial 2 has no label"),
    ({"trial": 1}, "must be unique"),
    ({"ch_names": ["Fz", "Cz"]}, "expected"),
])
def test_own_arrays_that_do_not_fit(changes, message):
    X, y, names = own_arrays()
    with pytest.raises(DatasetError, match=message):
        Trials.from_arrays(**({"X": X, "y": y, "ch_names": names, "sfreq": 128} | changes))


def test_own_epochs_and_recordings():
    X, y, _ = own_arrays()
    info = mne.create_info(["T7", "Fz", "ECG"], 100, ["eeg", "eeg", "ecg"])
    events = np.c_[np.arange(6) * 100, np.zeros(6, int), [1, 2] * 3]
    metadata = pd.DataFrame({"rating": [3, 8] * 3, "who": list("aabbcc")})
    epochs = mne.EpochsArray(X * 1e-6, info, events, tmin=-0.2, event_id={"calm": 1, "tense": 2}, metadata=metadata,
                             verbose="error")
    trials = Trials.from_epochs(epochs, subject="who")
    np.testing.assert_allclose(trials.signals, X[:, :2], rtol=1e-5)
    assert trials.table["label"].tolist() == y and trials.table["subject"].tolist() == list("aabbcc")
    assert (trials.table["baseline_seconds"] == 0.2).all() and trials.table["rating"].tolist() == [3, 8] * 3
    assert Trials.from_epochs(epochs, "rating").table["label"].tolist() == [3, 8] * 3
    with pytest.raises(DatasetError, match="no column 'valence'; there are: rating, who"):
        Trials.from_epochs(epochs, "valence")

    raws = [mne.io.RawArray(one * 1e-6, info, verbose="error") for one in X[:2]]
    raws[1] = raws[1].reorder_channels(["Fz", "ECG", "T7"])
    table = pd.DataFrame({"label": ["calm", "tense"], "subject": ["a", "a"], "clip": [4, 5]})
    trials = Trials.from_raws(raws, table)
    np.testing.assert_allclose(trials.signals, X[:2, :2], rtol=1e-5)
    assert trials.table["trial"].tolist() == [1, 2] and trials.table["clip"].tolist() == [4, 5]
    with pytest.raises(DatasetError, match="recording 1: expected the 2 channels of recording 0 at 100 Hz"):
        Trials.from_raws([raws[0], raws[1].copy().drop_channels("Fz")], table)
    with pytest.raises(DatasetError, match="one row with label and subject"):
        Trials.from_raws(raws, table[["label"]])
