"""Means, intervals and paired comparisons over the rows of the tidy table: over what, and against other ways."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from eegemo_utils import evaluation
from eegemo_utils.collect import NO_PAIRS, audit, compare, summarise
from eegemo_utils.collect.comparisons import holm
from eegemo_utils.collect.summaries import interval


def runs(n_subjects=1, n_seeds=1, protocols=("by_trial",), **more):
    """A tidy table of finished runs with made-up accuracies."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in range(n_subjects):
        for seed in range(n_seeds):
            for k, protocol in enumerate(protocols):
                rows.append({
                    "run": f"r{len(rows)}", "notebook": "tnas", "data": "emotion", "status": "done", "code": "c",
                    "parameters.dataset": "deap", "parameters.subject": f"s{subject:02d}", "parameters.seed": seed,
                    "parameters.protocol": protocol, "metrics.accuracy_published": 0.8 + rng.normal(0, 0.05),
                    "metrics.accuracy_by_trial": 0.6 + rng.normal(0, 0.05), "metrics.n_rows": 10,
                    "metrics.accuracy_network": 0.7 - 0.1 * k + rng.normal(0, 0.02)} | more)
    return pd.DataFrame(rows)


def line(summary, metric):
    found = summary[summary["metric"] == metric]
    assert len(found) == 1
    return found.iloc[0]


def test_over_people_when_people_differ():
    table = runs(n_subjects=6, n_seeds=3)
    row = line(summarise(table), "accuracy_published")
    each = table.groupby("parameters.subject")["metrics.accuracy_published"].mean()
    assert row["n"] == 6 and row["over"] == "subjects, each the mean of 3 seeds" and row["n_runs"] == 18
    assert row["mean"] == pytest.approx(each.mean()) and row["sd"] == pytest.approx(each.std(ddof=1))
    assert row["low"] < row["mean"] < row["high"]


def test_over_seeds_when_only_they_differ():
    row = line(summarise(runs(n_seeds=4)), "accuracy_published")
    assert (row["n"], row["over"]) == (4, "seeds")


def test_one_run_has_no_spread():
    row = line(summarise(runs()), "accuracy_published")
    assert row["n"] == 1 and row["over"] == "runs" and np.isnan([row["sd"], row["low"], row["high"]]).all()


def test_unfinished_and_text_do_not_count():
    table = runs(n_seeds=3)
    table.loc[0, "status"] = "failed"
    table["metrics.name"] = "text"
    summary = summarise(table)
    assert line(summary, "accuracy_published")["n"] == 2 and "name" not in set(summary["metric"])


def test_other_settings_are_another_group_and_say_so():
    table = pd.concat([runs(n_seeds=2), runs(n_seeds=2, **{"parameters.epochs": 9}), runs(n_seeds=2, code="d")])
    found = summarise(table)
    settings = found[found["metric"] == "accuracy_published"]["settings"].tolist()
    assert len(settings) == len(set(settings)) == 3
    assert any("epochs=9" in text for text in settings) and any("code=d" in text for text in settings)


def test_simulated_and_real_are_never_pooled():
    table = pd.concat([runs(n_seeds=2), runs(n_seeds=2, data="simulated")])
    assert sorted(summarise(table)["data"].unique()) == ["emotion", "simulated"]


def test_interval_agrees_with_the_slow_one():
    values = np.random.default_rng(1).normal(0.7, 0.1, 30)
    np.testing.assert_allclose(interval(values), evaluation.bootstrap_interval(values), atol=0.006)


def test_protocols_within_runs_over_people():
    table = runs(n_subjects=8, n_seeds=2)
    found = compare(table)
    row = found[(found["first"] == "accuracy_published") & (found["second"] == "accuracy_by_trial")].iloc[0]
    means = table.groupby("parameters.subject")[["metrics.accuracy_published", "metrics.accuracy_by_trial"]].mean()
    difference = means.iloc[:, 0] - means.iloc[:, 1]
    assert row["n"] == 8 and row["over"].startswith("subjects")
    assert row["difference"] == pytest.approx(difference.mean()) and row["p"] == wilcoxon(difference).pvalue
    assert row["low"] < row["difference"] < row["high"] and row["note"] == ""


def test_protocols_between_runs_are_paired_by_person():
    table = runs(n_subjects=7, protocols=("published", "by_subject"))
    lost = table[(table["parameters.subject"] == "s03") & (table["parameters.protocol"] == "published")].index
    found = compare(table.drop(lost))
    row = found[found["first"] == "accuracy_network, published"].iloc[0]
    assert row["second"] == "accuracy_network, by_subject" and row["n"] == 6
    assert row["difference"] == pytest.approx(0.1, abs=0.03) and row["p"] == pytest.approx(2 / 2**6)


def test_few_pairs_are_said_to_be_few_and_nothing_is_compared_with_itself():
    found = compare(runs(n_seeds=3))
    assert (found["over"] == "seeds").all() and found["note"].str.contains("p cannot fall below 0.25").all()
    same = runs(n_seeds=3)
    same["metrics.accuracy_by_trial"] = same["metrics.accuracy_published"]
    assert compare(same).empty and compare(runs()).empty


def test_holm():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1, 1])
    np.testing.assert_allclose(holm([0.01, float("nan"), 0.03]), [0.02, float("nan"), 0.03])


def own_protocol_only(seeds):
    """Runs that record the accuracy of their own protocol alone, with seeds for each; the higher, the worse."""
    rows = []
    for protocol, of in seeds.items():
        for seed in of:
            ability = 0.9 - 0.1 * seed
            rows.append({"run": f"{protocol}{seed}", "notebook": "tnas", "data": "emotion", "status": "done",
                         "code": "c", "parameters.dataset": "deap", "parameters.seed": seed,
                         "parameters.protocol": protocol, f"metrics.accuracy_{protocol}": ability,
                         "metrics.accuracy_network": ability})
    return pd.DataFrame(rows)


def test_seeds_are_not_taken_for_a_protocol():
    """No protocol makes a difference here, only seeds do."""
    apart = own_protocol_only({"published": [0, 1], "by_trial": [2, 3]})
    found = compare(apart)
    assert list(found["first"]) == ["accuracy_published", "accuracy_network, published"]
    assert (found["n"] == 0).all() and found[["difference", "p", "p_holm"]].isna().all(axis=None)
    assert (found["note"] == NO_PAIRS).all() and set(audit(apart)["note"]) == {NO_PAIRS}


def test_crossed_seeds_are_compared_where_they_meet():
    crossed = own_protocol_only({"published": [0, 1, 2], "by_trial": [1, 2, 3]})
    found = audit(crossed).set_index("metric")
    assert found.loc["accuracy_published", "mean"] == found.loc["accuracy_by_trial", "mean"] == pytest.approx(0.75)
    assert found["note"].tolist() == ["the 2 of 4 that all protocols have"] * 3
    assert compare(crossed).empty, "the same in each pair"
    better = crossed.assign(**{"metrics.accuracy_published": crossed["metrics.accuracy_published"] + 0.05})
    row = compare(better).iloc[0]
    assert (row["n"], row["over"]) == (2, "seeds") and row["difference"] == pytest.approx(0.05)


def test_runs_that_recorded_all_protocols_go_before_those_with_one():
    both = pd.concat([runs(n_seeds=2, protocols=("published",)), own_protocol_only({"by_trial": [0, 1]})])
    found = audit(both).set_index("metric")
    assert found.loc["accuracy_by_trial", "n_runs"] == 2 and "without 2 runs of fewer" in found["note"].iloc[0]
    assert found.loc["accuracy_by_trial", "mean"] == pytest.approx(both["metrics.accuracy_by_trial"][:2].mean())


def test_half_finished_runs_are_counted_as_they_are():
    table = runs(n_subjects=4, n_seeds=2)
    table = table[~((table["parameters.subject"] > "s01") & (table["parameters.seed"] == 1))]
    row = line(summarise(table), "accuracy_published")
    assert (row["n"], row["over"], row["n_runs"]) == (4, "subjects, each the mean of 1 to 2 seeds", 6)
    rows = compare(runs(n_subjects=4, n_seeds=2).drop(index=[0, 2]))
    assert rows.loc[0, "over"] == "subjects, each the mean of 1 to 2 seeds"


def test_a_metric_is_over_the_runs_that_recorded_it():
    table = runs(n_subjects=4, n_seeds=2)
    table.loc[table["parameters.seed"] == 1, "metrics.accuracy_by_trial"] = np.nan
    table.loc[table["parameters.subject"] != "s00", "metrics.n_rows"] = np.nan
    summary = summarise(table)
    found = [(line(summary, name)["n"], line(summary, name)["over"]) for name in
             ("accuracy_published", "accuracy_by_trial", "n_rows")]
    assert found == [(4, "subjects, each the mean of 2 seeds"), (4, "subjects"), (2, "seeds")]


def test_the_other_protocol_of_a_pair_is_no_repetition():
    pairs = own_protocol_only({"published": [0, 1], "by_trial": [0, 1]})
    found = audit(pairs).set_index("metric")
    assert found.loc[["accuracy_published", "accuracy_by_trial"], "over"].tolist() == ["seeds", "seeds"]
    alone = summarise(pairs)
    assert alone.loc[alone["metric"] == "accuracy_published", "over"].tolist() == ["seeds"]
