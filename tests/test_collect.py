"""`collect`: one row a run, whatever lies in the folder; damage is told by name, and the rest is read."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from eegemo_utils import cli, datasets
from eegemo_utils.collect import collect, folders, kind_of_data, write_tables
from eegemo_utils.notebooks import ParameterError
from eegemo_utils.sweep.files import Run
from eegemo_utils.sweep.state import Code, look
from tests import made_runs


def one(table, run):
    rows = table[table["run"] == run]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_row_a_run_at_any_depth(tmp_path):
    made_runs.finished(tmp_path / "a", metrics={"accuracy_published": 0.9, "n_rows": 5}, seed=1)
    made_runs.finished(tmp_path / "deep" / "b", "gmss", metrics={"accuracy_published": 0.8}, seed=2, dataset="seed")
    table = collect(tmp_path).table
    assert list(table["run"]) == ["a", "deep/b"]
    row = one(table, "a")
    assert (row["notebook"], row["status"], row["data"], row["code"]) == ("gru", "done", "simulated", "c0de")
    assert row["metrics.accuracy_published"] == 0.9 and row["metrics.n_rows"] == 5
    assert row["parameters.seed"] == 1 and row["provenance.torch"] == "2.13.0" and row["seconds"] == 1.5
    assert one(table, "deep/b")["data"] == "emotion"


def test_the_folder_of_one_run(tmp_path):
    made_runs.finished(tmp_path / "mine")
    assert list(collect(tmp_path / "mine").table["run"]) == ["mine"]


def test_what_lies_inside_a_run_is_not_a_run(tmp_path):
    run = made_runs.finished(tmp_path / "a")
    made_runs.finished(run / "previous")
    made_runs.finished(run / "checkpoints" / "x")
    assert list(collect(tmp_path).table["run"]) == ["a"]


def test_a_failed_run_says_why(tmp_path):
    made_runs.failed(tmp_path / "plain", seed=1)
    text = "Cell 7\nran out of time. What was reached is in /home/somebody/runs/x/gru.failed.ipynb."
    error = {"cell": 7, "error": text, "kind": "timeout", "attempts": 2}
    made_runs.failed(tmp_path / "swept", error=error)
    table = collect(tmp_path).table
    plain, swept = one(table, "plain"), one(table, "swept")
    assert (plain["status"], plain["reason"], plain["cell"]) == ("failed", "ValueError: no such electrode", 3)
    assert (swept["status"], swept["reason"], swept["cell"]) == ("failed", "Cell 7 ran out of time.", 7)
    assert (swept["kind"], swept["attempts"]) == ("timeout", 2)


def test_a_run_at_work_is_left(tmp_path):
    made_runs.write(tmp_path / "a" / "run.json", {"notebook": "gru", "code": "c", "parameters": {}})
    made_runs.write(tmp_path / "a" / "gru.partial.ipynb", "")
    row = one(collect(tmp_path).table, "a")
    assert (row["status"], row["reason"]) == ("left", "at work, or broken off")


def test_a_sweep_adds_what_only_it_knows(tmp_path):
    made_runs.finished(tmp_path / "gru-seed=0")
    made_runs.sweep(
        tmp_path,
        {"name": "gru-seed=0", "notebook": "gru", "parameters": {"seed": 0}, "status": "done", "attempts": 2},
        {"name": "gru-seed=1", "notebook": "gru", "parameters": {"seed": 1}, "status": "left", "attempts": 0},
        {"name": "gru-seed=2", "notebook": "gru", "parameters": {"seeed": 2}, "status": "failed", "attempts": 1,
         "error": "no parameter seeed"},
        {"name": "gru-seed=3", "notebook": "gru", "parameters": {"seed": 3}, "status": "done", "attempts": 1},
        {"name": "gru-seed=4", "notebook": "gru", "parameters": {"seed": 4}, "status": "failed", "attempts": 1},
    )
    made_runs.write(tmp_path / "gru-seed=4" / "error.json", {"error": "no parameter seeed", "kind": "parameters"})
    made_runs.finished(tmp_path / "by hand")
    collection = collect(tmp_path)
    table = collection.table
    assert one(table, "gru-seed=0")[["sweep", "attempts", "status"]].tolist() == ["small", 2, "done"]
    assert pd.isna(one(table, "gru-seed=1")["data"])  # a sweep names the given parameters only
    assert one(table, "gru-seed=1")["status"] == "left" and one(table, "gru-seed=1")["parameters.seed"] == 1
    assert one(table, "gru-seed=2")[["status", "reason"]].tolist() == ["failed", "no parameter seeed"]
    assert one(table, "gru-seed=3")["status"] == "damaged" and "gru-seed=3" in collection.problems[0]
    assert one(table, "gru-seed=4")[["status", "notebook", "parameters.seed"]].tolist() == ["failed", "gru", 4]
    assert pd.isna(one(table, "by hand")["sweep"])


DAMAGES = {
    "cut metrics": (lambda run: cut(run / "metrics.json"), "metrics.json is damaged"),
    "empty metrics": (lambda run: (run / "metrics.json").write_bytes(b""), "metrics.json is damaged"),
    "bytes": (lambda run: (run / "metrics.json").write_bytes(b"\xff\xfe\x00{"), "metrics.json is damaged"),
    "nan": (lambda run: made_runs.write(run / "metrics.json", '{"notebook": "gru", "metrics": {"a": NaN}}'), "NaN"),
    "a list": (lambda run: made_runs.write(run / "metrics.json", []), "expected an object, found list"),
    "no name": (lambda run: made_runs.write(run / "metrics.json", {"metrics": {}}), "expected the notebook's name"),
    "no values": (lambda run: made_runs.write(run / "metrics.json", {"notebook": "gru", "metrics": 3}), "'metrics'"),
    "deep": (lambda run: made_runs.write(run / "metrics.json", "[" * 100_000), "metrics.json is damaged"),
    "cut notebook": (lambda run: cut(run / "gru.ipynb"), "gru.ipynb is cut off"),
    "no notebook": (lambda run: (run / "gru.ipynb").unlink(), "gru.ipynb, which belongs to a finished run, is not"),
    "no metrics": (lambda run: (run / "metrics.json").unlink(), "metrics.json, which belongs to a finished run"),
    "no marker": (lambda run: (run / "run.json").unlink(), "run.json, which belongs to a finished run, is not"),
    "cut marker": (lambda run: cut(run / "run.json"), "run.json is damaged"),
    "cut after an inner brace": (lambda run: made_runs.write(run / "gru.ipynb", '{\n "cells": [],\n "metadata": {}'),
                                 "gru.ipynb is cut off"),
    "notebook a folder": (lambda run: instead(run / "gru.ipynb").mkdir(), "gru.ipynb is no regular file"),
    "metrics a folder": (lambda run: instead(run / "metrics.json").mkdir(), "metrics.json is no regular file"),
    "metrics a pipe": (lambda run: os.mkfifo(instead(run / "metrics.json")), "metrics.json is no regular file"),
    "notebook a pipe": (lambda run: os.mkfifo(instead(run / "gru.ipynb")), "gru.ipynb is no regular file"),
    "time in words": (lambda run: result(run, seconds="long"), "expected a number under 'seconds', found 'long'"),
    "memory without end": (lambda run: result(run, peak_memory_mb=10**400), "expected a number under 'peak_memory_mb'"),
    "half a letter": (lambda run: result(run, metrics={"name": "\ud800"}), "metrics.json is damaged"),
}


def instead(path):
    """The path of a file that is gone."""
    path.unlink()
    return path


def result(run, **keys):
    made_runs.write(run / "metrics.json", json.loads((run / "metrics.json").read_text()) | keys)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_by_name_and_the_rest_is_read(tmp_path, damage):
    spoil, said = DAMAGES[damage]
    made_runs.finished(tmp_path / "good", metrics={"accuracy_published": 0.5})
    spoil(made_runs.finished(tmp_path / "bad", metrics={"accuracy_published": 1.0}))
    collection = collect(tmp_path)
    assert one(collection.table, "good")["status"] == "done"
    bad = one(collection.table, "bad")
    assert bad["status"] == "damaged" and said in bad["reason"]
    assert pd.isna(bad["metrics.accuracy_published"])
    run, code = Run("bad", tmp_path / "gru.ipynb", {}), Code({}, {}, str)
    outcome = look(run, tmp_path, code)
    assert (outcome.status, outcome.why) == ("damaged", bad["reason"]), "a sweep says the same"
    assert len(collection.problems) == 1 and collection.problems[0].startswith("bad: ")


def test_a_folder_whose_name_is_no_text(tmp_path):
    made_runs.finished(tmp_path / "good", metrics={"accuracy_published": 0.5})
    try:
        os.rename(made_runs.finished(tmp_path / "bad"), os.fsencode(tmp_path) + b"/caf\xe9")
    except OSError:
        pytest.skip("this file system takes no such name")
    collection = collect(tmp_path)
    bad = one(collection.table, "caf\\xe9")
    assert bad["status"] == "damaged" and "its folder's name is not UTF-8" in bad["reason"]
    assert len(collection.problems) == 1 and len(write_tables(collection.table, tmp_path / "out")) == 4


def test_a_marker_that_names_odd_things_and_a_failed_notebook_that_is_none(tmp_path):
    made_runs.write(tmp_path / "a" / "run.json", {"notebook": ["gru"], "provenance": 5, "parameters": {"lr": 10**400}})
    (tmp_path / "a" / "gru.failed.ipynb").mkdir()
    made_runs.write(tmp_path / "b" / "run.json", {"notebook": "gru", "parameters": {"lr": 0.5}})
    made_runs.write(tmp_path / "b" / "gru.failed.ipynb", "[" * 100_000)
    os.mkfifo(tmp_path / "b" / "error.json")
    table = collect(tmp_path).table
    assert table["status"].tolist() == ["failed", "failed"]
    assert table["reason"].str.contains("gru.failed.ipynb (?:is no regular file|cannot be read)").all()


def test_a_damaged_sweep_or_marker_does_not_stop(tmp_path):
    made_runs.finished(tmp_path / "a")
    made_runs.write(tmp_path / "a" / "run.json", "{")
    made_runs.sweep(tmp_path / "elsewhere", {"name": "/etc"})
    made_runs.write(tmp_path / "sweep.json", {"runs": 3})
    collection = collect(tmp_path)
    assert any("elsewhere: sweep.json: expected a list" in line for line in collection.problems)
    assert one(collection.table, "a")["status"] == "damaged"
    assert any("a: run.json is damaged" in line for line in collection.problems)
    assert any("sweep.json: expected a list" in line for line in collection.problems)


def test_a_locked_folder_is_told(tmp_path, locked):
    made_runs.finished(tmp_path / "a")
    locked(made_runs.finished(tmp_path / "b"))
    collection = collect(tmp_path)
    assert list(collection.table["run"]) == ["a"] and collection.problems == ["b: cannot be read: Permission denied"]


def test_nothing_there(tmp_path):
    with pytest.raises(ParameterError, match="holds no runs"):
        collect(tmp_path)
    with pytest.raises(ParameterError, match="not a folder"):
        collect(tmp_path / "missing")


def test_every_dataset_is_known_to_be_emotion_or_not():
    undecided = set(datasets.MODULES) - folders.EMOTION - folders.NOT_EMOTION
    assert undecided == {"muse", "own", "eeg_folder"}  # anybody's own recordings


def test_simulated_files_of_an_emotion_dataset_stay_simulated():
    assert kind_of_data({"dataset": "deap"}, {}) == "emotion"
    assert kind_of_data({"dataset": "deap"}, {"description": "simulated DEAP cohort"}) == "simulated"
    assert kind_of_data({"dataset": "eegmat"}, {}) == "not emotion"
    assert kind_of_data({}, {}) == kind_of_data({"dataset": "muse"}, {}) == "unknown"


def test_written_tables_hold_one_type_a_column(tmp_path):
    values = (1, 2.5, True, "text", [1, "a"], None)
    for i, value in enumerate(values):
        made_runs.finished(tmp_path / f"r{i}", value=value, whole=i, flag=i > 2, metrics={"score": i / 10})
    assert cli.main(["collect", str(tmp_path)]) == 0
    table = pd.read_parquet(tmp_path / "collected" / "runs.parquet")
    csv = pd.read_csv(tmp_path / "collected" / "runs.csv")
    assert table["parameters.value"].tolist()[:5] == ["1", "2.5", "true", "text", '[1, "a"]']
    assert table["parameters.whole"].tolist() == list(range(6)) and table["parameters.whole"].dtype == "Int64"
    assert table["parameters.flag"].dtype == "boolean"
    np.testing.assert_array_equal(csv["metrics.score"], table["metrics.score"])
    assert list(csv.columns) == list(table.columns) and len(csv) == 6
    assert {path.name for path in (tmp_path / "collected").iterdir()} == {
        "runs.parquet", "runs.csv", "summary.csv", "comparisons.csv"}


def test_the_command_tells_damage_and_ends_with_1(tmp_path, capsys):
    made_runs.finished(tmp_path / "good")
    cut(made_runs.finished(tmp_path / "bad") / "metrics.json")
    assert cli.main(["collect", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "2 runs: 1 done, 1 damaged" in said.out and "bad: metrics.json is damaged" in said.err
    assert len(pd.read_csv(tmp_path / "out" / "runs.csv")) == 2
    assert cli.main(["collect", str(tmp_path / "missing")]) == 2
    capsys.readouterr()
    wrong = {"out/runs.csv": "is a file. Give --out a folder", "out/runs.csv/x": "cannot be made (Not a directory)"}
    for out, message in wrong.items():
        assert cli.main(["collect", str(tmp_path / "good"), "--out", str(tmp_path / out)]) == 2
        said = capsys.readouterr().err
        assert message in said and "Errno" not in said


def test_a_full_disk_leaves_the_old_table(tmp_path, monkeypatch):
    made_runs.finished(tmp_path / "a")
    assert cli.main(["collect", str(tmp_path)]) == 0
    before = (tmp_path / "collected" / "runs.csv").read_bytes()
    made_runs.finished(tmp_path / "b")

    def full(self, path, **_options):
        path.write_text("half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    assert cli.main(["collect", str(tmp_path)]) == 2
    assert (tmp_path / "collected" / "runs.csv").read_bytes() == before
    assert not list((tmp_path / "collected").glob(".*"))


def test_metrics_of_a_real_run_are_read(tmp_path):
    """The file as `eegemo run` writes it."""
    from eegemo_utils.runs.folders import RunFolder

    source = tmp_path / "gru.ipynb"
    made_runs.write(source, {**made_runs.NOTEBOOK, "cells": []})
    folder = RunFolder(tmp_path / "runs" / "a", source, {"seed": 3})
    folder.begin()
    made_runs.write(folder.partial, made_runs.NOTEBOOK)
    folder.finish({"notebook": "gru", "metrics": {"a": 1.0}, "parameters": {"seed": 3}, "provenance": {}})
    folder.release()
    row = one(collect(tmp_path / "runs").table, "a")
    assert row["status"] == "done" and row["metrics.a"] == 1.0
    assert row["code"] == json.loads((tmp_path / "runs" / "a" / "run.json").read_text())["code"]
