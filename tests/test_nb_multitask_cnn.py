"""Definitions of notebooks/multitask_cnn.ipynb: the network against the released code's outputs, losses, stages."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from test_features_golden import GOLDEN, golden_recording
from torch import nn

from eegemo_utils import training
from eegemo_utils.notebooks import load_definitions

OUTPUTS = json.loads((Path(__file__).parent / "golden" / "multitask_cnn.json").read_text())["network"]


@pytest.fixture(scope="module")
def nb():
    return load_definitions("multitask_cnn")


def table_of(n_people=2, n_trials=6, n_windows=12):
    rows = [(f"s{p}", 1, t, w) for p in range(n_people) for t in range(n_trials) for w in range(n_windows)]
    return pd.DataFrame(rows, columns=["subject", "session", "trial", "window"])


def small_cohort(nb, seed=0, **shape):
    """Maps with a shift a trial, so that something can be learned; two targets, constant in a trial."""
    rng = np.random.default_rng(seed)
    table = table_of(**shape)
    trial = table.groupby(["subject", "trial"]).ngroup().to_numpy()
    labels = np.stack([rng.permutation(np.arange(trial.max() + 1) % 2) for _ in range(2)], axis=1)[trial]
    X = rng.normal(size=(len(table), 8, 8, 9)).astype(np.float32)
    X[:, :4] += labels[:, :1, None, None]
    X[:, 4:] += labels[:, 1:, None, None]
    return nb.make_cohort(X, labels, table, ("valence", "arousal"), "cpu")


def small_plan(nb, **changes):
    plan = nb.Plan(width=0.0625, epochs=3, tune_epochs=2, patience=16, batch_size=16, learning_rate=0.003,
                   norm_momentum=0.1, precision="float32", at_once=1, seed=0)
    return replace(plan, **changes)


def numbers(k, n):
    i = np.arange(n, dtype=np.float64)
    values = np.sin((i + 1) * 12.9898 + (k + 1) * 78.233) * 43758.5453
    return 2 * (values - np.floor(values)) - 1


def golden_network(nb):
    """The network with the golden file's weights, given in Keras's order and layouts."""
    net = nb.MTCNN().eval()
    modules = [m for block in net.blocks for m in (block.conv, block.norm)] + [net.dense, net.norm, *net.heads]
    slots = []  # (tensor, Keras shape, from Keras's layout to ours, kind), in order of creation
    for module in modules:
        if isinstance(module, nn.Conv2d):
            o, i, h, w = module.weight.shape
            slots += [(module.weight, (h, w, i, o), lambda a: a.transpose(3, 2, 0, 1), h * w * (i + o))]
        elif isinstance(module, nn.Linear):
            o, i = module.weight.shape
            flat = module is net.dense  # its rows run over height, width, channel
            slots += [(module.weight, (i, o),
                       (lambda a: a.reshape(4, 4, 64, -1).transpose(3, 2, 0, 1).reshape(a.shape[1], -1)) if flat
                       else (lambda a: a.T), i + o)]
        else:
            parts = {"weight": "gamma", "bias": None, "running_mean": None, "running_var": "variance"}
            slots += [(getattr(module, part), module.weight.shape, np.array, kind) for part, kind in parts.items()]
            continue
        slots += [(module.bias, module.bias.shape, np.array, None)]
    names = OUTPUTS["keras_weight_order"]
    assert len(slots) == len(names) == 34
    with torch.no_grad():
        for k, (tensor, shape, turn, kind) in enumerate(slots):
            r = numbers(k, int(np.prod(shape)))
            values = {"gamma": 1 + 0.1 * r, "variance": 1 + 0.5 * np.abs(r), None: 0.1 * r}.get(kind)
            values = r * np.sqrt(6 / kind) if values is None else values
            tensor.copy_(torch.tensor(turn(values.reshape(shape)).astype(np.float32)))
    return net


@pytest.mark.parametrize("n_inputs", [1, 6])
def test_outputs_are_those_of_the_released_network(nb, n_inputs):
    x = np.stack([(2 * numbers(100 + j, 3 * 576)).reshape(3, 8, 9, 8) for j in range(n_inputs)], axis=1)
    x = torch.tensor(x.transpose(0, 1, 4, 2, 3).astype(np.float32))
    with torch.no_grad():
        logits = golden_network(nb)(x[:, 0] if n_inputs == 1 else x)
    got = logits.softmax(dim=1).numpy()
    for target, name in enumerate(("valence", "arousal")):
        np.testing.assert_allclose(got[:, :, target], OUTPUTS[f"inputs_{n_inputs}"][f"{name}_prob"], atol=1e-6)


def test_parameter_counts(nb):
    net = nb.MTCNN()
    statistics = sum(b.numel() for name, b in net.named_buffers() if "running" in name)
    assert training.count_parameters(net) == 1_213_956
    assert training.count_parameters(net) + statistics == 1_216_004
    assert training.count_parameters(nb.MTCNN(n_planes=4)) + statistics == 1_209_604
    assert [training.count_parameters(block.conv) for block in net.blocks] == [12_864, 131_200, 524_544, 16_448]
    assert net.dense.in_features == 1024 and training.count_parameters(net.heads) == 2 * 1_026


@pytest.fixture(scope="module")
def first_trial():
    """Of the golden recording."""
    return golden_recording()[:1]


@pytest.mark.parametrize("coded, golden", [(True, GOLDEN["DE"]), (False, GOLDEN["DE"]["fixed_baseline"])])
def test_what_is_subtracted_from_noise_is_what_the_released_code_subtracts(nb, first_trial, coded, golden):
    made, subtracted = nb.noise_variants(first_trial)
    name = "as coded" if coded else "fixed"
    for number, band in enumerate(("theta", "alpha", "beta", "gamma")):
        vector = subtracted[name][0, 0, 0, :, number]
        np.testing.assert_allclose(vector, golden["base_trial0"][band], rtol=1e-9)
        raw = np.array(GOLDEN["DE"]["raw_w0"][band])
        np.testing.assert_allclose(made["none"][0, 0, 0, :, number], raw, rtol=1e-9)
        np.testing.assert_allclose(made[name][0, 0, 0, :, number], raw - golden["base_trial0"][band], atol=1e-9)


def test_every_parameter_learns_and_one_batch_is_overfitted(nb):
    torch.manual_seed(0)
    net = nb.keras_init(nb.MTCNN(width=0.125, dropout=0.0), 0)
    x, y = torch.randn(32, 8, 8, 9), torch.randint(0, 2, (32, 2))
    net.train()
    net(x, y)[0].backward()
    assert [name for name, p in net.named_parameters() if not p.grad.abs().sum() > 0] == []
    adam = nb.keras_adam(0.003)(net.parameters())
    assert adam.param_groups[0]["eps"] == 1e-7
    for _ in range(25):
        adam.zero_grad()
        loss, logits = net(x, y)
        loss.backward()
        adam.step()
    assert (logits.argmax(1) == y).all() and loss < 0.3


def test_corrected_weights_act_on_valence_and_official_ones_do_not(nb):
    y = np.stack([np.arange(200) % 10 == 0, np.arange(200) % 2 == 0], axis=1).astype(int)  # 10 % high, 50 % high
    corrected, official = (nb.balanced_weights(y, nb.RECIPES[name]) for name in ("corrected", "official"))
    np.testing.assert_allclose(corrected, [[1 / 1.8, 5.0], [1, 1]], rtol=1e-6)
    np.testing.assert_allclose(official, [[1, 1], [1, 1]])
    high = {}
    X = np.zeros((200, 8, 8, 9), np.float32)  # nothing to go by: the answer is the share of each class that is felt
    for name, weights in (("corrected", corrected), ("official", official)):
        net = nb.keras_init(nb.MTCNN(width=0.125, dropout=0.0, momentum=None), 0)
        net.class_weights.copy_(weights)
        training.fit(net, X, y, range(200), epochs=40, batch_size=100, objective=nb.joint_loss,
                     optimizer=nb.keras_adam(0.03))
        high[name] = net(torch.tensor(X)).softmax(dim=1)[:, 1, 0].mean().item()
    assert high["official"] < 0.25 and 0.35 < high["corrected"] < 0.65, high


def test_weights_are_for_training_only_and_targets_add_up(nb):
    net = nb.MTCNN(width=0.125, dropout=0.0)
    x, y = torch.randn(16, 8, 8, 9), torch.randint(0, 2, (16, 2))
    net.class_weights.copy_(torch.tensor([[2.0, 0.5], [3.0, 0.1]]))
    net.eval()
    loss, logits = net(x, y)
    plain = [nn.functional.cross_entropy(logits[:, :, t], y[:, t]) for t in range(2)]
    torch.testing.assert_close(loss, sum(plain))
    net.target_weights.copy_(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(net(x, y)[0], plain[1])
    net.train()
    loss, logits = net(x, y)
    each = nn.functional.cross_entropy(logits[:, :, 1], y[:, 1], reduction="none")
    torch.testing.assert_close(loss, (each * net.class_weights[1][y[:, 1]]).mean())  # divided by N, not by weights


def test_stack_equals_one_after_another(nb):
    cohort, fair = small_cohort(nb), nb.RECIPES["corrected"]
    folds = nb.make_folds(cohort, "published", 3, fair, 0)
    runs = [nb.pooled(cohort, folds, fair, small_plan(nb, at_once=k), "x", dropout=0.0) for k in (1, 3)]
    for one, many in zip(*(run.models for run in runs)):
        for (name, p), q in zip(one.state_dict().items(), many.state_dict().values()):
            torch.testing.assert_close(p, q, atol=1e-5, rtol=1e-5, msg=name)
    tuned = [nb.tune(run, folds, fair, small_plan(nb, at_once=k), "x") for run, k in zip(runs, (1, 6))]
    for one, many in zip(*(run.models for run in tuned)):
        for p, q in zip(one.parameters(), many.parameters()):
            torch.testing.assert_close(p, q, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(tuned[0].predicted, tuned[1].predicted)


@pytest.mark.parametrize("target", [None, 0, 1])
@pytest.mark.parametrize("protocol, recipe", [("published", "corrected"), ("published", "official"),
                                              ("by_trial", "corrected")])
def test_no_stage_sees_a_test_window_of_its_fold(nb, monkeypatch, protocol, recipe, target):
    """From the tables: what `fit` gets of a person is in that fold's training part, and theirs."""
    cohort, flags = small_cohort(nb, n_trials=20, n_windows=4), nb.RECIPES[recipe]
    folds, seen = nb.make_folds(cohort, protocol, 3, flags, 0), []

    def watch(model, X, y, train, val, **settings):
        seen.append((np.asarray(train), np.asarray(val)))
        return training.History(last_weights={k: v.clone() for k, v in model.state_dict().items()})

    monkeypatch.setattr(nb.training, "fit", watch)
    stage1 = nb.pooled(cohort, folds, flags, small_plan(nb), "x")
    for (train, _), fold in zip(seen, folds, strict=True):
        assert set(train) == set(fold.train)
    seen.clear()
    nb.tune(stage1, folds, flags, small_plan(nb), "x", target)
    key = cohort.table[["subject", "trial", "window"]].apply(tuple, axis=1).to_numpy()
    jobs = [(fold, subject) for fold in folds for subject in ("s0", "s1")]
    assert len(seen) == len(jobs)
    for (train, val), (fold, subject) in zip(seen, jobs, strict=True):
        assert {name[0] for name in key[train]} == {subject}
        assert not set(key[train]) & set(key[fold.test]) and set(train) <= set(fold.train)
        if recipe == "corrected":
            assert not set(key[val]) & set(key[fold.test]) and set(val) <= set(fold.val)
        else:
            assert set(val) <= set(fold.test), "the released code selects on the test fold"


def test_stages_are_siblings_and_stage_3_leaves_the_other_head_alone(nb):
    cohort, fair = small_cohort(nb), nb.RECIPES["corrected"]
    folds = nb.make_folds(cohort, "published", 2, fair, 0)
    stage1 = nb.pooled(cohort, folds, fair, small_plan(nb), "x")
    before = copy.deepcopy(stage1.models)
    tuned = nb.tune(stage1, folds, fair, small_plan(nb), "x", 0)
    for old, now in zip(before, stage1.models):
        for p, q in zip(old.parameters(), now.parameters()):
            torch.testing.assert_close(p, q, rtol=0, atol=0)
    for model, base in zip(tuned.models, [m for m in before for _ in range(2)]):
        torch.testing.assert_close(model.heads[1].weight, base.heads[1].weight, rtol=0, atol=0)
        assert not torch.equal(model.heads[0].weight, base.heads[0].weight)
    rates = {1 / 8: None, 1 / 4: 0}
    for rate, target in rates.items():
        seen = nb.tune(stage1, folds, fair, small_plan(nb), "x", target).histories
        assert seen[0].table().learning_rate[0] == pytest.approx(0.003 * rate)
