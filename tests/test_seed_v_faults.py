"""SEED-V: faulty and foreign files are named, damaged ones are read or refused, and no pickle runs."""

import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses
from seed_v_recordings import NAMES, npz, recording

from eegemo_utils.datasets import seed_v
from eegemo_utils.trials import DatasetError


def fault_of(root, form, name):
    """Message of the error; it must name the file, and `check` must give it too."""
    with pytest.raises(DatasetError) as caught:
        seed_v.read(root, form=form)
    report = seed_v.check(root)
    assert not report.ok and any(str(caught.value) in line for line in report.missing)
    assert name in str(caught.value) and "Doe" not in str(caught.value)
    return str(caught.value)


# ---- bad recordings ----

@pytest.mark.parametrize("options, message", [
    (dict(rate=200), "expected 1000 samples a second, found 200"),
    (dict(names=NAMES[1:]), "missing or more than once: Fp1"),
    (dict(names=["FPZ", *NAMES[1:]]), "missing or more than once: Fp1, Fpz"),
    (dict(names=[f"E{number}" for number in range(66)]), "missing or more than once: Fp1, Fpz, Fp2"),
    (dict(n_times=1499), "expected 1.5 s of signal at least, where the last clip ends, found 1.499 s"),
    (dict(calibration=2e-9), "trial 1: expected microvolt, found .* looks like volts"),
    (dict(calibration=2e4), "trial 1: expected microvolt"),
    (dict(calibration=float("nan")), "trial 1: values of Fp1 are not finite"),
    (dict(clips=[]), "a cut file, or another session's"),
])
def test_faulty_recordings_are_named(tmp_path, options, message):
    recording(tmp_path, **options)
    with pytest.raises(DatasetError, match=f"(?i){message}"):
        seed_v.read(tmp_path)
    fault_of(tmp_path, "raw", "3_1_20180414.cnt")


@pytest.mark.parametrize("place, form, value, message", [
    (0, "<4s", b"ANT ", "expected a Neuroscan .cnt file"), (370, "<H", 0, "fits its samples, found 0 channels"),
    (370, "<H", 65, "fits its samples, found 65"), (864, "<i", 1601, "found 66 channels, 1601 samples"),
    (864, "<i", -5, "found 66 channels, -5 samples"), (886, "<i", 2**30, "fits its samples"),
    (894, "<i", 2**30, "blocks of"), (886, "<i", -1, "fits its samples")])
def test_headers_that_do_not_fit_are_refused(tmp_path, place, form, value, message):
    path, _ = recording(tmp_path)
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, place, value)
    path.write_bytes(content)
    assert message in fault_of(tmp_path, "raw", path.name)


def test_cut_and_empty_recordings_are_refused(tmp_path):
    path, _ = recording(tmp_path)
    whole = path.read_bytes()
    for content, message in ((whole[:-20], "the file is cut off"), (whole[:950], "the file is cut off"),
                             (b"", "found 0 bytes"), (whole[:-9] + struct.pack("<Bii", 1, 80, 0), "table of events"),
                             (whole[:-9] + struct.pack("<Bii", 9, 0, 0), "found kind 9")):
        path.write_bytes(content)
        assert message in fault_of(tmp_path, "raw", path.name)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[[[0, 1]], [[2, 1]], []]", '[[["a", 1]], [], []]', "[[[0]], [], []]",
                                  "[[[0, NaN]], [], []]", "[[[0, Infinity]], [], []]", "[1, 2, 3]", "null"])
def test_seconds_that_cannot_be_are_refused(tmp_path, text):
    recording(tmp_path)
    (tmp_path / "simulated_clips.json").write_text(text)
    assert "start and end of the clips" in fault_of(tmp_path, "raw", "simulated_clips.json")


def test_folders_that_are_not_seed_v_are_refused(tmp_path):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match="files <person>_<session>_<yyyymmdd>.cnt in EEG_raw, found none"):
            seed_v.read(root)
        assert not seed_v.check(root).ok
    recording(tmp_path)
    recording(tmp_path, "3_1_20180415.cnt")
    assert "expected one file of person 3, session 1" in fault_of(tmp_path, "raw", "3_1_20180415.cnt")


# ---- bad features ----

def edit(key, values=None, labels=None):
    def change(data, label):
        if values is not None:
            data[key] = values
        if labels is not None:
            label[key] = labels
    return change


@pytest.mark.parametrize("change, message", [
    (lambda data, label: data.pop(7), "missing: 7"), (lambda data, label: label.pop(44), "missing: 44"),
    (lambda data, label: data.update({45: data[0]}), "with the keys 0 to 44"),
    (lambda data, label: data.update({"a": data[0]}), "with the keys 0 to 44"),
    (lambda data, label: data.clear(), "of 0 such keys"),
    (edit(3, np.zeros((46, 309))), r"trial 3: .*of shape \(windows, 310\), found float64 of shape \(46, 309"),
    (edit(3, np.zeros((46, 62, 5))), r"found float64 of shape \(46, 62, 5\)"),
    (edit(3, np.zeros((0, 310)), np.zeros(0)), r"shape \(0, 310\)"), (edit(3, "text"), "found str"),
    (edit(3, np.full((46, 310), np.nan)), "trial 3: values that are not finite"),
    (edit(3, np.full((46, 310), 1e300)), "trial 3: values that are not finite"),
    (edit(3, labels=np.full(46, 5)), r"trial 3: expected the label 2 for each of 46 windows, found \[5\]"),
    (edit(3, labels=np.full(45, 2)), "expected the label 2 for each of 46 windows"),
    (edit(3, labels=[2] * 46), "found list"), (edit(3, labels="happy"), "found str"),
])
def test_faulty_features_are_named(tmp_path, change, message):
    npz(tmp_path, change=change)
    with pytest.raises(DatasetError, match=message):
        seed_v.read(tmp_path, form="features")
    fault_of(tmp_path, "features", "3_123.npz")


def test_another_number_of_windows_is_said(tmp_path):
    npz(tmp_path, change=edit(3, np.zeros((40, 310)), np.full(40, 2)))
    assert len(seed_v.read(tmp_path, form="features")) == 1823 - 6
    report = seed_v.check(tmp_path)
    assert report.ok and any("trial(s) 3 have another number of windows" in line for line in report.decisions)


class Runs:
    """A pickle of this makes a folder when it is opened with pickle.load."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_runs_nothing(tmp_path):
    trap = tmp_path / "trap"
    path = npz(tmp_path, change=edit(3, Runs(trap)))
    message = fault_of(tmp_path, "features", path.name)
    assert "mkdir" in message and "Nothing was run" in message
    objects = np.empty((), dtype=object)
    objects[()] = Runs(trap)
    np.savez(path, data=objects, label=objects)
    assert "mkdir" in fault_of(tmp_path, "features", path.name)
    assert not trap.exists()


@pytest.mark.parametrize("arrays, message", [
    (dict(data=np.zeros(3)), "a pickled dictionary each, found data"), (dict(), "found nothing"),
    (dict(data=b"text", label=b"text"), "damaged or cut off"),
    (dict(data=pickle.dumps([1]), label=pickle.dumps([1])), "found list of 0 such keys")])
def test_other_archives_are_refused(tmp_path, arrays, message):
    path = npz(tmp_path)
    np.savez(path, **arrays)
    assert message in fault_of(tmp_path, "features", path.name)
    path.write_bytes(path.read_bytes()[:-30] if arrays else b"")
    assert "expected a whole .npz file" in fault_of(tmp_path, "features", path.name)


# ---- damaged files ----

def test_damaged_recordings_are_read_or_refused(tmp_path):
    path, _ = recording(tmp_path, clips=[(0.0, 0.02)], n_times=30, events=[(5, 1), (9, 2)])
    whole = path.read_bytes()

    @MUTATED
    @given(mutations(whole))
    def check(damaged):
        path.write_bytes(damaged)
        reads_or_refuses(lambda: seed_v.read(tmp_path), path)

    check()


def test_damaged_features_are_read_or_refused(tmp_path):
    path = npz(tmp_path, trials=[4])
    (tmp_path / "DESCRIPTION.txt").write_text("simulated SEED-V cohort\n")
    assert len(seed_v.read(tmp_path, form="features")) == 36
    whole, label = path.read_bytes(), np.load(path)["label"]
    data = pickle.dumps({4: np.zeros((36, 310))})

    @MUTATED
    @given(mutations(whole))
    def check_archive(damaged):
        path.write_bytes(damaged)
        reads_or_refuses(lambda: seed_v.read(tmp_path, form="features"), path)

    @MUTATED
    @given(mutations(data))
    def check_pickle(damaged):  # in a whole archive, whose checksums would keep it out
        np.savez(path, data=damaged, label=label)
        reads_or_refuses(lambda: seed_v.read(tmp_path, form="features"), path)

    check_archive()
    check_pickle()
