"""TNAS: the stack in training, its rules, interruption, recognition of trials."""

import numpy as np
import pandas as pd
import pytest
import torch

from eegemo_utils import splits, training
from eegemo_utils.notebooks import load_definitions


@pytest.fixture(scope="module")
def tnas():
    return load_definitions("tnas")


def experiment(tnas, X, Y, **changes):
    space = tnas.Space((6, 12), (1, 2), (1, 2), (1, 2), 4)
    made = tnas.Experiment(X=torch.as_tensor(X, dtype=torch.float32), Y=torch.as_tensor(Y), space=space, n_outputs=2,
                           recipe=tnas.Recipe(), epochs=4, warmup=1, patience=4, batch_size=16,
                           learning_rate=0.01, beta2=0.999, dropout=0.0, precision="float32", at_once=30, seed=0)
    return tnas.replace(made, **changes)


@pytest.fixture(scope="module")
def easy():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (2, 80))
    X = rng.normal(size=(80, 4, 16)) * 0.1
    X[:, 0] += (y[0] - 0.5)[:, None]
    X[:, 2, :8] += (y[1] - 0.5)[:, None]
    return X, y


def equal_folds():
    order = np.random.default_rng(1).permutation(80)
    return [splits.Split(f"{k}", "published", np.roll(order, 16 * k)[:48], np.roll(order, 16 * k)[48:64],
                         np.roll(order, 16 * k)[64:]) for k in range(3)]


def train_alone(tnas, exp, job, k):
    """Job k of a stack by itself: the stack's drawn networks, its own start and batch order."""
    stack = tnas.Supernet(exp.space, 4, 16, 2, [k])
    engine = tnas.StackEngine(stack, exp, [job.target], tnas.uniform, tnas.fixed_panel(exp.space))
    settings = tnas.Settings(exp.epochs, batch_size=exp.batch_size, patience=exp.patience,
                             optimizer=lambda _: torch.optim.Adam(stack.parameters(), lr=exp.learning_rate, fused=True),
                             schedule=lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, exp.rate))
    parts = [[torch.as_tensor(rows)] for rows in (job.fold.train, job.fold.val)]
    torch.manual_seed(exp.seed)
    history = tnas.Loop([tnas.Member(stack, 0)], engine, *parts, [k], settings).run("")[0]
    return tnas.Fitted(stack.requires_grad_(False), 0, history)


def test_a_stack_equals_one_after_another(tnas, easy):
    exp = experiment(tnas, *easy)
    jobs = [tnas.Job(fold, k % 2) for k, fold in enumerate(equal_folds())]
    genomes = np.array(tnas.fixed_panel(exp.space))
    for k, (job, one) in enumerate(zip(jobs, tnas.train_supernets(exp, jobs, "x"))):
        alone = train_alone(tnas, exp, job, k)
        pd.testing.assert_frame_equal(one.history.table(), alone.history.table(), atol=1e-5, rtol=1e-5)
        assert one.history.best_epoch == alone.history.best_epoch
        found, expected = (tnas.run_generation(each.weights(), exp.X, exp.space, genomes) for each in (one, alone))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        for name, tensor in one.weights()["layers"][0].items():
            # a bias of the keys has no gradient but rounding, which Adam scales up: it may differ, and changes nothing
            keep = [0, 2] if name == "qkv_bias" else slice(None)
            other = alone.weights()["layers"][0][name]
            torch.testing.assert_close(tensor[:, keep], other[:, keep], atol=1e-5, rtol=1e-3)


def test_training_learns_what_is_there(tnas, easy):
    exp = experiment(tnas, *easy, epochs=25, patience=25)
    jobs = [tnas.Job(fold, target) for target in (0, 1) for fold in equal_folds()[:2]]
    for one, job in zip(tnas.train_supernets(exp, jobs, "x"), jobs):
        tested = tnas.Scorer(exp, one, job, "test")(np.array(tnas.fixed_panel(exp.space)))
        assert tested.accuracy.min() > 90


def test_half_precision_gives_nearly_the_same(tnas, easy):
    jobs, found = [tnas.Job(equal_folds()[0], 0)], {}
    for precision in ("float32", "bf16"):
        exp = experiment(tnas, *easy, precision=precision, epochs=15, patience=15)
        found[precision] = tnas.solve(exp, jobs, tnas.Search(6, 3, 3, 3, 1), "x")[0]
        assert found[precision].fitted.stack.stem["token"].dtype == torch.float32
    assert abs(found["bf16"].test["supernet"] - found["float32"].test["supernet"]) <= 12.5


def test_all_is_computed_in_the_precision_of_the_run(tnas, easy):
    before = torch.get_default_dtype()
    jobs = [tnas.Job(fold, 0) for fold in equal_folds()[:2]]
    try:
        precision = training.set_precision("auto", torch.device("cpu"))
        exp = experiment(tnas, *easy, precision=precision)
        fitted = tnas.train_supernets(tnas.replace(exp, X=exp.X.double()), jobs, "x")[1]
        draws = tnas.Supernet(exp.space, 4, 16, 2, [1]).stem["patch_weight"]
    finally:
        training.set_precision("float32", torch.device("cpu"))
        torch.set_default_dtype(before)
    assert precision == "float64"
    assert {p.dtype for p in fitted.stack.parameters()} == {torch.float64}
    assert (draws != draws.float().double()).double().mean() > 0.9, "drawn in float32 and cast"


def test_models_that_stopped_leave_the_others_their_weights_and_labels(tnas, easy):
    exp = experiment(tnas, *easy)
    stack = tnas.Supernet(exp.space, 4, 16, 2, [0, 1, 2])
    only = tnas.Only(exp.space.cards - 1)
    engine = tnas.StackEngine(stack, exp, [0, 1, 1], only, [only.genome])
    engine.train(False)
    rows = torch.arange(48).view(3, 16)
    every, some = engine((0, 1, 2), rows), engine((0, 2), rows[[0, 2]])
    again = engine((0, 2), rows[[0, 2]])
    for all_three, two, same in zip(every, some, again):
        torch.testing.assert_close(two, all_three[[0, 2]])
        assert torch.equal(two, same)


def test_overfits_one_batch(tnas, easy):
    exp = experiment(tnas, easy[0], np.random.default_rng(3).integers(0, 2, (1, 80)), epochs=150, patience=150)
    rows = np.arange(16)
    job = tnas.Job(splits.Split("batch", "published", rows, rows + 16, rows + 32), 0)
    alone = tnas.train_supernets(exp, [job], "x", tnas.Only(exp.space.cards - 1))[0]
    assert alone.history.table().accuracy.max() == 1.0


def test_rules_draw_what_they_say(tnas):
    space, rng = tnas.Space((6, 12), (1, 2), (1, 2), (1, 2), 4), np.random.default_rng(0)
    assert len(tnas.uniform(space, rng)) == 1 and len(tnas.sandwich(space, rng)) == 4
    assert np.array_equal(tnas.sandwich(space, rng)[:2], tnas.extreme_genomes(space))
    assert np.array_equal(tnas.fixed_panel(space), tnas.fixed_panel(space))
    assert tnas.Only(space.cards - 1)(space, rng)[0].tolist() == (space.cards - 1).tolist()


def test_learning_rate_rises_and_falls(tnas, easy):
    exp = experiment(tnas, *easy, epochs=400, warmup=5, learning_rate=5e-4)
    rates = [exp.rate(epoch) for epoch in range(401)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0]) and rates[5] == 1.0
    assert rates[400] == pytest.approx(1e-5 / 5e-4) and all(a >= b for a, b in zip(rates[5:], rates[6:]))


@pytest.mark.usefixtures("every_epoch")
def test_an_interrupted_training_and_search_go_on(tnas, easy, tmp_path, monkeypatch):
    exp, how = experiment(tnas, *easy, dropout=0.3), tnas.Search(8, 4, 4, 4, 2)
    jobs = [tnas.Job(fold, 0) for fold in equal_folds()[:2]]
    whole = tnas.solve(exp, jobs, how, "person")
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    save, calls = training.checkpoints.save, []

    def interrupted(path, state):
        save(path, state)
        calls.append(path.name)
        if len(calls) in (2, 7):
            raise KeyboardInterrupt

    monkeypatch.setattr(training.checkpoints, "save", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            tnas.solve(exp, jobs, how, "person")
    again = tnas.solve(exp, jobs, how, "person")
    assert sorted(set(calls)) == ["tnas-person-0.pt", "tnas-search-person-0.pt", "tnas-search-person-1.pt"]
    for one, other in zip(whole, again):
        assert one.test == other.test and one.found.winner == other.found.winner
        pd.testing.assert_frame_equal(one.found.table, other.found.table)
        pd.testing.assert_frame_equal(one.fitted.history.table(), other.fitted.history.table())


def test_trials_are_recognised_by_window_and_not_by_trial(tnas):
    """Windows with a fingerprint of their trial and labels without meaning."""
    rng = np.random.default_rng(5)
    trial = np.repeat(np.arange(16), 15)
    X = (rng.normal(size=(16, 8, 1))[trial] + 0.2 * rng.normal(size=(len(trial), 8, 8))) / np.sqrt(8)
    table = pd.DataFrame({"subject": "s01", "session": 1, "trial": trial})
    labels = np.stack([rng.permutation(np.arange(16) % 2)[trial] for _ in range(3)])
    exp = experiment(tnas, X, labels, epochs=30, patience=30, learning_rate=0.006)
    exp = tnas.replace(exp, space=tnas.Space((12, 24), (1, 2), (1, 2), (1, 2), 8))
    score = {}
    for protocol in ("published", "by_trial"):
        jobs = [tnas.Job(fold, k) for k, y in enumerate(labels)
                for fold in tnas.person_folds(table, y, np.arange(len(y)), protocol, 4, False, k)]
        fitted = tnas.train_supernets(exp, jobs, protocol)
        full = tnas.extreme_genomes(exp.space)[1:]
        tests = [tnas.Scorer(exp, one, job, "test") for one, job in zip(fitted, jobs)]
        score[protocol] = np.mean([test(full).accuracy[0] for test in tests])
    assert score["published"] > 90
    assert abs(score["by_trial"] - 50) < 2.6 * 50 / np.sqrt(3 * 16)  # 48 labels were guessed


def test_dropout_grows_with_the_width_and_is_off_in_validation(tnas, easy, monkeypatch):
    exp = experiment(tnas, *easy, dropout=0.5)
    engine = tnas.StackEngine(tnas.Supernet(exp.space, 4, 16, 2, [0]), exp, [0], tnas.uniform,
                              tnas.fixed_panel(exp.space))
    run, seen = tnas.run_net, []
    monkeypatch.setattr(tnas, "run_net", lambda w, x, net, drop, *more: seen.append((net.embed, drop)) or
                        run(w, x, net, drop, *more))
    rows = torch.arange(16)[None]
    for training_now in (True, False):
        engine.train(training_now)
        seen.clear()
        for _ in range(12):
            engine([0], rows)
        assert {embed for embed, _ in seen} == {6, 12}
        assert all(drop == (0.5 * embed / 12 if training_now else 0) for embed, drop in seen)


def test_attention_of_the_class_token_goes_with_the_electrodes(tnas, easy):
    exp = experiment(tnas, *easy)
    stack, order = tnas.Supernet(exp.space, 4, 16, 2, [0]).requires_grad_(False), torch.tensor([2, 0, 3, 1])
    weights = stack.weights()
    position = torch.randn(weights["stem"]["position"].shape, generator=torch.Generator().manual_seed(0))
    net = tnas.decode(exp.space, exp.space.cards - 1)
    here = tnas.class_attention(weights | {"stem": weights["stem"] | {"position": position}}, exp.X[:5], net)
    moved = torch.cat([position[:, :1], position[:, 1:][:, order]], dim=1)
    there = tnas.class_attention(weights | {"stem": weights["stem"] | {"position": moved}}, exp.X[:5, order], net)
    assert here.shape == (4,) and 0 < here.sum() < 1, "the rest is on the class token itself"
    np.testing.assert_allclose(there, here[order.numpy()], rtol=1e-5)
    assert np.ptp(here) > 1e-3 * here.mean(), "electrodes differ, or nothing was compared"
