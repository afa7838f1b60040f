"""Whole runs of notebooks/gru.ipynb: real recordings, a table like emotions.csv, and a run that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from eegemo_utils.datasets import emotions
from eegemo_utils.datasets.bird_features import bird_features
from eegemo_utils.runs import run_notebook
from eegemo_utils.simulate import simulate_cohort

SHORT = {"epochs": 2, "column_step": 128, "n_hidden": 4, "n_seeds": 2}
STATES = ("NEGATIVE", "NEUTRAL", "POSITIVE")


def quiet(*_, **__):
    """Progress that nobody reads."""


@pytest.mark.skipif("EEGEMO_DATA" not in os.environ, reason="EEGEMO_DATA names no folder with real recordings")
def test_eight_real_recordings(tmp_path):
    given = SHORT | {"dataset": "muse", "data_root": "muse_lsl"}
    metrics = run_notebook("gru", given, out=tmp_path, progress=quiet).metrics
    assert (metrics["n_rows"], metrics["n_features"], metrics["n_chains"], metrics["n_outputs"]) == (1903, 2548, 8, 2)
    assert metrics["accuracy_forest_random_rows"] > 0.9 > metrics["noise_by_trial"]
    assert (tmp_path / "figures" / "gru_leak_ladder.png").stat().st_size > 10_000


@pytest.mark.slow
def test_newer_generator_and_official_recipe(tmp_path):
    given = SHORT | {"n_columns": 988, "recipe": "official", "protocol": "by_subject", "models_at_once": 1}
    metrics = run_notebook("gru", given, out=tmp_path, progress=quiet).metrics
    assert (metrics["n_features"], metrics["n_chains"]) == (988, 18)
    assert metrics["accuracy_by_subject"] is not None


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> dict:
    """Parameters of runs on a table like emotions.csv."""
    path = tmp_path_factory.mktemp("table") / "emotions.csv"
    cohort = simulate_cohort(n_subjects=2, states=STATES, n_recordings=3, n_seconds=12.0, random_state=3)
    emotions.write_table(bird_features(cohort), path, random_state=0)
    return SHORT | {"dataset": "emotions", "data_root": str(path), "recipe": "official"}


@pytest.fixture(scope="module")
def whole(table, tmp_path_factory) -> dict:
    """What a run on that table records when nobody stops it."""
    return run_notebook("gru", table, out=tmp_path_factory.mktemp("whole"), progress=quiet).metrics


@pytest.mark.slow
def test_table_in_the_layout_of_emotions_csv(whole):
    assert whole["n_chains"] == 18 and whole["n_features"] == 2548
    assert whole["accuracy_by_subject"] is None, "the table names no people"


def start(given: dict, out: Path) -> subprocess.Popen:
    words = [word for name, value in given.items() for word in ("-p", name, str(value))]
    main = "import sys; from eegemo_utils.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "run", "gru", *words, "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_run_killed_in_training_goes_on(table, whole, tmp_path):
    run = start(table, tmp_path)
    while run.poll() is None and not list(tmp_path.glob("checkpoints/ladder_*.pt")):
        time.sleep(0.05)
    kernels = psutil.Process(run.pid).children(recursive=True)
    for kernel in kernels:
        kernel.send_signal(signal.SIGKILL)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 138 and "killed" in said and "run again" in said, said
    assert not (tmp_path / "gru.ipynb").exists()
    assert (tmp_path / "gru.failed.ipynb").exists()
    checkpoints = list((tmp_path / "checkpoints").glob("*.pt"))
    assert len(checkpoints) >= 3, "the article's run, the seeds and the first rung were done"
    again = run_notebook("gru", table, out=tmp_path, progress=quiet).metrics
    different = {name for name in whole if again[name] != whole[name]}
    assert not different
