"""MT-CNN's training against a plain loop with a loader, and tunings as one stack against one after another.

Run by ``pytest tests/benchmarks/test_multitask_cnn_speed.py --benchmark-only --benchmark-group-by=group``; nothing here
asserts a time. ``extra_info`` has the maps a second of the fastest round. With CUDA the project's side is also timed in
bf16.
"""

import copy

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from eegemo_utils import training
from eegemo_utils.notebooks import load_definitions

BATCH = 64
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
DEVICES = ["cpu", pytest.param("cuda", marks=NEEDS_CUDA)]
WAYS = ["loader", "indexed", pytest.param("indexed bf16", marks=NEEDS_CUDA)]


@pytest.fixture(scope="module")
def nb():
    return load_definitions("multitask_cnn")


def maps(n):
    rng = np.random.default_rng(0)
    return torch.tensor(rng.normal(size=(n, 8, 8, 9)).astype(np.float32)), torch.tensor(rng.integers(0, 2, (n, 2)))


def plain_epoch(nb, model, X, y, device):
    """As one writes it: a loader, a step a batch."""
    model.train()
    optimizer = nb.keras_adam(0.001)(model.parameters())
    for x, labels in DataLoader(TensorDataset(X, y), BATCH, shuffle=True):
        optimizer.zero_grad()
        loss, _ = model(x.to(device), labels.to(device))
        loss.backward()
        optimizer.step()
    return float(loss)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("width", [1.0, 0.125])
def test_training_of_an_epoch(benchmark, nb, width, device, way):
    if device == "cpu" and way == "indexed bf16":
        pytest.skip("timed on CUDA")
    n = 122_880 if device == "cuda" else 512 if width == 1 else 4096  # on a GPU, an epoch of a pooled fold
    X, y = maps(n)
    model = nb.keras_init(nb.MTCNN(width=width), 0).to(device)
    benchmark.group = f"training, width {width}, {device}"
    if way == "loader":
        benchmark.pedantic(plain_epoch, (nb, model, X, y, device), rounds=3, warmup_rounds=1)
    else:
        X, y = X.to(device), y.to(device)
        how = {"epochs": 1, "batch_size": BATCH, "optimizer": nb.keras_adam(0.001), "objective": nb.joint_loss}
        how["precision"] = "bf16" if "bf16" in way else "float32"
        benchmark.pedantic(lambda: training.fit(model, X, y, range(n), **how), rounds=3, warmup_rounds=1)
    benchmark.extra_info["maps a second"] = round(n / benchmark.stats.stats.min)


@pytest.mark.parametrize("way", ["one after another", "one stack"])
@pytest.mark.parametrize("device", DEVICES)
def test_tuning_to_many_people(benchmark, nb, device, way):
    n_models, n, width = (96, 3840, 1.0) if device == "cuda" else (12, 256, 0.125)  # GPU: 32 people, stages 2 and 3
    X, y = maps(n)
    X, y = X.to(device), y.to(device)
    base = [nb.keras_init(nb.MTCNN(width=width), k).to(device) for k in range(n_models)]
    rows = [np.random.default_rng(k).permutation(n)[: n // 2] for k in range(n_models)]
    how = {"epochs": 1, "batch_size": BATCH, "optimizer": nb.keras_adam(0.001), "objective": nb.joint_loss}

    def stack():
        training.fit_many(copy.deepcopy(base), X, y, rows, seed=list(range(n_models)), **how)

    def singly():
        for k, model in enumerate(copy.deepcopy(base)):
            training.fit(model, X, y, rows[k], seed=k, **how)

    benchmark.group = f"tuning {n_models} networks, width {width}, {device}"
    benchmark.pedantic(stack if way == "one stack" else singly, rounds=3, warmup_rounds=1)
    benchmark.extra_info["maps a second"] = round(n_models * n / 2 / benchmark.stats.stats.min)
