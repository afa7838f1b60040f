"""TNAS's stack and tree against plain code in the structure of the released AutoFormer, side by side.

"one by one" is written anew as microsoft/Cream AutoFormer has it (commit 4a13c40): a supernet whose layers are told
their sample (model/supernet_transformer.py:90-127), linear layers that slice (model/module/Linear_super.py:35-60),
and a search that sets each candidate and runs it on the validation windows and then on the test windows in batches,
counting hits as it goes (evolution.py:86-110, supernet_engine.py:104-155). Its qkv bias is sliced like its weight, so
that numbers can be compared. It trains one fold after the other: a supernet, an optimiser and a loader each.

After the benchmarks a table says how much faster the stack is over sizes, and what the machine's bare matrix product
would need for the same arithmetic (six operations a weight and token), which neither side can undercut by much: at the
paper's size both are made of it. Run with --benchmark-timer=time.process_time where other work shares the cores.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from eegemo_utils.notebooks import load_definitions

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
N_CHANS, N_TIMES, BATCH = 32, 128, 64
# On a CPU a part of the work: the search's 100 candidates on 10 + 10 windows (DEAP: 240 + 240).
N_WINDOWS = {"cpu": 10, "cuda": 240}
N_FOLDS, N_STEPS, DROP = 10, 3, 0.5
SMALL = (6, 12, 18, 24), (1, 2, 3), (1, 2, 3), (1, 2, 3), 4  # as in the notebook's default run
# space, windows a step: the notebook's default; the paper's with a part of its windows, and with all on a GPU
SIZES = {"cpu": [("small", 16), ("paper", 1), ("paper", 4), ("paper", 16)], "cuda": [("paper", 64)]}
CASES = [(device, *size) for device in DEVICES for size in SIZES[device]]


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


@pytest.fixture(scope="module")
def found(request):
    """Seconds and arithmetic of each case; their table is written when all are done."""
    made = {}
    yield made
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\n{N_STEPS} training steps of {N_FOLDS} folds, dropout {DROP}; seconds")
        print("device space windows  one by one    stack  times   GFLOP  bare product")
        for (device, name, n), case in made.items():
            if {"one after another", "stack"} <= set(case):
                slow, fast = case["one after another"], case["stack"]
                print(f"{device:6} {name:5} {n:7} {slow:11.3f} {fast:8.3f} {slow / fast:6.2f} "
                      f"{case['gflop']:7.1f} {case['bare']:13.3f}")


def bare_product(n, embed, device, clock):
    """GFLOP a second of one product of each fold's tokens with a matrix of the MLP."""
    x, w = torch.randn(N_FOLDS, 33 * n, embed, device=device), torch.randn(N_FOLDS, embed, 4 * embed, device=device)
    best = np.inf
    for _ in range(5):
        start = clock()
        torch.bmm(x, w)
        settle(device)
        best = min(best, clock() - start)
    return 2 * N_FOLDS * 33 * n * 4 * embed**2 / best / 1e9


def one_after_another(tnas, space, nets, start, x, y, drop):
    """Ten folds: each its supernet, its optimiser, its loader, its loop; the losses (steps, folds)."""
    folds = []
    for k in range(N_FOLDS):
        plain = OneByOne(space).copy(tnas.Fitted(start, k, None).weights()).to(x.device)
        loader = DataLoader(TensorDataset(x[k], y[k]), batch_size=x.shape[1] // len(nets))
        folds.append((plain.train(), torch.optim.Adam(plain.parameters(), lr=5e-4), loader))

    def run():
        losses = []
        for plain, optimizer, loader in folds:
            for net, (windows, labels) in zip(nets, loader):
                plain.set_sample(net, drop * net.embed / space.embed[-1])
                loss = functional.cross_entropy(plain(windows), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
        settle(x.device.type)
        return torch.stack(losses).view(N_FOLDS, -1).T

    return run


def as_a_stack(tnas, space, nets, start, x, y, drop):
    """The notebook's way: one stack, one optimiser, one loop."""
    made = copy.deepcopy(start).requires_grad_(True).to(x.device)
    optimizer = torch.optim.Adam(made.parameters(), lr=5e-4, fused=True)
    batches = list(zip(nets, torch.arange(x.shape[1], device=x.device).chunk(len(nets))))

    def run():
        losses = []
        for net, rows in batches:
            optimizer.zero_grad(set_to_none=True)
            logits = tnas.run_net(made.weights(), x[:, rows], net, drop * net.embed / space.embed[-1])
            each = functional.cross_entropy(logits.flatten(0, 1), y[:, rows].flatten(), reduction="none")
            each = each.view(N_FOLDS, -1).mean(dim=1)
            each.sum().backward()
            optimizer.step()
            losses.append(each.detach())
        settle(x.device.type)
        return torch.stack(losses)

    return run


WAYS = {"one after another": one_after_another, "stack": as_a_stack}


@pytest.mark.parametrize("who", WAYS)
@pytest.mark.parametrize(("device", "name", "n"), CASES)
def test_steps_of_ten_folds(benchmark, tnas, found, device, name, n, who):
    torch.manual_seed(0)
    space = tnas.PAPER_SPACE if name == "paper" else tnas.Space(*SMALL)
    genomes = tnas.random_genomes(space, N_STEPS, np.random.default_rng(0))
    nets = [tnas.decode(space, genome) for genome in genomes]
    start = tnas.Supernet(space, N_CHANS, N_TIMES, 2, range(N_FOLDS)).requires_grad_(False)
    x = torch.randn(N_FOLDS, N_STEPS * n, N_CHANS, N_TIMES, device=device)
    y = torch.randint(0, 2, x.shape[:2], device=device)
    data = tnas, space, nets, start, x, y
    benchmark.group = f"{N_STEPS} training steps of {N_FOLDS} folds, {name}, {n} windows, {device}"
    benchmark.pedantic(lambda run: run(), setup=lambda: ((WAYS[who](*data, DROP),), {}), rounds=3, warmup_rounds=1)
    weights = tnas.count_weights(space, genomes, N_CHANS, N_TIMES, 2).sum()
    gflop = 6 * weights * (1 + N_CHANS) * n * N_FOLDS / 1e9
    benchmark.extra_info["gflop_a_second"] = round(gflop / benchmark.stats.stats.min, 1)
    bare = gflop / bare_product(n, space.embed[-1], device, benchmark._timer)
    case = found.setdefault((device, name, n), {"gflop": gflop, "bare": bare})
    case[who] = benchmark.stats.stats.min
    if who == "stack":  # the same numbers, where nothing is drawn
        losses, expected = (way(*data, 0.0)() for way in (as_a_stack, one_after_another))
        torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-4)
