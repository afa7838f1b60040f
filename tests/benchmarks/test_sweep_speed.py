"""What a sweep costs beside plain papermill, what two workers give, and what the scheduler costs for 2,000 runs."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from eegemo_utils.sweep.control import Sweep
from eegemo_utils.sweep.engines import local
from eegemo_utils.sweep.files import Run
from eegemo_utils.sweep.state import Outcome
from eegemo_utils.sweep.work import tell_start

ROOT = Path(__file__).resolve().parents[2]
N_RUNS, SECONDS = 4, 45  # seconds of work: a little less than the default run of each notebook
# a loop in papermill alone: a process, the notebooks one after another, nothing checked, nothing kept apart
PLAIN = """import sys, papermill
for seed in range(int(sys.argv[2])):
    papermill.execute_notebook(sys.argv[1], f"plain-{seed}.ipynb", {"seed": seed}, progress_bar=False)"""
# a run takes processor time, not a time on the wall: half of a machine makes it twice as long
WORK = f"""import time
end = time.process_time() + {SECONDS}
while time.process_time() < end:
    sum(range(1000))"""


@pytest.fixture
def sweep_file(notebook, tmp_path):
    """A sweep over a notebook that works for a while."""
    notebook(("seed: int = 0  # of everything", "parameters"), 'LIMITS = {"seed": (0, 99)}', WORK)
    grid = {"seed": {"from": 0, "to": N_RUNS - 1}}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump({"notebook": "tiny.ipynb", "grid": grid}))
    return tmp_path / "sweep.yaml"


def call(folder: Path, *words) -> dict[str, float]:
    """Run a program to its end and return its seconds, and those of the processor."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *map(str, words)], cwd=folder, env=environment, check=True, capture_output=True)
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": time.perf_counter() - started, "processor_seconds": processor}


def test_one_and_two_workers_beside_plain_papermill(benchmark, sweep_file):
    """The overhead of a sweep with one worker over the same runs in plain papermill; what a second worker gives."""
    folder, found = sweep_file.parent, {}

    def all_ways():
        found["plain papermill"] = call(folder, "-c", PLAIN, folder / "tiny.ipynb", N_RUNS)
        for workers in (1, 2):
            words = ("--out", folder / str(workers), "--workers", workers)
            found[f"{workers} worker(s)"] = call(folder, "-m", "eegemo_utils", "sweep", sweep_file, *words)

    benchmark.pedantic(all_ways, rounds=1)
    plain, one, two = (each["seconds"] for each in found.values())
    facts = {"runs": N_RUNS, "overhead_of_one_worker": one / plain - 1, "two_workers_ratio": one / two}
    benchmark.extra_info.update(found, **facts)
    print(f"\n{found}\n{facts}")
    assert len(list(folder.glob("plain-*.ipynb"))) == N_RUNS
    assert [len(list(folder.glob(f"{workers}/*/tiny.ipynb"))) for workers in (1, 2)] == [N_RUNS, N_RUNS]


def test_the_repeat_of_twenty_finished_runs(benchmark, sweep_file):
    """Twenty folders of finished runs: one was run, the others are its copies with another seed."""
    folder = sweep_file.parent
    source = folder / "tiny.ipynb"
    source.write_text(source.read_text().replace(f"+ {SECONDS}", "+ 0"))
    sweep_file.write_text(yaml.safe_dump({"notebook": "tiny.ipynb", "grid": {"seed": [0]}}))
    words = ("-m", "eegemo_utils", "sweep", sweep_file, "--out", folder / "out")
    call(folder, *words)
    for seed in range(1, 20):
        copy = shutil.copytree(folder / "out" / "tiny-seed=0", folder / "out" / f"tiny-seed={seed}")
        for name in ("run.json", "metrics.json"):
            content = json.loads((copy / name).read_text())
            content["parameters"]["seed"] = seed
            (copy / name).write_text(json.dumps(content))
    sweep_file.write_text(yaml.safe_dump({"notebook": "tiny.ipynb", "grid": {"seed": {"from": 0, "to": 19}}}))
    facts = benchmark.pedantic(call, (folder, *words), rounds=3)
    benchmark.extra_info.update(facts)
    print(f"\n{facts}")
    entries = json.loads((folder / "out" / "sweep.json").read_text())["runs"]
    assert [entry["status"] for entry in entries] == ["done"] * 20


def trivial(task: dict) -> Outcome:
    """What the scheduler sees of a run, without a notebook: it starts, leaves a folder with a file, ends."""
    tell_start(task)
    folder = Path(task["folder"])
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"metrics": {"accuracy": 0.5}}))
    return Outcome("done", attempts=1, seconds=0.0)


@pytest.mark.parametrize("count", [500, 2000])
def test_many_runs_eight_workers(benchmark, tmp_path, count):
    runs = [Run(f"trivial-seed={seed}", Path("trivial.ipynb"), {"seed": seed}, ("seed",)) for seed in range(count)]
    outcomes = {run.name: Outcome() for run in runs}
    with local(count, 8) as engine:
        going = Sweep("many", runs, outcomes, tmp_path, task=trivial, say=lambda _line: None)
        before = psutil.Process().memory_info().rss
        benchmark.pedantic(going.execute, (engine,), rounds=1)
        grown = psutil.Process().memory_info().rss - before
    facts = {"ms_a_run": 1e3 * benchmark.stats["mean"] / count, "scheduler_mb": before / 2**20,
             "grown_mb": grown / 2**20, "kb_a_run": grown / 2**10 / count}
    benchmark.extra_info.update(facts)
    print(f"\n{count} runs: {facts}")
    assert all(outcome.status == "done" and outcome.attempts == 1 for outcome in outcomes.values())
    assert len(json.loads((tmp_path / "sweep.json").read_text())["runs"]) == count
