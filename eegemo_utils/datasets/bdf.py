"""BDF files: EDF with 24-bit numbers, as BioSemi made it (biosemi.com/faq/file_format.htm).

Only what is asked for is read from the file, so that a recording of half a gigabyte costs what its clips cost.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegemo_utils.datasets.edf import SIGNAL_FIELDS
from eegemo_utils.trials import DatasetError

MAGIC = b"\xffBIOSEMI"
DIGITAL = (-(2**23), 2**23 - 1)
START_FIELDS = (("magic", 8), ("patient", 80), ("recording", 80), ("start", 16), ("header_bytes", 8),
                ("reserved", 44), ("n_records", 8), ("record_seconds", 8), ("n_signals", 4))


@dataclass(frozen=True)
class BdfHeader:
    """What the header of a BDF file says; one entry a signal in each tuple, `n_samples` of one record."""

    labels: tuple[str, ...]
    units: tuple[str, ...]
    gains: tuple[float, ...]
    offsets: tuple[float, ...]
    n_samples: tuple[int, ...]
    n_records: int
    record_seconds: float

    def sfreq(self, signal: int) -> float:
        """Samples a second of a signal."""
        return self.n_samples[signal] / self.record_seconds


def read_header(path) -> BdfHeader:
    """Read the header of a BDF file and hold it against the file's size.

    Parameters
    ----------
    path : path

    Returns
    -------
    BdfHeader

    Raises
    ------
    DatasetError
        When this is no BDF, a number is not one, or the file is shorter or longer than its header says.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = dict(_cut(file.read(256), START_FIELDS, 1))
            if start["magic"] != [MAGIC]:
                raise DatasetError(f"{path}: expected a BDF file, which starts with {MAGIC!r}, found "
                                   f"{start['magic'][0]!r}. Get the file again.")
            n_signals = _number(path, start["n_signals"][0], "number of signals", int, 1, 9999)
            columns = dict(_cut(file.read(256 * n_signals), SIGNAL_FIELDS, n_signals))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be opened ({error.strerror or error})") from None
    n_samples = tuple(_number(path, text, "samples in a record", int, 1, 10**7) for text in columns["n_samples"])
    seconds = _number(path, start["record_seconds"][0], "seconds of a record", float, 1e-6, 1e6)
    n_records = _number(path, start["n_records"][0], "number of records", int, -1, 10**9)
    if n_records == -1:  # left open, as a recorder does until it is stopped
        n_records = (size - 256 * (n_signals + 1)) // (3 * sum(n_samples))
    expected = 256 * (n_signals + 1) + 3 * n_records * sum(n_samples)
    if size != expected or n_records < 1:
        raise DatasetError(f"{path}: expected {expected} bytes for {n_records} records of {n_signals} signals, found "
                           f"{size}{' (truncated)' if size < expected else ''}. Get the file again.")
    gains, offsets = _scales(path, columns)
    labels, units = (tuple(field.decode("latin1").strip() for field in columns[name]) for name in ("label", "unit"))
    return BdfHeader(labels, units, gains, offsets, n_samples, n_records, seconds)


def _cut(content: bytes, fields, n_each: int):
    """Name and list of texts of each field; too short a header gives empty texts, which are no numbers."""
    start = 0
    for name, width in fields:
        yield name, [content[start + k * width: start + (k + 1) * width] for k in range(n_each)]
        start += n_each * width


def _number(path: Path, text: bytes, what: str, kind: type, least: float, most: float):
    try:
        value = kind(text.decode("ascii"))
    except ValueError:
        value = math.nan
    if not least <= value <= most:  # nan is in no range
        raise DatasetError(f"{path}: the header's {what}: expected a number from {least:g} to {most:g}, found "
                           f"{text.decode('latin1').strip()!r}. A damaged file: get it again.")
    return value


def _scales(path: Path, columns) -> tuple[tuple[float, ...], tuple[float, ...]]:
    gains, offsets = [], []
    for texts in zip(*(columns[name] for name in ("physical_min", "physical_max", "digital_min", "digital_max"))):
        low, high = (_number(path, text, "physical limits", float, -1e15, 1e15) for text in texts[:2])
        bottom, top = (_number(path, text, "digital limits", int, -(2**24), 2**24) for text in texts[2:])
        if low == high or bottom >= top:
            raise DatasetError(f"{path}: the limits of each signal must differ, found {low:g} to {high:g} for "
                               f"{bottom} to {top}. A damaged file: get it again.")
        gains.append((high - low) / (top - bottom))
        offsets.append(low - bottom * gains[-1])
    return tuple(gains), tuple(offsets)


def read_bdf(path, header: BdfHeader, signals, start: int, stop: int) -> np.ndarray:
    """Read a stretch of some signals.

    Parameters
    ----------
    path : path
    header : BdfHeader
        Of this file.
    signals : sequence of int
        Places in ``header.labels``; all of one rate.
    start, stop : int
        Samples; within the recording.

    Returns
    -------
    ndarray, shape (n_signals, stop - start), float64
        In each signal's own unit.
    """
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
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(MAGIC + header[8:] + triples.transpose(1, 0, 2, 3).tobytes())
    os.replace(partial, path)
    return path
