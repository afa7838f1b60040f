"""Building corpora: what is stored, what is skipped and said, builds that were killed, damaged corpora."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import filelock
import h5py
import mne
import numpy as np
import pytest
from corpora import FIVE, make_corpus
from crashing import crash_on_three

from eegemo_utils import corpus
from eegemo_utils.corpus import index, preprocessing, store
from eegemo_utils.corpus.building import LOCK
from eegemo_utils.corpus.channels import labram_channels
from eegemo_utils.datasets import tuab
from eegemo_utils.datasets.formats.edf import write_edf
from eegemo_utils.processes import Died, each
from eegemo_utils.trials import DatasetError


def save_edf(path, names=("EEG Fp1-REF", "T3", "O2", "ECG"), sfreq=250, seconds=40, seed=0, **options):
    """An EDF file of noise, 20 microvolt; returns the noise."""
    signals = np.random.default_rng(seed).normal(0, 20, (len(names), seconds * sfreq))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_edf(path, signals, list(names), sfreq, **options)
    return signals


def save_fif(path, values):
    """A FIF file of two channels, in volts."""
    info = mne.create_info(["Cz", "Pz"], 200, "eeg")
    mne.io.RawArray(values, info, verbose="error").save(path, verbose="error")


# ---- channels ----

@pytest.mark.parametrize("name, known", [("EEG Fp1-REF", "FP1"), ("t3", "T3"), ("T7", "T7"), (" Cz ", "CZ"),
                                         ("EEG T1-LE", "T1"), ("TPP9H", "TPP9h"), ("fp1-f7", "FP1-F7"),
                                         ("A2-A1", None), ("ECG", None), ("FP1-F3", None), ("O1-A1", "O1"),
                                         *((f"{ear}-{reference}", ear) for ear in ("A1", "A2", "M1", "M2")
                                           for reference in ("REF", "LE", "AR", "AVG")),
                                         ("EEG a1-ref", "A1"), ("EEG A2-LE", "A2"), ("A1-M2", None), ("M1-A2", None),
                                         ("C3-A2", "C3"), ("C4-M1", "C4"), ("T3-REF", "T3"), ("FP1-AVG", "FP1")])
def test_channels_are_found_in_labrams_table_by_their_own_names(name, known):
    assert corpus.labram_name(name) == known


def test_a_corpus_of_the_temple_files_has_the_channels_that_the_notebook_reads(tmp_path, labram):
    tuab.write(tuab.simulate(4), tmp_path / "in")
    data = corpus.open(corpus.build(tmp_path / "in", tmp_path / "out", progress=False))
    named = labram.names_of("tuab", tuab.read(tmp_path / "in").info)
    assert [sorted(names) for names in data.montages] == [sorted(named)] and len(named) == 23
    with h5py.File(index.stored_paths(tmp_path / "out")[0]) as file:
        assert not any("A1" in name or "A2" in name for name in json.loads(file["eeg"].attrs["dropped"]))


def test_the_notebook_names_channels_as_a_corpus_does(labram):
    for name, row in (("EEG A1-REF", "A1"), ("M2-LE", "M2"), ("C3-A2", "C3"), ("EEG Fp1-AVG", "FP1"), ("A2-A1", None)):
        known = labram.bare_name(name) in labram.ROW_OF
        assert (labram.bare_name(name) if known else None) == corpus.labram_name(name) == row


def test_the_table_has_the_rows_of_the_released_code():
    rows = {name: row for row, name in enumerate(corpus.LABRAM_CHANNELS, 1)}
    # rows of the 23 channels of TUAB, which the released code's fine-tuning uses
    tuab = "FP1 FP2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 A1 A2 FZ CZ PZ T1 T2".split()
    assert [rows[name] for name in tuab] == [1, 3, 18, 22, 40, 44, 62, 66, 81, 83, 16, 24, 89, 91, 90, 92, 95, 96, 20,
                                             42, 64, 113, 114]
    assert len(rows) == 128 and rows["P8-O2"] == 128
    with pytest.raises(DatasetError, match="'Fp1' and 'EEG FP1' are one channel, FP1"):
        labram_channels(["Fp1", "EEG FP1"], "a.edf")
    with pytest.raises(DatasetError, match="a.edf: LaBraM has a row for none of its channels: ECG, x"):
        labram_channels(["ECG", "x"], "a.edf")


# ---- preprocessing ----

def test_preprocessing_is_the_papers_with_mnes_defaults():
    values = np.random.default_rng(0).normal(0, 20, (2, 500 * 40)) + 1000
    ours, remarks = preprocessing.preprocess(values, 500.0)
    raw = mne.io.RawArray(values * 1e-6, mne.create_info(["Cz", "Pz"], 500.0, "eeg"), verbose="error")
    raw.filter(l_freq=0.1, h_freq=75.0, verbose="error")
    raw.notch_filter(50.0, verbose="error")
    raw.resample(200, verbose="error")
    np.testing.assert_allclose(ours, raw.get_data(units="uV"), atol=1e-8)
    assert ours.shape == (2, 8000) and not remarks


def test_low_rates_lose_the_filters_that_they_cannot_have():
    t = np.arange(128 * 60) / 128
    values = np.sin(2 * np.pi * 10 * t)[None] * 20
    ours, remarks = preprocessing.preprocess(values, 128.0, (50.0, 60.0, 63.0))
    assert [line.split(", which")[0] for line in remarks] == ["recorded at 128 Hz: no low pass of 75 Hz",
                                                              "recorded at 128 Hz: no notch at 63 Hz"]
    middle = slice(2000, 10000)
    expected = 20 * np.sin(2 * np.pi * 10 * np.arange(12000) / 200)
    np.testing.assert_allclose(ours[0, middle], expected[middle], atol=0.5)
    assert "shorter than the 33 s" in preprocessing.preprocess(values[:, :1280], 128.0)[1][-1]
    with pytest.raises(DatasetError, match="more than 0.4 Hz, found 0.2"):
        preprocessing.preprocess(values, 0.2)


# ---- building ----

def test_a_folder_becomes_a_corpus(tmp_path):
    noise = save_edf(tmp_path / "in" / "ann" / "a.edf")
    save_edf(tmp_path / "in" / "b.edf", ("Cz", "Pz"), 200, seed=1)
    out = corpus.build(tmp_path / "in", tmp_path / "out", progress=False)
    data = corpus.open(out)
    assert [one.name for one in data.recordings] == ["ann/a.edf", "b.edf"]
    assert data.montages == [("FP1", "O2", "T3"), ("CZ", "PZ")]  # in the order of LaBraM's table
    assert data.hours == pytest.approx(80 / 3600) and list(data.table["montage"]) == [0, 1]
    assert data.decisions == ("channels dropped, since LaBraM has no row for them or they are flat, with the number of "
                              "recordings: ECG (1)",)
    stored = data.signal(0)
    expected, _ = preprocessing.preprocess(noise[[0, 2, 1]], 250.0)
    steps = np.abs(expected).max(axis=1, keepdims=True) / 32767
    edf_steps = np.ptp(noise, axis=1).max() / 65000  # what the EDF file rounds, through the filters
    assert (np.abs(stored - expected) < steps / 2 + 2 * edf_steps).all()
    np.testing.assert_array_equal(data.signal(0, 100, 300), stored[:, 100:300])
    assert corpus.check(out).ok and "2 recordings, 0.02 h" in repr(data)


def test_files_that_cannot_be_used_are_skipped_and_doubtful_ones_named(tmp_path):
    folder = tmp_path / "in"
    save_edf(folder / "good.edf", seconds=35)
    cut = folder / "cut.edf"
    save_edf(cut)
    cut.write_bytes(cut.read_bytes()[:-1000])
    save_edf(folder / "short.edf", seconds=1, sfreq=500, record_seconds=1)
    save_edf(folder / "other.edf", ("EMG1", "x"))
    values = np.random.default_rng(0).normal(0, 2e-5, (2, 7000))
    values[1, 50] = np.nan
    save_fif(folder / "nan_raw.fif", values)
    save_fif(folder / "large_raw.fif", np.random.default_rng(0).normal(0, 9e-4, (2, 7000)))
    save_fif(folder / "dead_raw.fif", np.stack([np.full(7000, 1e-5), np.random.default_rng(0).normal(0, 2e-5, 7000)]))
    save_fif(folder / "brief_raw.fif", np.random.default_rng(0).normal(0, 2e-5, (2, 199)))
    with pytest.warns(UserWarning, match=r"large_raw.fif: .* deviation of 8.\de\+02 microvolt .* expected 0.5 to 500"):
        out = corpus.build(folder, tmp_path / "out", progress=False)
    data = corpus.open(out)
    assert {one.name: one.ch_names for one in data.recordings} == {
        "dead_raw.fif": ("PZ",), "good.edf": ("FP1", "O2", "T3"), "large_raw.fif": ("CZ", "PZ"),
        "short.edf": ("FP1", "O2", "T3")}
    place = [one.name for one in data.recordings].index("dead_raw.fif")
    assert data.signal(place).shape == (1, 7000) and np.ptp(data.signal(place)) > 100
    said = "\n".join(data.decisions)
    for reason in (r"cut.edf: expected", "other.edf: LaBraM has a row for none", "nan_raw.fif: values of PZ are not",
                   "brief_raw.fif: expected at least 1 s, a patch, found 0.99"):
        assert f"skipped: {folder}/{reason}" in said
    assert "CZ (flat) (1)" in said and "short.edf: 1.0 s, shorter than the 33 s" in said
    with pytest.raises(DatasetError, match="no file could be used"):
        corpus.build(folder / "other.edf", tmp_path / "nothing", progress=False)
    with pytest.raises(DatasetError, match="found none"):
        corpus.build(tmp_path / "out", tmp_path / "nothing2", progress=False)


def test_a_killed_build_goes_on_and_gives_the_same_bytes(tmp_path):
    for number in range(5):
        save_edf(tmp_path / "in" / f"{number}.edf", seconds=60, seed=number)
    whole, out = tmp_path / "whole", tmp_path / "out"
    command = [sys.executable, "-m", "eegemo_utils", "corpus", "build", str(tmp_path / "in"), str(out), "--jobs", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not index.stored_paths(out) and process.poll() is None:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {path: path.stat() for path in index.stored_paths(out)}
    assert 1 <= len(before) < 5
    with pytest.raises(DatasetError, match="not finished"):
        corpus.open(out)
    assert f"not finished: {len(before)} of 5 files" in corpus.check(out).text()
    corpus.build(tmp_path / "in", out, progress=False)
    assert {path: path.stat() for path in before} == before  # not written again
    corpus.build(tmp_path / "in", whole, n_jobs=2, progress=False)
    names = [path.relative_to(whole) for path in sorted(whole.rglob("*")) if path.is_file() and path.name != LOCK]
    assert len(names) == 6
    for name in names:
        assert (whole / name).read_bytes() == (out / name).read_bytes()


def test_only_what_changed_is_made_again(tmp_path):
    for number in range(2):
        save_edf(tmp_path / "in" / f"{number}.edf", seed=number)
    out = corpus.build(tmp_path / "in", tmp_path / "out", progress=False)
    first, second = index.stored_paths(out)
    before, stamp = first.read_bytes(), second.stat().st_mtime_ns
    save_edf(tmp_path / "in" / "0.edf", seed=7)
    corpus.build(tmp_path / "in", out, progress=False)
    assert first.read_bytes() != before and second.stat().st_mtime_ns == stamp


def test_nothing_is_mixed(tmp_path):
    save_edf(tmp_path / "in" / "a.edf")
    out = corpus.build(tmp_path / "in", tmp_path / "out", progress=False)
    with pytest.raises(DatasetError, match=r"notch\": \[60.0\].*found one made with .*50.0.*new folder"):
        corpus.build(tmp_path / "in", out, notch=(60.0,), progress=False)
    save_edf(tmp_path / "elsewhere" / "b.edf")
    with pytest.raises(DatasetError, match="files that are not in the folder, such as recordings/a.edf.h5"):
        corpus.build(tmp_path / "elsewhere", out, progress=False)
    with pytest.raises(DatasetError, match="expected a new folder or a corpus, found other files"):
        corpus.build(tmp_path / "in", tmp_path / "elsewhere", progress=False)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["b.edf"], "a refusal writes nothing"
    with filelock.FileLock(out / LOCK), pytest.raises(DatasetError, match="another process builds"):
        corpus.build(tmp_path / "in", out, progress=False)
    with pytest.raises(ValueError, match="n_jobs must be at least 1"):
        corpus.build(tmp_path / "in", out, n_jobs=0)


def test_a_job_that_kills_its_process_takes_nothing_else_with_it():
    results = dict(each(crash_on_three, range(6), 2))
    assert isinstance(results.pop(3), Died) and results == {0: 0, 1: 1, 2: 4, 4: 16, 5: 25}


# ---- stored ----

def test_steps_are_as_fine_as_the_largest_value_allows():
    signals = np.array([[1.0, -32.767, 5], [0, 0, 0], [1e5, 1, 2]])
    steps, scale = store.quantise(signals)
    np.testing.assert_allclose(scale, [1e-3, 1 / 32767, 1e5 / 32767], rtol=1e-6)
    assert (np.abs(steps.T * scale[:, None].astype(float) - signals) <= scale[:, None] * 0.501).all()


def test_a_recording_says_what_it_is(tmp_path):
    make_corpus(tmp_path, [(FIVE, 5.0)])
    with h5py.File(index.stored_paths(tmp_path)[0]) as file:
        data = file["eeg"]
        assert data.dtype == np.int16 and data.shape == (1000, 5) and data.attrs["sfreq"] == 200
        assert json.loads(data.attrs["ch_names"]) == list(FIVE) and len(data.attrs["sha256"]) == 64


def test_damaged_corpora_are_refused_by_name(tmp_path):
    make_corpus(tmp_path)
    path = index.stored_paths(tmp_path)[1]
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(DatasetError, match="missing, truncated or of another size: sub-01.edf. Delete"):
        corpus.open(tmp_path)
    path.write_bytes(content[:20000] + bytes(100) + content[20100:])
    assert "sub-01.edf.h5: expected the numbers that were stored when it was built" in corpus.check(tmp_path).text()
    path.write_bytes(content)
    assert corpus.check(tmp_path).ok
    data = corpus.open(tmp_path)
    path.write_bytes(content[:30000])
    with pytest.raises(DatasetError, match="sub-01.edf.h5: expected a recording.* bytes too short.*Delete it"):
        data.signal(1)
    path.unlink()
    with pytest.raises(DatasetError, match="sub-01.edf.h5"):
        data.signal(1)
    (tmp_path / index.NAME).write_text("{")
    with pytest.raises(DatasetError, match="damaged"):
        corpus.open(tmp_path)
    with pytest.raises(DatasetError, match="found nothing there. Make one"):
        corpus.open(tmp_path / "none")
    with pytest.raises(ValueError, match="give the path"):
        corpus.open()


def test_a_corpus_of_another_code_version_is_named(tmp_path):
    make_corpus(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus.open(tmp_path)
    path = tmp_path / index.NAME
    content = json.loads(path.read_text())
    settings = json.loads(content["settings"]) | {"preprocessing": 0}
    path.write_text(json.dumps(content | {"settings": json.dumps(settings)}))
    with pytest.warns(UserWarning, match="made by version 0 of the preprocessing .* has version 3"):
        corpus.open(tmp_path)
    path.write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(DatasetError, match="a corpus of format 99, this code .* reads format 1"):
        corpus.open(tmp_path)
