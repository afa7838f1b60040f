"""Files of SEED-V: what they are called, when clips start and end, what is in a file, what is wrong with it."""

import json
import pickle
import re
from pathlib import Path

import numpy as np

from eegemo_utils.datasets.common import DESCRIPTION, eeg_signal, one_move, save_text
from eegemo_utils.datasets.formats import cnt
from eegemo_utils.files import in_words
from eegemo_utils.montage import SEED_62, standard_name
from eegemo_utils.pickles import load_npz, load_pickle
from eegemo_utils.trials import DatasetError

SFREQ, N_SUBJECTS, N_SESSIONS, N_TRIALS, N_BANDS = 1000.0, 16, 3, 15, 5
WINDOW_SECONDS = 4.0
FOLDERS = {"raw": "EEG_raw", "features": "EEG_DE_features"}
NAMES = {"raw": re.compile(r"([1-9]\d?)_([123])_(\d{8})\.cnt"), "features": re.compile(r"([1-9]\d?)_(123)\.npz")}
OTHER_CHANNELS = ("M1", "M2", "VEO", "HEO")
# Seconds from the start of the file, of the 15 clips of each session; there are no triggers to go by.
STARTS = ((30, 132, 287, 555, 773, 982, 1271, 1628, 1730, 2025, 2227, 2435, 2667, 2932, 3204),
          (30, 299, 548, 646, 836, 1000, 1091, 1392, 1657, 1809, 1966, 2186, 2333, 2490, 2741),
          (30, 353, 478, 674, 825, 908, 1200, 1346, 1451, 1711, 2055, 2307, 2457, 2726, 2888))
ENDS = ((102, 228, 524, 742, 920, 1240, 1568, 1697, 1994, 2166, 2401, 2607, 2901, 3172, 3359),
        (267, 488, 614, 773, 967, 1059, 1331, 1622, 1777, 1908, 2153, 2302, 2428, 2709, 2817),
        (321, 418, 643, 764, 877, 1147, 1284, 1418, 1679, 1996, 2275, 2425, 2664, 2857, 3066))
CODES = ((4, 1, 3, 2, 0) * 3, *((2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),) * 2)
N_WINDOWS = tuple(tuple(int((end - start) // WINDOW_SECONDS) for start, end in zip(*both))
                  for both in zip(STARTS, ENDS))  # of four seconds: 681, 541 and 601
CLIPS = "simulated_clips.json"  # simulated recordings are shorter: their own seconds stand here


@in_words
def forms(root: Path) -> list[str]:
    """Forms that the folder has by its own name or that of one in it."""
    return [form for form, name in FOLDERS.items() if (root / name).is_dir() or root.name == name]


@in_words
def find(root: Path, form: str) -> tuple[dict[str, dict[int, Path]], list[str]]:
    """Return files of one form by person and session (0: all sessions), and the names of other files.

    Raises
    ------
    DatasetError
        When there is no such folder or file, or a person has two files for a session.
    """
    folder = root / FOLDERS[form] if (root / FOLDERS[form]).is_dir() else root
    found: dict[str, dict[int, Path]] = {}
    others = []
    for path in _visible(folder):
        match = NAMES[form].fullmatch(path.name)
        if not match or int(match[1]) > N_SUBJECTS:
            others.append(path.name)
            continue
        session = int(match[2]) if form == "raw" else 0
        own = found.setdefault(match[1], {})
        if session in own:
            raise DatasetError(f"{folder}: expected one file of person {match[1]}, session {session}, found "
                               f"{own[session].name} and {path.name}. Take away what is a copy.")
        own[session] = path
    if not found:
        expected = "<person>_<session>_<yyyymmdd>.cnt" if form == "raw" else "<person>_123.npz"
        held = [other for other, name in FOLDERS.items() if other != form and (root / name).is_dir()]
        hint = f"Here is form={held[0]!r}." if held else "Give the folder of SEED-V."
        raise DatasetError(f"{root}: expected files {expected} in {FOLDERS[form]}, found none. {hint}")
    if folder != root:
        others += [path.name for path in _visible(root)]
    return {subject: found[subject] for subject in sorted(found, key=int)}, others


def _visible(folder: Path) -> list[Path]:
    """Return the files of a folder, without hidden ones and those that `write` puts beside the recordings."""
    return [path for path in sorted(folder.iterdir()) if path.name[0] != "." and path.is_file()
            and path.name not in (DESCRIPTION, CLIPS)] if folder.is_dir() else []


# ---- signals ----

@in_words
def clip_seconds(root: Path, written: bool) -> list[list[tuple[float, float]]]:
    """Start and end of each session's clips: the published ones, or those of a folder that was written.

    Raises
    ------
    DatasetError
        When a written folder does not say, or says what cannot be.
    """
    if not written:
        return [list(zip(*both)) for both in zip(STARTS, ENDS)]
    path = root / CLIPS
    try:
        sessions = json.loads(path.read_text(encoding="utf-8"))
        clips = [[(float(start), float(end)) for start, end in session] for session in sessions]
        flat = [[second for clip in session for second in clip] for session in clips]
        rising = all(second < later < 1e5 for session in flat for second, later in zip([-1e-9, *session], session))
        if len(clips) != N_SESSIONS or not rising or not all(len(session) <= N_TRIALS for session in clips):
            raise ValueError("seconds that do not rise, or not three sessions of at most 15 clips")
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{path}: expected start and end of the clips of three sessions, found {error!s:.100}. "
                           f"Simulate the recordings again.") from None
    return clips


def load_signals(path: Path, clips: list[tuple[float, float]]) -> tuple[list[np.ndarray], list[str]]:
    """Signals of a recording's clips, each (62, n_times) float32 microvolt, and decisions.

    Raises
    ------
    DatasetError
        When the file is damaged, lacks an electrode, has another rate, ends before the last clip does, or is not in
        microvolt.
    """
    header = cnt.read_header(path)
    names = [standard_name(name) for name in header.ch_names]
    wrong = [name for name in SEED_62 if names.count(name) != 1]
    if wrong:
        raise DatasetError(f"{path}: expected the 62 electrodes of the cap, each once; missing or more than once: "
                           f"{', '.join(wrong)}. Another dataset's file?")
    if header.sfreq != SFREQ:
        raise DatasetError(f"{path}: expected {SFREQ:g} samples a second, found {header.sfreq:g}. Give the file as it "
                           f"was released.")
    spans = [(int(round(start * SFREQ)), int(round(end * SFREQ))) for start, end in clips]
    if not spans or spans[-1][1] > header.n_times:
        raise DatasetError(f"{path}: expected {spans[-1][1] / SFREQ if spans else 1:g} s of signal at least, where the "
                           f"last clip ends, found {header.n_times / SFREQ:g} s. A cut file, or another session's.")
    signals, bads = cnt.read_spans(path, [names.index(name) for name in SEED_62], spans)
    for trial, signal in enumerate(signals, start=1):
        eeg_signal(signal, SEED_62, f"{path}, trial {trial}")
    return signals, [f"{path.name}: marked bad in its header, kept: {', '.join(bads)}"] if bads else []


def save_signals(path: Path, signals: list[np.ndarray], clips: list[tuple[float, float]]) -> Path:
    """Write a recording: clips where they belong, zeros between them and in the channels that are no EEG."""
    whole = np.zeros((len(SEED_62) + len(OTHER_CHANNELS), int(round((clips[-1][1] + 1) * SFREQ))), np.float32)
    for signal, (start, _) in zip(signals, clips):
        first = int(round(start * SFREQ))
        whole[: len(SEED_62), first:first + signal.shape[1]] = signal
    return cnt.write_cnt(path, whole, [*map(str.upper, SEED_62), *OTHER_CHANNELS], SFREQ)


def save_clips(root: Path, clips: list[list[tuple[float, float]]]) -> None:
    """Put the seconds of simulated clips beside the folders, in one move."""
    save_text(root / CLIPS, json.dumps(clips) + "\n")


# ---- features ----

def _dict_in(path: Path, arrays: dict, name: str) -> dict:
    """The dict that is stored as the bytes of its pickle, its keys as numbers from 0."""
    stored = arrays.get(name)
    content = stored.item() if isinstance(stored, np.ndarray) and stored.size == 1 else None
    if not isinstance(content, bytes):
        raise DatasetError(f"{path}: expected data and label, a pickled dictionary each, found "
                           f"{', '.join(arrays)[:100] or 'nothing'}. Give the features as they were released.")
    found = load_pickle(content, f"{path}, {name}")
    try:
        numbers = {int(key): value for key, value in found.items()}
        first = 1 if 0 not in numbers and N_SESSIONS * N_TRIALS in numbers else 0  # some count from 1
        numbers = {key - first: numbers[key] for key in sorted(numbers)}
    except (AttributeError, ValueError, TypeError, OverflowError):
        numbers = {}
    if not numbers or len(numbers) != len(found) or min(numbers) < 0 or max(numbers) >= N_SESSIONS * N_TRIALS:
        raise DatasetError(f"{path}: expected {name} as a dictionary with the keys 0 to 44, found "
                           f"{type(found).__name__} of {len(numbers)} such keys. Give the features as they were "
                           f"released.")
    return numbers


def load_features(path: Path, complete: bool = True) -> tuple[dict[tuple[int, int], np.ndarray], list[str]]:
    """Features by (session, trial), each (n_windows, 62, 5) float32, and decisions.

    Raises
    ------
    DatasetError
        When the file is damaged or holds programs, a trial is missing, or shapes, labels or values cannot be.
    """
    arrays = load_npz(path)
    data, labels = (_dict_in(path, arrays, name) for name in ("data", "label"))
    missing = sorted((set(range(N_SESSIONS * N_TRIALS)) if complete else set(labels)) - set(data))
    if missing or set(data) != set(labels):
        raise DatasetError(f"{path}: expected the trials 0 to 44 in data and in label, missing: "
                           f"{', '.join(map(str, missing or sorted(set(data) ^ set(labels))))}. Get the file again.")
    features, off = {}, []
    for key, values in data.items():
        session, trial = key // N_TRIALS + 1, key % N_TRIALS + 1
        features[session, trial] = _features(f"{path}, trial {key}", values, labels[key], CODES[session - 1][trial - 1])
        if complete and len(values) != N_WINDOWS[session - 1][trial - 1]:
            off.append(str(key))
    said = f"{path.name}: trial(s) {', '.join(off)} have another number of windows than is published: kept"
    return features, [said] if off else []


def _features(where: str, values, labels, code: int) -> np.ndarray:
    shape = (len(SEED_62), N_BANDS)
    good = isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and values.ndim == 2
    if not good or not values.size or values.shape[1] != shape[0] * shape[1]:
        found = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise DatasetError(f"{where}: expected numbers of shape (windows, 310), found {found}. Get the file again.")
    good = isinstance(labels, np.ndarray) and labels.dtype.kind in "fiu" and labels.shape == (len(values),)
    if not good or not (labels == code).all():
        found = f"{np.unique(labels)[:9]} for {len(labels)}" if good else type(labels).__name__
        raise DatasetError(f"{where}: expected the label {code} for each of {len(values)} windows, found {found}. "
                           f"Another dataset's, or an altered file.")
    with np.errstate(over="ignore", invalid="ignore"):
        values = values.reshape(len(values), *shape).astype(np.float32)
    if not np.isfinite(values).all():
        raise DatasetError(f"{where}: values that are not finite. Get the file again, or take it away.")
    return values


def save_features(path: Path, features: dict[tuple[int, int], np.ndarray]) -> Path:
    """Write a person's features, each (n_windows, 62, 5): two dictionaries as bytes of their pickles, in one move."""
    data, labels = {}, {}
    for (session, trial), values in sorted(features.items()):
        key = (session - 1) * N_TRIALS + trial - 1
        data[key] = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        labels[key] = np.full(len(values), CODES[session - 1][trial - 1], dtype=np.float64)
    with one_move(path) as partial, partial.open("wb") as file:
        np.savez(file, data=pickle.dumps(data, protocol=4), label=pickle.dumps(labels, protocol=4))
    return path
