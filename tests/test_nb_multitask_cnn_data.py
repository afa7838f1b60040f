"""Definitions of notebooks/multitask_cnn.ipynb: labels, rows, folds, switches, noise, bad input, settings."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from test_nb_multitask_cnn import small_cohort, small_plan, table_of

from eegemo_utils import datasets, features, splits
from eegemo_utils.datasets import deap
from eegemo_utils.montage import make_info
from eegemo_utils.notebooks import check_parameters, load_definitions, notebook_path, read_parameters
from eegemo_utils.trials import DatasetError, Trials

SETTINGS = notebook_path("multitask_cnn").parent / "settings" / "multitask_cnn"


@pytest.fixture(scope="module")
def nb():
    return load_definitions("multitask_cnn")


def ratings(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"subject": "s01", "trial": range(1, n + 1), "valence": [5.0] * n, "arousal": [5.0] * n}
                        | columns)


def test_the_middle_of_the_scale_is_low(nb):
    table = ratings(valence=[1, 5.0, np.nextafter(5.0, 9), 9])
    assert nb.classes(table, "deap").valence.tolist() == [0, 0, 1, 1]
    assert nb.classes(table, "simulated").arousal.tolist() == [0] * 4
    table = ratings(valence=[1, 3, 4, 5], arousal=[3, 3, 3, 3])
    assert nb.classes(table, "dreamer").valence.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("wrong", [9.5, 0.0, np.nan])
def test_ratings_off_the_scale_are_named(nb, wrong):
    with pytest.raises(ValueError, match=r"from 1 to 9; s01, trial 2 has .*'arousal'"):
        nb.classes(ratings(arousal=[5.0, wrong]), "deap")
    with pytest.raises(ValueError, match="from 1 to 5"):
        nb.classes(ratings(valence=[5.0, 5.5]), "dreamer")


def test_ratings_off_the_scale_are_refused_by_the_reader_too(tmp_path):
    made = deap.simulate(1, n_trials=2, n_seconds=2.0)
    made.table.loc[1, "valence"] = 11.0
    with pytest.raises(DatasetError, match="ratings of DEAP go from 1 to 9"):
        deap.write(made, tmp_path)


def test_a_short_baseline_is_refused_and_none_is_a_decision(nb):
    fair, official = nb.RECIPES["corrected"], nb.RECIPES["official"]
    table = table_of(1, 3, 1)
    assert nb.choose_baseline(table, fair) == "none"
    assert nb.choose_baseline(table.assign(baseline_seconds=[3.0, 3.0, 61.0]), official) == "theta_bug"
    assert nb.choose_baseline(table.assign(baseline_seconds=3.0), fair) == "own"
    with pytest.raises(ValueError, match="s0, trial 1: 2.5 s of baseline, expected 3 s"):
        nb.choose_baseline(table.assign(baseline_seconds=[3.0, 2.5, 3.0]), fair)


def test_electrodes_that_want_one_cell_are_named():
    signals = [np.random.default_rng(0).normal(0, 10, (2, 512))]
    table = pd.DataFrame({"subject": ["a"], "session": 1, "trial": 1, "label": "x"})
    with pytest.raises(ValueError, match="P9"):
        features.electrode_maps(Trials(signals, make_info(["P7", "P9"], 128.0), table), baseline="none")


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_rows_of_several_windows_are_one_trial_in_order(nb, n):
    table = table_of(2, 3, 13)
    X = np.broadcast_to(np.arange(len(table), dtype=np.float32)[:, None, None, None], (len(table), 8, 8, 9))
    y = np.repeat(np.arange(6) % 2, 13)[:, None].repeat(2, axis=1)
    cohort = nb.make_cohort(X, y, table, ("valence", "arousal"), "cpu", n)
    assert len(cohort.X) == 6 * (13 // n) and cohort.table.label.tolist() == cohort.labels[:, -1].tolist()
    first = cohort.X.reshape(len(cohort.X), n, -1)[:, :, 0].numpy()
    np.testing.assert_array_equal(np.diff(first, axis=1), np.ones((len(first), n - 1)))
    trial = table.groupby(["subject", "trial"]).ngroup().to_numpy()
    assert all(len(set(trial[row.astype(int)])) == 1 for row in first)
    np.testing.assert_array_equal(cohort.table.window, first[:, 0] % 13)


def test_too_many_windows_are_named(nb):
    with pytest.raises(ValueError, match="no trial has 14 windows: the longest has 13"):
        nb.make_cohort(np.zeros((13, 8, 8, 9)), np.zeros((13, 1), int), table_of(1, 1, 13), ("a",), "cpu", 14)


def test_the_published_folds_are_those_of_the_released_code(nb):
    cohort = small_cohort(nb, n_trials=8, n_windows=10)
    folds = nb.make_folds(cohort, "published", 5, nb.RECIPES["official"], 3)
    arousal = cohort.labels[:, 1]
    for fold, (train, test) in zip(folds, StratifiedKFold(5, shuffle=True, random_state=7).split(arousal, arousal),
                                   strict=True):
        np.testing.assert_array_equal(np.sort(fold.test), test)
        np.testing.assert_array_equal(np.sort(fold.train), train)
        assert len(fold.val) == 0
    fair = nb.make_folds(cohort, "published", 5, nb.RECIPES["corrected"], 3)
    for a, b in zip(folds, fair):
        np.testing.assert_array_equal(a.test, b.test)
        assert len(b.val) == len(a.train) // 10 and set(b.val) <= set(a.train)


@pytest.mark.parametrize("protocol, key", [("by_trial", ["subject", "trial"]), ("by_subject", ["subject"])])
def test_honest_folds_share_nothing(nb, protocol, key):
    cohort = small_cohort(nb, n_people=4, n_trials=10, n_windows=3)
    folds = nb.make_folds(cohort, protocol, 4, nb.RECIPES["official"], 0)
    names = cohort.table[key].apply(tuple, axis=1).to_numpy()
    for fold in folds:
        fitted = np.concatenate([fold.train, fold.val])
        assert len(fold.val) and not set(names[fitted]) & set(names[fold.test])
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(cohort.table)))


def test_last_epoch_last_fold_and_kept_start_do_what_they_say(nb):
    cohort, fair = small_cohort(nb), nb.RECIPES["corrected"]
    cohort = replace(cohort, y=cohort.y[torch.randperm(len(cohort.y), generator=torch.manual_seed(0))])  # overfits soon
    folds = nb.make_folds(cohort, "published", 3, fair, 0)
    made = nb.pooled(cohort, folds, fair, small_plan(nb, epochs=4, learning_rate=0.03), "x")
    assert any(h.best_epoch < h.stopped_epoch for h in made.histories)
    late = nb.scored(cohort, made.models, folds, made.histories, replace(fair, last_epoch=True), small_plan(nb))
    assert late.models == made.models
    for model, history, fold in zip(made.models, made.histories, folds):
        last = nb.load_weights(model, history.last_weights).eval()
        want = last(cohort.X[fold.test]).argmax(dim=1).numpy()
        np.testing.assert_array_equal(late.predicted[fold.test], want)
    shown = nb.shown_answers(made, folds, replace(fair, last_fold=True))
    assert set(np.flatnonzero(shown.predicted[:, 0] >= 0)) == set(folds[-1].test)
    assert nb.shown_answers(made, folds, fair) is made
    keep = nb.fit_settings(small_plan(nb), replace(fair, keep_start=True), True, 1.0)
    assert keep["keep_start"] and keep["plateau"].go_back
    assert not nb.fit_settings(small_plan(nb), replace(fair, keep_start=True), False, 1.0)["keep_start"]


def test_a_person_with_one_class_is_scored_beside_f1_without_a_crash(nb):
    cohort = small_cohort(nb)
    y = cohort.labels.copy()
    y[cohort.table.subject == "s0", 0] = 1
    cohort, fair = replace(cohort, y=torch.tensor(y)), nb.RECIPES["corrected"]
    folds = nb.make_folds(cohort, "published", 2, fair, 0)
    stage1 = nb.pooled(cohort, folds, fair, small_plan(nb), "x")
    for target in (None, 0):
        tuned = nb.tune(stage1, folds, fair, small_plan(nb), "x", target)
        assert torch.isfinite(tuned.models[0].heads[0].weight).all()
        np.testing.assert_array_equal(tuned.models[0].class_weights[0], [1, 1])
        assert 0 <= tuned.people().valence["s0"] <= 1
    table = tuned.scores()
    want = f1_score(cohort.labels[:, 0], tuned.predicted[:, 0], average="macro")
    assert table.loc["valence", "macro F1"] == pytest.approx(want)
    assert table.loc["valence", "accuracy"] == pytest.approx((tuned.predicted[:, 0] == cohort.labels[:, 0]).mean())


def test_people_without_validation_rows_keep_the_answers_of_stage_1(nb):
    cohort, fair = small_cohort(nb), nb.RECIPES["corrected"]
    rows = {s: np.flatnonzero(cohort.table.subject == s) for s in ("s0", "s1")}
    fold = splits.Split("x", "published", np.r_[rows["s0"][:40], rows["s1"][:50]], rows["s1"][50:60],
                        np.r_[rows["s0"][40:], rows["s1"][60:]])
    assert nb.own_part(fold, rows["s0"]) is None
    stage1 = nb.pooled(cohort, [fold], fair, small_plan(nb), "x")
    tuned = nb.tune(stage1, [fold], fair, small_plan(nb), "x")
    assert len(tuned.models) == 1
    np.testing.assert_array_equal(tuned.predicted[rows["s0"]], stage1.predicted[rows["s0"]])


def test_labels_without_meaning_stay_with_their_trial_and_person(nb):
    cohort = small_cohort(nb, n_trials=12)
    dealt = nb.without_meaning(cohort, 1)
    trial = cohort.trial
    for rows in (np.flatnonzero(trial == t) for t in np.unique(trial)):
        assert len(np.unique(dealt.labels[rows], axis=0)) == 1
    for subject in ("s0", "s1"):
        at = (cohort.table.subject == subject).to_numpy()
        for labels in (cohort.labels, dealt.labels):
            assert sorted(map(tuple, labels[at])) == sorted(map(tuple, cohort.labels[at]))
    assert not np.array_equal(dealt.labels, cohort.labels)


def test_noise_by_window_is_found_and_by_trial_is_not(nb):
    """The order of the three baselines, on one recording: about 93, 82 and 52 % by window, 50 by trial."""
    made, _ = nb.noise_variants(nb.noise_recording("white", 40, 8064, 5))
    found = pd.DataFrame(nb.linear_control(made, 5)).set_index(["baseline", "split"]).accuracy
    assert found["as coded", "by window"] > 0.88 > found["fixed", "by window"] > 0.74
    assert abs(found["none", "by window"] - 0.5) < 0.07
    assert all(abs(found[name, "by trial"] - 0.5) < 0.15 for name in made)
    known = found.xs("which trial, by window", level="split")
    assert known["none"] < 0.06 and min(known["fixed"], known["as coded"]) > 0.95  # chance: 1 in 40


def test_a_longer_noise_baseline_brings_trials_closer(nb):
    distance = {}
    for n_before in (1, 6, 24):
        recording = nb.noise_recording("white", 10, 64 * (n_before + 20), 0)
        made, vectors = nb.noise_variants(recording, n_before)
        assert made["fixed"].shape == (2, 10, 20, 32, 4) and vectors["fixed"].shape == (2, 10, 1, 32, 4)
        distance[n_before] = nb.cloud_distance(made["fixed"])
    assert distance[1] > 1.5 * distance[6] > 2 * distance[24]


def test_maps_weights_and_networks_are_double_where_that_is_the_default(nb):
    table = pd.DataFrame({"subject": "a", "session": 1, "trial": [0, 0, 1, 1], "window": [0, 1, 0, 1]})
    y = np.array([[0, 1], [0, 1], [1, 0], [1, 0]])
    torch.set_default_dtype(torch.float64)
    try:
        cohort = nb.make_cohort(np.ones((4, 8, 8, 9), np.float32), y, table, ("valence", "arousal"), "cpu")
        net = nb.MTCNN(width=0.0625)
        net.class_weights.copy_(weights := nb.balanced_weights(y, nb.RECIPES["corrected"]))
        loss, logits = net(cohort.X, cohort.y)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {x.dtype for x in (cohort.X, weights, loss, logits, *net.parameters())} == {torch.float64}


def test_pink_noise_falls_as_one_over_f(nb):
    noise = nb.noise_recording("pink", 2, 8064, 0)
    power = (np.abs(np.fft.rfft(noise)) ** 2).mean(axis=(0, 1))
    low, high = power[50:150].mean(), power[500:1500].mean()
    assert 7 < low / high < 13 and noise.std() == pytest.approx(10, rel=0.01)


def test_the_network_finds_noise_too(nb):
    made, _ = nb.noise_variants(nb.noise_recording("white", 10, 8064, 0))
    labels = np.stack([np.arange(10) % 2, np.arange(10) // 5], axis=1)
    cohort = nb.noise_cohort(made["as coded"], labels, deap.GENEVA, "cpu")
    plan = small_plan(nb, width=0.125, epochs=3, patience=3)
    assert nb.network_control(cohort, "by window", plan, nb.RECIPES["corrected"], "x")[0] > 0.75


def test_switches_are_all_on_or_all_off(nb):
    assert {tuple(getattr(r, f.name) for f in fields(r)) for r in nb.RECIPES.values()} == {(True,) * 7, (False,) * 7}


def test_crnn_learns_in_every_parameter(nb):
    net = nb.keras_init(nb.CRNN(width=0.125), 0)
    out = net(torch.randn(4, 6, 4, 8, 9))
    assert out.shape == (4, 2)
    out.logsumexp(1).sum().backward()
    assert [name for name, p in net.named_parameters() if not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("name, options, n_planes", [
    ("dreamer", {"n_subjects": 2, "n_clips": 4, "n_seconds": 4.0}, 14),
    ("eegmat", {"n_subjects": 2, "rest_seconds": 6, "arithmetic_seconds": 4}, 19),
])
def test_other_datasets_come_as_maps(nb, tmp_path, name, options, n_planes):
    datasets.simulate(name, tmp_path / name, **options)
    trials = nb.load_trials(name, str(tmp_path / name), 0)
    assert max(abs(signal.mean(axis=1)).max() for signal in trials.signals) < 0.1  # offsets are off
    baseline = nb.choose_baseline(trials.table, nb.RECIPES["corrected"])
    assert baseline == {"dreamer": "own", "eegmat": "none"}[name]
    maps = features.electrode_maps(trials, nb.BANDS[31], 0.5, baseline=baseline)
    assert (np.abs(maps.X[0, 0]) > 0).sum() == n_planes
    each = maps.table.groupby(["subject", "session", "trial"], sort=False).size()
    assert nb.windows_a_trial(trials).tolist() == each.tolist()
    labels = nb.classes(trials.table, name)
    assert list(labels) == {"dreamer": ["valence", "arousal"], "eegmat": ["arithmetic"]}[name]
    assert set(np.unique(labels)) <= {0, 1}


def test_settings_hold_the_papers_values(nb):
    defaults = {name: parameter.default for name, parameter in read_parameters("multitask_cnn").items()}
    paper = {"width": 1.0, "epochs": 200, "tune_epochs": 200, "patience": 16, "batch_size": 64, "learning_rate": 0.001,
             "norm_momentum": 0.01, "n_folds": 5}
    files = sorted(SETTINGS.glob("*.yaml"))
    assert {"published", "updated", "noise", "eegmat"} <= {file.stem for file in files}
    for path in files:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        check_parameters(defaults | values, nb.LIMITS)
        if values.get("dataset") == "deap":
            assert {name: values.get(name) for name in paper} == paper, path.name


def test_a_person_alone_is_trained_and_validated_on_their_own_rows(nb):
    cohort = small_cohort(nb)
    fold = nb.make_folds(cohort, "published", 3, nb.RECIPES["corrected"], 0)[0]
    rows = np.flatnonzero(cohort.table.subject == "s1")
    alone = nb.own_fold(fold, rows, 0)
    assert len(alone.val) >= 2 and set(alone.test) == set(fold.test) & set(rows)
    assert set(alone.train) | set(alone.val) == (set(fold.train) | set(fold.val)) & set(rows)
    assert nb.own_fold(fold, fold.test, 0) is None and nb.own_fold(fold, fold.train, 0) is None
