"""LaBraM's masked pretraining step and codebook beside the released code's structure, written out, in one run."""

import pytest
import torch

from eegemo_utils.notebooks import load_definitions
from tests import labram_reference as plain

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
NAMES = ("FP1 FP2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 A1 A2 FZ CZ PZ T1 T2").split()
N_TOKENS, N_CODES, CODE_DIM = 4096, 8192, 64


@pytest.fixture(scope="module")
def labram():
    return load_definitions("labram")


def settle(device):
    if device == "cuda":
        torch.cuda.synchronize()


def step_of(model, losses):
    """Zero, loss, backward."""
    model.zero_grad(set_to_none=True)
    sum(losses()).backward()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("who", ["released structure", "notebook"])
def test_masked_step(benchmark, labram, who, device):
    """Forward and backward of both views: Base, 23 electrodes x 4 s, two windows (cuda: 64), same numbers from both."""
    torch.manual_seed(0)
    n_windows = 2 if device == "cpu" else 64
    model = labram.MaskedModel("base", N_CODES, labram.RECIPES["official"]).to(device)
    x = torch.randn(n_windows, len(NAMES), 4, 200, device=device)
    mask = labram.random_mask(n_windows, len(NAMES) * 4).to(device)
    codes = torch.randint(N_CODES, mask.shape, device=device)
    rows = torch.tensor(labram.channel_rows(tuple(NAMES)), device=device)
    ways = {
        "notebook": lambda: model.losses(x, NAMES, mask, codes),
        "released structure": lambda: plain.masked_losses(model, x, rows, mask, codes),
    }
    for found, wanted in zip(ways["notebook"](), ways["released structure"]()):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    benchmark.group = f"masked step, Base, {device}"

    def step():
        step_of(model, ways[who])
        settle(device)

    benchmark.pedantic(step, rounds=7, warmup_rounds=2)


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
