"""Scores against hand-made numbers and scikit-learn; intervals against what they must cover."""

import warnings

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics

from eegemo_utils.evaluation import (
    baselines,
    bootstrap_interval,
    calibration,
    difference,
    holm,
    interval,
    majority_vote,
    scores,
    smallest_effect,
    summary,
    wilcoxon,
)


def test_scores_of_the_articles_confusion_matrix():
    """GRU article: 597 of 640; its report prints macro F1 0.93."""
    matrix = np.array([[173, 0, 28], [0, 228, 3], [8, 4, 196]])
    true, predicted = (np.repeat(index.ravel(), matrix.ravel()) for index in np.indices((3, 3)))
    found = scores(true, predicted, 3)
    assert found["accuracy"] == 597 / 640
    assert found["balanced_accuracy"] == pytest.approx((173 / 201 + 228 / 231 + 196 / 208) / 3)
    assert found["macro_f1"] == pytest.approx(0.93, abs=0.005)
    assert found["kappa"] == pytest.approx(metrics.cohen_kappa_score(true, predicted))


def test_always_the_same_answer_is_worth_nothing():
    assert scores([0, 0, 0, 1], [0, 0, 0, 0], 2) == {
        "accuracy": 0.75, "balanced_accuracy": 0.5, "macro_f1": pytest.approx(3 / 7), "kappa": 0.0}


def test_a_class_missing_from_the_test_part_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores([0, 0, 1], [0, 2, 1], 3)
        assert found["balanced_accuracy"] == 0.75
        assert scores([1, 1], [1, 1], 3) == {"accuracy": 1, "balanced_accuracy": 1, "macro_f1": 1, "kappa": 0}


def test_baselines_use_the_training_classes():
    assert baselines([0, 1, 1], [0, 0, 0, 1], 2) == {"chance": 0.5, "majority": 0.25}
    assert baselines([2, 0, 2, 0], [0, 2, 1], 3)["majority"] == pytest.approx(1 / 3)


def test_summary_says_over_what():
    assert str(summary([0.9, 0.92, 0.94], over="folds")) == "0.920 ± 0.020 (mean ± SD over 3 folds)"
    assert summary([1, 3]).sd == pytest.approx(np.sqrt(2))
    assert str(summary([0.5])) == "0.500 (one value, no SD over seeds)"
    for values in ([], [0.1, float("nan")]):
        with pytest.raises(ValueError, match="over seeds"):
            summary(values)


def test_bootstrap_is_repeatable_and_close_to_the_normal_interval():
    right = np.random.default_rng(0).random(400) < 0.8
    low, high = bootstrap_interval(right)
    assert (low, high) == bootstrap_interval(right) != bootstrap_interval(right, random_state=1)
    width = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 400)
    assert (low, high) == pytest.approx((right.mean() - width, right.mean() + width), abs=0.01)
    narrow = bootstrap_interval(right, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_bootstrap_over_groups_is_as_wide_as_the_groups_make_it():
    """Ten recordings, each wholly right or wholly wrong: 400 windows are only ten answers."""
    right, recording = np.repeat([1] * 7 + [0] * 3, 40), np.repeat(np.arange(10), 40)
    by_group = bootstrap_interval(right, recording)
    by_window = bootstrap_interval(right)
    assert by_group == pytest.approx((0.4, 0.9), abs=0.11)
    assert np.diff(by_group) > 4 * np.diff(by_window)


def test_bootstrap_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        chance = rng.normal(0.6, 0.15, 30).clip(0, 1)
        right = rng.random((30, 20)) < chance[:, None]
        low, high = bootstrap_interval(right.ravel(), np.repeat(np.arange(30), 20), n_resamples=300)
        covered += low <= 0.6 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_bootstrap_weighs_unequal_groups_by_their_windows():
    right, group = [1, 1, 1, 0], ["a", "a", "a", "b"]
    assert bootstrap_interval(right, group) == (0, 1)
    assert bootstrap_interval(right, group, level=0.2) == (0.75, 0.75)  # half of the draws are a and b
    with pytest.raises(ValueError, match="two groups"):
        bootstrap_interval([1, 0], ["a", "a"])
    with pytest.raises(ValueError, match="3 groups"):
        bootstrap_interval([1, 0], ["a", "a", "b"])


def test_majority_vote():
    probabilities = [[0.6, 0.4], [0.6, 0.4], [0.0, 1.0], [0.9, 0.1], [0.8, 0.2]]
    table = majority_vote(probabilities, ["r2", "r2", "r2", "r1", "r1"], [1, 1, 1, 1, 1])
    assert table.group.tolist() == ["r2", "r1"] and table.predicted.tolist() == [1, 0]
    assert table.correct.tolist() == [True, False] and table.n_windows.tolist() == [3, 2]
    assert table.agreement.tolist() == pytest.approx([1 / 3, 1])
    with pytest.raises(ValueError, match="'r2' has labels"):
        majority_vote(probabilities, ["r2"] * 5, [1, 1, 1, 1, 0])


def test_calibration():
    """Half at confidence 0.95, all right; half at 0.65, none right: error (0.05 + 0.65) / 2."""
    probabilities = np.repeat([[0.95, 0.05], [0.65, 0.35]], 10, axis=0)
    table, error = calibration(probabilities, np.repeat([0, 1], 10))
    assert error == pytest.approx(0.35)
    filled = table[table.n > 0]
    assert filled.low.tolist() == pytest.approx([0.6, 0.9]) and filled.accuracy.tolist() == [0, 1]
    assert len(table) == 10 and table.n.sum() == 20
    assert calibration([[1.0, 0.0]], [0])[1] == 0  # confidence 1 belongs to the last bin


@pytest.mark.parametrize("call, message", [
    (lambda: scores([], [], 3), "non-empty"), (lambda: scores([0, 3], [0, 0], 3), "0 to 2"),
    (lambda: scores([0, 1], [0], 3), "2 rows"), (lambda: scores([0.0], [0], 3), "float"),
    (lambda: calibration([[2.0, -1.0]], [0]), "softmax"), (lambda: calibration([[0.9, 0.3]], [0]), "softmax"),
    (lambda: majority_vote([[0.5, 0.5]], ["a", "b"], [0]), "2 groups")])
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def experiments(n_people, mean, spread, n_experiments=500, n_trials=20, seed=0):
    """Right answers of people who differ, (n_experiments, n_people, n_trials), and the truth about all people."""
    rng = np.random.default_rng(seed)
    truth = special.expit(mean + spread * rng.normal(size=1_000_000)).mean()
    people = special.expit(mean + spread * rng.normal(size=(n_experiments, n_people, 1)))
    return rng.random((n_experiments, n_people, n_trials)) < people, truth


@pytest.mark.slow
@pytest.mark.parametrize("n_people", [8, 15, 32])
@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.5), (1.0, 0.8), (2.0, 1.0)])
def test_intervals_hold_the_truth_as_often_as_they_promise(n_people, mean, spread):
    """2,000 experiments: a promise of 95 % then shows as 94 to 96 % in nearly all draws."""
    right, truth = experiments(n_people, mean, spread, n_experiments=2000)
    names = np.repeat(np.arange(n_people), right.shape[2])
    found = [interval(one.ravel(), subject=names) for one in right]
    assert 0.93 <= np.mean([low <= truth <= high for _, low, high in found]) <= 0.97
    over_trials = [interval(one.ravel()) for one in right[:500]]  # as if each trial were a person of its own
    if mean < 2:
        assert np.mean([low <= truth <= high for _, low, high in over_trials]) < 0.93


@pytest.mark.parametrize("n_people", [8, 15, 32])
def test_a_difference_that_is_not_there_is_shown_in_one_of_twenty_experiments(n_people):
    right, _ = experiments(n_people, 0.5, 0.8, n_experiments=1000)
    other, _ = experiments(n_people, 0.5, 0.8, n_experiments=1000, seed=0)
    rng = np.random.default_rng(1)
    swap = rng.random(right.shape) < 0.5  # the same people, the same chances
    a, b = np.where(swap, right, np.roll(other, 1, axis=2)), np.where(swap, np.roll(other, 1, axis=2), right)
    names = np.repeat(np.arange(n_people), right.shape[2])
    found = [difference(x.ravel(), y.ravel(), subject=names) for x, y in zip(a, b)]
    shown = np.mean([low is not None and (low > 0 or high < 0) for _, low, high in found])
    assert 0.02 <= shown <= 0.075


def test_fewer_than_five_people_and_people_who_all_score_the_same_have_no_interval():
    names = np.repeat(np.arange(4), 10)
    values = np.arange(40) % 3 == 0
    assert interval(values, subject=names)[1:] == (None, None)
    assert interval(np.ones(50), subject=np.repeat(np.arange(5), 10)) == (1.0, None, None)
    assert difference(values, ~values, subject=names)[1:] == (None, None)
    assert wilcoxon(values, ~values, subject=names) is None and smallest_effect(values, subject=names) is None
    assert interval(values, subject=np.arange(40) % 5).low is not None


def test_people_count_once_whatever_the_number_of_their_trials():
    values, names = np.r_[np.ones(90), np.zeros(10), 0, 1, 1, 0, 1], np.r_[np.full(100, "a"), list("bcdef")]
    assert interval(values, subject=names).mean == pytest.approx((0.9 + 0 + 1 + 1 + 0 + 1) / 6)
    with pytest.raises(ValueError, match="one name per value"):
        interval(values, subject=names[1:])
    with pytest.raises(ValueError, match="expected finite values, found 1"):
        interval([0.5, np.nan])
    with pytest.raises(ValueError, match="same rows on both sides"):
        difference([1, 0], [1])


def test_interval_of_a_share_is_students_on_the_logit_scale_and_of_kappa_the_plain_one():
    values = np.array([0.7, 0.8, 0.9, 0.95, 0.85, 0.6])
    error = stats.sem(values)
    half = stats.t.ppf(0.975, 5) * error
    logit = np.log(0.8 / 0.2) + np.array([-1, 1]) * half / (0.8 * 0.2)
    assert interval(values) == pytest.approx((0.8, *(1 / (1 + np.exp(-logit)))))
    assert interval(values - 1) == pytest.approx((-0.2, *stats.t.interval(0.95, 5, -0.2, error)))
    assert difference(values, np.zeros(6)) == pytest.approx((0.8, *stats.t.interval(0.95, 5, 0.8, error)))


def test_holm_by_hand_and_wilcoxon_by_scipy():
    """0.01 * 4, 0.02 * 3, 0.03 * 2 is below what came before, 0.2 * 1."""
    assert holm([0.02, 0.01, 0.2, 0.03]) == pytest.approx([0.06, 0.04, 0.2, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0] and len(holm([])) == 0
    a, b = np.array([0.9, 0.8, 0.7, 0.9, 0.6, 0.8]), np.array([0.5, 0.6, 0.65, 0.4, 0.3, 0.1])
    assert wilcoxon(a, b) == stats.wilcoxon(a - b).pvalue == 2 / 2**6
    assert wilcoxon(a, a) == 1.0


def test_the_smallest_effect_is_found_in_four_of_five_experiments():
    rng = np.random.default_rng(0)
    effect = smallest_effect(rng.normal(size=200_000).reshape(-1, 20)[:, :20].ravel()[:20])
    draws = rng.normal(size=(4000, 20))
    spread = stats.sem(draws, axis=1).mean() * (stats.t.ppf(0.975, 19) + stats.t.ppf(0.8, 19))
    assert effect == pytest.approx(spread, rel=0.4)
    shown = stats.ttest_1samp(draws + spread, 0, axis=1).pvalue < 0.05
    assert 0.77 < shown.mean() < 0.85
