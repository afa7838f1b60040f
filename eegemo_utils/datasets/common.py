"""What the readers of folders share: which people are asked for, what a folder says of itself."""

import re
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.files import in_words, save_text
from eegemo_utils.files import one_move as one_move  # for the readers
from eegemo_utils.trials import DatasetError, Trials, check_microvolts

DESCRIPTION = "DESCRIPTION.txt"  # what written recordings are, so that simulated ones stay known as such
MADE = ".simulated.json"  # from what: see `simulating.write_once`


def pick_subjects(root, known, subjects) -> list[str]:
    """Return the people to read: all known ones, or those asked for, in the order of `known`.

    Parameters
    ----------
    root : path
        For the message.
    known : sequence of str
        People whose files the folder holds.
    subjects : sequence of str or int, or one of these, or None
        A number stands for the one person whose name has it: 1 for s01.

    Raises
    ------
    DatasetError
        When somebody asked for is not known, or a number stands for nobody or for several: says who is known. When
        `subjects` is empty.
    """
    if subjects is None:
        return list(known)
    asked = [subjects] if isinstance(subjects, str | Integral) else list(subjects)
    if not asked:
        raise DatasetError(f"{root}: subjects is an empty list. Leave it out to read all people: {', '.join(known)}.")
    chosen = set()
    for one in asked:
        named = [name for name in known if _is_called(name, one)]
        if len(named) > 1:
            raise DatasetError(f"{root}: the number {one} stands for {' and '.join(named)}. Give the name.")
        if not named:
            text = "" if isinstance(one, str) else f" Names are text, such as {known[0]!r}."
            raise DatasetError(f"{root}: no files of {one}; there are {', '.join(known)}.{text}")
        chosen.update(named)
    return [subject for subject in known if subject in chosen]


def _is_called(name: str, asked) -> bool:
    """Return whether a person's name is `asked`, or has exactly this number in it."""
    if isinstance(asked, Integral) and not isinstance(asked, bool):
        return [int(digits) for digits in re.findall(r"\d+", name)] == [asked]
    return name == asked


@in_words
def read_description(root, otherwise: str) -> tuple[str, bool]:
    """What a folder says of itself, and whether `prepare_folder` made it say so.

    A file, or a folder inside the one that was written, is what that one says where it says "simulated": simulated
    recordings must not lose that word when somebody names a part of them.
    """
    path = Path(root) / DESCRIPTION
    if path.is_file():
        return path.read_text(encoding="utf-8", errors="replace").strip() or otherwise, True
    for folder in Path(root).absolute().parents[:3]:
        if (folder / DESCRIPTION).is_file():
            text = (folder / DESCRIPTION).read_text(encoding="utf-8", errors="replace").strip()
            return (text, True) if text.startswith("simulated") else (otherwise, False)
    return otherwise, False


def prepare_folder(root, text: str, present, mine) -> None:
    """Make a folder ready to be written into, and put into it what its recordings are.

    Parameters
    ----------
    root : path
        Folder, made when missing.
    text : str
        Description of the recordings.
    present, mine : collection of path
        The dataset's files in the folder now; files that will be written.

    Raises
    ------
    DatasetError
        When other recordings lie there, which would be read together with these, or the originals might; when
        anything lies there that was not written with the same description, and would be taken for simulated.
    """
    root = Path(root)
    path = root / DESCRIPTION
    if root.exists() and not root.is_dir():
        raise DatasetError(f"{root}: is a file. Give a folder.")
    own = path.is_file() and path.read_text(encoding="utf-8", errors="replace").strip() == text.strip()
    others = set(present) - set(mine) if own else set(present)
    if others:
        raise DatasetError(f"{root}: holds other recordings ({min(others).relative_to(root).as_posix()}, ...), which "
                           f"would be read together with these or replaced. Give a new folder.")
    files = [] if own or not root.exists() else sorted(file.name for file in root.iterdir() if file.name[0] != ".")
    if files:
        raise DatasetError(f"{root}: holds other files ({files[0]}, ...), which would be called {text!r} from then on. "
                           f"Give a new folder.")
    root.mkdir(parents=True, exist_ok=True)
    (root / MADE).unlink(missing_ok=True)  # from now on it may not be true
    save_text(path, text + "\n")


def eeg_signal(values: np.ndarray, names, where: str) -> np.ndarray:
    """One trial's EEG as float32, found to be finite and in microvolt.

    Parameters
    ----------
    values : ndarray, shape (n_chans, n_times)
        Numbers of any kind.
    names : sequence of str
        Channels, for the message.
    where : str
        File and trial, for the message.

    Raises
    ------
    DatasetError
        When a value is not finite (or too large for float32), or the unit cannot be microvolt.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        signal = values.astype(np.float32)
    finite = np.isfinite(signal).all(axis=1)
    if not finite.all():
        raise DatasetError(f"{where}: values of {names[int(np.argmin(finite))]} are not finite. Get the file again, "
                           f"or take it away.")
    check_microvolts(signal, where)
    return signal


def stored_features(values, n_rows: int, n_bands: int, where: str) -> np.ndarray:
    """One trial's features as they lie in MATLAB files, windows first, as float32, found to be finite.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_windows, n_bands)
        Or whatever else was found.
    n_rows, n_bands : int
        As expected.
    where : str
        File and trial, for the message.

    Returns
    -------
    ndarray, shape (n_windows, n_rows, n_bands), float32

    Raises
    ------
    DatasetError
        When the shape is another, there is no window, or a value is no finite number.
    """
    array = isinstance(values, np.ndarray)
    if not array or values.ndim != 3 or values.shape[::2] != (n_rows, n_bands) or values.dtype.kind not in "fiu" \
            or not values.size:
        found = f"{values.dtype} of shape {values.shape}" if array else type(values).__name__
        raise DatasetError(f"{where}: expected numbers of shape ({n_rows}, windows, {n_bands}), found {found}. Get the "
                           f"file again.")
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.ascontiguousarray(values.transpose(1, 0, 2), dtype=np.float32)
    if not np.isfinite(values).all():
        raise DatasetError(f"{where}: values that are not finite. Get the file again, or take it away.")
    return values


def window_rows(table: pd.DataFrame, lengths: list[int]) -> pd.DataFrame:
    """Each trial's row as often as it has windows; the fourth column is window (0, 1, ... in the trial)."""
    rows = table.loc[table.index.repeat(lengths)]
    rows.insert(3, "window", np.concatenate([np.arange(length) for length in lengths]))
    return rows


def places_of(names, trials: Trials, sfreq: float, where: str) -> list[int]:
    """Where electrodes stand in trials that are to be written.

    Raises
    ------
    DatasetError
        When one is missing or the rate is not `sfreq`; begins with `where`, the folder and the dataset.
    """
    have = trials.info["ch_names"]
    missing = [name for name in names if name not in have]
    if missing or trials.info["sfreq"] != sfreq:
        raise DatasetError(f"{where} needs its {len(names)} electrodes at {sfreq:g} Hz; found "
                           f"{trials.info['sfreq']:g} Hz, missing: {', '.join(missing) or 'nothing'}")
    return [have.index(name) for name in names]
