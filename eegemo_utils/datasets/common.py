"""What the readers of folders share: which people are asked for, what a folder says of itself."""

import os
from pathlib import Path

import numpy as np

from eegemo_utils.trials import DatasetError, check_microvolts

DESCRIPTION = "DESCRIPTION.txt"  # what written recordings are, so that simulated ones stay known as such


def pick_subjects(root, known, subjects) -> list[str]:
    """People to read: all known ones, or those asked for in the order of `known`.

    Parameters
    ----------
    root : path
        For the message.
    known : sequence of str
        People whose files the folder holds.
    subjects : sequence of str or None

    Raises
    ------
    DatasetError
        When somebody asked for is not known: says who is. When `subjects` is empty.
    """
    if subjects is None:
        return list(known)
    asked = [subjects] if isinstance(subjects, str) else list(subjects)
    unknown = [subject for subject in asked if subject not in known]
    if unknown or not asked:
        raise DatasetError(f"{root}: no files of {', '.join(map(str, unknown)) or 'nobody'}; "
                           f"there are {', '.join(known)}")
    return [subject for subject in known if subject in asked]


def read_description(root, otherwise: str) -> tuple[str, bool]:
    """What a folder says of itself, and whether `prepare_folder` made it say so."""
    path = Path(root) / DESCRIPTION
    if not path.is_file():
        return otherwise, False
    return path.read_text(encoding="utf-8", errors="replace").strip() or otherwise, True


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
        When other recordings lie there, which would be read together with these, or the originals might.
    """
    path = Path(root) / DESCRIPTION
    others = set(present) - set(mine) if path.is_file() else set(present)
    if others:
        raise DatasetError(f"{root}: holds other recordings ({min(others).relative_to(root).as_posix()}, ...), which "
                           f"would be read together with these or replaced. Give a new folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{DESCRIPTION}.partial")
    partial.write_text(text + "\n", encoding="utf-8", newline="\n")
    os.replace(partial, path)


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
