"""The event files of TUEV: a line for each event and channel, ``channel,start,stop,code``, without header."""

from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.files import unreadable
from eegemo_utils.trials import DatasetError, shown

LABELS = ("spsw", "gped", "pled", "eyem", "artf", "bckg")  # codes 1-6
BEFORE_SECONDS, WINDOW_SECONDS = 2.0, 5.0


def read_events(path) -> pd.DataFrame:
    """Events of a .rec file: channel (0-21), start, stop (seconds), code (1-6); a row a line.

    Raises
    ------
    DatasetError
        When a line has not four numbers, stops before it starts, or the code is none of 1-6. Says which line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="latin1").replace("\r\n", "\n").rstrip("\n").split("\n")
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from None
    rows = [_event(path, number, line) for number, line in enumerate(lines, start=1)] if lines != [""] else []
    return pd.DataFrame(rows, columns=["channel", "start", "stop", "code"]).astype(
        {"channel": int, "start": float, "stop": float, "code": int})


def cut_off(path: Path) -> bool:
    """Whether a file ends within a line, so that more lines, or digits of the last one, may be missing."""
    with path.open("rb") as file:
        return file.read()[-1:] not in (b"", b"\n")


def groups_of(firsts: np.ndarray, width: int, n_times: int) -> np.ndarray:
    """Number (from 1) of the group that each window is in: windows that share samples, also through others.

    Parameters
    ----------
    firsts : ndarray of int, shape (n_windows,)
        First sample; windows go on at the other end of the recording.
    width, n_times : int
        Samples of a window, and of the recording.
    """
    linked = np.zeros(n_times, bool)  # a sample with the one after it, by a window that holds both
    for first in np.unique(firsts):
        linked[np.arange(first, first + width - 1) % n_times] = True
    run = np.concatenate([[0], np.cumsum(~linked[:-1])])
    if linked[-1]:
        run[run == run[-1]] = 0
    return pd.factorize(run[firsts % n_times])[0] + 1


def _event(path: Path, number: int, line: str) -> tuple:
    fields = line.split(",")
    try:
        channel, start, stop, code = int(fields[0]), float(fields[1]), float(fields[2]), int(float(fields[3]))
        fits = len(fields) == 4 and 0 <= channel < 1000 and 0 <= start < stop < 1e7 and 1 <= code <= len(LABELS)
    except (ValueError, IndexError, OverflowError):
        fits = False
    if not fits:
        raise DatasetError(f"{path}: line {number}: expected channel,start,stop,code with 0 <= start < stop and a code "
                           f"from 1 to 6, found '{shown(line, 60)}'. Get the file again.")
    return channel, start, stop, code
