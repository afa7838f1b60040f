"""TNAS on own recordings: any electrodes, rate and classes go through the notebook's loading, windows and splits."""

import numpy as np
import pandas as pd
import pytest

from eegemo_utils.datasets import own
from eegemo_utils.montage import make_info
from eegemo_utils.notebooks import load_definitions
from eegemo_utils.trials import DatasetError, Trials

LABELS = ["calm", "sad", "tense"]


@pytest.fixture(scope="module")
def tnas():
    return load_definitions("tnas")


def written(root, ch_names=("Fz", "C3", "Oz"), sfreq=200.0, level=4240.0):
    """Two people, nine trials of four seconds each, three classes: each label is a sine of its own frequency."""
    rng, signals, rows = np.random.default_rng(0), [], []
    seconds = np.arange(int(4 * sfreq)) / sfreq
    for person in ("ann", "bob"):
        for trial in range(1, 10):
            wave = 20 * np.sin(2 * np.pi * 10 * (1 + trial % 3) * seconds)
            signals.append(level + wave + rng.normal(size=(len(ch_names), len(seconds))))
            rows.append({"subject": person, "session": 1, "trial": trial, "label": LABELS[trial % 3],
                         "side": "left" if trial < 4 else "right"})
    trials = Trials(signals, make_info(list(ch_names), sfreq), pd.DataFrame(rows), checked=True)
    own.write(trials, root)
    return trials


@pytest.mark.slow
@pytest.mark.parametrize("ch_names", [("Cz",), ("AF7", "AF8"), ("Fz", "C3", "Oz", "TP9", "POz")])
@pytest.mark.parametrize("sfreq", [100.0, 200.0, 500.0])
def test_own_recordings_become_windows_labels_and_honest_splits(tnas, tmp_path, ch_names, sfreq):
    written(tmp_path / "own", ch_names, sfreq)
    trials = tnas.load_trials("own", str(tmp_path / "own"), "all", 1.0, 0)
    assert max(np.abs(signal.mean(axis=1)).max() for signal in trials.signals) < 0.1, "a DC level is left"
    windows = tnas.segment(trials, 1.0, tnas.Recipe(), "none")
    assert windows.X.shape == (72, len(ch_names), 128) and windows.info.ch_names == list(ch_names)
    names, labels, n_outputs = tnas.make_labels(windows, "own", "auto")
    assert names == ["label"] and n_outputs == 3
    assert [LABELS[code] for code in labels[0]] == windows.table.label.tolist()
    for code in range(3):  # the wave of the label is in its windows, at its own frequency
        spectrum = np.abs(np.fft.rfft(windows.X[labels[0] == code], axis=2)).mean(axis=(0, 1))
        assert spectrum.argmax() == 10 * (1 + code)
    tasks, left_out = tnas.make_tasks(windows.table, labels, names, "by_trial", 3, False, 0)
    assert [task.person for task in tasks] == ["ann", "bob"] and not left_out
    for task in tasks:
        for fold in task.folds:
            known, tested = (windows.table.iloc[rows][["subject", "trial"]].drop_duplicates()
                             for rows in (np.concatenate([fold.train, fold.val]), fold.test))
            assert set(known.subject) == set(tested.subject) == {task.person}
            assert not set(known.trial) & set(tested.trial)


@pytest.mark.slow
def test_labels_keep_their_numbers_where_a_person_lacks_a_class(tnas, tmp_path):
    written(tmp_path / "own")
    trials = tnas.load_trials("own", str(tmp_path / "own"), "all", 1.0, 0)
    windows = tnas.segment(trials, 1.0, tnas.Recipe(), "none")
    late = tnas.segment(trials.select(trials.table.label != "calm"), 1.0, tnas.Recipe(), "none")
    names, labels, n_outputs = tnas.make_labels(late, "own", "auto", np.unique(windows.table.label))
    assert n_outputs == 3 and [LABELS[code] for code in labels[0]] == late.table.label.tolist()


@pytest.mark.slow
def test_a_column_is_the_label_and_a_baseline_that_is_not_there_is_refused(tnas, tmp_path):
    written(tmp_path / "own")
    trials = tnas.load_trials("own", str(tmp_path / "own"), "bob", 1.0, 0, "side")
    assert set(trials.table.subject) == {"bob"} and trials.table.label.tolist() == ["left"] * 3 + ["right"] * 6
    with pytest.raises(ValueError, match="own recordings take one column as their label, found 'side label'"):
        tnas.load_trials("own", str(tmp_path / "own"), "all", 1.0, 0, "side label")
    with pytest.raises(DatasetError, match="Add mood to the first line"):
        tnas.load_trials("own", str(tmp_path / "own"), "all", 1.0, 0, "mood")
    with pytest.raises(DatasetError, match="baseline='subtract' needs recordings that begin with one .* set baseline"):
        tnas.segment(trials, 1.0, tnas.Recipe(), "subtract")
