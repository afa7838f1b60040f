"""A notebook's default cohort: two people, eight trials of 63 s, 32 electrodes at 128 Hz, in under five seconds."""

import pandas as pd
import pytest

pytest.importorskip("pytest_benchmark")

from eegemo_utils.simulate import simulate_trials  # noqa: E402

CAP = ("Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz "
       "Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 PO4 O2").split()


def test_two_people_of_deap(benchmark):
    plan = pd.DataFrame([
        {"subject": subject, "session": 1, "trial": trial, "label": trial % 2, "n_seconds": 63.0,
         "baseline_seconds": 3.0}
        for subject in ("s01", "s02") for trial in range(1, 9)])
    trials = benchmark(lambda: simulate_trials(plan, ch_names=CAP, sfreq=128.0))
    assert trials.signals[15].shape == (32, 8064)
    assert benchmark.stats.stats.median < 5
