"""Single Muse csv files: what a name says, what a file holds, what is wrong with it, which copies which.

A file is ``timestamps,TP9,AF7,AF8,TP10,Right AUX`` and maybe marker columns: seconds with milliseconds,
microvolt in steps of 0.488, 256 rows a second.
"""

import io
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS
from eegemo_utils.trials import DatasetError, check_microvolts

COLUMNS = ["timestamps", *MUSE_CHANNELS, MUSE_AUX]
SFREQ = 256.0
LOW_RAIL, HIGH_RAIL = -1000.0, 999.5  # microvolt, where the 12-bit converter clips
MAX_STEP = 0.1  # seconds; stamps come 3-4 ms apart, packets of 12 samples wobble by up to 18 ms
MAX_BACK = 0.05  # seconds; packets out of order step back by up to 14 ms
RATE_TOLERANCE = 0.05
COPY_SHARE = 0.9  # of the rows
BIRD_NAME = re.compile(r"(?P<subject>[^-]+)-(?P<state>[^-]+)-(?P<n>\d+)\.csv", re.IGNORECASE)
MUSE_LSL_NAME = re.compile(
    r"(?:.*__)?(?P<modality>visual|auditory)__(?P<paradigm>(?:(?!__).)+)__subject(?P<subject>\w+?)"
    r"__session(?P<session>\d+)__data_.+\.csv")


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


def identify(path: Path, root: Path) -> Recording | None:
    """Subject, session and label from a file's name, or None when the name is of no known layout.

    ``<subject>-<state>-<n>.csv`` (Bird) and
    ``<modality>__<paradigm>__subject1__session2__data_<time>.csv`` or the same as a folder tree
    (muse-lsl). In the latter the paradigm is the label and subjects are numbered in each paradigm, so
    that subject 1 of P300 is "P300-1".
    """
    name = path.relative_to(root).with_suffix("").as_posix() if path != root else path.stem
    match = BIRD_NAME.fullmatch(path.name)
    if match and not path.name.startswith("data_"):
        return Recording(path, name, match["subject"], int(match["n"]), match["state"])
    match = MUSE_LSL_NAME.fullmatch("__".join(path.resolve().parts[-5:]))
    if not match:
        return None
    label = match["paradigm"] if match["modality"] == "visual" else f"{match['modality']}-{match['paradigm']}"
    return Recording(path, name, f"{label}-{match['subject']}", int(match["session"]), label)


def load(recording: Recording) -> None:
    """Read a recording's file into it: stamps (n,), signals (5, n) float32 microvolt, what was decided.

    Raises
    ------
    DatasetError
        When the file is empty, has another header, lacks an electrode, holds text or a value that is not
        finite in a number column, steps back in time, has another rate or is not in microvolt. Says file
        and line.
    """
    path = recording.path
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    header, _, body = content.partition(b"\n")
    columns = _check_header(path, header)
    body = _drop_broken_end(recording, body, len(columns))
    if not body.strip():
        raise DatasetError(f"{path}: no samples after the header. Record again, or take the file away.")
    table = _parse(path, body, columns)
    markers = [name for name in columns if name not in COLUMNS]
    if markers:
        recording.decisions.append(f"{recording.name}: column {', '.join(markers)} (event codes) dropped")
    recording.stamps = table["timestamps"].to_numpy()
    recording.signals = np.ascontiguousarray(table[COLUMNS[1:]].to_numpy().T, dtype=np.float32)
    check_microvolts(recording.signals[:4], str(path))
    _check_stamps(recording)


def _check_header(path: Path, header: bytes) -> list[str]:
    expected = ",".join(COLUMNS)
    if not header.strip():
        raise DatasetError(f"{path}: the file is empty or starts with an empty line. "
                           f"Expected the header {expected}.")
    columns = [name.strip() for name in header.decode("utf-8", errors="replace").split(",")]
    missing = [name for name in COLUMNS if name not in columns]
    extra = [name for name in columns if name not in COLUMNS and not name.startswith("Marker")]
    if missing or extra or len(set(columns)) < len(columns):
        found = ",".join(columns)[:120]
        what = "; ".join([f"missing: {', '.join(missing)}"] * bool(missing)
                         + [f"not known: {', '.join(extra)[:80]}"] * bool(extra)) or "a column occurs twice"
        raise DatasetError(f"{path}: line 1: expected the header {expected} (and maybe Marker columns), "
                           f"found {found} ({what}). Export the five signals of the headband, Right AUX "
                           f"included.")
    return columns


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
    except (ValueError, pd.errors.ParserError) as error:
        fault = _first_fault(body, columns) or str(error)
        raise DatasetError(f"{path}: {fault}. Repair or take out that line.") from None
    return table


def _first_fault(body: bytes, columns: list[str]) -> str | None:
    """The first line that is not numbers only, in words; slow, so only asked for when there is one."""
    for number, line in enumerate(body.decode("utf-8", errors="replace").splitlines(), start=2):
        fields = line.split(",")
        if len(fields) != len(columns):
            return f"line {number}: expected {len(columns)} fields, found {len(fields)}"
        for name, text in zip(columns, fields):
            try:
                value = float(text)
            except ValueError:
                return f"line {number}, column {name}: expected a number, found {text[:40]!r}"
            if not math.isfinite(value):
                return f"line {number}, column {name}: expected a finite number, found {text[:40]!r}"
    return None


def _check_stamps(recording: Recording) -> None:
    path, stamps = recording.path, recording.stamps
    steps = np.diff(stamps)
    back = steps < 0
    if back.any() and steps.min() < -MAX_BACK:
        row = int(np.argmax(steps < -MAX_BACK))
        raise DatasetError(f"{path}: line {row + 3}: expected time stamps that go on, found a step of "
                           f"{steps[row]:.3f} s (from {stamps[row]:.3f} to {stamps[row + 1]:.3f}). Two "
                           f"recordings in one file? Split it.")
    if back.any():
        recording.decisions.append(f"{recording.name}: {back.sum()} small steps back in time (down to "
                                   f"{steps.min():.3f} s, packets out of order): samples kept in file order")
    if stamps[0] < 1e9:
        recording.decisions.append(f"{recording.name}: stamps start at {stamps[0]:.0f} s, not a calendar "
                                   f"time: kept")
    inside = steps[steps <= MAX_STEP]
    if inside.sum() > 2:
        rate = len(inside) / inside.sum()
        if abs(rate / SFREQ - 1) > RATE_TOLERANCE:
            raise DatasetError(f"{path}: expected {SFREQ:.0f} samples a second, found {rate:.1f}. Resample "
                               f"the recording, or look for lost samples.")


def _row_keys(recording: Recording) -> np.ndarray:
    """One number a row of samples, equal when the rows are, sorted."""
    levels = np.rint(recording.signals * 1000).astype(np.int64)
    weights = np.array([1, 2097169, 4398046511, 9223372037, 1000003], dtype=np.int64)
    return np.sort((levels * weights[:, None]).sum(axis=0))


def _share_inside(keys: np.ndarray, others: np.ndarray) -> float:
    return float((others[np.searchsorted(others, keys).clip(max=len(others) - 1)] == keys).mean())


def drop_copies(recordings: list[Recording]) -> tuple[list[Recording], list[str]]:
    """Of two recordings with nearly the same samples keep that of the person with more recordings."""
    n_of = Counter(recording.subject for recording in recordings)
    ranked = sorted(recordings, key=lambda recording: -n_of[recording.subject])
    keys: dict[str, np.ndarray] = {}
    decisions = []
    for recording in ranked:
        own = _row_keys(recording)
        probe = own[:: max(1, len(own) // 64)]
        for name, others in keys.items():
            if _share_inside(probe, others) > COPY_SHARE / 2 and _share_inside(own, others) > COPY_SHARE:
                share = _share_inside(own, others)
                decisions.append(f"{recording.name} is a copy of {name} ({share:.1%} of its rows): dropped")
                break
        else:
            keys[recording.name] = own
    return [recording for recording in recordings if recording.name in keys], decisions
