"""Baselines of notebooks/gmss.ipynb: equality with plain implementations, gradient reversal, queues, clusters."""

import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import nn
from torch_geometric.nn import ChebConv

from eegemo_utils import training
from eegemo_utils.montage import SEED_62, make_info
from eegemo_utils.notebooks import load_definitions

N_CHANS, N_BANDS, N_OUTPUTS, N_PEOPLE = 6, 5, 3, 2


@pytest.fixture(scope="module")
def gmss():
    return load_definitions("gmss")


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


class Extractor(nn.Module):
    """Any map (n, n_chans, n_bands) -> (n, n_chans, 32)."""

    def __init__(self):
        super().__init__()
        self.filter = nn.Linear(N_BANDS, 32)

    def forward(self, x):
        return self.filter(x).relu()


N_FEATURES = N_CHANS * 32


def windows(n=12):
    return torch.randn(n, N_CHANS, N_BANDS), torch.arange(n) % N_OUTPUTS, torch.arange(n) // (n // N_PEOPLE)


def symmetric_graph():
    graph = torch.rand(N_CHANS, N_CHANS) - 0.3
    return graph + graph.T


def make(gmss, name, n_steps=100):
    """A small model by name, its objective, and the targets that the objective takes."""
    x, y, person = windows()
    if name == "DGCNN":
        return gmss.DGCNN(N_CHANS, N_BANDS, N_OUTPUTS), training.classification, y
    if name == "DANN":
        return gmss.DANN(Extractor(), N_FEATURES, N_OUTPUTS, N_PEOPLE, n_steps), gmss.adversarial, (y, person)
    model = gmss.RGNN(symmetric_graph(), N_BANDS, N_OUTPUTS, N_PEOPLE, n_steps)
    return model, gmss.rgnn_objective(torch.eye(N_OUTPUTS)), (y, person)


def plain_dgcnn(model, x, order):
    """DGCNN by loops over windows and electrodes, float64 NumPy, its Laplacian from the definition."""
    weights = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    n = len(weights["edges"])
    edges = np.maximum(weights["edges"], 0)
    adjacency = edges + edges.T
    degree = adjacency.sum(axis=1)
    laplacian = np.eye(n) - np.array([[adjacency[i, j] / math.sqrt(degree[i] * degree[j]) for j in range(n)]
                                      for i in range(n)])
    scaled = 2 * laplacian / 2 - np.eye(n)
    outputs = []
    for window in x.double().numpy():
        terms = [window, scaled @ window]
        for k in range(2, order):
            terms.append(2 * scaled @ terms[k - 1] - terms[k - 2])
        nodes = [np.maximum(weights["filter.weight"] @ np.concatenate([term[i] for term in terms[:order]])
                            + weights["filter.bias"], 0) for i in range(n)]
        hidden = np.maximum(weights["head.0.weight"] @ np.concatenate(nodes) + weights["head.0.bias"], 0)
        outputs.append(weights["head.2.weight"] @ hidden + weights["head.2.bias"])
    return np.array(outputs)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_dgcnn_is_a_chebyshev_filter_on_its_learned_graph(gmss, order):
    model = gmss.DGCNN(N_CHANS, N_BANDS, N_OUTPUTS, order=order)
    model.edges.data -= 0.4  # some edges are cut
    x = torch.randn(4, N_CHANS, N_BANDS)
    np.testing.assert_allclose(model(x).detach(), plain_dgcnn(model, x, order), atol=1e-5)


def test_dgcnn_filters_as_pyg_does(gmss):
    """The same graph and weights in PyTorch Geometric's ChebConv."""
    model, conv = gmss.DGCNN(N_CHANS, N_BANDS, N_OUTPUTS, order=3), ChebConv(N_BANDS, 32, K=3)
    for k, tap in enumerate(conv.lins):
        tap.weight.data = model.filter.weight.data[:, k * N_BANDS : (k + 1) * N_BANDS]
    conv.bias.data = model.filter.bias.data
    weights = model.edges.detach().relu()
    adjacency = (weights + weights.T).fill_diagonal_(0)  # PyG takes loops out of a Laplacian
    model.edges.data.fill_diagonal_(0)
    edges = adjacency.nonzero().T
    x = torch.randn(N_CHANS, N_BANDS)
    expected = model.head(conv(x, edges, adjacency[edges[0], edges[1]]).relu().flatten()[None])
    torch.testing.assert_close(model(x[None]), expected, atol=1e-5, rtol=1e-4)


def test_an_electrode_without_edges_gives_no_nan(gmss):
    model = gmss.DGCNN(N_CHANS, N_BANDS, N_OUTPUTS)
    model.edges.data[2], model.edges.data[:, 2] = -1, -1
    model(torch.randn(3, N_CHANS, N_BANDS)).sum().backward()
    assert torch.isfinite(model.edges.grad).all()


def plain_rgnn(model, x):
    """RGNN in evaluation mode by loops: two hops, one map, the sum; (emotion, person at each node)."""
    weights = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    n, numbers = x.shape[1], iter(weights["edges"])
    graph = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            graph[i, j] = graph[j, i] = next(numbers)
    step = np.array([[graph[i, j] / math.sqrt(abs(graph[i]).sum() * abs(graph[j]).sum()) for j in range(n)]
                     for i in range(n)])
    emotions, people = [], []
    for window in x.double().numpy():
        hops = step @ (step @ window)
        nodes = [np.maximum(weights["filter.weight"] @ hop + weights["filter.bias"], 0) for hop in hops]
        emotions.append(weights["emotion.weight"] @ sum(nodes) + weights["emotion.bias"])
        people.append([weights["person.weight"] @ node + weights["person.bias"] for node in nodes])
    return np.array(emotions), np.array(people)


def test_rgnn_equals_loops_with_negative_edges(gmss):
    model = make(gmss, "RGNN")[0]
    model.dropout.p = 0.0
    x = windows()[0]
    emotion, person, edges = model(x)
    assert torch.equal(model.eval()(x), emotion)
    expected_emotion, expected_person = plain_rgnn(model, x)
    np.testing.assert_allclose(emotion.detach(), expected_emotion, atol=1e-5)
    np.testing.assert_allclose(person.detach(), expected_person, atol=1e-5)
    assert edges.item() == pytest.approx(model.edges.detach().abs().sum().item())


def test_rgnn_stays_symmetric_while_it_learns(gmss):
    model, objective, targets = make(gmss, "RGNN")
    before = model.edges[model.place].detach()
    training.fit(model, windows()[0], targets, range(12), epochs=5, objective=objective, learning_rate=0.01)
    after = model.edges[model.place].detach()
    assert torch.equal(after, after.T) and not torch.equal(before, after)


def test_position_adjacency_follows_the_head(gmss):
    info = make_info(SEED_62, 200.0)
    graph = gmss.position_adjacency(info)
    places = info.get_montage().get_positions()["ch_pos"]
    names = info.ch_names

    def expected(one, other):
        distance = 100 * math.dist(places[one], places[other])
        return min(1, 5 / distance**2) if distance else 1

    assert graph.shape == (62, 62) and torch.equal(graph, graph.T) and (graph.diagonal() == 1).all()
    pairs = {tuple(pair.split("-")) for pair in gmss.PAIRS.split()}
    assert len(pairs) == 9 and len(gmss.PAIRS.replace("-", " ").split()) == 18
    for one, other in [("Cz", "FCz"), ("Fp1", "Oz"), ("C3", "C4"), *pairs]:
        value = graph[names.index(one), names.index(other)].item()
        assert value == pytest.approx(expected(one, other) - ((one, other) in pairs), abs=1e-6)
    assert 0.15 < (graph > 0.1).float().mean() < 0.25
    few = gmss.position_adjacency(make_info(["Fp1", "Cz", "Fp2", "O1"], 200.0))
    assert few[0, 2] < 0 and (few >= 0).sum() == 14


def test_soft_labels_are_the_papers(gmss):
    e = 0.1
    seed = [[1 - 2 * e / 3, 2 * e / 3, 0], [e / 3, 1 - 2 * e / 3, e / 3], [0, 2 * e / 3, 1 - 2 * e / 3]]
    torch.testing.assert_close(gmss.soft_labels(("negative", "neutral", "positive"), e), torch.tensor(seed))
    seed_iv = [[1 - 3 * e / 4, e / 4, e / 4, e / 4], [e / 3, 1 - 2 * e / 3, e / 3, 0],
               [e / 4, e / 4, 1 - 3 * e / 4, e / 4], [e / 3, 0, e / 3, 1 - 2 * e / 3]]
    torch.testing.assert_close(gmss.soft_labels(("neutral", "sad", "fear", "happy"), e), torch.tensor(seed_iv))
    assert torch.equal(gmss.soft_labels(["rest", "task"]), torch.eye(2))


def test_gradient_is_reversed_and_the_value_kept(gmss):
    x = torch.randn(4, 3, requires_grad=True)
    weight = torch.randn(3)
    (gmss.reverse_gradient(x, 0.7) @ weight).sum().backward()
    assert torch.equal(gmss.reverse_gradient(x, 0.7), x)
    torch.testing.assert_close(x.grad, -0.7 * weight.expand(4, 3))


def test_adversary_learns_and_features_make_it_worse(gmss):
    """A step downhill in the objective: the person head improves, the features' own step hurts it."""
    model, objective, targets = make(gmss, "DANN")
    x, person = windows()[0], targets[1]
    model.strength.step.fill_(100)  # nearly full strength

    def person_loss(model):
        return nn.functional.cross_entropy(model(x)[1], person)

    (person_loss(model) * 1).backward()
    for part, sign in (("person", -1), ("features", 1)):
        moved = copy.deepcopy(model)
        for p, q in zip(getattr(moved, part).parameters(), getattr(model, part).parameters()):
            p.data -= 1e-2 * q.grad
        change = (person_loss(moved) - person_loss(model)).item()
        assert change * sign > 0, f"{part} moved the adversary's loss by {change}"


def test_strength_rises_with_training_steps(gmss):
    strength = gmss.RisingStrength(10)
    values = [strength().item() for _ in range(11)]
    expected = [2 / (1 + math.exp(-10 * k / 10)) - 1 for k in range(11)]
    assert values == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["DANN", "RGNN"])
def test_unlabelled_windows_train_the_adversary_only(gmss, name):
    model, objective, (y, person) = make(gmss, name)
    model.dropout = nn.Identity()
    x = windows()[0]
    hidden = torch.where(torch.arange(12) < 6, y, -1)
    all_of_them, outputs = objective(model, x, (hidden, person))
    other, _ = objective(model, x, (hidden.where(hidden >= 0, -7), person))
    assert torch.equal(all_of_them, other) and outputs.shape == (12, N_OUTPUTS)
    without_people = [objective(model, part, (labels, who))[0] - person_term(model, part, who, name)
                      for part, labels, who in ((x[:6], y[:6], person[:6]), (x, hidden, person))]
    torch.testing.assert_close(*without_people)
    assert torch.isfinite(objective(model, x, (torch.full_like(y, -1), person))[0])


def person_term(model, x, person, name):
    guess = model(x)[1]
    if name == "DANN":
        return nn.functional.cross_entropy(guess, person)
    return torch.stack([nn.functional.cross_entropy(guess[:, i], person) for i in range(N_CHANS)]).mean()


def test_rgnn_objective_by_hand(gmss):
    model, _, (y, person) = make(gmss, "RGNN")
    model.dropout = nn.Identity()
    soft, x = gmss.soft_labels(("negative", "neutral", "positive"), 0.3), windows()[0]
    emotion, _, edges = model(x)
    entropies = [-sum(p * q.item() for p, q in zip(soft[label].tolist(), logits))
                 for logits, label in zip(emotion.log_softmax(1), y)]
    expected = sum(entropies) / 12 + person_term(model, x, person, "RGNN").item() + 0.01 * edges.item()
    assert gmss.rgnn_objective(soft)(model, x, (y, person))[0].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["DGCNN", "DANN", "RGNN"])
def test_supervised_overfit_one_batch(gmss, name):
    model, objective, targets = make(gmss, name, n_steps=10**6)
    x = windows()[0]
    if name == "RGNN":  # sums over electrodes and drops 7 of 10 of its 32 filters: this is as sharp as it gets
        model.dropout.p = 0.0
        x = x + 3 * nn.functional.one_hot(torch.arange(12) % 3, N_BANDS)[:, None]
    training.fit(model, x, targets, range(12), epochs=300, batch_size=12, learning_rate=0.01, objective=objective)
    outputs = training.predict(model, x)
    assert outputs.shape == (12, N_OUTPUTS) and (outputs.argmax(1) == torch.arange(12) % 3).all()


@pytest.mark.parametrize("name", ["DGCNN", "DANN", "RGNN", "SimCLR", "MoCo"])
def test_many_at_once_equals_one_after_another(gmss, name):
    """The same numbers from fit_many and fit; views that draw nothing, no dropout."""
    x = windows()[0]
    if name == "SimCLR":
        models = [nn.Sequential(Extractor(), nn.Flatten(), gmss.projection_head(N_FEATURES)) for _ in range(2)]
        objective, targets = gmss.simclr(torch.sin, 0.5), None
    elif name == "MoCo":
        models = [gmss.MoCo(Extractor(), gmss.projection_head(N_FEATURES), n_queue=8) for _ in range(2)]
        objective, targets = gmss.moco(torch.sin), None
    else:
        built = [make(gmss, name) for _ in range(2)]
        models, (_, objective, targets) = [model for model, _, _ in built], built[0]
        for model in models:
            model.dropout = nn.Identity()
    alone = copy.deepcopy(models)
    how = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, "objective": objective}
    training.fit_many(models, x, targets, [range(12), range(3, 11)], **how)
    for model, rows in zip(alone, [range(12), range(3, 11)]):
        training.fit(model, x, targets, rows, **how)
    for one, other in zip(models, alone):
        for (key, a), b in zip(one.state_dict().items(), other.state_dict().values()):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4, msg=lambda text, key=key: f"{key}: {text}")


def plain_nt_xent(one, other, temperature):
    """SimCLR's formula, one anchor at a time."""
    z = [v / np.linalg.norm(v) for v in np.concatenate([one, other])]
    losses = []
    for a in range(len(z)):
        near = {b: math.exp(z[a] @ z[b] / temperature) for b in range(len(z)) if b != a}
        losses.append(-math.log(near[(a + len(one)) % len(z)] / sum(near.values())))
    return np.mean(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_equals_a_loop(gmss, temperature):
    one, other = torch.randn(2, 7, 5)
    def model(x):  # the objective's two views in a row
        return torch.cat([one, other])

    loss = gmss.simclr(torch.clone, temperature)(model, torch.zeros(7, 1), None)[0].item()
    assert loss == pytest.approx(plain_nt_xent(one.numpy(), other.numpy(), temperature), rel=1e-5)


def test_masked_view_silences_whole_electrodes(gmss):
    x = torch.randn(500, N_CHANS, N_BANDS)
    view = gmss.masked_view(x, noise=0.3, share=0.2)
    silent = (view == 0).all(dim=2)
    assert torch.equal(silent, (view == 0).any(dim=2)) and silent.float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert (view - x)[~silent].std().item() == pytest.approx(0.3, abs=0.02)


@pytest.fixture
def moco(gmss):
    return gmss.MoCo(Extractor(), gmss.projection_head(N_FEATURES), n_queue=10, momentum=0.9)


def test_moco_queue_is_first_in_first_out(moco):
    first = moco.queue.clone()
    x = windows()[0]
    moco(x[:4], x[:4])
    fresh = nn.functional.normalize(moco.encoder(x[:4]), dim=1)
    torch.testing.assert_close(moco.queue[:4], fresh)  # key weights are still the query's
    assert torch.equal(moco.queue[4:], first[:6]) and not moco.queue.requires_grad
    second = moco.queue.clone()
    moco(x[4:8], x[4:8])
    assert torch.equal(moco.queue[4:], second[:6])
    moco.eval()
    last = moco.queue.clone()
    moco(x, x)
    assert torch.equal(moco.queue, last)


def test_moco_logits_by_hand(moco):
    x = windows()[0]
    moco.eval()
    logits = moco(x[:3], x[3:6])
    query, key = (nn.functional.normalize(moco.encoder(part), dim=1) for part in (x[:3], x[3:6]))
    assert logits.shape == (3, 11)
    for i in range(3):
        assert logits[i, 0].item() == pytest.approx((query[i] @ key[i]).item() / 0.1, abs=1e-4)
        for j in range(10):
            assert logits[i, 1 + j].item() == pytest.approx((query[i] @ moco.queue[j]).item() / 0.1, abs=1e-4)


def test_moco_keys_follow_with_momentum_and_get_no_gradient(gmss, moco):
    x = windows()[0]
    start = {name: getattr(moco, moco.key_name(name)).clone() for name, _ in moco.encoder.named_parameters()}
    for weight in moco.encoder.parameters():
        weight.data += 1
    loss, _ = gmss.moco(gmss.masked_view)(moco, x, None)
    loss.backward()
    for name, weight in moco.encoder.named_parameters():
        key = getattr(moco, moco.key_name(name))
        torch.testing.assert_close(key, 0.9 * start[name] + 0.1 * weight.detach())
        assert key.grad is None and not key.requires_grad and weight.grad is not None
    assert {name for name, _ in moco.named_parameters()} == {f"encoder.{name}" for name in start}


def last_loss(model, objective):
    """After 300 steps on one batch of windows that look much alike."""
    loss = training.fit(model, 3 + windows()[0], None, range(12), epochs=300, batch_size=12, learning_rate=0.003,
                        objective=objective).table().loss
    assert loss.max() > 1, "nothing to learn"
    return loss.iloc[-1]


def test_simclr_overfits_one_batch(gmss):
    """Views that never change: partners can be told from all others."""
    model = nn.Sequential(Extractor(), nn.Flatten(), gmss.projection_head(N_FEATURES))
    assert last_loss(model, gmss.simclr(lambda x: x, temperature=0.1)) < 0.1


def test_moco_overfits_one_batch(gmss):
    """Down to the floor: in a queue of all windows each finds its own earlier key, as good as the right one."""
    model = gmss.MoCo(Extractor(), gmss.projection_head(N_FEATURES), n_queue=12)
    assert last_loss(model, gmss.moco(lambda x: x)) == pytest.approx(math.log(2), abs=0.06)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("n_steps", [1, 3, 20])
def test_k_means_equals_scikit_learn(gmss, n_steps):
    points = torch.randn(200, 4) + 2 * (torch.arange(200) % 4)[:, None]
    centres = points[:7]
    theirs = KMeans(7, init=centres.numpy(), n_init=1, max_iter=n_steps, tol=0, algorithm="lloyd").fit(points.numpy())
    np.testing.assert_array_equal(gmss.k_means(points, centres, n_steps), theirs.labels_)


def test_k_means_keeps_an_empty_cluster(gmss):
    points = torch.tensor([[0.0], [0.1], [10.0], [10.1]])
    clusters = gmss.k_means(points, torch.tensor([[0.0], [10.0], [99.0]]))
    assert clusters.tolist() == [0, 0, 1, 1]


def test_whitened_features_have_no_scale(gmss):
    features = torch.randn(300, 20) * torch.logspace(0, 2, 20) + 5
    points = gmss.whitened(features, 4)
    assert points.shape == (300, 4)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(300))
    exact = np.linalg.svd((features - features.mean(0)).double().numpy(), full_matrices=False)[0][:, :4]
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    cosines = points.double().numpy() @ points.double().numpy().T  # whatever the signs of the directions
    assert np.abs(cosines - exact @ exact.T).mean() < 0.05


def test_even_rows_weigh_clusters_alike(gmss):
    clusters = torch.tensor([0] * 90 + [2] * 10)
    drawn = clusters[gmss.even_rows(clusters, 4000)]
    assert (drawn == 0).float().mean().item() == pytest.approx(0.5, abs=0.03) and not (drawn == 1).any()


def test_deep_cluster_finds_groups_and_trains_on_its_rows_only(gmss):
    n_groups = gmss.N_DIMS + 1  # they span the directions that are clustered
    group = torch.arange(10 * n_groups) % n_groups
    x = 0.1 * torch.randn(len(group), N_CHANS, N_BANDS) + 4 * torch.randn(n_groups, N_CHANS, N_BANDS)[group]
    rows, extractor = torch.arange(6 * n_groups), Extractor()
    before = copy.deepcopy(extractor)
    x[len(rows):] = torch.nan  # a test window that got in would spread
    clusters = gmss.deep_cluster(extractor, N_FEATURES, x, rows, 3 * n_groups, torch.clone, n_rounds=3, batch_size=15,
                                 learning_rate=0.01)
    assert clusters.shape == rows.shape and clusters.max() < 3 * n_groups
    pure = [len(group[rows][clusters == k].unique()) == 1 for k in clusters.unique()]
    assert np.mean(pure) > 0.8
    weights = extractor.filter.weight
    assert torch.isfinite(weights).all() and not torch.equal(weights, before.filter.weight)


def test_deep_cluster_overfits_one_batch(gmss):
    """On fixed clusters a round is plain classification: the head learns them."""
    x = windows()[0]
    clusters = gmss.deep_cluster(Extractor(), N_FEATURES, x, torch.arange(12), 4, torch.clone, n_rounds=2)
    model = nn.Sequential(Extractor(), nn.Flatten(), nn.Linear(N_FEATURES, 4))
    training.fit(model, x, clusters, range(12), epochs=100, batch_size=12, learning_rate=0.01)
    assert (training.predict(model, x).argmax(1) == clusters).all()


def experiment(X, y, **changes):
    """What `Bench` takes from an experiment."""
    options = {"zscore": True, "epochs": 2, "batch_size": 4, "learning_rate": 0.01, "weight_decay": 0.0,
               "precision": "float32"}
    return SimpleNamespace(X=X, y=y, **options | changes)


@pytest.fixture
def folds():
    """Two folds of 12 windows, the second one without validation windows."""
    return [SimpleNamespace(train=np.arange(0, 6), val=np.arange(6, 8), test=np.arange(8, 12)),
            SimpleNamespace(train=np.arange(4, 12), val=np.arange(0), test=np.arange(0, 4))]


@pytest.fixture
def bench(gmss, folds):
    torch.manual_seed(0)
    x, y, people = windows()
    return gmss.Bench.of(experiment(3 + 2 * x, y.numpy()), people.numpy(), folds)


def test_bench_is_scaled_by_the_training_part_alone(gmss, bench, folds):
    assert [len(part) for part in bench.trains + bench.vals + bench.tests] == [6, 8, 2, 0, 4, 4]
    assert len(np.unique(np.concatenate(bench.trains + bench.vals + bench.tests))) == len(bench.X) == 24
    torch.manual_seed(0)
    x, y, people = windows()
    for k, fold in enumerate(folds):
        mean, spread = x[fold.train].mean(0), x[fold.train].std(0)
        for part, rows in ((bench.trains[k], fold.train), (bench.vals[k], fold.val), (bench.tests[k], fold.test)):
            torch.testing.assert_close(bench.X[part], (x[rows] - mean) / spread, atol=1e-5, rtol=1e-5)
            assert torch.equal(bench.y[part], y[rows]) and torch.equal(bench.people[part], people[rows])
    torch.manual_seed(0)
    plain = gmss.Bench.of(experiment(x, y.numpy(), zscore=False), people.numpy(), folds)
    assert torch.equal(plain.X[plain.tests[1]], x[:4])


def test_a_constant_feature_is_zero(gmss, folds):
    X = torch.ones(12, N_CHANS, N_BANDS)
    assert not gmss.Bench.of(experiment(X, np.zeros(12, int)), np.zeros(12, int), folds).X.any()


@pytest.mark.parametrize("n_val", [0, 2])
def test_validation_chooses_where_every_fold_has_it(gmss, bench, n_val, monkeypatch):
    seen = []
    monkeypatch.setattr(gmss.training, "fit_many", lambda *args, **how: seen.append((args, how)))
    checked = replace(bench, vals=[np.arange(2)] * 2) if n_val else bench  # as it is, one of two folds has some
    checked.fit([], None, None, bench.trains, None, bench.how)
    (_, _, _, trains, vals), how = seen[0]
    assert trains is bench.trains and vals == (checked.vals if n_val else None)
    assert how["patience"] == (bench.how["epochs"] if n_val else None)


@pytest.mark.parametrize("show_test", [False, True])
def test_test_windows_train_only_where_they_are_shown_and_never_with_labels(gmss, bench, show_test, monkeypatch):
    seen = []

    def fit_many(models, X, targets, trains, vals, **how):
        y, people = targets
        for rows, train, test in zip(trains, bench.trains, bench.tests):
            places = rows % len(bench.y)  # in the second copy, too
            assert set(places) == set(train) | (set(test) if show_test else set())
            assert torch.equal(X[rows], bench.X[places]) and torch.equal(people[rows], bench.people[places])
            assert (y[rows][np.isin(places, test)] == -1).all()
            assert torch.equal(y[rows][np.isin(places, train)], bench.y[train])
            seen.append(rows)

    monkeypatch.setattr(gmss.training, "fit_many", fit_many)
    bench.supervised(lambda n_steps: make(gmss, "DANN", n_steps)[0], gmss.adversarial, show_test=show_test)
    assert len(seen) == 2


def test_probe_trains_a_linear_layer_and_nothing_else(gmss, bench):
    extractors = [Extractor() for _ in bench.trains]
    before = copy.deepcopy(extractors)
    accuracies = bench.probe(extractors, N_OUTPUTS, {})
    assert len(accuracies) == 2 and all(0 <= accuracy <= 1 for accuracy in accuracies)
    for one, other in zip(extractors, before):
        assert torch.equal(one.filter.weight, other.filter.weight)
    easy = replace(bench, X=bench.X + 9 * nn.functional.one_hot(bench.y, N_BANDS)[:, None])
    assert easy.probe([nn.Identity() for _ in bench.trains], N_OUTPUTS, {"epochs": 60}) == [1, 1] == easy.svm()


def test_all_baselines_run(gmss, bench):
    info = make_info(["Fp1", "Fp2", "C3", "C4", "O1", "O2"], 200.0)
    classes = ["negative", "neutral", "positive"]
    bench = replace(bench, people=torch.arange(24) % N_PEOPLE)
    supervised = gmss.supervised_baselines(bench, info, N_PEOPLE, classes, Extractor)
    assert {name.split(",")[0] for name in supervised} == {"linear SVM", "DGCNN", "DANN", "RGNN"}
    assert "DANN, test windows shown" in supervised
    unsupervised = gmss.unsupervised_baselines(bench, N_OUTPUTS, Extractor, gmss.masked_view, 16, {"epochs": 1})
    assert {name.split(",")[0] for name in unsupervised} == {"SimCLR", "MoCo", "DeepCluster"} and len(unsupervised) == 4
    for accuracies in (supervised | unsupervised).values():
        assert len(accuracies) == 2 and all(0 <= accuracy <= 1 for accuracy in accuracies)
    alone = replace(bench, people=torch.zeros_like(bench.people))
    assert not any("shown" in name for name in gmss.supervised_baselines(alone, info, 1, classes, Extractor))


def test_a_row_draws_by_itself(gmss, bench, monkeypatch):
    """What was drawn before a row does not move it, its own seed does."""
    seen = []

    def supervised(self, build, objective, **how):
        seen.append(torch.rand(1).item())
        return [0.5]

    def pretrained(self, build, objective):
        seen.append(torch.rand(1).item())
        return [build() for _ in self.trains]

    def probe(self, extractors, n_outputs, how):
        return seen.append(torch.rand(1).item())

    for name, stand_in in (("supervised", supervised), ("pretrained", pretrained), ("probe", probe)):
        monkeypatch.setattr(gmss.Bench, name, stand_in)
    info, view = make_info(["Fp1", "Fp2", "C3", "C4", "O1", "O2"], 200.0), gmss.masked_view
    for k in (0, 0, 1):
        gmss.supervised_baselines(bench, info, N_PEOPLE, ["a", "b", "c"], Extractor, k)
        gmss.unsupervised_baselines(bench, N_OUTPUTS, Extractor, view, 16, {"epochs": 1}, k)
    assert len(seen) == 3 * (3 + 3 + 4) and len(set(seen)) == 2
    torch.manual_seed(0)
    assert seen[0] == torch.rand(1).item() != seen[-1]
