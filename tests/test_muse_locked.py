"""Files and folders that the system does not give are faults in the usual words."""

import os
import stat

import pytest
from muse_recordings import fault_of, lines_of, save

from eegemo_utils import datasets
from eegemo_utils.datasets import emotions, muse
from eegemo_utils.trials import DatasetError

LOCKED = "that can be read, found: permission denied. Give yourself the right to read it, or take it away."


def test_a_locked_recording_is_a_fault(tmp_path, locked):
    save(tmp_path / "ann-calm-1.csv", lines_of())
    path = save(tmp_path / "bob-calm-1.csv", lines_of(seed=1))
    locked(path)
    assert fault_of(path) == f"{path}: expected a file {LOCKED}"


def test_a_locked_folder_among_others_is_a_fault(tmp_path, locked):
    save(tmp_path / "ann-calm-1.csv", lines_of())
    path = save(tmp_path / "bob" / "bob-calm-1.csv", lines_of(seed=1))
    locked(path.parent)
    with pytest.raises(DatasetError) as caught:
        muse.read(tmp_path)
    assert str(caught.value) == f"{path.parent}: expected a folder {LOCKED}"
    report = muse.check(tmp_path)
    assert not report.ok and report.missing[0] == f"fault: {caught.value}"


def test_a_locked_description_is_a_fault(tmp_path, locked):
    path = save(tmp_path / "ann-calm-1.csv", lines_of())
    path.with_name("DESCRIPTION.txt").write_bytes(b"caf\xe9")
    assert muse.read(tmp_path).description.startswith("caf")
    locked(path.with_name("DESCRIPTION.txt"))
    assert fault_of(path.with_name("DESCRIPTION.txt")).endswith(LOCKED)


def test_a_locked_folder_is_told_by_its_own_name(tmp_path, locked):
    folder = tmp_path / "mine"
    save(folder / "ann-calm-1.csv", lines_of())
    locked(folder)
    for name in (None, "muse", "emotions"):
        report = datasets.check(folder, name=name)
        assert not report.ok and report.missing == [f"fault: {folder}: expected a folder {LOCKED}"]
    with pytest.raises(DatasetError, match="mine.ann-calm-1.csv: expected a path that can be read"):
        datasets.check(folder / "ann-calm-1.csv")


def test_a_locked_table_is_told_by_its_name(tmp_path, locked):
    path = tmp_path / "emotions.csv"
    path.write_text("x")
    locked(path)
    with pytest.raises(DatasetError) as caught:
        emotions.read(tmp_path)
    assert str(caught.value) == f"{path}: expected a file {LOCKED}"
    for where in (tmp_path, path):
        report = datasets.check(where)
        assert report.name == "emotions" and report.missing == [f"fault: {caught.value}"]


def test_the_lock_of_these_tests_is_like_a_real_one(tmp_path):
    folder = tmp_path / "mine"
    path = save(folder / "ann-calm-1.csv", lines_of())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("nothing is locked for this user")
    assert fault_of(path) == f"{path}: expected a file {LOCKED}"
    folder.chmod(0)
    try:
        assert datasets.check(folder).missing == [f"fault: {folder}: expected a folder {LOCKED}"]
    finally:
        folder.chmod(stat.S_IRWXU)
