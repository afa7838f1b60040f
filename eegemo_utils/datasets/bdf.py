"""BDF files: EDF with 24-bit numbers, as BioSemi made it (biosemi.com/faq/file_format.htm).

Only what is asked for is read from the file, so that a recording of half a gigabyte costs what its clips cost.
"""

from pathlib import Path

import numpy as np

from eegemo_utils.access import in_words
from eegemo_utils.datasets import edf_header
from eegemo_utils.datasets.common import one_move
from eegemo_utils.datasets.edf_header import MAGIC, SIGNAL_FIELDS, START_FIELDS, EdfHeader
from eegemo_utils.trials import DatasetError

DIGITAL = (-(2**23), 2**23 - 1)


def read_header(path) -> EdfHeader:
    """`edf_header.read_header` of a BDF file; DatasetError also for an EDF."""
    header = edf_header.read_header(path)
    if header.sample_bytes != 3:
        raise DatasetError(f"{path}: expected a BDF file, which starts with {MAGIC!r}, found an EDF. Get the file "
                           f"again.")
    return header


@in_words
def read_bdf(path, header: EdfHeader, signals, start: int, stop: int) -> np.ndarray:
    """Read a stretch of some signals.

    Parameters
    ----------
    path : path
    header : EdfHeader
        Of this file.
    signals : sequence of int
        Places in ``header.labels``; all of one rate.
    start, stop : int
        Samples; within the recording.

    Returns
    -------
    ndarray, shape (n_signals, stop - start), float64
        In each signal's own unit.

    Raises
    ------
    DatasetError
        When one of the signals has limits that make no sense.
    """
    if fault := header.fault(signals):
        raise DatasetError(fault)
    size = header.n_samples[signals[0]]
    first, last = start // size, -(-stop // size)
    row = 3 * sum(header.n_samples)
    with Path(path).open("rb") as file:
        file.seek(256 * (len(header.labels) + 1) + first * row)
        records = np.frombuffer(file.read((last - first) * row), np.uint8).reshape(last - first, row)
    values = np.empty((len(signals), stop - start))
    for place, signal in enumerate(signals):
        begin = 3 * sum(header.n_samples[:signal])
        triples = records[:, begin: begin + 3 * size].reshape(-1, 3)[start - first * size: stop - first * size]
        high = triples[:, 2].astype(np.int8).astype(np.int32)  # the sign is in the last byte
        numbers = triples[:, 0] | triples[:, 1].astype(np.int32) << 8 | high << 16
        values[place] = numbers * header.gains[signal] + header.offsets[signal]
    return values


def write_bdf(path, signals: np.ndarray, labels, sfreq: int, unit: str, limit: float) -> Path:
    """Write signals of one rate as a BDF of records of one second, in one move.

    Parameters
    ----------
    path : path
        Its folder must exist.
    signals : ndarray, shape (n_signals, n_seconds * sfreq)
    labels : sequence of str
    sfreq : int
    unit : str
        Of all signals.
    limit : float
        Largest number of that unit; larger ones are cut off, as an amplifier does.

    Returns
    -------
    Path
    """
    path, n_signals = Path(path), len(signals)
    low, high = f"{-limit:.8g}"[:8], f"{limit:.8g}"[:8]
    n_records = signals.shape[1] // sfreq
    gain = (float(high) - float(low)) / (DIGITAL[1] - DIGITAL[0])
    numbers = np.rint((signals - float(low)) / gain).clip(0, DIGITAL[1] - DIGITAL[0]).astype(np.int32) + DIGITAL[0]
    triples = numbers.astype("<i4").view(np.uint8).reshape(n_signals, n_records, sfreq, 4)[..., :3]
    start = ("", "X X X X", "Startdate X X X X", "01.01.0100.00.00", 256 * (n_signals + 1), "24BIT", n_records, 1,
             n_signals)
    columns = (labels, [""] * n_signals, [unit] * n_signals, [low] * n_signals, [high] * n_signals,
               [DIGITAL[0]] * n_signals, [DIGITAL[1]] * n_signals, [""] * n_signals, [sfreq] * n_signals,
               [""] * n_signals)
    texts = [(text, width) for text, (_, width) in zip(start, START_FIELDS)]
    texts += [(text, width) for column, (_, width) in zip(columns, SIGNAL_FIELDS) for text in column]
    header = b"".join(str(text).encode("latin1").ljust(width) for text, width in texts)
    with one_move(path) as partial:
        partial.write_bytes(MAGIC + header[8:] + triples.transpose(1, 0, 2, 3).tobytes())
    return path
