"""What a run of notebooks/multitask_cnn.ipynb says about itself: the row beside it, what is off, who is ahead."""

import ast
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn import linear_model
from test_nb_multitask_cnn import small_cohort, small_plan
from threadpoolctl import threadpool_info, threadpool_limits

from eegemo_utils.notebooks import load_definitions, notebook_path, read_parameters
from eegemo_utils.notebooks.cells import read_notebook
from eegemo_utils.reported import reported

SETTINGS = notebook_path("multitask_cnn").parent / "settings" / "multitask_cnn"
COMPARES = {  # each settings file: the ending of the names it stands beside, and whether a difference is computed
    "ablation": ("", True),
    "audit": ("", True),
    "by_subject": ("", False),
    "by_trial": ("", False),
    "dreamer": ("", False),
    "eegmat": ("", False),
    "faced": ("", False),
    "noise": ("", False),
    "published": ("", True),
    "stages": ("", True),
    "stages_six_windows": ("_log", True),
    "updated": ("_updated", True),
}


@pytest.fixture(scope="module")
def nb():
    return load_definitions("multitask_cnn")


def run_of(nb, name, **changes):
    """What the notebook knows of a run with these settings, on the whole of DEAP."""
    values = {key: parameter.default for key, parameter in read_parameters("multitask_cnn").items()}
    values |= yaml.safe_load((SETTINGS / f"{name}.yaml").read_text(encoding="utf-8")) | changes
    values["n_inputs"] = nb.windows_averaged(values["n_inputs"], values["recipe"])
    values["stages"] = values["stages"] and values["protocol"] != "by_subject"
    return {"n_people": 32, "n_trials": 1280} | values | changes


@pytest.mark.parametrize("name", sorted(file.stem for file in SETTINGS.glob("*.yaml")))
def test_each_settings_file_stands_beside_the_row_of_its_kind(nb, name):
    settings = run_of(nb, name)
    row, comparable = COMPARES[name]
    assert nb.nearest_row(settings) == row
    assert (not nb.unlike(settings, row)) is comparable, nb.unlike(settings, row)
    assert {f"accuracy_valence{row}", f"accuracy_arousal{row}"} <= set(reported("multitask_cnn"))


@pytest.mark.parametrize("name, change", [
    *(("published", change) for change in (
        {"epochs": 6}, {"width": 0.5}, {"n_trials": 1279}, {"n_people": 31}, {"dataset": "simulated DEAP cohort"},
        {"n_inputs": 2}, {"n_folds": 4}, {"batch_size": 32}, {"learning_rate": 0.003}, {"protocol": "by_trial"})),
    ("updated", {"tune_epochs": 3}), ("stages_six_windows", {"tune_epochs": 3}),
    ("updated", {"stages": False}),  # six windows without tuning are no reported row
])
def test_another_run_is_told_apart_by_what_differs(nb, name, change):
    settings = run_of(nb, name, **change)
    differs = nb.unlike(settings, nb.nearest_row(settings))
    assert len(differs) == 1 and next(iter(change)).replace("stages", "n_inputs") in differs[0]


def test_the_log_s_rows_are_those_of_its_table():
    article = reported("multitask_cnn")
    stages = pd.DataFrame(article["stages"].value).set_index("stage")
    for name in ("valence", "arousal"):
        assert article[f"accuracy_{name}_log"].value == stages.loc[f"3 person and {name}", name]


def test_the_official_recipe_averages_six_windows_and_refuses_other_numbers(nb):
    assert [nb.windows_averaged(n, "official") for n in (1, 6)] == [6, 6]
    assert [nb.windows_averaged(n, "corrected") for n in (1, 4)] == [1, 4]
    with pytest.raises(ValueError, match="'official' averages six windows.* but n_inputs is 3"):
        nb.windows_averaged(3, "official")


def test_each_section_that_can_be_off_says_so(capsys, nb):
    """Sections that hold a cell under a switch are those that have a line for it."""
    switches, can_be_off, told, section = {"noise_seeds", "can_tune", "extras", "audit"}, set(), set(), ""
    for cell in read_notebook("multitask_cnn").cells:
        if cell.cell_type == "markdown":
            section = ([section] + re.findall(r"^##+ ([\d.]+) ", cell.source, re.M))[-1]
            continue
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.If) and switches & {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}:
                can_be_off.add(section)
            told |= {call.args[0].value for call in ast.walk(node) if isinstance(call, ast.Call)
                     and getattr(call.func, "id", "") == "switched_off"}
    assert can_be_off == told == {"5.1", "5.2", "5.3", "7", "7.1", "7.2", "8", "8.1", "8.2", "9", "10"}
    nb.switched_off("8", "extras: false")
    assert capsys.readouterr().out.startswith("Section 8 is switched off by extras: false")


def test_logistic_regressions_keep_to_one_thread(nb, monkeypatch):
    seen = []

    class Watch(linear_model.LogisticRegression):
        def fit(self, *data):
            seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
            return super().fit(*data)

    monkeypatch.setattr(linear_model, "LogisticRegression", Watch)  # the notebook imports it when it is used
    X = np.random.default_rng(0).normal(size=(40, 3))
    fold = nb.splits.Split("x", "published", np.arange(20), np.array([], int), np.arange(20, 40))
    with threadpool_limits(2, user_api="blas"):
        nb.linear_accuracy(X, pd.DataFrame({"label": np.arange(40) % 2}), [fold])
        before = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert set(seen) == {1} and before == {2}


def test_a_cohort_owns_its_labels(nb):
    cohort = small_cohort(nb)
    y = cohort.labels.copy()
    y.setflags(write=False)  # as pandas hands out the values of a table; PyTorch warns of it
    made = nb.make_cohort(cohort.X.numpy(), y, cohort.table, cohort.targets, "cpu")
    made.y[0] = 1 - made.y[0]
    assert (made.labels[0] != y[0]).all()


@pytest.mark.parametrize("protocol, n_shared", [("published", 12), ("by_trial", 0), ("by_subject", 0)])
def test_trials_on_both_sides_are_counted_once(nb, protocol, n_shared):
    cohort = small_cohort(nb, n_people=3, n_trials=4)
    folds = nb.make_folds(cohort, protocol, 2, nb.RECIPES["corrected"], 0)
    assert nb.shared_trials(cohort, folds) == n_shared


def given(nb, cohort, right):
    """Answers that are right in these rows (n_rows, n_targets)."""
    return nb.Answers(cohort, np.where(right, cohort.labels, 1 - cohort.labels), [], [])


@pytest.mark.parametrize("better, words", [
    (0.5, "As in the talk, one network a person is ahead"),
    (-0.5, "Unlike in the talk, one network for everybody is ahead"),
    (0.0, "The interval holds zero"),
])
def test_who_is_ahead_is_said_either_way(nb, better, words):
    cohort = small_cohort(nb, n_trials=12)
    rng, shape = np.random.default_rng(1), cohort.labels.shape
    one = given(nb, cohort, rng.random(shape) < 0.5 + max(better, 0))
    other = given(nb, cohort, rng.random(shape) < 0.5 - min(better, 0))
    found = nb.ahead(one, other)
    right = [(each.predicted == cohort.labels).mean() for each in (one, other)]
    assert found["gap"] == pytest.approx(right[0] - right[1]) and found["n_rows"] == len(cohort.table)
    assert found["low"] < found["gap"] < found["high"]
    assert words in nb.in_words(found) and f"{100 * found['gap']:+.1f} points" in nb.in_words(found)
    untested = replace(other, predicted=np.where(np.arange(shape[0])[:, None] < 5, -1, other.predicted))
    assert nb.ahead(one, untested)["n_rows"] == found["n_rows"] - 5


@pytest.mark.parametrize("recipe, n_tested", [("corrected", 3), ("official", 1)])
def test_all_bars_of_the_audit_are_over_the_same_folds(nb, recipe, n_tested):
    cohort, flags = small_cohort(nb, n_trials=12, n_windows=4), nb.RECIPES[recipe]
    tested = []
    for each in (cohort, nb.without_meaning(cohort, 0)):
        folds = nb.make_folds(each, "published", 3, flags, 0)
        made = nb.audited(each, folds, flags, small_plan(nb, epochs=1), "x")
        tested.append(made.predicted[:, 0] >= 0)
    folds = nb.make_folds(cohort, "published", 3, flags, 0)[-n_tested:]
    assert [rows.sum() for rows in tested] == [sum(len(fold.test) for fold in folds)] * 2


def test_a_person_with_one_class_gets_f1_and_guessing(nb):
    cohort = small_cohort(nb)
    y = cohort.labels.copy()
    y[cohort.table.subject == "s1", 0] = 1
    right = np.ones(y.shape, bool)
    right[cohort.table.subject == "s1", 0] = np.arange((cohort.table.subject == "s1").sum()) % 4 != 0
    cohort = replace(cohort, y=torch.tensor(y))
    alone = nb.one_class_people(given(nb, cohort, right))
    assert list(alone.index) == ["s1, valence"]
    assert alone.loc["s1, valence"].to_dict() == pytest.approx(
        {"accuracy": 0.75, "macro F1": (2 * 0.75 / 1.75) / 2, "chance": 0.5, "constant answer": 1.0})
    assert nb.one_class_people(given(nb, small_cohort(nb), np.ones(y.shape, bool))).empty


@pytest.mark.parametrize("protocol", ["published", "by_trial", "by_subject"])
def test_too_many_folds_are_refused_in_the_notebook_s_own_words(nb, protocol):
    cohort = small_cohort(nb, n_people=1 if protocol == "by_subject" else 2, n_trials=4, n_windows=2)
    with pytest.raises(nb.TooSmall, match=f"{protocol} .* n_folds 9: . people, . trials.*Lower n_folds") as caught:
        nb.make_folds(cohort, protocol, 9, nb.RECIPES["corrected"], 0)
    assert "val_fraction" not in str(caught.value) and "n_splits" not in str(caught.value)


def test_a_class_rarer_than_the_folds_is_refused_without_a_warning(nb, recwarn):
    cohort = small_cohort(nb)
    table = cohort.table.assign(label=(np.arange(len(cohort.table)) < 4).astype(int))
    with pytest.raises(nb.TooSmall, match="published"):
        nb.make_folds(replace(cohort, table=table), "published", 5, nb.RECIPES["corrected"], 0)
    assert not recwarn.list


def test_bars_without_folds_are_named_before_anything_is_trained(nb):
    cohort = small_cohort(nb, n_people=1, n_trials=12)
    made, said = nb.possible_folds(nb.audit_jobs(cohort, 0), 3, nb.RECIPES["corrected"], 0)
    kinds = ["published", "by_trial"]
    assert list(made) == [*kinds, *(f"labels without\nmeaning, {kind}" for kind in kinds)]
    assert len(said) == 1 and said[0].startswith("left out, by_subject: protocol by_subject")


@pytest.mark.parametrize("case, reason", [
    (("theta_baseline", "published", "none", 2, 1), "no baseline"),
    (("last_weights", "published", "own", 1, 1), "only target"),
    (("test_selects", "by_trial", "own", 2, 1), "validation rows"),
    (("six_windows", "published", "own", 2, 6), "6 already"),
])
def test_a_flag_without_effect_is_named(nb, case, reason):
    assert reason in nb.without_effect(*case)
    assert nb.without_effect(case[0], "published", "own", 2, 1) == ""


def test_the_audit_says_what_a_reader_may_trip_over(nb):
    bars = pd.DataFrame({"published": [0.9, 0.8, 0.95], "by_trial": [0.45, 0.3, 0.6], "by_subject": [0.52, 0.4, 0.65]},
                        index=["accuracy", "low", "high"]).T
    words = nb.audit_words(bars, 0.55, 3, 36)
    assert "3 people, 36 trials, and the intervals overlap" in words
    assert "Few trials a person" in words and "Few" not in nb.audit_words(bars + 0.1, 0.55, 3, 36)
    assert "Under chance: by_trial." in words and "Under the majority line: by_trial, by_subject." in words
    assert "do not overlap" in nb.audit_words(bars.assign(low=[0.8, 0.3, 0.61]), 0.55, 3, 36)
    assert nb.audit_words(bars.loc[["published"]], 0.55, 3, 36).startswith("No bar")


@pytest.mark.parametrize("low, words", [(-0.01, "nothing"), (0.005, "more than chance")])
def test_a_gain_by_choosing_is_counted_in_answers(nb, low, words):
    said = nb.selection_words({"gap": 0.01, "low": low, "high": 0.02, "n_rows": 200}, 2)
    assert "**+4** right answers of 400" in said and words in said


def test_long_lists_say_how_much_is_cut(nb):
    assert nb.shortened(["a", "b"], 2) == ["a", "b"] and nb.shortened(["a", "b", "c"], 1) == ["a", "... and 2 more"]


def test_too_few_trials_for_labels_without_meaning_leave_those_bars_out(nb, capsys):
    cohort = small_cohort(nb, n_people=1, n_trials=2)  # each order keeps both labels or exchanges them
    y = torch.as_tensor(np.repeat([0, 1], 12)[:, None].repeat(2, axis=1))
    jobs = nb.audit_jobs(replace(cohort, y=y, table=cohort.table.assign(label=y[:, 1].numpy())), 0)
    assert list(jobs) == ["published", "by_trial", "by_subject"]
    assert "left out, labels without meaning: 2 trials are too few" in capsys.readouterr().out
