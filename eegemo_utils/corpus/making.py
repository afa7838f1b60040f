"""From one EEG file to one stored recording."""

import json
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np

from eegemo_utils.corpus import store
from eegemo_utils.corpus.channels import labram_channels
from eegemo_utils.corpus.preprocessing import SFREQ, VERSION, preprocess
from eegemo_utils.datasets import eeg_folder_files as files
from eegemo_utils.datasets.formats.edf import ANNOTATIONS, check_labels, read_header
from eegemo_utils.datasets.plausible import odd_size
from eegemo_utils.files import in_words
from eegemo_utils.trials import DatasetError
from eegemo_utils.units import unit_mistake

SHORTEST = int(SFREQ)  # samples of a patch


@dataclass(frozen=True)
class Job:
    """An EEG file, its name in the corpus, where it goes, and the mains frequencies to take out."""

    source: Path
    name: str
    target: Path
    notch: tuple[float, ...]


def settings_text(notch) -> str:
    """What stored numbers depend on, besides the source: settings, version of the preprocessing, MNE's."""
    return json.dumps({"notch": [float(hz) for hz in notch], "preprocessing": VERSION, "mne": mne.__version__})


def finished(job: Job) -> dict | None:
    """The facts of a recording that was made before, of the same file in the same way; None: it is to be made."""
    facts = _facts(job)
    return facts if facts and facts["settings"] == settings_text(job.notch) and _same_source(job, facts) else None


def changed(job: Job) -> bool:
    """Whether a recording was made of a file that was another one then."""
    facts = _facts(job)
    return facts is not None and not _same_source(job, facts)


def _facts(job: Job) -> dict | None:
    if not job.target.is_file():
        return None
    try:
        return store.read_facts(job.target)
    except DatasetError:
        return None


def _same_source(job: Job, facts: dict) -> bool:
    stat = job.source.stat()
    return (facts["source_size"], facts["source_mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)


def make(job: Job) -> dict:
    """Read, preprocess and store a file.

    Returns
    -------
    dict
        Facts as of `store.read_facts`, or ``{"skipped": why}`` for a file that cannot be used. What the system
        refuses while writing (a full disk) is raised: see `store.write_recording`.
    """
    try:
        electrodes, dropped, values, sfreq = _read(job.source)
        names = list(electrodes)
        flat = np.ptp(values, axis=1) == 0
        if flat.all():
            raise DatasetError(f"{job.source}: every channel is flat: there is no signal in it. Get the file again, or "
                               f"take it away.")
        dropped += [f"{name} (flat)" for name, dead in zip(names, flat) if dead]
        signals, more = preprocess(values[~flat], sfreq, job.notch)
        said = _check_size(signals, job)
        if signals.shape[1] < SHORTEST:
            raise DatasetError(f"{job.source}: expected at least {SHORTEST / SFREQ:g} s, a patch, found "
                               f"{signals.shape[1] / SFREQ:.2f} s. Take the file away.")
    except (DatasetError, MemoryError) as error:
        return {"skipped": str(error) or f"{job.source}: not enough memory for it"}
    stat = job.source.stat()
    facts = {"source": job.name, "source_size": stat.st_size, "source_mtime_ns": stat.st_mtime_ns,
             "settings": settings_text(job.notch), "dropped": dropped,
             "ch_names": [name for name, dead in zip(names, flat) if not dead],
             "remarks": [*said, *(f"{job.name}: {line}" for line in more)]}
    return store.write_recording(job.target, signals, facts)


def _check_size(signals: np.ndarray, job: Job) -> list[str]:
    """What is odd about the size of filtered signals, whose drifts are gone: they say nothing about the unit.

    One rule for too small and too large: a size that a mistake in the unit explains is that mistake, and nothing that a
    model should see; any other is told and left to the reader.
    """
    size = float(np.median(signals.std(axis=1)))
    said = odd_size(size, job.name)
    if said and unit_mistake(size):
        raise DatasetError(odd_size(size, str(job.source))[0])
    return said


@in_words
def _read(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, float]:
    """Channels with a row in LaBraM's table (its name: the file's), the others, signals in microvolt, rate."""
    if path.suffix.lower() in (".edf", ".bdf"):
        header = read_header(path)
        names = [label for label in header.labels if label != ANNOTATIONS]
        electrodes = labram_channels(names, str(path))
        check_labels(path, header, list(electrodes.values()))
        sfreq = header.sfreq(next(iter(electrodes.values())))
    else:
        raw = files.open_raw(path)
        names, sfreq = list(raw.ch_names), float(raw.info["sfreq"])
        electrodes = labram_channels(names, str(path))
    recording = files.Recording(path, path.name, "", 1, "", electrodes, sfreq)
    values = files.load(recording, list(electrodes), sfreq)
    return electrodes, [name for name in names if name not in electrodes.values()], values, sfreq
