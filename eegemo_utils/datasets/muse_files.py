"""Single Muse csv files: what a name says, what a file holds, what is wrong with its text.

A file is ``timestamps,TP9,AF7,AF8,TP10,Right AUX`` and maybe marker columns: seconds with milliseconds,
microvolt in steps of 0.488, 256 rows a second.
"""

import io
import math
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.files import files_below, unreadable
from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS
from eegemo_utils.trials import DatasetError, shown

COLUMNS = ["timestamps", *MUSE_CHANNELS, MUSE_AUX]
SFREQ = 256.0
LOW_RAIL, HIGH_RAIL = -1000.0, 999.5  # microvolt, where the 12-bit converter clips
MAX_STEP = 0.1  # seconds; stamps come 3-4 ms apart, packets of 12 samples wobble by up to 18 ms
SHORTEST = 1.0  # seconds, one window
ENOUGH = 4.0  # seconds of a recording: seven windows, and what a notebook shows of each
LARGEST = {"timestamps": 1e20} | dict.fromkeys(COLUMNS[1:], 1e6)  # seconds in any unit; microvolt
MOST_COLUMNS = 100  # of a recording; tables of features have 989 or 2549
FEATURES = "this looks like a table of features, not a recording: check it with --name emotions"
BIRD_NAME = re.compile(r"(?P<subject>[^-]+)-(?P<state>[^-]+)-(?P<n>\d+)\.csv", re.IGNORECASE)
MUSE_LSL_NAME = re.compile(
    r"(?:.*__)?(?P<modality>visual|auditory)__(?P<paradigm>(?:(?!__).)+)__subject(?P<subject>\w+?)"
    r"__session(?P<session>\d+)__data_.+\.(?i:csv)")
MUSELSL_NAME = "EEG_recording_"  # and a time, as muselsl names files today: no subject, no state


def count(n: int, one: str, many: str = "") -> str:
    """A number and its noun: "1 part", "2 parts"."""
    return f"{n} {one if n == 1 else many or one + 's'}"


@dataclass
class Recording:
    """A file's identity and samples; what was decided about it, and what of it was lost by that."""

    path: Path
    name: str
    subject: str
    session: int
    label: str
    stamps: np.ndarray | None = None
    signals: np.ndarray | None = None
    decisions: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    @property
    def gaps(self) -> np.ndarray:
        """Rows that come after a gap."""
        return np.flatnonzero(np.diff(self.stamps) > MAX_STEP) + 1

    @property
    def all_parts(self) -> list[slice]:
        """Rows between gaps."""
        edges = [0, *self.gaps, len(self.stamps)]
        return [slice(start, stop) for start, stop in zip(edges, edges[1:])]

    @property
    def parts(self) -> list[slice]:
        """Rows between gaps, where they last long enough to hold a window."""
        return [part for part in self.all_parts if seconds(self.stamps[part]) >= SHORTEST]


def seconds(stamps: np.ndarray) -> float:
    """Time from the first to the last stamp."""
    return float(stamps[-1] - stamps[0])


def identify(path: Path, root: Path) -> Recording | None:
    """Subject, session and label from a file's name, or None when the name is of no known layout.

    ``<subject>-<state>-<n>.csv`` (Bird) and
    ``<modality>__<paradigm>__subject1__session2__data_<time>.csv`` or the same as a folder tree
    (muse-lsl). In the latter the paradigm is the label and subjects are numbered in each paradigm, so
    that subject 1 of P300 is "P300-1".
    """
    name = path.relative_to(root).with_suffix("").as_posix() if path != root else path.stem
    match = BIRD_NAME.fullmatch(path.name)
    if match and not path.name.startswith(("data_", MUSELSL_NAME)):
        return Recording(path, name, match["subject"], int(match["n"]), match["state"])
    match = MUSE_LSL_NAME.fullmatch("__".join(Path(os.path.realpath(path)).parts[-5:]))
    if not match:
        return None
    label = match["paradigm"] if match["modality"] == "visual" else f"{match['modality']}-{match['paradigm']}"
    return Recording(path, name, f"{label}-{match['subject']}", int(match["session"]), label)


def find(root: Path) -> tuple[list[Recording], list[str], list[str]]:
    """Recordings of a folder, by their names.

    Parameters
    ----------
    root : path
        Folder, searched with its sub-folders, or one file.

    Returns
    -------
    recordings : list of Recording
        Not yet loaded.
    skipped : list of str
        One sentence for each csv file whose name tells no subject.
    faults : list of str
        Folders that cannot be read; names that two files share.

    Raises
    ------
    DatasetError
        When there is no folder, it cannot be read, or no file in it is a recording by its name.
    """
    try:
        if not root.exists():
            raise DatasetError(f"{root}: no such folder. Expected a folder with Muse recordings "
                               f"(<subject>-<state>-<n>.csv); give its path, or set EEGEMO_DATA.")
        paths, faults = ([root], []) if root.is_file() else files_below(root, ".csv")
    except OSError as error:
        raise DatasetError(unreadable(root, error)) from None
    named = [identify(path, root) for path in paths]
    recordings = [recording for recording in named if recording is not None]
    others = [path for path, recording in zip(paths, named) if recording is None]
    if not recordings:
        raise DatasetError(faults[0] if faults else _none_so_named(root, others))
    skipped = [f"{path.name}: skipped, {_why_skipped(path)}" for path in others]
    for name, n in Counter(recording.name for recording in recordings).items():
        if n > 1:
            same = ", ".join(str(recording.path) for recording in recordings if recording.name == name)
            faults.append(f"{same}: expected one file named {name}, found {n}. Rename or take away all but one.")
    return recordings, skipped, faults


def _why_skipped(path: Path) -> str:
    if holds_features(path):
        return FEATURES
    muselsl = path.name.startswith(MUSELSL_NAME)
    return "its name tells no subject and state" + (
        "; rename it <subject>-<state>-<n>.csv, such as ann-calm-1.csv" if muselsl else "")


def _none_so_named(root: Path, others: list[Path]) -> str:
    names = "<subject>-<state>-<n>.csv or visual__P300__subject1__session2__data_<time>.csv"
    if not others:
        return f"{root}: expected recordings named {names}, found no csv file."
    tables = [path for path in others if holds_features(path)]
    hint = (f"{tables[0].name}: {FEATURES}" if tables else
            f"Their names must tell subject and state: rename them, such as {others[0].name} to ann-calm-1.csv")
    return (f"{root}: expected recordings named {names}, found {count(len(others), 'csv file')}, none so named "
            f"({others[0].name}{', ...' if others[1:] else ''}). {hint}.")


def load(recording: Recording) -> None:
    """Read a recording's file into it: stamps (n,), signals (5, n) float32 microvolt, what was decided.

    Raises
    ------
    DatasetError
        When the file cannot be read, is empty, has another header, lacks an electrode, or holds text, a value
        that is not finite or one that no electrode gives. Says file and line.
    """
    path = recording.path
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from None
    header, _, body = content.partition(b"\n")
    columns = _check_header(path, header)
    body = _drop_broken_end(recording, body, len(columns))
    if not body.strip():
        raise DatasetError(f"{path}: no samples after the header. Record again, or take the file away.")
    table = _parse(path, body, columns)
    markers = [name for name in columns if name not in COLUMNS]
    if markers:
        recording.decisions.append(f"{recording.name}: column {shown(', '.join(markers), 80)} (event codes) dropped")
    recording.stamps = table["timestamps"].to_numpy()
    recording.signals = np.ascontiguousarray(table[COLUMNS[1:]].to_numpy().T, dtype=np.float32)


def _check_header(path: Path, header: bytes) -> list[str]:
    expected = ",".join(COLUMNS)
    if not header.strip():
        raise DatasetError(f"{path}: the file is empty or starts with an empty line. "
                           f"Expected the header {expected}.")
    if b"," not in header and header.count(b";") >= len(COLUMNS) - 1:
        raise DatasetError(f"{path}: line 1: expected fields separated by commas; fields are separated by "
                           f"semicolons. Export with commas, and with points in numbers.")
    columns = [name.strip() for name in header.decode("utf-8", errors="replace").split(",")]
    if len(columns) > MOST_COLUMNS:
        raise DatasetError(f"{path}: line 1: expected the header {expected}, found {len(columns)} columns; "
                           f"{FEATURES}.")
    missing = [name for name in COLUMNS if name not in columns]
    extra = [name for name in columns if name not in COLUMNS and not name.startswith("Marker")]
    if missing or extra or len(set(columns)) < len(columns):
        found = shown(",".join(columns), 120)
        what = "; ".join([f"missing: {', '.join(missing)}"] * bool(missing)
                         + [f"not known: {shown(', '.join(extra), 80)}"] * bool(extra)) or "a column occurs twice"
        raise DatasetError(f"{path}: line 1: expected the header {expected} (and maybe Marker columns), "
                           f"found {found} ({what}). Export the five signals of the headband, Right AUX "
                           f"included.")
    return columns


def holds_features(path: Path) -> bool:
    """Whether a csv file has more columns than any recording; not when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.readline(2**20).count(b",") >= MOST_COLUMNS
    except OSError:
        return False


def _drop_broken_end(recording: Recording, body: bytes, n_columns: int) -> bytes:
    """A recorder that is killed leaves half a line; even if it parses, its last digits may be missing."""
    whole, _, last = body.removesuffix(b"\n").rpartition(b"\n")
    if not body or (body.endswith(b"\n") and last.count(b",") == n_columns - 1):
        return body
    why = f"has {last.count(b',') + 1} of {n_columns} fields" if body.endswith(b"\n") else "has no line end"
    line = body.removesuffix(b"\n").count(b"\n") + 2
    recording.losses.append(f"{recording.name}: line {line}, the last one, {why} (truncated file): dropped")
    return whole + b"\n" if whole else b""


def _parse(path: Path, body: bytes, columns: list[str]) -> pd.DataFrame:
    n_lines = body.count(b"\n")
    try:
        if body.count(b",") != n_lines * (len(columns) - 1):
            raise ValueError("a line has too many or too few fields")
        table = pd.read_csv(io.BytesIO(body), header=None, names=columns, dtype=np.float64,
                            skip_blank_lines=False)
        if len(table) != n_lines or not np.isfinite(table.to_numpy()).all():
            raise ValueError("a value is missing or not finite")
        if any((table[name].abs() > largest).any() for name, largest in LARGEST.items()):
            raise ValueError("a value is too large")
    except (ValueError, pd.errors.ParserError) as error:
        fault = _first_fault(body, columns) or str(error)
        raise DatasetError(f"{path}: {fault}. Repair or take out that line.") from None
    return table


def _first_fault(body: bytes, columns: list[str]) -> str | None:
    """The first line that is not numbers of a recording, in words; slow, so only asked for when there is one."""
    for number, line in enumerate(body.decode("utf-8", errors="replace").splitlines(), start=2):
        fields = line.split(",")
        if len(fields) != len(columns):
            return f"line {number}: expected {len(columns)} fields, found {len(fields)}"
        for name, text in zip(columns, fields):
            try:
                value = float(text)
            except ValueError:
                return f"line {number}, column {name}: expected a number, found '{shown(text)}'"
            if not math.isfinite(value):
                return f"line {number}, column {name}: expected a finite number, found '{shown(text)}'"
            if abs(value) > LARGEST.get(name, math.inf):
                unit = "seconds" if name == "timestamps" else "microvolt"
                return (f"line {number}, column {name}: expected {unit}, at most {LARGEST[name]:.0e} in size, "
                        f"found '{shown(text)}'")
    return None
