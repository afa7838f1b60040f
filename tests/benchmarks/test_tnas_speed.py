"""TNAS's stack and tree against plain code in the structure of the released AutoFormer, side by side.

"one by one" is written anew as microsoft/Cream AutoFormer has it (commit 4a13c40): a supernet whose layers are told
their sample (model/supernet_transformer.py:90-127), linear layers that slice (model/module/Linear_super.py:35-60),
and a search that sets each candidate and runs it on the validation windows and then on the test windows in batches,
counting hits as it goes (evolution.py:86-110, supernet_engine.py:104-155). Its qkv bias is sliced like its weight, so
that numbers can be compared. It trains one fold after the other.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from eegemo_utils.notebooks import load_definitions

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
N_CHANS, N_TIMES, BATCH = 32, 128, 64
# On a CPU a part of the work: the search's 100 candidates on 10 + 10 windows (DEAP: 240 + 240), and training steps
# of 4 windows for each of 10 folds.
N_WINDOWS = {"cpu": 10, "cuda": 240}
N_BATCH = {"cpu": 4, "cuda": 64}


@pytest.fixture(scope="module")
def tnas():
    return load_definitions("tnas")


class SuperLinear(nn.Linear):
    """A linear layer that is told how much of itself to use."""

    def set_sample(self, n_in, n_out, parts=1):
        weight = self.weight.view(parts, -1, self.in_features)[:, : n_out // parts, :n_in]
        self.sample = weight.reshape(n_out, n_in), self.bias.view(parts, -1)[:, : n_out // parts].reshape(-1)

    def forward(self, x):
        return functional.linear(x, *self.sample)


class SuperNorm(nn.LayerNorm):
    def set_sample(self, n):
        self.sample = (n,), self.weight[:n], self.bias[:n]

    def forward(self, x):
        return functional.layer_norm(x, *self.sample)


class SuperBlock(nn.Module):
    def __init__(self, embed, width, hidden):
        super().__init__()
        self.norm1, self.norm2 = SuperNorm(embed), SuperNorm(embed)
        self.qkv, self.proj = SuperLinear(embed, 3 * width), SuperLinear(width, embed)
        self.fc1, self.fc2 = SuperLinear(embed, hidden), SuperLinear(hidden, embed)

    def set_sample(self, embed, heads, width, hidden, drop):
        self.heads, self.drop = heads, drop
        self.norm1.set_sample(embed), self.norm2.set_sample(embed)
        self.qkv.set_sample(embed, 3 * width, 3), self.proj.set_sample(width, embed)
        self.fc1.set_sample(embed, hidden), self.fc2.set_sample(hidden, embed)

    def forward(self, x):
        n, tokens, _ = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        attention = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1)
        mixed = (attention @ v).transpose(1, 2).reshape(n, tokens, -1)
        x = x + functional.dropout(self.proj(mixed), self.drop, self.training)
        hidden = functional.dropout(functional.gelu(self.fc1(self.norm2(x))), self.drop, self.training)
        return x + functional.dropout(self.fc2(hidden), self.drop, self.training)


class OneByOne(nn.Module):
    """AutoFormer's supernet."""

    def __init__(self, space, n_outputs=2):
        super().__init__()
        embed, width = space.embed[-1], space.heads[-1] * space.head_dim
        hidden = int(embed * space.ratios[-1])
        self.patch, self.head = SuperLinear(N_TIMES, embed), SuperLinear(embed, n_outputs)
        self.norm, self.token = SuperNorm(embed), nn.Parameter(torch.zeros(1, 1, embed))
        self.position = nn.Parameter(torch.zeros(1, N_CHANS + 1, embed))
        self.blocks = nn.ModuleList(SuperBlock(embed, width, hidden) for _ in range(space.n_layers))
        self.n_outputs = n_outputs

    def set_sample(self, net, drop=0.0):
        self.net = net
        self.patch.set_sample(N_TIMES, net.embed), self.norm.set_sample(net.embed)
        self.head.set_sample(net.embed, self.n_outputs)
        for block, *sizes in zip(self.blocks, net.heads, net.widths, net.hidden):
            block.set_sample(net.embed, *sizes, drop)

    def forward(self, x):
        e = self.net.embed
        x = torch.cat([self.token[..., :e].expand(len(x), -1, -1), self.patch(x)], dim=1) + self.position[..., :e]
        for block in self.blocks[: len(self.net.heads)]:
            x = block(x)
        return self.head(self.norm(x)[:, 0])

    @torch.no_grad()
    def copy(self, fitted):
        """Take over the weights of one model of a stack."""
        w = {k: p[0] for k, p in fitted["stem"].items()}
        self.token.copy_(w["token"]), self.position.copy_(w["position"])
        pairs = [(self.patch, w["patch_weight"], w["patch_bias"]), (self.head, w["head_weight"], w["head_bias"]),
                 (self.norm, w["norm_weight"], w["norm_bias"])]
        for block, each in zip(self.blocks, fitted["layers"]):
            w = {k: p[0] for k, p in each.items()}
            pairs += [(block.qkv, w["qkv_weight"].flatten(0, 1), w["qkv_bias"].flatten())]
            pairs += [(getattr(block, own), w[f"{name}_weight"], w[f"{name}_bias"]) for own, name in (
                ("norm1", "norm1"), ("norm2", "norm2"), ("proj", "out"), ("fc1", "up"), ("fc2", "down"))]
        for module, weight, bias in pairs:
            module.weight.copy_(weight), module.bias.copy_(bias)
        return self


@torch.no_grad()
def accuracy(model, x, y):
    """Hits of one candidate in batches, in percent; the logits for comparison."""
    hits, logits = 0, []
    for k in range(0, len(x), BATCH):
        out = model(x[k : k + BATCH])
        hits += (out.argmax(1) == y[k : k + BATCH]).sum().item()
        logits.append(out)
    return 100 * hits / len(x), torch.cat(logits)


def generation(tnas, space, kind):
    """A hundred candidates: drawn at random, or bred as in the search."""
    rng = np.random.default_rng(0)
    genomes = tnas.random_genomes(space, 100, rng)
    if kind == "bred":
        how, seen = tnas.Search(), set()
        for _ in range(5):
            genomes = tnas.next_generation(space, genomes[:50], how, seen, rng)
    return genomes


def settle(device):
    if device == "cuda":
        torch.cuda.synchronize()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["random", "bred"])
@pytest.mark.parametrize("who", ["one by one", "one by one, validation only", "tree"])
def test_a_generation_of_100(benchmark, tnas, who, kind, device):
    torch.manual_seed(0)
    space, n = tnas.PAPER_SPACE, N_WINDOWS[device]
    supernet = tnas.Supernet(space, N_CHANS, N_TIMES, 2).to(device).requires_grad_(False)
    x, y = torch.randn(2, n, N_CHANS, N_TIMES, device=device), torch.randint(0, 2, (2, n), device=device)
    genomes, plain = generation(tnas, space, kind), OneByOne(space).to(device).eval().copy(supernet.weights())
    benchmark.group = f"100 candidates ({kind}), {device}"

    def loop(parts):
        found = []
        for genome in genomes:
            plain.set_sample(tnas.decode(space, genome))
            found.append([accuracy(plain, x[part], y[part]) for part in range(parts)])
        settle(device)
        return [each[0] for each in found]

    def tree():
        rows = tnas.ROWS_AT_ONCE[device]
        logits = tnas.run_generation(supernet.weights(), x[0], space, genomes, n_rows=rows)
        made = 100 * (logits.argmax(-1) == y[0]).double().mean(1)
        settle(device)
        return list(zip(made.tolist(), logits))

    run = {"one by one": lambda: loop(2), "one by one, validation only": lambda: loop(1), "tree": tree}[who]
    result = benchmark.pedantic(run, rounds=2, warmup_rounds=0)
    if who == "tree":
        for (score, logits), (expected, one) in zip(result, loop(1)):
            torch.testing.assert_close(logits, one, atol=1e-5, rtol=1e-5)
            assert score == pytest.approx(expected)


def steps(model_parameters, forward, draws, tnas, space, fused=False):
    """A few training steps, one drawn network each; the notebook's optimiser is fused."""
    optimizer = torch.optim.Adam(model_parameters, lr=5e-4, fused=fused)
    losses = []
    for genome in draws:
        optimizer.zero_grad(set_to_none=True)
        loss = forward(tnas.decode(space, genome))
        loss.sum().backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("drop", [0.0, 0.5])
@pytest.mark.parametrize("who", ["one after another", "stack"])
def test_steps_of_ten_folds(benchmark, tnas, who, drop, device):
    torch.manual_seed(0)
    space, n = tnas.PAPER_SPACE, N_BATCH[device]
    draws = tnas.random_genomes(space, 3, np.random.default_rng(0))
    start = tnas.Supernet(space, N_CHANS, N_TIMES, 2, range(10))
    x, y = torch.randn(10, n, N_CHANS, N_TIMES, device=device), torch.randint(0, 2, (10, n), device=device)
    benchmark.group = f"3 training steps of 10 folds, dropout {drop:g}, {device}"

    def one_after_another():
        losses = []
        for k in range(10):
            plain = OneByOne(space).copy(tnas.Fitted(start.requires_grad_(False), k, None).weights()).to(device)

            def forward(net, k=k, plain=plain):
                plain.set_sample(net, drop * net.embed / 240)
                return functional.cross_entropy(plain(x[k]), y[k])

            losses.append(steps(plain.parameters(), forward, draws, tnas, space))
        settle(device)
        return torch.stack(losses, dim=1)

    def stack():
        made = copy.deepcopy(start).requires_grad_(True).to(device)

        def forward(net):
            logits = tnas.run_net(made.weights(), x, net, drop * net.embed / 240)
            loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
            return loss.unflatten(0, y.shape).mean(dim=1)

        losses = steps(made.parameters(), forward, draws, tnas, space, fused=True)
        settle(device)
        return losses

    found = benchmark.pedantic(stack if who == "stack" else one_after_another, rounds=2, warmup_rounds=0)
    if who == "stack" and not drop:
        torch.testing.assert_close(found, one_after_another(), atol=1e-5, rtol=1e-4)
