"""Files: written whole or not at all, locked, told apart by a digest; what the system refuses, said in one sentence."""

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path

from filelock import FileLock, Timeout

NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_ROOM = {errno.EFBIG: "Raise the limit on the size of files (ulimit -f)", errno.ENOSPC: "Make room on that disk",
           errno.EDQUOT: "Make room on that disk"}


@contextmanager
def one_move(path: Path, shared: bool = False) -> Iterator[Path]:
    """Give a temporary name to write a file under; when the block ends the file gets its own name, in one step.

    So nobody ever reads half a file, and the old file stays until the new one is whole. When writing fails, what was
    written is deleted.

    Parameters
    ----------
    path : Path
    shared : bool
        Whether several processes may write this file at the same time. Each then has a temporary name of its own;
        otherwise the name is always the same, so that what a killed process left behind is replaced.

    Yields
    ------
    Path
        In the same folder, hidden.
    """
    own = f"{uuid.uuid4().hex}." if shared else ""
    partial = path.with_name(f".{path.name}.{own}partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink()


def save_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write text as it is, line ends included, in one move."""
    with one_move(path) as partial:
        partial.write_text(text, encoding=encoding, newline="")
    return path


def save_bytes(path: Path, content) -> None:
    """Write bytes in one move and wait until the disk has them; the folder is made when missing.

    Raises
    ------
    OSError
        When the system refuses, a full disk for example: the file, why, and what to do.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with one_move(path) as partial, partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        why, advice = (error.strerror or str(error)).lower(), NO_ROOM.get(error.errno, "See to it")
        raise OSError(f"{path}: cannot be written: {why}. {advice}, then run the same command again: what is finished "
                      f"is kept.") from error


def take_lock(path: Path, busy: Exception) -> FileLock:
    """Lock a file, so that no other process can; raise `busy` where another process has done so.

    The system unlocks it when this process ends, however it ends.
    """
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise busy from None
    return lock


def digest(*parts) -> str:
    """Return the SHA-256 of text and bytes (arrays, too), one after the other, in hexadecimal."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode() if isinstance(part, str) else part)
    return found.hexdigest()


def unreadable(path, error: OSError) -> str:
    """Say in one sentence that a file or folder cannot be read.

    Parameters
    ----------
    path : path
        The file or folder.
    error : OSError
        Raised when it was read.

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
    """Decorate a function so that it raises a `DatasetError` with the path where a file or folder cannot be read.

    Parameters
    ----------
    function : callable
        One of its arguments is a path, which the message names when the system's error names none. It must not be a
        generator, whose body would run outside of this function.
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
