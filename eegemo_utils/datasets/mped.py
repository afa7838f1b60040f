"""MPED: 23 people see 28 film clips of seven emotions; short-time Fourier features of 62 electrodes.

Layout (Song et al. 2019, IEEE Access 7:12177-12191, and its readers: torcheeg/torcheeg,
torcheeg/datasets/module/emotion_recognition/mped_feature.py:14-32, 127-226; XJTU-EEG/LibEER,
LibEER/data_utils/load_data.py:453-497). ``EEG_feature/STFT/<person>.mat``, beside HHS, Hjorth, HOC and PSD, which are
not read: one variable ``STFT``, a 1 x 30 cell array, in each cell (62 electrodes, windows, 5 bands) of a trial. The
number of windows is not the same in all trials. Labels stand in no file.

What the reader decides, and says in the report of `check`:

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

from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.mat import load_mat, save_mat
from eegemo_utils.features import BANDS, stft_bands
from eegemo_utils.montage import SEED_62, make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials, Windows

FACTS = {
    "name": "mped",
    "title": "MPED, STFT features (23 people, 28 film clips)",
    "licence": "on request; research only, not to be passed on",
    "source": "github.com/tengfei000/mped: request form",
    "channels": ", ".join(SEED_62),
    "sfreq": 1000.0,
    "labels": "neutral, joy, funny, anger, fear, disgust, sadness (1-7): by clip",
    "folders": ("mped", "MPED"),
    "papers": "gmss",
}
CLASSES = {0: "rest", 1: "neutral", 2: "joy", 3: "funny", 4: "anger", 5: "fear", 6: "disgust", 7: "sadness"}
CODES = (0, 2, 1, 4, 3, 5, 6, 7, 1, 2, 3, 6, 7, 4, 5, 0, 1, 5, 6, 2, 2, 1, 7, 6, 4, 4, 3, 5, 3, 7)
TRIALS = tuple(trial for trial, code in enumerate(CODES, start=1) if code)  # those that count
N_SUBJECTS, N_BANDS = 23, 5
FOLDER = Path("EEG_feature", "STFT")
FELT = {"neutral": (0.0, 0.0), "joy": (0.9, 0.5), "funny": (0.8, 0.8), "anger": (-0.8, 0.8), "fear": (-0.9, 0.9),
        "disgust": (-0.8, 0.3), "sadness": (-0.8, -0.5)}  # valence, arousal in simulations


# ---- reading ----

def _folder(root: Path) -> Path:
    """Where the files lie: the folder itself, or below it."""
    inner = [root / FOLDER, root / FOLDER.name, root]
    return next((folder for folder in inner if folder.is_dir()), root)


def _find(root: Path) -> tuple[dict[str, Path], int]:
    """Files by person, and how many other files there are."""
    folder = _folder(root)
    paths = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    paths = [path for path in paths if not path.name.startswith(".") and path.name != "DESCRIPTION.txt"]
    people = sorted((path for path in paths if path.suffix == ".mat"), key=lambda path: path.name)
    if not people:
        raise DatasetError(f"{root}: expected one .mat file a person in {FOLDER.as_posix()}, found none. Give the "
                           f"folder that holds EEG_feature, or {FOLDER.name}.")
    if len(people) > N_SUBJECTS:
        raise DatasetError(f"{folder}: expected at most {N_SUBJECTS} .mat files, one a person, found {len(people)}. "
                           f"Take away what is a copy or another dataset's.")
    return {str(number): path for number, path in enumerate(people, start=1)}, len(paths) - len(people)


def _load(subject: str, path: Path) -> list[np.ndarray]:
    """Features of a person's 28 trials, each (n_windows, 62, 5) float32; errors do not tell the file's name."""
    where = f"{path.parent}, .mat file {subject} in sorted order"
    try:
        cells = load_mat(path, ["STFT"])["STFT"]
    except DatasetError as error:
        raise DatasetError(str(error).replace(str(path), where).replace(path.name, f"file {subject}")) from None
    if cells.dtype != object or cells.shape not in ((1, len(CODES)), (len(CODES), 1)):
        raise DatasetError(f"{where}: expected STFT as a cell array of {len(CODES)} trials, found {cells.dtype} of "
                           f"shape {cells.shape}. Give the folder STFT of MPED.")
    features = []
    for trial in TRIALS:
        values = cells.ravel()[trial - 1]
        found = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        if not isinstance(values, np.ndarray) or values.ndim != 3 or values.shape[::2] != (len(SEED_62), N_BANDS) \
                or values.dtype.kind not in "fiu" or not values.size:
            raise DatasetError(f"{where}, trial {trial}: expected numbers of shape (62, windows, 5), found {found}. "
                               f"Get the file again.")
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.ascontiguousarray(values.transpose(1, 0, 2), dtype=np.float32)
        if not np.isfinite(values).all():
            raise DatasetError(f"{where}, trial {trial}: values that are not finite. Get the file again, or take it "
                               f"away.")
        features.append(values)
    return features


def read(root, subjects=None) -> Windows:
    """Read people of MPED, one file at a time.

    Parameters
    ----------
    root : path
        Folder that holds ``EEG_feature``, or ``STFT``, or the latter.
    subjects : list of str, optional
        Such as ["1", "23"], in the sorted order of the files; only their files are opened.

    Returns
    -------
    Windows
        X (windows, 62, 5), float32. Table: subject, session (1), trial (2-15, 17-30), window (0, 1, ... in the trial),
        label, code (1-7), clip (as trial).

    Raises
    ------
    DatasetError
        When there is no such folder or file, a person is unknown, or a file is faulty: says which, by its place in
        the sorted order.
    """
    root = Path(root)
    paths, _ = _find(root)
    tables, features = [], []
    for subject in pick_subjects(root, list(paths), subjects):
        own = _load(subject, paths[subject])
        lengths = [len(values) for values in own]
        table = _table(subject).loc[np.repeat(np.arange(len(TRIALS)), lengths)]
        table.insert(3, "window", np.concatenate([np.arange(length) for length in lengths]))
        tables.append(table)
        features += own
    info = make_info(SEED_62, FACTS["sfreq"])
    return Windows(np.concatenate(features), pd.concat(tables), info=info, bands=tuple(BANDS["seed"]))


def _table(subject: str) -> pd.DataFrame:
    codes = [code for code in CODES if code]
    return pd.DataFrame({"subject": subject, "session": 1, "trial": TRIALS, "label": [CLASSES[code] for code in codes],
                         "code": codes, "clip": TRIALS})


def check(root) -> Report:
    """Say how many people a folder holds, which files are damaged and what `read` does. Raises nothing."""
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        paths, n_others = _find(root)
        description, _ = read_description(root, f"MPED in {root.name}")
    except (DatasetError, OSError) as error:
        report.missing.append(str(error))
        return report
    report.found.append(description)
    for subject, path in paths.items():
        try:
            features = _load(subject, path)
        except (DatasetError, OSError) as error:
            report.missing.append(f"fault: {error}")
            continue
        report.found.append(f"person {subject}: {len(features)} trials, {sum(map(len, features))} windows")
    report.ok = not report.missing
    report.missing += [f"{len(paths)} of {N_SUBJECTS} people are here"] * (len(paths) < N_SUBJECTS)
    report.decisions = ["people are numbered by the sorted order of the files, whose names are not told",
                        "trials 1 and 16 are rest: dropped"]
    report.decisions += [f"{n_others} other file(s) ignored"] * bool(n_others)
    return report


# ---- writing and simulating ----

def write(trials: Trials, root) -> list[Path]:
    """Write features of signals as MPED has them, under invented names; the cells of rest hold zeros.

    A window is a second, a feature the mean power spectral density of a band (`eegemo_utils.features.stft_bands`).

    Parameters
    ----------
    trials : Trials
        The 62 electrodes in any order, 1000 Hz, microvolt; people "1", "2", ...; the 28 trials of MPED, of a second at
        least, with the published labels.
    root : path
        Folder, made when missing; gets ``EEG_feature/STFT``.

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials do not fit, or the folder holds other recordings.
    """
    root = Path(root)
    picks = _check_trials(trials, root)
    people = sorted(set(trials.table["subject"]), key=int)
    paths = [root / FOLDER / f"sim{number:02d}.mat" for number in range(1, len(people) + 1)]
    present = {*(root / FOLDER).glob("*.mat"), *(root / FOLDER.name).glob("*.mat")}
    n_others = len(present - set(paths) if read_description(root, "")[1] else present)
    if n_others:  # without their names, which are people's
        raise DatasetError(f"{root}: holds {n_others} other recordings, which would be read together with these or "
                           f"replaced. Give a new folder.")
    prepare_folder(root, trials.description, (), ())
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for subject, path in zip(people, paths):
        rows = trials.table[trials.table["subject"] == subject].set_index("trial", append=True).index
        features = {trial: stft_bands(trials.signals[row][picks], FACTS["sfreq"]).swapaxes(0, 1) for row, trial in rows}
        cells = np.empty((1, len(CODES)), dtype=object)
        for place in range(len(CODES)):
            cells[0, place] = features.get(place + 1, np.zeros_like(features[TRIALS[0]]))
        save_mat(path, {"STFT": cells})
    return paths


def _check_trials(trials: Trials, root: Path) -> list[int]:
    """Where the 62 electrodes stand in the trials."""
    names, table = trials.info["ch_names"], trials.table
    missing = [name for name in SEED_62 if name not in names]
    if missing or trials.info["sfreq"] != FACTS["sfreq"]:
        raise DatasetError(f"{root}: MPED needs its 62 electrodes at {FACTS['sfreq']:g} Hz; found "
                           f"{trials.info['sfreq']:g} Hz, missing: {', '.join(missing) or 'nothing'}")
    people = set(table["subject"])
    if people != {str(number) for number in range(1, len(people) + 1)} or len(people) > N_SUBJECTS:
        raise DatasetError(f"{root}: MPED has the people 1, 2, ... up to {N_SUBJECTS}; found "
                           f"{', '.join(sorted(people))[:100]}")
    for subject, rows in table.groupby("subject"):
        rows, expected, columns = rows.sort_values("trial"), _table(subject), ["session", "trial", "label"]
        if rows[columns].values.tolist() != expected[columns].values.tolist():
            raise DatasetError(f"{root}: a person of MPED has one session with trials 2-15 and 17-30, labels "
                               f"{' '.join(expected['label'])}; person {subject} has others")
        shortest = min(trials.signals[row].shape[1] for row in rows.index)
        if shortest < FACTS["sfreq"]:
            raise DatasetError(f"{root}: a trial holds a window of 1 s at least; person {subject} has one of "
                               f"{shortest / FACTS['sfreq']:g} s")
    return [names.index(name) for name in SEED_62]


def simulate(n_subjects: int = 2, *, n_seconds: float = 4.0, effect: float = 1.0, fingerprint: float = 1.0,
             random_state: int = 0) -> Trials:
    """Simulate people who see the 28 clips.

    Parameters
    ----------
    n_subjects : int
        Up to 23.
    n_seconds : float
        About the length of a clip; clips are one second shorter or longer in turn.
    effect, fingerprint, random_state
        See `eegemo_utils.simulate.simulate_trials`.

    Returns
    -------
    Trials
        Signals at 1000 Hz, whose features `write` stores; the table is that of `read`, a row a trial.

    Raises
    ------
    ValueError
        When a number is out of range.
    """
    if not 1 <= n_subjects <= N_SUBJECTS or not n_seconds >= 2:
        raise ValueError(f"1 to {N_SUBJECTS} people and 2 seconds at least, please; got n_subjects={n_subjects}, "
                         f"n_seconds={n_seconds}")
    table = pd.concat([_table(str(number)) for number in range(1, n_subjects + 1)], ignore_index=True)
    plan = table.assign(n_seconds=n_seconds + table["trial"] % 3 - 1,
                        valence=table["label"].map(lambda label: FELT[label][0]),
                        arousal=table["label"].map(lambda label: FELT[label][1]))
    made = simulate_trials(plan, ch_names=SEED_62, sfreq=FACTS["sfreq"], effect=effect, fingerprint=fingerprint,
                           random_state=random_state)
    return Trials(made.signals, made.info, table, None, "simulated MPED cohort")
