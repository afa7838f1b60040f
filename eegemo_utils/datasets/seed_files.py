"""Files of SEED and SEED-IV: what they are called, what is in them, what is wrong with one.

Both sets have a MATLAB file for each recording (a person on a day) in two forms: the clips' signals at 200 Hz, and
features of their windows. `Layout` says in what the two sets differ. Variables are taken by name, never by position.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegemo_utils.datasets.base import Source
from eegemo_utils.datasets.common import DESCRIPTION, stored_features
from eegemo_utils.datasets.formats.mat import load_mat, names_in, save_mat
from eegemo_utils.files import in_words
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import DatasetError

BANDS = ("delta", "theta", "alpha", "beta", "gamma")
SFREQ = 200.0
N_SUBJECTS, N_SESSIONS = 15, 3
RATE_TOLERANCE = 0.2  # of a recording's length; other sets of the family have 1000 Hz, five times as much
FILE_NAME = re.compile(r"([1-9]\d?)_(\d{8})\.mat")
SIGNAL_NAME = re.compile(r"[A-Za-z]\w*_eeg([1-9]\d?)")  # the part before is the person's initials: never kept


@dataclass(frozen=True)
class Layout:
    """In what SEED and SEED-IV differ.

    Parameters
    ----------
    title : str
    folders : dict
        Folder of each form, "raw" and "features".
    classes : dict
        Name of each number of the files.
    labels : tuple of tuple of int
        For each session, the number of each trial.
    n_windows : tuple of tuple of int
        For each session, the windows of each trial in the features.
    window_seconds : float
    rows : dict
        Kinds of features: how many rows each has.
    by_folder : bool
        Whether sessions are folders 1, 2, 3; otherwise they are the order of the dates.
    """

    title: str
    folders: dict
    classes: dict
    labels: tuple
    n_windows: tuple
    window_seconds: float
    rows: dict
    by_folder: bool

    def folder(self, root: Path, form: str) -> Path:
        """Where the files of a form lie: below `root`, or in it when `root` is that folder."""
        inner = root / self.folders[form]
        return inner if inner.is_dir() else root

    @in_words
    def forms(self, root: Path) -> list[str]:
        """Forms that a folder seems to have."""
        inner = [form for form, name in self.folders.items() if (root / name).is_dir()]
        own = [form for form, name in self.folders.items() if root.name == name]
        if inner or own:
            return inner or own
        first = next(iter(sorted(root.rglob("*_*.mat"))), None)
        try:
            names = names_in(first) if first else []
        except DatasetError:
            names = []
        return ["features"] if any(re.fullmatch(r"de_LDS\d+", name) for name in names) else ["raw"]


@dataclass(frozen=True)
class Recording(Source):
    """A person on a day, and the kind of features to read."""

    kind: str = ""


@in_words
def find(layout: Layout, root: Path, form: str, kind: str = "") -> tuple[list[Recording], list[str]]:
    """Return recordings of one form by person and session, and the names of other files.

    Raises
    ------
    DatasetError
        When there is no such folder or recording, or a person has two recordings for a session.
    """
    folder = layout.folder(root, form)
    other = next(name for name in layout.folders if name != form)
    recordings, strangers = [], []
    if root.name != layout.folders[other]:
        for session in range(1, N_SESSIONS + 1) if layout.by_folder else (0,):
            place = folder / str(session) if session else folder
            people, names = _files(place)
            strangers += names
            for subject, paths in people.items():
                most = 1 if session else N_SESSIONS
                if len(paths) > most:
                    raise DatasetError(f"{folder}: expected at most {most} file(s) of person {subject} here, found "
                                       f"{', '.join(path.name for path in paths)}. Take away what is a copy.")
                for rank, path in enumerate(paths, start=1):  # by date
                    name = f"{session}/{path.name}" if session else path.name
                    recordings.append(Recording(subject, path, name, session=session or rank, form=form, kind=kind))
    if not recordings:
        below = " in the folders 1, 2, 3 of " if layout.by_folder else " in "
        here = root.name == layout.folders[other] or (root / layout.folders[other]).is_dir()
        hint = f" Here is form={other!r}." if here else ""
        raise DatasetError(f"{root}: expected files <person>_<yyyymmdd>.mat{below}{layout.folders[form]}, found none."
                           f"{hint} Give the folder of {layout.title}.")
    return sorted(recordings, key=lambda one: (int(one.subject), one.session)), strangers


def _files(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Return each person's files in a folder, by date, and the names of other files."""
    people, others = {}, []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = FILE_NAME.fullmatch(path.name)
        if match and int(match[1]) <= N_SUBJECTS and path.is_file():
            people.setdefault(match[1], []).append(path)
        elif not path.name.startswith(".") and path.name not in (DESCRIPTION, "label.mat", "readme.txt"):
            others.append(path.name)
    return people, others


def _by_trial(layout: Layout, recording: Recording, pattern: re.Pattern, what: str, complete: bool) -> dict[int, str]:
    """Names of the wanted variables by the number of their trial, all there and each once."""
    path, n_trials = recording.path, len(layout.labels[recording.session - 1])
    names = names_in(path)
    found = [(int(match[1]), name) for name in names if (match := pattern.fullmatch(name))]
    numbers = sorted(number for number, _ in found)
    if not numbers:
        shown = [SIGNAL_NAME.sub(r"<initials>_eeg\1", name) for name in names[:4]]
        raise DatasetError(f"{path}: expected the variables {what}, found {', '.join(shown) or 'none'}"
                           f"{', ...' if len(names) > 4 else ''}. The two forms have files of the same names: is this "
                           f"the folder of the other form?")
    if numbers != list(range(1, len(numbers) + 1)) or len(numbers) > n_trials or (complete and len(numbers) < n_trials):
        missing = sorted(set(range(1, n_trials + 1)) - set(numbers))
        strange = len(set(numbers)) < len(numbers) or numbers[-1] > n_trials
        wrong = f"trials {numbers}" if strange else f"missing: trials {missing}"
        raise DatasetError(f"{path}: expected {what}, {n_trials} of them, each once; found {len(numbers)} ({wrong}). "
                           f"Get the file again, or look whether it belongs to another dataset.")
    return dict(sorted(found))


def load_signals(layout: Layout, recording: Recording, complete: bool = True) -> tuple[list[np.ndarray], list[str]]:
    """Return the signals of a recording's trials, each (62, n_times) float32 microvolt, and decisions.

    One trial at a time is in memory as float64. `complete`: expect all trials, of about the published length;
    simulated recordings may be shorter.

    Raises
    ------
    DatasetError
        When the file is damaged, lacks a trial, or has another shape or rate.
    """
    path = recording.path
    names = _by_trial(layout, recording, SIGNAL_NAME, "<initials>_eeg1, <initials>_eeg2, ...", complete)
    signals = []
    for number, name in names.items():
        where = f"{path}, trial {number}"
        values = load_mat(path, [name])[name]
        if values.ndim != 2 or values.shape[0] != len(SEED_62) or values.dtype.kind not in "fiu" or not values.size:
            raise DatasetError(f"{where}: expected numbers of shape (62 channels, samples), found {values.dtype} of "
                               f"shape {values.shape}. Give the file as it was released.")
        with np.errstate(over="ignore"):
            signals.append(values.astype(np.float32))
    if not complete:
        return signals, []
    expected = np.array(layout.n_windows[recording.session - 1]) * layout.window_seconds
    seconds = np.array([signal.shape[1] for signal in signals]) / SFREQ
    if abs(seconds.sum() / expected.sum() - 1) > RATE_TOLERANCE:
        raise DatasetError(f"{path}: expected {expected.sum():.0f} s of signal at {SFREQ:.0f} Hz, found samples for "
                           f"{seconds.sum():.0f} s. Another sampling rate, or a file that was cut.")
    off = np.flatnonzero(np.abs(seconds - expected) > 2 * layout.window_seconds) + 1
    said = f"{path.name}: trial(s) {', '.join(map(str, off))} of another length than the features say: kept"
    return signals, [said] if len(off) else []


def load_features(layout: Layout, recording: Recording, kind: str,
                  complete: bool = True) -> tuple[list[np.ndarray], list[str]]:
    """Return the features of a recording's trials, each (n_windows, n_rows, 5) float32, and decisions.

    Raises
    ------
    DatasetError
        When the kind is unknown, or the file is damaged, lacks a trial, or holds another shape or no finite value.
    """
    path = recording.path
    pattern = re.compile(rf"{kind}([1-9]\d?)")
    names = _by_trial(layout, recording, pattern, f"{kind}1, {kind}2, ...", complete)
    trials = load_mat(path, list(names.values()))
    features = [stored_features(trials[name], layout.rows[kind], len(BANDS), f"{path}, {name}")
                for name in names.values()]
    published = layout.n_windows[recording.session - 1]
    off = [str(number) for number, values in zip(names, features) if len(values) != published[number - 1]]
    said = f"{path.name}: trial(s) {', '.join(off)} have another number of windows than is published: kept"
    return features, [said] if off and complete else []


def check_kinds(layout: Layout, recording: Recording, complete: bool = True) -> None:
    """Raise DatasetError where a kind of features lacks a trial."""
    for kind in layout.rows:
        _by_trial(layout, recording, re.compile(rf"{kind}([1-9]\d?)"), f"{kind}1, {kind}2, ...", complete)


@in_words
def load_labels(layout: Layout, root: Path, form: str) -> list[str]:
    """Hold label.mat against the published labels, which are the ones used; what was decided about it.

    Raises
    ------
    DatasetError
        When the file is damaged or says something else.
    """
    path = layout.folder(root, form) / "label.mat"
    if not path.is_file():
        return ["label.mat is not there: the published labels are used"]
    labels = load_mat(path, ["label"])["label"].ravel()
    if labels.dtype.kind not in "fiu" or labels.tolist() != list(layout.labels[0]):
        raise DatasetError(f"{path}: expected the labels {' '.join(map(str, layout.labels[0]))}, found "
                           f"{' '.join(map(str, labels.tolist()[:20]))}. Another dataset's, or an altered one.")
    return []


def save(path: Path, arrays: dict) -> Path:
    """Write one recording, in one move; numbers become float64, as in the release."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_mat(path, {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()})
