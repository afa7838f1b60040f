"""The audit finds planted truths, names what it cannot say, and treats every estimator alike."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from eegemo_utils import audit
from eegemo_utils.audit.protocols import deal, folds
from eegemo_utils.montage import make_info
from eegemo_utils.splits import LeakError
from eegemo_utils.trials import Trials, Windows

N_FEATURES = 16


def cohort(person=0.0, clip=0.0, effect=0.0, labels="of clips", n_people=8, n_clips=12, n_windows=6, seed=0):
    """Windows in which people, clips and labels leave marks of given strength; trials always do."""
    rng = np.random.default_rng(seed)
    marks = {name: rng.normal(size=(n, N_FEATURES)) for name, n in
             (("person", n_people), ("clip", n_clips), ("label", 2))}
    rows, X = [], []
    for p in range(n_people):
        for c in rng.permutation(n_clips):
            label = c % 2 if labels == "of clips" else int(rng.integers(2))
            trial = person * marks["person"][p] + clip * marks["clip"][c] + effect * marks["label"][label]
            trial = trial + 0.7 * rng.normal(size=N_FEATURES)
            X += list(trial + 0.5 * rng.normal(size=(n_windows, N_FEATURES)))
            rows += [{"subject": f"s{p}", "session": 1, "trial": int(c), "clip": f"c{c}", "window": w, "label": label}
                     for w in range(n_windows)]
    return Windows(np.array(X), pd.DataFrame(rows), description="made cohort")


class Nearest(ClassifierMixin, BaseEstimator):
    """Name the label of the nearest training window: recognises whatever there is to recognise."""

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y, groups=None):
        self.X_, self.y_, self.classes_, self.groups_ = X, np.asarray(y), np.unique(y), groups
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        near = self.y_[((X[:, None] - self.X_) ** 2).sum(axis=2).argmin(axis=1)]
        return (near[:, None] == self.classes_).astype(float)


def run(estimator, windows, **options):
    options = {"with_references": False, "n_seeds": 2, "n_draws": 2, "n_folds": 4} | options
    return audit.run(estimator, windows, **options)


@pytest.fixture(scope="module")
def fingerprint():
    return run(Nearest(), cohort(person=2, labels="at random"))


@pytest.fixture(scope="module")
def clips():
    return run(Nearest(), cohort(person=0.3, clip=2, n_clips=40, n_people=6, n_windows=3))


def scores(found, labels="true"):
    return found.table[found.table["labels"] == labels].set_index("protocol")["accuracy"]


def test_labels_that_follow_nothing_score_by_window_only_and_the_person_is_read(fingerprint):
    accuracy, noise = scores(fingerprint), scores(fingerprint, "meaningless")
    assert accuracy["published"] > 0.9 and noise["published"] > 0.9
    assert (accuracy[["by_trial", "by_subject", "by_clip"]] < 0.6).all()
    assert (noise[["by_trial", "by_subject", "by_clip"]] < 0.62).all()
    means = fingerprint.shortcut_means().set_index(["of", "protocol"])["accuracy"]
    assert means["subject", "by_trial"] > 0.9
    text = " ".join(fingerprint.sentences())
    assert "this protocol gives that much for recognising recordings" in text
    assert text.count("a difference is not shown") == 3 and "the difference is shown" not in text
    assert "that much of its score does not carry over" in text


def test_a_clip_that_is_recognised_carries_to_new_people_and_not_to_new_clips(clips):
    accuracy = scores(clips)
    assert accuracy["by_subject"] > 0.8 and accuracy["by_trial"] > 0.8 and accuracy["by_clip"] < 0.6
    cells = clips.shortcut_means().set_index("of")["accuracy"]
    assert cells["new person"] > 0.8 and max(cells["new clip"], cells["both new"]) < 0.65
    assert cells["clip"] > 0.6  # the probe
    assert "clips left out" in " ".join(clips.sentences()).lower()


def test_a_true_effect_holds_under_every_protocol_and_the_planted_one_is_found():
    found = run(LinearDiscriminantAnalysis(), cohort(person=0.5, effect=1.0))
    assert (scores(found) > 0.85).all() and (scores(found, "planted") > 0.75).all()
    assert (scores(found, "meaningless")[["by_trial", "by_subject"]] < 0.62).all()
    text = " ".join(found.sentences())
    assert text.count("the difference is shown") == 3 and "does not carry over" not in text
    assert text.count("the method can find what is there") == 2


def test_no_row_is_tested_by_a_model_that_saw_its_trial_person_or_clip(fingerprint):
    names = {"by_trial": ["subject", "session", "trial"], "by_subject": ["subject"], "by_clip": ["clip"]}
    for protocol, columns in names.items():
        rows = fingerprint.rows(protocol)
        for _, one in rows.groupby("seed"):
            assert one["row"].is_unique and len(one) == 8 * 12 * 6
            assert (one.groupby(columns)["fold"].nunique() == 1).all()


def test_a_broken_split_is_refused_by_the_guard(monkeypatch):
    from eegemo_utils.splits import folds as module

    monkeypatch.setattr(module, "trial_names", lambda table: np.arange(len(table)).astype(str))
    with pytest.raises(LeakError):
        folds(cohort().table, "by_trial")


def test_intervals_count_people_and_the_table_says_over_what(fingerprint):
    row = fingerprint.table.iloc[0]
    assert (row.n_people, row.n_trials, row.n_windows, row.n_seeds) == (8, 96, 576, 2)
    over_windows = 1.96 * np.sqrt(row.accuracy * (1 - row.accuracy) / (576 * 2))
    by_trial = fingerprint.table.set_index(["protocol", "labels"]).loc[("by_trial", "true")]
    assert by_trial.high - by_trial.low > 2.5 * 2 * over_windows


def test_few_people_get_no_verdict_and_missing_columns_are_named():
    windows = cohort(n_people=3)
    found = run(LinearDiscriminantAnalysis(), windows, n_seeds=1)
    assert found.table["low"].isna().all() and found.table["p"].isna().all()
    assert "3 people are too few for an interval or a verdict; 5 are needed." in found.sentences()
    windows.table = windows.table.drop(columns=["clip", "subject"])
    windows.table["trial"] = np.arange(len(windows)) // 6
    found = run(LinearDiscriminantAnalysis(), windows, n_seeds=1)
    text = " ".join(found.sentences())
    assert "people left out: not possible" in text and "clips left out: not possible" in text
    assert "People are not known" in text
    with pytest.raises(ValueError, match="no protocol is possible"):
        run(LinearDiscriminantAnalysis(), windows, protocols=["by_clip"])
    windows.table["label"] = 1
    with pytest.raises(ValueError, match="two labels at least, found 1"):
        run(LinearDiscriminantAnalysis(), windows)


class Watching(Nearest):
    """Keep what `fit` was given."""

    seen = []

    def fit(self, X, y, groups=None, eval_set=None):
        Watching.seen.append((len(X), None if groups is None else len(groups), eval_set, self.random_state))
        return super().fit(X, y, groups)

    def represent(self, X):
        return X[:, :3]

    def initialize(self, X, y):
        return self


def test_what_an_estimator_offers_is_used():
    Watching.seen = []
    found = run(Watching(), cohort(n_people=5, n_windows=3), protocols=["published", "by_trial"], planted_effect=0)
    chosen_on_test = [eval_set for _, _, eval_set, _ in Watching.seen if eval_set is not None]
    assert len(chosen_on_test) == 4 * (2 + 2) and {n == groups for n, groups, *_ in Watching.seen[:8]} == {True}
    assert {state for *_, state in Watching.seen} == {0, 1}
    assert {"probe, trained", "probe, untrained"} <= set(found.shortcuts["question"])


def test_an_audit_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    windows = cohort(n_people=5, n_windows=3)
    options = {"protocols": ["published", "by_trial"], "cache": tmp_path, "with_shortcuts": False}
    first = run(LinearDiscriminantAnalysis(), windows, **options)

    def refuse(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(sys.modules["eegemo_utils.audit.run"], "fit", refuse)
    second = run(LinearDiscriminantAnalysis(), windows, **options)
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
    with pytest.raises(AssertionError, match="trained again"):
        run(LinearDiscriminantAnalysis(), cohort(n_people=5, n_windows=3, seed=1), **options)
    assert not list(tmp_path.glob("*.partial"))


def test_predictions_and_splits_are_written_and_read_back(fingerprint, tmp_path, monkeypatch):
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    fingerprint.write()
    found, parts = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("predictions", "splits"))
    pd.testing.assert_frame_equal(found, fingerprint.predictions)
    assert found.attrs == parts.attrs and len(found.attrs["splits_sha256"]) == 64
    tested = parts[(parts["part"] == "test") & (parts["protocol"] == "by_subject") & (parts["seed"] == 0)]
    rows = found[(found["labels"] == "true") & (found["protocol"] == "by_subject") & (found["seed"] == 0)]
    assert set(zip(tested["fold"], tested["row"])) == set(zip(rows["fold"], rows["row"]))
    assert not audit.leaks(audit.read_predictions(tmp_path / "predictions.parquet")).empty


def test_surrogates_keep_what_they_say():
    rng = np.random.default_rng(0)
    info = make_info(["F3", "F4", "O1"], 100)
    table = pd.DataFrame({"subject": "a", "session": 1, "trial": [1, 2], "label": [0, 1]})
    trials = Trials([rng.normal(size=(3, n)) * 10 for n in (200, 201)], info, table)
    spectrum = [np.abs(np.fft.rfft(signal, axis=1)) for signal in trials.signals]
    for kind in ("phase", "reversed"):
        changed = audit.surrogate(trials, kind)
        for before, after, was in zip(trials.signals, changed.signals, spectrum):
            np.testing.assert_allclose(np.abs(np.fft.rfft(after, axis=1)), was, rtol=2e-3, atol=2e-2)
            assert np.corrcoef(before[0], after[0])[0, 1] < 0.5
    phase = audit.surrogate(trials, "phase").signals[0]
    cross = [np.fft.rfft(one[0]) * np.conj(np.fft.rfft(one[1])) for one in (trials.signals[0], phase)]
    np.testing.assert_allclose(cross[0], cross[1], rtol=1e-2, atol=5)
    channels = audit.surrogate(trials, "channels", 3).signals[0]
    assert sorted(channels[:, 0]) == sorted(trials.signals[0][:, 0])
    with pytest.raises(ValueError, match="'noise' is not one of phase, reversed, channels"):
        audit.surrogate(trials, "noise")


@pytest.mark.parametrize("where", ["power", "phase"])
def test_an_effect_in_phase_is_lost_with_the_phases_and_one_in_power_is_not(where):
    """Odd trials: stronger 10 Hz, or the same 10 Hz locked to the window's start."""
    rng, seconds = np.random.default_rng(0), np.arange(40) / 40
    signals, rows = [], []
    for p in range(5):
        for t in range(12):
            label = t % 2
            starts = np.zeros(8) if label and where == "phase" else rng.random(8) * 2 * np.pi
            height = 4 if where == "power" and label else 1 if where == "power" else 4
            wave = np.concatenate([height * np.sin(2 * np.pi * 10 * seconds + start) for start in starts])
            signals.append(wave + rng.normal(size=(2, 320)))
            rows.append({"subject": f"s{p}", "session": 1, "trial": t, "label": label})
    trials = Trials(signals, make_info(["F3", "F4"], 40), pd.DataFrame(rows))

    def prepare(trials):
        X = np.concatenate([signal.reshape(2, 8, 40).swapaxes(0, 1) for signal in trials.signals])
        if where == "power":
            X = np.abs(np.fft.rfft(X, axis=2))
        return X.reshape(len(X), -1)

    table = trials.table.loc[trials.table.index.repeat(8)].assign(window=np.tile(np.arange(8), 60))
    found = run(LinearDiscriminantAnalysis(), Windows(prepare(trials), table), protocols=["by_trial"], n_seeds=1,
                surrogates={"phase": prepare(audit.surrogate(trials, "phase"))}, n_draws=1, planted_effect=0)
    changed = found.shortcut_means().set_index("question").loc["surrogate", "accuracy"]
    assert scores(found)["by_trial"] > 0.8
    assert changed > 0.75 if where == "power" else changed < 0.65


def test_labels_are_dealt_within_people_where_they_can_be():
    table = cohort(n_people=5, n_windows=2).table
    dealt, where = deal(table, folds(table, "by_trial"), 0)
    assert where == "within people"
    counts = pd.crosstab(table["subject"], dealt)
    assert (counts == 12).all(axis=None)
    one_each = table[table["trial"].isin([0, 1])].reset_index(drop=True)
    one_each["label"] = one_each["subject"].isin(["s0", "s1", "s2"]).astype(int)
    assert deal(one_each, [], 0)[1] == "across trials"


def test_figure_metrics_and_names(fingerprint):
    metrics = fingerprint.metrics()
    assert {"accuracy_published", "accuracy_by_subject", "noise_by_trial", "chance", "majority"} <= set(metrics)
    assert all(name.islower() and "__" not in name for name in metrics)
    figure = fingerprint.figure()
    assert len(figure.axes) == 2 and "Nearest" in figure.axes[0].get_title()
