"""Definitions of notebooks/tnas.ipynb: space, counts, slices, stacks and trees against plain implementations."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from eegemo_utils import training
from eegemo_utils.notebooks import load_definitions


@pytest.fixture(scope="module")
def tnas():
    return load_definitions("tnas")


@pytest.fixture(scope="module")
def small(tnas):
    return tnas.Space((12, 24, 36), (1, 2, 3), (1, 1.5, 2), (1, 2, 3), 4)


def some_genomes(tnas, space, n=20, seed=0):
    return np.concatenate([tnas.extreme_genomes(space), tnas.random_genomes(space, n, np.random.default_rng(seed))])


# ---- the space ----

def test_size_of_the_papers_space(tnas):
    sizes = tnas.PAPER_SPACE.size()
    assert sum(sizes.values()) == 15_690_264_084 and sizes[10] == 13_947_137_604
    tiny = tnas.Space((4, 8), (1, 2), (1,), (1, 2), 0)
    every = np.array(list(itertools.product(*map(range, tiny.cards))))
    assert len(np.unique(tnas.canonical(tiny, every), axis=0)) == sum(tiny.size().values()) == 12


@pytest.mark.parametrize(("n_chans", "smallest", "largest"), [(32, 1_571_594, 8_370_002), (14, 1_568_570, 8_365_682)])
def test_counts_of_the_papers_space(tnas, n_chans, smallest, largest):
    space = tnas.PAPER_SPACE
    ends = tnas.extreme_genomes(space)
    assert tnas.count_weights(space, ends, n_chans, 128, 2).tolist() == [smallest, largest]
    for genome, expected in zip(ends, (smallest, largest)):
        alone = tnas.StandAlone(tnas.decode(space, genome), n_chans, 128, 2)
        assert sum(p.numel() for p in alone.parameters()) == expected
    assert training.count_parameters(tnas.Supernet(space, n_chans, 128, 2)) == largest
    other = tnas.replace(space, head_dim=0)
    expected = {32: [1_733_594, 6_983_282], 14: [1_730_570, 6_978_962]}[n_chans]
    assert tnas.count_weights(other, ends, n_chans, 128, 2).tolist() == expected


@pytest.mark.parametrize("head_dim", [4, 0])
def test_counts_of_any_network_are_those_of_a_module(tnas, small, head_dim):
    space = tnas.replace(small, head_dim=head_dim)
    genomes = some_genomes(tnas, space, 30)
    counts = tnas.count_weights(space, genomes, 5, 16, 3)
    for genome, expected in zip(genomes, counts):
        alone = tnas.StandAlone(tnas.decode(space, genome), 5, 16, 3)
        assert sum(p.numel() for p in alone.parameters()) == expected


def test_hidden_units_survive_floating_point(tnas):
    assert tnas.hidden_units(50, 2.3) == 115 and int(50 * 2.3) == 114
    assert tnas.hidden_units(100, 0.29) == 29 and 100 * 0.29 < 29
    assert [int(tnas.hidden_units(e, 3.5)) for e in (168, 192, 216, 240)] == [588, 672, 756, 840]


def test_genomes_are_legal_and_of_one_form(tnas):
    space = tnas.PAPER_SPACE
    genomes = tnas.random_genomes(space, 5000, np.random.default_rng(0))
    assert (genomes >= 0).all() and (genomes < space.cards).all()
    assert (tnas.canonical(space, genomes) == genomes).all()
    shallow = genomes[genomes[:, 0] == 0]
    assert (shallow[:, 2 + 6 : 12] == 0).all() and (shallow[:, 12 + 6 :] == 0).all() and shallow[:, 7].any()
    share = np.bincount(genomes[:, 0]) / len(genomes)
    assert np.abs(share - 0.2).max() < 0.03


@pytest.mark.parametrize(("change", "message"), [
    ({"embed": ()}, r"search space, embed: one or more different numbers.*found \[\]"),
    ({"heads": (2, 2)}, r"heads: one or more different numbers in ascending order.*\[2, 2\]"),
    ({"ratios": (4, 3)}, r"ratios: one or more different.*\[4, 3\]"),
    ({"depths": (0, 1)}, r"depths: .*at least 1, please; found \[0, 1\]"),
    ({"depths": (1.5,)}, r"depths: whole numbers"),
    ({"head_dim": 0, "heads": (5,)}, r"width must be a multiple of every number of heads; 12 / 5, 24 / 5, 36 / 5"),
    ({"ratios": (0.01,)}, r"ratios: 0.01 leaves no hidden unit"),
])
def test_spaces_that_cannot_be_are_named(tnas, small, change, message):
    with pytest.raises(ValueError, match=message):
        tnas.replace(small, **change)


def test_options_in_a_text(tnas):
    assert tnas.parse_options("depths", "1 2, 3") == (1, 2, 3)
    assert tnas.parse_options("mlp_ratios", "3 3.5", float) == (3.0, 3.5)
    with pytest.raises(ValueError, match="heads: numbers with spaces between them, please; found 'two'"):
        tnas.parse_options("heads", "two")


# ---- slices ----

@pytest.mark.parametrize("which", ["small", "width over heads", "paper"])
def test_slices_equal_a_stand_alone_copy(tnas, small, which):
    space = {"small": small, "width over heads": tnas.replace(small, head_dim=0), "paper": tnas.PAPER_SPACE}[which]
    torch.manual_seed(0)
    supernet = tnas.Supernet(space, 6, 32, 2, seeds=(0, 1))
    with torch.no_grad():
        for p in supernet.parameters():
            p.add_(torch.randn_like(p) * 0.02)
        x = torch.randn(2, 3, 6, 32)
        for genome in some_genomes(tnas, space, 20 if which != "paper" else 4):
            net = tnas.decode(space, genome)
            both = supernet(x, net)
            for k in range(2):
                alone = tnas.export(supernet.weights(), net, k)
                torch.testing.assert_close(both[k], alone(x[k]), atol=1e-6, rtol=1e-5)


def test_gradient_outside_the_slice_is_exactly_zero(tnas, small):
    supernet = tnas.Supernet(small, 6, 32, 2)
    x, y = torch.randn(1, 8, 6, 32), torch.tensor([0, 1] * 4)
    optimizer = torch.optim.Adam(supernet.parameters(), lr=1e-2)
    before = {name: p.detach().clone() for name, p in supernet.named_parameters()}
    net = tnas.decode(small, np.array([1, 1, 1, 0, 0, 1, 0, 0]))
    assert net == tnas.Net(24, (2, 1), (8, 4), (36, 24))
    functional.cross_entropy(supernet(x, net)[0], y).backward()
    weight = supernet.layers[0]["qkv_weight"]
    assert weight.grad[:, :, :8, :24].abs().min() > 0
    assert weight.grad[:, :, 8:].abs().max() == 0 and weight.grad[..., 24:].abs().max() == 0
    assert supernet.layers[0]["up_weight"].grad[:, 36:].abs().max() == 0
    assert supernet.layers[2]["up_weight"].grad is None
    optimizer.step()
    after = dict(supernet.named_parameters())
    changed = after["layers.0.qkv_weight"] != before["layers.0.qkv_weight"]
    assert changed[:, :, :8, :24].all() and not changed[:, :, 8:].any() and not changed[..., 24:].any()
    assert torch.equal(after["layers.2.up_weight"], before["layers.2.up_weight"])


def test_biases_of_few_heads_are_the_first_of_many(tnas):
    space, seen = tnas.PAPER_SPACE, {}
    supernet = tnas.Supernet(space, 4, 16, 2)
    with torch.no_grad():
        supernet.layers[0]["qkv_bias"].copy_(torch.randn(1, 3, 384))
    for option in (0, 2):
        genome = np.zeros_like(space.cards)
        genome[2] = option
        alone = tnas.export(supernet.weights(), tnas.decode(space, genome))
        seen[option] = alone.layers[0]["qkv"].bias.chunk(3)
    for few, many in zip(seen[0], seen[2]):
        assert len(few) == 128 and len(many) == 384 and torch.equal(few, many[:128])


def test_shared_bias_is_the_released_slice(tnas, small):
    """AutoFormer's bias: the first 3 A entries of one long vector, whatever the weights are."""
    supernet = tnas.Supernet(small, 6, 32, 2)
    bias = torch.randn(3 * 12)
    with torch.no_grad():
        supernet.layers[0]["qkv_bias"].copy_(bias.view(1, 3, 12))
    net, x = tnas.decode(small, np.array([0, 1, 1, 0, 0, 1, 0, 0])), torch.randn(2, 6, 32)
    alone = tnas.export(supernet.weights(), net)
    with torch.no_grad():
        own = alone(x)
        alone.layers[0]["qkv"].bias.copy_(bias[: 3 * 8])
        expected = alone(x)
        found = tnas.run_net(supernet.weights(), x[None], net, shared_bias=True)[0]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert (own - expected).abs().max() > 1e-4


def test_every_parameter_of_a_network_gets_a_gradient(tnas, small):
    supernet = tnas.Supernet(small, 6, 32, 2, seeds=(0, 1))
    with torch.no_grad():
        for p in supernet.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    supernet(torch.randn(2, 4, 6, 32), tnas.decode(small, small.cards - 1)).square().sum().backward()
    still = [name for name, p in supernet.named_parameters() if (p.grad == 0).any()]
    # a bias of the keys moves all scores of a query alike, so softmax does not see it
    keys = [f"layers.{i}.qkv_bias" for i in range(3)]
    assert set(still) <= set(keys)
    for name, p in supernet.named_parameters():
        if name in keys:
            assert (p.grad[:, [0, 2]] != 0).any(dim=2).all()


# ---- generations ----

@pytest.mark.parametrize("head_dim", [4, 0])
@pytest.mark.parametrize("shared_bias", [False, True])
def test_a_generation_equals_one_network_after_another(tnas, small, head_dim, shared_bias):
    space = tnas.replace(small, head_dim=head_dim)
    torch.manual_seed(1)
    supernet = tnas.Supernet(space, 6, 32, 2, seeds=(0, 1, 2))
    with torch.no_grad():
        for p in supernet.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    x, genomes = torch.randn(11, 6, 32), some_genomes(tnas, space, 60)
    genomes = np.concatenate([genomes, genomes[5:9]])
    weights = tnas.Fitted(supernet, 1, None).weights()
    for n_rows in (2**16, 200):  # whole, and in pieces
        found = tnas.run_generation(weights, x, space, genomes, shared_bias, n_rows)
        with torch.no_grad():
            expected = [tnas.run_net(weights, x[None], tnas.decode(space, g), 0.0, shared_bias)[0] for g in genomes]
        torch.testing.assert_close(found, torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert tnas.run_generation(weights, x, space, genomes[:0]).shape == (0, 11, 2)


def test_a_generation_of_the_papers_size(tnas):
    supernet = tnas.Supernet(tnas.PAPER_SPACE, 6, 16, 2)
    x, genomes = torch.randn(3, 6, 16), some_genomes(tnas, tnas.PAPER_SPACE, 6)
    found = tnas.run_generation(supernet.weights(), x, tnas.PAPER_SPACE, genomes)
    with torch.no_grad():
        for genome, logits in zip(genomes, found):
            alone = tnas.export(supernet.weights(), tnas.decode(tnas.PAPER_SPACE, genome))
            torch.testing.assert_close(logits, alone(x), atol=1e-5, rtol=1e-5)


def test_branch_computes_each_different_pair_once(tnas):
    calls = []

    def step(x, option):
        calls.append((int(option), x.shape[1]))
        return x + 10 * option

    states = torch.arange(2.0).view(2, 1, 1, 1)
    made, node = tnas.branch(states, np.array([0, 0, 1, 0]), np.array([2, 2, 0, 1]), step)
    assert calls == [(0, 1), (1, 1), (2, 1)]
    assert made[torch.as_tensor(node)].flatten().tolist() == [20, 20, 1, 10]


def test_attention_adds_up(tnas, small):
    supernet, x = tnas.Supernet(small, 6, 32, 2), torch.randn(5, 6, 32)
    with torch.no_grad():
        supernet.layers[0]["qkv_weight"].zero_()
    looked = tnas.class_attention(supernet.weights(), x, tnas.decode(small, np.zeros(8, int)))
    np.testing.assert_allclose(looked, np.full(6, 1 / 7), rtol=1e-6)
