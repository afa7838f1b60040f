"""Batches for pretraining: long slices are read, windows are cut where they are used.

How windows come into an order. An epoch's windows are those of a fixed stride. Neighbours that lie within a minute
form a slab, which is read at once. Slabs are shuffled; the windows of so many slabs as fill `mixed` batches form a
block, which lies on the device, and are shuffled among themselves, in `LANES` parts of neighbouring slabs, so that a
process which takes some rows of each batch reads only its own slabs. A batch has windows of one montage; montages
follow each other at random. All of it follows from random_state and the position: nothing is stored, and any
position can be gone on from.
"""

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from eegemo_utils.corpus.opening import Corpus
from eegemo_utils.corpus.preprocessing import SFREQ
from eegemo_utils.corpus.slices import read_slice
from eegemo_utils.training.data import to_device

PATCH = int(SFREQ)  # samples
MOST_TOKENS, MOST_PATCHES = 256, 16  # of a window: section 3.2 of the paper, rows of its time embedding
SLAB = int(60 * SFREQ)  # samples between the first and the last window's start
LANES = 8
UNIT_UV = 100.0  # the model's unit is 0.1 mV


def window_patches(n_chans: int) -> int:
    """Patches a channel in a window: as many as give at most 256 patches in all, and 16 at most (section 3.2)."""
    return max(1, min(MOST_PATCHES, MOST_TOKENS // n_chans))


@dataclass(frozen=True)
class Montage:
    """The windows of all recordings with one list of channels; arrays have a row for each slab."""

    ch_names: tuple[str, ...]
    n_patches: int
    stride: int
    recording: np.ndarray
    start: np.ndarray
    n_windows: np.ndarray

    @property
    def total(self) -> int:
        """Number of windows."""
        return int(self.n_windows.sum())


def cut_montages(corpus: Corpus, n_patches: int | None, stride: int) -> list[Montage]:
    """Slabs of every montage of a corpus; one without any window has none."""
    made = []
    for names in corpus.montages:
        patches = window_patches(len(names)) if n_patches is None else n_patches
        rows = []
        for place, one in enumerate(corpus.recordings):
            if one.ch_names == names and one.n_times >= patches * PATCH:
                n = (one.n_times - patches * PATCH) // stride + 1
                per_slab = max(1, SLAB // stride)
                rows += [(place, first * stride, min(per_slab, n - first)) for first in range(0, n, per_slab)]
        columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        made.append(Montage(names, patches, stride, *columns))
    return made


class Batches:
    """Batches of one epoch after another.

    Parameters
    ----------
    corpus : Corpus
    batch_size : int
        Windows of a batch, over all processes.
    n_patches : int, optional
        Seconds of a window; what `window_patches` says for each montage when not given.
    stride : int
        Samples from one window to the next; the paper's is 800 for masked pretraining, 200 for the tokenizer.
    random_state : int
    device : torch.device or str
    rank, world_size : int
        This process takes ``batch_size / world_size`` windows of each batch, so that what is learned does not depend
        on the number of processes.
    start : int
        Number of batches to leave out, over all epochs: `position` of those who were interrupted.
    epochs : int, optional
        How many to give; without end when not given.
    mixed : int
        Batches whose windows are shuffled together, and which lie on the device together.

    Yields
    ------
    x : float32 tensor, shape (batch_size / world_size, n_chans, n_patches, 200)
        In 0.1 mV.
    channels : list of str
        Names in LaBraM's table.

    Attributes
    ----------
    position : int
        Batches given, with `start`.
    left_out : tuple of str
        Which montages have too few windows for a batch, and are in none.

    Raises
    ------
    ValueError
        When a number is out of range, or no montage fills a batch.
    """

    def __init__(self, corpus: Corpus, batch_size: int, *, n_patches: int | None = None, stride: int = 4 * PATCH,
                 random_state: int = 0, device="cpu", rank: int = 0, world_size: int = 1, start: int = 0,
                 epochs: int | None = 1, mixed: int = 16):
        _check(batch_size, n_patches, stride, rank, world_size, start, mixed)
        self.corpus, self.batch_size, self.mixed, self.epochs = corpus, batch_size, mixed, epochs
        self.random_state, self.device, self.position = random_state, torch.device(device), start
        share = batch_size // world_size
        self.mine = slice(rank * share, (rank + 1) * share)
        montages = cut_montages(corpus, n_patches, stride)
        self.left_out = tuple(f"{len(one.ch_names)} channels from {one.ch_names[0]} to {one.ch_names[-1]}: {one.total} "
                              f"windows of {one.n_patches} s" for one in montages if one.total < batch_size)
        self.montages = [one for one in montages if one.total >= batch_size]
        if not self.montages:
            raise ValueError(f"no montage has the {batch_size} windows of a batch: {'; '.join(self.left_out)}. Take a "
                             f"smaller batch, shorter windows, a smaller stride, or more data.")

    def __len__(self) -> int:
        """Batches of an epoch."""
        return sum(one.total // self.batch_size for one in self.montages)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, list[str]]]:
        with ThreadPoolExecutor(1) as reader:  # the next block is read while this one is used
            while self.epochs is None or self.position < self.epochs * len(self):
                epoch, at = divmod(self.position, len(self))
                yield from self._epoch(epoch, at, reader)

    def _epoch(self, epoch: int, at: int, reader) -> Iterator[tuple[torch.Tensor, list[str]]]:
        counts = [one.total // self.batch_size for one in self.montages]
        turns = np.repeat(np.arange(len(counts)), counts)
        self._generator(epoch).shuffle(turns)
        given = [int((turns[:at] == number).sum()) for number in range(len(counts))]
        streams = [_Stream(self, epoch, number, first, reader) for number, first in enumerate(given)]
        for number in turns[at:]:
            x = next(streams[number])
            self.position += 1
            yield x, list(self.montages[number].ch_names)

    def _generator(self, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.random_state, *numbers])


class _Stream:
    """The batches of one montage in one epoch, block by block."""

    def __init__(self, batches: Batches, epoch: int, number: int, first: int, reader: ThreadPoolExecutor):
        self.batches, self.montage, self.reader = batches, batches.montages[number], reader
        self.seed = (epoch, number)
        self.n_batches = self.montage.total // batches.batch_size
        self.next_batch, self.block, self.coming = first, None, None
        slabs = batches._generator(*self.seed).permutation(len(self.montage.n_windows))
        counts = self.montage.n_windows[slabs]
        self.slab_of = np.repeat(slabs, counts)
        self.place_of = np.arange(len(self.slab_of)) - np.repeat(counts.cumsum() - counts, counts)

    def __next__(self) -> torch.Tensor:
        number, within = divmod(self.next_batch, self.batches.mixed)
        if self.block is None or within == 0:
            coming: Future = self.coming or self.reader.submit(self._load, number)
            self.block, self.coming = None, None  # the old one's memory is free before the new one is there
            self.block = coming.result()
            if (number + 1) * self.batches.mixed < self.n_batches:
                self.coming = self.reader.submit(self._load, number + 1)
        self.next_batch += 1
        return self.block.windows(within)

    def _load(self, number: int) -> "_Block":
        batches = self.batches
        size = batches.batch_size
        first, last = number * batches.mixed, min((number + 1) * batches.mixed, self.n_batches)
        order = np.arange(first * size, last * size)
        lanes = math.gcd(size, LANES)
        order = batches._generator(*self.seed, number).permuted(order.reshape(lanes, -1), axis=1)
        order = order.reshape(lanes, last - first, -1).swapaxes(0, 1).reshape(last - first, size)[:, batches.mine]
        return _Block(batches.corpus, self.montage, self.slab_of[order], self.place_of[order], batches.device)


class _Block:
    """Slabs on the device, and where each batch's windows lie in them; arrays of shape (batches, windows)."""

    def __init__(self, corpus: Corpus, montage: Montage, slabs: np.ndarray, places: np.ndarray, device: torch.device):
        used, numbers = np.unique(slabs, return_inverse=True)
        self.window, self.stride = montage.n_patches * PATCH, montage.stride
        values, scale = _read(corpus, montage, used, device.type == "cuda")
        self.values = values.to(device, non_blocking=True)
        self.scale = to_device(scale / UNIT_UV, device)
        self.numbers = to_device(torch.from_numpy(numbers.reshape(slabs.shape)), device)
        self.places = to_device(torch.from_numpy(places), device)

    def windows(self, batch: int) -> torch.Tensor:
        """One batch, (windows, n_chans, n_patches, 200)."""
        slab, place = self.numbers[batch], self.places[batch]
        cut = self.values.unfold(1, self.window, self.stride)[slab, place]  # (windows, n_chans, samples)
        x = torch.empty(cut.shape, device=cut.device).copy_(cut).mul_(self.scale[slab][:, :, None])
        return x.unflatten(2, (-1, PATCH))


def _read(corpus: Corpus, montage: Montage, slabs: np.ndarray, pinned: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Stored numbers, (slabs, longest slab, n_chans), and their scale, (slabs, n_chans), microvolt a step."""
    recordings = [corpus.recordings[place] for place in montage.recording[slabs]]
    lengths = (montage.n_windows[slabs] - 1) * montage.stride + montage.n_patches * PATCH
    own = all(one.own for one in recordings)
    values = torch.empty(len(slabs), int(lengths.max()), len(montage.ch_names), pin_memory=pinned,
                         dtype=torch.int16 if own else torch.float32)
    for target, one, start, length in zip(values.numpy(), recordings, montage.start[slabs], lengths):
        read_slice(one, int(start), target[:length])
    scale = [one.scale if own else (1.0,) * len(montage.ch_names) for one in recordings]
    return values, torch.tensor(scale, dtype=torch.float32)


def _check(batch_size, n_patches, stride, rank, world_size, start, mixed) -> None:
    if batch_size < 1 or world_size < 1 or batch_size % world_size or not 0 <= rank < world_size:
        raise ValueError(f"a batch of {batch_size} windows cannot be shared equally by {world_size} processes, of "
                         f"which this is number {rank}. Take a multiple of {world_size}.")
    if n_patches is not None and not 1 <= n_patches <= MOST_PATCHES:
        raise ValueError(f"n_patches must be 1 to {MOST_PATCHES}, the rows of LaBraM's time embedding, found "
                         f"{n_patches}. Take shorter windows.")
    if stride < 1 or start < 0 or mixed < 1:
        raise ValueError(f"stride and mixed must be at least 1 and start 0, found {stride}, {mixed}, {start}")
