"""What must hold on CUDA, on a GPU or on the pretend device; test_pretend_cuda.py runs this file where there is no GPU.

The pretend device must refuse what a GPU refuses, so the first tests are about PyTorch itself.
"""

import sys

import numpy as np
import pytest
import torch
from corpora import FIVE, THREE, make_corpus
from torch import nn

from eegemo_utils import corpus, training
from eegemo_utils.notebooks.provenance import devices
from eegemo_utils.pretrain.__main__ import main

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA, see test_pretend_cuda.py")
CUDA = torch.device("cuda")
TINY = ["--size", "tiny", "--batch-size", "4", "--n-patches", "3", "--warmup-epochs", "0", "--epochs", "2",
        "--stride-seconds", "1", "--device", "cuda"]


@pytest.fixture
def counts():
    """What the pretend device counts; None on a GPU."""
    counting = sys.modules.get("pretend_cuda.counting")
    if counting:
        counting.counts.steps.clear()
    return counting and counting.counts


def middle(counts) -> tuple[int, int]:
    """Launches and waits of the median step since the test began."""
    (steps,) = counts.steps.values()
    counts.steps.clear()
    return sorted(steps)[len(steps) // 2]


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    return rng.normal(size=(120, 6)) + y[:, None], y, np.arange(80), np.arange(80, 120)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3))


FAULTS = {
    "an addition": lambda x: x + torch.ones(3),
    "an addition in place": lambda x: torch.ones(4).add_(x[:, 0]),
    "a product": lambda x: x @ torch.ones(3, 2),
    "a mask": lambda x: torch.where(torch.ones(4, 3) > 0, x, x),
    "rows by CUDA indices": lambda x: torch.ones(4)[torch.tensor([0], device=CUDA)],
    "rows by index_select": lambda x: x.index_select(0, torch.tensor([0])),
    "NumPy": lambda x: x.numpy(),
    "a NumPy array": np.asarray,
    "a CPU generator": lambda x: torch.rand(3, device=CUDA, generator=torch.Generator()),
    "a CUDA generator": lambda x: torch.rand(3, generator=torch.Generator(CUDA)),
    "a network left behind": lambda x: nn.Linear(3, 2)(x),
    "a vmapped step": lambda x: torch.vmap(lambda row: row + torch.ones(3))(x),
    "a recurrent network left behind": lambda x: nn.GRU(3, 2)(x[None]),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_two_devices_do_not_mix(fault):
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        fault(torch.rand(4, 3, device=CUDA))


def test_what_may_stand_beside_cuda_does():
    x = torch.zeros(4, 3, device=CUDA)
    assert (x + torch.tensor(1.0)).tolist() == [[1.0] * 3] * 4 and x[torch.tensor([0, 1])].device.type == "cuda"
    part = x[1:3]
    part.fill_(2)
    assert x.sum().item() == 12
    torch.manual_seed(0)
    first, on_cpu = torch.rand(2, device=CUDA), torch.rand(2)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(2), on_cpu) and torch.equal(torch.rand(2, device=CUDA), first)


@pytest.mark.parametrize("layer", [nn.GRU, nn.LSTM])
def test_recurrent_layers_are_those_of_the_cpu(layer):
    model, x = layer(2, 3, batch_first=True), torch.randn(4, 5, 2)
    found = []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        out, _ = model(x.to(device))
        out.square().sum().backward()
        found.append([out.detach().cpu(), *(weight.grad.cpu().clone() for weight in model.parameters())])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)
    with torch.autocast("cuda", torch.bfloat16):
        assert model(x.to("cuda"))[0].dtype == torch.bfloat16


def test_many_at_once_are_one_after_another(problem):
    X, y, train, val = problem
    alone, together = ([network(k).double().to(CUDA) for k in range(3)] for _ in range(2))
    settings = dict(epochs=4, patience=2, batch_size=16, learning_rate=0.02, grad_clip=1.0)
    want = [training.fit(model, X, y, train, val, seed=k, **settings) for k, model in enumerate(alone)]
    got = training.fit_many(together, X, y, [train] * 3, [val] * 3, seed=[0, 1, 2], **settings)
    for one, other, model, twin in zip(want, got, alone, together, strict=True):
        np.testing.assert_allclose(one.table(), other.table(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model[1].running_mean, twin[1].running_mean, rtol=1e-4, atol=1e-5)
        assert model[1].num_batches_tracked == twin[1].num_batches_tracked
    outputs = training.predict_many(together, X, [val] * 3)
    torch.testing.assert_close(outputs[1], training.predict(alone[1], X, val), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("n_models", "launches"), [(1, 70), (3, 80), (30, 80)])
def test_a_step_waits_for_nothing_and_launches_no_more_for_more_models(problem, counts, n_models, launches):
    X, y, train, val = problem
    models = [network(k).to(CUDA) for k in range(n_models)]
    before = counts.waits if counts else 0
    training.fit_many(models, X, y, [train] * n_models, [val] * n_models, epochs=5, batch_size=16)
    if counts:
        assert counts.waits - before <= 5 + 2  # one for each epoch; the data once
        assert middle(counts) <= (launches, 0)


@pytest.mark.usefixtures("every_epoch")
def test_a_training_begun_on_cuda_goes_on_on_the_cpu_and_says_so(problem, tmp_path):
    calls = iter(range(8))

    def interrupted(model, x, y):
        if next(calls, None) is None and next(model.parameters()).is_cuda:
            raise KeyboardInterrupt
        return training.classification(model, x, y)

    settings = dict(epochs=4, batch_size=16, objective=interrupted, checkpoint=tmp_path / "one.pt")
    with pytest.raises(KeyboardInterrupt):
        training.fit(network().to(CUDA), *problem, **settings)
    with pytest.warns(UserWarning, match="began on cuda goes on on cpu"):
        assert training.fit(network(), *problem, **settings).stopped_epoch == 4


def test_float32_is_float32_and_provenance_says_so():
    before = torch.get_default_dtype()
    try:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.zeros(1, device=CUDA)
        assert devices()["tf32"] is True
        assert training.set_precision("auto", CUDA) == "float32" and torch.get_default_dtype() == torch.float32
        assert devices()["tf32"] is False
    finally:
        torch.set_default_dtype(before)


def test_batches_of_a_corpus_are_those_of_the_cpu(tmp_path):
    make_corpus(tmp_path, ((FIVE, 50.0), (THREE, 40.0)))
    data = corpus.open(tmp_path)
    for (x, names), (y, same) in zip(data.batches(8, n_patches=3), data.batches(8, n_patches=3, device=CUDA)):
        assert names == same and y.device.type == "cuda"
        torch.testing.assert_close(y.cpu(), x)


@pytest.mark.parametrize(("precision", "then"), [("float32", "cpu"), ("bf16", "cuda")])
def test_pretraining(tmp_path, capsys, counts, precision, then):
    make_corpus(tmp_path / "corpus", ((FIVE, 30.0), (THREE, 20.0)))
    words = [str(tmp_path / "corpus"), *TINY, "--precision", precision]
    tokenizer = ["--n-codes", "32", "--code-dim", "8", "--n-decoder-layers", "1", "--out", str(tmp_path / "tokenizer")]
    assert main(["tokenizer", *words, *tokenizer]) == 0
    assert not counts or middle(counts) <= (600, 0)
    weights = ["--tokenizer", str(tmp_path / "tokenizer" / "tokenizer.safetensors"), "--out", str(tmp_path / "masked")]
    assert main(["masked", *words, *weights, "--max-steps", "9"]) == 0
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not counts or middle(counts) <= (600, 0)
    assert main(["masked", *words, *weights, "--device", then]) == 0  # goes on
    assert ("began on cuda goes on on cpu" in capsys.readouterr().err) == (then == "cpu")
    assert (tmp_path / "masked" / "masked.safetensors").is_file()
