"""FACED's own files: clips and their emotions, pickles of signals and features, play order and ratings."""

import pickle
import re
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from eegemo_utils.datasets.common import one_move, stored_features
from eegemo_utils.datasets.formats.mat import leaves, save_mat
from eegemo_utils.pickles import load_pickle
from eegemo_utils.trials import DatasetError

SFREQ, SECONDS, N_CLIPS = 250, 30, 28
SUBJECTS = tuple(f"sub{number:03d}" for number in range(123))
# Order of cohort 2, for everybody (torcheeg/torcheeg, datasets/constants/emotion_recognition/faced.py:8-12)
ELECTRODES = ("Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4", "T7", "T8",
              "CP1", "CP2", "CP5", "CP6", "Pz", "P3", "P4", "P7", "P8", "PO3", "PO4", "Oz", "O1", "O2")
MASTOIDS = ("HEOR", "HEOL")
EMOTIONS = ("anger", "disgust", "fear", "sadness", "neutral", "amusement", "inspiration", "joy", "tenderness")
CLIP_EMOTIONS = (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8)
CLIP_SECONDS = (81.1, 63.9, 73.2, 78.7, 69.4, 90.6, 56.1, 60.3, 105.8, 45.1, 60.2, 82.1, 35.1, 44.3, 38.9, 43.1,
                55.9, 69.7, 73.3, 129.1, 77.1, 75.8, 34.1, 37.3, 67.6, 63.1, 54.2, 77.5)
FILMS = ("The Tokyo Trial", "Documentary about the Nanjing Massacre", "City of Life and Death", "Trainspotting",
         "Indiana Jones and the Last Crusade", "Hellraiser", "The Shining", "The Shining", "The Exorcist", "In Bruges",
         "Departures", "Gangs of New York", "Blue", "Blue", "Blue", "Blue", "Modern Times", "Minions", "Mr. Bean",
         "Forrest Gump", "The Theory of Everything", "The Shawshank Redemption", "My Neighbor Totoro",
         "Night at the Museum Ⅲ", "Harry Potter Ⅰ", "The Pursuit of Happiness", "Juno", "Sex and the City Ⅱ")
RATINGS = ("joy", "tenderness", "inspiration", "amusement", "anger", "disgust", "fear", "sadness", "arousal",
           "valence", "familiarity", "liking")
MAX_RATING = 7.0
BANDS = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 14), "beta": (14, 30), "gamma": (30, 47)}
FEATURES = ("DE", "PSD")
SIDE_FILES = (".csv", ".xlsx", ".tsv", ".json", ".txt", ".md", ".pdf", ".py", ".m")  # that releases come with
CONSTANT_DE = -30.0  # the official pipeline's value where a signal is constant


def clip_table() -> pd.DataFrame:
    """Return the 28 clips: clip (1-28), emotion, valence3, take (number within its emotion), film, clip_seconds."""
    emotions = np.array(CLIP_EMOTIONS)
    table = pd.DataFrame({"clip": np.arange(1, N_CLIPS + 1), "emotion": np.array(EMOTIONS)[emotions]})
    table["valence3"] = np.select([emotions < 4, emotions > 4], ["negative", "positive"], "neutral")
    table["take"] = table.groupby("emotion").cumcount() + 1
    table["film"], table["clip_seconds"] = FILMS, CLIP_SECONDS
    return table


def base(root: Path) -> Path:
    """Return the release's top folder, from it or from one of its folders."""
    inside = {"Processed_data": 1, "EEG_Features": 1, "DE": 2, "PSD": 2}
    return root.absolute().parents[inside[root.name] - 1] if root.name in inside else root


def find(root: Path, form: str, feature: str = "DE") -> dict[str, Path]:
    """Return files by person: ``Processed_data/subNNN.pkl`` or ``EEG_Features/DE/subNNN.pkl.pkl``.

    Features under the name ``subNNN.pkl`` are found as well: some tools rename them so.
    """
    top = base(root)
    folder = Path("Processed_data") if form == "raw" else Path("EEG_Features") / feature
    pattern = re.compile(r"(sub\d{3})\.pkl" if form == "raw" else r"(sub\d{3})\.pkl(?:\.pkl)?")
    for place in (top / folder, top / folder.name, root):
        # a folder of the one form must not be taken for the other
        if not place.is_dir() or (place.name in (*FEATURES, "Processed_data") and place.name != folder.name):
            continue
        paths = sorted(place.iterdir(), reverse=True)  # .pkl.pkl wins over .pkl
        found = {match[1]: path for path in paths if (match := pattern.fullmatch(path.name)) and match[1] in SUBJECTS}
        if found:
            return dict(sorted(found.items()))
    return {}


def strangers(root: Path, paths: set[Path]) -> list[str]:
    """Return files beside people's files, or in the top folder, that are none of the dataset's."""
    places = sorted({base(root), *(path.parent for path in paths if path.is_file())})
    beside = [path for place in places for path in sorted(place.iterdir())
              if path.is_file() and path.name[0] != "." and path not in paths]
    return [path.name for path in beside if path.suffix and path.suffix not in SIDE_FILES]


def find_remarks(root: Path, subject: str) -> Path | None:
    """Return a person's After_remarks.mat, where the release or a copy of these files alone has it."""
    for folder in ("Data", "After_remarks", ""):
        path = base(root) / folder / subject / "After_remarks.mat"
        if path.is_file():
            return path
    return None


# ---- reading ----

def _load_array(path: Path, shape: tuple[int, ...], what: str, strict: bool) -> np.ndarray:
    """Return an array of numbers of `shape`; unless `strict`, seconds (axis 2) may be fewer."""
    array = load_pickle(path)
    found = f"an array of shape {array.shape}" if isinstance(array, np.ndarray) else f"a {type(array).__name__}"
    fits = isinstance(array, np.ndarray) and array.ndim == len(shape) and array.dtype.kind in "fiu"
    if fits and not strict and array.shape[2]:
        shape = (*shape[:2], array.shape[2], *shape[3:])
    if not fits or array.shape != shape:
        kind = f" of {array.dtype}" if isinstance(array, np.ndarray) else ""
        raise DatasetError(f"{path}: expected {what} as numbers of shape {shape}, found {found}{kind}. Another "
                           f"dataset's file, or one that was cut or resampled? Get it again.")
    return array


def load_clips(path: Path, strict: bool) -> list[np.ndarray]:
    """Return the 28 clips of a person, each (30 electrodes, samples).

    Raises
    ------
    DatasetError
        When the file is damaged or of another shape. Without `strict` clips may be shorter.
    """
    shape = (N_CLIPS, len(ELECTRODES) + len(MASTOIDS), SFREQ * SECONDS)
    array = _load_array(path, shape, "28 clips x 32 signals x 7500 samples (30 s at 250 Hz)", strict)
    return [clip[: len(ELECTRODES)] for clip in array]


def load_features(path: Path, feature: str, strict: bool) -> tuple[list[np.ndarray], list[str]]:
    """Return the features of a person's clips, each (seconds, 30 electrodes, 5 bands), and what was decided."""
    shape = (N_CLIPS, len(ELECTRODES) + len(MASTOIDS), SECONDS, len(BANDS))
    values = _load_array(path, shape, "28 clips x 32 signals x 30 seconds x 5 bands", strict)[:, : len(ELECTRODES)]
    constant = np.isneginf(values) if feature == "DE" else np.zeros(values.shape, bool)
    values = np.where(constant, CONSTANT_DE, values)
    if feature == "PSD" and (values < 0).any():
        raise DatasetError(f"{path}: expected a PSD that is not negative, found {values.min():g}. Get the file again.")
    clips = [stored_features(clip, len(ELECTRODES), len(BANDS), f"{path}, clip {number}")
             for number, clip in enumerate(values, start=1)]
    said = f"{path.name}: {constant.sum()} values of constant signals (-inf) set to {CONSTANT_DE:g}"
    return clips, [said] if constant.any() else []


def load_remarks(path: Path) -> pd.DataFrame:
    """Return play order and ratings: rows are clips 1-28; columns played (1-28) and RATINGS (0-7).

    Raises
    ------
    DatasetError
        When the file is damaged, a clip is missing or twice, or a rating is out of range.
    """
    rows: dict[int, dict] = {}
    for keys, value in leaves(path, "After_remark", lambda keys: len(keys) == 2 and keys[1] in ("score", "vid")):
        rows.setdefault(keys[0], {})[keys[1]] = value
    if not rows or any(set(row) != {"score", "vid"} for row in rows.values()):
        raise DatasetError(f"{path}: expected After_remark to be a struct of {N_CLIPS} clips with the fields score and "
                           f"vid, found others. Get the file again.")
    clips = [_numbers(path, row["vid"], 1, N_CLIPS)[0] for row in rows.values()]
    if sorted(clips) != list(range(1, N_CLIPS + 1)):
        raise DatasetError(f"{path}: expected each clip from 1 to 28 once in the field vid, found "
                           f"{[f'{clip:g}' for clip in clips]}. Get the file again.")
    table = pd.DataFrame([_numbers(path, row["score"], len(RATINGS), MAX_RATING) for row in rows.values()],
                         columns=list(RATINGS), index=pd.Index(np.array(clips, int), name="clip"))
    table.insert(0, "played", np.arange(1, N_CLIPS + 1))
    return table.sort_index()


def _numbers(path: Path, value, n_numbers: int, most: float) -> np.ndarray:
    numbers = np.asarray(value).ravel()
    real = numbers.dtype.kind in "fiu" and len(numbers) == n_numbers
    if not real or not ((numbers >= 0) & (numbers <= most)).all():
        raise DatasetError(f"{path}: expected {n_numbers} number(s) from 0 to {most:g} for each clip, found "
                           f"{str(value)[:80]}. Get the file again.")
    return numbers.astype(np.float64)


# ---- writing ----

def with_mastoids(signals: list[np.ndarray]) -> np.ndarray:
    """Return a person's clips as the files have them, (28, 32, samples), float64.

    The reader has dropped the mastoids, so they are made up: the mean of the two electrodes beside each.
    """
    values = np.stack(signals).astype(np.float64)
    sides = [[ELECTRODES.index(name) for name in pair] for pair in (("T8", "P8"), ("T7", "P7"))]
    return np.concatenate([values, *(values[:, side].mean(axis=1, keepdims=True) for side in sides)], axis=1)


def features_of(clips: np.ndarray, feature: str) -> np.ndarray:
    """Return DE or PSD as the release has them: filter each whole clip to a band, then one value a second.

    Parameters
    ----------
    clips : ndarray, shape (n_clips, n_signals, n_times)
        Microvolt, 250 Hz, whole seconds.
    feature : {"DE", "PSD"}
        0.5 ln(2 pi e variance), or mean square.

    Returns
    -------
    ndarray, shape (n_clips, n_signals, n_seconds, 5)
    """
    seconds = (*clips.shape[:2], -1, SFREQ)
    bands = [mne.filter.filter_data(clips, SFREQ, *band, verbose="error").reshape(seconds) for band in BANDS.values()]
    if feature == "PSD":
        return np.stack([(band**2).mean(axis=-1) for band in bands], -1)
    return np.stack([0.5 * np.log(2 * np.pi * np.e * band.var(axis=-1)) for band in bands], -1)


def save_pickle(path: Path, array: np.ndarray) -> Path:
    """Write an array as the release does, in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_move(path) as partial, partial.open("wb") as file:
        pickle.dump(array, file, protocol=4)
    return path


def save_remarks(path: Path, rows: pd.DataFrame) -> Path:
    """Write play order and ratings of a person's table rows as After_remarks.mat."""
    rows = rows.sort_values("played")
    fields = ("score", "trial", "vid", "Accuracy", "ResponseTime")
    remarks = np.empty((N_CLIPS, 1), dtype=[(name, object) for name in fields])
    nothing = np.empty((1, 0))
    scores = rows[list(RATINGS)].to_numpy(np.float64)
    for place, (score, clip) in enumerate(zip(scores, rows["trial"])):
        remarks[place, 0] = (score[None], np.uint8(place + 1), np.uint8(clip), nothing, nothing)
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_mat(path, {"After_remark": remarks})
