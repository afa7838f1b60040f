"""TNAS: windows and their quirks, labels, folds, settings."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from eegemo_utils import splits
from eegemo_utils.datasets import deap, dreamer, eegmat
from eegemo_utils.montage import make_info
from eegemo_utils.notebooks import check_parameters, load_definitions, notebook_path, read_parameters
from eegemo_utils.trials import DatasetError, Trials

SETTINGS = notebook_path("tnas").parent / "settings" / "tnas"


@pytest.fixture(scope="module")
def tnas():
    return load_definitions("tnas")


def counting_trials(n_trials=2, n_seconds=60, baseline=3, n_chans=3, sfreq=128.0):
    """Trials whose samples say where they stand: trial, second, electrode."""
    signals = []
    for trial in range(n_trials):
        n = int((baseline + n_seconds) * sfreq)
        second = (np.arange(n) // sfreq) - baseline
        wave = np.sin(np.arange(n))
        signals.append(np.stack([100 * trial + second + 10 * c + wave * (1 + c) for c in range(n_chans)]))
    table = pd.DataFrame({"subject": "s01", "session": 1, "trial": np.arange(1, n_trials + 1), "label": "low",
                          "baseline_seconds": float(baseline)})
    return Trials(signals, make_info(["Fz", "Cz", "Pz"][:n_chans], sfreq), table)


# ---- windows ----

def test_windows_of_a_minute(tnas):
    trials = counting_trials(2)
    noise = np.random.default_rng(0)
    trials.signals = [s + noise.normal(size=s.shape) for s in trials.signals]
    made = tnas.segment(trials, 1.0, tnas.Recipe(), "none")
    assert made.X.shape == (120, 3, 128) and made.table.second.tolist() == [*range(60)] * 2
    assert len(np.unique(made.X.reshape(120, -1).round(5), axis=0)) == 120
    quirk = tnas.segment(trials, 1.0, tnas.Recipe(duplicate_first=True), "none")
    assert quirk.table.second.tolist() == [0, *range(59)] * 2
    assert np.array_equal(quirk.X[0], quirk.X[1]) and np.array_equal(quirk.X[1:60], made.X[:59])


def test_windows_have_the_precision_of_the_run(tnas):
    trials, before = counting_trials(1), torch.get_default_dtype()
    made = {}
    try:
        for kind in (torch.float32, torch.float64):
            torch.set_default_dtype(kind)
            made[kind] = tnas.segment(trials, 1.0, tnas.Recipe(), "subtract").X
    finally:
        torch.set_default_dtype(before)
    assert [x.dtype for x in made.values()] == [np.float32, np.float64]
    assert np.array_equal(made[torch.float64].astype(np.float32), made[torch.float32])


def test_effect_changes_the_signals_alone(tnas, monkeypatch):
    monkeypatch.setattr(tnas, "SIMULATED", tnas.SIMULATED | {"n_subjects": 1, "n_trials": 4, "n_seconds": 6.0})
    none, full = (tnas.load_trials("simulated", "", "all", effect, 0) for effect in (0.0, 1.0))
    assert none.table.equals(full.table)
    assert not any(np.array_equal(one, two) for one, two in zip(none.signals, full.signals))


def test_copies_of_a_person_of_deap(tnas):
    trials = counting_trials(40, n_chans=1)
    made = tnas.segment(trials, 1.0, tnas.Recipe(duplicate_first=True), "none")
    copies = made.table.duplicated(["trial", "second"]).sum()
    assert len(made) == 2400 and copies == 40 and 59 not in set(made.table.second)


def test_scale_of_a_window(tnas):
    made = tnas.segment(counting_trials(1), 1.0, tnas.Recipe(), "none").X
    assert np.abs(made.mean(axis=(1, 2))).max() < 1e-6
    np.testing.assert_allclose(np.linalg.norm(made, axis=(1, 2)), np.sqrt(3), rtol=1e-5)  # three patches of length 1


def test_baseline_is_the_mean_second(tnas):
    rng = np.random.default_rng(0)
    trials = counting_trials(2)
    trials.signals = [rng.normal(size=s.shape).astype(np.float32) for s in trials.signals]
    befores = [s[:, :384] for s in trials.signals]
    own = tnas.baselines_of(trials, trials.signals, [384, 384], 128, False)
    for before, mean in zip(befores, own):
        np.testing.assert_allclose(mean, (before[:, :128] + before[:, 128:256] + before[:, 256:]) / 3, rtol=1e-5)
    made = tnas.segment(trials, 1.0, tnas.Recipe(), "subtract")
    first = trials.signals[1][:, 384 + 5 * 128 : 384 + 6 * 128] - own[1]
    np.testing.assert_allclose(made.X[65], tnas.unit_patches(first[None])[0], atol=1e-5)


def test_time_points_over_electrodes(tnas):
    made = tnas.over_electrodes(np.random.default_rng(0).normal(3, 2, (32, 500)))
    assert np.abs(made.mean(axis=0)).max() < 1e-12 and np.abs(made.std(axis=0) - 1).max() < 1e-12


def test_dreamers_baselines(tnas):
    """The published script takes every k-th second of all clips, and the mean of the clip before."""
    rng = np.random.default_rng(0)
    befores = [rng.normal(size=(2, 61 * 128)) for _ in range(18)]
    seconds = np.concatenate([b[:, : 60 * 128].reshape(2, 60, 128).swapaxes(0, 1)[[0, *range(60)]] for b in befores])
    assert len(seconds) == 18 * 61
    expected, running = [], np.zeros((2, 128))
    for k in range(1, 19):
        for i in range(1, 62):
            running = running + seconds[k * i - 1]
        running = running / 61
        expected.append(running)
    np.testing.assert_allclose(tnas.mixed_baselines(befores, 128), expected, atol=1e-12)


def test_a_clips_baseline_is_its_own(tnas):
    trials = dreamer.simulate(1, n_clips=4, n_seconds=5.0, baseline_seconds=8.0)
    n = [int(seconds * 128) for seconds in trials.table.baseline_seconds]
    before = tnas.baselines_of(trials, trials.signals, n, 128, False)
    trials.signals[1][:, : n[1]] += 50.0
    after = tnas.baselines_of(trials, trials.signals, n, 128, False)
    assert [np.allclose(a, b) for a, b in zip(before, after)] == [True, False, True, True]
    mixed = tnas.baselines_of(trials, trials.signals, n, 128, True)
    assert [np.allclose(a, b) for a, b in zip(mixed, after)] == [False] * 4


def test_other_rates_become_128(tnas):
    trials = eegmat.simulate(1, rest_seconds=4, arithmetic_seconds=3)
    made = tnas.segment(trials, 1.0, tnas.Recipe(), "none")
    assert trials.info["sfreq"] == 500 and made.X.shape[1:] == (19, 128)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda t: t.samples_of(0.3, 128.0), ValueError, "window_seconds 0.3 at 128 Hz are 38.4 samples"),
    (lambda t: t.segment(counting_trials(1, 1), 2.0, t.Recipe(), "none"), DatasetError, "shorter than a window of 2 s"),
    (lambda t: t.segment(counting_trials(1, 9, 0), 1.0, t.Recipe(), "subtract"), DatasetError, "set baseline to none"),
    (lambda t: t.segment(counting_trials(1, 9, 1), 2.0, t.Recipe(), "subtract"), DatasetError,
     "a baseline of 128 samples holds no window of 256"),
])
def test_bad_windows_are_named(tnas, call, error, message):
    with pytest.raises(error, match=message):
        call(tnas)


def test_last_seconds(tnas):
    made = tnas.segment(counting_trials(1, 20), 1.0, tnas.Recipe(), "none", 5)
    whole = tnas.segment(counting_trials(1, 20), 1.0, tnas.Recipe(), "none")
    np.testing.assert_array_equal(made.X, whole.X[-5:])


# ---- labels and folds ----

@pytest.fixture(scope="module")
def person(tnas):
    trials = deap.simulate(2, n_trials=12, n_seconds=11.0)
    return tnas.segment(trials, 1.0, tnas.Recipe(), "none")


def test_labels(tnas, person):
    names, labels, n = tnas.make_labels(person, "deap", "valence dominance")
    assert names == ["valence", "dominance"] and n == 2
    assert np.array_equal(labels[1], (person.table.dominance > 5).astype(int))
    with pytest.raises(ValueError, match="no rating called joy; there are valence, arousal, dominance, liking"):
        tnas.make_labels(person, "deap", "valence joy")
    names, labels, n = tnas.make_labels(person, "faced", "valence")
    assert names == ["label"] and n == 2 and set(labels[0]) == {0, 1}


def ladder(tnas, person):
    table = person.table
    y = (table.valence > 5).to_numpy().astype(int)
    rows = np.flatnonzero(table.subject == "s01")
    own = table.iloc[rows]
    doubled = own.assign(label=y[rows]).reset_index(drop=True)
    return table, y, rows, tnas.possible_folds(tnas.ladder_folds(table, doubled, y, "s01", 4, 0))[0]


def trials_of(table, rows):
    return set(table.iloc[rows].subject + table.iloc[rows].trial.astype(str))


def test_rungs_share_what_they_say(tnas, person):
    table, y, rows, rungs = ladder(tnas, person)
    joined = pd.concat([table, table.iloc[rows]], ignore_index=True)
    for name, folds in rungs.items():
        tested = np.sort(np.concatenate([fold.test for fold in folds]))
        expected = {"P0": len(table) + np.arange(len(rows)), "P4": np.arange(len(table))}.get(name[:2], rows)
        assert np.array_equal(tested, expected), name  # every window is tested exactly once
        for fold in folds:
            known = trials_of(joined, np.concatenate([fold.train, fold.val]))
            shared = known & trials_of(joined, fold.test)
            assert bool(shared) == (name[:2] in ("P0", "P1", "P2")), name
            people = set(joined.subject[np.concatenate([fold.train, fold.val])]) & set(joined.subject[fold.test])
            assert bool(people) == (name[:2] != "P4")
            assert not set(fold.train) & set(fold.val) and len(np.unique(y[fold.val % len(y)])) == 2
    pieces = rungs["P2 pieces of trials"][0]
    assert all(np.ptp(part.window) == len(part) - 1 for _, part in table.iloc[pieces.test].groupby("trial"))


def test_rungs_that_cannot_be_are_named(tnas, person):
    def never():
        raise ValueError("6 folds need 6 trials, found 2.")

    made, said = tnas.possible_folds({"P3 whole\ntrials": never, ("P3", 1): never, "P1": lambda: ["fold"]})
    assert made == {"P1": ["fold"]}
    assert said == [f"no {name} here: 6 folds need 6 trials, found 2." for name in ("P3 whole trials", "P3")]


def test_people_are_left_out_in_groups_when_there_are_many(tnas):
    table = pd.DataFrame({"subject": np.repeat([f"s{k:02d}" for k in range(12)], 8), "session": 1,
                          "trial": np.tile(np.repeat([1, 2, 3, 4], 2), 12)})
    y = np.asarray(table.trial > 2).astype(int)
    assert len(tnas.people_folds(table, y, 12, 0)) == 12 and len(tnas.people_folds(table, y, 4, 0)) == 4


def test_lost_windows(tnas):
    folds = tnas.lost_window_folds(3728, 10, 0)
    tested = np.concatenate([fold.test for fold in folds])
    assert len(tested) == len(set(tested)) == 3720 and {len(fold.test) for fold in folds} == {372}
    assert all(len(fold.train) + len(fold.val) + len(fold.test) == 3728 for fold in folds)


def test_a_part_with_one_class_is_named(tnas):
    y = np.array([0, 1, 0, 0, 1, 1])
    fold = splits.Split("windows 1/2", "published", np.array([0, 1]), np.array([2, 3]), np.array([4, 5]))
    with pytest.raises(ValueError, match="s07, valence, fold 'windows 1/2': the val part holds 1 class"):
        tnas.check_folds([fold], y, "s07, valence")


def test_a_person_of_one_class_is_left_out_by_name(tnas, person):
    y = np.where(person.table.subject == "s02", 1, (person.table.valence > 5).astype(int))
    tasks, left_out = tnas.make_tasks(person.table, y[None], ["dominance"], "published", 4, False, 0)
    assert [task.person for task in tasks] == ["s01"]
    assert left_out == ["s02, dominance: all windows are of one class, so there is no task"]


# ---- settings ----

@pytest.mark.parametrize("path", sorted(SETTINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_settings_make_a_run(tnas, path):
    values = {name: parameter.default for name, parameter in read_parameters("tnas").items()}
    values |= yaml.safe_load(path.read_text(encoding="utf-8"))
    check_parameters(values, tnas.LIMITS)
    options = [tnas.parse_options(n, values[n], float if n == "mlp_ratios" else int)
               for n in ("embed_dims", "heads", "mlp_ratios", "depths")]
    space = tnas.Space(*options, values["head_dim"])
    tnas.Search(*(values[n] for n in ("population", "n_mutations", "n_crossovers", "top_k", "n_iterations")))
    if path.stem.startswith(("deap", "dreamer")):
        assert space == tnas.PAPER_SPACE and values["n_iterations"] == 50 and values["n_folds"] == 10
