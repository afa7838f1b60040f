"""EDF files: write them byte for byte, read named signals out of them; headers are read by `edf_header`.

EDF+C adds to EDF a signal of annotations, which holds at least the time of each record (Kemp & Olivan 2003, Clin.
Neurophysiol. 114:1755-1761). Signals are read by MNE, after the header was found to make sense.
"""

import math
import warnings
from pathlib import Path

import mne
import numpy as np

from eegemo_utils.datasets.common import one_move
from eegemo_utils.datasets.edf_header import ANNOTATIONS, SIGNAL_FIELDS, EdfHeader, read_header
from eegemo_utils.trials import DatasetError

DIGITAL = (-32768, 32767)


# ---- reading ----

def read_edf(path, labels) -> tuple[np.ndarray, float]:
    """Read signals of an EDF (or BDF) file by their labels, through ``mne.io.read_raw_edf``.

    Parameters
    ----------
    path : path
    labels : sequence of str
        As in the header, such as "EEG Fp1".

    Returns
    -------
    signals : ndarray, shape (n_labels, n_times), float32
        In the order of `labels`, in microvolt whatever the file's unit is.
    sfreq : float

    Raises
    ------
    DatasetError
        See `read_header`; and when a label is missing or stands there twice, one has limits that make no sense or a
        unit that is not one of volt, the rates differ, the recording has gaps, or MNE cannot read the file.
    """
    header = read_header(path)
    check_labels(path, header, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dates, prefilter texts: nothing that changes the signals
        try:
            raw = mne.io.read_raw(path, include=list(labels), preload=True, verbose="error")
            signals = raw.get_data(picks=list(labels))
        except Exception as error:  # MNE raises what its parts raise
            raise DatasetError(f"{path}: MNE cannot read it: {type(error).__name__}: {error}. Get the file "
                               f"again, or take it away.") from error
    return (signals * 1e6).astype(np.float32), float(raw.info["sfreq"])


def check_labels(path, header: EdfHeader, labels) -> None:
    """Raise what `read_edf` would for these labels, before any signal is read."""
    missing = [label for label in labels if header.labels.count(label) != 1]
    if missing:
        raise DatasetError(f"{path}: expected each of these signals once: {', '.join(labels)}; missing or more "
                           f"than once: {', '.join(missing)}; found {', '.join(header.labels)}.")
    if fault := header.fault(labels):
        raise DatasetError(fault)
    rates = {label: header.sfreq(label) for label in labels}
    if len(set(rates.values())) > 1:
        raise DatasetError(f"{path}: expected one rate, found {rates}. Resample the file.")
    units = {header.units[header.labels.index(label)] for label in labels}
    if not units <= {"V", "mV", "uV", "µV"}:  # MNE takes any other for volts
        raise DatasetError(f"{path}: expected signals in uV, mV or V, found the units {sorted(units)}. Put "
                           f"the right unit into the header.")
    if header.reserved.startswith("EDF+D"):
        raise DatasetError(f"{path}: a recording with gaps (EDF+D), where one without is expected. Cut it at the gaps.")


# ---- writing ----

def write_edf(path, signals, labels, sfreq, *, units="uV", patient="X X X X",
              recording="Startdate X X X X", start="01.01.8500.00.00", prefilter="",
              record_seconds=1, annotation_samples=0) -> Path:
    """Write an EDF file, in one move. Limits are each signal's own, so that 16 bits resolve it well.

    Parameters
    ----------
    path : path
        Its folder must exist.
    signals : sequence of ndarray, each (n_samples,)
        In their own units, finite.
    labels : sequence of str
    sfreq : float or sequence of float
        Samples a second; of each signal if several.
    units, prefilter : str or sequence of str
        Of all signals, or of each.
    patient, recording, start : str
        Header fields of 80, 80 and 16 characters; start is dd.mm.yyhh.mm.ss.
    record_seconds : int
        The signals must fill whole records.
    annotation_samples : int
        More than 0 makes an EDF+C with an annotation signal so wide (16-bit words in a record), which holds
        the time of each record.

    Returns
    -------
    Path

    Raises
    ------
    DatasetError
        When signals do not fill the same number of whole records, hold values that are not finite or too
        large, or a text does not fit its field.
    """
    path, n_signals = Path(path), len(signals)
    signals = [np.asarray(signal, dtype=np.float64) for signal in signals]
    rates, units, prefilters = (_each(value, n_signals) for value in (sfreq, units, prefilter))
    sizes = [int(round(rate * record_seconds)) for rate in rates]
    n_records = _whole_records(path, signals, labels, sizes)
    limits = [_limits(path, signal, label) for signal, label in zip(signals, labels)]
    columns = [list(labels), [""] * n_signals, units, *map(list, zip(*limits)), [str(DIGITAL[0])] * n_signals,
               [str(DIGITAL[1])] * n_signals, prefilters, [str(size) for size in sizes], [""] * n_signals]
    blocks = [_digital(signal, low, high).reshape(n_records, size)
              for signal, (low, high), size in zip(signals, limits, sizes)]
    if annotation_samples:
        extra = (ANNOTATIONS, "", "", "-1", "1", *map(str, DIGITAL), "", str(annotation_samples), "")
        columns = [[*column, value] for column, value in zip(columns, extra)]
        blocks.append(_times(n_records, record_seconds, annotation_samples))
    kind = "EDF+C" if annotation_samples else ""
    fields = [("0", 8), (patient, 80), (recording, 80), (start, 16), (str(256 * (len(blocks) + 1)), 8), (kind, 44),
              (str(n_records), 8), (str(record_seconds), 8), (str(len(blocks)), 4)]
    fields += [(value, width) for column, (_, width) in zip(columns, SIGNAL_FIELDS) for value in column]
    header = b"".join(_field(path, text, width) for text, width in fields)
    with one_move(path) as partial:
        partial.write_bytes(header + np.concatenate(blocks, axis=1).astype("<i2").tobytes())
    return path


def _each(value, n_signals: int) -> list:
    return [value] * n_signals if isinstance(value, str | int | float) else list(value)


def _field(path: Path, text: str, width: int) -> bytes:
    content = text.encode("latin1", errors="replace")
    if len(content) > width:
        raise DatasetError(f"{path}: {text!r} does not fit a header field of {width} characters. Shorten it.")
    return content.ljust(width)


def _whole_records(path: Path, signals, labels, sizes: list[int]) -> int:
    if len(labels) != len(signals) or len(sizes) != len(signals):
        raise DatasetError(f"{path}: {len(signals)} signals, {len(labels)} labels, {len(sizes)} rates: one of each")
    n_records = len(signals[0]) // sizes[0]
    lengths = [len(signal) for signal in signals]
    if n_records < 1 or lengths != [n_records * size for size in sizes]:
        raise DatasetError(f"{path}: expected signals that fill the same number of whole records (samples in a "
                           f"record: {sorted(set(sizes))}), found lengths {sorted(set(lengths))}. Cut them.")
    return n_records


def _limits(path: Path, signal: np.ndarray, label: str) -> tuple[str, str]:
    """Physical limits that enclose a signal, as text of at most 8 characters."""
    if not np.isfinite(signal).all():
        raise DatasetError(f"{path}: signal {label!r} holds values that are not finite, which EDF cannot. Repair "
                           f"or drop them.")
    low, high = float(signal.min()), float(signal.max())
    if low == high:
        low, high = low - 1, high + 1
    for digits in range(6, -1, -1):
        scale = 10**digits
        ends = [f"{math.floor(low * scale) / scale:.{digits}f}", f"{math.ceil(high * scale) / scale:.{digits}f}"]
        if max(map(len, ends)) <= 8:
            return ends[0], ends[1]
    raise DatasetError(f"{path}: signal {label!r} reaches from {low:g} to {high:g}, too far for EDF's 8 "
                       f"characters. Wrong unit?")


def _digital(signal: np.ndarray, low: str, high: str) -> np.ndarray:
    step = (float(high) - float(low)) / (DIGITAL[1] - DIGITAL[0])
    return np.rint((signal - float(low)) / step).clip(0, 65535) + DIGITAL[0]


def _times(n_records: int, record_seconds: int, width: int) -> np.ndarray:
    texts = [f"+{k * record_seconds}\x14\x14".encode().ljust(2 * width, b"\0") for k in range(n_records)]
    return np.frombuffer(b"".join(texts), dtype="<i2").reshape(n_records, width)
