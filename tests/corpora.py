"""Small corpora for tests, made without any filtering."""

from pathlib import Path

import numpy as np

from eegemo_utils.corpus import index, store
from eegemo_utils.corpus.making import settings_text
from eegemo_utils.corpus.preprocessing import NOTCH

FIVE = ("FP1", "CZ", "T7", "O1", "O2")
THREE = ("F3", "FZ", "T3")


def rhythm(names, seconds: float, seed: int) -> np.ndarray:
    """Noise and a rhythm, (n_chans, n_times), microvolt, 200 Hz."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * 200)) / 200
    waves = 30 * np.sin(2 * np.pi * rng.uniform(6, 14, (len(names), 1)) * t + rng.uniform(0, 6, (len(names), 1)))
    return waves + rng.normal(0, 8, (len(names), len(t)))


def make_corpus(out: Path, plan=((FIVE, 70.0), (THREE, 41.5), (FIVE, 33.0))) -> list[np.ndarray]:
    """Write a corpus of recordings with these channels and seconds; returns their signals in microvolt."""
    signals, entries = [], []
    for number, (names, seconds) in enumerate(plan):
        name = f"sub-{number:02d}.edf"
        signals.append(rhythm(names, seconds, number))
        facts = {"source": name, "source_size": 1, "source_mtime_ns": 1, "settings": settings_text(NOTCH),
                 "ch_names": list(names), "remarks": [], "dropped": []}
        entries.append(store.write_recording(index.recording_path(out, name), signals[-1], facts))
    index.save(out, {"description": "simulated rhythms", "settings": settings_text(NOTCH), "n_sources": len(plan),
                     "complete": True, "recordings": entries, "skipped": {}})
    return signals
