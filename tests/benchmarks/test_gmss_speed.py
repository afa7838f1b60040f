"""GMSS's training against plain implementations in the structure of the released code, side by side.

Both are written anew, as CHEN-XDU/GMSS has it (commit 31fccf5, dataset.py:89-147, jointly_train.py:112-156,
selfSupervised.py:148-188): one PyTorch Geometric `Data` object for each view of each window, a loader for each task,
the graph convolution once a task. "released" also does for each sample what that code does (dataset.py:13-44: read the
file of permutations, list the orders of bands, stack the pieces one after the other) and counts hits in Python
(jointly_train.py:140-142). "lean" is spared that. Neither has the released loaders' worker processes.
"""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import ChebConv

from eegemo_utils.montage import SEED_62, seed_graph
from eegemo_utils.notebooks import load_definitions
from eegemo_utils.splits import Split

N_WINDOWS, N_CHANS, N_BANDS, N_OUTPUTS = 2010, 62, 5, 3  # a SEED session, trials 1 to 9
BATCH, N_VIEWS, TEMPERATURE = 256, 4, 0.5
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


def head(n_outputs):
    return nn.Sequential(nn.Linear(62 * 32, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout(0.25),
                         nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.25),
                         nn.Linear(256, n_outputs))


class Plain(nn.Module):
    """One ChebConv, one head a task; a forward pass for each batch of graphs."""

    def __init__(self, supervised):
        super().__init__()
        self.conv = ChebConv(N_BANDS, 32, K=2)
        sizes = {"frequency": 120, "spatial": 128, "projection": 128} | ({"emotion": N_OUTPUTS} if supervised else {})
        self.heads = nn.ModuleDict({name: head(n) for name, n in sizes.items()})

    def forward(self, name, batch):
        return self.heads[name](self.conv(batch.x, batch.edge_index).relu().view(batch.num_graphs, -1))


def stack(pieces, order):
    """Pieces in an order, one after the other."""
    stacked = np.vstack((pieces[order[0]], pieces[order[1]]))
    for k in order[2:]:
        stacked = np.vstack((stacked, pieces[k]))
    return stacked


def released_view(window, i, j, file):
    """A permutation of regions, then of bands (None: neither), all tables made again."""
    if i is not None:
        window = stack(np.array_split(window, 10), np.load(file)[i])
    if j is not None:
        window = stack(window.T, np.array(list(itertools.permutations(range(N_BANDS))))[j]).T
    return window


def graphs(X, edges, rows_of, columns_of, label, file=None):
    """A list of `Data`: `N_VIEWS` of each window, with the label that a task gives them; `file`: as released."""
    made = []
    for window in X:
        for _ in range(N_VIEWS):
            i, j = np.random.randint(len(rows_of)), np.random.randint(len(columns_of))
            if file:
                view = released_view(window, i if len(rows_of) > 1 else None, j if len(columns_of) > 1 else None, file)
            else:
                view = window[rows_of[i]][:, columns_of[j]]
            x = torch.from_numpy(view).float()
            made.append(Data(x=x, edge_index=edges, y=torch.tensor({"row": i, "column": j}.get(label, 0))))
    return made


def loaders(X, y, supervised, file):
    """Frequency, spatial, (emotion,) contrastive one and two."""
    undirected = seed_graph()
    edges = torch.from_numpy(np.concatenate([undirected, undirected[:, ::-1]]).T.copy())
    blocks = np.array_split(np.arange(N_CHANS), 10)
    rows_of = [np.concatenate([blocks[k] for k in np.random.permutation(10)]) for _ in range(128)]
    columns_of = np.array(list(itertools.permutations(range(N_BANDS))))
    rows, columns = [np.arange(N_CHANS)], [np.arange(N_BANDS)]
    tasks = [(rows, columns_of, "column"), (rows_of, columns, "row"), *[(rows_of, columns_of, "")] * 2]
    parts = [graphs(X, edges, *task, file) for task in tasks]
    made = [DataLoader(part, BATCH, shuffle=k < 2, drop_last=True) for k, part in enumerate(parts)]
    if supervised:
        labelled = [Data(x=torch.from_numpy(x), edge_index=edges, y=torch.tensor(label)) for x, label in zip(X, y)]
        made.insert(2, itertools.cycle(DataLoader(labelled, BATCH, shuffle=True, drop_last=True)))
    return made


def contrastive(one, two):
    """All views of a window are positives, summed inside the logarithm."""
    z = nn.functional.normalize(torch.cat([one, two]), dim=1)
    sample = (torch.arange(BATCH, device=z.device) // N_VIEWS).repeat(2)
    near = torch.exp(z @ z.T / TEMPERATURE) * (1 - torch.eye(len(z), device=z.device))
    return -torch.log((near * (sample[:, None] == sample)).sum(1) / near.sum(1)).mean()


def plain(X, y, supervised, device, file=None):
    """Set up, train one epoch."""
    model = Plain(supervised).to(device)
    weights = nn.Parameter(torch.ones(4 if supervised else 3, device=device))
    optimizer = torch.optim.Adam([*model.parameters(), weights], lr=0.01, weight_decay=8e-5)
    total, hits = 0.0, []
    for batches in zip(*loaders(X, y, supervised, file)):
        frequency, spatial, *labelled, one, two = [batch.to(device) for batch in batches]
        tasks = [("frequency", frequency), ("spatial", spatial), *[("emotion", batch) for batch in labelled]]
        logits = [model(name, batch) for name, batch in tasks]
        losses = [nn.functional.cross_entropy(each, batch.y) for each, (_, batch) in zip(logits, tasks)]
        if file:
            for each, (_, batch) in zip(logits, tasks):
                hits.append(sum([1 for a, b in zip(each.argmax(1), batch.y) if a == b]))
        losses.append(contrastive(model("projection", one), model("projection", two)))
        loss = (torch.stack(losses) * 0.5 / weights**2 + weights.log()).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total, hits


@pytest.fixture
def session():
    rng = np.random.default_rng(0)
    np.random.seed(0)
    torch.manual_seed(0)
    return rng.normal(size=(N_WINDOWS, N_CHANS, N_BANDS)).astype(np.float32), rng.integers(0, N_OUTPUTS, N_WINDOWS)


@pytest.fixture(scope="module")
def gmss():
    return load_definitions("gmss")


def notebook(gmss, X, y, supervised, device, n_runs=1):
    """The same by the notebook: set up, four passes of one view a jigsaw, which is the released code's epoch."""
    regions = gmss.find_regions(SEED_62, gmss.REGIONS)
    orders = np.array([np.random.permutation(10) for _ in range(128)])
    exp = gmss.Experiment(
        X=torch.as_tensor(X, device=device), y=y, edges=seed_graph(), bands=gmss.frequency_table(N_BANDS),
        regions={"corrected": gmss.spatial_table(regions, orders)}, n_outputs=N_OUTPUTS, zscore=True, epochs=N_VIEWS,
        probe_epochs=1, batch_size=BATCH, learning_rate=0.01, weight_decay=8e-5, n_filters=32, order=2, n_hidden=512,
        n_views=N_VIEWS, temperature=TEMPERATURE, at_once=n_runs, precision="float32")
    everything = np.arange(len(y))
    fold = Split("session", "by_trial", everything[:-1], everything[:0], everything[-1:])
    train = gmss.train_joint if supervised else gmss.pretrain
    return train(exp, [gmss.Run(fold, k) for k in range(n_runs)], gmss.RECIPES["corrected"])


def settle(device):
    if device == "cuda":
        torch.cuda.synchronize()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", ["unsupervised", "supervised"])
@pytest.mark.parametrize("who", ["released", "lean", "notebook"])
def test_setup_and_one_epoch(benchmark, gmss, session, tmp_path, who, mode, device):
    X, y = session
    file = tmp_path / "permutations.npy"
    np.save(file, np.array([np.random.permutation(10) for _ in range(128)]))
    benchmark.group = f"setup and one epoch, {mode}, {device}"

    def epoch():
        if who == "notebook":
            notebook(gmss, X, y, mode == "supervised", device)
        else:
            plain(X, y, mode == "supervised", device, file if who == "released" else None)
        settle(device)

    benchmark.pedantic(epoch, rounds=3, warmup_rounds=1)


@pytest.mark.skipif("cuda" not in DEVICES, reason="45 networks of the paper's size need a GPU")
@pytest.mark.parametrize("mode", ["unsupervised", "supervised"])
def test_a_whole_table_at_once(benchmark, gmss, session, mode):
    """45 runs as one stack, one epoch of the released code; a hundred of them are the paper's."""
    X, y = session
    benchmark.group = f"one epoch of 45 runs, {mode}, cuda"

    def epoch():
        notebook(gmss, X, y, mode == "supervised", "cuda", n_runs=45)
        settle("cuda")

    benchmark.pedantic(epoch, rounds=3, warmup_rounds=1)
