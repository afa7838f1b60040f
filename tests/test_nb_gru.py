"""Definitions of notebooks/gru.ipynb: shapes, the article's constants, equality with independent implementations."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import nn

from eegemo_utils import splits, training
from eegemo_utils.datasets import bird_features as bird
from eegemo_utils.notebooks import check_parameters, load_definitions, notebook_path, read_parameters

SETTINGS = notebook_path("gru").parent / "settings" / "gru"


@pytest.fixture(scope="module")
def gru():
    return load_definitions("gru")


@pytest.fixture
def table():
    """Two people, three states, two recordings each, 20 rows a recording, in random order."""
    rows = [(subject, 1, 2 * state + take, f"s{state}", 20 * i + position, i, position)
            for i, (subject, state, take) in enumerate((p, s, t) for p in "ab" for s in range(3) for t in range(2))
            for position in range(20)]
    frame = pd.DataFrame(rows, columns=["subject", "session", "trial", "label", "window", "chain", "position"])
    return frame.sample(frac=1, random_state=0).reset_index(drop=True)


def keras_gru(x, kernel, recurrent, bias):
    """Keras's GRU (reset_after=True; gates in the order z, r, h; bias (2, 3 units)) in NumPy, for one sequence."""
    n_units = recurrent.shape[0]
    h, states = np.zeros(n_units), []
    for value in x:
        from_input, from_state = value @ kernel + bias[0], h @ recurrent + bias[1]
        z = 1 / (1 + np.exp(-(from_input[:n_units] + from_state[:n_units])))
        r = 1 / (1 + np.exp(-(from_input[n_units : 2 * n_units] + from_state[n_units : 2 * n_units])))
        candidate = np.tanh(from_input[2 * n_units :] + r * from_state[2 * n_units :])
        h = z * h + (1 - z) * candidate
        states.append(h)
    return np.array(states)


def test_parameter_counts_are_the_articles(gru):
    model = gru.ColumnGRU(n_steps=2548, n_outputs=3, n_hidden=256)
    assert training.count_parameters(model.gru) == 198_912
    assert training.count_parameters(model.final_layer) == 1_956_867
    assert training.count_parameters(model) == 2_155_779


def test_scan_equals_keras_equations(gru):
    rng = np.random.default_rng(0)
    kernel, recurrent, bias = rng.normal(size=(2, 12)), rng.normal(size=(4, 12)), rng.normal(size=(2, 12))
    x = rng.normal(size=(1, 9, 2))
    z, r, h = (np.arange(4) + 4 * gate for gate in range(3))
    order = np.concatenate([r, z, h])  # PyTorch's gate order
    weights = [torch.tensor(a) for a in (kernel.T[order], recurrent.T[order], bias[0][order], bias[1][order])]
    states = gru.gru_scan(torch.tensor(x), *weights)[0]
    np.testing.assert_allclose(states, keras_gru(x[0], kernel, recurrent, bias), atol=1e-12)


@pytest.mark.parametrize("name", ["ColumnGRU", "TimeGRU"])
def test_scan_equals_nn_gru_with_gradients(gru, name):
    torch.manual_seed(0)
    model = gru.ColumnGRU(11, 3, 5) if name == "ColumnGRU" else gru.TimeGRU(3, 3, 5, 0)
    x = torch.randn(4, 11) if name == "ColumnGRU" else torch.randn(4, 11, 3)
    gradients = []
    for scan in (False, True):
        model.zero_grad()
        model(x, scan=scan).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(model(x), model(x, scan=True), atol=1e-5, rtol=1e-5)
    for fast, loop in zip(*gradients):
        assert fast.abs().sum() > 0, "a parameter got no gradient"
        torch.testing.assert_close(fast, loop, atol=1e-4, rtol=1e-4)


def test_keras_init(gru):
    model = gru.keras_init(gru.ColumnGRU(40, 3, 16), 0)
    limit = (6 / (1 + 48)) ** 0.5  # Glorot on Keras's (1, 3 * 16) kernel
    assert model.gru.weight_ih_l0.abs().max() <= limit and model.gru.weight_ih_l0.abs().max() > 0.8 * limit
    torch.testing.assert_close(model.gru.weight_hh_l0.mT @ model.gru.weight_hh_l0, torch.eye(16), atol=1e-5, rtol=0)
    for bias in (model.gru.bias_ih_l0, model.gru.bias_hh_l0, model.final_layer.bias):
        assert bias.abs().sum() == 0
    again = gru.keras_init(gru.ColumnGRU(40, 3, 16), 0)
    assert torch.equal(model.final_layer.weight, again.final_layer.weight)
    assert not torch.equal(model.final_layer.weight, gru.keras_init(again, 1).final_layer.weight)


def test_overfits_one_batch(gru):
    torch.manual_seed(0)
    x, y = torch.randn(12, 20), torch.arange(12) % 3
    model = gru.keras_init(gru.ColumnGRU(20, 3, 16), 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert (model(x).argmax(1) == y).all()


def test_copied_columns_are_the_732(gru):
    names = bird.column_names(2548)
    copies = gru.copies_in(names)
    assert len(copies) == 732 and not set(copies.column) & set(copies.original)
    assert len(gru.copies_in(bird.column_names(988))) == 0
    assert len(gru.walked_columns(names, gru.RECIPES["corrected"], 1)) == 2548 - 732
    assert len(gru.walked_columns(names, gru.RECIPES["official"], 8)) == 319


def test_recipes_and_scaling(gru):
    X = np.random.default_rng(0).normal(5, 3, size=(50, 10))
    X[:, 3] = 7.0
    train = np.arange(30)
    official = gru.build_model(X, train, gru.RECIPES["official"], 3, 4, 0)
    assert official.shift.abs().sum() == 0 and (official.scale == 1).all() and torch.isinf(official.limit)
    model = gru.build_model(X, train, gru.RECIPES["corrected"], 3, 4, 0)
    changed = X.copy()
    changed[30:] += 100
    again = gru.build_model(changed, train, gru.RECIPES["corrected"], 3, 4, 0)
    for name in ("shift", "scale"):
        assert torch.equal(getattr(model, name), getattr(again, name)), "scaling looked at test rows"
    scaled = (torch.tensor(X[train], dtype=torch.float32) - model.shift) / model.scale
    torch.testing.assert_close(scaled.mean(0), torch.zeros(10), atol=1e-5, rtol=0)
    assert scaled[:, 3].abs().max() == 0, "a constant column must not blow up"
    assert torch.isfinite(model(torch.full((1, 10), 1e15))).all()


def test_column_order_permutes_the_steps(gru):
    X = np.random.default_rng(0).normal(size=(5, 10))
    order = np.random.default_rng(1).permutation(10)
    plain = gru.build_model(X, np.arange(5), gru.RECIPES["official"], 3, 4, 0)
    permuted = gru.build_model(X, np.arange(5), gru.RECIPES["official"], 3, 4, 0, order=order)
    x = torch.tensor(X, dtype=torch.float32)
    torch.testing.assert_close(permuted(x), plain(x[:, order]))


def test_shared_halves_counts_neighbours(gru, table):
    split = splits.random_split(table, random_state=1)
    known = {(table.chain[i], table.position[i]) for i in np.concatenate([split.train, split.val])}
    expected = [sum((table.chain[i], table.position[i] + step) in known for step in (-1, 1)) for i in split.test]
    assert gru.shared_halves(table, split).tolist() == expected
    assert 1 in expected and 2 in expected


def test_purged_and_contiguous_share_nothing(gru, table):
    split = splits.random_split(table, random_state=1)
    purged, ends = gru.purged(split, table), gru.contiguous(table)
    assert set(purged.test) == set(split.test) and 0 < len(purged.train) < len(split.train)
    assert gru.shared_halves(table, purged).sum() == 0
    assert gru.shared_halves(table, ends).sum() == 0
    position = table.position.to_numpy()
    for chain in table.chain.unique():
        here = table.chain.to_numpy() == chain
        train, val, test = (position[part][here[part]] for part in (ends.train, ends.val, ends.test))
        assert (train.tolist() and val.min() - train.max(), test.min() - val.max(), len(test)) == (3, 3, 6)


def test_guards_move_the_parts_apart_while_training_rows_are_left(gru, table):
    wide = gru.ladder_splits(table, n_folds=2, random_state=0, n_guard=4)["contiguous"][0]
    place = table.position.to_numpy()
    assert place[wide.test].min() - place[wide.val].max() == place[wide.val].min() - place[wide.train].max() == 5
    with pytest.raises(ValueError, match="n_guard 8 leaves no training rows: the longest recording has 20"):
        gru.contiguous(table, n_guard=8)


def test_thinned_keeps_as_many_random_rows_as_asked(gru, table):
    split = splits.random_split(table, random_state=1)
    like = gru.purged(split, table)
    few = gru.thinned(split, like, 0)
    assert (len(few.train), len(few.val)) == (len(like.train), len(like.val))
    assert set(few.train) < set(split.train) and set(few.val) < set(split.val)
    assert few.test.tolist() == split.test.tolist()
    assert gru.shared_halves(table, few).sum() > 0, "the copies stay, or the comparison says nothing"


def test_shifted_moves_every_row(gru, table):
    split = splits.random_split(table, random_state=1)
    moved = gru.shifted(split, 1000)
    for part in ("train", "val", "test"):
        assert (getattr(moved, part) == getattr(split, part) + 1000).all()


def test_ladder_leaves_recordings_and_people_out(gru, table):
    rungs = gru.ladder_splits(table, n_folds=2, random_state=0)
    assert list(rungs) == ["random rows", "fewer random rows", "purged", "contiguous", "recordings left out",
                           "people left out"]
    for rung, column in (("recordings left out", "chain"), ("people left out", "subject")):
        assert sorted(np.concatenate([fold.test for fold in rungs[rung]])) == list(range(len(table)))
        for fold in rungs[rung]:
            assert not set(table[column][fold.test]) & set(table[column][fold.train])
    assert "people left out" not in gru.ladder_splits(table.assign(subject="unknown", trial=table.chain), 2, 0)


@pytest.mark.parametrize("n_columns, shared", [(2548, 1274), (988, 476)])
def test_halves_pair_the_same_columns(gru, n_columns, shared):
    names = bird.column_names(n_columns)
    previous, current = gru.halves(np.arange(n_columns)[None], names)
    assert previous.shape == current.shape == (1, shared)
    for i, j in zip(previous[0], current[0]):
        assert names[i].removeprefix("lag1_") == names[j] or names[i][:-2] == names[j][:-2]


@pytest.mark.parametrize("path", sorted(SETTINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_settings_files_fit_the_notebook(gru, path):
    given = yaml.safe_load(path.read_text())
    parameters = read_parameters("gru")
    assert set(given) <= set(parameters)
    check_parameters({name: default for name, (default, _) in parameters.items()} | given, gru.LIMITS)


def test_article_settings_are_the_articles():
    article = yaml.safe_load((SETTINGS / "article.yaml").read_text())
    assert article["dataset"] == "emotions" and article["recipe"] == "official" and article["protocol"] == "published"
    wanted = {"n_columns": 2548, "column_step": 1, "n_hidden": 256, "epochs": 50, "patience": 5, "batch_size": 32}
    wanted |= {"learning_rate": 1e-3, "models_at_once": 1}  # one after another, through cuDNN
    assert wanted.items() <= article.items()
