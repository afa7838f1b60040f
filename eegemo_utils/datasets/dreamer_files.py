"""The one file of DREAMER: what its nested struct holds, one person at a time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eegemo_utils.datasets.common import eeg_signal
from eegemo_utils.datasets.mat import leaves, save_mat
from eegemo_utils.montage import standard_name
from eegemo_utils.trials import DatasetError

FILE, VARIABLE = "DREAMER.mat", "DREAMER"
ELECTRODES = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
RATINGS = ("valence", "arousal", "dominance")
SFREQ, BASELINE_SECONDS = 128.0, 61.0
N_SUBJECTS, N_CLIPS = 23, 18
SUBJECTS = tuple(f"s{number:02d}" for number in range(1, N_SUBJECTS + 1))
LOWEST, HIGHEST = 1.0, 5.0
PARTS = ("baseline", "stimuli")


def find(root: Path) -> tuple[Path, list[str]]:
    """The file, and what was decided about others beside it. Raises DatasetError when it is not there."""
    if root.is_file():
        return root, []
    if not (root / FILE).is_file():
        found = sorted(path.name for path in root.iterdir())[:5] if root.is_dir() else "no such folder"
        raise DatasetError(f"{root}: expected {FILE}, found {', '.join(found) if isinstance(found, list) else found}. "
                           f"Give the folder it is in.")
    others = sorted(path.name for path in root.glob("*.mat") if path.name != FILE)
    return root / FILE, [f"{len(others)} other files ignored: {', '.join(others)[:200]}"] * bool(others)


def nobody(path: Path) -> DatasetError:
    """The error of a file without people."""
    return DatasetError(f"{path}: expected the cell Data with {N_SUBJECTS} people, found nobody. Get the file again.")


class Person:
    """What the file says of one person: arrays and texts by their keys below ``Data{k}``."""

    def __init__(self, path: Path, number: int):
        self.where = f"{path}, person {number + 1}"
        self.parts: dict[tuple, np.ndarray | str] = {}
        self.known: set[int] = set()

    def text(self, name: str) -> str:
        """Age or gender, as text."""
        value = self.parts.get((name,), "")
        return value.strip() if isinstance(value, str) else f"{value.ravel()[0]:g}" if value.size else ""

    def ratings(self, n_clips: int) -> np.ndarray:
        """Shape (n_clips, 3)."""
        columns = []
        for name in RATINGS:
            scores = self.parts.get((f"Score{name.capitalize()}",))
            if not isinstance(scores, np.ndarray) or scores.size != n_clips:
                raise DatasetError(f"{self.where}: expected {n_clips} ratings in Score{name.capitalize()}, found "
                                   f"{'none' if scores is None else np.shape(scores)}. Get the file again.")
            column = scores.ravel().astype(np.float64)
            bad = ~((column >= LOWEST) & (column <= HIGHEST))
            if bad.any():
                raise DatasetError(f"{self.where}, clip {int(np.argmax(bad)) + 1}: expected a rating of {name} from 1 "
                                   f"to 5, found {column[np.argmax(bad)]:g}. A damaged or altered file: get it again.")
            columns.append(column)
        return np.stack(columns, axis=1)

    def n_clips(self) -> int:
        """Number of clips that any part of the EEG has."""
        return 1 + max((keys[2] for keys in self.parts if keys[0] == "EEG"), default=-1)

    def signal(self, clip: int, strict: bool) -> tuple[np.ndarray, int]:
        """Baseline and clip in one, shape (14, n_times), in the file's order; number of samples of the baseline."""
        pieces = [self._piece(part, clip) for part in PARTS]
        n_baseline = len(pieces[0])
        if strict and n_baseline != BASELINE_SECONDS * SFREQ:
            raise DatasetError(f"{self.where}, clip {clip + 1}: expected a baseline of "
                               f"{BASELINE_SECONDS * SFREQ:.0f} samples, found {n_baseline}. Get the file again.")
        return eeg_signal(np.concatenate(pieces).T, ELECTRODES, f"{self.where}, clip {clip + 1}"), n_baseline

    def _piece(self, part: str, clip: int) -> np.ndarray:
        piece = self.parts.get(("EEG", part, clip))
        if not isinstance(piece, np.ndarray) or piece.ndim != 2 or piece.shape[1] != len(ELECTRODES) or not len(piece):
            found = "nothing" if piece is None else f"shape {np.shape(piece)}"
            raise DatasetError(f"{self.where}, clip {clip + 1}: expected EEG.{part} of shape (samples, "
                               f"{len(ELECTRODES)}), found {found}. Get the file again.")
        return piece


def people(path: Path, wanted=None) -> Iterator[tuple[int, Person]]:
    """Persons of the file in its order, one in memory at a time.

    Parameters
    ----------
    path : Path
    wanted : collection of int, optional
        Numbers of the persons to read, from 0.

    Yields
    ------
    number : int
        -1 for what the file says of itself, last of all; its `known` are the numbers of all persons.
    person : Person

    Raises
    ------
    DatasetError
        When the file is damaged or is another one.
    """
    person, number, rest = None, None, Person(path, -1)
    for keys, value in leaves(path, VARIABLE, lambda keys: _keep(keys, wanted, rest.known)):
        if keys[0] != "Data":
            rest.parts[keys] = value
            continue
        if keys[1] != number:
            if person is not None:
                yield number, person
            number, person = keys[1], Person(path, keys[1])
        person.parts[_plain(keys[2:])] = value
    if person is not None:
        yield number, person
    yield -1, rest


def _keep(keys: tuple, wanted, known: set[int]) -> bool:
    if not keys or keys[0] != "Data":
        return bool(keys)
    if len(keys) < 3 or not isinstance(keys[1], int):
        return False
    known.add(keys[1])
    if wanted is not None and keys[1] not in wanted:
        return False
    if keys[2] == "EEG":
        return len(keys) == 5 and keys[3] in PARTS and isinstance(keys[4], int)
    return keys[2] != "ECG"


def _plain(keys: tuple) -> tuple:
    return keys if keys[0] == "EEG" else keys[:1]


def electrode_order(path: Path, about: Person) -> tuple[list[int], list[str]]:
    """Where the electrodes stand in the file's columns, and what was decided about that.

    Raises
    ------
    DatasetError
        When the file names other electrodes, or another rate.
    """
    rate = about.parts.get(("EEG_SamplingRate",))
    if isinstance(rate, np.ndarray) and rate.size == 1 and float(rate.ravel()[0]) != SFREQ:
        raise DatasetError(f"{path}: expected an EEG_SamplingRate of {SFREQ:g}, found {rate.ravel()[0]:g}. Get the "
                           f"original file, or resample.")
    names = [standard_name(str(value)) for keys, value in about.parts.items() if keys[0] == "EEG_Electrodes"]
    if not names:
        return list(range(len(ELECTRODES))), [f"{FILE} does not name its electrodes: taken in the published order"]
    if sorted(names) != sorted(ELECTRODES):
        raise DatasetError(f"{path}: expected the electrodes {', '.join(ELECTRODES)}, each once; EEG_Electrodes has "
                           f"{', '.join(names)[:200]}. Get the original file.")
    order = [names.index(name) for name in ELECTRODES]
    return order, ["the file's electrodes are in another order: put into the published one"] * (order != sorted(order))


def save(path: Path, data: list[dict]) -> Path:
    """Write the struct around the persons' dicts, in one move."""
    cells = np.empty((1, len(data)), object)
    cells[0, :] = data
    electrodes = np.empty((1, len(ELECTRODES)), object)
    electrodes[0, :] = ELECTRODES
    return save_mat(path, {VARIABLE: {
        "Data": cells, "EEG_SamplingRate": 128, "ECG_SamplingRate": 256, "EEG_Electrodes": electrodes,
        "noOfSubjects": len(data), "noOfVideoSequences": N_CLIPS, "Disclaimer": "written by eegemo_utils",
        "Provider": "eegemo_utils", "Version": "1.0.2", "Acknowledgement": "none"}})


def person_cell(age: str, gender: str, signals: list[np.ndarray], baselines: list[int], ratings: np.ndarray) -> dict:
    """One person as the struct has it; the ECG holds no signal."""
    cells = {(kind, part): np.empty((len(signals), 1), object) for kind in ("EEG", "ECG") for part in PARTS}
    for clip, (signal, n_baseline) in enumerate(zip(signals, baselines)):
        pieces = np.split(signal.T.astype(np.float64), [n_baseline])
        for part, piece in zip(PARTS, pieces):
            cells["EEG", part][clip, 0] = piece
            cells["ECG", part][clip, 0] = np.zeros((2 * len(piece), 2))
    scores = {f"Score{name.capitalize()}": column[:, None] for name, column in zip(RATINGS, ratings.T)}
    return {"Age": age, "Gender": gender} | {
        kind: {part: cells[kind, part] for part in PARTS} for kind in ("EEG", "ECG")} | scores
