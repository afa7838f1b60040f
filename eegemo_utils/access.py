"""Files and folders that the system does not give: found by their names, said in one sentence."""

import errno
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path

NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


def unreadable(path, error: OSError) -> str:
    """Say of a file or folder to be read that the system does not give it.

    Parameters
    ----------
    path : path
        What was asked for.
    error : OSError
        What came instead.

    Returns
    -------
    str
        Which path, what was expected, what was found, what to do.
    """
    kind = "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else "path"
    found = (error.strerror or str(error) or type(error).__name__).lower()
    remedy = "Get it again" if isinstance(error, FileNotFoundError) else "Give yourself the right to read it"
    return f"{path}: expected a {kind} that can be read, found: {found}. {remedy}, or take it away."


def in_a_sentence(error: OSError) -> str:
    """Return an error of the system as a sentence: which path, what was found, what to do."""
    found = error.strerror or str(error) or type(error).__name__
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in NO_RIGHT:
        return f"{place}cannot be read or written ({found}). Give another folder, or give yourself the right to it."
    return f"{place}{found}"


def in_words(function: Callable) -> Callable:
    """Let a function raise a `DatasetError` that names the path where the system does not give it (a decorator).

    Parameters
    ----------
    function : callable
        One of its arguments is a path, which is named when the system's error names none. No generator: it would run
        only after this.
    """
    @wraps(function)
    def wrapped(*arguments, **options):
        try:
            return function(*arguments, **options)
        except OSError as error:
            from eegemo_utils.trials import DatasetError  # late: MNE

            given = (argument for kind in (os.PathLike, str) for argument in arguments if isinstance(argument, kind))
            raise DatasetError(unreadable(error.filename or next(given, "a file"), error)) from None
    return wrapped


def files_below(root: Path, endings, folders=()) -> tuple[list[Path], list[str]]:
    """Return the files under a folder by the ends of their names, in small or capital letters, without hidden ones.

    Parameters
    ----------
    root : path
        Folder, searched with its sub-folders.
    endings : str or tuple of str
        Such as ".csv".
    folders : str or tuple of str
        Folders with such names count as files: some kinds of recordings are folders.

    Returns
    -------
    paths : list of Path
        Sorted.
    faults : list of str
        One sentence for each folder that cannot be looked into.
    """
    faults: list[str] = []
    paths = []
    for folder, inner, names in os.walk(root, onerror=lambda error: faults.append(unreadable(error.filename, error))):
        names += [name for name in inner if name.lower().endswith(folders)]
        inner[:] = [name for name in inner if name not in names]
        paths += [Path(folder) / name for name in names
                  if name.lower().endswith(endings) and not name.startswith(".")]
    return sorted(paths), faults
