"""LaBraM's masked pretraining step and codebook beside the released code's structure, written out, in one run."""

import pytest
import torch

from tests import labram_reference as plain

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
NAMES = ("FP1 FP2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T3 T4 T5 T6 A1 A2 FZ CZ PZ T1 T2").split()
N_TOKENS, N_CODES, CODE_DIM = 4096, 8192, 64


def settle(device):
    if device == "cuda":
        torch.cuda.synchronize()


@pytest.fixture
def pretraining(labram, request):
    """Model, frozen tokenizer, optimiser, windows of 23 electrodes x 11 s (two; on cuda 64), their mask."""
    device = request.param
    torch.manual_seed(0)
    official, n_windows = labram.RECIPES["official"], 2 if device == "cpu" else 64
    tokenizer = labram.Tokenizer("base", N_CODES, recipe=official, from_data=False).to(device).eval()
    model = labram.MaskedModel("base", N_CODES, official).to(device)
    x = torch.randn(n_windows, len(NAMES), labram.longest_window(len(NAMES)), 200, device=device)
    mask = labram.random_mask(n_windows, x.shape[1] * x.shape[2]).to(device)
    return model, tokenizer, x, mask


@pytest.mark.parametrize("pretraining", DEVICES, indirect=True)
@pytest.mark.parametrize("who", ["released structure", "notebook, first epoch", "notebook"])
def test_masked_step(benchmark, labram, pretraining, who):
    """A whole step: codes (once looked up, the notebook keeps them), both views, backward, clipping, AdamW, hit rates.

    All three begin with the same losses.
    """
    model, tokenizer, x, mask = pretraining
    plan, rows = labram.PLANS["pretraining"], torch.tensor(labram.channel_rows(tuple(NAMES)), device=x.device)
    groups = labram.parameter_groups(model, plan, labram.RECIPES["official"])
    optimizer = labram.make_optimizer(model, plan, labram.RECIPES["official"])
    released_optimizer = torch.optim.AdamW(groups, lr=1e-6, betas=(0.9, plan.beta2), eps=1e-8)  # optim_factory.py:155
    kept = tokenizer.codes(x, NAMES, look=False)

    def notebook(codes):
        parts = model(x, NAMES, mask, codes)
        labram.descend(parts.hidden + parts.complement, model, optimizer, 1e-6, plan.clip)
        return [part.item() for part in parts][:2]

    ways = {
        "released structure": lambda: plain.step(model, tokenizer, x, rows, mask, released_optimizer),
        "notebook, first epoch": lambda: notebook(tokenizer.codes(x, NAMES, look=False)),
        "notebook": lambda: notebook(kept),
    }
    with torch.no_grad():
        codes = plain.tokenizer_codes(tokenizer, x, rows)
        assert (codes == kept).float().mean() > 0.999  # near ties may fall otherwise
        wanted = [float(loss) for loss in plain.masked_losses(model, x, rows, mask, kept)]
    assert ways[who]() == pytest.approx(wanted, abs=1e-3 if x.is_cuda else 2e-5)
    benchmark.group = f"masked step, Base, {x.device.type}"

    def step():
        ways[who]()
        settle(x.device.type)

    benchmark.pedantic(step, rounds=7, warmup_rounds=1)


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
