"""Bird's features: vectorised against the plain reference, reading included, in one run.

Eight recordings of 120 s: the real ones where EEGEMO_DATA has them, else simulated ones. The reference does
the first two of them; its time is taken times four.
"""

import os
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pytest_benchmark")
sys.path.insert(0, str(Path(__file__).parents[1]))

import reference_features as reference  # noqa: E402

from eegemo_utils.datasets import muse  # noqa: E402
from eegemo_utils.datasets.bird_features import bird_features  # noqa: E402
from eegemo_utils.simulate import simulate_cohort  # noqa: E402

N_REFERENCE = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    real = Path(os.environ.get("EEGEMO_DATA", "nowhere")) / "muse_lsl"
    if real.is_dir():
        return real
    simulated = tmp_path_factory.mktemp("muse")
    muse.write(simulate_cohort(2, ("low", "high"), 2, 120.0), simulated)
    return simulated


def test_988_columns(benchmark, folder):
    rows = benchmark(lambda: bird_features(muse.read(folder), 988))
    assert len(rows) > 1890


def test_2548_columns(benchmark, folder):
    rows = benchmark(lambda: bird_features(muse.read(folder), 2548))
    files = sorted(folder.glob("*.csv"))
    some = files[:N_REFERENCE]
    start = time.perf_counter()
    n_rows = sum(len(reference.old_rows(*reference.read_columns(file))) for file in some)
    slow = (time.perf_counter() - start) * len(files) / len(some)
    assert n_rows == rows.table["recording"].isin([file.stem for file in some]).sum()
    benchmark.extra_info["reference_seconds"] = round(slow, 2)
    benchmark.extra_info["times_faster"] = round(slow / benchmark.stats.stats.median, 1)
    assert benchmark.extra_info["times_faster"] > 20
