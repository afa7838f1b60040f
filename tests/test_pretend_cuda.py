"""The CUDA path without a GPU: tests that need CUDA, and a short run of each notebook, on a pretend device."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pretend_cuda
import pytest

ROOT = Path(__file__).resolve().parents[1]
SITE = Path(pretend_cuda.__file__).parent / "site"
NEEDING_CUDA = ("test_on_cuda.py", "test_training.py")
SHORT = {  # parameters of a run in seconds, not in a minute
    "gru": {"epochs": 1, "batch_size": 128, "column_step": 256, "n_hidden": 4, "n_seeds": 1, "n_folds": 2},
    "multitask_cnn": {"epochs": 1, "tune_epochs": 1, "noise_epochs": 1, "noise_trials": 10, "noise_seeds": 1,
                      "batch_size": 96},
    "gmss": {"epochs": 1, "probe_epochs": 1, "n_seeds": 1, "n_folds": 2},
    "tnas": {"epochs": 1, "warmup_epochs": 0, "n_iterations": 1, "folds_used": 1, "batch_size": 64},
    "labram": {"tokenizer_epochs": 1, "pretraining_epochs": 1, "finetuning_epochs": 1, "n_seeds": 1},
}
CEILINGS = {  # launches and waits of the median step, of each network that takes ENOUGH steps
    "gru": (360, 0), "multitask_cnn": (110, 0), "gmss": (850, 0), "tnas": (350, 0), "labram": (400, 0),
}
ENOUGH = 10
needs_device = pytest.mark.skipif(pretend_cuda.missing() is not None, reason=str(pretend_cuda.missing()))


def python(*words: str, report: Path, time_limit: float = 1800) -> tuple[subprocess.CompletedProcess, list[dict]]:
    """Run Python on the pretend device; return the process, and what each process of it counted."""
    report.mkdir()
    paths = os.pathsep.join([str(SITE), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "PRETEND_CUDA_REPORT": str(report), "OMP_NUM_THREADS": "1"}
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    done = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, env=environment, text=True,
                          capture_output=True, timeout=time_limit)
    return done, [json.loads(path.read_text(encoding="utf-8")) for path in report.iterdir()]


@pytest.mark.parametrize(("version", "path", "words"), [
    ("2.14.1+cpu", os.environ["PATH"], "is made for PyTorch 2.13.0, found 2.14.1"),
    ("2.13.0+cpu", "", "needs g++, which is not on PATH")])
def test_it_says_in_one_line_why_it_is_not_there(monkeypatch, version, path, words):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    monkeypatch.setenv("PATH", path)
    assert words in pretend_cuda.missing() and "\n" not in pretend_cuda.missing()


@needs_device
@pytest.mark.slow
def test_what_needs_cuda_passes(tmp_path):
    tests = [ROOT / "tests" / name for name in NEEDING_CUDA]
    done, _ = python("-m", "pytest", "-q", "-k", "cuda", *tests, report=tmp_path / "report")
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout + done.stderr


def test_every_test_that_needs_cuda_is_among_them():
    words = 'reason="needs CUDA'
    found = [path.name for path in sorted((ROOT / "tests").glob("test_*.py")) if words in path.read_text("utf-8")]
    assert [name for name in found if name != Path(__file__).name] == sorted(NEEDING_CUDA)


@needs_device
@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_a_notebook_runs(name, tmp_path):
    chosen = [word for pair in SHORT[name].items() for word in ("-p", *map(str, pair))]
    run = ["-m", "eegemo_utils", "run", name, "--device", "cuda", *chosen, "--out", tmp_path / "out"]
    done, counted = python(*run, report=tmp_path / "report")
    assert done.returncode == 0, done.stdout + done.stderr
    kernel = max(counted, key=lambda each: each["launches"])
    trained = [step for step in kernel["steps"].values() if step["n"] >= ENOUGH]
    most = {count: max(step[count] for step in trained) for count in ("launches", "waits")}
    assert most["launches"] <= CEILINGS[name][0] and most["waits"] <= CEILINGS[name][1], json.dumps(kernel, indent=1)
