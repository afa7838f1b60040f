"""Patches a second that the reader of corpora gives on this machine, beside one read a window through h5py.

The plain reader is the released code's way (data_processor/dataset.py): float64 in chunks of a second, a read of each
window by itself, stacked, divided by 100. Both give the same windows of the same recordings, from files in the page
cache. ``python -m pytest tests/benchmarks/test_corpus_speed.py``
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

pytest.importorskip("pytest_benchmark")
sys.path.append(str(Path(__file__).parents[1]))

from corpora import make_corpus  # noqa: E402

from eegemo_utils import corpus  # noqa: E402
from eegemo_utils.corpus.batches import _read  # noqa: E402

NAMES = corpus.LABRAM_CHANNELS[:23]
N_RECORDINGS, SECONDS, BATCH, N_PATCHES, STRIDE = 6, 600.0, 148, 11, 800


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same recordings as a corpus and in the released code's layout."""
    folder = tmp_path_factory.mktemp("speed")
    signals = make_corpus(folder / "corpus", [(NAMES, SECONDS)] * N_RECORDINGS)
    with h5py.File(folder / "plain.hdf5", "w") as file:
        for number, signal in enumerate(signals):
            eeg = file.create_group(f"s{number}").create_dataset("eeg", data=signal, chunks=(len(NAMES), 200))
            eeg.attrs["rsFreq"], eeg.attrs["chOrder"] = 200, list(NAMES)
    return corpus.open(folder / "corpus"), folder / "plain.hdf5"


def plain_epoch(path):
    """Every window once, in a random order."""
    with h5py.File(path) as file:
        data = [file[group]["eeg"] for group in file]
        windows = [(number, start) for number, one in enumerate(data)
                   for start in range(0, one.shape[1] - N_PATCHES * 200 + 1, STRIDE)]
        order = np.random.default_rng(0).permutation(len(windows))
        for first in range(0, len(windows) - BATCH + 1, BATCH):
            chosen = [windows[place] for place in order[first:first + BATCH]]
            values = np.stack([data[number][:, start:start + N_PATCHES * 200] for number, start in chosen])
            yield torch.from_numpy(values).float().unflatten(2, (-1, 200)) / 100


def count(batches):
    """Patches in an epoch, and the sum of all numbers, so that nothing is left undone."""
    n_patches, total = 0, 0.0
    for x in batches:
        n_patches += x.shape[0] * x.shape[1] * x.shape[2]
        total += float(x[0, 0, 0, 0])
    assert np.isfinite(total)
    return n_patches


READERS = {"corpus": lambda data, path: (x for x, _ in data.batches(BATCH, stride=STRIDE, mixed=4)),
           "plain": lambda data, path: plain_epoch(path)}


@pytest.mark.parametrize("reader", READERS)
def test_reading(benchmark, both, reader):
    torch.set_num_threads(1)
    n_patches = benchmark.pedantic(lambda: count(READERS[reader](*both)), rounds=5, warmup_rounds=1)
    assert n_patches == N_RECORDINGS * 148 * len(NAMES) * N_PATCHES
    benchmark.extra_info["patches_per_second"] = round(n_patches / benchmark.stats.stats.median)
    benchmark.extra_info["best"] = round(n_patches / benchmark.stats.stats.min)


def test_both_give_the_same_windows(both):
    data, path = both
    mine = torch.cat([x[:, 0, 0, :3] for x, _ in data.batches(BATCH, stride=STRIDE)])
    others = torch.cat([x[:, 0, 0, :3] for x in plain_epoch(path)])
    assert len(mine) == len(others) == N_RECORDINGS * 148
    assert torch.cdist(mine.double(), others.double()).min(dim=1).values.max() < 1e-4


def test_reading_for_a_gpu(benchmark, both):
    """What is left to the processor when a GPU cuts the windows: slabs into memory."""
    data, _ = both
    montage = data.batches(BATCH, stride=STRIDE).montages[0]
    parts = np.array_split(np.random.default_rng(0).permutation(len(montage.start)), 4)
    read = benchmark.pedantic(lambda: [_read(data, montage, slabs, False)[0].shape for slabs in parts], rounds=5)
    assert sum(shape[0] for shape in read) == len(montage.start)
    n_patches = montage.total * len(NAMES) * N_PATCHES
    benchmark.extra_info["patches_per_second"] = round(n_patches / benchmark.stats.stats.median)
    benchmark.extra_info["best"] = round(n_patches / benchmark.stats.stats.min)
