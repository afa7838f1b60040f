"""Any folder of EEG files: several kinds, several caps, several rates, and damaged ones in between."""

import os
import struct
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses
from test_edf import by_hand as edf_by_hand
from test_edf import with_limits

from eegemo_utils.datasets import eeg_folder
from eegemo_utils.datasets.formats import edf
from eegemo_utils.trials import DatasetError, Trials


def save_edf(path, names=("Fp1", "Cz", "O2"), sfreq=100, seconds=2, seed=0, **options):
    """An EDF file of noise, 20 microvolt; returns the noise."""
    signals = np.random.default_rng(seed).normal(0, 20, (len(names), seconds * sfreq))
    path.parent.mkdir(parents=True, exist_ok=True)
    edf.write_edf(path, signals, list(names), sfreq, **options)
    return signals


def save_brainvision(folder, name="bv"):
    """The three files of a BrainVision recording, made by hand: 2 channels, 0.1 microvolt a step, 200 Hz."""
    folder.mkdir(parents=True, exist_ok=True)
    steps = np.random.default_rng(1).integers(-500, 500, (400, 2)).astype("<i2")
    (folder / f"{name}.eeg").write_bytes(steps.tobytes())
    (folder / f"{name}.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={name}.eeg\n[Marker Infos]\nMk1=New Segment,,1,1,0\n")
    (folder / f"{name}.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={name}.eeg\nMarkerFile={name}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        "NumberOfChannels=2\nSamplingInterval=5000\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n"
        "Ch1=T3,,0.1,µV\nCh2=O2,,0.1,µV\n", encoding="utf-8")
    return steps.T * 0.1


# ---- what is written reads back ----

def test_simulated_people_come_back(tmp_path):
    cohort = eeg_folder.simulate(2, n_seconds=3)
    root = tmp_path / "mit Leerzeichen ß 日本"
    paths = eeg_folder.write(cohort, root)
    assert paths[1].name == "sub-sim01_ses-1_task-work_run-2_eeg.edf"
    back = eeg_folder.read(root)
    assert back.info["ch_names"] == cohort.info["ch_names"] and back.info["sfreq"] == 256
    assert back.description == "simulated EEG files"
    keys = ["subject", "session", "trial", "label"]
    pd.testing.assert_frame_equal(back.table[keys], cohort.table[keys])
    for mine, theirs in zip(back.signals, cohort.signals):
        assert (np.abs(mine - theirs).max(axis=1) < np.ptp(theirs, axis=1) / 60000).all()
    assert not back.decisions and eeg_folder.check(root).ok
    eeg_folder.write(cohort, root)  # the same ones are replaced
    with pytest.raises(DatasetError, match="holds other recordings"):
        eeg_folder.write(cohort.select([0]), root)


def test_what_does_not_fit_is_not_written(tmp_path):
    cohort = eeg_folder.simulate(1, n_seconds=1)
    for change, message in (({"label": "at rest"}, "found at rest"), ({"subject": "../x"}, r"found \.\./x")):
        with pytest.raises(DatasetError, match=message):
            eeg_folder.write(Trials(cohort.signals, cohort.info, cohort.table.assign(**change)), tmp_path)
    with pytest.raises(DatasetError, match="or other lengths"):
        eeg_folder.write(Trials([signal[:, 1:] for signal in cohort.signals], cohort.info, cohort.table), tmp_path)
    save_edf(tmp_path / "mine.edf")
    with pytest.raises(DatasetError, match=r"holds other recordings \(mine.edf"):
        eeg_folder.write(cohort, tmp_path)
    with pytest.raises(ValueError, match="at least one person"):
        eeg_folder.simulate(0)


# ---- files made by hand ----

def test_an_edf_made_by_hand_is_read(tmp_path):
    (tmp_path / "a.edf").write_bytes(edf_by_hand(step=100))
    trials = eeg_folder.read(tmp_path)
    np.testing.assert_allclose(trials.signals[0][0], (np.array([0, 1, 2, 3, 6, 7, 8, 9]) * 100 + 32768) * 200 / 65535
                               - 100, atol=1e-4)
    assert trials.info["ch_names"] == ["Fp1"] and trials.table["recorded_sfreq"][0] == 4  # the ECG has another rate


def test_other_kinds_of_files_are_read(tmp_path):
    expected = save_brainvision(tmp_path / "ann")
    info = mne.create_info(["EEG T7-REF", "O2", "ECG"], 200, ["eeg", "eeg", "ecg"])
    noise = np.random.default_rng(0).normal(0, 2e-5, (3, 500))
    (tmp_path / "bob").mkdir()
    mne.io.RawArray(noise, info, verbose="error").save(tmp_path / "bob" / "night_raw.fif", verbose="error")
    trials = eeg_folder.read(tmp_path)
    assert trials.info["ch_names"] == ["T7", "O2"] and list(trials.table["subject"]) == ["ann", "bob"]
    assert list(trials.table["file"]) == ["ann/bv.vhdr", "bob/night_raw.fif"]
    np.testing.assert_allclose(trials.signals[0], expected, rtol=1e-5)
    np.testing.assert_allclose(trials.signals[1], noise[:2] * 1e6, rtol=1e-5)
    assert list(trials.table["seconds"]) == [2.0, 2.5]


@pytest.mark.parametrize("label, electrode", [
    ("EEG A1-REF", "A1"), ("A2-LE", "A2"), ("M1-REF", "M1"), ("m2-AVG", "M2"), ("C3-A2", "C3"), ("T3-REF", "T7"),
    ("FP1-AVG", "Fp1"), ("A1-A2", None), ("M2-A1", None)])
def test_a_reference_is_no_part_of_a_name_and_a_difference_of_ears_no_electrode(tmp_path, label, electrode):
    save_edf(tmp_path / "a.edf", ("Oz", label))
    assert eeg_folder.read(tmp_path).info["ch_names"] == ["Oz", *[electrode] * bool(electrode)]


def test_eeglab_files_are_read(tmp_path):
    data = save_set(tmp_path / "a.set")
    trials = eeg_folder.read(tmp_path)
    np.testing.assert_allclose(trials.signals[0], data, rtol=1e-5)
    assert trials.info["ch_names"] == ["T7", "O2"] and trials.info["sfreq"] == 100


def test_names_tell_person_session_and_label(tmp_path):
    for name in ("sub-02/ses-2/sub-02_ses-2_task-rest_run-2_eeg.edf", "deep/er/x.edf", "Rest Night.EDF",
                 "sub-02/ses-2/sub-02_ses-2_task-rest_run-1_eeg.edf"):
        save_edf(tmp_path / name)
    table = eeg_folder.read(tmp_path).table
    assert table[["subject", "session", "trial", "label"]].to_numpy().tolist() == [
        ["Rest Night", 1, 1, "unlabelled"], ["deep", 1, 1, "unlabelled"], ["02", 2, 1, "rest"], ["02", 2, 2, "rest"]]
    assert table["file"][2].endswith("run-1_eeg.edf")
    assert len(eeg_folder.read(tmp_path, ["02"])) == 2
    with pytest.raises(DatasetError, match="no files of 03; there are 02, Rest Night, deep"):
        eeg_folder.read(tmp_path, ["03"])
    assert len(eeg_folder.read(tmp_path / "deep" / "er" / "x.edf")) == 1


# ---- caps and rates ----

def test_common_electrodes_are_kept_and_the_others_told(tmp_path):
    first = save_edf(tmp_path / "a.edf", ["EEG FP1-REF", "EEG T3-REF", "EEG CZ-REF", "ECG"], seed=1)
    second = save_edf(tmp_path / "b.edf", ["cz", "T7", "Pz", "A2-A1"], seed=2)
    trials = eeg_folder.read(tmp_path)
    assert trials.info["ch_names"] == ["T7", "Cz"]
    np.testing.assert_allclose(trials.signals[0], first[[1, 2]], atol=0.01)
    np.testing.assert_allclose(trials.signals[1], second[[1, 0]], atol=0.01)
    assert trials.decisions[0] == ("2 electrodes that all 2 files have; dropped, with the number of files that have "
                                   "them: Fp1 (1), Pz (1)")
    chosen = eeg_folder.read(tmp_path, ch_names=["Pz", "T3"])
    assert chosen.info["ch_names"] == ["Pz", "T7"] and list(chosen.table["file"]) == ["b.edf"]
    assert "a.edf: has no Pz" in chosen.decisions[0]
    for names in (["Fp1", "Pz"], ["Cz", "CZ"], []):
        with pytest.raises(DatasetError, match=r"no file has all of .*Name electrodes.*T7 \(2\), Cz \(2\)"):
            eeg_folder.read(tmp_path, ch_names=names)


def test_files_without_a_common_electrode_are_refused(tmp_path):
    save_edf(tmp_path / "a.edf", ["Fp1"])
    save_edf(tmp_path / "b.edf", ["Fp2"])
    with pytest.raises(DatasetError, match=r"no file has all of the electrodes of the others.*Fp1 \(1\), Fp2 \(1\)"):
        eeg_folder.read(tmp_path)
    assert not eeg_folder.check(tmp_path).ok


def test_rates_are_made_one_when_asked(tmp_path):
    times = np.arange(1000) / 250
    for name, step in (("a", 1), ("b", 2)):
        edf.write_edf(tmp_path / f"{name}.edf", [50 * np.sin(2 * np.pi * 10 * times[::step])] * 2, ["Cz", "Pz"],
                      250 / step, record_seconds=2)
    with pytest.raises(DatasetError, match=r"found 250 Hz \(1\), 125 Hz \(1\). Give sfreq"):
        eeg_folder.read(tmp_path)
    assert not eeg_folder.check(tmp_path).ok
    trials = eeg_folder.read(tmp_path, sfreq=100)
    assert [signal.shape for signal in trials.signals] == [(2, 400)] * 2 and trials.info["sfreq"] == 100
    expected = 50 * np.sin(2 * np.pi * 10 * np.arange(400) / 100)
    for signal in trials.signals:
        assert np.abs(signal[0] - expected)[40:-40].max() < 1
    assert "2 file(s) resampled to 100 Hz" in trials.decisions
    for sfreq in (0, -1, float("nan")):
        with pytest.raises(DatasetError, match="sfreq must be a rate"):
            eeg_folder.read(tmp_path, sfreq=sfreq)


# ---- what is faulty ----

def truncate(path):
    os.truncate(path, path.stat().st_size - 100)


def save_set(path):
    """An EEGLAB file made by hand: the struct with what MNE needs of it."""
    places = np.zeros((1, 2), dtype=[("labels", object)])
    places[0, 0], places[0, 1] = ("T7",), ("O2",)
    data = np.random.default_rng(0).normal(0, 20, (2, 200))
    scipy.io.savemat(path, {"EEG": {
        "data": data, "nbchan": 2, "pnts": 200, "trials": 1, "srate": 100, "xmin": 0, "xmax": 1.99, "setname": "x",
        "chanlocs": places, "event": [], "epoch": [], "ref": "common"}}, appendmat=False)
    return data


def save_fif(path):
    noise = np.random.default_rng(0).normal(0, 2e-5, (2, 200))
    mne.io.RawArray(noise, mne.create_info(["T7", "O2"], 100, "eeg"), verbose="error").save(path, verbose="error")
    return path


@pytest.mark.parametrize("make, name, message", [
    (lambda path: path.write_bytes(b""), "z.edf", "found 0 bytes"),
    (lambda path: (save_edf(path), truncate(path)), "z.edf", "truncated"),
    (lambda path: path.write_text("hello"), "z.vhdr", "MNE cannot read it"),
    (lambda path: (save_brainvision(path.parent, "z"), path.with_suffix(".eeg").unlink()), "z.vhdr", "MNE cannot"),
    (lambda path: path.write_bytes(b"\xffBIOSEMI" + bytes(999)), "z.bdf", "number of signals"),
    (lambda path: path.write_bytes(b"x" * 5000), "z_raw.fif", "damaged or cut off"),
    (lambda path: (save_set(path), truncate(path)), "z.set", "damaged or cut off"),
    (lambda path: truncate(save_fif(path)), "z_raw.fif", "damaged or cut off"),
    (lambda path: path.write_bytes(save_fif(path).read_bytes().replace(struct.pack(">f", 100), struct.pack(">f", -1))),
     "z_raw.fif", "expected a rate below"),
    (lambda path: path.write_bytes(b"x" * 5000), "z.cnt", "MNE cannot read it"),
    (lambda path: save_edf(path, ["Cz", "EEG CZ-REF"]), "z.edf", "'Cz' and 'EEG CZ-REF' are one electrode"),
    (lambda path: save_edf(path, ["ECG", "ch2"]), "z.edf", "none of its channels is an electrode.*ECG, ch2"),
    (lambda path: save_edf(path, units="V"), "z.edf", "expected microvolt"),
    (lambda path: save_edf(path, units=""), "z.edf", "found the units"),
    (lambda path: path.write_bytes(edf_by_hand(reserved="EDF+D")), "z.edf", "with gaps"),
])
def test_faulty_files_are_skipped_by_name(tmp_path, make, name, message):
    make(tmp_path / name)
    root = tmp_path
    with pytest.raises(DatasetError, match=f"{root.name}.*{message}"):
        eeg_folder.read(root)  # nothing is left
    save_edf(root / "good.edf")
    trials = eeg_folder.read(root)
    assert list(trials.table["file"]) == ["good.edf"]
    skipped = [line for line in trials.decisions if line.startswith("skipped: ")]
    assert len(skipped) == 1 and str(root / name) in skipped[0]
    with pytest.raises(DatasetError, match=message):
        raise DatasetError(skipped[0])
    report = eeg_folder.check(root)
    assert report.ok and (skipped == report.missing or "microvolt" in message)  # signals are not read


def test_a_signal_without_limits_matters_only_where_it_is_asked_for(tmp_path):
    save_edf(tmp_path / "a.edf", ("Fp1", "Cz", "IBI"))
    save_edf(tmp_path / "b.edf", ("Fp1", "Cz", "IBI"))
    path = tmp_path / "b.edf"
    path.write_bytes(with_limits(with_limits(path.read_bytes(), 1, 0, 0), 2, 0, 0))
    trials = eeg_folder.read(tmp_path)
    assert trials.table["file"].tolist() == ["a.edf"]
    assert "skipped: " + str(path) + ": signal 'Cz': the physical limits must differ" in " ".join(trials.decisions)
    assert eeg_folder.read(tmp_path, ch_names=["Fp1"]).table["file"].tolist() == ["a.edf", "b.edf"]


def test_folders_without_eeg_are_refused(tmp_path):
    for path, message in ((tmp_path / "none", "no such folder"), (tmp_path, "expected EEG files .*found none")):
        with pytest.raises(DatasetError, match=message):
            eeg_folder.read(path)
        assert not eeg_folder.check(path).ok
    (tmp_path / ".hidden.edf").touch()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError, match="found none"):
        eeg_folder.read(tmp_path)


def test_facts():
    assert set(eeg_folder.FACTS) == {"name", "title", "licence", "source", "channels", "sfreq", "labels", "folders",
                                     "papers"}


# ---- damage of all kinds ----

@pytest.mark.parametrize("kind", ["edf", "bdf", "vhdr", "fif", "set"])
def test_damaged_files_are_read_or_refused(tmp_path, kind):
    path = tmp_path / f"bv.{kind}"
    if kind == "vhdr":
        save_brainvision(tmp_path)
    elif kind == "fif":
        path = save_fif(tmp_path / "bv_raw.fif")
    elif kind == "set":
        save_set(path)
    else:
        path.write_bytes(edf_by_hand(step=1000))
    if kind == "bdf":
        samples = b"".join(struct.pack("<i", 1000 * value)[:3] for value in range(12))
        path.write_bytes(b"\xffBIOSEMI" + edf_by_hand()[8:768] + samples)
    assert len(eeg_folder.read(tmp_path)) == 1

    @MUTATED
    @given(mutations(path.read_bytes()))
    def check(damaged):
        path.write_bytes(damaged)
        trials = reads_or_refuses(lambda: eeg_folder.read(tmp_path), path)
        assert trials is None or len(trials) == 1

    check()


# ---- real recordings ----

def test_real_recordings_are_read():
    folder = Path(os.environ.get("EEGEMO_DATA", "")) / "eeg_microstates"
    if "EEGEMO_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("EEGEMO_DATA/eeg_microstates is not there")
    trials = eeg_folder.read(folder, sfreq=100)
    assert trials.signals[0].shape == (30, 19200) and not mne.pick_types(trials.info, misc=True).size
    power = np.abs(np.fft.rfft(trials.signals[0][trials.info["ch_names"].index("O2")].reshape(-1, 400))) ** 2
    assert 8 < np.fft.rfftfreq(400, 0.01)[power.mean(axis=0)[12:].argmax() + 12] < 12  # alpha


# ---- what cannot be true ----

def test_people_known_by_file_names_only_are_said_to_be(tmp_path):
    for name in ("Subject00_1.edf", "Subject00_2.edf"):
        save_edf(tmp_path / name, seed=len(list(tmp_path.iterdir())))
    trials = eeg_folder.read(tmp_path)
    said = "people are taken from the names of files, such as Subject00_1 for Subject00_1.edf"
    assert trials.table["subject"].nunique() == 2
    for decisions in (trials.decisions, eeg_folder.check(tmp_path).decisions):
        assert any(line.startswith(said) and "by_subject" in line for line in decisions)


def test_copies_are_told_and_files_without_signal_skipped(tmp_path):
    for name in ("sub-1_task-a_eeg.edf", "sub-2_task-a_eeg.edf"):
        save_edf(tmp_path / name)
    edf.write_edf(tmp_path / "sub-3_task-a_eeg.edf", np.zeros((3, 200)), ["Fp1", "Cz", "O2"], 100)
    trials = eeg_folder.read(tmp_path)
    assert len(trials) == 2 and any("sub-3_task-a_eeg.edf: every channel is flat" in line for line in trials.decisions)
    assert ("sub-2_task-a_eeg.edf and sub-1_task-a_eeg.edf hold the same signals: one of them is a copy"
            in trials.decisions)
