"""SEED-IV: what is written is the release's own layout, files made by hand are read, faulty ones are named."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.datasets import seed, seed_iv
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import DatasetError, Trials

# typed from torcheeg's constants and the dataset's description, not taken from the package
LABELS = [list(map(int, text.split())) for text in (
    "1 2 3 0 2 0 0 1 0 1 2 1 1 1 2 3 2 2 3 3 0 3 0 3", "2 1 3 0 0 2 0 2 3 3 2 3 2 0 1 1 2 1 0 3 0 1 3 1",
    "1 2 2 1 3 3 3 1 1 2 1 0 2 3 3 0 2 3 0 0 2 0 1 0")]
KINDS = ["de_movingAve", "de_LDS", "psd_movingAve", "psd_LDS"]


@pytest.fixture(scope="module")
def cohort():
    return seed_iv.simulate(2, n_sessions=3, n_trials=2, n_seconds=6, random_state=1)


def feature_file(path, n_trials=24, n_windows=None, change=lambda trials: None, **options):
    """A file of features by hand: the value tells trial, window and band."""
    path.parent.mkdir(parents=True, exist_ok=True)
    session = int(path.parent.name) - 1
    trials = {}
    for t in range(1, n_trials + 1):
        n = n_windows or seed_iv.N_WINDOWS[session][t - 1]
        values = t + np.arange(n)[:, None] / 100 + np.arange(5) / 10
        trials |= {f"{kind}{t}": np.broadcast_to(values + 1000 * k, (62, n, 5)) for k, kind in enumerate(KINDS)}
    change(trials)
    scipy.io.savemat(path, trials, **options)
    return path


def fault_of(root, form):
    """Message of the error; it must name the file, and `check` must give it too."""
    with pytest.raises(DatasetError) as caught:
        seed_iv.read(root, form=form)
    report = seed_iv.check(root)
    assert not report.ok and any(str(caught.value) in line for line in report.missing)
    assert "5_20200101.mat" in str(caught.value)
    return str(caught.value)


# ---- what is written reads back ----

@pytest.mark.parametrize("inner", ["", "eeg_raw_data"])
def test_simulated_signals_come_back(tmp_path, cohort, inner):
    root = tmp_path / "mit Leerzeichen ß 日本"
    paths = seed_iv.write(cohort, root)
    assert [path.relative_to(root).as_posix() for path in paths[:4]] == [
        "eeg_raw_data/1/1_20200101.mat", "eeg_raw_data/2/1_20200108.mat", "eeg_raw_data/3/1_20200115.mat",
        "eeg_raw_data/1/2_20200101.mat"]
    back = seed_iv.read(root / inner)
    assert back.info["ch_names"] == list(SEED_62) and back.info["sfreq"] == 200
    assert set(back.info.get_channel_types()) == {"eeg"}
    assert back.description == "simulated SEED-IV cohort" and back.decisions == ()
    pd.testing.assert_frame_equal(back.table, cohort.table)
    for mine, theirs in zip(back.signals, cohort.signals, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    found = {name: value for name, value in scipy.io.loadmat(paths[3]).items() if not name.startswith("__")}
    assert list(found) == ["simb_eeg1", "simb_eeg2"] and {value.dtype for value in found.values()} == {np.dtype("f8")}
    assert seed_iv.check(root).ok and not list(root.rglob("label.mat"))


def test_features_are_those_of_the_signals(tmp_path, cohort):
    paths = seed_iv.write(cohort, tmp_path, "features")
    found = {name: value for name, value in scipy.io.loadmat(paths[4]).items() if not name.startswith("__")}
    assert list(found) == [f"{kind}{trial}" for trial in (1, 2) for kind in KINDS]
    for name, value in found.items():
        row = cohort.table.query(f"subject == '2' and session == 2 and trial == {name[-1]}").index[0]
        assert value.shape == (62, cohort.signals[row].shape[1] // 800, 5) and value.dtype == np.float64
    windows = seed_iv.read(tmp_path, ["2"], form="features", kind="psd_movingAve")
    rows = windows.table.query("session == 2 and trial == 1").index
    np.testing.assert_array_equal(windows.X[rows], found["psd_movingAve1"].transpose(1, 0, 2).astype("f4"))
    assert windows.table.loc[rows[0]].to_dict() == {"subject": "2", "session": 2, "trial": 1, "window": 0,
                                                    "label": "fear", "code": 2, "clip": 25}
    assert windows.info["ch_names"] == list(SEED_62) and len(windows.bands) == 5


def test_foreign_recordings_are_kept_out(tmp_path, cohort):
    seed_iv.write(cohort, tmp_path)
    seed_iv.write(cohort, tmp_path, "features")
    assert seed_iv.check(tmp_path).ok
    first_days = cohort.select((cohort.table["session"] < 3).to_numpy())
    with pytest.raises(DatasetError, match="holds other recordings .eeg_feature_smooth/3/1_20200115.mat"):
        seed_iv.write(first_days, tmp_path)
    with pytest.raises(DatasetError, match="labels of session 1 of SEED-IV are sad fear"):
        seed_iv.write(Trials(cohort.signals, cohort.info, cohort.table.assign(label="sad")), tmp_path)


# ---- files made by hand ----

def test_full_sessions_of_features(tmp_path):
    for session in (1, 2, 3):
        feature_file(tmp_path / "eeg_feature_smooth" / str(session) / "5_20200101.mat", do_compression=True)
    windows = seed_iv.read(tmp_path, form="features")
    assert windows.description == f"SEED-IV in {tmp_path.name}"
    assert windows.decisions == ()
    assert windows.table.groupby("session").size().tolist() == [851, 832, 822] and len(windows) == 2505
    first = windows.table.drop_duplicates(["session", "trial"])
    for session, labels in enumerate(LABELS, start=1):
        own = first[first["session"] == session]
        assert own["code"].tolist() == labels and (own["code"].value_counts() == 6).all()
        assert own["trial"].tolist() == list(range(1, 25))
    assert first["clip"].tolist() == list(range(1, 73))
    assert first["label"].tolist()[:4] == ["sad", "fear", "happy", "neutral"]
    place = windows.table.query("session == 2 and trial == 3 and window == 7").index[0]
    np.testing.assert_allclose(windows.X[place, 40], 1003.07 + np.arange(5) / 10, rtol=1e-6)
    report = seed_iv.check(tmp_path)
    assert report.ok and "session 3, 24 trials, 822 windows" in report.text()
    assert "forms that are here: features" in report.found


def test_signals_by_hand(tmp_path):
    path = tmp_path / "eeg_raw_data" / "2" / "5_20200101.mat"
    path.parent.mkdir(parents=True)
    piece = np.random.default_rng(0).integers(-99, 99, (62, 400), dtype=np.int8)
    trials = {f"jl_eeg{t}": np.tile(piece, 2 * n)[:, 3 + t:] for t, n in enumerate(seed_iv.N_WINDOWS[1], 1)}
    scipy.io.savemat(path, dict(reversed(trials.items())), do_compression=True)
    back = seed_iv.read(tmp_path)
    assert back.table["code"].tolist() == LABELS[1] and set(back.table["session"]) == {2}
    assert back.table["clip"].tolist() == list(range(25, 49))
    np.testing.assert_array_equal(back.signals[9][:, 0], piece[:, 13])
    assert back.decisions == ("fewer than 3 recordings of person 5",)


# ---- bad input ----

@pytest.mark.parametrize("change, message", [
    (lambda trials: trials.pop("psd_LDS3"), r"psd_LDS1, psd_LDS2, ..., 24 of them.*missing: trials \[3\]"),
    (lambda trials: trials.pop("de_LDS24"), r"de_LDS1.*missing: trials \[24\]"),
    (lambda trials: trials.update(de_LDS2=np.ones((61, 3, 5))), r"de_LDS2.*\(62, windows, 5\), found.*\(61, 3, 5\)"),
    (lambda trials: trials.update(de_LDS2=np.ones((62, 3, 4))), r"de_LDS2.*found.*\(62, 3, 4\)"),
    (lambda trials: trials.update(de_LDS2=np.full((62, 3, 5), np.inf)), "de_LDS2: values that are not finite"),
])
def test_faulty_features_are_named(tmp_path, change, message):
    feature_file(tmp_path / "eeg_feature_smooth" / "1" / "5_20200101.mat", change=change)
    with pytest.raises(DatasetError, match=message):
        seed_iv.read(tmp_path, form="features", kind="psd_LDS" if "psd" in message else "de_LDS")
    report = seed_iv.check(tmp_path)
    assert not report.ok and re.search(f"5_20200101.mat.*{message}", report.missing[0])


def test_files_of_seed_are_refused(tmp_path):
    few = seed.simulate(1, n_sessions=1, n_trials=15, n_seconds=1)
    seed.write(few, tmp_path / "seed")
    folder = tmp_path / "iv" / "eeg_raw_data" / "1"
    folder.parent.mkdir(parents=True)
    (tmp_path / "seed" / "Preprocessed_EEG").rename(folder)
    (folder / "1_20200101.mat").rename(folder / "5_20200101.mat")
    assert "24 of them" in fault_of(tmp_path / "iv", "raw")
    with pytest.raises(DatasetError, match="in the folders 1, 2, 3 of eeg_raw_data, found none"):
        seed_iv.read(tmp_path / "seed")


def test_a_session_holds_each_person_once(tmp_path):
    folder = tmp_path / "eeg_feature_smooth" / "1"
    feature_file(folder / "5_20200101.mat", 2, 1)
    feature_file(folder / "5_20200102.mat", 2, 1)
    assert "expected at most 1 file(s) of person 5 here" in fault_of(tmp_path, "features")


def test_a_cut_file_is_refused_and_named(tmp_path):
    path = feature_file(tmp_path / "eeg_feature_smooth" / "1" / "5_20200101.mat", 2, 1)
    path.write_bytes(path.read_bytes()[:-900])
    assert "damaged or cut off" in fault_of(tmp_path, "features")
    path.write_bytes(b"")
    assert "expected a MATLAB file" in fault_of(tmp_path, "features")


def test_facts_and_simulated_defaults():
    assert [list(session) for session in seed_iv.CODES] == LABELS
    assert [sum(session) for session in seed_iv.N_WINDOWS] == [851, 832, 822]
    trials = seed_iv.simulate(1, n_sessions=2)
    assert len(trials) == 48 and trials.table["code"].tolist() == LABELS[0] + LABELS[1]
    lengths = [signal.shape[1] for signal in trials.signals]
    assert min(lengths) == 800 and all(length % 800 == 0 for length in lengths) and len(set(lengths)) > 3
    with pytest.raises(ValueError, match="n_trials: .*24 at most"):
        seed_iv.simulate(1, n_trials=25)


def test_damaged_files_are_read_or_refused(tmp_path):
    path = feature_file(tmp_path / "eeg_feature_smooth" / "1" / "5_20200101.mat", 1, 1)
    (tmp_path / "DESCRIPTION.txt").write_text("simulated SEED-IV cohort\n")
    assert len(seed_iv.read(tmp_path, form="features")) == 1
    whole = path.read_bytes()

    @MUTATED
    @given(mutations(whole))
    def check(damaged):
        path.write_bytes(damaged)
        reads_or_refuses(lambda: seed_iv.read(tmp_path, form="features"), path)

    check()
