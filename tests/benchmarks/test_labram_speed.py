"""LaBraM's training steps and codebook beside the released code's structure, written out, in one run.

Steps are those of the notebook's own loop. On a GPU they run in bf16, and the table of `extra_info` (patches a second,
peak memory, share of the chip's arithmetic) is part of the JSON that --benchmark-json writes.
"""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from eegemo_utils.training import autocast
from tests import labram_reference as plain

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
PRECISION = {"cpu": "float32", "cuda": "bf16"}
NAMES = ("FP1 FP2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 A1 A2 FZ CZ PZ T1 T2").split()
N_TOKENS, N_CODES, CODE_DIM, SEED = 4096, 8192, 64, 0
# windows a step: a few, and what a device of the paper's pretraining gets (512 over 8)
STEPS = {"cpu": [("base", 2), ("base", 64)], "cuda": [("base", 64), ("large", 64), ("huge", 64)]}
CASES = [(device, *step) for device in DEVICES for step in STEPS[device]]
NEEDED = 20e9  # bytes, of 64 windows in the released structure on a CPU
PEAK = {"H200": 989e12}  # products and sums a second in bf16, the vendor's figure for dense matrices
THREADS = torch.get_num_threads()
WHO = ["released structure", "notebook, first epoch", "notebook"]


@pytest.fixture(autouse=True)
def all_threads(labram):
    """Tests of small networks run on one thread; these take as many as PyTorch began with."""
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(1)


def settle(device):
    if device == "cuda":
        torch.cuda.synchronize()


def check_memory(device, n_windows):
    if device == "cpu" and n_windows > 2 and os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") < NEEDED:
        pytest.skip(f"needs {NEEDED / 1e9:.0f} GB of memory")


def measure(benchmark, step, device, n_windows, n_tokens):
    """Time a step; note what it did a second."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    benchmark.pedantic(step, rounds=7 if n_windows == 2 else 3)
    seconds, told = benchmark.stats.stats.median, benchmark.extra_info
    told["patches_a_second"] = round(n_windows * n_tokens / seconds)
    if device == "cuda":
        told["peak_memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        peak = next((most for name, most in PEAK.items() if name in torch.cuda.get_device_name()), None)
        if peak:
            with FlopCounterMode(display=False) as counter:
                step()
            told["share_of_peak"] = round(counter.get_total_flops() / seconds / peak, 3)


@pytest.mark.parametrize(("device", "size", "n_windows"), CASES)
@pytest.mark.parametrize("who", WHO)
def test_masked_step(benchmark, labram, who, device, size, n_windows):
    """A whole step: codes (the notebook looks each up once and keeps it), both views, backward, clipping, AdamW, hits.

    The notebook's is an epoch of its own loop, of one step. All three begin with the same losses.
    """
    check_memory(device, n_windows)
    torch.manual_seed(SEED)
    official, precision = labram.RECIPES["official"], PRECISION[device]
    tokenizer = labram.Tokenizer("base", N_CODES, recipe=official, from_data=False).to(device).eval()
    model = labram.MaskedModel(size, N_CODES, official).to(device)
    x = torch.randn(n_windows, len(NAMES), labram.longest_window(len(NAMES)), 200, device=device)
    n_tokens = x.shape[1] * x.shape[2]
    generator = torch.Generator().manual_seed(SEED)  # as the loop draws them
    order = torch.randperm(n_windows, generator=generator).to(device)
    mask = labram.random_mask(n_windows, n_tokens, generator=generator).to(device)
    kept = labram.codes_of(tokenizer, x, range(n_windows), NAMES)
    plan = replace(labram.PLANS["pretraining"], batch_size=n_windows, epochs=1, warmup_epochs=0, peak_rate=1e-6)
    rows, groups = torch.tensor(labram.channel_rows(tuple(NAMES)), device=device), labram.parameter_groups(model, plan)
    released_optimizer = torch.optim.AdamW(groups, lr=1e-6, betas=(0.9, plan.beta2), eps=1e-8)  # optim_factory.py:155

    def loss_of(batch, generator):
        mask = labram.random_mask(len(batch), n_tokens, generator=generator).to(device)
        codes = kept[batch] if who == "notebook" else tokenizer.codes(x[batch], NAMES, look=False)
        parts = model(x[batch], NAMES, mask, codes)
        return parts.hidden + parts.complement, parts._asdict()

    at_once = labram.windows_at_once(n_windows, n_tokens, x.device)
    run = labram.Run(model, loss_of, np.arange(n_windows), plan, seed=SEED, recipe=official, precision=precision,
                     at_once=at_once)

    def step():
        if who == "released structure":
            losses = plain.step(model, tokenizer, x[order], rows, mask, released_optimizer, precision)
        else:
            row = run.epoch(0)
            losses = [row["hidden"], row["complement"]]
        settle(device)
        return losses

    with torch.no_grad():
        assert (plain.tokenizer_codes(tokenizer, x[:2], rows) == kept[:2]).float().mean() > 0.999  # near ties may fall
        wanted = [float(loss) for loss in plain.masked_losses(model, x[order], rows, mask, kept[order])]
    assert step() == pytest.approx(wanted, abs=3e-2 if device == "cuda" else 2e-5)
    benchmark.group = f"masked step, {size}, {n_windows} windows, {device}"
    measure(benchmark, step, device, n_windows, n_tokens)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("who", ["released structure", "notebook"])
def test_finetuning_step(benchmark, labram, who, device):
    """A step of fine-tuning Base on 64 windows of 23 electrodes x 10 s (TUAB), without dropped branches."""
    n_windows = 64
    check_memory(device, n_windows)
    torch.manual_seed(SEED)
    model, x = labram.LaBraM("base", 1).to(device), torch.randn(n_windows, len(NAMES), 10, 200, device=device)
    y, n_tokens = torch.arange(n_windows, device=device) % 2, 10 * len(NAMES)
    plan = replace(labram.PLANS["finetuning_base"], batch_size=n_windows, epochs=1, warmup_epochs=0, peak_rate=1e-6)
    rows, groups = torch.tensor(labram.channel_rows(tuple(NAMES)), device=device), labram.parameter_groups(model, plan)
    optimizer = torch.optim.AdamW(groups, lr=1e-6, eps=1e-8)

    def released():
        with autocast(x.device, PRECISION[device]):
            loss = labram.task_loss(plain.outputs(model, x, rows), y, "binary", 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    def loss_of(batch, _):
        loss = labram.task_loss(model(x[batch], NAMES), y[batch], "binary", 0.0)
        return loss, {"loss": loss}

    run = labram.Run(model, loss_of, np.arange(n_windows), plan, precision=PRECISION[device],
                     at_once=labram.windows_at_once(n_windows, n_tokens, x.device))

    def step():
        loss = released() if who == "released structure" else run.epoch(0)["loss"]
        settle(device)
        return loss

    model.train()
    with torch.no_grad():
        wanted = labram.task_loss(plain.outputs(model, x, rows), y, "binary", 0.0).item()
    assert step() == pytest.approx(wanted, abs=1e-2 if device == "cuda" else 1e-5)
    benchmark.group = f"fine-tuning step, Base, {n_windows} windows, {device}"
    measure(benchmark, step, device, n_windows, n_tokens)


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
