"""Rates that fall on a plateau, starting weights that are kept, weights of the last epoch, several targets."""

import numpy as np
import pytest
import torch
from torch import nn

from eegemo_utils import training
from eegemo_utils.training.history import Tracker
from eegemo_utils.training.objectives import count_hits
from eegemo_utils.training.plateau import Plateau, Watch

ROWS = {"train": range(40), "val": range(40, 60)}


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).astype(np.float32)
    return X, (X[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(int)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def test_watch_follows_the_rule_of_keras():
    losses = [1.0, 0.9, 0.89995, 0.9, 0.91, 0.95, 0.8, 0.85, 0.85, 0.85]  # 0.89995 is no gain of 1e-4
    watch = Watch(Plateau(patience=3))
    assert [watch.falls(loss) for loss in losses] == [False] * 4 + [True] + [False] * 4 + [True]


@pytest.mark.parametrize("wrong", [{"factor": 1.0}, {"factor": 0.0}, {"patience": 0}, {"min_delta": -1.0}])
def test_values_out_of_range(wrong):
    with pytest.raises(ValueError, match="a factor between 0 and 1"):
        Plateau(**wrong)


def fitted(how, models, rates=0.3, epochs=12, **options):
    X, y = data()
    settings = {"epochs": epochs, "learning_rate": rates, "batch_size": 8, "patience": 50, **options}
    if how == "many":
        n = len(models)
        return training.fit_many(models, X, y, [ROWS["train"]] * n, [ROWS["val"]] * n, seed=list(range(n)), **settings)
    return [training.fit(model, X, y, **ROWS, seed=k, **settings) for k, model in enumerate(models)]


@pytest.mark.parametrize("go_back", [False, True])
def test_each_model_of_a_stack_has_its_own_rate(go_back):
    """Equal to one after another, rates and weights."""
    plateau = Plateau(patience=1, go_back=go_back)
    one, many = ([network(k) for k in range(3)] for _ in range(2))
    singles, stacked = fitted("one", one, plateau=plateau), fitted("many", many, plateau=plateau)
    rates = [history.table().learning_rate.tolist() for history in stacked]
    assert rates == [history.table().learning_rate.tolist() for history in singles]
    assert rates[0][0] == 0.3 and rates[0][-1] < 0.3 and len({tuple(rate) for rate in rates}) > 1
    for a, b in zip(one, many):
        for p, q in zip(a.parameters(), b.parameters()):
            torch.testing.assert_close(p, q, atol=1e-5, rtol=1e-5)


def test_going_back_puts_the_best_weights_in():
    X, y = data()
    model = network()
    seen = {}

    def objective(net, x, labels):
        if net.training and "second" not in seen and seen.get("epochs", 0) == 10:
            seen["second"] = [p.detach().clone() for p in net.parameters()]
        seen["epochs"] = seen.get("epochs", 0) + net.training
        return training.classification(net, x, labels)

    never = Plateau(patience=1, min_delta=1e9, go_back=True)  # the first epoch counts as the lowest, no other
    history = training.fit(model, X, y, **ROWS, epochs=3, batch_size=8, learning_rate=1.0, patience=9, plateau=never,
                           objective=objective)
    losses = history.table().val_loss
    assert losses[1] > losses[0] and history.table().learning_rate.tolist() == [1.0, 1.0, 0.5]
    first = network()
    training.fit(first, X, y, **ROWS, epochs=1, batch_size=8, learning_rate=1.0)
    for p, q in zip(seen["second"], first.parameters()):
        torch.testing.assert_close(p, q)


def test_starting_weights_are_kept_unless_beaten():
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    history = fitted("one", [model], rates=50.0, epochs=3, keep_start=True)[0]
    assert history.best_epoch == 0 and history.table().val_loss.min() > 1
    for p, q in zip(model.parameters(), before):
        torch.testing.assert_close(p, q, rtol=0, atol=0)
    learned = network()
    assert fitted("one", [learned], rates=0.01, keep_start=True)[0].best_epoch > 0


def test_stopping_does_not_look_at_the_start():
    """Keras resets what EarlyStopping compares with; only the checkpoint knows the start."""
    tracker = Tracker(patience=2)
    tracker.keep_start(0.1, network())
    for epoch, loss in enumerate([0.9, 0.8, 0.7, 0.75], start=1):
        tracker.update({"epoch": epoch, "loss": 1.0, "val_loss": loss}, network(), "")
        assert not tracker.done
    tracker.update({"epoch": 5, "loss": 1.0, "val_loss": 0.75}, network(), "")
    assert tracker.done and tracker.history.best_epoch == 0


def test_last_weights_beside_the_best():
    model = network()
    history = fitted("one", [model], rates=1.0, keep_last=True)[0]
    assert history.best_epoch < history.stopped_epoch
    last = dict(history.last_weights)
    assert not torch.equal(last["0.weight"], model[0].weight)
    free = network()
    X, y = data()
    training.fit(free, X, y, **ROWS, epochs=12, learning_rate=1.0, batch_size=8)
    torch.testing.assert_close(last["0.weight"], free[0].weight, rtol=0, atol=0)


@pytest.mark.usefixtures("every_epoch")
def test_an_interrupted_run_goes_on_with_rates_and_kept_weights(tmp_path):
    options = {"plateau": Plateau(patience=1, go_back=True), "keep_start": True, "keep_last": True, "rates": 0.3}
    left = [10**6]

    def objective(net, x, y):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return training.classification(net, x, y)

    whole, cut, path = network(), network(), tmp_path / "a.pt"
    want = fitted("one", [whole], **options, objective=objective)[0]
    assert want.table().learning_rate.nunique() > 2
    left[0] = 50  # seven batches an epoch with those of validation
    with pytest.raises(KeyboardInterrupt):
        fitted("one", [cut], **options, objective=objective, checkpoint=path)
    left[0] = 10**6
    again = network()
    got = fitted("one", [again], **options, objective=objective, checkpoint=path)[0]
    assert got.epochs == want.epochs and got.best_epoch == want.best_epoch
    assert left[0] > 10**6 - 60, "it began anew"
    for p, q in zip(again.parameters(), whole.parameters()):
        torch.testing.assert_close(p, q, rtol=0, atol=0)
    for name, weight in want.last_weights.items():
        torch.testing.assert_close(got.last_weights[name], weight, rtol=0, atol=0)


def test_settings_that_contradict_each_other():
    with pytest.raises(ValueError, match="need the best weights"):
        fitted("one", [network()], patience=None, keep_start=True)
    with pytest.raises(ValueError, match="give one of them"):
        fitted("one", [network()], plateau=Plateau(), schedule=lambda o: torch.optim.lr_scheduler.StepLR(o, 1))
    X, y = data()
    with pytest.raises(ValueError, match="no validation rows"):
        training.fit(network(), X, y, range(40), epochs=1, plateau=Plateau())


def test_hits_of_several_targets_are_their_mean():
    y = torch.tensor([[0, 1], [1, 1], [0, 0]])
    outputs = torch.zeros(3, 2, 2)
    outputs[:, 1, 1] = 1  # the second target is always answered 1, the first 0
    assert count_hits(outputs, y) == (2 + 2) / 2
    assert torch.isnan(count_hits(outputs, y[:, 0]))
