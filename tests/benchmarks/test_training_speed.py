"""Ten small models at once against one after another.

Run by ``pytest tests/benchmarks/test_training_speed.py --benchmark-only --benchmark-group-by=group``; nothing
here asserts a time.
"""

import numpy as np
import pytest
import torch
from torch import nn

from eegemo_utils.training import fit, fit_many

N_MODELS = 10
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
DEVICES = ["cpu", pytest.param("cuda", marks=NEEDS_CUDA)]


class ScanGRU(nn.Module):
    """GRU over single numbers, as a layer or written out (PyTorch's equations), dense layer on all states."""

    def __init__(self, n_times=319, n_hidden=16):
        super().__init__()
        self.gru = nn.GRU(1, n_hidden, batch_first=True)
        self.head = nn.Linear(n_times * n_hidden, 3)

    def forward(self, x, scan=False):
        return self.head((self.scan(x) if scan else self.gru(x[..., None])[0]).flatten(-2))

    def scan(self, x):
        w_in, w, b_in, b = (getattr(self.gru, name) for name in
                            ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"))
        n = w.shape[1]
        h, states = x.new_zeros(len(x), n), []
        for given in (x.T[..., None] * w_in[:, 0] + b_in).unbind(0):
            kept = torch.addmm(b, h, w.T)
            gates = torch.sigmoid(given[:, :2 * n] + kept[:, :2 * n])
            new = torch.tanh(torch.addcmul(given[:, 2 * n:], gates[:, :n], kept[:, 2 * n:]))
            h = torch.lerp(new, h, gates[:, n:])
            states.append(h)
        return torch.stack(states, 1)


def by_scan(model, x, y):
    outputs = model(x, scan=True)
    return nn.functional.cross_entropy(outputs, y), outputs


def mlp():
    return nn.Sequential(nn.Linear(319, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 3))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    rows = [rng.permutation(300) for _ in range(N_MODELS)]
    return (rng.normal(size=(300, 319)).astype(np.float32), rng.integers(0, 3, 300),
            [r[:240] for r in rows], [r[240:] for r in rows])


def models(make, device):
    torch.manual_seed(0)
    return ([make().to(device) for _ in range(N_MODELS)],), {}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("make, epochs", [(mlp, 10), (ScanGRU, 1)])
def test_one_after_another(benchmark, data, make, epochs, device):
    benchmark.group = f"{N_MODELS} x {make.__name__}, {device}"
    X, y, trains, vals = data

    def run(nets):
        return [fit(net, X, y, train, val, epochs=epochs).stopped_epoch
                for net, train, val in zip(nets, trains, vals, strict=True)]
    benchmark.pedantic(run, setup=lambda: models(make, device), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("make, objective, epochs", [(mlp, None, 10), (ScanGRU, by_scan, 1)])
def test_at_once(benchmark, data, make, objective, epochs, device):
    benchmark.group = f"{N_MODELS} x {make.__name__}, {device}"
    X, y, trains, vals = data
    settings = {"objective": objective} if objective else {}

    def run(nets):
        return [h.stopped_epoch for h in fit_many(nets, X, y, trains, vals, epochs=epochs, **settings)]
    benchmark.pedantic(run, setup=lambda: models(make, device), rounds=3, warmup_rounds=1)
