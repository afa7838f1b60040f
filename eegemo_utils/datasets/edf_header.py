"""Headers of EDF and BDF files: what they say, held against the file's size.

EDF is a header of 256 bytes, 256 more for each signal, then records: in each, so many 16-bit numbers of the
first signal, then of the second ... (Kemp et al. 1992, Electroenceph. clin. Neurophysiol. 82:391-393); BDF is the same
with 24-bit numbers (biosemi.com/faq/file_format.htm). What is wrong with a single signal is said where that signal is
asked for: real files hold signals without sense beside good ones.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from eegemo_utils.access import in_words
from eegemo_utils.trials import DatasetError

ANNOTATIONS = "EDF Annotations"
MAGIC = b"\xffBIOSEMI"
# name and number of characters of the fields, in the file's order; the second list has each field of all signals
START_FIELDS = (("magic", 8), ("patient", 80), ("recording", 80), ("start", 16), ("header_bytes", 8),
                ("reserved", 44), ("n_records", 8), ("record_seconds", 8), ("n_signals", 4))
SIGNAL_FIELDS = (("label", 16), ("transducer", 80), ("unit", 8), ("physical_min", 8), ("physical_max", 8),
                 ("digital_min", 8), ("digital_max", 8), ("prefilter", 80), ("n_samples", 8), ("reserved", 32))


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
