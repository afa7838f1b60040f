"""MPED: 23 people see 28 film clips of seven emotions; short-time Fourier features of 62 electrodes.

Layout (Song et al. 2019, IEEE Access 7:12177-12191, and its readers: torcheeg/torcheeg,
torcheeg/datasets/module/emotion_recognition/mped_feature.py:14-32, 127-226; XJTU-EEG/LibEER,
LibEER/data_utils/load_data.py:453-497). ``EEG_feature/STFT/<person>.mat``, beside HHS, Hjorth, HOC and PSD, which are
not read: one variable ``STFT``, a 1 x 30 cell array, in each cell (62 electrodes, windows, 5 bands) of a trial. The
number of windows is not the same in all trials. Labels stand in no file.

`write` computes the features: a window per second, the mean power spectral density of each band; names of files are
invented, cells of rest hold zeros.

What the reader decides, and says in ``Windows.decisions`` and in the report of `check`:

- files are called by people's names, so nobody is called as their file: people are "1", "2", ... in the sorted order
  of the files, in tables, messages and reports alike; another file in the folder moves the numbers;
- trials 1 and 16 are rest and are dropped: 28 of 30 count; ``trial`` keeps the number in the file (2-15, 17-30);
- other files are ignored, and only counted, since their names may tell a person's.

Traps. What makes a window is not documented. The last seven trials do not hold every emotion: the published split of
21 and 7 tests the last trial of each (`eegemo_utils.splits.last_of_each_class`). LibEER's numbers are these minus 1.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets.base import Dataset, Part, Size, Source, feeling
from eegemo_utils.datasets.common import stored_features
from eegemo_utils.datasets.formats.mat import leaves, save_mat
from eegemo_utils.features import BANDS, stft_bands
from eegemo_utils.files import unreadable
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import DatasetError

CLASSES = {0: "rest", 1: "neutral", 2: "joy", 3: "funny", 4: "anger", 5: "fear", 6: "disgust", 7: "sadness"}
CODES = (0, 2, 1, 4, 3, 5, 6, 7, 1, 2, 3, 6, 7, 4, 5, 0, 1, 5, 6, 2, 2, 1, 7, 6, 4, 4, 3, 5, 3, 7)
TRIALS = tuple(trial for trial, code in enumerate(CODES, start=1) if code)  # those that count
REST = {0, 15}  # places of the cells that do not count
N_SUBJECTS, N_BANDS = 23, 5
FOLDER = Path("EEG_feature", "STFT")
FELT = {"neutral": (0.0, 0.0), "joy": (0.9, 0.5), "funny": (0.8, 0.8), "anger": (-0.8, 0.8), "fear": (-0.9, 0.9),
        "disgust": (-0.8, 0.3), "sadness": (-0.8, -0.5)}  # valence, arousal in simulations


class Mped(Dataset):
    """MPED: see the text of this file."""

    name, short = "mped", "MPED"
    title = "MPED, STFT features (23 people, 28 film clips)"
    licence = "on request; research only, not to be passed on"
    source = "github.com/tengfei000/mped: request form"
    labels = "neutral, joy, funny, anger, fear, disgust, sadness (1-7): by clip"
    folders = ("mped", "MPED")
    papers = "gmss"
    ch_names, sfreq, bands = SEED_62, 1000.0, tuple(BANDS["seed"])
    people = tuple(str(number) for number in range(1, N_SUBJECTS + 1))
    place = "Folder that holds ``EEG_feature``, or this, or ``STFT`` in it."
    unit = "X of shape (windows, 62 electrodes, 5 bands), float32"
    columns = {"subject": "1-23", "session": "1", "trial": "2-15, 17-30", "window": "0, 1, ... in the trial",
               "label": "seven emotions", "code": "1-7", "clip": "as trial"}
    sizes = {"n_subjects": Size(2, "People.", 1, 23),
             "n_seconds": Size(4.0, "Of a clip, one second shorter or longer in turn.", 2.0)}

    def find(self, root):
        folder = next((path for path in (root / FOLDER, root / FOLDER.name, root) if path.is_dir()), root)
        try:
            paths = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
        except OSError as error:  # whatever it names: not a person's file
            raise DatasetError(unreadable(folder, error)) from None
        paths = [path for path in paths if not path.name.startswith(".") and path.name != "DESCRIPTION.txt"]
        people = sorted((path for path in paths if path.suffix == ".mat"), key=lambda path: path.name)
        if not people:
            raise DatasetError(f"{root}: expected one .mat file a person in {FOLDER.as_posix()}, found none. Give the "
                               f"folder that holds EEG_feature, or {FOLDER.name}.")
        if len(people) > N_SUBJECTS:
            raise DatasetError(f"{folder}: expected at most {N_SUBJECTS} .mat files, one per person, found "
                               f"{len(people)}. Take away what is a copy or another dataset's.")
        n_others = len(paths) - len(people)
        return ([Source(str(number), path, f"file {number}", f"{folder}, .mat file {number} in sorted order")
                 for number, path in enumerate(people, start=1)],
                [f"{n_others} other file(s) ignored"] if n_others else [])

    def top(self, root):
        for name in reversed(FOLDER.parts):
            root = root.parent if root.name == name else root
        return root

    def load(self, source, strict):
        places = set()

        def keep(keys):
            places.update(keys[:1] if keys and isinstance(keys[0], int) else ())
            return len(keys) == 1 and keys[0] not in REST

        path, where = source.path, source.where  # errors do not tell the file's name, which is a person's
        try:
            cells = dict(leaves(path, "STFT", keep))
        except DatasetError as error:
            raise DatasetError(str(error).replace(str(path), where).replace(path.name, source.name)) from None
        if places != set(range(len(CODES))) - (REST - places):
            raise DatasetError(f"{where}: expected STFT as a cell array of {len(CODES)} trials, found "
                               f"{f'{1 + max(places)} cells' if places else 'another kind of array'}. Give the folder "
                               f"STFT of MPED.")
        values = [stored_features(cells.get((trial - 1,)), len(SEED_62), N_BANDS, f"{where}, trial {trial}")
                  for trial in TRIALS]
        return Part(values, _table(source.subject))

    def line(self, source, part):
        return f"person {source.subject}: {len(part.values)} trials, {sum(map(len, part.values))} windows"

    def label(self, table, root, strict):
        return table, ["people are numbered by the sorted order of the files, whose names are not told",
                       "trials 1 and 16 are rest: dropped"]

    def absent(self, sources):
        return [f"{len(sources)} of {N_SUBJECTS} people are here"] if len(sources) < N_SUBJECTS else []

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        people, columns = set(trials.table["subject"]), ["session", "trial", "label"]
        if people != set(self.people[: len(people)]):
            raise DatasetError(f"{root}: MPED has the people 1, 2, ... up to {N_SUBJECTS}; found "
                               f"{', '.join(sorted(people))[:100]}")
        for subject, rows in trials.table.groupby("subject"):
            rows, expected = rows.sort_values("trial"), _table(subject)
            if rows[columns].values.tolist() != expected[columns].values.tolist():
                raise DatasetError(f"{root}: a person of MPED has one session with trials 2-15 and 17-30, labels "
                                   f"{' '.join(expected['label'])}; person {subject} has others")
            shortest = min(trials.signals[row].shape[1] for row in rows.index) / self.sfreq
            if shortest < 1:
                raise DatasetError(f"{root}: a trial holds a window of 1 s at least; person {subject} has one of "
                                   f"{shortest:g} s")
        there = {*(root / FOLDER).glob("*.mat"), *(root / FOLDER.name).glob("*.mat")}
        n_others = len(there - set(self.targets(trials.table, root, "")) if self.described(root)[1] else there)
        if n_others:  # without their names, which are people's
            raise DatasetError(f"{root}: holds {n_others} other recordings, which would be read together with these or "
                               f"replaced. Give a new folder.")

    def targets(self, table, root, form):
        return {root / FOLDER / f"sim{int(subject):02d}.mat": table[table["subject"] == subject]
                for subject in sorted(set(table["subject"]), key=int)}

    def present(self, root, form):
        return []  # see `check_trials`

    def save(self, path, signals, rows):
        features = {trial: stft_bands(signal, self.sfreq).swapaxes(0, 1)
                    for trial, signal in zip(rows["trial"], signals)}
        cells = np.empty((1, len(CODES)), dtype=object)
        for place in range(len(CODES)):
            cells[0, place] = features.get(place + 1, np.zeros_like(features[TRIALS[0]]))
        save_mat(path, {"STFT": cells})

    def plan(self, n_subjects, n_seconds, random_state):
        table = pd.concat([_table(str(number)) for number in range(1, n_subjects + 1)], ignore_index=True)
        return table, table.assign(n_seconds=n_seconds + table["trial"] % 3 - 1, **feeling(table, FELT))


def _table(subject: str) -> pd.DataFrame:
    codes = [code for code in CODES if code]
    return pd.DataFrame({"subject": subject, "session": 1, "trial": TRIALS, "label": [CLASSES[code] for code in codes],
                         "code": codes, "clip": TRIALS})


DATASET = Mped()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
