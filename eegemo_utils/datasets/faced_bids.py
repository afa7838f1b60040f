"""FACED as BIDS (NEMAR nm000112): raw BDF recordings with their events.

The recordings are whole sessions at 250 or 1000 samples a second; a clip's epoch is its last 30 seconds, as in the
paper's processed files. Every .tsv starts with a byte order mark.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.datasets.common import save_text
from eegemo_utils.datasets.faced_files import (
    CLIP_SECONDS,
    ELECTRODES,
    MASTOIDS,
    MAX_RATING,
    N_CLIPS,
    RATINGS,
    SECONDS,
    SFREQ,
    SUBJECTS,
)
from eegemo_utils.datasets.formats.edf import EdfHeader, check_labels, open_edf, read_header, read_span, write_edf
from eegemo_utils.montage import standard_name
from eegemo_utils.trials import DatasetError

# Order of the signals of sub-000 to sub-060, and of the others (channels.tsv of nm000112)
COHORT_1 = ("Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4", "T3", "T4",
            "A1", "A2", "CP1", "CP2", "CP5", "CP6", "Pz", "P3", "P4", "T5", "T6", "PO3", "PO4", "Oz", "O1", "O2")
COHORT_2 = (*ELECTRODES, *MASTOIDS)
N_COHORT_1 = 61
RATE_250 = {4, 5, *range(8, 61)}  # people recorded at 250 Hz; the others at 1000 Hz
IN_VOLT = {4, 5, *range(8, 36), 58, 59, 60}  # people whose channels.tsv leaves the unit open
TASK = "task-watchingVideoClips"
EVENT_COLUMNS = ("onset", "duration", "trial_type", "value", "sample", "emotion_label", "binary_label", "video_index",
                 *(name.capitalize() for name in RATINGS))
TO_UV = {"V": 1e6, "mV": 1e3, "uV": 1.0, "µV": 1.0, "nV": 1e-3}
ODD_SECONDS = 5.0
SMALLEST, LARGEST = 1e-3, 1e4  # microvolt; a typical standard deviation beyond these is another unit


def find(root: Path) -> dict[str, Path]:
    """Return ``sub-NNN/eeg`` folders by person, named as in the pickles (sub000)."""
    folders = sorted(root.glob("sub-*/eeg")) if root.is_dir() else []
    return {path.parent.name.replace("-", ""): path for path in folders
            if path.parent.name in {f"sub-{subject[3:]}" for subject in SUBJECTS}}


def read_table(path: Path) -> pd.DataFrame:
    """Return a BIDS table as text, without the byte order mark; nothing in it is quoted."""
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
    except ValueError as error:
        raise DatasetError(f"{path}: expected a table as UTF-8 text, found {error!s:.99}. Get it again.") from None
    columns, *rows = [line.split("\t") for line in lines]
    uneven = [number for number, row in enumerate(rows, start=2) if len(row) != len(columns)]
    if uneven or len(set(columns)) < len(columns):
        line = uneven[0] if uneven else 1
        raise DatasetError(f"{path}: line {line}: expected {len(columns)} fields, no column twice,"
                           f" found others. Get the file again.")
    return pd.DataFrame(rows, columns=columns, dtype=str)


# ---- events ----

def load_events(path: Path) -> pd.DataFrame:
    """Return the 28 clips of an events.tsv: rows are clips 1-28; columns onset, duration, played, RATINGS.

    Other rows (codes, arithmetic, start of the experiment) are left out: only clips have a video_index. The emotion is
    taken from it, never from emotion_label, which is a backslash for neutral clips.

    Raises
    ------
    DatasetError
        When a column, a clip or a number is missing, or a clip occurs twice.
    """
    table = read_table(path)
    missing = [name for name in ("onset", "duration", "video_index") if name not in table]
    if missing:
        raise DatasetError(f"{path}: expected the columns {', '.join(EVENT_COLUMNS)}; missing: {', '.join(missing)}. "
                           f"Another dataset's file?")
    table = table[~table["video_index"].isin(["n/a", ""])]
    clips = _numbers(path, table, "video_index", 1, N_CLIPS)
    if sorted(clips) != list(range(1, N_CLIPS + 1)):
        raise DatasetError(f"{path}: expected each clip from 1 to 28 once in video_index, found "
                           f"{[f'{clip:g}' for clip in clips]}. Get the file again.")
    events = pd.DataFrame({"onset": _numbers(path, table, "onset", 0, 1e6),
                           "duration": _numbers(path, table, "duration", 0, 1e4)}, index=clips.astype(int))
    events["played"] = events["onset"].rank(method="first").astype(int)
    for name in RATINGS:
        column, events[name] = name.capitalize(), np.nan
        if column in table:
            given = (table[column] != "n/a").to_numpy()
            events.loc[given, name] = _numbers(path, table[given], column, 0, MAX_RATING)
    return events.sort_index()


def _numbers(path: Path, table: pd.DataFrame, column: str, least: float, most: float) -> np.ndarray:
    numbers = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
    wrong = ~((numbers >= least) & (numbers <= most))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DatasetError(f"{path}: line {table.index[row] + 2}, {column}: expected a number from {least:g} to "
                           f"{most:g}, found {str(table[column].iloc[row])[:40]!r}. Get the file again.")
    return numbers


# ---- signals ----

def load(folder: Path, strict: bool) -> tuple[list[np.ndarray], pd.DataFrame, list[str]]:
    """Return a person's clips at 250 Hz in microvolt, neither filtered nor referenced again, ratings and decisions.

    Raises
    ------
    DatasetError
        When a file is missing or damaged, an electrode is missing, rates disagree, a clip lies outside the recording
        or (with `strict`) is shorter than 30 s.
    """
    stem = folder / f"{folder.parent.name}_{TASK}"
    events = load_events(stem.with_name(f"{stem.name}_events.tsv"))
    path = stem.with_name(f"{stem.name}_eeg.bdf")
    header = read_header(path)
    if header.sample_bytes != 3:
        raise DatasetError(f"{path}: expected a BDF file, found an EDF. Get the file again.")
    labels, decisions = _pick(path, header)
    check_labels(path, header, labels, any_unit=True)
    unit, rate = _unit(path, header, labels), _rate(path, header, labels)
    raw, end, signals = open_edf(path, labels), header.n_records * header.n_samples[header.labels.index(labels[0])], []
    for clip, event in events.iterrows():
        stop = int(round((event["onset"] + event["duration"]) * rate))
        n_times = min(SECONDS * rate, int(round(event["duration"] * rate)))
        n_times -= n_times % (rate // SFREQ)
        if stop > end or n_times < rate // 2 or (strict and n_times < SECONDS * rate):
            raise DatasetError(f"{path}, clip {clip}: expected {SECONDS} s of signal, up to {stop / rate:.1f} s "
                               f"from the start, found a clip of {n_times / rate:.1f} s in {end / rate:.1f} s of "
                               f"recording. Do the events belong to this file?")
        signals.append(_epoch(lambda *span: read_span(path, raw, unit, labels, *span), stop - n_times, stop,
                              rate // SFREQ, end))
    decisions += _odd_lengths(path, events) if strict else []
    factor, said = _to_microvolt(path, unit, signals)
    decisions += said + ([f"{path.name}: {rate} Hz, resampled to {SFREQ} Hz"] if rate != SFREQ else [])
    return [signal * factor for signal in signals], events[["played", *RATINGS]], decisions


def _odd_lengths(path: Path, events: pd.DataFrame) -> list[str]:
    """Return sentences about clips that lasted longer or shorter than for other people."""
    lengths = zip(events.index, events["duration"], CLIP_SECONDS)
    return [f"{path.name}: clip {clip} lasted {lasted:.1f} s, {usual:g} s for others: its last {SECONDS} s are taken"
            for clip, lasted, usual in lengths if abs(lasted - usual) > ODD_SECONDS]


def _pick(path: Path, header: EdfHeader) -> tuple[list[str], list[str]]:
    """Return the label of each electrode in the file, by its name; where the header has no names, by channels.tsv."""
    names, said = [standard_name(label) for label in header.labels], []
    sidecar = path.with_name(path.name.replace("_eeg.bdf", "_channels.tsv"))
    if not set(ELECTRODES) & set(names) and sidecar.is_file():
        table = read_table(sidecar)
        names = [standard_name(name) for name in table.get("name", [])]
        said = [f"{path.name}: no electrode names in the header: those of {sidecar.name} taken, in their order"]
        if len(names) != len(header.labels):
            raise DatasetError(f"{sidecar}: expected a row for each of the {len(header.labels)} signals of {path.name},"
                               f" found {len(names)}. Get the files again.")
    wrong = [name for name in ELECTRODES if names.count(name) != 1]
    if wrong:
        raise DatasetError(f"{path}: expected each of 30 electrodes once; missing or twice: {', '.join(wrong)}; found "
                           f"{', '.join(names)[:300]}. Another dataset's file?")
    return [header.labels[names.index(name)] for name in ELECTRODES], said


def _unit(path: Path, header: EdfHeader, labels: list[str]) -> str:
    units = {header.units[header.labels.index(label)] for label in labels}
    if len(units) > 1:
        raise DatasetError(f"{path}: expected one unit for all electrodes, found {sorted(units)}. Get the file again.")
    return units.pop()


def _rate(path: Path, header: EdfHeader, labels: list[str]) -> int:
    rate = header.sfreq(labels[0])
    sidecar = path.with_suffix(".json")
    said = rate
    if sidecar.is_file():
        try:
            said = float(json.loads(sidecar.read_text(encoding="utf-8-sig"))["SamplingFrequency"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DatasetError(f"{sidecar}: expected a SamplingFrequency, found {type(error).__name__}: {error!s:.80}. "
                               f"Get the file again.") from None
    if rate != said or rate % SFREQ or rate > 16 * SFREQ:
        raise DatasetError(f"{path}: expected {SFREQ} samples a second or a multiple (1000), the same in header and "
                           f"{sidecar.name}, found {rate:g} and {said:g}. Get the files again.")
    return int(rate)


def _epoch(read, start: int, stop: int, factor: int, end: int) -> np.ndarray:
    """Return a stretch at 250 Hz; filtered with a second more on both sides, so that its ends are not bent."""
    if factor == 1:
        return read(start, stop)
    margin = SFREQ * factor
    before, after = min(margin, start - start % factor), min(margin, end - stop)
    values = read(start - before, stop + after)
    values = scipy.signal.resample_poly(values, 1, factor, axis=1, padtype="line")
    return values[:, before // factor: before // factor + (stop - start) // factor]


def _to_microvolt(path: Path, unit: str, signals: list[np.ndarray]) -> tuple[float, list[str]]:
    """Return the factor from the header's unit, or what the signals themselves say where it cannot be true.

    The median of the standard deviations is used, not of the numbers: amplifiers leave offsets of many millivolt.
    """
    size = float(np.median([signal.std(axis=1) for signal in signals]))
    factor = TO_UV.get(unit, 1.0)
    for rescue in (1.0, 1e6, 1e-6):
        if SMALLEST <= size * factor * rescue <= LARGEST:
            break
    else:
        rescue = 1.0
    said = []
    if rescue != 1.0:
        said = [f"{path.name}: the header says {unit or 'no unit'!r}, but signals of about {size:.2g} are "
                f"{'volt' if factor * rescue == 1e6 else 'microvolt'}: read so"]
    if unit not in TO_UV and rescue == 1.0:
        said = [f"{path.name}: no known unit in the header ({unit!r}), signals of about {size:.2g}: read as microvolt"]
    return factor * rescue, said


# ---- writing ----

def write_session(folder: Path, clips: np.ndarray, rows: pd.DataFrame) -> list[Path]:
    """Write a person's recording: clips in play order, a second before each, with the person's own rate and unit.

    Parameters
    ----------
    folder : Path
        ``sub-NNN/eeg``, made when missing.
    clips : ndarray, shape (28, 32, n_times)
        Microvolt at 250 Hz, order of cohort 2.
    rows : DataFrame
        The person's table, by clip 1-28.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subject = folder.parent.name
    number = int(subject[-3:])
    names = COHORT_1 if number < N_COHORT_1 else COHORT_2
    own = {standard_name(name): place for place, name in enumerate(COHORT_2)} | {"A1": 31, "A2": 30}
    clips = clips[:, [own[standard_name(name)] for name in names]]
    rate, in_volt = (250 if number in RATE_250 else 1000), number in IN_VOLT
    order = np.argsort(rows["played"].fillna(rows["trial"]).to_numpy(), kind="stable")
    parts = [np.pad(clips[clip], ((0, 0), (SFREQ, 0)), mode="edge") for clip in order]
    recording = np.concatenate(parts, axis=1)
    recording = np.pad(recording, ((0, 0), (0, SFREQ + -recording.shape[1] % SFREQ)), mode="edge")
    if rate != SFREQ:
        recording = scipy.signal.resample_poly(recording, rate // SFREQ, 1, axis=1, padtype="line")
    stem = folder / f"{subject}_{TASK}"
    signals, unit, limit = (recording * 1e-6, "V", 0.375) if in_volt else (recording, "uV", 375000.0)
    paths = [write_edf(f"{stem}_eeg.bdf", signals, names, rate, units=unit, limits=(-limit, limit))]
    info = {"TaskName": "watchingVideoClips", "SamplingFrequency": rate, "EEGReference": "n/a",
            "PowerLineFrequency": 50, "EEGChannelCount": len(names), "RecordingDuration": recording.shape[1] / rate}
    paths.append(save_text(Path(f"{stem}_eeg.json"), json.dumps(info, indent=2)))
    lines = ["name\ttype\tunits", *(f"{name}\tEEG\t{'n/a' if in_volt else 'µV'}" for name in names)]
    paths.append(save_table(Path(f"{stem}_channels.tsv"), "\n".join([*lines, ""])))
    about = {"video_index": {"Description": "Number of the clip, 1 to 28"}}
    paths.append(save_text(Path(f"{stem}_events.json"), json.dumps(about, indent=2)))
    scans = f"filename\tacq_time\neeg/{paths[0].name}\tn/a\n"
    paths.append(save_table(folder.parent / f"{subject}_scans.tsv", scans))
    seconds = clips.shape[2] / SFREQ
    paths.append(save_table(Path(f"{stem}_events.tsv"), _event_lines(rows.iloc[order], seconds, rate)))
    return paths


def _event_lines(rows: pd.DataFrame, seconds: float, rate: int) -> str:
    nothing = ["n/a"] * (3 + len(RATINGS))
    lines = ["\t".join(EVENT_COLUMNS), "\t".join(["0", "0", "Experiment start", "n/a", "0", *nothing])]
    for place, row in enumerate(rows.to_dict("records")):
        onset = place * (seconds + 1) + 1
        neutral = row["valence3"] == "neutral"
        film = ("\u00a0" if row["trial"] == 26 else "") + row["film"]  # one title has such a blank
        ratings = ["n/a" if np.isnan(row[name]) else f"{row[name]:.9g}" for name in RATINGS]
        lines.append("\t".join([f"{onset:.9g}", f"{seconds:.9g}", film, str(row["trial"]), str(round(onset * rate)),
                                "\\" if neutral else row["emotion"].capitalize(), row["valence3"], str(row["trial"]),
                                *ratings]))
        lines.append("\t".join([f"{onset + seconds:.9g}", "0", "201", "201", str(round((onset + seconds) * rate)),
                                *nothing]))
    return "\n".join([*lines, ""])


def save_table(path: Path, text: str) -> Path:
    """Write a table in one move; those of this dataset start with a byte order mark."""
    return save_text(path, text, "utf-8-sig")
