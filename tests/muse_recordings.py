"""Small raw Muse files for tests, and where the real ones lie."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from eegemo_utils.datasets import muse
from eegemo_utils.trials import DatasetError

HEADER = "timestamps,TP9,AF7,AF8,TP10,Right AUX"


def lines_of(n_samples=600, seed=0, start=1_500_000_000.0):
    """Lines of a recording: 256 a second, milliseconds, microvolt."""
    rng = np.random.default_rng(seed)
    signals = np.round(rng.normal(20, 30, (n_samples, 5)), 3)
    stamps = start + np.arange(n_samples) / 256
    rows = np.column_stack([stamps, signals])
    return [",".join(f"{value:.3f}" for value in row) for row in rows]


def save(path, lines, header=HEADER, end="\n"):
    """Write a header and lines, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + end, encoding="utf-8")
    return path


def fault_of(path, *others):
    """Message of the error; it must name the files, and `check` must give it too; no warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DatasetError) as caught:
            muse.read(path.parent)
        report = muse.check(path.parent)
    assert not report.ok
    for name in (path, *others):
        assert str(name) in str(caught.value) and any(str(name) in line for line in report.missing)
    return str(caught.value)


def muse_lsl_folder():
    """Folder of the eight real recordings; skips the test where EEGEMO_DATA does not have them."""
    folder = Path(os.environ.get("EEGEMO_DATA", "")) / "muse_lsl"
    if "EEGEMO_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("EEGEMO_DATA/muse_lsl is not there")
    return folder
