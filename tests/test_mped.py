"""MPED: what is written is the release's own layout, files made by hand are read, nobody's name is told."""

import re
import traceback

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.datasets import mped, seed
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import DatasetError, Trials

# typed from torcheeg's mped_feature.py:180-183, not taken from the package
LABELS = [0, 2, 1, 4, 3, 5, 6, 7, 1, 2, 3, 6, 7, 4, 5, 0, 1, 5, 6, 2, 2, 1, 7, 6, 4, 4, 3, 5, 3, 7]
NAMES = ["neutral", "joy", "funny", "anger", "fear", "disgust", "sadness"]


@pytest.fixture(scope="module")
def cohort():
    return mped.simulate(2, n_seconds=2, random_state=1)


def cells_of(lengths=(2, 3, 1), start=0.0):
    """Thirty trials by hand: the value tells trial, window and band."""
    cells = np.empty((1, 30), dtype=object)
    for place in range(30):
        n = lengths[place % len(lengths)]
        values = start + place + np.arange(n)[:, None] / 100 + np.arange(5) / 10
        cells[0, place] = np.broadcast_to(values, (62, n, 5)).copy()
    return cells


def person(root, name, cells=None, folder="EEG_feature/STFT"):
    path = root / folder / f"{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"STFT": cells_of() if cells is None else cells})
    return path


def fault_of(root, *names):
    """Message of the error: it tells the file's place, never its name, not even in a traceback."""
    with pytest.raises(DatasetError) as caught:
        mped.read(root)
    report = mped.check(root)
    assert not report.ok and any(str(caught.value) in line for line in report.missing)
    told = "".join(traceback.format_exception(caught.value)) + report.text()
    assert "STFT" in str(caught.value) and not any(name in told for name in names)
    return str(caught.value)


# ---- what is written reads back ----

@pytest.mark.parametrize("inner", ["", "EEG_feature", "EEG_feature/STFT"])
def test_simulated_people_come_back(tmp_path, cohort, inner):
    root = tmp_path / "mit Leerzeichen ß 日本"
    paths = mped.write(cohort, root)
    assert [path.relative_to(root).as_posix() for path in paths] == [
        "EEG_feature/STFT/sim01.mat", "EEG_feature/STFT/sim02.mat"]
    windows = mped.read(root / inner)
    assert windows.description == "simulated MPED cohort" and "trials 1 and 16 are rest: dropped" in windows.decisions
    assert list(windows.decisions) == mped.check(root / inner).decisions
    assert windows.info["ch_names"] == list(SEED_62) and windows.bands[0] == "delta" and windows.X.dtype == np.float32
    trials = windows.table.drop_duplicates(["subject", "trial"]).drop(columns="window").reset_index(drop=True)
    pd.testing.assert_frame_equal(trials, cohort.table)
    n_windows = windows.table.groupby(["subject", "trial"], sort=False).size().tolist()
    assert n_windows == [signal.shape[1] // 1000 for signal in cohort.signals] and len(set(n_windows)) == 3
    assert mped.check(root / inner).ok


def test_the_layout_is_the_release_s_own(tmp_path, cohort):
    path = mped.write(cohort, tmp_path)[1]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["DESCRIPTION.txt", "EEG_feature"]
    found = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
    assert list(found) == ["STFT"] and found["STFT"].shape == (1, 30) and found["STFT"].dtype == object
    for place, cell in enumerate(found["STFT"][0]):
        assert cell.shape[::2] == (62, 5) and cell.dtype == np.float64
        assert cell.any() == (place not in (0, 15)) and (cell >= 0).all()
    row = cohort.table.query("subject == '2' and trial == 17").index[0]
    second = cohort.signals[row][:, 1000:2000].astype(float)
    taper = np.hanning(1001)[:1000]
    spectrum = np.abs(np.fft.rfft((second - second.mean(axis=1, keepdims=True)) * taper)) ** 2
    density = 2 * spectrum / (1000 * (taper**2).sum())
    np.testing.assert_allclose(found["STFT"][0, 16][:, 1, 2], density[:, 8:14].mean(axis=1), rtol=1e-6)


def test_foreign_recordings_are_kept_out(tmp_path, cohort):
    person(tmp_path, "jane")
    with pytest.raises(DatasetError, match="holds 1 other recordings") as caught:
        mped.write(cohort, tmp_path)
    assert "jane" not in str(caught.value)
    table = cohort.table
    for changed, message in [(table.assign(label="joy"), "labels joy neutral"),
                             (table.assign(trial=table["trial"] - 1), "trials 2-15"),
                             (table.assign(subject="sim" + table["subject"]), "people 1 ... 23; found sim1")]:
        with pytest.raises(DatasetError, match=message):
            mped.write(Trials(cohort.signals, cohort.info, changed), tmp_path / "new")
    with pytest.raises(DatasetError, match="a window of 1 s at least"):
        mped.write(Trials([signal[:, :999] for signal in cohort.signals], cohort.info, table), tmp_path / "new")
    other = seed.simulate(1, n_sessions=1, n_trials=1, n_seconds=1)
    with pytest.raises(DatasetError, match="at 1000 Hz; found 200 Hz"):
        mped.write(other, tmp_path / "new")
    assert not (tmp_path / "new").exists()


# ---- files made by hand ----

def test_cells_of_any_length_are_read(tmp_path):
    person(tmp_path, "zoe", cells_of(start=100))
    person(tmp_path, "ann", cells_of().T)
    (tmp_path / "EEG_feature" / "STFT" / "readme of zoe.txt").write_text("text")
    windows = mped.read(tmp_path)
    assert windows.table["subject"].unique().tolist() == ["1", "2"]
    first = windows.table[windows.table["subject"] == "1"].drop_duplicates("trial")
    assert first["trial"].tolist() == [*range(2, 16), *range(17, 31)] and len(first) == 28
    assert first["code"].tolist() == [label for label in LABELS if label]
    assert first["label"].tolist() == [NAMES[label - 1] for label in LABELS if label]
    assert (first["label"].value_counts() == 4).all()
    place = windows.table.query("subject == '2' and trial == 17 and window == 2").index[0]
    np.testing.assert_allclose(windows.X[place, 61], 116.02 + np.arange(5) / 10, rtol=1e-6)
    assert len(mped.read(tmp_path, ["2"])) == len(windows) / 2
    report = mped.check(tmp_path)
    assert report.ok and "1 other file(s) ignored" in report.text() and "2 of 23 people are here" in report.text()
    assert not any(name in report.text() for name in ("zoe", "ann", "jane"))
    with pytest.raises(DatasetError, match="no files of 3; there are 1, 2"):
        mped.read(tmp_path, ["3"])


def test_rest_may_hold_anything(tmp_path):
    cells = cells_of()
    cells[0, 0], cells[0, 15] = np.zeros((0, 0)), "rest"
    person(tmp_path, "ann", cells)
    assert mped.read(tmp_path).table["trial"].nunique() == 28


# ---- bad input ----

@pytest.mark.parametrize("value, message", [
    (np.zeros((61, 3, 5)), r"found float64 of shape \(61, 3, 5\)"), (np.zeros((62, 3, 4)), r"\(62, windows, 5\)"),
    (np.zeros((5, 3, 62)), r"found float64 of shape \(5, 3, 62\)"), (np.zeros((62, 0, 5)), "expected numbers of shape"),
    (np.zeros((62, 5)), r"\(62, 5\)"), ("text", "expected numbers of shape"),
    (np.ones((62, 3, 5)) * 1j, "found complex128 of shape"),
    ({"a": 1}, "expected numbers of shape"),
    (np.full((62, 3, 5), np.nan), "values that are not finite"),
    (np.full((62, 3, 5), 1e300), "values that are not finite"),
])
def test_a_faulty_trial_is_told_by_its_place(tmp_path, value, message):
    person(tmp_path, "ann")
    cells = cells_of()
    cells[0, 19] = value
    person(tmp_path, "janedoe", cells)
    assert re.search(f"file 2 in sorted order, trial 20: .*{message}", fault_of(tmp_path, "janedoe"))


@pytest.mark.parametrize("variables, message", [
    ({"STFT": np.zeros((62, 3, 5))}, "expected STFT as a cell array of 30 trials, found another kind of array"),
    ({"STFT": cells_of()[:, :28]}, "found 28 cells"),
    ({"PSD": cells_of()}, "expected the variable STFT; found PSD"),
    ({"STFT": np.array([[(1.0,)]], dtype=[("a", "f8")])}, "expected STFT as a cell array"),
])
def test_other_variables_are_refused(tmp_path, variables, message):
    path = person(tmp_path, "janedoe")
    scipy.io.savemat(path, variables)
    assert re.search(f"file 1 in sorted order.*{message}", fault_of(tmp_path, "janedoe"))


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_other_files_are_refused_without_their_names(tmp_path, content):
    path = person(tmp_path, "janedoe")
    whole = path.read_bytes()
    path.write_bytes(content)
    assert "expected a MATLAB file" in fault_of(tmp_path, "janedoe")
    path.write_bytes(whole[:-500])
    assert "damaged or cut off" in fault_of(tmp_path, "janedoe")


def test_folders_that_are_not_mped_are_refused(tmp_path):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match="expected one .mat file a person in EEG_feature/STFT, found none"):
            mped.read(root)
        assert not mped.check(root).ok
    for number in range(24):
        person(tmp_path, f"jane{number}")
    assert "at most 23 .mat files, one per person, found 24" in fault_of(tmp_path, "jane")


def test_facts_and_simulated_defaults():
    assert list(mped.CODES) == LABELS and len(mped.TRIALS) == 28
    trials = mped.simulate(1)
    assert len(trials) == 28 and trials.description == "simulated MPED cohort"
    assert {signal.shape for signal in trials.signals} == {(62, 3000), (62, 4000), (62, 5000)}


def test_damaged_files_are_read_or_refused(tmp_path):
    path = person(tmp_path, "janedoe", cells_of((1,)))
    whole = path.read_bytes()

    @MUTATED
    @given(mutations(whole))
    def check(damaged):
        path.write_bytes(damaged)
        reads_or_refuses(lambda: mped.read(tmp_path), path)

    check()
