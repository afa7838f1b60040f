"""Batches of a corpus: every window right, once an epoch, the same from any position, for any number of processes."""

from itertools import islice

import h5py
import numpy as np
import pytest
import torch
from corpora import FIVE, THREE, make_corpus, rhythm

from eegemo_utils import corpus
from eegemo_utils.corpus.batches import window_patches
from eegemo_utils.trials import DatasetError


def all_windows(data, montage, n_patches, stride):
    """Every window of a montage, cut one by one, in 0.1 mV."""
    found = []
    for place, one in enumerate(data.recordings):
        if one.ch_names == montage:
            signal = data.signal(place)
            for start in range(0, one.n_times - n_patches * 200 + 1, stride):
                found.append(signal[:, start:start + n_patches * 200].reshape(len(montage), n_patches, 200) / 100)
    return np.stack(found)


@pytest.fixture
def data(tmp_path):
    make_corpus(tmp_path / "corpus")
    return corpus.open(tmp_path / "corpus")


def test_each_window_comes_once_an_epoch_and_is_the_right_one(data):
    windows = {names: all_windows(data, names, 4, 200) for names in (FIVE, THREE)}
    assert [len(found) for found in windows.values()] == [67 + 30, 38]
    batches = data.batches(3, n_patches=4, stride=200, mixed=4)
    seen = {FIVE: [], THREE: []}
    for x, channels in batches:
        assert x.shape == (3, len(channels), 4, 200) and x.dtype == torch.float32 and x.is_contiguous()
        seen[tuple(channels)] += list(x.numpy())
    assert len(batches) == batches.position == 97 // 3 + 38 // 3
    for names, reference in windows.items():
        numbers = [int(np.abs(reference - one).max(axis=(1, 2, 3)).argmin()) for one in seen[names]]
        np.testing.assert_allclose(reference[numbers], seen[names], rtol=1e-6)
        assert len(set(numbers)) == len(numbers) == len(reference) // 3 * 3
        assert numbers != sorted(numbers)


def test_each_epoch_has_its_own_order_and_batches_are_mixed(data):
    batches = data.batches(8, n_patches=2, stride=200, epochs=None)
    given = list(islice(batches, 2 * len(batches)))
    epochs = given[:len(batches)], given[len(batches):]
    assert not torch.equal(*(torch.cat([x.flatten() for x, _ in epoch]) for epoch in epochs))
    turns = [len(names) for _, names in epochs[0]]
    assert sum(a != b for a, b in zip(turns, turns[1:])) > 3  # montages follow each other at random
    first, second = all_windows(data, FIVE, 2, 200)[:69], all_windows(data, FIVE, 2, 200)[69:]
    x = next(x for x, names in epochs[0] if tuple(names) == FIVE).numpy()
    counts = [sum(np.isclose(part, one, atol=1e-5).all(axis=(1, 2, 3)).any() for one in x) for part in (first, second)]
    assert sum(counts) == 8 and min(counts) > 0  # windows of both recordings


@pytest.mark.parametrize("start", [1, 7, 13, 29, 44, 50])
def test_any_position_goes_on_exactly(data, start):
    options = {"n_patches": 4, "stride": 200, "mixed": 4, "random_state": 5}
    whole = list(data.batches(3, epochs=2, **options))
    assert len(whole) == 88
    rest = list(data.batches(3, epochs=2, start=start, **options))
    assert len(rest) == 88 - start
    for (x, names), (y, others) in zip(whole[start:], rest):
        assert torch.equal(x, y) and names == others


@pytest.mark.parametrize("world_size", [2, 4, 8])
def test_processes_share_each_batch(data, world_size):
    whole = list(data.batches(8, n_patches=2, stride=200, mixed=2))
    shares = [list(data.batches(8, n_patches=2, stride=200, mixed=2, rank=rank, world_size=world_size))
              for rank in range(world_size)]
    for (x, names), *parts in zip(whole, *shares):
        assert torch.equal(x, torch.cat([part for part, _ in parts])) and all(other == names for _, other in parts)


def test_random_state_gives_the_order(data):
    first, again, other = (torch.cat([x.flatten() for x, _ in data.batches(4, n_patches=2, random_state=seed)])
                           for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_window_lengths_are_the_papers():
    assert [window_patches(n) for n in (64, 32, 23, 20, 16, 4, 300)] == [4, 8, 11, 12, 16, 16, 1]


def test_montages_without_enough_windows_are_named(data):
    batches = data.batches(9, n_patches=10)
    assert batches.left_out == ("3 channels from F3 to T3: 8 windows of 10 s",)
    assert {tuple(names) for _, names in batches} == {FIVE}
    with pytest.raises(ValueError, match="no montage has the 500 windows of a batch: 5 channels from FP1"):
        data.batches(500)


@pytest.mark.parametrize("options, message", [({"n_patches": 17}, "1 to 16.*found 17"), ({"n_patches": 0}, "1 to 16"),
                                              ({"world_size": 3}, "cannot be shared equally by 3"),
                                              ({"rank": 1}, "number 1"), ({"stride": 0}, "stride")])
def test_impossible_numbers_are_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        data.batches(4, **options)


def test_less_data_is_drawn_by_recording(data):
    half = data.part(0.02, random_state=0)
    assert 0.02 <= half.hours <= data.hours and len(half.recordings) < 3
    assert half.fingerprint() != data.fingerprint() and data.part(data.hours, 1).recordings == data.recordings
    with pytest.raises(ValueError, match="at most the corpus' 0.04 hours"):
        data.part(1.0, 0)


def test_several_corpora_are_one(tmp_path, data):
    make_corpus(tmp_path / "second", [(THREE, 20.0)])
    both = corpus.open(tmp_path / "corpus", tmp_path / "second")
    assert len(both.recordings) == 4 and both.hours_of(THREE) == pytest.approx(61.5 / 3600)


# ---- the layout of the released code ----

def save_official(path, signals, names, rate=200):
    """As make_h5dataset_for_pretrain.py does: a group a recording, float64 microvolt, chunks of a second."""
    with h5py.File(path, "w") as file:
        for number, signal in enumerate(signals):
            eeg = file.create_group(f"s{number}").create_dataset("eeg", data=signal, chunks=(len(names), 200))
            eeg.attrs["lFreq"], eeg.attrs["hFreq"], eeg.attrs["rsFreq"] = 0.1, 75.0, rate
            eeg.attrs["chOrder"] = list(names)


def test_the_released_codes_files_are_read(tmp_path):
    signals = [rhythm(range(4), seconds, seed) for seed, seconds in enumerate((20.0, 30.5))]
    save_official(tmp_path / "set.hdf5", signals, ["O1", "ECG", "FP1", "T3"])
    data = corpus.open(tmp_path / "set.hdf5")
    assert data.montages == [("FP1", "O1", "T3")] and "ECG (2)" in data.decisions[0]
    np.testing.assert_allclose(data.signal(1), signals[1][[2, 0, 3]], rtol=1e-6)
    reference = {one.astype(np.float32).tobytes() for signal in signals
                 for one in [signal[2, at:at + 800] for at in range(0, signal.shape[1] - 799, 800)]}
    given = [x[:, 0].flatten(1) for x, _ in data.batches(2, n_patches=4)]
    assert len(given) == 6
    for window in torch.cat(given).numpy():
        assert any(np.allclose(window * 100, np.frombuffer(one, np.float32), rtol=1e-5) for one in reference)
    assert corpus.check(tmp_path / "set.hdf5").ok


def test_both_layouts_mix_in_one_batch(tmp_path):
    made = make_corpus(tmp_path / "own", [(THREE, 10.0)])
    save_official(tmp_path / "set.hdf5", made, THREE)
    data = corpus.open(tmp_path / "own", tmp_path / "set.hdf5")
    x, _ = next(iter(data.batches(2, n_patches=10)))
    assert torch.equal(x[0], x[1]) or torch.allclose(x[0], x[1], atol=1e-4)
    torch.testing.assert_close(x[0].flatten(1).double() * 100, torch.from_numpy(made[0]), atol=0.01, rtol=0)


def test_faults_of_the_released_codes_files_are_named(tmp_path):
    signal = rhythm(range(3), 20.0, 0)
    path = tmp_path / "bad.hdf5"
    save_official(path, [signal], THREE, rate=250)
    with pytest.raises(DatasetError, match="bad.hdf5: s0: expected 200 Hz, found 250"):
        corpus.open(path)
    save_official(path, [signal * 1e-6], THREE)
    with pytest.warns(UserWarning, match="bad.hdf5: .* expected 0.5 to 500 microvolt"):
        corpus.open(path)
    broken = signal.copy()
    broken[1, 999] = np.nan
    save_official(path, [broken], THREE)
    with pytest.raises(DatasetError, match="s0: values that are not finite between 0 and"):
        list(corpus.open(path).batches(2, n_patches=4))
    assert "not finite" in corpus.check(path).text()
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DatasetError, match="bad.hdf5: expected recordings as the released"):
        corpus.open(path)
