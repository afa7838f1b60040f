"""Files of a corpus reach the disk whole or not at all, and a disk that refuses is told in one line."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from eegemo_utils.datasets.common import one_move


def write_whole(path: Path, content) -> None:
    """Write a file in one move, its folder made when missing.

    Parameters
    ----------
    path : Path
    content : bytes-like

    Raises
    ------
    OSError
        When the system refuses, a full disk for example: the file, why, and what to do. What was written of it is gone.
    """
    partial = path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with one_move(path) as partial, partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if partial != path:
            with suppress(OSError):
                partial.unlink()
        raise OSError(_in_words(path, error)) from error


def _in_words(path: Path, error: OSError) -> str:
    advice = {errno.EFBIG: "Raise the limit on the size of files (ulimit -f)", errno.ENOSPC: "Make room on that disk",
              errno.EDQUOT: "Make room on that disk"}.get(error.errno, "See to it")
    why = (error.strerror or str(error)).lower()
    return f"{path}: cannot be written: {why}. {advice}, then run the same command again: what is finished is kept."
