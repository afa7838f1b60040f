"""Single files of DEAP: what they are called, what is in them, how Python 2 pickled them."""

import os
import re
import struct
from pathlib import Path

import numpy as np

from eegemo_utils.datasets.common import DESCRIPTION, eeg_signal
from eegemo_utils.datasets.mat import load_mat, save_mat
from eegemo_utils.pickles import load_pickle
from eegemo_utils.trials import DatasetError

SUBJECTS = tuple(f"s{number:02d}" for number in range(1, 33))
FOLDERS = {"dat": "data_preprocessed_python", "mat": "data_preprocessed_matlab"}
FILE_NAME = re.compile(r"(s\d\d)\.(dat|mat)")
GENEVA = ("Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz",
          "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2")
PERIPHERAL = ("hEOG", "vEOG", "zEMG", "tEMG", "GSR", "Resp", "Plet", "Temp")
RATINGS = ("valence", "arousal", "dominance", "liking")
SFREQ, BASELINE_SECONDS = 128.0, 3.0
SHAPE = (40, 40, 8064)  # videos, 32 EEG and 8 other signals, 63 s
LOWEST, HIGHEST = 1.0, 9.0


def find(root: Path) -> tuple[dict[str, Path], list[str]]:
    """A file for each person, and what was decided about the other files.

    Raises
    ------
    DatasetError
        When there is no folder or no such file.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder. Expected the one with s01.dat ... s32.dat (or .mat).")
    folders = [folder for folder in (root, *(root / name for name in FOLDERS.values())) if folder.is_dir()]
    paths = [path for folder in folders for path in sorted(folder.iterdir())
             if path.is_file() and not path.name.startswith(".") and path.name != DESCRIPTION]
    named = [path for path in paths if _subject(path)]
    others = [path.name for path in paths if path not in named]
    if not named:
        found = f"{len(others)} other files ({others[0]}, ...)" if others else "no file"
        raise DatasetError(f"{root}: expected s01.dat ... s32.dat (or .mat), in it or in "
                           f"{' or '.join(FOLDERS.values())}; found {found}. Give the preprocessed release.")
    chosen: dict[str, Path] = {}
    for path in sorted(named, key=lambda path: (path.suffix, path.name)):  # .dat before .mat
        chosen.setdefault(_subject(path), path)
    decisions = [f"{len(others)} other files ignored: {', '.join(others)[:200]}"] * bool(others)
    twice = len(named) - len(chosen)
    if twice:
        decisions.append(f"{twice} people have more than one file (the two forms hold the same): .dat is read")
    return dict(sorted(chosen.items())), decisions


def _subject(path: Path) -> str | None:
    match = FILE_NAME.fullmatch(path.name)
    return match[1] if match and match[1] in SUBJECTS else None


def load(path: Path, strict: bool = True) -> tuple[list[np.ndarray], np.ndarray]:
    """Read one person.

    Parameters
    ----------
    path : Path
    strict : bool
        Expect the full shape of the release; simulated files may hold fewer and shorter trials.

    Returns
    -------
    signals : list of ndarray, each (32, n_times), float32
        Microvolt, in the order of GENEVA.
    ratings : ndarray, shape (n_trials, 4)

    Raises
    ------
    DatasetError
        When the file is damaged, has other contents or shapes, or holds values that cannot be.
    """
    parts = load_pickle(path) if path.suffix == ".dat" else load_mat(path, ["data", "labels"])
    data, ratings = _arrays(path, parts)
    _check_shapes(path, data, ratings, strict)
    bad = ~((ratings >= LOWEST) & (ratings <= HIGHEST))
    if bad.any():
        trial, column = np.argwhere(bad)[0]
        raise DatasetError(f"{path}: trial {trial + 1}: expected a rating of {RATINGS[column]} from 1 to 9, found "
                           f"{ratings[trial, column]:g}. A damaged or altered file: get it again.")
    signals = [eeg_signal(trial[: len(GENEVA)], GENEVA, f"{path}, trial {number}")
               for number, trial in enumerate(data, start=1)]
    return signals, ratings


def _arrays(path: Path, parts) -> tuple[np.ndarray, np.ndarray]:
    found = list(parts) if isinstance(parts, dict) else type(parts).__name__
    arrays = [parts.get(name, parts.get(name.encode())) for name in ("data", "labels")] \
        if isinstance(parts, dict) else [None]
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiu" for array in arrays):
        raise DatasetError(f"{path}: expected a dictionary of the arrays data and labels, found {found!s:.100}. "
                           f"Another dataset's file? Give the preprocessed release of DEAP.")
    return arrays[0], arrays[1].astype(np.float64)


def _check_shapes(path: Path, data: np.ndarray, ratings: np.ndarray, strict: bool) -> None:
    n_trials = len(data) if data.ndim else 0
    good = data.shape == SHAPE if strict else (
        data.ndim == 3 and data.shape[1] == SHAPE[1] and 1 <= n_trials <= SHAPE[0]
        and data.shape[2] > BASELINE_SECONDS * SFREQ)
    if not good:
        raise DatasetError(f"{path}: expected data of shape {SHAPE} (videos, signals, samples of 63 s at 128 Hz), "
                           f"found {data.shape}. Give the preprocessed release, not the raw one or an excerpt.")
    if ratings.shape != (n_trials, len(RATINGS)):
        raise DatasetError(f"{path}: expected labels of shape {(n_trials, len(RATINGS))} "
                           f"({', '.join(RATINGS)}), found {ratings.shape}. Get the file again.")


# ---- writing ----

def save(path: Path, signals: list[np.ndarray], ratings: np.ndarray) -> Path:
    """Write one person's file, in one move; the eight signals that are no EEG are zeros."""
    data = np.zeros((len(signals), SHAPE[1], signals[0].shape[1]))
    for row, signal in zip(data, signals):
        row[: len(GENEVA)] = signal
    if path.suffix == ".mat":
        return save_mat(path, {"data": data, "labels": ratings})
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(b"\x80\x02}(")
        _pickle(file, "labels", np.ascontiguousarray(ratings, dtype="<f8"))
        _pickle(file, "data", data)
        file.write(b"u.")
    os.replace(partial, path)
    return path


def _pickle(file, name: str, array: np.ndarray) -> None:
    """A name and a float64 array as Python 2 and its NumPy pickled them, which every Python and NumPy reads."""
    shape = b"(" + b"".join(b"J" + struct.pack("<i", size) for size in array.shape) + b"t"
    file.write(b"U" + bytes([len(name)]) + name.encode())
    file.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R")
    file.write(b"(K\x01" + shape + b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R")
    file.write(b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")
    file.write(b"\x89T" + struct.pack("<i", array.nbytes))
    file.write(array.data)
    file.write(b"tb")
