"""Sweeps that run: what dies is repeated, what is done is skipped, what fails harms nobody else."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
import yaml

from eegemo_utils import cli

EEGEMO = (sys.executable, "-m", "eegemo_utils")
ROOT = Path(__file__).resolve().parents[1]
PARAMETERS = ("seed: int = 0  # of everything\nthen: str = 'end'  # what to do", "parameters")
LIMITS = """LIMITS = {"seed": (0, 99), "then": ["end", "wait", "raise", "fill"]}
import os, time
from pathlib import Path
out = Path(os.environ["EEGEMO_OUT"])"""
# the first attempt of a run that waits does so until it is killed; the second goes through
WORK = """mark = out.parent / f"waits-{seed}"
if then == "wait" and not mark.exists():
    mark.write_text(f"{os.getpid()} {os.getppid()}")
    time.sleep(600)
if then == "raise":
    raise ValueError("no such luck")
if then == "fill":
    (out / "large.bin").write_bytes(bytes(10**7))
print("threads", os.environ["OMP_NUM_THREADS"])"""
END = """with open(out.parent / "ends", "a") as log:
    log.write(f"{seed} ")"""


@pytest.fixture
def tiny(notebook):
    """A notebook that does what the parameter `then` says and writes down that it reached its end."""
    return notebook(PARAMETERS, LIMITS, "## Work", WORK, END)


@pytest.fixture
def sweep(tiny, tmp_path):
    """Function that starts `eegemo sweep` over the tiny notebook in a process of its own."""
    started = []

    def start(*words, out=tmp_path / "out", **keys):
        write(tmp_path, **keys)
        command = [*EEGEMO, "sweep", tmp_path / "sweep.yaml", "--out", out, *map(str, words)]
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        environment |= {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
        started.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                child.kill()
        process.communicate()


def write(folder: Path, **keys) -> None:
    """Write a sweep over the tiny notebook."""
    (folder / "sweep.yaml").write_text(yaml.safe_dump({"notebook": "tiny.ipynb", **keys}, sort_keys=False))


def dry_run(folder: Path, capsys, out: Path | None = None) -> tuple[int, str]:
    """Exit code and stdout of a dry run of the sweep that was last written, in this process."""
    capsys.readouterr()
    code = cli.main(["sweep", str(folder / "sweep.yaml"), "--out", str(out or folder / "out"), "--dry-run"])
    return code, capsys.readouterr().out


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of a process at its end."""
    stdout, stderr = process.communicate(timeout=300)
    return process.returncode, stdout, stderr


def until(there, process: subprocess.Popen) -> None:
    """Wait for something, as long as the process runs."""
    while not there():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def summary(out: Path) -> dict[str, dict]:
    """The entries of sweep.json by the seed of the run."""
    return {entry["parameters"]["seed"]: entry for entry in json.loads((out / "sweep.json").read_text())["runs"]}


@pytest.mark.slow
def test_twenty_runs_a_dead_kernel_a_dead_worker_then_nothing_then_one(sweep, tmp_path, capsys):
    out = tmp_path / "out"
    grid = {"seed": {"from": 0, "to": 19}}
    waiting = {"exclude": [{"seed": 3}, {"seed": 8}],
               "include": [{"seed": 3, "then": "wait"}, {"seed": 8, "then": "wait"}]}
    process = sweep("--workers", 2, grid=grid, **waiting)
    for seed, which in ((3, 0), (8, 1)):  # the kernel of one, the worker process of the other
        mark = out / f"waits-{seed}"
        until(lambda mark=mark: mark.exists() and len(mark.read_text().split()) == 2, process)
        os.kill(int(mark.read_text().split()[which]), signal.SIGKILL)
    code, stdout, stderr = finish(process)
    assert code == 0, stdout + stderr
    assert sorted(map(int, (out / "ends").read_text().split())) == list(range(20)), "each run ended exactly once"
    entries = summary(out)
    assert len(entries) == 20 and all(entry["status"] == "done" for entry in entries.values())
    assert {seed for seed, entry in entries.items() if entry["attempts"] == 2} == {3, 8}
    assert sum(entry["attempts"] for entry in entries.values()) == 22
    repeated = [line for line in stderr.splitlines() if line.startswith("repeated: ")]
    assert [("seed=3" in line, "seed=8" in line) for line in repeated] == [(True, False), (False, True)]
    assert not list(out.rglob("*partial*")) + list(out.rglob("*.failed.ipynb")) + list(out.rglob("error.json"))
    for entry in entries.values():
        assert nbformat.read(out / entry["name"] / "tiny.ipynb", 4).cells[-1].execution_count is not None
    assert "what runs where: http://127.0.0.1:" in stdout and "2 workers" in stdout

    started = time.monotonic()
    code, stdout, stderr = finish(sweep("--workers", 2, grid=grid, **waiting))
    took = time.monotonic() - started
    assert code == 0 and "0 to run" in stdout and "20 done" in stdout and took < 20, "no cluster was started"
    assert {seed for seed, entry in summary(out).items() if entry["attempts"] == 2} == {3, 8}, "kept"

    damaged = out / summary(out)[11]["name"] / "tiny.ipynb"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    code, stdout = dry_run(tmp_path, capsys)
    assert [line.split()[0] for line in stdout.splitlines() if "  damaged: " in line] == ["tiny-seed=11"]
    assert "tiny.ipynb is cut off" in stdout and "20 runs: 19 done, 0 failed, 1 damaged, 0 left" in stdout
    code, stdout, _ = finish(sweep("--workers", 1, grid=grid, **waiting))
    assert code == 0 and "1 to run" in stdout
    assert sorted(map(int, (out / "ends").read_text().split())) == sorted([*range(20), 11])


@pytest.mark.slow
def test_each_failure_is_one_line_and_harms_nobody_else(sweep, tmp_path, capsys):
    out = tmp_path / "out"
    grid = {"then": ["end", "raise", "wait"]}
    code, stdout, stderr = finish(sweep("--workers", 2, "--timeout", 15, grid=grid, include=[{"seed": 100}]))
    assert code == 1
    note, *lines = stderr.splitlines()
    assert "note: " in note and "does not name then, which the grid varies, and takes then=end" in note
    assert len(lines) == 3 and all(line.startswith("eegemo: failed: tiny-") for line in lines), stderr
    for name, said, kind, cell in (
        ("tiny-then=raise", "In [4], section 'Work': the cell raised ValueError: no such luck", "raised", 4),
        ("tiny-then=wait", "In [4], section 'Work': the time limit of 15 s", "timeout", 4),
        ("tiny-seed=100", "Parameter 'seed' is 100, but it takes a whole number from 0 to 99", "parameters", None),
    ):
        assert [said in line for line in lines if f"failed: {name}: " in line] == [True]
        error = json.loads((out / name / "error.json").read_text())
        assert (error["kind"], error["cell"]) == (kind, cell) and said in error["error"]
        assert not (out / name / "tiny.ipynb").exists()
    assert "4 runs: 1 done, 3 failed, 0 left" in stdout.splitlines()[-1]
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    assert f"threads {threads}" in (out / "tiny-then=end" / "tiny.ipynb").read_text(), "the cores are divided"

    code, stdout = dry_run(tmp_path, capsys)
    assert [line.split("  ")[-1].strip() for line in stdout.splitlines()[1:4]] == [
        "done", "left: failed before (raised)", "left: failed before (timeout)"]
    assert code == 1, "one has parameters that cannot be run"


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own that holds half a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
def test_a_full_disk(sweep, small_disk, tmp_path, capsys):
    (small_disk / "ballast").write_bytes(bytes(484_000))
    code, stdout, stderr = finish(sweep("--workers", 1, out=small_disk / "out", grid={"seed": [0, 1, 2]}))
    failed = [line for line in stderr.splitlines() if line.startswith("eegemo: failed: ")]
    assert code == 1 and failed and all("No space left on device" in line for line in failed), stdout + stderr
    done = list((small_disk / "out").glob("*/tiny.ipynb"))
    assert len(done) + len(failed) == 3 and "Traceback" not in stderr
    assert all(nbformat.read(path, 4).cells[-1].execution_count for path in done), "whole or not there"
    (small_disk / "ballast").unlink()
    code, stdout = dry_run(tmp_path, capsys, small_disk / "out")
    assert code == 0 and f"{len(done)} done, 0 failed" in stdout, "the next call runs what the disk did not take"


@pytest.mark.slow
def test_ctrl_c_leaves_what_is_finished_and_no_process_and_a_second_sweep_is_kept_out(sweep, tmp_path, capsys):
    out = tmp_path / "out"
    grid = {"seed": [0, 1, 2], "then": ["end", "wait"]}
    process = sweep("--workers", 1, grid=grid, exclude=[{"seed": 0, "then": "wait"}])
    until(lambda: (out / "waits-1").exists(), process)
    assert cli.main(["sweep", str(tmp_path / "sweep.yaml"), "--out", str(out)]) == 2
    assert "Another sweep is at work" in capsys.readouterr().err
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    code, stdout, stderr = finish(process)
    assert code == 130 and "Traceback" not in stderr and "Stopping" in stdout
    assert "5 runs: 2 done, 0 failed, 3 left" in stdout.splitlines()[-1]
    assert [entry["status"] for entry in json.loads((out / "sweep.json").read_text())["runs"]] == [
        "done", "done", "left", "left", "left"]
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert not list(out.rglob("*partial*"))
