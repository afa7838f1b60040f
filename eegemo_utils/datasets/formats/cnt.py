"""Neuroscan .cnt files: MNE reads them, after their header was found to fit the file; written byte by byte.

Layout (little-endian): a header of 900 bytes, 75 bytes for each channel, samples as integers of 16 or 32 bits (all
channels of the first sample, then of the second ...), a table of events. MNE trusts what the header says of sizes
(mne-python 1.13, mne/io/cnt/_utils.py), so a damaged one could cost any time and memory. Names and birthdays in the
header are never looked at.
"""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np

from eegemo_utils.datasets.common import one_move
from eegemo_utils.files import unreadable
from eegemo_utils.trials import DatasetError

HEADER, CHANNEL, EVENTS = 900, 75, 9  # bytes
N_CHANS, RATE, N_TIMES, EVENT_TABLE, BLOCK = 370, 376, 864, 886, 894  # where they stand
EVENT_BYTES = {1: 8, 2: 19, 3: 19}
LARGEST = 2_000_000_000  # bytes; above, a header has no room for the place of the events
MICROVOLT = 0.001  # of a written count
UNIT = 204.8  # a count is sensitivity x calibration / 204.8 microvolt


@dataclass(frozen=True)
class Header:
    """What a file says of itself: names of its channels, samples a second, samples of each channel."""

    ch_names: tuple[str, ...]
    sfreq: float
    n_times: int


def read_header(path) -> Header:
    """Read and check the header.

    Raises
    ------
    DatasetError
        When the file is missing, of another kind, cut off, or its sizes do not fit one another.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start, size = file.read(HEADER), path.stat().st_size
            if len(start) < HEADER or not start.startswith(b"Version 3"):
                raise DatasetError(f"{path}: expected a Neuroscan .cnt file (Version 3), found {size} bytes that start "
                                   f"with {start[:12]!r}. Get the file anew, or take it away.")
            n_chans, sfreq = (struct.unpack_from("<H", start, place)[0] for place in (N_CHANS, RATE))
            n_times, table, block = (struct.unpack_from("<i", start, place)[0]
                                     for place in (N_TIMES, EVENT_TABLE, BLOCK))
            data = HEADER + CHANNEL * n_chans
            _check_sizes(path, size, n_chans, n_times, data, table, block)
            channels = file.read(CHANNEL * n_chans)
            file.seek(table)
            _check_events(path, file.read(EVENTS), size - table - EVENTS)
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from None
    names = [channels[place:place + 10].split(b"\0")[0] for place in range(0, len(channels), CHANNEL)]
    return Header(tuple(name.decode("latin1").strip() for name in names), float(sfreq), n_times)


def _check_sizes(path: Path, size: int, n_chans: int, n_times: int, data: int, table: int, block: int) -> None:
    if size >= LARGEST:
        raise DatasetError(f"{path}: a .cnt file of {size} bytes, expected less than {LARGEST}: the header has no room "
                           f"for larger ones. Cut it with the maker's program.")
    width = (table - data) / (n_chans * n_times) if n_chans and n_times > 0 else 0
    if width not in (2, 4) or not 0 <= block <= 4096:
        raise DatasetError(f"{path}: expected a header that fits its samples, found {n_chans} channels, {n_times} "
                           f"samples, blocks of {block} bytes and {table - data} bytes of samples. A damaged file: get "
                           f"it anew.")
    if table + EVENTS > size:
        raise DatasetError(f"{path}: expected {table + EVENTS} bytes at least, found {size}: the file is cut off. Get "
                           f"it anew.")


def _check_events(path: Path, table: bytes, left: int) -> None:
    kind, n_bytes = struct.unpack_from("<Bi", table)
    if kind not in EVENT_BYTES or not 0 <= n_bytes <= left or n_bytes % EVENT_BYTES[kind]:
        raise DatasetError(f"{path}: expected a table of events of kind 1, 2 or 3, found kind {kind} and {n_bytes} "
                           f"bytes, {left} bytes before the end. A damaged file: get it anew.")


def read_spans(path, places, spans) -> tuple[list[np.ndarray], list[str]]:
    """Read stretches of some channels, one at a time.

    Parameters
    ----------
    path : path
        A file whose header was read.
    places : sequence of int
        Of the channels in the file.
    spans : sequence of (int, int)
        First and one-past-last sample.

    Returns
    -------
    signals : list of ndarray, each (n_channels, n_samples), float32
        Microvolt.
    bads : list of str
        Those of the channels that the header marks as bad.

    Raises
    ------
    DatasetError
        When MNE cannot read the file.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of dates, positions, annotations: none is taken
        try:
            raw = mne.io.read_raw_cnt(path, verbose="error")
            bads = [raw.ch_names[place] for place in places if raw.ch_names[place] in raw.info["bads"]]
            return [(raw.get_data(list(places), *span) * 1e6).astype(np.float32) for span in spans], bads
        except Exception as error:  # what damaged bytes raise in MNE has no end
            raise DatasetError(f"{path}: expected a whole Neuroscan .cnt file, found one that is damaged "
                               f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''!s:.120}). "
                               f"Get the file anew.") from error


def write_cnt(path, signals: np.ndarray, ch_names, sfreq: float) -> Path:
    """Write a file, in one move: 32-bit integers of 0.001 microvolt, no events, an invented date.

    Parameters
    ----------
    path : path
    signals : ndarray, shape (n_chans, n_times)
        Microvolt, below 2e6.
    ch_names : sequence of str
        Up to nine letters each.
    sfreq : float
        A whole number.
    """
    path, n_chans, n_times = Path(path), *signals.shape
    header = bytearray(HEADER + CHANNEL * n_chans)
    table = len(header) + 4 * n_chans * n_times
    header[:11] = b"Version 3.0"
    header[225:233], header[235:243] = b"01/01/20", b"12:00:00"
    for place, value in ((N_CHANS, n_chans), (RATE, int(sfreq))):
        struct.pack_into("<H", header, place, value)
    for place, value in ((N_TIMES, n_times), (EVENT_TABLE, table), (BLOCK, 0)):
        struct.pack_into("<i", header, place, value)
    for number, name in enumerate(ch_names):
        start, angle = HEADER + CHANNEL * number, 2 * np.pi * number / n_chans
        header[start:start + len(name)] = name.encode("ascii")
        struct.pack_into("<2f", header, start + 19, np.cos(angle), np.sin(angle))  # MNE fits a sphere through them
        struct.pack_into("<f", header, start + 59, 1.0)
        struct.pack_into("<f", header, start + 71, MICROVOLT * UNIT)
    with one_move(path) as partial, partial.open("wb") as file:
        file.write(header)
        for start in range(0, n_times, 100_000):  # at most 50 MB of copies
            counts = np.rint(signals[:, start:start + 100_000].T.astype(np.float64) / MICROVOLT)
            file.write(np.ascontiguousarray(counts, dtype="<i4"))
        file.write(struct.pack("<Bii", 1, 0, 0))
    return path
