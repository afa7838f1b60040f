"""LaBraM's masked pretraining step and codebook beside the released code's structure, written out, in one run."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests import labram_reference as plain

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
NAMES = ("FP1 FP2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 A1 A2 FZ CZ PZ T1 T2").split()
N_TOKENS, N_CODES, CODE_DIM, SEED = 4096, 8192, 64, 0


# windows a step: a few, and what a device of the paper's pretraining gets (512 over 8)
STEPS = [(device, n) for device in DEVICES for n in ((2, 64) if device == "cpu" else (64,))]
NEEDED = 20e9  # bytes, of 64 windows in the released structure on a CPU


def settle(device):
    if device == "cuda":
        torch.cuda.synchronize()


@pytest.fixture
def pretraining(labram, request):
    """Model, frozen tokenizer, windows of 23 electrodes x 11 s, the order and mask of the first step, kept codes."""
    device, n_windows = request.param
    if device == "cpu" and n_windows > 2 and os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") < NEEDED:
        pytest.skip(f"needs {NEEDED / 1e9:.0f} GB of memory")
    torch.manual_seed(0)
    official = labram.RECIPES["official"]
    tokenizer = labram.Tokenizer("base", N_CODES, recipe=official, from_data=False).to(device).eval()
    model = labram.MaskedModel("base", N_CODES, official).to(device)
    x = torch.randn(n_windows, len(NAMES), labram.longest_window(len(NAMES)), 200, device=device)
    generator = torch.Generator().manual_seed(SEED)
    order = torch.randperm(n_windows, generator=generator).to(device)
    mask = labram.random_mask(n_windows, x.shape[1] * x.shape[2], generator=generator).to(device)
    return model, tokenizer, x, order, mask, labram.codes_of(tokenizer, x, range(n_windows), NAMES)


@pytest.mark.parametrize("pretraining", STEPS, indirect=True, ids=lambda step: f"{step[0]}-{step[1]}")
@pytest.mark.parametrize("who", ["released structure", "notebook, first epoch", "notebook"])
def test_masked_step(benchmark, labram, pretraining, who):
    """A whole step: codes (the notebook looks each up once and keeps it), both views, backward, clipping, AdamW, hits.

    The notebook's is an epoch of its own loop, of one step. All three begin with the same losses.
    """
    model, tokenizer, x, order, mask, kept = pretraining
    n_windows, n_tokens = mask.shape
    plan = replace(labram.PLANS["pretraining"], batch_size=n_windows, epochs=1, warmup_epochs=0, peak_rate=1e-6)
    rows, official = torch.tensor(labram.channel_rows(tuple(NAMES)), device=x.device), labram.RECIPES["official"]
    groups = labram.parameter_groups(model, plan, official)
    released_optimizer = torch.optim.AdamW(groups, lr=1e-6, betas=(0.9, plan.beta2), eps=1e-8)  # optim_factory.py:155

    def loss_of(batch, generator):
        mask = labram.random_mask(len(batch), n_tokens, generator=generator).to(x.device)
        codes = kept[batch] if who == "notebook" else tokenizer.codes(x[batch], NAMES, look=False)
        parts = model(x[batch], NAMES, mask, codes)
        return parts.hidden + parts.complement, parts._asdict()

    at_once = labram.windows_at_once(n_windows, n_tokens, x.device)
    run = labram.Run(model, loss_of, np.arange(n_windows), plan, seed=SEED, recipe=official, at_once=at_once)

    def step():
        if who == "released structure":
            losses = plain.step(model, tokenizer, x[order], rows, mask, released_optimizer)
        else:
            row = run.epoch(0)
            losses = [row["hidden"], row["complement"]]
        settle(x.device.type)
        return losses

    with torch.no_grad():
        assert (plain.tokenizer_codes(tokenizer, x[:2], rows) == kept[:2]).float().mean() > 0.999  # near ties may fall
        wanted = [float(loss) for loss in plain.masked_losses(model, x[order], rows, mask, kept[order])]
    assert step() == pytest.approx(wanted, abs=1e-3 if x.is_cuda else 2e-5)
    benchmark.group = f"masked step, Base, {n_windows} windows, {x.device.type}"
    benchmark.pedantic(step, rounds=7 if n_windows == 2 else 3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", ["evaluation", "training"])
@pytest.mark.parametrize("who", ["released structure", "notebook"])
def test_codebook(benchmark, labram, who, mode, device):
    """4096 vectors among 8192 codes; in training the codebook follows."""
    torch.manual_seed(0)
    quantizer = labram.Quantizer(N_CODES, CODE_DIM, from_data=False).to(device)
    quantizer.train(mode == "training")
    z, weight = torch.randn(N_TOKENS, CODE_DIM, device=device), quantizer.embedding.weight.clone()
    if mode == "training":
        def released():
            return plain.quantiser_step(z, weight, 0.99)[1]
    else:
        def released():
            codes, one_hot, _ = plain.quantise(z, weight)
            one_hot.sum(0)
            return codes
    with torch.no_grad():
        assert (released() == quantizer(z)[2]).float().mean() > 0.999  # near ties may fall otherwise
    benchmark.group = f"codebook, {mode}, {device}"

    @torch.no_grad()
    def run():
        released() if who == "released structure" else quantizer(z)
        settle(device)

    benchmark.pedantic(run, rounds=7, warmup_rounds=1)
