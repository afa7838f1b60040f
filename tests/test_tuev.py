import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses
from scipy.signal import butter, sosfiltfilt
from tuh_recordings import LABELS, edf_bytes, noise, save

from eegemo_utils.datasets import tuev
from eegemo_utils.trials import DatasetError

TRAIN = "edf/train/aaaaaaar/aaaaaaar_00000001.edf"
UV = 3276.75 / 32767
TWO_EVENTS = "13,5.0,6.0,6\r\n2,5.0,6.0,6\r\n0,2.5,3.5,1\r\n"


def make(root, place=TRAIN, events=TWO_EVENTS, rate=200, n_seconds=12, seed=0):
    """A recording and its events; returns its microvolt."""
    numbers = noise(n_seconds, rate, seed=seed)
    path = save(root / place, edf_bytes(numbers, LABELS, rate))
    if events is not None:
        path.with_suffix(".rec").write_bytes(events.encode())
    path.with_suffix(".lab").write_bytes(b"ignored")
    return numbers * UV


# ---- facts ----

def test_counts_of_the_papers():
    assert sum(tuev.COUNTS.values()) == 518
    assert sum(tuev.CBRAMOD_WINDOWS["2.0.0"].values()) == tuev.WINDOWS == 112491
    assert sum(tuev.CBRAMOD_WINDOWS["2.0.1"].values()) == 113353


# ---- the original layout, made by hand ----

def test_events_are_cut_as_the_released_script_does(tmp_path):
    root = tmp_path / "Aufnahmen ß 日本"
    signals = make(root)
    trials = tuev.read(root)
    assert trials.table[["subject", "session", "trial", "label", "pair", "event"]].values.tolist() == [
        ["aaaaaaar", 1, 1, "bckg", "T4-A2", 1], ["aaaaaaar", 1, 2, "bckg", "T3-T5", 1],
        ["aaaaaaar", 1, 3, "spsw", "FP1-F7", 2]]
    assert [signal.shape for signal in trials.signals] == [(23, 1000)] * 3
    np.testing.assert_allclose(trials.signals[0], signals[:, 600:1600], atol=1e-3)
    np.testing.assert_allclose(trials.signals[2], signals[:, 100:1100], atol=1e-3)
    assert np.shares_memory(trials.signals[0], trials.signals[1])
    assert trials.table[["file", "split", "start", "stop", "wraps"]].values.tolist()[2] == [
        "aaaaaaar_00000001.edf", "train", 2.5, 3.5, False]
    assert (~trials.table.duplicated(["file", "event"])).sum() == 2 and trials.decisions == ()


def released_window(signals, start, stop, sfreq=200):
    """make_TUEV.py's: the recording three times, the first sample at or after each time."""
    times = np.arange(signals.shape[1]) / sfreq
    first, last = np.where(times >= start)[0][0], np.where(times >= stop)[0][0]
    offset = signals.shape[1]
    return np.concatenate([signals] * 3, axis=1)[:, offset + first - 2 * sfreq: offset + last + 2 * sfreq]


@pytest.mark.parametrize("start", [0.0, 0.5, 1.999, 7.123, 9.5, 10.9])
def test_windows_near_the_ends_go_on_at_the_other(tmp_path, start):
    signals = make(tmp_path, events=f"0,{start},{start + 1},1\n")
    trials = tuev.read(tmp_path)
    np.testing.assert_allclose(trials.signals[0], released_window(signals, start, start + 1), atol=1e-3)
    wraps = start < 1.99 or start > 9  # 1.999 s is sample 400
    assert trials.table["wraps"].tolist() == [wraps] and len(trials.decisions) == wraps


def test_an_event_at_the_very_end_has_a_window(tmp_path):
    signals = make(tmp_path, events="0,11.0,12.0,1")  # one line, without end: two more traps
    with pytest.raises(IndexError):
        released_window(signals, 11, 12)
    trials = tuev.read(tmp_path)
    np.testing.assert_allclose(trials.signals[0], np.concatenate([signals[:, 1800:], signals[:, :400]], axis=1),
                               atol=1e-3)
    assert trials.table["wraps"].tolist() == [True] and trials.table["trial"].tolist() == [1]


def test_eval_names_and_order(tmp_path):
    make(tmp_path, "edf/eval/001/pled_001_a_2.edf", seed=1)
    make(tmp_path, "edf/eval/001/pled_001_a_.edf", seed=2)
    make(tmp_path, "edf/eval/000/bckg_000_a_.edf", seed=3)
    make(tmp_path, "edf/train/aaaaaaar/aaaaaaar_00000012.edf", seed=4)
    make(tmp_path)
    found = [(one.subject, one.session, one.split, one.path.name) for one in tuev.recordings(tmp_path)]
    assert found == [("000", 1, "eval", "bckg_000_a_.edf"), ("001", 1, "eval", "pled_001_a_.edf"),
                     ("001", 2, "eval", "pled_001_a_2.edf"), ("aaaaaaar", 1, "train", "aaaaaaar_00000001.edf"),
                     ("aaaaaaar", 2, "train", "aaaaaaar_00000012.edf")]
    assert len(tuev.read(tmp_path)) == 15 and len(tuev.read(tmp_path, ["001"])) == 6
    report = tuev.check(tmp_path)
    assert report.ok and "2 recordings in train" in report.found[1] and "10 bckg" in report.text(), report.text()


def test_montage_and_rate_are_those_of_tuab(tmp_path):
    make(tmp_path, rate=256)
    trials = tuev.read(tmp_path, montage="bipolar16")
    assert trials.info["sfreq"] == 200 and trials.signals[0].shape == (16, 1000)


# ---- what is decided, out loud ----

def test_skips_and_odd_events_are_named(tmp_path):
    make(tmp_path, events="0,2.0,4.5,2\n0,11.5,12.5,3\n0,12.0,13.0,4\n")
    make(tmp_path, TRAIN.replace("01.edf", "02.edf"), events=None)
    make(tmp_path, TRAIN.replace("01.edf", "03.edf"), events="")
    make(tmp_path, TRAIN.replace("01.edf", "04.edf"), events="0,20,21,1\n")
    save(tmp_path / TRAIN.replace("01.edf", "05.edf"), edf_bytes(noise(n=20), LABELS[:20], 250))
    trials = tuev.read(tmp_path)
    assert trials.table["label"].tolist() == ["gped", "pled"] and trials.table["wraps"].tolist() == [False, True]
    assert {signal.shape for signal in trials.signals} == {(23, 1000)}
    assert trials.decisions == (
        "4 of 5 recordings skipped",
        "aaaaaaar_00000002.edf: skipped, there is no aaaaaaar_00000002.rec",
        "aaaaaaar_00000003.edf: skipped, aaaaaaar_00000003.rec has no event within its 12 s",
        "aaaaaaar_00000004.edf: skipped, aaaaaaar_00000004.rec has no event within its 12 s",
        "aaaaaaar_00000005.edf: skipped, without (or with twice) the electrodes PZ, T1, T2",
        "aaaaaaar_00000001.edf: 1 event(s) after its end dropped",
        "aaaaaaar_00000001.edf: 1 event(s) not of 1 s: 5 s from 2 s before their start",
        "aaaaaaar_00000001.edf: 1 window(s) beyond its ends go on at the other end")
    decisions = tuev.check(tmp_path).decisions
    assert all(line in decisions for line in trials.decisions[1:-1])


# ---- simulate, write, read ----

def test_written_corpus_comes_back(tmp_path):
    corpus = tuev.simulate()
    paths = tuev.write(corpus, tmp_path / "new")
    assert sorted(path.relative_to(tmp_path / "new").as_posix() for path in paths) == [
        "edf/eval/000/artf_000_a_.edf", *(f"edf/train/simaaa{k}a/simaaa{k}a_00000001.edf" for k in "abc")]
    again = tuev.read(tmp_path / "new")
    pd.testing.assert_frame_equal(again.table, corpus.table)
    assert again.description == "simulated TUEV corpus" and set(again.table["label"]) == set(tuev.LABELS)
    low = butter(8, 60, fs=200, output="sos")
    for old, new in zip(corpus.signals, again.signals):
        np.testing.assert_allclose(sosfiltfilt(low, new)[:, 200:-200], sosfiltfilt(low, old)[:, 200:-200], atol=0.7)
    lines = paths[0].with_suffix(".rec").read_text().splitlines()
    assert len(lines) == 8 and lines[:2] == ["1,2.0,3.0,5", "6,2.0,3.0,5"]
    tuev.write(corpus, tmp_path / "new", oddities=True)
    odd = tuev.read(tmp_path / "new", ["simzzzzz"])
    assert odd.table["wraps"].tolist() == [True, False] and odd.decisions[0] == "2 of 4 recordings skipped"
    assert any("letter case" in line for line in odd.decisions) and any("dropped" in line for line in odd.decisions)


def test_write_refuses_what_it_cannot_write(tmp_path):
    corpus = tuev.simulate(1)
    make(tmp_path / "real")
    with pytest.raises(DatasetError, match="holds other recordings"):
        tuev.write(corpus, tmp_path / "real")
    for table in (corpus.table.assign(label="seizure"), corpus.table.assign(subject="a b"),
                  corpus.table.assign(split="eval")):
        with pytest.raises(DatasetError, match="cannot name|with the labels"):
            tuev.write(tuev.Trials(corpus.signals, corpus.info, table), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_readers_write_nothing(tmp_path):
    tuev.write(tuev.simulate(1), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    tuev.read(tmp_path)
    assert tuev.check(tmp_path).ok
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


# ---- bad input ----

@pytest.mark.parametrize("line", ["0,1.0,2.0", "0,1.0,2.0,7", "0,1.0,2.0,0", "0,2.0,1.0,1", "0,-1,1,1", "x,1,2,1",
                                  "0,nan,2,1", "0,1,inf,1", "-1,1,2,1", "0,1,2,1,1", "", "0,1,2,inf"])
def test_faulty_lines_are_named(tmp_path, line):
    make(tmp_path, events=f"0,2.0,3.0,1\n{line}\n0,3.0,4.0,1\n")
    with pytest.raises(DatasetError, match="aaaaaaar_00000001.rec: line 2: expected channel,start,stop,code"):
        tuev.read(tmp_path)
    report = tuev.check(tmp_path)
    assert not report.ok and any(".rec: line 2" in text for text in report.missing)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        tuev.read(tmp_path / "missing")
    save(tmp_path / "edf/train/normal/01_tcp_ar/aaaaamye_s001_t000.edf")
    with pytest.raises(DatasetError, match="expected the EDF files of TUEV"):
        tuev.read(tmp_path)
    assert not tuev.check(tmp_path).ok


def test_damaged_files_are_read_or_refused(tmp_path):
    make(tmp_path, rate=150, n_seconds=6)
    for path in (tmp_path / TRAIN, (tmp_path / TRAIN).with_suffix(".rec")):
        whole = path.read_bytes()
        damaged(tmp_path, path, whole)
        path.write_bytes(whole)
    assert len(tuev.read(tmp_path)) == 3


def damaged(root, path, whole):
    @MUTATED
    @given(mutations(whole))
    def run(changed):
        path.write_bytes(changed)
        reads_or_refuses(lambda: tuev.read(root), path)

    run()
