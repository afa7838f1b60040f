"""One training step of the GRU notebook's network against torch.nn.GRU in its simplest loop, side by side."""

import numpy as np
import pytest
import torch
from torch import nn

from eegemo_utils import training
from eegemo_utils.notebooks import load_definitions

N_ROWS, BATCH, N_OUTPUTS = 512, 32, 3  # 16 steps: a training step is measured, not the call around it
SIZES = {"default": (114, 16), "wide": (319, 64), "article": (2548, 256)}
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


class SimplestGRU(nn.Module):
    """What one would write first: nn.GRU, flatten, nn.Linear."""

    def __init__(self, n_steps, n_hidden):
        super().__init__()
        self.gru = nn.GRU(1, n_hidden, batch_first=True)
        self.dense = nn.Linear(n_steps * n_hidden, N_OUTPUTS)

    def forward(self, x):
        return self.dense(self.gru(x.unsqueeze(2))[0].flatten(1))


def simplest_loop(model, x, y):
    """One epoch in the fewest lines."""
    optimizer = torch.optim.Adam(model.parameters())
    for batch in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()


@pytest.fixture
def data(request):
    n_steps, n_hidden = SIZES[request.getfixturevalue("size")]
    device = request.getfixturevalue("device")
    torch.manual_seed(0)
    n_rows = N_ROWS if n_steps < 1000 else BATCH
    x = torch.randn(n_rows, n_steps, device=device)
    return x, torch.randint(N_OUTPUTS, (n_rows,), device=device), n_steps, n_hidden, device


@pytest.fixture(autouse=True)
def one_thread_for_small_networks(request):
    """As the notebook does; both sides of a comparison get the same."""
    before = torch.get_num_threads()
    if request.node.callspec.params.get("size") != "article":
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settle(device):
    if device == "cuda":
        torch.cuda.synchronize()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("who", ["simplest", "notebook"])
def test_training_epoch(benchmark, data, who, size, device):
    x, y, n_steps, n_hidden, device = data
    benchmark.group = f"one epoch, {n_steps} steps, {n_hidden} units, {device}"
    if who == "simplest":
        model = SimplestGRU(n_steps, n_hidden).to(device)

        def epoch():
            simplest_loop(model, x, y)
            settle(device)
    else:
        model = load_definitions("gru").ColumnGRU(n_steps, N_OUTPUTS, n_hidden).to(device)
        rows = np.arange(len(x))

        def epoch():
            training.fit(model, x, y, rows, epochs=1, batch_size=BATCH)
            settle(device)

    benchmark.pedantic(epoch, rounds=3 if n_steps > 1000 else 7, warmup_rounds=1)


@pytest.mark.skipif("cuda" not in DEVICES, reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_article_size_precisions(benchmark, precision):
    """One epoch of 512 rows at the article's size on a GPU, by precision."""
    model = load_definitions("gru").ColumnGRU(2548, N_OUTPUTS, 256).cuda()
    x, y = torch.randn(N_ROWS, 2548), torch.randint(N_OUTPUTS, (N_ROWS,))
    benchmark.group = "article's size, cuda"

    def epoch():
        training.fit(model, x, y, np.arange(N_ROWS), epochs=1, batch_size=BATCH, precision=precision)
        settle("cuda")

    benchmark.pedantic(epoch, rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("who", ["one after another", "at once"])
def test_ten_networks(benchmark, who, device):
    """Ten seeds of the default network, one epoch: nn.GRU one after another against one stack."""
    gru = load_definitions("gru")
    x, y, rows = torch.randn(N_ROWS, 114), torch.randint(N_OUTPUTS, (N_ROWS,)), np.arange(N_ROWS)
    models = [gru.ColumnGRU(114, N_OUTPUTS, 16).to(device) for _ in range(10)]
    benchmark.group = f"ten networks, {device}"

    def together():
        training.fit_many(models, x, y, [rows] * 10, epochs=1, batch_size=BATCH, objective=gru.scan_objective)
        settle(device)

    def apart():
        for model in models:
            training.fit(model, x, y, rows, epochs=1, batch_size=BATCH)
        settle(device)

    benchmark.pedantic(together if who == "at once" else apart, rounds=5, warmup_rounds=1)
