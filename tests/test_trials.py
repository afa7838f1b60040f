import numpy as np
import pandas as pd
import pytest

from eegemo_utils.montage import make_info
from eegemo_utils.trials import DatasetError, Report, Trials, Windows


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
