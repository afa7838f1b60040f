"""DREAMER: 23 people see 18 film clips, 14 electrodes of a consumer headset; one MATLAB file.

Layout (Katsigiannis & Ramzan 2018, IEEE J. Biomed. Health Inform. 22:98-107; zenodo 546113; read as
torcheeg/torcheeg, torcheeg/datasets/module/emotion_recognition/dreamer.py:233-259 does): ``DREAMER.mat``, a struct
with a cell ``Data{1x23}`` of structs: Age, Gender, ``EEG.baseline{18x1}`` and ``EEG.stimuli{18x1}`` of (samples, 14) at
128 Hz, the same for the ECG, ScoreValence, ScoreArousal, ScoreDominance (18x1) from 1 to 5. Before each clip stand
61 s of baseline. Clips last 65 to 393 s. The file is about 450 MB, and several times that in memory: it is read one
person at a time.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- baseline and clip are one signal, in this order: ``baseline_seconds`` of it come before the clip;
- the ECG (2 leads, 256 Hz) is ignored;
- the label is "high" when a rating is above 3, so that 3 is low, as for DEAP. Other code counts 3 as high (torcheeg,
  ``Binary``: >=): another task;
- electrodes are taken by the names in the file, in the published order where it has none;
- channels without signal, EEG too small or large for microvolt, and people with the same signals are named;
- a folder with DESCRIPTION.txt, which `write` makes, may hold fewer clips and shorter baselines.

Traps. Time comes first in the file. The headset adds an offset of thousands of microvolt, and nothing is filtered:
take the mean out before a causal filter. Clips differ in length, so windows do: people who cut the last 60 s get 1080
seconds per person, all of it gives 3728.
"""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets.base import Dataset, Option, Part, Size, Source, rating_decisions
from eegemo_utils.datasets.formats.mat import leaves, save_mat
from eegemo_utils.datasets.plausible import few, others_ignored
from eegemo_utils.montage import standard_name
from eegemo_utils.trials import DatasetError

FILE, VARIABLE = "DREAMER.mat", "DREAMER"
ELECTRODES = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
RATINGS = ("valence", "arousal", "dominance")
SFREQ, BASELINE_SECONDS = 128.0, 61.0
N_SUBJECTS, N_CLIPS = 23, 18
SUBJECTS = tuple(f"s{number:02d}" for number in range(1, N_SUBJECTS + 1))
LOWEST, HIGHEST, THRESHOLD = 1.0, 5.0, 3.0
PARTS = ("baseline", "stimuli")


@dataclass(frozen=True)
class Person(Source):
    """A person in the file; `order` is where the electrodes stand in the columns."""

    order: tuple[int, ...] = ()


class Dreamer(Dataset):
    """DREAMER: see the text of this file."""

    name, short = "dreamer", "DREAMER"
    title = "DREAMER (23 people, 18 film clips, Emotiv EPOC)"
    licence = "by request; academic, not commercial, not to be passed on"
    source = "https://zenodo.org/records/546113 (restricted: ask there)"
    labels = "low, high: valence (or arousal, dominance) above 3 of 1-5; the three ratings"
    folders = ("dreamer", "DREAMER")
    papers = "tnas, multitask_cnn"
    ch_names, sfreq, people = ELECTRODES, SFREQ, SUBJECTS
    place = "Folder with ``DREAMER.mat``, or the file."
    unit = "14 electrodes, microvolt, 128 Hz, baseline and clip"
    columns = {"subject": "s01-s23, the file's order", "session": "1", "trial": "the clip, 1-18",
               "label": "low, high", **dict.fromkeys(RATINGS, "1-5"), "age": "text", "gender": "text",
               "seconds": "of the clip", "baseline_seconds": "before it"}
    options = {"target": Option("valence", "Rating that makes the label.", RATINGS)}
    sizes = {"n_subjects": Size(2, "People.", 1, N_SUBJECTS), "n_clips": Size(N_CLIPS, "Clips.", 1, N_CLIPS),
             "n_seconds": Size(10.0, "Of a clip on average (199 in the original); clips last from half to one and a "
                                     "half of it.", 0.1),
             "baseline_seconds": Size(BASELINE_SECONDS, "Before each clip.", 1 / SFREQ)}
    needed = (*RATINGS, "age", "gender", "baseline_seconds")

    def top(self, root):
        return root.parent if root.is_file() else root

    def find(self, root, target="valence"):
        path = root if root.is_file() else root / FILE
        if not path.is_file():
            found = few(sorted(path.name for path in root.iterdir())) if root.is_dir() else "no such folder"
            raise DatasetError(f"{root}: expected {FILE}, found {found}. Give the folder it is in.")
        others = sorted(other.name for other in root.glob("*.mat") if other.name != FILE)
        known, about = set(), {}
        for keys, value in leaves(path, VARIABLE, lambda keys: _is_about_all(keys, known)):
            about[keys] = value
        if not known:
            raise DatasetError(f"{path}: expected the cell Data with {N_SUBJECTS} people, found nobody. Get the file "
                               f"again.")
        order, decisions = _electrode_order(path, about)
        return ([Person(f"s{number + 1:02d}", path, f"s{number + 1:02d}", f"{path}, person {number + 1}", order=order)
                 for number in sorted(known)], decisions + others_ignored(others))

    def load_each(self, sources, strict, checking=False):
        left = {int(source.subject[1:]) - 1: source for source in sources}
        wanted = set(left)
        for number, items in groupby(leaves(sources[0].path, VARIABLE, lambda keys: _is_wanted(keys, wanted)),
                                     key=lambda item: item[0][1]):
            source = left.pop(number)
            yield source, _result(source, {_short(keys[2:]): value for keys, value in items}, strict)
            if not left:
                return  # `find` went through the rest
        yield from ((source, _result(source, {}, strict)) for source in left.values())

    def line(self, source, part):
        high = zip((part.table[list(RATINGS)] > THRESHOLD).sum(), RATINGS)
        return (f"{source.subject}: {len(part.table)} clips, {part.table['seconds'].sum():g} s; above 3: "
                f"{', '.join(f'{count} {name}' for count, name in high)}")

    def label(self, table, root, strict, target="valence"):
        table["label"] = np.where(table[target] > THRESHOLD, "high", "low")
        return table, ["ECG ignored; baseline and clip are one signal, in this order",
                       *rating_decisions(table, target, THRESHOLD, "clips")]

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        table = trials.table
        people = sorted(set(table["subject"]))
        clips = [sorted(rows["trial"]) for _, rows in table.groupby("subject")]
        whole = list(range(1, len(clips[0]) + 1)) if clips else []
        if not people or people != list(SUBJECTS[: len(people)]) or set(table["session"]) != {1} \
                or any(own != whole for own in clips) or len(whole) > N_CLIPS:
            raise DatasetError(f"{root}: DREAMER has the people s01, s02, ... s23, session 1 and clips 1, 2, ... (at "
                               f"most {N_CLIPS}), the same for all; found {', '.join(people)[:100]} and others")
        ratings = table[list(RATINGS)].to_numpy(float)
        if not ((ratings >= LOWEST) & (ratings <= HIGHEST)).all():
            raise DatasetError(f"{root}: ratings of DREAMER go from 1 to 5; found {ratings.min():g} to "
                               f"{ratings.max():g}")
        times = np.array([signal.shape[1] for signal in trials.signals]) / SFREQ
        if not ((table["baseline_seconds"] * SFREQ >= 1) & (table["baseline_seconds"] < times)).all():
            raise DatasetError(f"{root}: each signal begins with a baseline and goes on after it; check "
                               f"baseline_seconds")

    def targets(self, table, root, form):
        return {root / FILE: table.sort_values(["subject", "trial"])}

    def present(self, root, form):
        return list(root.glob(FILE))

    def save(self, path, signals, rows):
        rows = rows.assign(place=range(len(rows)))
        people = [_person(own, [signals[place] for place in own["place"]]) for _, own in rows.groupby("subject")]
        save_mat(path, {VARIABLE: {
            "Data": _cell(people).T, "EEG_SamplingRate": 128, "ECG_SamplingRate": 256,
            "EEG_Electrodes": _cell(ELECTRODES).T, "noOfSubjects": len(people),
            "noOfVideoSequences": N_CLIPS, "Disclaimer": "written by eegemo_utils",
            "Provider": "eegemo_utils", "Version": "1.0.2", "Acknowledgement": "none"}})

    def plan(self, n_subjects, n_clips, n_seconds, baseline_seconds, random_state):
        rng = np.random.default_rng(random_state)
        clips = rng.uniform(-1, 1, (N_CLIPS, 3))
        lengths = np.round(rng.uniform(0.5, 1.5, N_CLIPS) * n_seconds * SFREQ)
        rows = []
        for number, subject in enumerate(SUBJECTS[:n_subjects]):
            own = np.random.default_rng([random_state, number])
            age, gender = str(own.integers(22, 34)), str(own.choice(["male", "female"]))
            ratings = np.clip(np.round(3 + 2 * (clips + own.normal(0, 0.3, clips.shape))), 1, 5)
            rows += [{"subject": subject, "session": 1, "trial": clip + 1, "label": "",
                      **dict(zip(RATINGS, ratings[clip])), "age": age, "gender": gender,
                      "seconds": lengths[clip] / SFREQ, "baseline_seconds": round(baseline_seconds * SFREQ) / SFREQ}
                     for clip in range(n_clips)]
        table, _ = self.label(pd.DataFrame(rows), None, False)
        feelings = (table[["valence", "arousal"]] - THRESHOLD) / 2
        return table, table.assign(n_seconds=table["seconds"] + table["baseline_seconds"], **feelings)


# ---- the file: keys are ("Data", person, "EEG", part, clip), ("Data", person, "Age"), ("EEG_SamplingRate",) ----

def _is_about_all(keys: tuple, known: set[int]) -> bool:
    """Return whether the value is about the whole file; put the number of the person it is of into `known`."""
    if keys and keys[0] == "Data":
        known.update(key for key in keys[1:2] if len(keys) > 2 and isinstance(key, int))
        return False
    return bool(keys)


def _is_wanted(keys: tuple, wanted: set[int]) -> bool:
    if len(keys) < 3 or keys[0] != "Data" or keys[1] not in wanted:
        return False
    if keys[2] == "EEG":
        return len(keys) == 5 and keys[3] in PARTS and isinstance(keys[4], int)
    return keys[2] != "ECG"


def _short(keys: tuple) -> tuple:
    """Return the keys below a person; texts and ratings may stand in cells of their own."""
    return keys if keys[0] == "EEG" else keys[:1]


def _electrode_order(path: Path, about: dict) -> tuple[tuple[int, ...], list[str]]:
    """Return where the electrodes stand in the file's columns, and what was decided about that."""
    rate = about.get(("EEG_SamplingRate",))
    if isinstance(rate, np.ndarray) and rate.size == 1 and float(rate.ravel()[0]) != SFREQ:
        raise DatasetError(f"{path}: expected an EEG_SamplingRate of {SFREQ:g}, found {rate.ravel()[0]:g}. Get the "
                           f"original file, or resample.")
    names = [standard_name(str(value)) for keys, value in about.items() if keys[0] == "EEG_Electrodes"]
    if not names:
        return tuple(range(len(ELECTRODES))), [f"{FILE} does not name its electrodes: taken in the published order"]
    if sorted(names) != sorted(ELECTRODES):
        raise DatasetError(f"{path}: expected the electrodes {', '.join(ELECTRODES)}, each once; EEG_Electrodes has "
                           f"{', '.join(names)[:200]}. Get the original file.")
    order = tuple(names.index(name) for name in ELECTRODES)
    moved = order != tuple(sorted(order))
    return order, ["the file's electrodes are in another order: put into the published one"] if moved else []


def _result(source: Person, parts: dict, strict: bool) -> Part | DatasetError:
    """Return what the file holds of a person, or what is wrong with it."""
    try:
        n_clips = 1 + max((keys[2] for keys in parts if keys[0] == "EEG"), default=-1)
        fine = n_clips == N_CLIPS if strict else 1 <= n_clips <= N_CLIPS
        if not fine or source.subject not in SUBJECTS:
            raise DatasetError(f"{source.place}: expected {N_SUBJECTS} people with {N_CLIPS} clips each in "
                               f"EEG.stimuli, found {n_clips}. Get the file again.")
        ratings, values, rows = _ratings(source, parts, n_clips), [], []
        for clip in range(n_clips):
            signal, n_baseline = _signal(source, parts, clip, strict)
            values.append(signal)
            rows.append({"subject": source.subject, "session": 1, "trial": clip + 1, "label": "",
                         **dict(zip(RATINGS, ratings[clip])), "age": _text(parts, "Age"),
                         "gender": _text(parts, "Gender"), "seconds": (signal.shape[1] - n_baseline) / SFREQ,
                         "baseline_seconds": n_baseline / SFREQ})
        return Part(values, pd.DataFrame(rows))
    except DatasetError as error:
        return error


def _text(parts: dict, name: str) -> str:
    """Return age or gender, as text."""
    value = parts.get((name,), "")
    return value.strip() if isinstance(value, str) else f"{value.ravel()[0]:g}" if value.size else ""


def _ratings(source: Person, parts: dict, n_clips: int) -> np.ndarray:
    """Return ratings of shape (n_clips, 3)."""
    columns = []
    for name in RATINGS:
        scores = parts.get((f"Score{name.capitalize()}",))
        if not isinstance(scores, np.ndarray) or scores.size != n_clips:
            raise DatasetError(f"{source.place}: expected {n_clips} ratings in Score{name.capitalize()}, found "
                               f"{'none' if scores is None else np.shape(scores)}. Get the file again.")
        column = scores.ravel().astype(np.float64)
        bad = ~((column >= LOWEST) & (column <= HIGHEST))
        if bad.any():
            raise DatasetError(f"{source.place}, clip {int(np.argmax(bad)) + 1}: expected a rating of {name} from 1 "
                               f"to 5, found {column[np.argmax(bad)]:g}. A damaged or altered file: get it again.")
        columns.append(column)
    return np.stack(columns, axis=1)


def _signal(source: Person, parts: dict, clip: int, strict: bool) -> tuple[np.ndarray, int]:
    """Return baseline and clip in one, shape (14, n_times), and the number of samples of the baseline."""
    where, pieces = f"{source.place}, clip {clip + 1}", []
    for part in PARTS:
        piece = parts.pop(("EEG", part, clip), None)
        if not isinstance(piece, np.ndarray) or piece.ndim != 2 or piece.shape[1] != len(ELECTRODES) or not len(piece):
            found = "nothing" if piece is None else f"shape {np.shape(piece)}"
            raise DatasetError(f"{where}: expected EEG.{part} of shape (samples, {len(ELECTRODES)}), found {found}. "
                               f"Get the file again.")
        pieces.append(piece[:, source.order].T)
    n_baseline = pieces[0].shape[1]
    if strict and n_baseline != BASELINE_SECONDS * SFREQ:
        raise DatasetError(f"{where}: expected a baseline of {BASELINE_SECONDS * SFREQ:.0f} samples, found "
                           f"{n_baseline}. Get the file again.")
    return np.concatenate(pieces, axis=1), n_baseline


def _cell(items) -> np.ndarray:
    """Return things as a MATLAB cell, a column."""
    cell = np.empty((len(items), 1), object)
    for place, item in enumerate(items):
        cell[place, 0] = item
    return cell


def _person(rows: pd.DataFrame, signals: list[np.ndarray]) -> dict:
    """Return one person as the struct has it; the ECG holds no signal."""
    pieces = [np.split(signal.T.astype(np.float64), [round(seconds * SFREQ)])
              for signal, seconds in zip(signals, rows["baseline_seconds"])]
    eeg, ecg = {}, {}
    for place, part in enumerate(PARTS):
        eeg[part] = _cell([piece[place] for piece in pieces])
        ecg[part] = _cell([np.zeros((2 * len(piece[place]), 2)) for piece in pieces])
    scores = {f"Score{name.capitalize()}": rows[[name]].to_numpy(float) for name in RATINGS}
    return {"Age": str(rows["age"].iloc[0]), "Gender": str(rows["gender"].iloc[0]), "EEG": eeg, "ECG": ecg, **scores}


DATASET = Dreamer()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
