"""DEAP: 32 people rate 40 one-minute music videos; preprocessed release, pickles or MATLAB files.

Layout (Koelstra et al. 2012, IEEE Trans. Affective Computing 3:18-31, and the dataset's page): ``s01.dat`` ...
``s32.dat`` (pickles of Python 2) or the same as ``.mat``, in a folder of their own or in
``data_preprocessed_python`` and ``data_preprocessed_matlab``. Two float64 arrays: ``data`` (40 videos, 40 signals,
8064 samples) at 128 Hz, 3 s before the video and 60 s of it; ``labels`` (40, 4): valence, arousal, dominance,
liking, each from 1 to 9 without steps. The release is averaged to a common reference, filtered to 4-45 Hz, cleaned
of eye movements, its electrodes in the Geneva order for everybody (torcheeg/torcheeg,
torcheeg/datasets/constants/emotion_recognition/deap.py:8-12), its trials in the order of the videos.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- the eight signals that are no EEG (eyes, muscles, skin, breath, pulse, temperature) are dropped;
- the label is that of the papers, "high" when a rating is above 5, so that exactly 5 is low (shark-in-a-coma/4D-CRNN,
  DEAP_1D.py:122-123). Other code counts 5 as high (torcheeg, ``Binary``: >=), or splits at 4.5: another task;
- where a person has both files, the .dat is read;
- people whose files are not there are left out; other files are ignored;
- channels without signal, EEG too small or large for microvolt, and files that hold the same signals are named;
  `check` tells where the alpha rhythm is strongest;
- `check` compares the ratings with ``participant_ratings.csv``, where it lies beside the files or one folder above;
- a folder with DESCRIPTION.txt, which `write` makes, may hold fewer and shorter trials; any other must not.

Traps. The files hold no channel names: only the place of the alpha rhythm shows that channels are permuted. The page
says the baseline is removed: the 3 s are there. A person may have rated all videos to one side of 5, which leaves one
class.
"""

import re
import struct
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets.base import Dataset, Option, Part, Size, Source, rating_decisions
from eegemo_utils.datasets.common import DESCRIPTION, one_move
from eegemo_utils.datasets.formats.mat import load_mat, save_mat
from eegemo_utils.datasets.plausible import few, others_ignored
from eegemo_utils.files import in_words
from eegemo_utils.pickles import load_pickle
from eegemo_utils.trials import DatasetError, shown

SUBJECTS = tuple(f"s{number:02d}" for number in range(1, 33))
FOLDERS = {"dat": "data_preprocessed_python", "mat": "data_preprocessed_matlab"}
FILE_NAME = re.compile(r"(s\d\d)\.(dat|mat)")
GENEVA = ("Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz",
          "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2")
PERIPHERAL = ("hEOG", "vEOG", "zEMG", "tEMG", "GSR", "Resp", "Plet", "Temp")
RATINGS = ("valence", "arousal", "dominance", "liking")
SFREQ, BASELINE_SECONDS = 128.0, 3.0
SHAPE = (40, 40, 8064)  # videos, 32 EEG and 8 other signals, 63 s
LOWEST, HIGHEST, THRESHOLD = 1.0, 9.0, 5.0
LIST = "participant_ratings.csv"  # of the release: ratings of all trials, by video


class Deap(Dataset):
    """DEAP: see the text of this file."""

    name, short = "deap", "DEAP"
    title = "DEAP, preprocessed release (32 people, 40 music videos)"
    licence = "signed agreement; academic, not commercial, not to be passed on"
    source = ("Queen Mary University of London, eecs.qmul.ac.uk/mmv/datasets/deap: agreement signed by a permanent "
              "member of staff")
    labels = "low, high: valence (or arousal, dominance, liking) above 5 of 1-9; the four ratings"
    folders = ("deap", "DEAP", *FOLDERS.values())
    papers = "multitask_cnn, tnas"
    ch_names, sfreq, people = GENEVA, SFREQ, SUBJECTS
    place = "Folder with the .dat or .mat files, or the one above ``data_preprocessed_python`` or ``_matlab``."
    unit = "32 electrodes, microvolt, 128 Hz, 63 s"
    columns = {"subject": "s01-s32", "session": "1", "trial": "the video, 1-40", "label": "low, high",
               **dict.fromkeys(RATINGS, "1-9"), "baseline_seconds": "3.0, before the video"}
    options = {"target": Option("valence", "Rating that makes the label.", RATINGS)}
    sizes = {"n_subjects": Size(2, "People.", 1, 32), "n_trials": Size(40, "Videos.", 1, 40),
             "n_seconds": Size(10.0, "Of each video (60 in the release), without the 3 s before it.", 1 / SFREQ)}
    forms, needed = tuple(FOLDERS), RATINGS

    def find(self, root, target="valence"):
        if not root.is_dir():
            raise DatasetError(f"{root}: no such folder. Expected the one with s01.dat ... s32.dat (or .mat).")
        folders = [folder for folder in (root, *(root / name for name in FOLDERS.values())) if folder.is_dir()]
        paths = [path for folder in folders for path in sorted(folder.iterdir())
                 if path.is_file() and not path.name.startswith(".") and path.name != DESCRIPTION]
        named = [path for path in paths if _subject(path)]
        others = [path.name for path in paths if path not in named]
        if not named:
            found = f"{len(others)} other files ({others[0]}, ...)" if others else "no file"
            raise DatasetError(f"{root}: expected s01.dat ... s32.dat (or .mat), in it or in "
                               f"{' or '.join(FOLDERS.values())}; found {found}. Give the preprocessed release.")
        chosen: dict[str, Path] = {}
        for path in sorted(named, key=lambda path: (path.suffix, path.name)):  # .dat before .mat
            chosen.setdefault(_subject(path), path)
        decisions = others_ignored(others)
        if twice := len(named) - len(chosen):
            decisions.append(f"{twice} people have more than one file (the two forms hold the same): .dat is read")
        return [Source(subject, path, subject) for subject, path in sorted(chosen.items())], decisions

    def load(self, source, strict):
        path = source.path
        parts = load_pickle(path) if path.suffix == ".dat" else load_mat(path, ["data", "labels"])
        data, ratings = _arrays(path, parts)
        _check_shapes(path, data, ratings, strict)
        bad = ~((ratings >= LOWEST) & (ratings <= HIGHEST))
        if bad.any():
            trial, column = np.argwhere(bad)[0]
            raise DatasetError(f"{path}: trial {trial + 1}: expected a rating of {RATINGS[column]} from 1 to 9, found "
                               f"{ratings[trial, column]:g}. A damaged or altered file: get it again.")
        return Part([trial[: len(GENEVA)] for trial in data], _table(source.subject, ratings))

    def line(self, source, part):
        high = zip((part.table[list(RATINGS)] > THRESHOLD).sum(), RATINGS)
        return (f"{source.path.name}: {len(part.values)} trials of {part.values[0].shape[1] / SFREQ:g} s; above 5: "
                f"{', '.join(f'{count} {name}' for count, name in high)}")

    def label(self, table, root, strict, target="valence"):
        table["label"] = np.where(table[target] > THRESHOLD, "high", "low")
        short = [f"{subject} ({n})" for subject, n in table.groupby("subject").size().items() if n < SHAPE[0]]
        decisions = [f"signals that are no EEG dropped: {', '.join(PERIPHERAL)}",
                     *rating_decisions(table, target, THRESHOLD)]
        return table, decisions + ([f"fewer than {SHAPE[0]} trials: {', '.join(short)}"] if short else [])

    def remarks(self, table, root):
        return compare_ratings(table, root)

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        table = trials.table
        if set(table["session"]) != {1}:
            raise DatasetError(f"{root}: DEAP has one session; found other sessions")
        ratings = table[list(RATINGS)].to_numpy(float)
        if not ((ratings >= LOWEST) & (ratings <= HIGHEST)).all():
            raise DatasetError(f"{root}: ratings of DEAP go from 1 to 9; found {ratings.min():g} to {ratings.max():g}")
        for subject, rows in table.groupby("subject"):
            lengths = {trials.signals[row].shape[1] for row in rows.index}
            whole = sorted(rows["trial"]) == list(range(1, len(rows) + 1)) and len(rows) <= SHAPE[0]
            if not whole or len(lengths) > 1 or min(lengths) <= BASELINE_SECONDS * SFREQ:
                raise DatasetError(f"{root}: a file of DEAP holds trials 1, 2, ... (at most 40) of one length above "
                                   f"3 s; {subject} has {len(rows)} with lengths {sorted(lengths)}")

    def targets(self, table, root, form):
        return {root / f"{subject}.{form}": rows.sort_values("trial")
                for subject, rows in table.groupby("subject", sort=False)}

    def present(self, root, form):
        return [path for kind in FOLDERS for path in root.glob(f"s[0-9][0-9].{kind}")]

    def save(self, path, signals, rows):
        save(path, signals, rows[list(RATINGS)].to_numpy(float))

    def plan(self, n_subjects, n_trials, n_seconds, random_state):
        videos = np.random.default_rng(random_state).uniform(-1, 1, (SHAPE[0], len(RATINGS)))
        tables = []
        for number, subject in enumerate(SUBJECTS[:n_subjects]):
            own = np.random.default_rng([random_state, number]).normal(0, 0.3, videos.shape)
            tables.append(_table(subject, np.round(5 + 4 * np.clip(videos + own, -1, 1), 2)[:n_trials]))
        table = pd.concat(tables, ignore_index=True)
        table["label"] = np.where(table["valence"] > THRESHOLD, "high", "low")
        feelings = (table[["valence", "arousal"]] - THRESHOLD) / 4
        return table, table.assign(n_seconds=n_seconds + BASELINE_SECONDS, **feelings)


@in_words
def compare_ratings(table: pd.DataFrame, root: Path) -> list[str]:
    """Return how the stored ratings differ from those of ``participant_ratings.csv``, where the release's lies near.

    The release sorts trials by video, which the csv calls Experiment_id. Some copies hold 9 - r in the place of a
    rating r.

    Parameters
    ----------
    table : DataFrame
        As `read` gives it.
    root : Path
        The list is looked for here, one folder above, and in ``metadata_csv`` in both.
    """
    places = [folder / inner / LIST for folder in (root, root.absolute().parent) for inner in ("", "metadata_csv")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return []
    keys = ["Participant_id", "Experiment_id"]
    columns = [*keys, *(name.capitalize() for name in RATINGS)]
    try:
        listed = pd.read_csv(path)[columns].apply(pd.to_numeric).drop_duplicates(keys).set_index(keys)
    except (ValueError, KeyError) as error:  # pandas' errors are of these
        return [f"{path}: expected the columns {', '.join(columns)} with numbers, found others ({shown(error, 120)}): "
                f"not compared. Get it again."]
    listed = listed.reindex(zip(table["subject"].str[1:].astype(int), table["trial"])).to_numpy(float)
    stored = table[list(RATINGS)].to_numpy(float)
    n_absent = int(np.isnan(listed).any(axis=1).sum())
    said = [f"{LIST} does not list {n_absent} of the trials"] if n_absent else []
    other = np.abs(stored - listed) > 0.0051  # the list has two decimals
    turned = other & (np.abs(stored - (9 - listed)) <= 0.0051)
    for column, name in enumerate(RATINGS):
        for rows, what in ((turned[:, column], "stored as 9 - r"), (other[:, column] & ~turned[:, column], "another")):
            trials = [f"{row.subject} trial {row.trial}" for row in table[rows].itertuples()]
            said += [f"{name} differs from {LIST}, {what}: {few(trials, 10)}"] if trials else []
    return said


def _subject(path: Path) -> str | None:
    match = FILE_NAME.fullmatch(path.name)
    return match[1] if match and match[1] in SUBJECTS else None


def _table(subject: str, ratings: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"subject": subject, "session": 1, "trial": np.arange(1, len(ratings) + 1), "label": ""})
    table[list(RATINGS)] = ratings
    return table.assign(baseline_seconds=BASELINE_SECONDS)


def _arrays(path: Path, parts) -> tuple[np.ndarray, np.ndarray]:
    found = list(parts) if isinstance(parts, dict) else type(parts).__name__
    arrays = [parts.get(name, parts.get(name.encode())) for name in ("data", "labels")] \
        if isinstance(parts, dict) else [None]
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiu" for array in arrays):
        raise DatasetError(f"{path}: expected a dictionary of the arrays data and labels, found {found!s:.100}. "
                           f"Another dataset's file? Give the preprocessed release of DEAP.")
    return arrays[0], arrays[1].astype(np.float64)


def _check_shapes(path: Path, data: np.ndarray, ratings: np.ndarray, strict: bool) -> None:
    n_trials = len(data) if data.ndim else 0
    good = data.shape == SHAPE if strict else (
        data.ndim == 3 and data.shape[1] == SHAPE[1] and 1 <= n_trials <= SHAPE[0]
        and data.shape[2] > BASELINE_SECONDS * SFREQ)
    if not good:
        raise DatasetError(f"{path}: expected data of shape {SHAPE} (videos, signals, samples of 63 s at 128 Hz), "
                           f"found {data.shape}. Give the preprocessed release, not the raw one or an excerpt.")
    if ratings.shape != (n_trials, len(RATINGS)):
        raise DatasetError(f"{path}: expected labels of shape {(n_trials, len(RATINGS))} "
                           f"({', '.join(RATINGS)}), found {ratings.shape}. Get the file again.")


def save(path: Path, signals: list[np.ndarray], ratings: np.ndarray) -> Path:
    """Write one person's file, in one move; the eight signals that are no EEG are zeros."""
    data = np.zeros((len(signals), SHAPE[1], signals[0].shape[1]))
    for row, signal in zip(data, signals):
        row[: len(GENEVA)] = signal
    if path.suffix == ".mat":
        return save_mat(path, {"data": data, "labels": ratings})
    with one_move(path) as partial, partial.open("wb") as file:
        file.write(b"\x80\x02}(")
        _pickle(file, "labels", np.ascontiguousarray(ratings, dtype="<f8"))
        _pickle(file, "data", data)
        file.write(b"u.")
    return path


def _pickle(file, name: str, array: np.ndarray) -> None:
    """A name and a float64 array as Python 2 and its NumPy pickled them, which every Python and NumPy reads."""
    shape = b"(" + b"".join(b"J" + struct.pack("<i", size) for size in array.shape) + b"t"
    file.write(b"U" + bytes([len(name)]) + name.encode())
    file.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R")
    file.write(b"(K\x01" + shape + b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R")
    file.write(b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")
    file.write(b"\x89T" + struct.pack("<i", array.nbytes))
    file.write(array.data)
    file.write(b"tb")


DATASET = Deap()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
