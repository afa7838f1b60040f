"""EDF and BDF files: headers compared with the file's size, signals read by MNE, files written by edfio.

EDF is a header of 256 bytes, 256 more for each signal, then records: in each, so many 16-bit numbers of the first
signal, then of the second ... (Kemp et al. 1992, Electroenceph. clin. Neurophysiol. 82:391-393); BDF is the same with
24-bit numbers (biosemi.com/faq/file_format.htm). EDF+C adds a signal of annotations, which holds at least the time of
each record (Kemp & Olivan 2003, Clin. Neurophysiol. 114:1755-1761). What is wrong with a single signal is said where
that signal is asked for: real files hold signals without sense beside good ones.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import edfio
import mne
import numpy as np

from eegemo_utils.datasets.common import one_move
from eegemo_utils.files import in_words
from eegemo_utils.trials import DatasetError

ANNOTATIONS = "EDF Annotations"
MAGIC = b"\xffBIOSEMI"
# name and number of characters of the fields, in the file's order; the second list has each field of all signals
START_FIELDS = (("magic", 8), ("patient", 80), ("recording", 80), ("start", 16), ("header_bytes", 8),
                ("reserved", 44), ("n_records", 8), ("record_seconds", 8), ("n_signals", 4))
SIGNAL_FIELDS = (("label", 16), ("transducer", 80), ("unit", 8), ("physical_min", 8), ("physical_max", 8),
                 ("digital_min", 8), ("digital_max", 8), ("prefilter", 80), ("n_samples", 8), ("reserved", 32))
UNITS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6}  # in volt, as MNE reads them; it takes any other for volt


# ---- headers ----

@dataclass(frozen=True)
class EdfHeader:
    """What the header of an EDF or BDF file says, blanks stripped.

    `reserved` begins with "EDF+C" or "EDF+D" in EDF+ files. `n_records` is what the file holds, even where the
    header leaves it open. The tuples are of all signals, annotations included; `n_samples` of one record. A stored
    number times its signal's gain plus its offset is in the signal's unit; `faults` says why that is not known, and
    is empty where it is.
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
    gains: tuple[float, ...]
    offsets: tuple[float, ...]
    faults: tuple[str, ...]
    sample_bytes: int

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.n_records * self.record_seconds

    def sfreq(self, signal: str | int) -> float:
        """Samples a second of a signal, by its label or its place."""
        place = self.labels.index(signal) if isinstance(signal, str) else signal
        return self.n_samples[place] / self.record_seconds

    def fault(self, signals) -> str:
        """What is wrong with the first faulty one of these signals, by label or place; empty if none is."""
        places = (self.labels.index(signal) if isinstance(signal, str) else signal for signal in signals)
        return next((self.faults[place] for place in places if self.faults[place]), "")


@in_words
def read_header(path) -> EdfHeader:
    """Read the header of an EDF (or BDF) file and compare it with the file's size.

    Parameters
    ----------
    path : path

    Returns
    -------
    EdfHeader

    Raises
    ------
    DatasetError
        When the file cannot be read or is no EDF, a number is not one, or the file is shorter or longer than its
        header says.
    """
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(256)
        sample_bytes = _sample_bytes(path, fixed)
        start = {name: texts[0] for name, texts in _cut(fixed, START_FIELDS, 1)}
        n_signals = _number(path, start["n_signals"], "number of signals", int, 1, 9999)
        fields = file.read(256 * n_signals)
    if len(fields) < 256 * n_signals:
        raise DatasetError(f"{path}: truncated in its header: expected {256 * (n_signals + 1)} bytes for "
                           f"{n_signals} signals, found {size}. Get the file again.")
    columns = dict(_cut(fields, SIGNAL_FIELDS, n_signals))
    header_bytes = _number(path, start["header_bytes"], "size of the header", int)
    if header_bytes != 256 * (n_signals + 1):
        raise DatasetError(f"{path}: expected a header of {256 * (n_signals + 1)} bytes for {n_signals} signals, "
                           f"found {header_bytes} in it. Not an EDF, or a damaged one: get the file again.")
    n_samples = tuple(_number(path, text, "samples in a record", int, 1, 10**7) for text in columns["n_samples"])
    seconds = _number(path, start["record_seconds"], "seconds of a record", float, 1e-6, 1e6)
    n_records = _count_records(path, _number(path, start["n_records"], "number of records", int, -1),
                               size - header_bytes, sample_bytes * sum(n_samples))
    text = [start[name].decode("latin1").strip() for name in ("patient", "recording", "reserved")]
    words = [tuple(word.decode("latin1").strip() for word in columns[name]) for name in ("label", "unit", "prefilter")]
    limits = zip(*(columns[name] for name in ("physical_min", "physical_max", "digital_min", "digital_max")))
    scales = zip(*(_scale(path, label, *texts) for label, texts in zip(words[0], limits)))
    return EdfHeader(*text, n_records, seconds, *words, n_samples, *scales, sample_bytes)


def _sample_bytes(path: Path, fixed: bytes) -> int:
    """Bytes of a sample: EDF has 16 bits, BDF 24."""
    if len(fixed) == 256 and (fixed[:8].strip() == b"0" or fixed[:8] == MAGIC):
        return 3 if fixed[:1] == b"\xff" else 2
    found = f"{len(fixed)} bytes" if len(fixed) < 256 else repr(fixed[:8])
    raise DatasetError(f"{path}: expected an EDF file, which starts with 0 and seven blanks (or a BDF, with {MAGIC}), "
                       f"found {found}. Get the file again, or take it away.")


def _cut(content: bytes, fields, n_each: int):
    """Name and list of texts of each field."""
    start = 0
    for name, width in fields:
        yield name, [content[start + k * width: start + (k + 1) * width] for k in range(n_each)]
        start += n_each * width


def _number(path: Path, text: bytes, what: str, kind: type, least: float = -math.inf, most: float = math.inf):
    try:
        value = kind(text.decode("ascii").replace(",", ".", kind is float))
    except ValueError:
        value = math.nan
    if not least <= value <= most:  # nan is in no range
        raise DatasetError(f"{path}: the header's {what}: expected a number from {least:g} to {most:g}, found "
                           f"{text.decode('latin1').strip()!r}. A damaged file: get it again.")
    return value


def _scale(path: Path, label: str, *texts: bytes) -> tuple[float, float, str]:
    """Gain and offset of a signal, or why there are none."""
    ends = {}
    for kind, number, pair in (("physical", float, texts[:2]), ("digital", int, texts[2:])):
        try:
            ends[kind] = [_number(path, text, f"{kind} limits", number, -1e30, 1e30) for text in pair]
        except DatasetError as error:
            return math.nan, math.nan, f"{error} (signal {label!r})"
        if ends[kind][0] == ends[kind][1]:
            return math.nan, math.nan, (f"{path}: signal {label!r}: the {kind} limits must differ, found "
                                        f"{ends[kind][0]:g} twice. A damaged file: get it again.")
    (low, high), (bottom, top) = ends["physical"], ends["digital"]
    gain = (high - low) / (top - bottom)
    return gain, low - bottom * gain, ""


def _count_records(path: Path, said: int, size: int, record: int) -> int:
    """Records in the file; -1 in the header leaves the number open, as a recorder does until it is stopped."""
    n_records = size // record if said == -1 else said
    if n_records < 1 or size != n_records * record:
        what = f"{said} records of {record} bytes" if said >= 1 else f"whole records of {record} bytes"
        raise DatasetError(f"{path}: expected {what} after the header, found {size} bytes"
                           f"{' (truncated)' if size < n_records * record else ''}. Get the file again.")
    return n_records


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
    check_labels(path, read_header(path), labels)
    raw = open_edf(path, labels)
    return (_values(path, raw, labels) * 1e6).astype(np.float32), float(raw.info["sfreq"])


def open_edf(path, labels) -> mne.io.BaseRaw:
    """Open an EDF or BDF file for signals that `check_labels` found to be sound; nothing but the header is read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dates, prefilter texts: nothing that changes the signals
        try:
            return mne.io.read_raw(path, include=list(labels), preload=False, verbose="error")
        except Exception as error:  # MNE raises what its parts raise
            raise _unread(path, error) from error


def read_span(path, raw, unit: str, labels, start: int, stop: int) -> np.ndarray:
    """Return samples of an open file, shape (n_labels, stop - start), in the header's own unit."""
    return _values(path, raw, labels, start, stop) / UNITS.get(unit, 1.0)


def _values(path, raw, labels, start: int = 0, stop: int | None = None) -> np.ndarray:
    try:
        return raw.get_data(picks=list(labels), start=start, stop=stop, verbose="error")
    except Exception as error:  # MNE raises what its parts raise
        raise _unread(path, error) from error


def _unread(path, error: Exception) -> DatasetError:
    return DatasetError(f"{path}: MNE cannot read it: {type(error).__name__}: {error}. Get the file again, or take it "
                        f"away.")


def check_labels(path, header: EdfHeader, labels, any_unit: bool = False) -> None:
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
    if not (any_unit or units <= set(UNITS)):
        raise DatasetError(f"{path}: expected signals in uV, mV or V, found the units {sorted(units)}. Put "
                           f"the right unit into the header.")
    if header.reserved.startswith(("EDF+D", "BDF+D")):
        raise DatasetError(f"{path}: a recording with gaps ({header.reserved[:5]}), where one without is expected. Cut "
                           f"it at the gaps.")


# ---- writing ----

def write_edf(path, signals, labels, sfreq, *, units="uV", limits=None, patient="X X X X",
              recording="Startdate X X X X", start=datetime(1985, 1, 1), prefilter="", record_seconds=1,
              annotations=False) -> Path:
    """Write an EDF file, or a BDF file where the name ends so, in one move.

    Parameters
    ----------
    path : path
        Its folder must exist.
    signals : sequence of ndarray, each (n_samples,)
        In their own units, finite; they must fill whole records.
    labels : sequence of str
    sfreq : float or sequence of float
        Samples a second; of each signal if several.
    units, prefilter : str or sequence of str
        Of all signals, or of each.
    limits : tuple of float, optional
        Lowest and highest number of all signals; what lies beyond is cut off, as an amplifier does. Each signal's own
        by default, so that 16 bits resolve it well.
    patient, recording : str
        Header fields of 80 characters.
    start : datetime
    record_seconds : float
    annotations : bool
        Whether to write EDF+C, with a signal that holds the time of each record.

    Returns
    -------
    Path

    Raises
    ------
    DatasetError
        When signals do not fill the same number of whole records, hold values that are not finite or too large, or a
        text does not fit its field.
    """
    path = Path(path)
    bdf = path.suffix == ".bdf"
    kind, of_signal, bits = (edfio.Bdf, edfio.BdfSignal, 24) if bdf else (edfio.Edf, edfio.EdfSignal, 16)
    digital = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    rates, units, prefilters = (_of_each(value, len(signals)) for value in (sfreq, units, prefilter))
    try:
        parts = []
        for signal, label, rate, unit, text in zip(signals, labels, rates, units, prefilters, strict=True):
            signal = np.asarray(signal, np.float64) if limits is None else np.clip(signal, *limits)
            parts.append(of_signal(signal, rate, label=label, physical_dimension=unit, prefiltering=text,
                                   physical_range=limits, digital_range=digital))
        file = kind(parts, data_record_duration=record_seconds, starttime=start.time(),
                    annotations=() if annotations else None)
        file.startdate = start.date()
        file.local_patient_identification, file.local_recording_identification = patient, recording
        with one_move(path) as partial:
            file.write(partial)
    except ValueError as error:
        raise DatasetError(f"{path}: cannot be written ({error}). Cut, scale or rename the signals.") from None
    return path


def _of_each(value, n_signals: int) -> list:
    return [value] * n_signals if isinstance(value, str | int | float) else list(value)
