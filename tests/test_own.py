"""Own labelled recordings: trials.csv beside EEG files, BIDS events, and every mistake in them by its line."""

import dataclasses
import os
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from eegemo_utils import audit, datasets, features
from eegemo_utils.datasets import own
from eegemo_utils.datasets.formats.edf import write_edf
from eegemo_utils.montage import make_info
from eegemo_utils.trials import DatasetError, Trials
from tests.feis import feis_as_own

NAMES = ["F3", "F4", "O1", "O2"]
DATA = os.environ.get("EEGEMO_DATA", "")


def recording(path, seconds=10, names=NAMES, sfreq=100, seed=0):
    signal = 20 * np.random.default_rng(seed).normal(size=(len(names), seconds * sfreq))
    write_edf(path, signal, names, sfreq)
    return signal


def folder(path, lines, header="file,label,subject,start,stop", **options):
    path.mkdir(exist_ok=True)
    signals = {name: recording(path / name, seed=number, **options) for number, name in enumerate(("a.edf", "b.edf"))}
    (path / "trials.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return signals


GOOD = ["a.edf,calm,ann,0,4", "a.edf,tense,ann,4,10", "b.edf,calm,bob,1,5", "b.edf,tense,bob,5.5,9"]


def test_spans_columns_and_numbers(tmp_path):
    header = "file,label,subject,start,stop,clip,rating,baseline_start,baseline_stop"
    lines = ["a.edf,calm,ann,2,4,x,3,0,1", "a.edf,tense,ann,5,10,y,8,4,5", "b.edf,calm,bob,1,5,x,2,0,0.5"]
    signals = folder(tmp_path / "own", lines, header)
    trials = datasets.load("own", tmp_path / "own")
    assert trials.table["label"].tolist() == ["calm", "tense", "calm"] and trials.table["trial"].tolist() == [1, 2, 1]
    assert trials.table["clip"].tolist() == ["x", "y", "x"] and trials.table["rating"].tolist() == ["3", "8", "2"]
    assert trials.table["baseline_seconds"].tolist() == [1, 1, 0.5] and trials.table["seconds"].tolist() == [2, 5, 4]
    a = signals["a.edf"]
    np.testing.assert_allclose(trials.signals[0], np.c_[a[:, :100], a[:, 200:400]], atol=0.01)
    assert datasets.load("own", tmp_path / "own", subjects=["bob"]).table["file"].tolist() == ["b.edf"]
    assert datasets.load("own", tmp_path / "own", target="rating").table["label"].tolist() == ["3", "8", "2"]
    before = sorted((tmp_path / "own").iterdir())
    assert datasets.check(tmp_path / "own").ok and sorted((tmp_path / "own").iterdir()) == before


def test_whole_files_where_no_span_is_given_and_simulated_ones_come_back(tmp_path):
    folder(tmp_path / "own", ["a.edf,calm,ann", "b.edf,tense,bob"], "file,label,subject")
    assert [one.shape for one in own.read(tmp_path / "own").signals] == [(4, 1000)] * 2
    made = own.simulate(2, n_trials=4, n_seconds=3)
    own.write(made, tmp_path / "sim")
    trials = own.read(tmp_path / "sim")
    columns = ["subject", "session", "trial", "label", "clip", "baseline_seconds"]
    pd.testing.assert_frame_equal(trials.table[columns], made.table[columns], check_dtype=False)
    for one, other in zip(trials.signals, made.signals):
        np.testing.assert_allclose(one, other, atol=0.02)


@pytest.mark.parametrize(("lines", "header", "message"), [
    (GOOD, "path,label,subject,start,stop", "expected the columns file, label, subject, found path, .* Add file"),
    (["c.edf,calm,ann,0,4"], None, r"line 2: no file c\.edf; there are: a\.edf, b\.edf, trials\.csv"),
    (["a.edf,calm,ann,0,4", "a.edf,tense,ann,3,8"], None, "line 2 and trials.csv, line 3: the trials share samples"),
    (["a.edf,calm,ann,5,2"], None, r"line 2: stop \(2 s\) is not after start \(5 s\)"),
    (["a.edf,calm,ann,0,12"], None, "line 2: stop is 12 s, but the recording has 10 s"),
    (["a.edf,calm,ann,11,"], None, "line 2: start is 11 s, but the recording has 10 s"),
    (["a.edf,calm,ann,soon,4"], None, "line 2: expected seconds in the column start, found 'soon'"),
    ([GOOD[0], GOOD[0]], None, "line 3: the same row stands in the table before"),
    ([GOOD[0], "b.edf,tense,Ann,0,4"], None, "line 3: subject 'Ann', and 'ann' in another line"),
    ([GOOD[0], "b.edf,Calm,bob,0,4"], None, "line 3: label 'Calm', and 'calm' in another line"),
    (["a.edf,,ann,0,4"], None, "line 2: nothing in the column label"),
    ([], None, "no trial in it"),
    (["a.edf,calm,ann,1,1"], "file,label,subject,trial,trial", "the column trial stands in the first line twice"),
    (["a.edf,calm,ann,1", "b.edf,tense,ann,1"], "file,label,subject,trial", "trial 1 of ann, session 1, stands"),
    (["a.edf,calm,ann,2,0,1", "b.edf,calm,bob,2,,"], "file,label,subject,start,baseline_start,baseline_stop",
     "line 3: no baseline_start and baseline_stop, which other rows have"),
])
def test_each_mistake_is_told_by_its_line(tmp_path, lines, header, message):
    folder(tmp_path / "own", lines, header or "file,label,subject,start,stop")
    with pytest.raises(DatasetError, match=message):
        own.read(tmp_path / "own")
    report = datasets.check(tmp_path / "own", "own")
    late = "recording has" in message or "stands" in message and "trial 1" in message  # only signals or all rows tell
    assert report.ok is late or (not report.ok and "fault: " in report.missing[0])


def test_excels_files_are_read(tmp_path):
    folder(tmp_path / "own", GOOD)
    text = "File;Label;Subject;Start;Stop\na.edf;ruhig;ann;0;4,5\nb.edf;gespannt;bob;0,5;4\n"
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "own" / "trials.csv").write_bytes(text.encode(encoding))
        trials = own.read(tmp_path / "own")
        assert trials.table["seconds"].tolist() == [4.5, 3.5]
        assert trials.table["label"].tolist() == ["ruhig", "gespannt"]
    (tmp_path / "own" / "trials.csv").write_bytes(b"file,label,subject\n\xe4\xf6,\xff,a\n")
    with pytest.raises(DatasetError, match="expected a csv file in UTF-8 or UTF-16"):
        own.read(tmp_path / "own")


def test_other_caps_and_rates(tmp_path):
    folder(tmp_path / "own", GOOD)
    recording(tmp_path / "own" / "b.edf", names=["F4", "F3", "O1", "Cz"], sfreq=200)
    trials = own.read(tmp_path / "own")
    assert trials.info["ch_names"] == ["F3", "F4", "O1"] and trials.info["sfreq"] == 100
    said = " ".join(trials.decisions)
    assert "electrodes dropped" in said and "Cz, O2" in said and "200 Hz are resampled to 100 Hz" in said
    recording(tmp_path / "own" / "b.edf", names=["Cz", "Pz"])
    with pytest.raises(DatasetError, match=r"found no common one in .*"):
        own.read(tmp_path / "own")
    with pytest.raises(DatasetError, match=r"found no O1 in b\.edf"):
        own.read(tmp_path / "own", ch_names=["O1"])


def test_check_says_what_each_notebook_needs(tmp_path):
    folder(tmp_path / "own", GOOD)
    report = datasets.check(tmp_path / "own")
    text = report.text()
    assert "4 trials of 2 people; labels: calm (2), tense (2)" in text and "multitask_cnn: can take it" in text
    assert "gru: cannot take it: its features are of the Muse's electrodes; TP9, AF7, AF8, TP10 are missing" in text
    assert "gmss: cannot take it: 4 electrodes are too few" in text
    folder(tmp_path / "own", ["a.edf,calm,ann,0,4", "b.edf,calm,bob,0,4"])
    assert "there is one label only, calm" in datasets.check(tmp_path / "own").text()


def bids(root, events, name="sub-01/eeg/sub-01_task-film"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    recording(root / f"{name}_eeg.edf")
    (root / f"{name}_events.tsv").write_text("\n".join("\t".join(row.split()) for row in events) + "\n")


def test_events_of_bids_are_trials(tmp_path):
    root = tmp_path / "bids"
    bids(root, ["onset duration trial_type rating", "0 3 calm 2", "4 4 tense 9", "9 0 button n/a", "9 1 n/a 1"])
    bids(root, ["onset duration trial_type rating", "1 4 calm 1"], "sub-02/eeg/sub-02_task-film")
    trials = datasets.load("own", root)
    assert trials.table["subject"].tolist() == ["01", "01", "02"] and trials.table["seconds"].tolist() == [3, 4, 4]
    assert any("2 events without a duration" in line for line in trials.decisions)
    assert datasets.load("own", root, target="rating").table["label"].tolist() == ["2", "9", "1", "1"]
    with pytest.raises(DatasetError, match="no files|expected files .* of task rest"):
        datasets.load("own", root, task="rest")
    with pytest.raises(DatasetError, match="expected the columns onset, duration and valence, found onset"):
        datasets.load("own", root, target="valence")
    (root / "sub-02/eeg/sub-02_task-film_eeg.edf").unlink()
    with pytest.raises(DatasetError, match="expected the recording sub-02_task-film_eeg"):
        datasets.load("own", root)
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match=r"expected trials\.csv .* found neither"):
        datasets.load("own", tmp_path / "none")


@pytest.mark.skipif(not DATA, reason="EEGEMO_DATA names no folder of recordings")
def test_eegmat_as_own_is_eegmat(tmp_path):
    source = Path(DATA) / "eegmat_12people"
    lines = ["file,label,subject,trial"]
    for path in sorted(source.glob("Subject0[0-3]_*.edf")):
        (tmp_path / path.name).symlink_to(path)
        trial = int(path.stem[-1])
        lines.append(f"{path.name},{'rest' if trial == 1 else 'arithmetic'},{path.stem[:-2]},{trial}")
    (tmp_path / "trials.csv").write_text("\n".join(lines))
    mine = own.read(tmp_path)
    known = datasets.load("eegmat", source).select([k for k in range(8)])
    assert mine.table["label"].tolist() == known.table["label"].tolist()
    order = [mine.info["ch_names"].index(name) for name in known.info["ch_names"]]
    for one, other in zip(mine.signals, known.signals):
        np.testing.assert_array_equal(one[order], other)


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="EEGEMO_DATA names no folder of recordings")
def test_feis_reads_as_own_its_labels_are_at_chance_and_its_people_are_known(tmp_path):
    """160 seconds per person at fixation, 16 labels: nothing to be found but who it is."""
    trials = datasets.load("own", feis_as_own(tmp_path / "feis"))
    assert len(trials) == 640 and trials.table["label"].value_counts().eq(40).all()
    assert all(signal.shape == (14, 256) for signal in trials.signals) and trials.signals[0].mean() > 4000
    text = datasets.check(tmp_path / "feis").text()
    assert "multitask_cnn: can take it" in text and "gmss: can take it" in text
    windows = features.trial_features(trials, features.BANDS["seed"], 1.0)
    found = audit.run(LinearDiscriminantAnalysis(), dataclasses.replace(windows, X=windows.X.reshape(640, -1)),
                      n_seeds=1, n_draws=1, with_references=False, planted_effect=0)
    scores = found.table[found.table["labels"] == "true"].set_index("protocol")["accuracy"]
    assert (scores[["by_trial", "by_subject"]] < 0.1).all()  # chance: 1 of 16
    means = found.shortcut_means().set_index(["of", "protocol"])["accuracy"]
    assert means["subject", "by_trial"] > 0.7
    assert "4 people are too few for an interval or a verdict; 5 are needed." in found.sentences()


def test_trials_from_arrays_are_written_and_read(tmp_path):
    rng = np.random.default_rng(0)
    trials = Trials.from_arrays(20 * rng.normal(size=(4, 4, 256)), ["x", "y"] * 2, NAMES, 128, subject=list("aabb"))
    own.write(trials, tmp_path / "mine")
    assert own.read(tmp_path / "mine").table["label"].tolist() == ["x", "y"] * 2
    with pytest.raises(DatasetError, match="whole seconds at a whole rate"):
        own.write(Trials([np.ones((4, 100))], make_info(NAMES, 128), trials.table[:1]), tmp_path / "no")
    raw = mne.io.read_raw_edf(tmp_path / "mine" / "a_session1.edf", verbose="error")
    assert raw.n_times == 512
