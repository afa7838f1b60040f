"""Many models at once must be what one after another is."""

import numpy as np
import pytest
import torch
from torch import nn

from eegemo_utils.training import fit, fit_many, predict, predict_many


class Small(nn.Module):
    """A network with batch normalisation and a buffer that differs from model to model."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", torch.as_tensor(mask, dtype=torch.float32))
        self.first, self.norm, self.last = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.norm(self.first(x * self.mask))))


class ScanGRU(nn.Module):
    """A GRU over single numbers: cuDNN's layer alone, or the same recurrence written out."""

    def __init__(self, n_hidden=5, n_times=7):
        super().__init__()
        self.gru = nn.GRU(1, n_hidden, batch_first=True)
        self.head = nn.Linear(n_hidden * n_times, 3)

    def forward(self, x, scan=False):
        outputs = self.scan(x) if scan else self.gru(x[..., None])[0]
        return self.head(outputs.flatten(-2))

    def scan(self, x):
        w_in, w, b_in, b = (getattr(self.gru, name) for name in
                            ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"))
        n = w.shape[1]
        h, states = x.new_zeros(len(x), n), []
        for given in (x.T[..., None] * w_in[:, 0] + b_in).unbind(0):
            kept = torch.addmm(b, h, w.T)
            reset, update = torch.sigmoid(given[:, :2 * n] + kept[:, :2 * n]).split(n, dim=1)
            new = torch.tanh(given[:, 2 * n:] + reset * kept[:, 2 * n:])
            h = torch.lerp(new, h, update)
            states.append(h)
        return torch.stack(states, 1)


def by_scan(model, x, y):
    outputs = model(x, scan=True)
    return nn.functional.cross_entropy(outputs, y), outputs


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    X = rng.normal(size=(200, 6)) + y[:, None] * [0.9, 0.3, 0, 0, -0.3, 0]
    trains = [rng.choice(120, size, replace=False) for size in (64, 50, 83, 33)]  # 33: one row is left over
    vals = [120 + rng.choice(80, size, replace=False) for size in (30, 41, 30, 20)]
    return X, y, trains, vals


def small_models():
    masks = np.ones((4, 6))
    masks[1, 0] = masks[2, 1] = masks[3, 5] = 0
    models = []
    for k, mask in enumerate(masks):
        torch.manual_seed(k)
        models.append(Small(mask).double())  # so that rounding cannot look like a difference
    return models


def assert_same(one, other, history, history_other):
    assert history.best_epoch == history_other.best_epoch
    assert history.stopped_epoch == history_other.stopped_epoch
    np.testing.assert_allclose(history.table(), history_other.table(), rtol=1e-7)
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8, msg=name)


def test_equal_to_one_after_another(problem):
    X, y, trains, vals = problem
    settings = dict(epochs=40, patience=3, batch_size=16, learning_rate=0.02, grad_clip=1.0,
                    schedule=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.7))
    alone, together = small_models(), small_models()
    histories = [fit(m, X, y, t, v, seed=k, **settings)
                 for k, (m, t, v) in enumerate(zip(alone, trains, vals, strict=True))]
    many = fit_many(together, X, y, trains, vals, seed=[0, 1, 2, 3], **settings)
    stops = {history.stopped_epoch for history in histories}
    assert len(stops) > 1 and max(stops) < 40  # the test is worth something only so
    for quartet in zip(alone, together, histories, many, strict=True):
        assert_same(*quartet)
    assert together[0].norm.num_batches_tracked > 0
    np.testing.assert_array_equal(together[1].mask, alone[1].mask)


def test_without_validation_the_last_weights_stay(problem):
    X, y, trains, _ = problem
    alone, together = small_models(), small_models()
    histories = [fit(m, X, y, t, epochs=3, batch_size=16) for m, t in zip(alone, trains, strict=True)]
    many = fit_many(together, X, y, trains, epochs=3, batch_size=16)
    for quartet in zip(alone, together, histories, many, strict=True):
        assert_same(*quartet)


def test_predict_many_equals_predict(problem):
    X, _, trains, _ = problem
    models = small_models()
    for model in models:
        model.norm.running_mean.normal_()
    together = predict_many(models, X, trains, batch_size=20)
    for model, rows, outputs in zip(models, trains, together, strict=True):
        torch.testing.assert_close(outputs, predict(model, X, rows, batch_size=50))


def test_a_written_out_recurrence_trains_as_the_layer_does():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 7)), rng.integers(0, 3, 40)
    trains = [np.arange(20), np.arange(10, 40)]
    torch.manual_seed(0)
    together = [ScanGRU().double(), ScanGRU().double()]
    alone = [ScanGRU().double(), ScanGRU().double()]
    for one, other in zip(alone, together, strict=True):
        one.load_state_dict(other.state_dict())
    histories = [fit(m, X, y, t, epochs=3, batch_size=8) for m, t in zip(alone, trains, strict=True)]
    many = fit_many(together, X, y, trains, epochs=3, batch_size=8, objective=by_scan)
    for quartet in zip(alone, together, histories, many, strict=True):
        assert_same(*quartet)
    outputs = predict_many(together, X, [np.arange(5), np.arange(40)], forward=lambda m, x: m(x, scan=True))
    torch.testing.assert_close(outputs[1], predict(together[1], X), rtol=1e-4, atol=1e-5)


def test_a_layer_that_cannot_be_batched_says_what_to_do(problem):
    with pytest.raises(TypeError, match="plain tensor operations"):
        fit_many([ScanGRU(n_times=6) for _ in range(2)], problem[0], problem[1], problem[2][:2], epochs=1)


def test_an_ordinary_error_in_the_model_stays_itself(problem):
    with pytest.raises(RuntimeError, match="shape|size"):
        fit_many([nn.Linear(5, 3), nn.Linear(5, 3)], problem[0], problem[1], problem[2][:2], epochs=1)


def test_dropout_differs_between_models():
    models = [nn.Sequential(nn.Linear(1, 1, bias=False), nn.Dropout(0.5)) for _ in range(2)]

    def watch(model, x, y):
        outputs = model(x)
        return outputs.sum(), outputs

    for model in models:
        nn.init.ones_(model[0].weight)
    totals = fit_many(models, np.ones((64, 1)), None, [np.arange(64)] * 2, objective=watch, epochs=1,
                      batch_size=64)
    assert totals[0].epochs[0]["loss"] != totals[1].epochs[0]["loss"]


@pytest.mark.usefixtures("every_epoch")
def test_resume_is_exact(problem, tmp_path):
    X, y, trains, vals = problem
    settings = dict(epochs=9, patience=3, batch_size=16, learning_rate=0.05)
    straight = small_models()
    want = fit_many(straight, X, y, trains, vals, **settings)
    resumed = small_models()
    path = tmp_path / "many.pt"
    with pytest.raises(KeyboardInterrupt):
        fit_many(resumed, X, y, trains, vals, checkpoint=path, schedule=None,
                 objective=interrupted_after(25), **settings)
    # the same call, this time left alone; its objective must be the same function
    resumed = small_models()
    got = fit_many(resumed, X, y, trains, vals, checkpoint=path, objective=interrupted_after(10**9),
                   **settings)
    for one, other, a, b in zip(straight, resumed, want, got, strict=True):
        assert a == b
        for p, q in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.equal(p, q)


class interrupted_after:
    """Classification that breaks off after some calls; all instances are one function to the checkpoint."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, model, x, y):
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt
        outputs = model(x)
        return nn.functional.cross_entropy(outputs, y), outputs


def test_models_must_be_of_one_architecture(problem):
    with pytest.raises(ValueError, match="0 and 1"):
        fit_many([nn.Linear(6, 3), nn.Linear(6, 4)], problem[0], problem[1], problem[2][:2], epochs=1)
    with pytest.raises(ValueError, match="2 models, 3 trains"):
        fit_many([nn.Linear(6, 3)] * 2, problem[0], problem[1], problem[2][:3], epochs=1)
