"""`collect`: values that are no numbers where numbers belong are left out and told; the other runs count."""

import pytest

from eegemo_utils import cli
from eegemo_utils.collect import collect, compare, summarise, write_tables
from tests import made_runs

NO_NUMBERS = {"text": "not possible", "truth": True, "list": [0.5], "object": {"mean": 0.5}, "huge": 10**400}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_a_score_that_is_no_number_is_left_out_and_told(tmp_path, kind):
    for seed, value in enumerate((0.5, 0.75, NO_NUMBERS[kind])):
        scores = {"accuracy_published": 0.9, "accuracy_by_trial": value, "loss": value, "device": "cpu"}
        made_runs.finished(tmp_path / f"r{seed}", metrics=scores, seed=seed)
    collection = collect(tmp_path)
    assert collection.problems == [] and (collection.table["status"] == "done").all()
    summary = summarise(collection.table).set_index("metric")
    assert summary.loc["accuracy_by_trial", ["mean", "n", "over"]].tolist() == [0.625, 2, "seeds"], "good runs count"
    assert summary.loc["loss", "n"] == 2 and summary.loc["accuracy_published", "n"] == 3
    assert len(compare(collection.table)) == 1 and set(collection.table["metrics.device"]) == {"cpu"}
    assert [line.split(" is ")[0] for line in collection.remarks] == ["r2: accuracy_by_trial", "r2: loss"]
    assert all(line.endswith(", no number: left out") and len(line) < 120 for line in collection.remarks)
    write_tables(collection.table, tmp_path / "collected")


def test_a_score_that_is_a_number_in_no_run(tmp_path):
    made_runs.finished(tmp_path / "a", metrics={"accuracy_by_trial": "none", "accuracy_published": 0.5})
    collection = collect(tmp_path)
    assert set(summarise(collection.table)["metric"]) == {"accuracy_published"}
    assert collection.remarks == ["a: accuracy_by_trial is 'none', no number: left out"]


def test_a_score_outside_of_its_range_is_told_and_kept(tmp_path):
    made_runs.finished(tmp_path / "a", metrics={"accuracy_by_trial": 7.5, "chance": 0.5, "n_rows": 7.5})
    collection = collect(tmp_path)
    assert collection.remarks == ["a: accuracy_by_trial is 7.5, no share from 0 to 1"]
    assert collection.table["metrics.accuracy_by_trial"].tolist() == [7.5]


def test_counts_and_times_that_are_no_numbers(tmp_path):
    made_runs.failed(tmp_path / "a", error={"error": "no", "kind": 5, "cell": "third", "attempts": "many"})
    made_runs.sweep(tmp_path, {"name": "b", "status": "left", "seconds": "long"})
    collection = collect(tmp_path)
    assert [line.split(",")[0] for line in collection.remarks] == [
        "a: attempts is 'many'", "a: cell is 'third'", "b: seconds is 'long'"]
    assert collection.table[["attempts", "cell", "seconds"]].isna().all(axis=None)


def test_the_command_tells_what_it_left_out(tmp_path, capsys):
    made_runs.finished(tmp_path / "a", metrics={"accuracy_by_trial": "none"})
    assert cli.main(["collect", str(tmp_path)]) == 0
    assert capsys.readouterr().err == "eegemo: note: a: accuracy_by_trial is 'none', no number: left out\n"
