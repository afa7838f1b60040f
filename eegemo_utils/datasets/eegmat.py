"""EEGMAT: 36 people at rest and while they subtract in their heads; open, EDF, from PhysioNet.

Layout (Zyma et al. 2019, Data 4:14, doi 10.3390/data4010014; PhysioNet eegmat 1.0.0): ``Subject00_1.edf`` (rest) and
``Subject00_2.edf`` (serial subtraction) ... ``Subject35_2.edf``, ``subject-info.csv``. EDF+C, records of 1 s, 500
samples a second: 19 electrodes against linked ears, the voltage between the ears (A2-A1), an ECG in millivolt and
empty annotations. Arithmetic lasts 62 s; rest 182 s, but 170, 188 and 80 s in Subject04, 10 and 31. Filtered to
0.5-45 Hz, notch at 50 Hz, cleaned with ICA.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- A2-A1 and ECG are dropped; T3 T4 T5 T6 get their names of today, T7 T8 P7 P8;
- a person with one of the two recordings is read with that one;
- without ``subject-info.csv``, or for a person who is not in it, age and so on are not known (NaN);
- recordings of another length than the release's are read; other EDF files are ignored.

Traps. One recording per person and state: state and recording are one, so windows of a recording belong on one side
of a split, and even scores between people can use what a recording adds. Three windows in four are rest: use balanced
accuracy. The page says high-pass at 30 Hz, the headers and the signals say 0.5. The csv has 26 good counters and 10
bad, the readme 24 and 12. Sex in a header may contradict the csv, which is right.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import eegmat_files as files
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.eegmat_files import (
    COLUMNS,
    ELECTRODES,
    INFO,
    LABELS,
    SFREQ,
    SUBJECTS,
    SUMS,
    fetch,
    parse_sums,
    seconds_of,
)
from eegemo_utils.montage import make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials

__all__ = ["FACTS", "LABELS", "SUBJECTS", "check", "fetch", "read", "seconds_of", "simulate", "write"]

FACTS = {
    "name": "eegmat",
    "title": "EEG during mental arithmetic (PhysioNet eegmat 1.0.0, 36 people)",
    "licence": "ODC-By 1.0; cite Zyma et al. 2019 and Goldberger et al. 2000",
    "source": "https://physionet.org/content/eegmat/1.0.0/ (open; eegmat.fetch downloads it)",
    "channels": ", ".join(ELECTRODES),
    "sfreq": SFREQ,
    "labels": "rest, arithmetic",
    "folders": ("eegmat", "eeg-during-mental-arithmetic-tasks-1.0.0"),
    "papers": "gmss, multitask_cnn, tnas, labram",
}
# what each state is in the simulation: arithmetic is work, and it makes alpha smaller
AROUSAL = {"rest": -0.5, "arithmetic": 1.0}


def read(root, subjects=None) -> Trials:
    """Read recordings at rest and in arithmetic.

    Parameters
    ----------
    root : path
        Folder with the EDF files and ``subject-info.csv``.
    subjects : list of str, optional
        Such as ["Subject00"]; only their files are opened.

    Returns
    -------
    Trials
        19 electrodes, microvolt, 500 Hz, against linked ears. Table: subject, session (1), trial (1 rest, 2
        arithmetic), label, seconds, age, gender, year, n_subtractions (in four minutes), good_count (1 or 0).

    Raises
    ------
    DatasetError
        When there is no folder or recording, a person is unknown, or a file is faulty: says which.
    """
    root = Path(root)
    paths, decisions = files.find(root)
    description, written = read_description(root, f"EEGMAT in {root.name}")
    info = files.load_info(root)
    chosen = {subject: paths[subject] for subject in pick_subjects(root, paths, subjects)}
    signals, rows = [], []
    for subject, trials in chosen.items():
        for trial, path in sorted(trials.items()):
            signals.append(files.load(path))
            rows.append({"subject": subject, "session": 1, "trial": trial, "label": LABELS[trial],
                         "seconds": signals[-1].shape[1] / SFREQ})
    table = pd.DataFrame(rows)
    known = pd.DataFrame(columns=list(COLUMNS.values()), dtype=float) if info is None else info
    table = table.join(known, on="subject")
    decisions = [*_decisions(table, info, released=not written), *decisions]
    return Trials(signals, make_info(ELECTRODES, SFREQ), table, None, description, tuple(decisions))


def _decisions(table: pd.DataFrame, info: pd.DataFrame | None, released: bool) -> list[str]:
    said = [f"signals dropped: {', '.join(files.DROPPED)}; T3 T4 T5 T6 are called T7 T8 P7 P8",
            *_half(table)]
    if info is None:
        said.append(f"no {INFO}: age, gender, year, n_subtractions and good_count are not known")
    else:
        strangers = [subject for subject in table["subject"].unique() if subject not in info.index]
        said += [f"{INFO} does not know {', '.join(strangers)}: nothing about them"] * bool(strangers)
    for row in table.itertuples() if released else []:
        expected = seconds_of(row.subject, row.trial)
        if row.seconds != expected:
            said.append(f"{row.subject}_{row.trial}.edf: {row.seconds:g} s, {expected} s in the release: read")
    return said


def _half(table: pd.DataFrame) -> list[str]:
    have = table.groupby("subject")["label"].agg(set)
    return [f"no recording of {subject} with label {', '.join(sorted(set(LABELS.values()) - labels))}"
            for subject, labels in have.items() if len(labels) < len(LABELS)]


def check(root) -> Report:
    """Say which recordings a folder holds, which are missing or damaged and what `read` does. Raises nothing.

    Where ``SHA256SUMS.txt`` lies beside them, every file is held against it.
    """
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        paths, decisions = files.find(root)
        description, written = read_description(root, f"EEGMAT in {root.name}")
        info = files.load_info(root)
        sums = parse_sums(root / SUMS) if (root / SUMS).is_file() else {}
    except (DatasetError, OSError) as error:
        report.missing.append(f"fault: {error}")
        return report
    report.found.append(description)
    rows = []
    for subject, trial, path in ((s, t, path) for s in paths for t, path in sorted(paths[s].items())):
        try:
            seconds = files.load(path).shape[1] / SFREQ
        except (DatasetError, OSError) as error:
            report.missing.append(f"fault: {error}")
            continue
        rows.append({"subject": subject, "trial": trial, "label": LABELS[trial], "seconds": seconds})
        report.found.append(f"{files.describe(path)}, {LABELS[trial]}{_against_sums(path, sums)}")
    report.ok = bool(rows) and not report.missing
    absent = [subject for subject in SUBJECTS if subject not in paths]
    report.missing += [f"no recording of {', '.join(absent)}"] * bool(absent)
    if rows:
        report.decisions += _decisions(pd.DataFrame(rows), info, released=not written)
    report.decisions += decisions
    return report


def _against_sums(path: Path, sums: dict[str, str]) -> str:
    if path.name not in sums:
        return ""
    same = hashlib.sha256(path.read_bytes()).hexdigest() == sums[path.name]
    return f", as in {SUMS}" if same else f", NOT as in {SUMS}: not the file of the release"


def write(trials: Trials, root) -> list[Path]:
    """Write ``Subject00_1.edf`` ... and ``subject-info.csv``; A2-A1 and ECG hold no signal.

    Parameters
    ----------
    trials : Trials
        The 19 electrodes, 500 Hz, whole seconds, a trial for each person and label; columns as `read` gives them.
        Samples are rounded to 16 bits between each channel's extremes.
    root : path
        Folder, made when missing.

    Returns
    -------
    list of Path
        The EDF files, in the order of the trials.

    Raises
    ------
    DatasetError
        When the trials do not fit, or the folder holds other recordings, or any that `write` did not make.
    """
    root = Path(root)
    picks = _check_trials(trials, root)
    paths = [root / f"{row.subject}_{row.trial}.edf" for row in trials.table.itertuples()]
    prepare_folder(root, trials.description, list(root.glob("*.edf")), paths)
    files.save_info(root, trials.table.drop_duplicates("subject").sort_values("subject"))
    for path, signal, row in zip(paths, trials.signals, trials.table.itertuples()):
        files.save(path, signal[picks], row.gender, int(row.year))
    return paths


def _check_trials(trials: Trials, root: Path) -> list[int]:
    """Where the electrodes of the files stand in the trials."""
    table, names = trials.table, trials.info["ch_names"]
    wanted = make_info(ELECTRODES, SFREQ)["ch_names"]
    missing = [name for name in wanted if name not in names]
    missing += [name for name in COLUMNS.values() if name not in table or table[name].isna().any()]
    if missing or trials.info["sfreq"] != SFREQ:
        raise DatasetError(f"{root}: EEGMAT needs 19 electrodes at {SFREQ:g} Hz and all columns about a person; found "
                           f"{trials.info['sfreq']:g} Hz, missing: {', '.join(missing) or 'nothing'}")
    strange = sorted(set(table["subject"]) - set(SUBJECTS))
    right = table["trial"].map(LABELS).eq(table["label"]) & table["session"].eq(1)
    if strange or not right.all():
        raise DatasetError(f"{root}: EEGMAT has Subject00 ... Subject35, session 1, trial 1 (rest) and 2 (arithmetic); "
                           f"found {', '.join(strange) or 'other trials, sessions or labels'}")
    if any(signal.shape[1] < SFREQ or signal.shape[1] % SFREQ for signal in trials.signals):
        raise DatasetError(f"{root}: EEGMAT's files hold whole seconds; cut the trials to them")
    return [names.index(name) for name in wanted]


def simulate(n_subjects: int = 4, *, rest_seconds: int = 30, arithmetic_seconds: int = 10, effect: float = 1.0,
             fingerprint: float = 1.0, random_state: int = 0) -> Trials:
    """Simulate people at rest and in arithmetic, which weakens their alpha rhythm. Reference: the average.

    Parameters
    ----------
    n_subjects : int
        1 to 36.
    rest_seconds, arithmetic_seconds : int
        182 and 62 in the release.
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
    if not 1 <= n_subjects <= len(SUBJECTS) or min(rest_seconds, arithmetic_seconds) < 1:
        raise ValueError(f"1 to 36 people and whole seconds, please; got n_subjects={n_subjects}, "
                         f"rest_seconds={rest_seconds}, arithmetic_seconds={arithmetic_seconds}")
    rows = []
    for number, subject in enumerate(SUBJECTS[:n_subjects]):
        rng = np.random.default_rng([random_state, number])
        counted = round(float(rng.uniform(1, 35)), 2)
        person = {"age": float(rng.integers(16, 27)), "gender": str(rng.choice(["F", "M"])), "year": 2011.0,
                  "n_subtractions": counted, "good_count": float(counted > 10)}
        for trial, seconds in ((1, int(rest_seconds)), (2, int(arithmetic_seconds))):
            rows.append({"subject": subject, "session": 1, "trial": trial, "label": LABELS[trial],
                         "seconds": float(seconds), **person})
    table = pd.DataFrame(rows)
    plan = table.assign(n_seconds=table["seconds"], valence=0.0, arousal=table["label"].map(AROUSAL))
    made = simulate_trials(plan, ch_names=ELECTRODES, sfreq=SFREQ, effect=effect, fingerprint=fingerprint,
                           random_state=random_state)
    return Trials(made.signals, made.info, table, None, "simulated EEGMAT cohort")
