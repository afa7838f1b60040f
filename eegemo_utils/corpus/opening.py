"""What a corpus holds, and how it is opened: own ones and files in the layout of the released LaBraM code."""

import json
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from eegemo_utils.corpus import index, store
from eegemo_utils.corpus.channels import labram_channels
from eegemo_utils.corpus.preprocessing import SFREQ, VERSION
from eegemo_utils.corpus.slices import Recording, read_slice
from eegemo_utils.datasets.plausible import HIGHEST_UV, LOWEST_UV, few
from eegemo_utils.files import digest
from eegemo_utils.trials import DatasetError

OFFICIAL = (".hdf5", ".h5")
MINUTE = int(60 * SFREQ)  # samples


@dataclass(frozen=True, repr=False)
class Corpus:
    """Preprocessed recordings for pretraining: 200 Hz, any montages.

    Parameters
    ----------
    recordings : tuple of Recording
    description : str
    decisions : tuple of str
        What was skipped, dropped and doubted when it was made.
    """

    recordings: tuple[Recording, ...]
    description: str
    decisions: tuple[str, ...]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{len(names)} channels {self.hours_of(names):.2f} h" for names in self.montages)
        return f"<Corpus | {self.description} | {len(self.recordings)} recordings, {self.hours:.2f} h: {shapes}>"

    @property
    def hours(self) -> float:
        """Length of all recordings."""
        return sum(recording.n_times for recording in self.recordings) / SFREQ / 3600

    @property
    def montages(self) -> list[tuple[str, ...]]:
        """The different lists of channels, in the order in which they first appear."""
        return list(dict.fromkeys(recording.ch_names for recording in self.recordings))

    def hours_of(self, montage: tuple[str, ...]) -> float:
        """Length of the recordings with one list of channels."""
        return sum(one.n_times for one in self.recordings if one.ch_names == montage) / SFREQ / 3600

    @property
    def table(self) -> pd.DataFrame:
        """One row a recording: name, n_chans, seconds, montage (place in `montages`)."""
        places = {names: place for place, names in enumerate(self.montages)}
        rows = [{"name": one.name, "n_chans": len(one.ch_names), "seconds": one.n_times / SFREQ,
                 "montage": places[one.ch_names]} for one in self.recordings]
        return pd.DataFrame(rows)

    def fingerprint(self) -> str:
        """The same for the same recordings in the same order, wherever they lie."""
        parts = [(one.name, one.ch_names, one.n_times, one.sha256) for one in self.recordings]
        return digest(json.dumps(parts))

    def signal(self, recording: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """A piece of a recording, (n_chans, n_times), float32, microvolt."""
        one = self.recordings[recording]
        stop = one.n_times if stop is None else stop
        if not 0 <= start < stop <= one.n_times:
            raise ValueError(f"expected samples from 0 to {one.n_times}, found {start} to {stop}")
        target = np.empty((stop - start, len(one.ch_names)), np.int16 if one.own else np.float32)
        read_slice(one, start, target)
        return np.ascontiguousarray((target * np.float32(one.scale or 1)).T)

    def part(self, hours: float, random_state: int) -> "Corpus":
        """Recordings drawn at random until there are so many hours of them, for curves over the amount of data.

        Raises
        ------
        ValueError
            When there are not so many.
        """
        if not 0 < hours <= self.hours:
            raise ValueError(f"expected more than 0 and at most the corpus' {self.hours:.2f} hours, found {hours}")
        order = np.random.default_rng(random_state).permutation(len(self.recordings))
        lengths = np.array([self.recordings[place].n_times for place in order]) / SFREQ / 3600
        enough = int(np.searchsorted(lengths.cumsum(), hours - 1e-9)) + 1
        chosen = sorted(order[:enough])
        return replace(self, recordings=tuple(self.recordings[place] for place in chosen))

    def batches(self, batch_size: int, **options):
        """Batches for training: see `eegemo_utils.corpus.batches.Batches`, which this makes."""
        from eegemo_utils.corpus.batches import Batches  # late: torch takes a second

        return Batches(self, batch_size, **options)


def open_corpus(*paths) -> Corpus:
    """Open one or more corpora as one.

    Parameters
    ----------
    *paths : path
        Corpora of ``eegemo corpus build``; files in the layout of the released LaBraM code
        (make_h5dataset_for_pretrain.py: one group a recording with a dataset ``eeg``), or folders of those.

    Returns
    -------
    Corpus

    Raises
    ------
    DatasetError
        When one is not whole, damaged, of another format, or its files are missing or cut off.

    Warns
    -----
    UserWarning
        When a corpus was made by another version of the preprocessing.
    """
    if not paths:
        raise ValueError("give the path of a corpus")
    parts = [_open_one(Path(path)) for path in paths]
    return Corpus(tuple(one for part in parts for one in part.recordings),
                  "; ".join(dict.fromkeys(part.description for part in parts)),
                  tuple(line for part in parts for line in part.decisions))


def _open_one(path: Path) -> Corpus:
    if path.is_file():
        return _open_official([path])
    if not path.is_dir():
        raise DatasetError(f"{path}: expected a corpus, found nothing there. Make one: eegemo corpus build FOLDER "
                           f"{path}")
    if (path / index.NAME).is_file() or (path / index.FOLDER).is_dir():
        return _open_own(path)
    official = sorted(file for file in path.iterdir() if file.suffix in OFFICIAL)
    return _open_official(official) if official else _open_own(path)


def _open_own(path: Path) -> Corpus:
    content = index.load(path)
    if not content["complete"]:
        raise DatasetError(f"{path}: this corpus is not finished. Run `eegemo corpus build FOLDER {path}` again: what "
                           f"is finished is not repeated.")
    if not content["recordings"]:
        whys = [f"{why:.300}" for why in content["skipped"].values()]
        raise DatasetError(f"{path}: none of its files ({len(whys)}) could be used: {few(whys, 3)} Mend them, or give "
                           f"other files, and run `eegemo corpus build` again.")
    version = json.loads(content["settings"])["preprocessing"]
    if version != VERSION:
        warnings.warn(f"{path}: made by version {version} of the preprocessing (eegemo-utils "
                      f"{content['eegemo_utils']}), this code has version {VERSION}: results may differ. Build the "
                      f"corpus again in a new folder to compare with others.", stacklevel=4)
    recordings = [Recording(entry["source"], index.recording_path(path, entry["source"]), store.DATASET,
                            tuple(entry["ch_names"]), entry["n_times"], entry["sha256"], tuple(entry["scale"]),
                            entry["offset"])
                  for entry in content["recordings"]]
    sizes = {entry["source"]: entry["bytes"] for entry in content["recordings"]}
    bad = [one.name for one in recordings if not one.path.is_file() or one.path.stat().st_size != sizes[one.name]]
    if bad:
        raise DatasetError(f"{path}: recordings are missing, truncated or of another size: {few(bad)}. Delete what is "
                           f"left of them and run `eegemo corpus build` again: only these are made anew.")
    return Corpus(tuple(recordings), content["description"], tuple(decisions(content)))


def skipped(path) -> dict[str, str]:
    """The files that a corpus was to be made of and is not, and why."""
    return index.load(Path(path))["skipped"]


def decisions(content: dict) -> list[str]:
    """Sentences about what an index says was skipped, dropped and doubted."""
    counts = Counter(name for entry in content["recordings"] for name in entry["dropped"])
    told = [f"channels dropped, since LaBraM has no row for them or they are flat, with the number of recordings: "
            f"{', '.join(f'{name} ({count})' for name, count in counts.most_common())}"] if counts else []
    told += [line for entry in content["recordings"] for line in entry["remarks"]]
    return told + [f"skipped: {why}" for why in content["skipped"].values()]


def _open_official(paths: list[Path]) -> Corpus:
    found, dropped = [], Counter()
    for path in paths:
        try:
            with h5py.File(path, "r") as file:
                for number, group in enumerate(file):
                    recording, others = _official_recording(path, group, file[group])
                    if number == 0:  # one data set, one unit
                        _warn_of_unit(path, file[group]["eeg"])
                    found.append(recording)
                    dropped.update(others)
        except (OSError, KeyError, RuntimeError) as error:
            raise DatasetError(f"{path}: expected recordings as the released LaBraM code stores them (HDF5, groups "
                               f"with a dataset eeg), found: {error!s:.150}. Get the file again, or take it "
                               f"away.") from error
    if not found:
        raise DatasetError(f"{paths[0]}: expected recordings, found none. Take the file away.")
    told = [f"channels dropped, since LaBraM has no row for them, with the number of recordings: "
            f"{', '.join(f'{name} ({count})' for name, count in dropped.most_common())}"] if dropped else []
    names = few([path.name for path in paths])
    return Corpus(tuple(found), f"recordings in the released code's layout: {names}", tuple(told))


def _warn_of_unit(path: Path, data: h5py.Dataset) -> None:
    spread = float(np.median(data[:, :MINUTE].std(axis=1)))
    if spread < LOWEST_UV or spread > HIGHEST_UV:  # what is not finite is told where it is read
        warnings.warn(f"{path}: its first minute has a standard deviation of {spread:.2g} (median over channels), "
                      f"expected {LOWEST_UV:g} to {HIGHEST_UV:g} microvolt: in another unit, a model learns nothing. "
                      f"Store it in microvolt.", stacklevel=5)


def _official_recording(path: Path, group: str, content) -> tuple[Recording, list[str]]:
    data = content["eeg"]
    where = f"{path}: {group}"
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in data.attrs["chOrder"]]
    if data.ndim != 2 or data.shape[0] != len(names) or data.dtype.kind not in "f":
        raise DatasetError(f"{where}: expected floats of shape ({len(names)} channels, samples), found {data.dtype} of "
                           f"shape {data.shape}. Get the file again.")
    if float(data.attrs["rsFreq"]) != SFREQ:
        raise DatasetError(f"{where}: expected {SFREQ:g} Hz, found {float(data.attrs['rsFreq']):g}. Resample it.")
    kept = labram_channels(names, where)
    rows = tuple(names.index(name) for name in kept.values())
    plain = None if rows == tuple(range(len(names))) else rows
    told = f"{path.stat().st_size} {data.shape}"  # numbers of this layout have no checksum
    recording = Recording(f"{path.name}/{group}", path, f"{group}/eeg", tuple(kept), int(data.shape[1]), told,
                          rows=plain)
    return recording, [name for name in names if name not in kept.values()]
