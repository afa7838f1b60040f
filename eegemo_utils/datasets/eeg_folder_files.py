"""Single EEG files of any kind that MNE reads: who and what their names say, which electrodes, the signals."""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np

from eegemo_utils.datasets.common import eeg_signal
from eegemo_utils.datasets.formats.edf import check_labels, read_edf, read_header
from eegemo_utils.datasets.formats.mat import walk
from eegemo_utils.features.filters import resample
from eegemo_utils.files import files_below, in_words, unreadable
from eegemo_utils.montage import standard_montage, standard_name
from eegemo_utils.trials import DatasetError

# kinds of files with EEG in them that mne.io.read_raw opens; the parts beside some (.eeg, .vmrk, .fdt) are no files
SUFFIXES = (".edf", ".bdf", ".gdf", ".vhdr", ".set", ".fif", ".fif.gz", ".cnt", ".mff", ".nxe", ".lay", ".cdt")
ENTITY = re.compile(r"(?:^|_)(sub|ses|task|run)-([^_.]+)")
# what a channel is recorded against; A1-REF is an ear, but A2-A1 the voltage between the ears, and no electrode
REFERENCE = re.compile(r"-(REF|LE|AR|AVG|(?<![AM][12]-)[AM][12])$", re.IGNORECASE)

MAX_SFREQ = 1e5  # Hz


@dataclass
class Recording:
    """A file: who, what, its electrodes (today's name: the file's) and rate."""

    path: Path
    name: str
    subject: str
    session: int
    label: str
    electrodes: dict[str, str]
    sfreq: float


@in_words
def find(root: Path) -> list[Path]:
    """EEG files in a folder and those below it, or the one file.

    Raises
    ------
    DatasetError
        When there is none, or a folder cannot be looked into.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder. Expected one with EEG files ({', '.join(SUFFIXES)}).")
    paths, faults = files_below(root, SUFFIXES, folders=".mff")
    if faults:
        raise DatasetError(faults[0])
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    if not paths:
        raise DatasetError(f"{root}: expected EEG files ({', '.join(SUFFIXES)}), found none. Convert the recordings "
                           f"to one of these, EDF for example.")
    return paths


def open_raw(path: Path) -> mne.io.BaseRaw:
    """A recording of MNE, its signals still in the file.

    Raises
    ------
    DatasetError
        When the file is damaged or MNE cannot read it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if path.suffix.lower() == ".set":
                _check_set(path)
            if path.suffix.lower() == ".fif":
                _check_fif(path)
            return mne.io.read_raw(path, preload=False, verbose="error")
        except DatasetError:
            raise
        except PermissionError as error:
            raise DatasetError(unreadable(error.filename or path, error)) from None
        except Exception as error:  # MNE raises what its parts raise
            raise DatasetError(f"{path}: MNE cannot read it: {type(error).__name__}: {error!s:.200}. Get the file "
                               f"again, or take it away.") from error


def _check_set(path: Path) -> None:
    """A damaged .set file can end the process that reads it; one of version 7.3 is read in another way."""
    with path.open("rb") as file:
        if file.read(10) == b"MATLAB 7.3":
            return
    for _ in walk(path, lambda name: True, lambda keys: False):
        pass


def _check_fif(path: Path) -> None:
    """A damaged .fif file can make MNE go in circles: each tag must lead on to one behind it."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at >= 0 and at < size:
            file.seek(at)
            _, _, n_bytes, following = struct.unpack(">4i", file.read(16))
            after = at + 16 + n_bytes if following == 0 else following
            if n_bytes < 0 or at + 16 + n_bytes > size or 0 <= after <= at:
                raise DatasetError(f"{path}: expected a whole FIF file, found one that is damaged or cut off at byte "
                                   f"{at}. Get the file again, or take it away.")
            at = after


def _is_edf(path: Path) -> bool:
    """Those are read by their own module, which knows signals of several rates and damaged headers."""
    return path.suffix.lower() in (".edf", ".bdf")


@in_words
def identify(path: Path, root: Path, ch_names=None) -> Recording:
    """What a file's name and header say, before its signals are read.

    ``sub-``, ``ses-`` (a number) and ``task-`` are as in BIDS; else the person is the first folder below `root`, or
    the file itself, and the label is "unlabelled". Only `ch_names` (None: all) must be sound.

    Raises
    ------
    DatasetError
        When the file cannot be read, or names no electrode, or one twice.
    """
    inside = path.relative_to(root) if path != root else Path(path.name)
    entities = dict(ENTITY.findall(path.name))
    stem = inside.parts[0] if len(inside.parts) > 1 else re.sub(r"(\.fif)?\.[^.]+$", "", path.name)
    session = entities.get("ses", "1")
    if _is_edf(path):
        header = read_header(path)
        electrodes = _electrodes(path, header.labels)
        asked = electrodes if ch_names is None else electrodes.keys() & set(ch_names)
        check_labels(path, header, [electrodes[name] for name in asked])
        sfreq = header.sfreq(next(iter(electrodes.values())))
    else:
        raw = open_raw(path)
        electrodes, sfreq = _electrodes(path, raw.ch_names), float(raw.info["sfreq"])
    if not 0 < sfreq < MAX_SFREQ:
        raise DatasetError(f"{path}: expected a rate below {MAX_SFREQ:g} Hz, found {sfreq:g}. A damaged file: get it "
                           f"again.")
    return Recording(path, inside.as_posix(), entities.get("sub", stem),
                     int(session) if session.isdecimal() and int(session) >= 1 else 1,
                     entities.get("task", "unlabelled"), electrodes, sfreq)


def _electrodes(path: Path, names) -> dict[str, str]:
    """Today's name of each electrode, and what the file calls it."""
    places = set(standard_montage().ch_names)
    found: dict[str, str] = {}
    for name in names:
        today = standard_name(REFERENCE.sub("", name.strip()))
        if today not in places:
            continue
        if today in found:
            raise DatasetError(f"{path}: {found[today]!r} and {name!r} are one electrode. Take one of them out.")
        found[today] = name
    if not found:
        raise DatasetError(f"{path}: none of its channels is an electrode of the 10-05 system (such as Fz, T7): "
                           f"{', '.join(names)[:200]}. Rename them.")
    return found


def load(recording: Recording, ch_names: list[str], sfreq: float) -> np.ndarray:
    """Signals of some electrodes, resampled where the rate is another one; float32, microvolt.

    Raises
    ------
    DatasetError
        When the signals cannot be read, are not finite or cannot be in microvolt.
    """
    path, names = recording.path, [recording.electrodes[name] for name in ch_names]
    values = read_edf(path, names)[0] if _is_edf(path) else _raw_values(path, names)
    if not values.shape[1]:
        raise DatasetError(f"{path}: no samples. Take the file away.")
    values = eeg_signal(values, ch_names, str(path))
    return resample(values, recording.sfreq, sfreq).astype(np.float32, copy=False)


def _raw_values(path: Path, names: list[str]) -> np.ndarray:
    raw = open_raw(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return raw.pick(names).get_data(picks=names) * 1e6
        except Exception as error:
            raise DatasetError(f"{path}: MNE cannot read its signals: {type(error).__name__}: {error!s:.200}. Get the "
                               f"file again, or take it away.") from error
