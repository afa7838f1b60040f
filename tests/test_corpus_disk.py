"""Building a corpus on a disk that is full: one line that says so, and nothing half-written that looks whole."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_corpus import save_edf

from eegemo_utils import corpus
from eegemo_utils.cli import main
from eegemo_utils.corpus import index

ADVICE = "Make room on that disk, then run the same command again: what is finished is kept."


@pytest.fixture
def two(tmp_path):
    """The command for a folder of a short and a long recording."""
    save_edf(tmp_path / "in" / "a.edf", seconds=40)
    save_edf(tmp_path / "in" / "b.edf", seconds=400)
    return ["corpus", "build", str(tmp_path / "in"), str(tmp_path / "out"), "--jobs", "1"]


def full_from(monkeypatch, name):
    """Every file whose name ends so cannot be moved to its place any more."""
    replace = os.replace

    def refuse(source, target):
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)


@pytest.mark.parametrize("name", ["corpus.json", "b.edf.h5"])
def test_a_full_disk_is_one_line_with_the_file_and_what_to_do(tmp_path, two, monkeypatch, capfd, name):
    with monkeypatch.context() as patch:
        full_from(patch, name)
        assert main(two) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line]
    (path,) = [tmp_path / "out" / name if name == index.NAME else index.recording_path(tmp_path / "out", "b.edf")]
    assert lines == [f"eegemo: {path}: cannot be written: no space left on device. {ADVICE}"]
    assert not list((tmp_path / "out").rglob("*.partial"))
    assert main(two) == 0 and corpus.check(tmp_path / "out").ok


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_file_that_grows_too_large_leaves_no_traceback_and_nothing_half(tmp_path, two, jobs):
    command = [sys.executable, "-m", "eegemo_utils", *two[:-1], jobs]
    run = subprocess.run(["bash", "-c", 'ulimit -f 100; exec "$@"', "bash", *command], capture_output=True, text=True)
    path = index.recording_path(tmp_path / "out", "b.edf")
    assert run.returncode == 2 and run.stderr.splitlines()[-1].startswith(
        f"eegemo: {path}: cannot be written: file too large. Raise the limit on the size of files (ulimit -f), then")
    for word in ("Traceback", "Exception ignored", "ref count", "unexpected pos"):
        assert word not in run.stderr
    assert not path.exists() and not corpus.check(tmp_path / "out").ok
    before = index.recording_path(tmp_path / "out", "a.edf").stat()
    assert main([*two[:-1], jobs]) == 0 and corpus.check(tmp_path / "out").ok
    assert index.recording_path(tmp_path / "out", "a.edf").stat() == before
