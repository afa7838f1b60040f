"""Reading one person of a dataset as large as the real one, from files that the package wrote: seconds, bytes a second.

One signal is simulated and repeated where the real length would take long to simulate: reading takes as long.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pytest_benchmark")

from eegemo_utils.datasets import deap, dreamer, faced, seed, tuab  # noqa: E402
from eegemo_utils.trials import Trials  # noqa: E402

MB = 1e6


def stretched(trials: Trials, n_seconds) -> Trials:
    """The trials, each repeated to its own number of seconds."""
    n_times = [int(round(seconds * trials.info["sfreq"])) for seconds in np.broadcast_to(n_seconds, len(trials))]
    return replace(trials, signals=[np.resize(signal.T, (n, len(signal))).T
                                    for signal, n in zip(trials.signals, n_times)])


def seed_features(root):
    """A session: 3394 windows of twelve kinds of features."""
    trials = seed.simulate(1, n_sessions=1, n_seconds=2.0)
    seed.write(stretched(trials, seed.N_WINDOWS), root, "features")
    return lambda: seed.read(root, form="features"), (3394, 62, 5)


def dreamer_person(root):
    """18 clips of 199 s on average, after a baseline of 61 s."""
    dreamer.write(dreamer.simulate(1, n_seconds=199.0, baseline_seconds=61.0), root)
    return lambda: dreamer.read(root), None


def tuab_recording(root):
    """20 minutes at 250 Hz."""
    tuab.write(stretched(tuab.simulate(1), 1200), root)
    return lambda: tuab.read(root), (23, 240000)


def faced_pickle(root):
    """28 clips of 30 s at 250 Hz."""
    faced.write(faced.simulate(1, n_seconds=30.0), root)
    return lambda: faced.read(root), (30, 7500)


def deap_person(root):
    """40 videos of 63 s."""
    deap.write(deap.simulate(1, n_seconds=60.0), root)
    return lambda: deap.read(root), (32, 8064)


# size of the largest file in MB, so that it is as large as a real one
SIZES = {seed_features: (60, 80), dreamer_person: (60, 120), tuab_recording: (14, 16), faced_pickle: (53, 55),
         deap_person: (103, 104)}


@pytest.mark.parametrize("make", SIZES, ids=lambda make: make.__name__)
def test_one_person_is_read_in_two_seconds(benchmark, tmp_path, make):
    read, shape = make(tmp_path)
    largest = max(path.stat().st_size for path in Path(tmp_path).rglob("*") if path.is_file()) / MB
    assert SIZES[make][0] < largest < SIZES[make][1]
    data = benchmark.pedantic(read, rounds=3, warmup_rounds=1)
    assert shape in (None, data.X.shape if hasattr(data, "X") else data.signals[0].shape)
    benchmark.extra_info["mb"] = round(largest, 1)
    benchmark.extra_info["mb_per_second"] = round(largest / benchmark.stats.stats.median, 1)
    assert benchmark.stats.stats.median < 2  # about five times what two busy cores of a server take
