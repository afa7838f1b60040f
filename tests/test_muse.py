import os

import numpy as np
import pandas as pd
import pytest
from muse_recordings import HEADER, lines_of, muse_lsl_folder, save

from eegemo_utils.datasets import muse
from eegemo_utils.datasets.bird_features import bird_features
from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS, make_info
from eegemo_utils.trials import DatasetError, Trials

# ---- what is read ----


def test_bird_layout(tmp_path):
    save(tmp_path / "ann-calm-2.csv", lines_of(seed=1))
    save(tmp_path / "bob-tense-1.csv", lines_of(seed=2, n_samples=700))
    trials = muse.read(tmp_path)
    assert trials.info["ch_names"] == [*MUSE_CHANNELS, MUSE_AUX]
    assert trials.info.get_channel_types() == ["eeg"] * 4 + ["misc"]
    assert trials.table[["subject", "session", "trial", "label", "recording"]].values.tolist() == [
        ["ann", 2, 1, "calm", "ann-calm-2"],
        ["bob", 1, 1, "tense", "bob-tense-1"]]
    assert [signal.shape for signal in trials.signals] == [(5, 600), (5, 700)]
    assert trials.times[0][0] == 1_500_000_000.0 and trials.times[0].dtype == np.float64
    assert trials.decisions == ()
    first = float(lines_of(seed=1)[0].split(",")[1])
    assert trials.signals[0][0, 0] == np.float32(first)


@pytest.mark.parametrize("name", [
    "visual__P300__subject1__session2__data_2017-02-09-17.26.47.csv",
    "visual/P300/subject1/session2/data_2017-02-09-17.26.47.csv",
])
def test_muse_lsl_layout_flat_and_as_folders(tmp_path, name):
    lines = [line + ",0" for line in lines_of()]
    save(tmp_path / name, lines, HEADER + ",Marker0")
    trials = muse.read(tmp_path)
    assert trials.table.loc[0, ["subject", "session", "label"]].tolist() == ["P300-1", 2, "P300"]
    assert len(trials.decisions) == 1 and "Marker0 (event codes) dropped" in trials.decisions[0]
    assert trials.signals[0].shape == (5, 600)


def test_subjects_are_chosen_by_name(tmp_path):
    save(tmp_path / "ann-calm-1.csv", lines_of(seed=1))
    save(tmp_path / "bob-calm-1.csv", ["text"])  # not read, so not a fault
    assert muse.read(tmp_path, subjects=["ann"]).table["subject"].tolist() == ["ann"]
    assert set(muse.read(tmp_path, "ann").table["subject"]) == {"ann"}, "a name, not its letters"
    with pytest.raises(DatasetError, match="no files of eve; there are ann, bob"):
        muse.read(tmp_path, subjects=["eve"])


def test_columns_are_found_by_name(tmp_path):
    swapped = "timestamps,AF7,TP9,AF8,TP10,Right AUX"
    save(tmp_path / "ann-calm-1.csv", lines_of(), swapped)
    value = float(lines_of()[0].split(",")[1])
    assert muse.read(tmp_path).signals[0][1, 0] == np.float32(value)


def test_trials_are_numbered_by_start_and_recordings_keep_their_names(tmp_path):
    save(tmp_path / "ann-calm-1.csv", lines_of(seed=1, start=1_600_000_000))
    save(tmp_path / "ann-tense-1.csv", lines_of(seed=2, start=1_500_000_000))
    table = muse.read(tmp_path).table.set_index("recording")
    assert table["trial"].to_dict() == {"ann-calm-1": 2, "ann-tense-1": 1}


def test_share_of_clipped_samples(tmp_path):
    lines = [line.split(",") for line in lines_of(n_samples=500)]
    for row, rail in ((3, "-1000.000"), (7, "999.512")):
        lines[row][3] = rail
    lines[9][5] = "-1000.000"  # the unused input does not count
    save(tmp_path / "ann-calm-1.csv", [",".join(line) for line in lines])
    assert muse.read(tmp_path).table.loc[0, "clipped"] == pytest.approx(2 / 2000)


# ---- what is decided ----

def test_a_gap_cuts_a_recording_into_trials(tmp_path):
    lines = lines_of(600) + lines_of(500, seed=1, start=1_500_000_010.0)
    save(tmp_path / "ann-calm-1.csv", lines)
    trials = muse.read(tmp_path)
    assert trials.table["n_samples"].tolist() == [600, 500]
    assert trials.table["segment"].tolist() == [0, 1] and trials.table["trial"].tolist() == [1, 2]
    assert trials.table["recording"].nunique() == 1 and (trials.table["n_gaps"] == 1).all()
    assert "1 gap, 7.7 s in all" in trials.decisions[0]


def test_a_part_under_a_second_is_dropped_aloud(tmp_path):
    save(tmp_path / "ann-calm-1.csv", lines_of(600) + lines_of(50, seed=1, start=1_500_000_010.0))
    with pytest.warns(UserWarning, match=r"ann-calm-1: 1 part under one second \(50 samples\)"):
        assert len(muse.read(tmp_path)) == 1


def test_steps_of_less_than_a_tenth_of_a_second_are_no_gap(tmp_path):
    later = lines_of(600, seed=1, start=1_500_000_000.0 + 599 / 256 + 0.09)
    save(tmp_path / "ann-calm-1.csv", lines_of(600) + later)
    assert muse.read(tmp_path).table["n_gaps"].tolist() == [0]


def shifted(line):
    fields = line.split(",")
    return ",".join([fields[0], f"{float(fields[1]) + 3:.3f}", *fields[2:]])


@pytest.mark.parametrize("names, kept, copy", [
    (("ann-calm-1", "bob-calm-1", "bob-tense-1"), ["bob-calm-1", "bob-tense-1"], "ann-calm-1"),
    (("bob-calm-1", "cid-calm-1"), ["bob-calm-1"], "cid-calm-1"),
])
def test_a_copied_recording_is_dropped_with_a_warning(tmp_path, names, kept, copy):
    lines = lines_of()
    changed = [shifted(line) if row < 7 else line for row, line in enumerate(lines)]
    save(tmp_path / f"{names[0]}.csv", lines)
    save(tmp_path / f"{names[1]}.csv", changed)
    for name in names[2:]:
        save(tmp_path / f"{name}.csv", lines_of(seed=9))
    with pytest.warns(UserWarning) as caught:
        trials = muse.read(tmp_path)
    assert trials.table["recording"].tolist() == kept
    message = str(caught[0].message)
    assert message in trials.decisions and message in muse.check(tmp_path).decisions
    assert f"{copy} is a copy of" in message and all(name in message for name in names[:2])


def test_half_a_recording_in_common_is_not_a_copy(tmp_path):
    save(tmp_path / "ann-calm-1.csv", lines_of(600))
    save(tmp_path / "ann-calm-2.csv", lines_of(600)[:300] + lines_of(600, seed=5)[300:])
    assert len(muse.read(tmp_path)) == 2


@pytest.mark.parametrize("last, end, why", [
    ("1500000002.344,1.000,2.000", "\n", "has 3 of 6 fields"),
    ("1500000002.344,1.000,2.000", "", "has no line end"),
    ("1500000002.344,1.000,2.000,3.000,4.000,5.0", "", "has no line end"),
])
def test_a_truncated_last_line_is_dropped_with_a_warning(tmp_path, last, end, why):
    save(tmp_path / "ann-calm-1.csv", lines_of(600) + [last], end=end)
    with pytest.warns(UserWarning, match=f"ann-calm-1: line 602.*{why}.*dropped"):
        trials = muse.read(tmp_path)
    assert trials.signals[0].shape == (5, 600) and why in trials.decisions[0]


def test_small_steps_back_in_time_are_kept_and_said(tmp_path):
    lines = lines_of()
    lines[100], lines[101] = lines[101], lines[100]
    save(tmp_path / "ann-calm-1.csv", lines)
    trials = muse.read(tmp_path)
    assert trials.signals[0].shape == (5, 600) and "1 small step back in time" in trials.decisions[0]


def test_a_name_of_no_layout_is_skipped_with_a_warning(tmp_path):
    save(tmp_path / "ann-calm-1.csv", lines_of())
    save(tmp_path / "10sec.csv", lines_of())
    with pytest.warns(UserWarning, match="10sec.csv: skipped"):
        assert len(muse.read(tmp_path)) == 1


# ---- what is written ----

def some_trials(**changes):
    rng = np.random.default_rng(0)
    people = {"subject": ["sim1", "sim1", "sim2"], "session": [1, 2, 1]}
    table = pd.DataFrame(people | {"trial": 1, "label": "calm"})
    parts = {
        "signals": [rng.normal(0, 400, (5, 512)) for _ in range(3)],
        "info": make_info([*MUSE_CHANNELS, MUSE_AUX], 256),
        "table": table,
        "times": [1.5e9 + 1000 * k + np.arange(512) / 256 for k in range(3)],
        "description": "simulated recordings",
    }
    return Trials(**(parts | changes))


def test_written_recordings_come_back(tmp_path):
    trials = some_trials()
    paths = muse.write(trials, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["sim1-calm-1.csv", "sim1-calm-2.csv", "sim2-calm-1.csv"]
    again = muse.read(tmp_path / "new" / "folder")
    columns = ["subject", "session", "trial", "label"]
    pd.testing.assert_frame_equal(again.table[columns], trials.table[columns])
    assert again.description == "simulated recordings"
    for old, new, stamps, new_stamps in zip(trials.signals, again.signals, trials.times, again.times):
        np.testing.assert_allclose(new, old.clip(-1000, 999.51172), atol=0.245)
        np.testing.assert_allclose(new_stamps, stamps, atol=0.00051)
    lines = paths[0].read_text().splitlines()
    assert lines[0] == HEADER and len(lines) == 513
    assert np.isclose((float(lines[1].split(",")[1]) + 1000) / 0.48828125 % 1, 0, atol=0.01)
    assert not [name for name in os.listdir(paths[0].parent) if "partial" in name]


def test_written_twice_is_the_same_bytes(tmp_path):
    first = [path.read_bytes() for path in muse.write(some_trials(), tmp_path)]
    assert [path.read_bytes() for path in muse.write(some_trials(), tmp_path)] == first


def test_write_refuses_names_that_cannot_be_read_back(tmp_path):
    table = some_trials().table
    for changed in (table.assign(label="very-calm"), table.assign(session=1, trial=[1, 2, 3])):
        with pytest.raises(DatasetError, match="cannot name the recordings"):
            muse.write(some_trials(table=changed), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_write_refuses_a_folder_with_other_recordings(tmp_path):
    save(tmp_path / "real-calm-1.csv", lines_of())
    with pytest.raises(DatasetError, match="real-calm-1.csv"):
        muse.write(some_trials(), tmp_path)


def test_write_refuses_other_electrodes(tmp_path):
    info = make_info(["TP9", "AF7", "AF8", "Cz", MUSE_AUX], 256)
    with pytest.raises(DatasetError, match="TP10 missing"):
        muse.write(some_trials(info=info), tmp_path)


# ---- real recordings ----

def test_real_recordings():
    folder = muse_lsl_folder()
    trials = muse.read(folder)
    assert len(trials) == 8 and (trials.table["n_gaps"] == 0).all()
    assert sorted(trials.table["subject"].unique()) == ["P300-1", "P300-2", "left-right-1", "left-right-2"]
    assert trials.table["n_samples"].sum() == 30720 + 6 * 30732 + 30744
    assert sum("event codes" in decision for decision in trials.decisions) == 8
    assert sum("steps back in time" in decision for decision in trials.decisions) == 2
    report = muse.check(folder)
    assert report.ok and report.missing == [
        "no person has two labels, so a model can learn the person in place of the label"]
    assert "8 recordings of 4 people" in report.found[1]
    assert bird_features(trials).X.shape == (1903, 2548)
