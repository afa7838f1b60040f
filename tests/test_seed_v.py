"""SEED-V: what is written is the release's own layout, and files made by hand are read."""

import json
import pickle

import mne
import numpy as np
import pandas as pd
import pytest
from seed_v_recordings import LABELS, N_WINDOWS, NAMES, npz, recording

from eegemo_utils.datasets import seed, seed_v, seed_v_files
from eegemo_utils.datasets.formats import cnt
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import DatasetError, Trials


@pytest.fixture(scope="module")
def cohort():
    return seed_v.simulate(2, n_sessions=2, n_trials=3, random_state=1)


# ---- what is written reads back ----

@pytest.mark.parametrize("inner", ["", "EEG_raw"])
def test_simulated_signals_come_back(tmp_path, cohort, inner):
    root = tmp_path / "mit Leerzeichen ß 日本"
    paths = seed_v.write(cohort, root)
    assert [path.name for path in paths] == ["1_1_20200101.cnt", "1_2_20200115.cnt", "2_1_20200101.cnt",
                                             "2_2_20200115.cnt"]
    assert sorted(path.name for path in root.iterdir()) == ["DESCRIPTION.txt", "EEG_raw", "simulated_clips.json"]
    back = seed_v.read(root / inner)
    assert back.info["ch_names"] == list(SEED_62) and back.info["sfreq"] == 1000
    assert back.description == "simulated SEED-V cohort"
    pd.testing.assert_frame_equal(back.table, cohort.table)
    for mine, theirs in zip(back.signals, cohort.signals, strict=True):
        assert mine.dtype == np.float32 and mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, atol=6e-4)  # counts of 0.001 microvolt
    assert back.decisions == ("fewer than 3 recordings of person 1", "fewer than 3 recordings of person 2")
    assert seed_v.check(root / inner).ok and len(seed_v.read(root, ["2"])) == 6


def test_the_recording_is_what_mne_reads(tmp_path, cohort):
    path = seed_v.write(cohort, tmp_path)[1]
    raw = mne.io.read_raw_cnt(path, verbose="error")
    assert raw.ch_names == NAMES and raw.info["sfreq"] == 1000 and len(raw.annotations) == 0
    start, end = json.loads((tmp_path / "simulated_clips.json").read_text())[1][2]
    row = cohort.table.query("subject == '1' and session == 2 and trial == 3").index[0]
    assert round((end - start) * 1000) == cohort.signals[row].shape[1]
    volts = raw.get_data(start=round(start * 1000), stop=round(end * 1000))
    np.testing.assert_allclose(volts[:62] * 1e6, cohort.signals[row], atol=6e-4)
    assert not volts[62:].any()
    assert path.stat().st_size == 900 + 75 * 66 + 66 * 4 * raw.n_times + 9


def test_features_are_those_of_the_signals(tmp_path, cohort):
    (first, second) = seed_v.write(cohort, tmp_path, "features")
    assert (first.name, second.name) == ("1_123.npz", "2_123.npz")
    stored = np.load(second)
    assert sorted(stored) == ["data", "label"] and stored["data"].dtype.kind == "S" and stored["data"].shape == ()
    data, label = pickle.loads(stored["data"].item()), pickle.loads(stored["label"].item())  # our own file
    assert list(data) == list(label) == [0, 1, 2, 15, 16, 17]
    assert {value.dtype for value in data.values()} == {np.dtype("f8")} and data[16].shape == (1, 310)
    assert [value.tolist() for value in label.values()] == [
        [code] * len(data[key]) for key, code in zip(data, [4, 1, 3, 2, 1, 3])]
    windows = seed_v.read(tmp_path, form="features")
    assert windows.description == "simulated SEED-V cohort" and windows.decisions == ()
    assert windows.bands[2] == "alpha" and windows.info["ch_names"] == list(SEED_62)
    place = windows.table.query("subject == '2' and session == 2 and trial == 2").index[0]
    np.testing.assert_array_equal(windows.X[place], data[16][0].reshape(62, 5).astype("f4"))
    row = cohort.table.query("subject == '2' and session == 2 and trial == 2").index[0]
    signal = cohort.signals[row][40] - cohort.signals[row][40].mean()
    assert windows.X[place, 40, 2] < 0.5 * np.log(2 * np.pi * np.e * signal.var())  # a band holds less than the whole
    assert seed_v.check(tmp_path).ok


# ---- files made by hand ----

@pytest.mark.parametrize("width", [2, 4])
def test_recordings_by_hand(tmp_path, width):
    order = np.random.default_rng(1).permutation(66)  # channels by name, whatever their order
    path, microvolts = recording(tmp_path, names=[NAMES[place] for place in order], width=width, baseline=100,
                                 events=[(500, 3), (900, 4)], bad=("CZ", "M1"))
    (path.parent / "3_2_20180413.cnt").write_bytes(path.read_bytes())  # an earlier date, but the second session
    (path.parent / "notes.txt").write_text("text")
    trials = seed_v.read(tmp_path)
    assert trials.table[["session", "trial", "code", "clip"]].values.tolist() == [
        [1, 1, 4, 1], [1, 2, 1, 2], [2, 1, 2, 16], [2, 2, 1, 17]]
    assert trials.table["label"].tolist() == ["happy", "fear", "sad", "fear"]
    place = order.tolist().index(NAMES.index("CZ"))
    expected = microvolts[place, 1250:1500] - 100 * np.float32(0.002) * 10 / 204.8
    np.testing.assert_allclose(trials.signals[1][SEED_62.index("Cz")], expected, rtol=1e-5, atol=1e-5)
    assert trials.decisions == ("fewer than 3 recordings of person 3",
                                "3_1_20180414.cnt: marked bad in its header, kept: CZ",
                                "3_2_20180413.cnt: marked bad in its header, kept: CZ",
                                "3_2_20180413.cnt and 3_1_20180414.cnt hold the same signals: one of them is a copy",
                                "1 other file(s) ignored: notes.txt")
    (tmp_path / "Thumbs.db").touch()
    report = seed_v.check(tmp_path)
    assert "raw: 2 other file(s) ignored: notes.txt, Thumbs.db" in report.decisions
    assert f"raw: {trials.decisions[-2]}" in report.missing and "forms that are here: raw" in report.found
    with pytest.raises(DatasetError, match="Here is form='raw'"):
        seed_v.read(tmp_path, form="features")


@pytest.mark.parametrize("first, kind, protocol", [(0, int, 2), (0, str, 4), (1, str, 5), (1, int, 0)])
def test_features_by_hand(tmp_path, first, kind, protocol):
    npz(tmp_path, first=first, kind=kind, protocol=protocol)
    windows = seed_v.read(tmp_path, form="features")
    assert windows.table.groupby("session").size().tolist() == [681, 541, 601] and len(windows) == 1823
    assert windows.table.groupby(["session", "trial"]).size().tolist() == sum(N_WINDOWS, [])
    firsts = windows.table.drop_duplicates("clip")
    assert firsts["code"].tolist() == sum(LABELS, []) and firsts["clip"].tolist() == list(range(1, 46))
    place = windows.table.query("session == 2 and trial == 3 and window == 7").index[0]
    np.testing.assert_allclose(windows.X[place], 17.07 + np.arange(310).reshape(62, 5) * 1000, rtol=1e-6)
    assert seed_v.check(tmp_path).ok


def test_the_published_seconds():
    sums = [sum(ends) - sum(starts) for starts, ends in zip(seed_v_files.STARTS, seed_v_files.ENDS)]
    assert sums == [2743, 2191, 2425] and 16 * sum(sums) == 117744 and 20 * (sum(sums) + 45) == 148080
    assert [list(session) for session in seed_v_files.N_WINDOWS] == N_WINDOWS
    assert [list(session) for session in seed_v_files.CODES] == LABELS
    assert [sum(session) for session in N_WINDOWS] == [681, 541, 601]


def test_a_released_recording_has_the_published_clips(tmp_path, monkeypatch):
    path, _ = recording(tmp_path)
    (tmp_path / "DESCRIPTION.txt").unlink()
    with pytest.raises(DatasetError, match="expected 3359 s of signal at least, where the last clip ends, found 1.6 s"):
        seed_v.read(tmp_path)
    seen = {}

    def spans(path, places, spans):
        seen["spans"] = spans
        return [np.random.default_rng(0).normal(0, 9, (62, 10)).astype("f4") for _ in spans], []

    monkeypatch.setattr(cnt, "read_header", lambda path: cnt.Header(tuple(NAMES), 1000.0, 3_400_000))
    monkeypatch.setattr(cnt, "read_spans", spans)
    assert len(seed_v.read(tmp_path)) == 15
    assert seen["spans"][0] == (30000, 102000) and seen["spans"][-1] == (3204000, 3359000)


def test_trials_that_do_not_fit_are_not_written(tmp_path, cohort):
    table = cohort.table
    bad = [(table.assign(label="happy"), "published labels"),
           (table.assign(session=table["session"] + 2), "sessions 1 to 3"),
           (table.assign(trial=table["trial"] + 1), "trials 1, 2, ...")]
    for changed, message in bad:
        with pytest.raises(DatasetError, match=message):
            seed_v.write(Trials(cohort.signals, cohort.info, changed), tmp_path)
    signals = [signal[:, : 3999 if row == 7 else None] for row, signal in enumerate(cohort.signals)]
    with pytest.raises(DatasetError, match="4 s at least; person 2, session 1"):
        seed_v.write(Trials(signals, cohort.info, table), tmp_path)
    signals = [np.tile(signal, 2) if row == 7 else signal for row, signal in enumerate(cohort.signals)]
    with pytest.raises(DatasetError, match="as long for everybody.*person 2, session 1"):
        seed_v.write(Trials(signals, cohort.info, table), tmp_path)
    with pytest.raises(DatasetError, match="at 1000 Hz; found 200 Hz"):
        seed_v.write(seed.simulate(1, n_sessions=1, n_trials=1, n_seconds=4), tmp_path)
    assert not list(tmp_path.iterdir())


def test_facts_and_simulated_defaults():
    trials = seed_v.simulate(1, n_seconds=6)
    assert len(trials) == 45 and trials.table["code"].tolist() == sum(LABELS, [])
    assert {signal.shape[1] for signal in trials.signals} == {4000, 8000, 12000}
    with pytest.raises(ValueError, match="expected a whole number"):
        seed_v.simulate(17)
