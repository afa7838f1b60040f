"""SEED: what is written is the release's own layout, files made by hand are read, faulty ones are named."""

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.datasets import seed, seed_features
from eegemo_utils.trials import DatasetError, Trials

# typed from torcheeg's constants and the dataset's description, not taken from the package
CHANNELS = ("Fp1 Fpz Fp2 AF3 AF4 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 T7 C5 C3 C1 Cz C2 C4 "
            "C6 T8 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 PO7 PO5 PO3 POz PO4 PO6 PO8 CB1 O1 "
            "Oz O2 CB2").split()
LABELS = [1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1]
KINDS = [f"{kind}_{how}" for kind in ("de", "psd", "dasm", "rasm", "asm", "dcau") for how in ("movingAve", "LDS")]
ROWS = dict(de=62, psd=62, dasm=27, rasm=27, asm=54, dcau=23)


@pytest.fixture(scope="module")
def cohort():
    return seed.simulate(2, n_sessions=2, n_trials=3, n_seconds=2, random_state=1)


def raw_file(path, n_trials=2, n_times=250, initials="xy", seed=0, **changed):
    """A file of signals in the release's layout, but small."""
    rng = np.random.default_rng(seed)
    trials = {f"{initials}_eeg{number}": rng.normal(0, 10, (62, n_times + number)) for number in range(1, n_trials + 1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, trials | changed)
    return trials


def small_folder(root, **options):
    """A folder that says it was written, so that small files may lie in it; with one recording of person 3."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "DESCRIPTION.txt").write_text("simulated SEED cohort\n")
    path = root / "Preprocessed_EEG" / "3_20200101.mat"
    raw_file(path, **options)
    return path


def fault_of(root, form="raw"):
    """Message of the error; it must name the file, and `check` must give it too."""
    with pytest.raises(DatasetError) as caught:
        seed.read(root, form=form)
    report = seed.check(root)
    assert not report.ok and any(str(caught.value) in line for line in report.missing)
    assert "3_20200101.mat" in str(caught.value)
    return str(caught.value)


# ---- what is written reads back ----

@pytest.mark.parametrize("inner", ["", "Preprocessed_EEG"])
def test_simulated_signals_come_back(tmp_path, cohort, inner):
    root = tmp_path / "mit Leerzeichen ß 日本"
    paths = seed.write(cohort, root)
    assert [path.name for path in paths] == ["1_20200101.mat", "1_20200108.mat", "2_20200101.mat", "2_20200108.mat"]
    back = seed.read(root / inner)
    assert back.info["ch_names"] == CHANNELS and back.info["sfreq"] == 200
    assert back.description == "simulated SEED cohort"
    pd.testing.assert_frame_equal(back.table, cohort.table)
    for mine, theirs in zip(back.signals, cohort.signals, strict=True):
        np.testing.assert_array_equal(mine, theirs)  # float64 holds float32
    assert any("fewer than 3 recordings of person 1, 2" in said for said in back.decisions)
    assert seed.check(root).ok


def test_the_signals_layout_is_the_release_s_own(tmp_path, cohort):
    path = seed.write(cohort, tmp_path)[2]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["DESCRIPTION.txt", "Preprocessed_EEG"]
    assert len(list((tmp_path / "Preprocessed_EEG").iterdir())) == 5
    found = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
    assert list(found) == ["simb_eeg1", "simb_eeg2", "simb_eeg3"]
    assert {value.dtype for value in found.values()} == {np.dtype("f8")}
    assert {value.shape[0] for value in found.values()} == {62}
    row = cohort.table.query("subject == '2' and session == 1 and trial == 3").index[0]
    np.testing.assert_array_equal(found["simb_eeg3"], cohort.signals[row])
    label = scipy.io.loadmat(tmp_path / "Preprocessed_EEG" / "label.mat")["label"]
    assert label.shape == (1, 15) and label.dtype == np.float64 and label[0].tolist() == LABELS


def test_features_are_those_of_the_signals(tmp_path, cohort):
    paths = seed.write(cohort, tmp_path, "features")
    found = {name: value for name, value in scipy.io.loadmat(paths[0]).items() if not name.startswith("__")}
    assert sorted(found) == sorted(f"{kind}{trial}" for kind in KINDS for trial in (1, 2, 3))
    assert list(found)[:4] == ["de_movingAve1", "de_LDS1", "psd_movingAve1", "psd_LDS1"]
    n_windows = [cohort.signals[trial].shape[1] // 200 for trial in range(3)]
    for name, value in found.items():
        kind, trial = name.split("_")[0], int(name[-1])
        assert value.shape == (ROWS[kind], n_windows[trial - 1], 5) and value.dtype == np.float64
    windows = seed.read(tmp_path, form="features")
    assert windows.description == "simulated SEED cohort" and "fewer than 3 recordings" in windows.decisions[0]
    assert windows.bands == ("delta", "theta", "alpha", "beta", "gamma") and windows.info["ch_names"] == CHANNELS
    np.testing.assert_array_equal(windows.X[: n_windows[0]], found["de_LDS1"].transpose(1, 0, 2).astype("f4"))
    first = windows.table[windows.table["trial"] == 2].iloc[0]
    assert first.to_dict() == {"subject": "1", "session": 1, "trial": 2, "window": 0, "label": "neutral", "code": 0,
                               "clip": 2}
    assert windows.table.groupby(["subject", "session", "trial"]).size().iloc[:3].tolist() == n_windows
    dcau = seed.read(tmp_path, ["2"], form="features", kind="dcau_movingAve")
    assert dcau.X.shape[1:] == (23, 5) and dcau.info is None and set(dcau.table["subject"]) == {"2"}
    assert seed.check(tmp_path).ok


# ---- files made by hand ----

@pytest.mark.slow
def test_a_file_of_full_length_is_read_by_name(tmp_path):
    folder = tmp_path / "Preprocessed_EEG"
    folder.mkdir()
    piece = np.random.default_rng(0).integers(-8, 8, (62, 2000), dtype=np.int8)
    trials = {f"abc_eeg{t}": np.tile(piece * t, 27)[:, : seed.N_WINDOWS[t - 1] * 200 + 1]
              for t in [10, *range(15, 10, -1), *range(1, 10)]}  # names out of order
    scipy.io.savemat(folder / "12_20140102.mat", trials, do_compression=True)
    scipy.io.savemat(folder / "label.mat", {"label": np.array([LABELS], dtype=np.int8)})
    (folder / "readme.txt").write_text("text")
    (folder / "channel-order.txt").write_text("text")
    trials = seed.read(tmp_path, "12")
    assert trials.table["trial"].tolist() == list(range(1, 16)) == trials.table["clip"].tolist()
    assert trials.table["code"].tolist() == LABELS
    assert trials.table["label"].tolist()[:3] == ["positive", "neutral", "negative"]
    np.testing.assert_array_equal(trials.signals[9][:, :2000], piece * 10)
    assert trials.signals[0].shape == (62, 47001)
    assert "1 other file(s) ignored: channel-order.txt" in trials.decisions
    assert "fewer than 3 recordings of person 12; sessions are counted by" in trials.decisions[0]
    report = seed.check(tmp_path)
    assert report.ok and "12_20140102.mat: person 12, session 1, 15 trials, 3394 s" in report.text()


def test_the_session_is_the_rank_of_the_date(tmp_path):
    small_folder(tmp_path)
    for number, date in enumerate((20131230, 20140110, 20140102), start=5):
        raw_file(tmp_path / "Preprocessed_EEG" / f"12_{date}.mat", n_times=100 * number, initials="ab")
    table = seed.read(tmp_path).table
    assert table["subject"].tolist() == ["3"] * 2 + ["12"] * 6  # by number, not by text
    twelve = seed.read(tmp_path, ["12"])
    assert twelve.table["session"].tolist() == [1, 1, 2, 2, 3, 3]
    assert [signal.shape[1] // 100 for signal in twelve.signals[::2]] == [5, 7, 6]


def feature_file(path, change=lambda trials: None):
    """A full file of features: value = trial + band / 10 in all electrodes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trials = {f"{kind}{t}": np.broadcast_to(t + np.arange(5) / 10, (ROWS[kind.split("_")[0]], seed.N_WINDOWS[t - 1], 5))
              for t in range(1, 16) for kind in KINDS}
    change(trials)
    scipy.io.savemat(path, trials, do_compression=True)


def test_published_counts_of_windows(tmp_path):
    feature_file(tmp_path / "ExtractedFeatures" / "3_20200101.mat")
    windows = seed.read(tmp_path, form="features")
    assert len(windows) == 3394 == sum(seed.N_WINDOWS)
    assert windows.table.groupby("trial").size().tolist() == [235, 233, 206, 238, 185, 195, 237, 216, 265, 237, 235,
                                                              233, 235, 238, 206]
    assert windows.X.dtype == np.float32 and windows.X.shape == (3394, 62, 5)
    np.testing.assert_allclose(windows.X[-1], np.tile([15, 15.1, 15.2, 15.3, 15.4], (62, 1)), rtol=1e-6)
    assert seed.read(tmp_path / "ExtractedFeatures", form="features", kind="asm_LDS").X.shape == (3394, 54, 5)
    assert "label.mat is not there" in seed.check(tmp_path).text()
    with pytest.raises(DatasetError, match="no kind is called 'de'; there are de_movingAve, "):
        seed.read(tmp_path, form="features", kind="de")


@pytest.mark.parametrize("change, message", [
    (lambda trials: trials.pop("de_LDS7"), r"de_LDS1, de_LDS2, ..., 15 of them.*missing: trials \[7\]"),
    (lambda trials: trials.pop("dcau_LDS15"), r"dcau_LDS1.*missing: trials \[15\]"),
    (lambda trials: trials.update(de_LDS16=np.ones((62, 3, 5))), "15 of them"),
    (lambda trials: trials.update(de_LDS2=np.ones((5, 3, 62))), r"de_LDS2.*\(62, windows, 5\), found.*\(5, 3, 62\)"),
    (lambda trials: trials.update(de_LDS2=np.full((62, 3, 5), np.nan)), "de_LDS2: values that are not finite"),
    (lambda trials: trials.update(de_LDS2=np.full((62, 3, 5), 1e300)), "de_LDS2: values that are not finite"),
    (lambda trials: trials.update(de_LDS2=np.zeros((62, 0, 5))), r"found float64 of shape \(62, 0, 5\)"),
    (lambda trials: trials.update(de_LDS2="text"), "de_LDS2: expected numbers"),
])
def test_faulty_features_are_named(tmp_path, change, message):
    feature_file(tmp_path / "ExtractedFeatures" / "3_20200101.mat", change)
    with pytest.raises(DatasetError, match=message):
        seed.read(tmp_path, form="features", kind="dcau_LDS" if "dcau" in message else "de_LDS")
    report = seed.check(tmp_path)
    assert not report.ok and "fault: " in report.missing[0] and "3_20200101.mat" in report.missing[0]


def test_another_number_of_windows_is_said(tmp_path):
    def cut(trials):
        trials["de_LDS4"] = np.ones((62, 200, 5))
    feature_file(tmp_path / "ExtractedFeatures" / "3_20200101.mat", cut)
    assert len(seed.read(tmp_path, form="features")) == 3394 - 38
    report = seed.check(tmp_path)
    assert report.ok and any("trial(s) 4 have another number of windows" in line for line in report.decisions)


# ---- bad input ----

@pytest.mark.parametrize("change, message", [
    (dict(xy_eeg2=np.ones((62, 90)) * np.nan), "trial 2: values of Fp1 are not finite"),
    (dict(xy_eeg2=np.full((62, 90), np.inf)), "trial 2: values of Fp1 are not finite"),
    (dict(xy_eeg2=np.zeros((61, 90))), r"\(62 channels, samples\), found float64 of shape \(61, 90\)"),
    (dict(xy_eeg2=np.zeros((90, 62))), r"\(62 channels, samples\)"),
    (dict(xy_eeg2=np.zeros((62, 0))), r"found float64 of shape \(62, 0\)"),
    (dict(xy_eeg2=np.ones((62, 9)) * 1j), "found complex128"),
    (dict(xy_eeg2="text"), "trial 2: expected numbers"),
    (dict(xy_eeg2=np.random.default_rng(0).normal(0, 1e-5, (62, 90))), "looks like volts"),
    (dict(xy_eeg2=np.random.default_rng(0).normal(0, 1e7, (62, 90))), "expected microvolt"),
    (dict(zz_eeg2=np.zeros((62, 90))), r"each once; found 3 \(trials \[1, 2, 2\]\)"),
    (dict(xy_eeg4=np.zeros((62, 90))), r"missing: trials \[3, 5,"),
    (dict(xy_eeg16=np.zeros((62, 90))), r"trials \[1, 2, 16\]"),
])
def test_faulty_signals_are_named(tmp_path, change, message):
    path = small_folder(tmp_path, **change)
    with pytest.raises(DatasetError, match=message):
        seed.read(tmp_path)
    assert str(path) in fault_of(tmp_path)


def test_initials_are_never_told(tmp_path):
    small_folder(tmp_path, initials="jane_doe", jane_doe_eeg16=np.zeros((62, 90)))
    assert "jane" not in fault_of(tmp_path) + seed.check(tmp_path).text()
    (tmp_path / "Preprocessed_EEG").rename(tmp_path / "ExtractedFeatures")
    message = fault_of(tmp_path, "features")
    assert "found <initials>_eeg1, <initials>_eeg2" in message and "the folder of the other form" in message


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0", b"PK\x03\x04" + bytes(300), b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_other_files_are_refused(tmp_path, content):
    small_folder(tmp_path).write_bytes(content)
    assert "expected a MATLAB file" in fault_of(tmp_path)


def test_a_cut_file_is_refused(tmp_path):
    path = small_folder(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "damaged or cut off" in fault_of(tmp_path)


def test_the_release_must_be_complete_and_at_its_rate(tmp_path):
    path = small_folder(tmp_path)
    (tmp_path / "DESCRIPTION.txt").unlink()
    assert "15 of them" in fault_of(tmp_path)
    piece = np.tile(np.random.default_rng(0).integers(-99, 99, (62, 100), dtype=np.int8), 100)
    scipy.io.savemat(path, {f"xy_eeg{t}": piece[:, :9000] for t in range(1, 16)}, do_compression=True)
    assert "expected 3394 s of signal at 200 Hz, found samples for 675 s" in fault_of(tmp_path)


def test_a_trial_of_another_length_is_said(tmp_path):
    path = small_folder(tmp_path)
    (tmp_path / "DESCRIPTION.txt").unlink()
    piece = np.tile(np.random.default_rng(0).integers(-99, 99, (62, 100), dtype=np.int8), 600)
    lengths = [n * 200 for n in seed.N_WINDOWS]
    lengths[3] -= 4000
    scipy.io.savemat(path, {f"xy_eeg{t}": piece[:, :n] for t, n in enumerate(lengths, 1)}, do_compression=True)
    assert any("trial(s) 4 of another length" in said for said in seed.read(tmp_path).decisions)


@pytest.mark.parametrize("labels, message", [
    (np.array([[0] * 15]), "expected the labels 1 0 -1 -1"), (np.array([LABELS[:14]]), "expected the labels"),
    (np.array([[label + 1 for label in LABELS]]), "found 2 1 0 0"), ("text", "expected the labels")])
def test_other_labels_are_refused(tmp_path, labels, message):
    small_folder(tmp_path)
    scipy.io.savemat(tmp_path / "Preprocessed_EEG" / "label.mat", {"label": labels})
    with pytest.raises(DatasetError, match=f"label.mat: .*{message}"):
        seed.read(tmp_path)
    assert "label.mat" in seed.check(tmp_path).missing[0] and not seed.check(tmp_path).ok


def test_folders_that_are_not_seed_are_refused(tmp_path, cohort):
    with pytest.raises(DatasetError, match="expected files <person>_<yyyymmdd>.mat in Preprocessed_EEG, found none"):
        seed.read(tmp_path)
    with pytest.raises(DatasetError, match="nowhere.*found none"):
        seed.read(tmp_path / "nowhere")
    assert not seed.check(tmp_path).ok
    seed.write(cohort, tmp_path, "features")
    with pytest.raises(DatasetError, match="Here is form='features'"):
        seed.read(tmp_path)
    for date in (20200102, 20200103, 20200104):
        raw_file(tmp_path / "Preprocessed_EEG" / f"3_{date}.mat")
    raw_file(tmp_path / "Preprocessed_EEG" / "3_20200101.mat")
    assert "expected at most 3 file(s) of person 3" in fault_of(tmp_path)


def test_trials_that_do_not_fit_are_not_written(tmp_path, cohort):
    bad = [(cohort.table.assign(label="happy"), "labels of session 1"),
           (cohort.table.assign(session=cohort.table["session"] + 2), "people 1 to 15, sessions 1 to 3"),
           (cohort.table.assign(trial=cohort.table["trial"] + 1), "trials 1, 2, ...")]
    for table, message in bad:
        with pytest.raises(DatasetError, match=message):
            seed.write(Trials(cohort.signals, cohort.info, table), tmp_path)
    short = Trials([signal[:, :100] for signal in cohort.signals], cohort.info, cohort.table)
    with pytest.raises(DatasetError, match="a window of 1 s at least"):
        seed.write(short, tmp_path)
    assert not list(tmp_path.iterdir())


def test_facts_and_simulated_defaults():
    assert list(seed.CODES) == LABELS
    trials = seed.simulate(1, n_seconds=3, fingerprint=0.5)
    assert len(trials) == 45 and trials.table["code"].tolist() == LABELS * 3
    assert trials.description == "simulated SEED cohort" and len({s.shape for s in trials.signals}) > 1
    fewer = seed.simulate(2, n_sessions=1, n_trials=2, n_seconds=3, fingerprint=0.5)
    np.testing.assert_array_equal(fewer.signals[1], trials.signals[1])  # other numbers change nothing
    with pytest.raises(ValueError, match="expected a whole number, 1 at least"):
        seed.simulate(2, n_trials=16)


# ---- the features ----

def test_pairs_of_electrodes():
    pairs = list(zip(seed_features.LEFT, seed_features.RIGHT, strict=True))
    assert len(pairs) == 27 == len({left for left, _ in pairs})
    for left, right in pairs:
        assert int(left[-1]) + 1 == int(right[-1]) and left[:-1] == right[:-1]
    pairs = set(zip(seed_features.FRONT, seed_features.BACK, strict=True))
    assert len(pairs) == 23 and {("FT7", "TP7"), ("FCz", "CPz"), ("F8", "P8"), ("Fpz", "Oz"), ("AF4", "CB2")} <= pairs


def test_features_of_known_signals():
    seconds = np.arange(2000) / 200
    signal = 3 * np.sin(2 * np.pi * 10 * seconds) + np.random.default_rng(0).normal(0, 0.1, (62, 2000))
    de, power = seed_features.entropy_and_power(signal, 200.0, 1.0)
    assert power.shape == (10, 62, 5)
    np.testing.assert_allclose(power[2:-2, :, 2], 4.5, rtol=0.03)
    np.testing.assert_allclose(de[2:-2, :, 2], 0.5 * np.log(2 * np.pi * np.e * 4.5), rtol=0.03)
    assert (power[2:-2, :, [0, 1, 3, 4]] < 0.5).all()
    assert np.isfinite(seed_features.entropy_and_power(signal * 0, 200.0, 1.0)).all(), "as of an electrode that is off"
    kinds = seed_features.all_kinds(signal, 200.0, 1.0)
    de = kinds["de_LDS"]
    np.testing.assert_array_equal(kinds["dasm_LDS"][0], de[0] - de[2])  # Fp1, Fp2
    np.testing.assert_array_equal(kinds["rasm_LDS"][26], de[58] / de[60])  # O1, O2
    np.testing.assert_array_equal(kinds["asm_LDS"][[0, 27]], np.stack([de[0] - de[2], de[0] / de[2]]))
    np.testing.assert_array_equal(kinds["dcau_LDS"][22], de[4] - de[61])  # AF4, CB2


def test_smoothing():
    steps = np.repeat([0.0, 1.0], 4)[:, None, None]
    averaged = seed_features.smooth(steps, "movingAve")[:, 0, 0]
    np.testing.assert_allclose(averaged, [0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1])
    rising = seed_features.smooth(steps, "LDS")[:, 0, 0]
    assert rising[0] == pytest.approx(0.5 - 0.01 / 1.01 * 0.5)  # starts from the mean of all
    assert (np.diff(rising[4:]) > 0).all() and rising[-1] < 0.55


# ---- damaged files ----

def test_damaged_files_are_read_or_refused(tmp_path):
    path = small_folder(tmp_path, n_trials=2, n_times=4)
    whole = path.read_bytes()

    @MUTATED
    @given(mutations(whole))
    def check(damaged):
        path.write_bytes(damaged)
        reads_or_refuses(lambda: seed.read(tmp_path), path)

    check()
