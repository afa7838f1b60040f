"""Sweeps on other machines: a scheduler by its address, dask-jobqueue's local jobs, a real Slurm of one node."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dask_jobqueue.local import LocalCluster
from distributed import Nanny, Scheduler, SpecCluster
from one_node_slurm import installed, one_node_slurm

from eegemo_utils.notebooks import ParameterError
from eegemo_utils.sweep import engines, slurm
from eegemo_utils.sweep.control import Sweep
from eegemo_utils.sweep.files import read_sweep
from eegemo_utils.sweep.state import look_at_all

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = {"jobs": 2, "cpus": 1, "memory": "1GB", "walltime": "00:10:00"}


@pytest.fixture
def sweep(notebook, tmp_path):
    """A sweep of three runs of a tiny notebook."""
    notebook(("seed: int = 0  # of everything", "parameters"), 'LIMITS = {"seed": (0, 9)}',
             'import os\nprint(os.getppid(), os.environ["OMP_NUM_THREADS"], os.environ.get("SLURM_JOB_ID"))')
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({"notebook": "tiny.ipynb", "grid": {"seed": [0, 1, 2]}}))
    return path


def cluster_file(folder: Path, **more) -> Path:
    """A cluster file with some lines more."""
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(CLUSTER | more))
    return path


def printed(out: Path) -> list[list[str]]:
    """The words that each run printed."""
    found = []
    for path in sorted(out.glob("*/tiny.ipynb")):
        cell = json.loads(path.read_text())["cells"][-1]
        found.append("".join(cell["outputs"][0]["text"]).split())
    return found


@pytest.mark.slow
def test_local_jobs(sweep, tmp_path):
    runs, out = read_sweep(sweep), tmp_path / "out"
    outcomes = look_at_all(runs, out)
    out.mkdir()
    with slurm.slurm(cluster_file(tmp_path, cpus=3), 1, cluster_class=LocalCluster) as engine:
        Sweep("x", runs, outcomes, out, say=lambda _line: None).execute(engine)
    assert [(outcome.status, outcome.attempts) for outcome in outcomes.values()] == [("done", 1)] * 3
    words = printed(out)
    assert len({parent for parent, *_ in words}) == 1, "one worker, one run after another"
    assert [threads for _, threads, _ in words] == ["3"] * 3, "all cores of the job are the run's"


@pytest.mark.slow
def test_a_scheduler_by_its_address(sweep, tmp_path, capsys):
    from eegemo_utils.cli import main

    worker = {"cls": Nanny, "options": {"nthreads": 1, "memory_limit": 0, "resources": {"GPU": 1}, "dashboard": False}}
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False}}
    with SpecCluster({0: worker}, scheduler, silence_logs=50) as cluster:
        words = ["sweep", str(sweep), "--out", str(tmp_path / "out"), "--gpus-per-run", "1"]
        assert main([*words, "--scheduler", cluster.scheduler_address]) == 0
    assert "3 runs: 3 done" in capsys.readouterr().out and len(printed(tmp_path / "out")) == 3
    assert main(["sweep", str(sweep), "--out", str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:1"]) == 0
    (tmp_path / "out" / "tiny-seed=1" / "tiny.ipynb").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "PATIENCE", 1)
        assert main(["sweep", str(sweep), "--out", str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:1" in capsys.readouterr().err


def test_a_real_slurm(sweep, tmp_path):
    if not installed():
        pytest.skip("Slurm and munge are not installed")
    (tmp_path / "slurm").mkdir()
    cluster = cluster_file(tmp_path, queue="main", log_directory=str(tmp_path / "logs"))
    command = [sys.executable, "-m", "eegemo_utils", "sweep", sweep, "--out", tmp_path / "out", "--slurm", cluster]
    try:
        with one_node_slurm(tmp_path / "slurm") as environment:
            environment |= {"PYTHONPATH": str(ROOT)}
            run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
            left = subprocess.run(["squeue", "-h", "-t", "RUNNING,PENDING"], env=environment, capture_output=True,
                                  text=True)
    except RuntimeError as error:
        pytest.skip(str(error))
    assert run.returncode == 0, run.stdout + run.stderr
    words = printed(tmp_path / "out")
    assert len(words) == 3 and {job for *_, job in words} <= {"1", "2"} and left.stdout == ""


@pytest.mark.parametrize(("text", "seconds"), [
    ("30", 1800), ("30:20", 1820), ("01:30:20", 5420), ("2-0", 172800), ("1-02:30", 95400), ("1-00:00:05", 86405)])
def test_walltimes(text, seconds):
    assert slurm.walltime_seconds(text) == seconds


def test_workers_end_before_their_jobs():
    for walltime in ("00:01:00", "01:00:00", "2-0"):
        arguments = slurm.lifetime(walltime)
        life, stagger = (float(arguments[place][:-1]) for place in (1, 3))
        assert arguments[::2] == ["--lifetime", "--lifetime-stagger"]
        assert 0.75 * slurm.walltime_seconds(walltime) < life < life + stagger < slurm.walltime_seconds(walltime) - 5


def test_what_a_job_is_asked_for(tmp_path):
    options = slurm.job_options(slurm.read_cluster(cluster_file(tmp_path, job_extra_directives=["--qos=x"])), 2)
    assert options["job_extra_directives"] == ["--qos=x", "--gres=gpu:2"]
    from dask_jobqueue import SLURMCluster

    with SLURMCluster(**options, scheduler_options={"dashboard": False}) as cluster:
        script = cluster.job_script()
    assert "#SBATCH --cpus-per-task=1" in script and "#SBATCH --gres=gpu:2" in script and "-t 00:10:00" in script
    assert script.index("--nthreads 1 --memory-limit 0 --preload") and "--lifetime 480s" in script


@pytest.mark.parametrize(("more", "said"), [
    ({"walltime": None}, "a time such as"),
    ({"walltime": "4 hours"}, "a time such as"),
    ({"walltime": 14400}, "in quotes"),
    ({"cores": 4}, "sets cores; a job takes one run: say cpus"),
    ({"partition": "main"}, "unexpected keyword argument 'partition'"),
])
def test_a_wrong_cluster_file(tmp_path, more, said):
    with pytest.raises(ParameterError, match=said), slurm.slurm(cluster_file(tmp_path, **more)):
        pass


@pytest.mark.slow
def test_jobs_that_are_not_taken(sweep, tmp_path):
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: nope' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "eegemo_utils", "sweep", sweep, "--slurm", cluster_file(tmp_path, queue="nope")]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2 and run.stderr.count("\n") == 1, run.stderr
    assert "Slurm does not take the jobs" in run.stderr and "invalid partition specified: nope" in run.stderr


def test_the_example_is_one():
    said = slurm.read_cluster(ROOT / "notebooks" / "sweeps" / "cluster.yaml")
    assert said["jobs"] == 8 and slurm.walltime_seconds(said["walltime"]) == 4 * 3600


@pytest.mark.parametrize(("found", "per_run", "wanted"), [
    (["0", "1"], 1, ["0", "1"]), (["0", "1", "2"], 2, ["0,1"]), (["0", "1"], 0.5, ["0", "0", "1", "1"]),
    (["7"], 1 / 3, ["7", "7", "7"])])
def test_gpu_slots(found, per_run, wanted):
    assert engines.gpu_slots(found, per_run) == wanted


@pytest.mark.parametrize("per_run", [3, 1.5, -1, 0.7])
def test_gpus_that_cannot_be_divided_so(per_run):
    with pytest.raises(ParameterError, match="--gpus-per-run"):
        engines.gpu_slots(["0", "1"], per_run)


def test_plans(monkeypatch):
    monkeypatch.setattr(engines, "cores", lambda: 8)
    monkeypatch.setattr(engines.psutil, "virtual_memory", lambda: type("M", (), {"total": 10 * 2**30}))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert engines.plan(100, None, None) == (5, [None] * 5), "as many as the memory holds"
    assert engines.plan(3, None, None) == (3, [None] * 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    assert engines.plan(100, None, None) == (4, ["0", "1", "2", "3"])
    assert engines.plan(3, None, 2) == (2, ["0,1", "2,3"])
    with pytest.raises(ParameterError, match="--gpus-per-run takes 1, 2"):
        engines.plan(100, 2, 0)
    with pytest.raises(ParameterError, match="--workers 5, but 4 GPUs"):
        engines.plan(100, 5, 1)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert engines.threads(3)["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert engines.threads(3)["OMP_NUM_THREADS"] == "7"


@pytest.mark.slow
def test_workers_see_their_gpus_only(sweep, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    with engines.local(2, None, 1) as engine:
        seen = engine.client.run(lambda: __import__("os").environ["CUDA_VISIBLE_DEVICES"])
    assert sorted(seen.values()) == ["4", "5"]


INTERRUPTED = """import asyncio, os, signal
from eegemo_utils.sweep import engines

class Slow(engines.Nanny):
    async def start_unsafe(self):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(1)
        return await super().start_unsafe()

engines.Nanny = Slow
if __name__ == "__main__":
    try:
        with engines.local(2, 2):
            print("ready")
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.slow
def test_workers_that_are_interrupted_while_they_start_end_in_silence(tmp_path):
    (tmp_path / "early.py").write_text(INTERRUPTED)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "early.py"], cwd=tmp_path, env=environment, capture_output=True, text=True,
                           timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted\n", "")
