"""Training of one model: exact resume, early stopping, determinism, checks."""

import functools
import math
import os
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from eegemo_utils import training
from eegemo_utils.training import (
    autocast,
    checkpoint_path,
    choose_device,
    classification,
    fit,
    predict,
    seed_everything,
    set_precision,
)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150)
    X = rng.normal(size=(150, 6)) + y[:, None] * [0.9, 0.3, 0, 0, -0.3, 0]
    return X, y, np.arange(90), np.arange(90, 150)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3))


def halving(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)


def assert_same_weights(one, other):
    for p, q in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(p, q)


class BreaksOff:
    """Classification that is interrupted after some calls, as a killed process would be."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, model, x, y):
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt
        return classification(model, x, y)


def test_it_learns(problem):
    X, y, train, val = problem
    model = network()
    history = fit(model, X, y, train, val, epochs=30, learning_rate=0.02).table()
    assert history.loss.iloc[-1] < 0.6 * history.loss.iloc[0]
    assert history.val_accuracy.iloc[-1] > 0.6
    outputs = predict(model, X, val)
    assert outputs.shape == (60, 3) and (outputs.argmax(1).numpy() == y[val]).mean() > 0.6
    assert history.val_accuracy.iloc[-1] == pytest.approx((outputs.argmax(1).numpy() == y[val]).mean())


def test_history_is_that_of_a_plain_loop(problem):
    """Against the loop anyone would write: same order, same loss, same weights."""
    X, y, train, val = problem
    model, plain = network(3).double(), network(3).double()  # so that rounding cannot look like a difference
    torch.manual_seed(7)
    history = fit(model, X, y, train, val, epochs=3, batch_size=25, seed=5, schedule=halving)
    x, t = torch.as_tensor(X), torch.as_tensor(y)
    torch.manual_seed(7)
    order = torch.Generator().manual_seed(5)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3)
    for epoch in range(3):
        if epoch == 2:
            optimizer.param_groups[0]["lr"] = 5e-4
        total, hits, plain_rows = 0.0, 0, torch.as_tensor(train)[torch.randperm(90, generator=order)]
        plain.train()
        for rows in plain_rows.split(25):
            loss = nn.functional.cross_entropy(outputs := plain(x[rows]), t[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, hits = total + loss.item() * len(rows), hits + (outputs.argmax(1) == t[rows]).sum().item()
        plain.eval()
        val_loss = nn.functional.cross_entropy(plain(x[val]), t[val]).item()
        row = history.epochs[epoch]
        assert row["loss"] == pytest.approx(total / 90, rel=1e-9) and row["accuracy"] == hits / 90
        assert row["val_loss"] == pytest.approx(val_loss, rel=1e-9)
        assert row["learning_rate"] == optimizer.param_groups[0]["lr"]
    for p, q in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_the_same_seeds_give_the_same_weights_and_others_do_not(problem):
    results = []
    for seed in (0, 0, 1):
        model = network()
        torch.manual_seed(1)
        fit(model, *problem, epochs=2, seed=seed)
        results.append(model)
    assert_same_weights(*results[:2])
    assert not torch.equal(results[0][0].weight, results[2][0].weight)


def test_batch_order_does_not_hang_on_the_global_generator(problem):
    plain = [nn.Linear(6, 3), nn.Linear(6, 3)]
    plain[1].load_state_dict(plain[0].state_dict())
    for k, model in enumerate(plain):
        torch.manual_seed(k)
        fit(model, *problem, epochs=2)
    assert_same_weights(*plain)


def scripted(losses):
    """An objective whose validation loss follows a script; training moves the one weight by 1 a step."""
    script = iter(losses)

    def objective(model, x, y):
        if model.training:
            return model(x).sum(), None
        return torch.tensor(next(script)) + 0 * model(x).sum(), None
    return objective


def one_weight(script, patience, epochs=50):
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    history = fit(model, np.ones((4, 1)), None, [0], [1], epochs=epochs, patience=patience,
                  objective=scripted(script), optimizer=functools.partial(torch.optim.SGD, lr=1.0))
    return history, -model.weight.item()  # the weight counts the epochs


@pytest.mark.parametrize("script, patience, stopped, best", [
    ([5.0, 4.0, 3.0, 3.5, 3.2, 3.1, 9.0], 3, 6, 3),
    ([5.0, 4.0, 4.0, 4.0, 1.0], 2, 4, 2),          # equal is not lower
    ([1.0, 2.0, 0.5, 2.0, 2.0], 2, 5, 3),          # the count starts again
    ([1.0, 2.0, 3.0], 1, 2, 1)])
def test_early_stopping_is_that_of_keras(script, patience, stopped, best):
    history, weight = one_weight(script, patience)
    assert (history.stopped_epoch, history.best_epoch, weight) == (stopped, best, best)
    assert len(history.epochs) == stopped


def test_the_best_weights_come_back_when_the_epochs_run_out():
    history, weight = one_weight([3.0, 1.0, 2.0], patience=9, epochs=3)
    assert (history.stopped_epoch, history.best_epoch, weight) == (3, 2, 2)


def test_without_patience_all_epochs_run_and_the_last_weights_stay():
    history, weight = one_weight([1.0, 2.0, 3.0, 4.0], patience=None, epochs=4)
    assert (history.stopped_epoch, history.best_epoch, weight) == (4, 1, 4)


def test_the_articles_log_stops_where_the_article_did():
    val_loss = [11.2878, 5.5631, 5.8464, 2.0631, 2.8654, 1.9252, 4.0405, 1.6310, 4.0823, 3.2233, 6.1530,
                3.6629, 2.9097, 0.0]
    history, _ = one_weight(val_loss, patience=5)
    assert (history.stopped_epoch, history.best_epoch) == (13, 8)


def test_a_loss_that_is_not_finite_ends_the_training(problem):
    def diverges(model, x, y):
        loss, outputs = classification(model, x, y)
        return loss * math.inf, outputs
    with pytest.warns(RuntimeWarning, match="fold 3.*epoch 1"):
        history = fit(network(), *problem, epochs=5, objective=diverges, name="fold 3")
    assert history.stopped_epoch == 1


@pytest.mark.parametrize("calls", [2, 7, 13, 26])
@pytest.mark.parametrize("optimizer", [None, functools.partial(torch.optim.SGD, lr=0.05, momentum=0.9)])
@pytest.mark.usefixtures("every_epoch")
def test_resume_is_exact(problem, tmp_path, calls, optimizer):
    settings = dict(epochs=8, patience=3, seed=4, schedule=halving, optimizer=optimizer, learning_rate=0.03)
    path = tmp_path / "deep" / "one.pt"
    straight = network()
    torch.manual_seed(1)
    want = fit(straight, *problem, objective=BreaksOff(10**9), **settings)
    after = torch.rand(3)
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):  # 3 batches + 1 validation call an epoch
        fit(network_after_seed(1), *problem, objective=BreaksOff(calls), checkpoint=path, **settings)
    resumed = network()
    torch.manual_seed(1)
    got = fit(resumed, *problem, objective=BreaksOff(10**9), checkpoint=path, **settings)
    assert got == want
    assert_same_weights(straight, resumed)
    assert torch.equal(torch.rand(3), after)  # what comes next draws the same numbers, too
    assert [file.name for file in path.parent.iterdir()] == ["one.pt"]


def network_after_seed(seed):
    model = network()
    torch.manual_seed(seed)
    return model


@pytest.mark.parametrize("breaks_at", range(1, 6))
@pytest.mark.usefixtures("every_epoch")
def test_resume_keeps_the_count_of_early_stopping(tmp_path, breaks_at):
    """Interrupted in any epoch: the best weights, the lowest loss and the waiting come from before."""
    script = [2.0, 1.0, 1.5, 1.4, 1.3, 0.0]

    def objective(interrupted):
        done = iter(range(99))

        def by_epoch(model, x, y):  # the weight counts the epochs
            if not model.training:
                return torch.tensor(script[round(-model.weight.item()) - 1]) + 0 * model(x).sum(), None
            if interrupted and next(done) == breaks_at:
                raise KeyboardInterrupt
            return model(x).sum(), None
        return by_epoch

    def train(interrupted):
        model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        step = functools.partial(torch.optim.SGD, lr=1.0)
        call = Same(objective(interrupted))
        history = fit(model, np.ones((4, 1)), None, [0], [1], epochs=9, patience=3, objective=call,
                      optimizer=step, checkpoint=tmp_path / "one.pt")
        return history.stopped_epoch, history.best_epoch, -model.weight.item()

    if breaks_at < 5:
        with pytest.raises(KeyboardInterrupt):
            train(interrupted=True)
    assert train(interrupted=False) == (5, 2, 2)


class Same:
    """Makes functions look alike to a checkpoint, which knows an object by its class."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        return self.function(*args)


def test_a_finished_training_returns_at_once(problem, tmp_path):
    path = tmp_path / "one.pt"
    trained, again = network(), network()
    want = fit(trained, *problem, epochs=4, patience=2, checkpoint=path, objective=BreaksOff(10**9))
    after = torch.rand(3)
    got = fit(again, *problem, epochs=4, patience=2, checkpoint=path, objective=BreaksOff(0))
    assert got == want and torch.equal(torch.rand(3), after)
    assert_same_weights(trained, again)
    assert not again.training


@pytest.mark.parametrize("change", [
    dict(epochs=3), dict(seed=1), dict(batch_size=16), dict(learning_rate=0.1), dict(patience=1),
    dict(grad_clip=1.0), dict(schedule=halving), dict(precision="bf16"), dict(model=network(5)),
    dict(train=np.arange(80)), dict(val=np.arange(90, 140)), dict(X=np.ones((150, 6))),
    dict(y=np.zeros(150, int)), dict(objective=lambda m, x, y: classification(m, x, y)),
    dict(optimizer=lambda p: torch.optim.Adam(p, weight_decay=0.1))],
    ids=lambda change: next(iter(change)))
def test_a_checkpoint_of_another_training_is_reported_and_replaced(problem, tmp_path, change):
    X, y, train, val = problem
    path = tmp_path / "one.pt"
    call = dict(model=network(), X=X, y=y, train=train, val=val, epochs=2)
    fit(**call, checkpoint=path)
    call = call | dict(model=network()) | change
    with pytest.warns(UserWarning, match="one.pt is of another training"):
        fit(**call, checkpoint=path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call["model"] = network(5 if change.get("model") else 0)
        fit(**call, checkpoint=path)  # it was replaced


def test_plain_values_that_a_function_captures_are_part_of_it(problem, tmp_path):
    def weighted(weight):
        def objective(model, x, y):
            loss, outputs = classification(model, x, y)
            return weight * loss, outputs
        return objective
    path = tmp_path / "one.pt"
    fit(network(), *problem, epochs=1, objective=weighted(1.0), checkpoint=path)
    with pytest.warns(UserWarning, match="another training"):
        fit(network(), *problem, epochs=1, objective=weighted(2.0), checkpoint=path)


def test_a_function_is_what_its_source_says_whatever_python_makes_of_it():
    from eegemo_utils.training.checkpoints import fingerprint

    def objective(model, x, y):
        return (model(x) * 3.5).sum(), None

    def of(text):
        found = {}
        exec(text, found)
        return found["f"]

    before = fingerprint(objective)
    objective.__code__ = objective.__code__.replace(co_code=objective.__code__.co_code + b"\x09\x00", co_consts=())
    assert fingerprint(objective) == before  # as after an upgrade of Python
    assert fingerprint(objective) != fingerprint(lambda model, x, y: 1)
    assert fingerprint(of("def f(a): return a.sum()")) != fingerprint(of("def f(a): return a.mean()"))  # has no source
    assert fingerprint(lambda x: x + 1) != fingerprint(lambda x: x + 2)


@pytest.mark.usefixtures("every_epoch")
def test_a_training_that_goes_on_on_another_device_says_so(problem, tmp_path):
    path = tmp_path / "one.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(network(), *problem, epochs=3, objective=BreaksOff(5), checkpoint=path)
    state = torch.load(path, weights_only=True)
    state["random"]["cuda"] = torch.zeros(16, dtype=torch.uint8)  # as a training on CUDA leaves it
    torch.save(state, path)
    with pytest.warns(UserWarning, match="began on cuda goes on on cpu"):
        history = fit(network(), *problem, epochs=3, objective=BreaksOff(10**9), checkpoint=path)
    assert history.stopped_epoch == 3


def test_the_optimizers_own_settings_are_part_of_a_training(problem, tmp_path):
    def sgd(settings):
        return Same(lambda parameters: torch.optim.SGD(parameters, **settings))
    path = tmp_path / "one.pt"
    fit(network(), *problem, epochs=1, optimizer=sgd({"lr": 0.1}), checkpoint=path)
    with pytest.warns(UserWarning, match="another training"):
        fit(network(), *problem, epochs=1, optimizer=sgd({"lr": 0.1, "momentum": 0.5}), checkpoint=path)


@pytest.mark.parametrize("damage", ["truncate", "empty", "text", "flip", "pickle"])
def test_a_damaged_checkpoint_is_reported_and_replaced(problem, tmp_path, damage):
    path = tmp_path / "one.pt"
    want = fit(network_after_seed(1), *problem, epochs=2, checkpoint=path)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 3:len(content) // 3 + 400] = bytes(400)
    if damage == "pickle":  # unpickling anything but tensors and plain values is refused
        torch.save({"fingerprint": random.Random(0)}, path)
    else:
        path.write_bytes({"truncate": content[:-2000], "empty": b"", "text": b"not a checkpoint",
                          "flip": content}[damage])
    with pytest.warns(UserWarning, match="one.pt cannot be read"):
        assert fit(network_after_seed(1), *problem, epochs=2, checkpoint=path) == want


def test_a_checkpoint_that_cannot_be_opened_stops_the_call(problem, tmp_path):
    (tmp_path / "one.pt").mkdir()
    with pytest.raises(OSError):
        fit(network(), *problem, epochs=1, checkpoint=tmp_path / "one.pt")


def test_a_failed_write_leaves_the_old_checkpoint(problem, tmp_path, monkeypatch):
    path = tmp_path / "one.pt"
    fit(network(), *problem, epochs=1, checkpoint=path)
    content = path.read_bytes()

    def full_disk(state, file):
        file.write_bytes(b"half")
        raise OSError("No space left on device")

    def no_rename(*_):
        raise OSError("No space left on device")
    for module, name, failing in ((torch, "save", full_disk), (os, "replace", no_rename)):
        with monkeypatch.context() as patch, pytest.warns(UserWarning, match="another training"):
            patch.setattr(module, name, failing)
            with pytest.raises(OSError, match="No space"):
                fit(network(), *problem, epochs=2, checkpoint=path)
        assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("epoch_seconds", "seconds", "saved"), [
    (1.0, 0.01, [*range(1, 12), None]), (1.0, 0.25, [1, 4, 7, 10, None]), (1.0, 2.0, [1, None]),
    (0.01, 0.05, [None])])  # short epochs, too
def test_checkpoints_take_a_tenth_of_the_time(problem, tmp_path, monkeypatch, epoch_seconds, seconds, saved):
    """The last save, of the finished training, is always made."""
    clock, saves = [100.0], []

    class Slow:
        def __getattr__(self, name):
            return getattr(training.checkpoints, name)

        def save(self, path, state):
            clock[0] += seconds
            saves.append(state["epoch"])

    monkeypatch.setattr(training.loop, "checkpoints", Slow())
    monkeypatch.setattr(training.loop.time, "monotonic", lambda: clock[0])

    def objective(model, x, y):
        clock[0] += epoch_seconds / 4 if model.training else 0
        return training.classification(model, x, y)

    X, y, train, _ = problem
    fit(network(), X, y, train[:16], epochs=11, batch_size=4, objective=objective, checkpoint=tmp_path / "one.pt")
    assert saves == saved


def test_several_inputs_and_other_targets(problem):
    X, y, train, val = problem

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(5, 6), nn.Linear(6, 2)

        def forward(self, x, token):
            return self.head(x + self.embed(token))

    def regression(model, x, y):
        outputs = model(*x)
        return ((outputs - torch.stack(y, 1)) ** 2).mean(), outputs

    model, inputs = Two(), (X, np.arange(150) % 5)
    history = fit(model, inputs, (X[:, 0], X[:, 1]), train, val, epochs=20, objective=regression,
                  learning_rate=0.05).table()
    assert history.loss.iloc[-1] < 0.2 * history.loss.iloc[0] and history.accuracy.isna().all()
    assert predict(model, inputs, batch_size=40).shape == (150, 2)


def test_predict_keeps_order_and_mode_matters(problem):
    X = problem[0]
    model = network()
    outputs = predict(model, X, batch_size=7)
    torch.testing.assert_close(predict(model, X, [5, 2]), outputs[[5, 2]])
    assert outputs.dtype == torch.float32 and not outputs.requires_grad
    assert predict(model, X, precision="bf16").dtype == torch.float32


def test_a_single_left_over_row_joins_the_batch_before(problem):
    X, y, _, _ = problem
    sizes = []

    def watch(model, x, y):
        sizes.append(len(y))
        return classification(model, x, y)
    fit(network(), X, y, np.arange(65), epochs=1, objective=watch)
    assert sizes == [32, 33]
    sizes.clear()
    fit(nn.Linear(6, 3), X, y, np.arange(3), epochs=1, objective=watch, batch_size=1)
    assert sizes == [1, 1, 1]


def test_gradients_are_clipped():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    fit(model, np.ones((4, 1)), None, [0, 1], epochs=1, grad_clip=0.25,
        objective=lambda m, x, y: (1e6 * m(x).sum(), None),
        optimizer=functools.partial(torch.optim.SGD, lr=1.0))
    assert model.weight.item() == pytest.approx(-0.25)


def test_bf16_trains(problem):
    X, y, train, val = problem
    history = fit(network(), X, y, train, val, epochs=10, learning_rate=0.02, precision="bf16").table()
    assert history.loss.iloc[-1] < history.loss.iloc[0]


def test_frozen_parameters_stay(problem):
    model = network()
    before = model[0].requires_grad_(False).weight.clone()
    fit(model, *problem, epochs=1)
    assert torch.equal(model[0].weight, before)


def test_progress_is_about_ten_lines(problem, capsys):
    fit(network(), *problem, epochs=30, progress=True, name="gru seed 1")
    lines = capsys.readouterr().out.splitlines()
    assert 9 <= len(lines) <= 12 and all(line.startswith("gru seed 1  epoch") for line in lines)
    fit(network(), *problem, epochs=2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("change, message", [
    (dict(epochs=0), "epochs"), (dict(batch_size=0), "batch_size"), (dict(patience=0), "patience"),
    (dict(learning_rate=0), "learning_rate"), (dict(grad_clip=-1), "grad_clip"),
    (dict(precision="half"), "precision"), (dict(train=[]), "train"), (dict(train=[150]), "row 150"),
    (dict(train=[-1]), "row -1"), (dict(train=[0.5]), "float"),
    (dict(patience=2, val=None), "no validation rows"),
    (dict(X=(np.ones((150, 6)), np.ones((149, 6)))), "149, 150"), (dict(model=nn.Identity()), "no floating")])
def test_wrong_settings_are_named(problem, change, message):
    call = dict(zip(("X", "y", "train", "val"), problem, strict=True)) | dict(model=network(), epochs=1)
    call |= change
    with pytest.raises(ValueError, match=message):
        fit(**call)


def test_seed_everything_seeds_all_generators(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    draws = []
    for seed in (3, 3, 4):
        seed_everything(seed)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1] != draws[2]
    assert torch.are_deterministic_algorithms_enabled() and not torch.utils.deterministic.fill_uninitialized_memory
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"  # cuDNN's recurrent networks want no other but :4096:2
    torch.use_deterministic_algorithms(False)


def test_devices(monkeypatch):
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device() == torch.device("cpu")
    with pytest.raises(ValueError, match="sees no CUDA"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="'gpu' is not one of"):
        choose_device("gpu")
    with pytest.raises(ValueError, match="fp16"):
        autocast(torch.device("cpu"), "fp16")


def test_precision_auto_is_float64_on_a_cpu_and_what_is_asked_for_holds():
    cpu = torch.device("cpu")
    try:
        assert set_precision("auto", cpu) == "float64" and torch.zeros(1).dtype == torch.float64
        assert set_precision("bf16", cpu) == "bf16" and torch.zeros(1).dtype == torch.float32
        assert not (torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32)
        assert set_precision("auto", torch.device("cuda"), on_cuda="bf16") == "bf16"
        with pytest.raises(ValueError, match="needs CUDA"):
            set_precision("fp16", cpu)
        with pytest.raises(ValueError, match="'double' is not one of float64, float32, bf16, fp16"):
            set_precision("double", cpu)
        assert torch.zeros(1).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_checkpoint_path(monkeypatch, tmp_path):
    monkeypatch.delenv("EEGEMO_OUT", raising=False)
    assert checkpoint_path("gru") is None
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    assert checkpoint_path("gru_seed=1") == tmp_path / "checkpoints" / "gru_seed=1.pt"
    for name in ("a/b", "..", "", ".hidden"):
        with pytest.raises(ValueError, match="plain file name"):
            checkpoint_path(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA, see test_pretend_cuda.py")
@pytest.mark.usefixtures("every_epoch")
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_cuda_resume_is_exact(problem, tmp_path, precision):
    settings = dict(epochs=6, patience=3, precision=precision, learning_rate=0.02)
    straight = network_after_seed(1).cuda()
    want = fit(straight, *problem, objective=BreaksOff(10**9), **settings)
    with pytest.raises(KeyboardInterrupt):
        fit(network_after_seed(1).cuda(), *problem, objective=BreaksOff(10), checkpoint=tmp_path / "c.pt", **settings)
    resumed = network().cuda()  # what its dropout draws comes from the checkpoint, not from this seed
    got = fit(resumed, *problem, objective=BreaksOff(10**9), checkpoint=tmp_path / "c.pt", **settings)
    assert got == want
    assert_same_weights(straight, resumed)


def test_the_package_says_what_it_offers():
    assert all(hasattr(training, name) for name in training.__all__)
