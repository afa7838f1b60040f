"""The text files of a MoBI recording: signals, joint angles, events, impedances, electrode positions.

All end their lines with CR LF; the tables of numbers have a tab at the end of each line as well.
"""

import io
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from eegemo_utils import montage
from eegemo_utils.datasets.common import save_text
from eegemo_utils.files import unreadable
from eegemo_utils.trials import DatasetError, shown

SFREQ = 100.0
RATE_TOLERANCE = 0.01
LOW_RAIL, HIGH_RAIL = -3276.8, 3276.7  # microvolt: 16 bits of 0.1
EEG, JOINT, EVENTS, DIGITIZER = "eeg.txt", "joints.txt", "conductor.txt", "digitizer.bvct"
IMPEDANCES = ("impedances-before.txt", "impedances-after.txt")
FILES = (EEG, JOINT, EVENTS, DIGITIZER, *IMPEDANCES)
FIRST_LINE = "64 channels"
TABLE_START = "Phys. Chn."
# Labels of the cap's 64 plugs, in the maker's order
PLUGS = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz", "C4", "T8", "TP9",
         "CP5", "CP1", "CP2", "CP6", "TP10", "P7", "P3", "Pz", "P4", "P8", "PO9", "O1", "Oz", "O2", "PO10", "AF7",
         "AF3", "AF4", "AF8", "F5", "F1", "F2", "F6", "FT9", "FT7", "FC3", "FC4", "FT8", "FT10", "C5", "C1", "C2",
         "C6", "TP7", "CP3", "CPz", "CP4", "TP8", "P5", "P1", "P2", "P6", "PO7", "PO3", "POz", "PO4", "PO8")
MOVED = {"T7": "FCz", "T8": "AFz"}  # where these plugs really sit
EYES = {"TP9": "EOG upper", "TP10": "EOG lower", "FT9": "EOG left", "FT10": "EOG right"}
ELECTRODES = tuple(MOVED.get(plug, plug) for plug in PLUGS if plug not in EYES)
MEASURED = ("GHR", "GKR", "GAR", "GHL", "GKL", "GAL")
PREDICTED = ("PHR", "PKR", "PAR", "PHL", "PKL", "PAL")
JOINTS = MEASURED + PREDICTED
CHANNELS = (*ELECTRODES, *EYES.values(), *JOINTS)  # as they are given
LABEL = "walking"
N_SUBJECTS, N_TRIALS = 8, 3


def make_info() -> mne.Info:
    """Channels of a recording: 60 electrodes, 4 eye channels, 12 joints (misc)."""
    info = montage.make_info(CHANNELS, SFREQ)
    return info.set_channel_types(dict.fromkeys(EYES.values(), "eog"), verbose="error")


# ---- reading ----

def _lines(path: Path, n_lines: int) -> tuple[list[str], bytes]:
    """The first lines, stripped, and the rest of the file."""
    try:
        rest = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from None
    lines = []
    for _ in range(n_lines):
        line, _, rest = rest.partition(b"\n")
        lines.append(line.decode("latin1").strip())
    return lines, rest


def _numbers(path: Path, body: bytes, n_columns: int, n_before: int) -> np.ndarray:
    """Rows of tab-separated numbers; a tab may end each row."""
    if not body.strip() or not body.endswith(b"\n"):
        raise DatasetError(f"{path}: expected rows of {n_columns} numbers up to a line end, found "
                           f"{'a last line that is cut off' if body.strip() else 'none'}. Get the file again.")
    try:
        values = pd.read_csv(io.BytesIO(body), sep="\t", header=None, dtype=np.float64, quoting=3, engine="c",
                             skip_blank_lines=False).to_numpy()
    except (ValueError, OverflowError, pd.errors.ParserError):
        values = None
    if values is not None and values.shape[1] == n_columns + 1 and np.isnan(values[:, -1]).all():
        values = values[:, :-1]
    if values is None or values.shape[1] != n_columns or not np.isfinite(values).all():
        raise DatasetError(f"{path}: {_first_fault(body, n_columns, n_before)}. Get the file again.")
    return values


def _first_fault(body: bytes, n_columns: int, n_before: int) -> str:
    """The first line that is not so many finite numbers, in words; slow, so only asked for when there is one."""
    for number, line in enumerate(body.split(b"\n"), start=n_before + 1):
        fields = line.decode("latin1").rstrip("\r\t ").split("\t")
        if len(fields) != n_columns:
            return f"line {number}: expected {n_columns} numbers, found {len(fields)} fields"
        for text in fields:
            try:
                fine = math.isfinite(float(text))
            except ValueError:
                fine = False
            if not fine:
                return f"line {number}: expected a number, found '{shown(text)}'"
    return f"expected rows of {n_columns} numbers, tab-separated"


def load_eeg(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Time stamps (seconds) and the 64 signals (microvolt, float32) in the file's order.

    Raises
    ------
    DatasetError
        When the first line is another, a row has not 65 finite numbers, or there are not 100 rows a second.
    """
    (first,), body = _lines(path, 1)
    if first != FIRST_LINE:
        raise DatasetError(f"{path}: line 1: expected {FIRST_LINE!r}, found '{shown(first, 60)}'. Another file?")
    values = _numbers(path, body, 1 + len(PLUGS), 1)
    _check_stamps(path, values[:, 0])
    return values[:, 0].copy(), values[:, 1:].T.astype(np.float32)


def _check_stamps(path: Path, stamps: np.ndarray) -> None:
    steps = np.diff(stamps)
    if len(steps) < 2 or steps.min() <= 0:
        place = int(np.argmin(steps)) + 3 if len(steps) else 2
        raise DatasetError(f"{path}: line {place}: expected time stamps that go on, found ones that do not. Get the "
                           f"file again.")
    rate = 1 / float(np.median(steps))
    if abs(rate / SFREQ - 1) > RATE_TOLERANCE:
        raise DatasetError(f"{path}: expected {SFREQ:g} samples a second, found {rate:.1f} in the time column. Another "
                           f"version of the data? Resample it.")


def load_joints(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Time stamps and the 12 joint angles (degrees, float32) in the order of JOINTS, by the names in the first line.

    Raises
    ------
    DatasetError
        When names are missing, a row has not 13 finite numbers, or the angles look like radians.
    """
    (first, second), body = _lines(path, 2)
    names = re.search(r"\(([^()]*)\)", first)
    names = names[1].split() if names else []
    if sorted(names) != sorted(JOINTS) or not second.startswith("Joint Factor"):
        raise DatasetError(f"{path}: expected the names {' '.join(JOINTS)} in brackets in line 1 and 'Joint Factor' in "
                           f"line 2, found '{shown(first, 120)}' and '{shown(second)}'. Another file?")
    values = _numbers(path, body, 1 + len(JOINTS), 2)
    angles = values[:, 1:].T[[names.index(name) for name in JOINTS]].astype(np.float32)
    reach = np.ptp(angles[: len(MEASURED)], axis=1).max()
    if 0 < reach <= math.pi or np.abs(angles).max() > 720:
        raise DatasetError(f"{path}: expected angles in degrees, found measured ones that reach over {reach:.3g}, and "
                           f"values up to {np.abs(angles).max():.3g}. Radians, or volts of the sensors? Convert them.")
    return values[:, 0].copy(), angles


def load_impedances(path: Path) -> dict[str, float]:
    """Impedance of each plug in the order of the signals; NaN where it was not measured.

    Raises
    ------
    DatasetError
        When the table is not there or its 64 names are not those of the cap, each once.
    """
    _, content = _lines(path, 0)
    lines = [line.strip("\r") for line in content.decode("latin1").split("\n")]
    starts = [place for place, line in enumerate(lines) if line.strip().startswith(TABLE_START)]
    rows = [[field.strip() for field in line.split("\t")] for line in lines[starts[0] + 1:]] if starts else []
    rows = [row for row in rows if len(row) >= 2 and row[0].startswith("#") and row[1] not in ("Ref", "Gnd")]
    names = [row[1] for row in rows]
    if sorted(names) != sorted(PLUGS):
        wrong = sorted(set(PLUGS) ^ set(names)) or [name for name in names if names.count(name) > 1]
        raise DatasetError(f"{path}: expected a table ({TABLE_START} ...) with the 64 names of the cap, each "
                           f"once, found {len(names)}; missing, unknown or twice: {shown(', '.join(wrong), 200)}. Get "
                           f"the file again.")
    return {row[1]: _ohm(row[3] if len(row) > 3 else "---") for row in rows}


def _ohm(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # --- and the like
        return math.nan


def load_events(path: Path) -> pd.DataFrame:
    """What happened when: columns time (seconds), event (text). Raises DatasetError for a line without a time."""
    _, body = _lines(path, 2)
    rows = []
    for number, line in enumerate(body.decode("utf-8", errors="replace").split("\n"), start=3):
        if not line.strip():
            continue
        time, _, text = line.partition("\t")
        seconds = _ohm(time)
        if not math.isfinite(seconds) or not text.strip():
            raise DatasetError(f"{path}: line {number}: expected a time, a tab and a text, found "
                               f"'{shown(line.strip(), 60)}'. Get the file again.")
        rows.append((seconds, text.strip()))
    return pd.DataFrame(rows, columns=["time", "event"]).astype({"time": float})


def fault_of_digitizer(path: Path) -> str:
    """What is wrong with a file of electrode positions, which nothing is read from; "" where nothing is."""
    try:
        _, content = _lines(path, 0)
        if not content.strip():
            return "is empty"
        ET.fromstring(content)
    except DatasetError:
        return "cannot be read"
    except (ET.ParseError, ValueError, LookupError):  # unknown encodings, too
        return "is damaged (no whole XML)"
    return ""


# ---- writing ----

def save_lines(path: Path, lines: list[str]) -> Path:
    """Write lines with CR LF in one move."""
    return save_text(path, "\r\n".join([*lines, ""]))


def save_table(path: Path, head: list[str], stamps: np.ndarray, values: np.ndarray, digits: int) -> Path:
    """Write stamps and rows of numbers, a tab after each number; `values` is (n_columns, n_rows)."""
    row = "\t".join(["%.3f", *[f"%.{digits}f"] * len(values), ""])
    rows = np.column_stack([stamps, values.T]).tolist()
    return save_lines(path, [*head, *(row % tuple(numbers) for numbers in rows)])


def save_impedances(path: Path, values) -> Path:
    """Write an impedance table; NaN becomes ---."""
    preamble = ["Impedance measurement (simulated)", *[""] * 19]
    rows = [f"#{number}\t{plug:>4}\tcap\t{'---' if math.isnan(value) else f'{value:.1f}'}\t"
            for number, (plug, value) in enumerate(zip((*PLUGS, "Ref", "Gnd"), (*values, 2.0, 1.0)), start=1)]
    return save_lines(path, [*preamble, f"{TABLE_START}\tName\tLabel set\tImpedance", *rows])


def save_digitizer(path: Path, places: dict[str, np.ndarray]) -> Path:
    """Write electrode positions (metres) as CapTrak XML, in millimetres."""
    fiducials = {"Nasion": (0.0, 0.1, 0.0), "LPA": (-0.08, 0.0, 0.0), "RPA": (0.08, 0.0, 0.0)}
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<CapTrak>", "  <CapTrakElectrodeList>"]
    for name, place in (fiducials | places).items():
        x, y, z = 1000 * np.asarray(place)
        lines.append(f"    <CapTrakElectrode><Name>{name}</Name><X>{x:.2f}</X><Y>{y:.2f}</Y><Z>{z:.2f}</Z>"
                     f"</CapTrakElectrode>")
    return save_lines(path, [*lines, "  </CapTrakElectrodeList>", "  <ExcludedElectrodes />", "</CapTrak>"])
