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
- a folder with DESCRIPTION.txt, which `write` makes, may hold fewer and shorter trials; any other must not.

Traps. The files hold no channel names, so permuted channels cannot be found. The page says the baseline is
removed: the 3 s are there. A person may have rated all videos to one side of 5, which leaves one class.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import deap_files as files
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.deap_files import (
    BASELINE_SECONDS,
    GENEVA,
    PERIPHERAL,
    RATINGS,
    SFREQ,
    SHAPE,
    SUBJECTS,
)
from eegemo_utils.montage import make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials

FACTS = {
    "name": "deap",
    "title": "DEAP, preprocessed release (32 people, 40 music videos)",
    "licence": "signed agreement; academic, not commercial, not to be passed on",
    "source": "Queen Mary University of London, eecs.qmul.ac.uk/mmv/datasets/deap: agreement signed by a permanent "
              "member of staff",
    "channels": ", ".join(GENEVA),
    "sfreq": SFREQ,
    "labels": "low, high: valence (or arousal, dominance, liking) above 5 of 1-9; the four ratings",
    "folders": ("deap", "DEAP", *files.FOLDERS.values()),
    "papers": "multitask_cnn, tnas",
}
THRESHOLD = 5.0


def read(root, subjects=None, target: str = "valence") -> Trials:
    """Read people of DEAP, one file at a time.

    Parameters
    ----------
    root : path
        Folder with the .dat or .mat files, or the one above ``data_preprocessed_python`` or ``_matlab``.
    subjects : list of str, optional
        Such as ["s01"]; only these files are opened.
    target : str
        Rating that makes the label: valence, arousal, dominance or liking.

    Returns
    -------
    Trials
        32 electrodes, microvolt, 63 s. Table: subject, session (1), trial (the video, 1-40), label ("low",
        "high"), valence, arousal, dominance, liking (1-9), baseline_seconds (3.0).

    Raises
    ------
    DatasetError
        When there is no folder or file, a person or target is unknown, or a file is faulty: says which.
    """
    if target not in RATINGS:
        raise DatasetError(f"{root}: no rating is called {target!r}; there are {', '.join(RATINGS)}")
    root = Path(root)
    paths, decisions = files.find(root)
    description, written = read_description(root, f"DEAP in {root.name}")
    signals, tables = [], []
    for subject in pick_subjects(root, paths, subjects):
        trials, ratings = files.load(paths[subject], strict=not written)
        signals += trials
        tables.append(_table(subject, ratings, target))
    table = pd.concat(tables, ignore_index=True)
    decisions = [*_decisions(table, target), *decisions]
    return Trials(signals, make_info(GENEVA, SFREQ), table, None, description, tuple(decisions))


def _table(subject: str, ratings: np.ndarray, target: str) -> pd.DataFrame:
    table = pd.DataFrame({"subject": subject, "session": 1, "trial": np.arange(1, len(ratings) + 1), "label": ""})
    table[list(RATINGS)] = ratings
    table["label"] = np.where(table[target] > THRESHOLD, "high", "low")
    table["baseline_seconds"] = BASELINE_SECONDS
    return table


def _decisions(table: pd.DataFrame, target: str) -> list[str]:
    middle = int((table[target] == THRESHOLD).sum())
    said = [f"signals that are no EEG dropped: {', '.join(PERIPHERAL)}",
            f"label: {target} above {THRESHOLD:g} is high; {middle} rating(s) of exactly {THRESHOLD:g} are low"]
    n_classes = table.groupby("subject")["label"].nunique()
    single = list(n_classes.index[n_classes == 1])
    return said + [f"all trials of {', '.join(single)} have one label of {target}"] * bool(single)


def check(root) -> Report:
    """Say which people's files a folder holds, which are missing or damaged and what `read` does. Raises nothing."""
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        paths, decisions = files.find(root)
        description, written = read_description(root, f"DEAP in {root.name}")
    except (DatasetError, OSError) as error:
        report.missing.append(str(error))
        return report
    report.found.append(description)
    tables = []
    for subject, path in paths.items():
        try:
            signals, ratings = files.load(path, strict=not written)
        except (DatasetError, OSError) as error:
            report.missing.append(f"fault: {error}")
            continue
        tables.append(_table(subject, ratings, "valence"))
        high = (ratings > THRESHOLD).sum(axis=0)
        report.found.append(f"{path.name}: {len(signals)} trials of {signals[0].shape[1] / SFREQ:g} s; above 5: "
                            + ", ".join(f"{count} {name}" for count, name in zip(high, RATINGS)))
    report.ok = bool(tables) and not report.missing
    absent = [subject for subject in SUBJECTS if subject not in paths]
    report.missing += [f"no file of {', '.join(absent)}"] * bool(absent)
    report.decisions += [*(_decisions(pd.concat(tables), "valence") if tables else []), *decisions]
    return report


def write(trials: Trials, root, form: str = "dat") -> list[Path]:
    """Write ``s01.dat`` ... (or .mat) as the release has them; the eight signals that are no EEG are zeros.

    Parameters
    ----------
    trials : Trials
        The 32 electrodes in any order, 128 Hz, microvolt; people s01-s32, trials 1, 2, ... of equal length that
        start 3 s before the video; the four ratings.
    root : path
        Folder, made when missing.
    form : str
        "dat": pickles as Python 2 wrote them; "mat": MATLAB files.

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials do not fit, or the folder holds other files of DEAP, or any that `write` did not make.
    """
    root = Path(root)
    picks = _check_trials(trials, root, form)
    paths = {subject: root / f"{subject}.{form}" for subject in dict.fromkeys(trials.table["subject"])}
    present = [path for kind in files.FOLDERS for path in root.glob(f"s[0-9][0-9].{kind}")]
    prepare_folder(root, trials.description, present, paths.values())
    for subject, path in paths.items():
        rows = trials.table[trials.table["subject"] == subject].sort_values("trial")
        files.save(path, [trials.signals[row][picks] for row in rows.index], rows[list(RATINGS)].to_numpy(float))
    return list(paths.values())


def _check_trials(trials: Trials, root: Path, form: str) -> list[int]:
    """Where the electrodes of the Geneva order stand in the trials."""
    if form not in files.FOLDERS:
        raise DatasetError(f"{root}: DEAP has the forms dat and mat, not {form!r}")
    table, names = trials.table, trials.info["ch_names"]
    missing = [name for name in GENEVA if name not in names]
    missing += [name for name in RATINGS if name not in table]
    if missing or trials.info["sfreq"] != SFREQ:
        raise DatasetError(f"{root}: DEAP needs its 32 electrodes and four ratings at {SFREQ:g} Hz; found "
                           f"{trials.info['sfreq']:g} Hz, missing: {', '.join(missing) or 'nothing'}")
    strange = sorted(set(table["subject"]) - set(SUBJECTS))
    if strange or set(table["session"]) != {1}:
        raise DatasetError(f"{root}: DEAP has the people s01 ... s32 and one session; found "
                           f"{', '.join(strange) or 'other sessions'}")
    ratings = table[list(RATINGS)].to_numpy(float)
    if not ((ratings >= files.LOWEST) & (ratings <= files.HIGHEST)).all():
        raise DatasetError(f"{root}: ratings of DEAP go from 1 to 9; found {ratings.min():g} to {ratings.max():g}")
    for subject, rows in table.groupby("subject"):
        lengths = {trials.signals[row].shape[1] for row in rows.index}
        whole = sorted(rows["trial"]) == list(range(1, len(rows) + 1)) and len(rows) <= SHAPE[0]
        if not whole or len(lengths) > 1 or min(lengths) <= BASELINE_SECONDS * SFREQ:
            raise DatasetError(f"{root}: a file of DEAP holds trials 1, 2, ... (at most 40) of one length above "
                               f"3 s; {subject} has {len(rows)} with lengths {sorted(lengths)}")
    return [names.index(name) for name in GENEVA]


def simulate(n_subjects: int = 2, *, n_trials: int = 40, n_seconds: float = 10.0, effect: float = 1.0,
             fingerprint: float = 1.0, random_state: int = 0) -> Trials:
    """Simulate people who see the same videos and rate them a little differently.

    Parameters
    ----------
    n_subjects : int
        1 to 32.
    n_trials : int
        Videos, 1 to 40.
    n_seconds : float
        Of each video (60 in the release), after 3 s of baseline.
    effect, fingerprint, random_state
        See `eegemo_utils.simulate.simulate_trials`.

    Returns
    -------
    Trials
        As `read` gives them.

    Raises
    ------
    ValueError
        When a number is out of range.
    """
    if not (1 <= n_subjects <= len(SUBJECTS) and 1 <= n_trials <= SHAPE[0] and n_seconds * SFREQ >= 1):
        raise ValueError(f"1 to 32 people, 1 to 40 videos and some time, please; got n_subjects={n_subjects}, "
                         f"n_trials={n_trials}, n_seconds={n_seconds}")
    rng = np.random.default_rng(random_state)
    videos = rng.uniform(-1, 1, (SHAPE[0], len(RATINGS)))[:n_trials]
    tables = []
    for number, subject in enumerate(SUBJECTS[:n_subjects]):
        own = np.random.default_rng([random_state, number]).normal(0, 0.3, (SHAPE[0], len(RATINGS)))[:n_trials]
        ratings = np.round(5 + 4 * np.clip(videos + own, -1, 1), 2)
        tables.append(_table(subject, ratings, "valence"))
    table = pd.concat(tables, ignore_index=True)
    felt = (table[["valence", "arousal"]] - THRESHOLD) / 4
    plan = table.assign(n_seconds=n_seconds + BASELINE_SECONDS, **felt)
    made = simulate_trials(plan, ch_names=GENEVA, sfreq=SFREQ, effect=effect, fingerprint=fingerprint,
                           random_state=random_state)
    return Trials(made.signals, made.info, table, None, "simulated DEAP cohort")
