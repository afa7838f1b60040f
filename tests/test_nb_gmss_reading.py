"""What notebooks/gmss.ipynb says about its numbers, and what it refuses, with advice that can be followed."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from eegemo_utils import splits, training
from eegemo_utils.montage import seed_graph
from eegemo_utils.notebooks import ParameterError, cast_parameters, load_definitions


@pytest.fixture(scope="module")
def gmss():
    return load_definitions("gmss")


def scored(values):
    return [SimpleNamespace(accuracy=value) for value in values]


def test_rows_are_compared_run_by_run(gmss):
    base = [0.5, 0.7, 0.9, 0.6]
    rows = {"all": scored(base), "none": scored(np.add(base, [0.0999, 0.1, 0.1001, 0.1])),
            "one": scored([0.9, 0.5, 0.6, 0.7]), "less": scored(np.subtract(base, [0.2, 0.2, 0.2, 0.2001]))}
    table = gmss.beside_row(rows, "all", list("abcd"))
    assert table.reading.tolist()[1:] == ["better", "not told apart", "worse"] and pd.isna(table.reading["all"])
    assert table.change["none"] == pytest.approx(0.1) and table.accuracy["all"] == pytest.approx(np.mean(base))
    low, high = gmss.joint_interval([0.4, -0.2, -0.3, 0.1], list("abcd"), 3)
    assert (table.low["one"], table.high["one"]) == (low, high)
    said = gmss.what_differs(table, "all", 4)
    assert said.startswith("over 4 runs these differ from all: none: better; less: worse")
    mixed = gmss.beside_row({name: rows[name] for name in ("all", "one")}, "all", list("abcd"))
    assert "what helps cannot be said" in gmss.what_differs(mixed, "all", 4)


def test_three_people_get_an_interval_that_holds_the_mean_of_all_people(gmss):
    runs = [gmss.Run(SimpleNamespace(name=f"subject {k}")) for k in range(3)]
    drawn = np.random.default_rng(0).normal(0.6, 0.05, (200, 3))
    found = pd.DataFrame([gmss.accuracy(scored(values), runs, gmss.Recipe()) for values in drawn])
    assert ((found.low <= 0.6) & (found.high >= 0.6)).mean() > 0.9
    ends = gmss.accuracy(scored([1.0, 0.9, 0.5]), runs, gmss.Recipe())
    assert ends["high"] == 1.0 and 0 <= ends["low"] < 0.5  # never beyond what an accuracy can be


@pytest.mark.parametrize("noise", [-1e-13, 0, 1e-13])
def test_the_ends_of_an_interval_do_not_hang_on_the_last_digit(gmss, noise):
    """Rounded outwards to 0.001, but not from 0.6 + 1e-13 to 0.601: that would differ between processors."""
    assert gmss.joint_interval([0.6 + noise] * 4, list("abcd")) == (0.6, 0.6)


def test_one_run_is_told_apart_from_nothing(gmss):
    table = gmss.beside_row({"all": scored([0.5]), "none": scored([0.9])}, "all", ["a"])
    assert table.low.isna().all() and table.reading.isna().all()
    assert "cannot be said" in gmss.what_differs(table, "all", 1)


def test_networks_that_answer_one_class_are_counted(gmss):
    answers = ([1, 1, 1], [0, 1, 1], [2, 2, 2])
    assert gmss.one_class([SimpleNamespace(predicted=np.array(each)) for each in answers]) == 2


def test_contrastive_levels_are_those_of_the_batches_that_an_epoch_has(gmss):
    """A network whose projections are all alike has the guessing line as its logged loss: batches of 28 and 6."""
    full, last = (gmss.contrastive_levels(n, 4, 0.5) for n in (7, 1))
    levels = gmss.epoch_levels([34, 34], 28, 4, 0.5)
    for name, value in levels.items():
        assert value == pytest.approx((28 * full[name] + 6 * last[name]) / 34)
    table = gmss.spatial_table([np.arange(62)[k::5] for k in range(5)], gmss.choose_permutations(5, 128))
    exp = gmss.Experiment(
        X=torch.randn(40, 62, 5), y=np.arange(40) % 3, edges=seed_graph(), bands=gmss.frequency_table(5),
        regions={"corrected": table, "official": table}, n_outputs=3, zscore=True, epochs=1, probe_epochs=1,
        batch_size=28, learning_rate=0.005, weight_decay=0.0, n_filters=4, order=2, n_hidden=16, n_views=4,
        temperature=0.5, at_once=45, precision="float32")
    run = gmss.Run(splits.Split("x", "by_trial", np.arange(34), np.arange(0), np.arange(34, 40)))
    step = exp.step(run, gmss.Recipe(), 3).train()
    nn.init.zeros_(step.network.heads["projection"][-1].weight)
    nn.init.ones_(step.network.heads["projection"][-1].bias)
    for start, stop in training.data.batches(34, 28):
        x = exp.X[start:stop]
        step(x, x, torch.zeros(len(x), 1), torch.as_tensor(exp.y[start:stop]))
    assert gmss.curves([step])["contrastive loss"].item() == pytest.approx(levels["all views alike"], abs=1e-4)


def test_one_label_is_an_error(gmss):
    gmss.check_classes(["calm", "task"], "my data")
    with pytest.raises(ValueError, match="my data has one label only, 'calm'.*Two or more labels are needed"):
        gmss.check_classes(["calm"], "my data")


def test_the_kind_of_published_split_is_named(gmss):
    table = pd.DataFrame([(str(s), 1, t, w, "pnq"[t % 3]) for s in (1, 2) for t in range(1, 16) for w in range(4)],
                         columns=["subject", "session", "trial", "window", "label"])
    for dataset, mixes in (("seed", False), ("eegmat", True)):
        folds = {"published": gmss.dependent_folds(table, dataset, False, 5, 0)}
        said = gmss.published_kind(folds, mixes)
        assert ("MIXES windows of one recording" in said) is mixes and ("best two sessions" in said) is not mixes
        shared = [set(table.loc[f.train, ["subject", "trial"]].itertuples(index=False, name=None))
                  & set(table.loc[f.test, ["subject", "trial"]].itertuples(index=False, name=None))
                  for f in folds["published"]]
        assert all(map(bool, shared)) is mixes
    assert gmss.published_kind({"by_subject": []}, False).startswith("published, people left out:")


def test_advice_names_what_a_reader_can_change(gmss):
    table = pd.DataFrame([("1", 1, t, w, "pn"[t % 2]) for t in range(1, 5) for w in range(4)],
                         columns=["subject", "session", "trial", "window", "label"])
    how = {"dataset": "simulated", "honest": True, "n_folds": 5, "random_state": 0}
    with pytest.raises(ValueError, match="one person out needs two.*set compare dependent$"):
        gmss.made_folds(gmss.independent_folds, table, "set compare dependent", **how)
    few = table[table.trial <= 2]
    with pytest.raises(ValueError, match="What to do: more trials$") as error:
        gmss.made_folds(gmss.dependent_folds, few, "more trials", **how | {"dataset": "eegmat"})
    assert "val_fraction" not in str(error.value)


def test_one_filter_is_refused(gmss):
    cast_parameters("gmss", {"n_filters": 2})
    with pytest.raises(ParameterError, match="n_filters"):
        cast_parameters("gmss", {"n_filters": 1})
