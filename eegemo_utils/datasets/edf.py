"""EDF files: write them byte for byte, look at their headers, read named signals out of them.

EDF is a header of 256 bytes, 256 more for each signal, then records: in each, so many 16-bit numbers of the
first signal, then of the second ... (Kemp et al. 1992, Electroenceph. clin. Neurophysiol. 82:391-393).
EDF+C adds a signal of annotations, which holds at least the time of each record (Kemp & Olivan 2003, Clin.
Neurophysiol. 114:1755-1761). Signals are read by MNE, after the header was found to make sense.
"""

import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np

from eegemo_utils.trials import DatasetError

ANNOTATIONS = "EDF Annotations"
DIGITAL = (-32768, 32767)
# of each field of the signals' headers, in the file's order: name, number of characters
SIGNAL_FIELDS = (("label", 16), ("transducer", 80), ("unit", 8), ("physical_min", 8), ("physical_max", 8),
                 ("digital_min", 8), ("digital_max", 8), ("prefilter", 80), ("n_samples", 8), ("reserved", 32))


@dataclass(frozen=True)
class EdfHeader:
    """What the header of an EDF file says, blanks stripped.

    `reserved` begins with "EDF+C" or "EDF+D" in EDF+ files. `n_records` is what the file holds, even where the
    header leaves it open. The tuples are of all signals, annotations included; `n_samples` of one record.
    """

    patient: str
    recording: str
    reserved: str
    n_records: int
    record_seconds: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    prefilters: tuple[str, ...]
    n_samples: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.n_records * self.record_seconds

    def sfreq(self, label: str) -> float:
        """Samples a second of a signal."""
        return self.n_samples[self.labels.index(label)] / self.record_seconds


# ---- reading ----

def read_header(path) -> EdfHeader:
    """Read the header of an EDF (or BDF) file and hold it against the file's size.

    Parameters
    ----------
    path : path

    Returns
    -------
    EdfHeader

    Raises
    ------
    DatasetError
        When this is no EDF, a number is not one, or the file is shorter or longer than its header says.
    """
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(256)
        sample_bytes = _sample_bytes(path, fixed)
        n_signals = _number(path, fixed[252:256], "number of signals", int, 1, 9999)
        fields = file.read(256 * n_signals)
    if len(fields) < 256 * n_signals:
        raise DatasetError(f"{path}: truncated in its header: expected {256 * (n_signals + 1)} bytes for "
                           f"{n_signals} signals, found {size}. Get the file again.")
    columns = _columns(path, fields, n_signals)
    header_bytes = _number(path, fixed[184:192], "size of the header", int)
    if header_bytes != 256 * (n_signals + 1):
        raise DatasetError(f"{path}: expected a header of {256 * (n_signals + 1)} bytes for {n_signals} signals, "
                           f"found {header_bytes} in it. Not an EDF, or a damaged one: get the file again.")
    n_samples = tuple(_number(path, text, "samples in a record", int, 1, 10**7) for text in columns["n_samples"])
    seconds = _number(path, fixed[244:252], "seconds of a record", float, 1e-6, 1e6)
    n_records = _count_records(path, _number(path, fixed[236:244], "number of records", int, -1),
                               size - header_bytes, sample_bytes * sum(n_samples))
    text = [fixed[start:stop].decode("latin1").strip() for start, stop in ((8, 88), (88, 168), (192, 236))]
    words = [tuple(word.decode("latin1").strip() for word in columns[name]) for name in ("label", "unit", "prefilter")]
    return EdfHeader(*text, n_records, seconds, *words, n_samples)


def _sample_bytes(path: Path, fixed: bytes) -> int:
    """Bytes of a sample: EDF has 16 bits, BDF 24."""
    if len(fixed) == 256 and (fixed[:8].strip() == b"0" or fixed[:8] == b"\xffBIOSEMI"):
        return 3 if fixed[:1] == b"\xff" else 2
    found = f"{len(fixed)} bytes" if len(fixed) < 256 else repr(fixed[:8])
    raise DatasetError(f"{path}: expected an EDF file, which starts with 0 and seven blanks (or a BDF), found {found}. "
                       f"Get the file again, or take it away.")


def _number(path: Path, text: bytes, what: str, kind: type, least: float = -math.inf, most: float = math.inf):
    try:
        value = kind(text.decode("ascii").replace(",", ".", kind is float))
    except ValueError:
        value = math.nan
    if not least <= value <= most:  # nan is in no range
        raise DatasetError(f"{path}: the header's {what}: expected a number from {least:g} to {most:g}, found "
                           f"{text.decode('latin1').strip()!r}. A damaged file: get it again.")
    return value


def _columns(path: Path, fields: bytes, n_signals: int) -> dict[str, list[bytes]]:
    columns, start = {}, 0
    for name, width in SIGNAL_FIELDS:
        columns[name] = [fields[start + k * width: start + (k + 1) * width] for k in range(n_signals)]
        start += n_signals * width
    for kind, number in (("physical", float), ("digital", int)):
        for low, high, label in zip(columns[f"{kind}_min"], columns[f"{kind}_max"], columns["label"]):
            ends = [_number(path, text, f"{kind} limits", number, -1e30, 1e30) for text in (low, high)]
            if ends[0] == ends[1] and label.strip().decode("latin1") != ANNOTATIONS:
                raise DatasetError(f"{path}: signal {label.decode('latin1').strip()!r}: the {kind} limits must "
                                   f"differ, found {ends[0]:g} twice. A damaged file: get it again.")
    return columns


def _count_records(path: Path, said: int, size: int, record: int) -> int:
    """Records in the file; -1 in the header leaves the number open, as a recorder does until it is stopped."""
    n_records = size // record if said == -1 else said
    if n_records < 1 or size != n_records * record:
        what = f"{said} records of {record} bytes" if said >= 1 else f"whole records of {record} bytes"
        raise DatasetError(f"{path}: expected {what} after the header, found {size} bytes"
                           f"{' (truncated)' if size < n_records * record else ''}. Get the file again.")
    return n_records


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
        See `read_header`; and when a label is missing or stands there twice, the unit is not one of volt,
        the rates differ, the recording has gaps, or MNE cannot read the file.
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
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(header + np.concatenate(blocks, axis=1).astype("<i2").tobytes())
    os.replace(partial, path)
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
