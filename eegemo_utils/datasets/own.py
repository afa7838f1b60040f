"""Own labelled recordings: EEG files with a table of trials beside them, or a BIDS folder with events.

Layout. A folder with ``trials.csv`` and EEG files of any kind that MNE reads, in it or below it. One row per trial:

============================ ========================================================================================
file, label, subject         needed: path from the folder, what was felt or done, who
session, trial, clip         which session, which number in it, what was shown; trials are numbered where they are not
start, stop                  seconds in the file; a whole file where absent
baseline_start, baseline_stop  seconds of a rest before the trial, in the same file
anything else                kept in the table, and usable as `target`
============================ ========================================================================================

Or a BIDS folder: each row of ``*_events.tsv`` with a duration is a trial, its label the column `target` (trial_type).

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- electrodes get their names of today (T3 is T7); those that all files have are kept, and the others named;
- files of different rates are resampled to the lowest;
- a baseline is used where every trial has one;
- people are known by the column subject, without blanks around it.

Traps. What differs between recordings besides the label (day, cap, amplifier, order) is learned first. Labels that
follow the person, or one recording per label, make every split by trial a test of who or when it was.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import eeg_folder_files as files
from eegemo_utils.datasets import own_tables
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.formats.edf import write_edf
from eegemo_utils.datasets.own_needs import needs
from eegemo_utils.datasets.plausible import Survey, few
from eegemo_utils.files import in_words
from eegemo_utils.montage import make_info, standard_name
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials

FACTS = {
    "name": "own",
    "title": "Own labelled recordings: EEG files with trials.csv, or BIDS with events",
    "licence": "that of the recordings",
    "source": "your own recordings",
    "channels": "electrodes of the 10-05 system that all files have",
    "sfreq": "any",
    "labels": "a column of trials.csv or events.tsv",
    "folders": ("own",),
    "papers": "gmss, multitask_cnn, tnas, labram, gru",
}
SIMULATED = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8",
             "O1", "O2")
SIMULATED_HZ, BASELINE_SECONDS = 128.0, 2
VALENCE = {"pleasant": 1.0, "unpleasant": -1.0}


def read(root, subjects=None, target: str = "", task: str = "", session: str = "",
         ch_names: Sequence[str] | None = None) -> Trials:
    """Read own labelled recordings.

    Parameters
    ----------
    root : path
        Folder with ``trials.csv``, or a BIDS folder.
    subjects : list of str, optional
        Read these people only.
    target : str
        Column that is the label; "label" in trials.csv and "trial_type" in BIDS where it is empty.
    task, session : str
        Read these only, of BIDS; all where empty.
    ch_names : list of str, optional
        Electrodes to keep, in this order; those that all files have when not given.

    Returns
    -------
    Trials
        Microvolt, a baseline first where there is one. Table: subject, session, trial, label, clip where it is known,
        file, start, stop, baseline_seconds where there is one, and all other columns.

    Raises
    ------
    DatasetError
        When the table, a row or a file is not as it must be: says which line, what was found and what to do.
    """
    root = Path(root)
    table, decisions = find_trials(root, target, task, session)
    chosen = pick_subjects(root, list(dict.fromkeys(table["subject"])), subjects)
    table = table[table["subject"].isin(chosen)].reset_index(drop=True)
    found = recordings(root, table)
    names, said = common_electrodes(root, found, ch_names)
    rate, more = common_rate(found)
    signals, parts, survey = [], [], Survey(names, rate)
    for name, rows in table.groupby("file", sort=False):
        signal = files.load(found[name], names, rate)
        own_tables.check_ends(root / name, rows, signal.shape[1] / rate)
        cut = [spans(signal, row, rate) for row in rows.itertuples()]
        survey.add(name, cut, str(root / name))
        signals += cut
        parts.append(rows)
    table = finished(pd.concat(parts, ignore_index=True), rate, signals)
    description, _ = read_description(root, f"own recordings in {root.name}")
    decisions = (*decisions, *said, *more, *survey.said, *survey.copies())
    return Trials(signals, make_info(names, rate), table, None, description, decisions)


@in_words
def find_trials(root: Path, target: str = "", task: str = "", session: str = "") -> tuple[pd.DataFrame, list[str]]:
    """Return the checked table of trials of a folder, and what was decided about it.

    Raises
    ------
    DatasetError
        As `read`.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder. Expected one with {own_tables.TABLE} and EEG files, or BIDS.")
    if (root / own_tables.TABLE).exists():
        return own_tables.from_csv(root / own_tables.TABLE, target)
    if next(root.glob("sub-*"), None) is not None:
        return own_tables.from_bids(root, target, task, session, files.SUFFIXES)
    raise DatasetError(f"{root}: expected {own_tables.TABLE} (columns {', '.join(own_tables.NEEDED)}) or the folders "
                       f"sub-... of BIDS, found neither. Write {own_tables.TABLE}: one row per trial.")


def recordings(root: Path, table: pd.DataFrame) -> dict[str, files.Recording]:
    """Return what each file's header says. Raises DatasetError for a file that cannot be used, with its line."""
    found = {}
    for name, rows in table.groupby("file", sort=False):
        path = root / name
        if not path.is_file() and not path.is_dir():  # some kinds of recordings are folders
            there = few(sorted(one.name for one in path.parent.glob("*"))) if path.parent.is_dir() else "no such folder"
            raise DatasetError(f"{root}, {rows['line'].iloc[0]}: no file {name}; there are: {there}. Write the path "
                               "from this folder.")
        found[name] = files.identify(path, root)
    return found


def common_electrodes(root: Path, found: dict[str, files.Recording], ch_names) -> tuple[list[str], list[str]]:
    """Return the electrodes to keep and what is said about the others. Raises DatasetError where none is left."""
    first = next(iter(found.values()))
    shared = [name for name in first.electrodes if all(name in one.electrodes for one in found.values())]
    names = shared if ch_names is None else [standard_name(name) for name in ch_names]
    missing = [name for name in names if name not in shared]
    if missing or not names:
        where = next((name for name, one in found.items() if not set(names) <= set(one.electrodes)), "")
        raise DatasetError(f"{root}: expected files with the same electrodes, found no {few(missing) or 'common one'} "
                           f"in {where or 'all'}; all files have: {', '.join(shared) or 'none'}. Take files with other "
                           "caps out of the table, or name electrodes with ch_names.")
    others = sorted({name for one in found.values() for name in one.electrodes} - set(names))
    return names, [f"electrodes dropped, since not all files have them or others were asked for: {few(others, 20)}"
                   ] if others else []


def common_rate(found: dict[str, files.Recording]) -> tuple[float, list[str]]:
    """Return the lowest rate of the files, and a sentence where others are resampled to it."""
    rates = sorted({one.sfreq for one in found.values()})
    other = sum(one.sfreq != rates[0] for one in found.values())
    return rates[0], [f"{other} file(s) of {', '.join(f'{rate:g}' for rate in rates[1:])} Hz are resampled to "
                      f"{rates[0]:g} Hz, the lowest rate"] if other else []


def spans(signal: np.ndarray, row, rate: float) -> np.ndarray:
    """Return a trial's part of a recording, its baseline first."""
    def part(start, stop):
        first = 0 if pd.isna(start) else round(start * rate)
        return signal[:, first: signal.shape[1] if pd.isna(stop) else round(stop * rate)]

    trial = part(row.start, row.stop)
    if pd.isna(row.baseline_start):
        return trial
    return np.concatenate([part(row.baseline_start, row.baseline_stop), trial], axis=1)


def finished(table: pd.DataFrame, rate: float, signals: list[np.ndarray]) -> pd.DataFrame:
    """Return the table as `read` gives it: numbers of trials, seconds, no empty columns."""
    if table["baseline_start"].notna().any():
        lengths = (table["baseline_stop"] * rate).round() - (table["baseline_start"] * rate).round()
        table["baseline_seconds"] = lengths / rate
    table["seconds"] = [signal.shape[1] / rate for signal in signals]
    table["seconds"] -= table.get("baseline_seconds", 0.0)
    table = table.drop(columns=["line", *own_tables.SPANS])
    if "trial" not in table:
        table["trial"] = table.groupby(["subject", "session"], sort=False).cumcount() + 1
    twice = table.duplicated(["subject", "session", "trial"])
    if twice.any():
        row = table[twice].iloc[0]
        raise DatasetError(f"trial {row['trial']} of {row['subject']}, session {row['session']}, stands in the table "
                           "twice. Number the trials of a session, or leave the column trial out.")
    first = [name for name in ("subject", "session", "trial", "label", "clip", "file") if name in table]
    return table[first + [name for name in table if name not in first]]


def check(root) -> Report:
    """Say what a folder holds, which electrodes are used, and which notebooks can take it. Raises nothing.

    Each file's header is read, not its signals.
    """
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        table, decisions = find_trials(root)
        found = recordings(root, table)
        names, said = common_electrodes(root, found, None)
        rate, more = common_rate(found)
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    report.found.append(read_description(root, f"own recordings in {root.name}")[0])
    counts = ", ".join(f"{label} ({n})" for label, n in table["label"].value_counts().items())
    report.found.append(f"{len(table)} trials of {table['subject'].nunique()} people; labels: {counts}")
    n_trials = table["file"].value_counts()
    report.found += [f"{name}: {n_trials[name]} trials, {len(one.electrodes)} electrodes, {one.sfreq:g} Hz"
                     for name, one in found.items()]
    report.found.append(f"{len(names)} electrodes in all files: {', '.join(names)}")
    report.decisions += [*decisions, *said, *more]
    for notebook, why in needs(names, table).items():
        (report.missing if why else report.found).append(
            f"{notebook}: cannot take it: {why}" if why else f"{notebook}: can take it")
    report.ok = True
    return report


def write(trials: Trials, root) -> list[Path]:
    """Write one EDF file per person and session, and ``trials.csv``.

    Parameters
    ----------
    trials : Trials
        Whole seconds, also of the baseline, at a whole rate. Samples are rounded to 16 bits.
    root : path
        Folder, made when missing.

    Returns
    -------
    list of Path
        The EDF files.

    Raises
    ------
    DatasetError
        When lengths are not whole seconds, or the folder holds other recordings.
    """
    root, rate = Path(root), trials.info["sfreq"]
    if rate % 1 or any(signal.shape[1] % rate or not signal.size for signal in trials.signals):
        raise DatasetError(f"{root}: whole seconds at a whole rate, please; found {rate:g} Hz or other lengths")
    groups = trials.table.groupby(["subject", "session"], sort=False)
    paths = {root / f"{subject}_session{session}.edf": rows for (subject, session), rows in groups}
    present = [path for path in root.rglob("*") if path.name.lower().endswith(files.SUFFIXES)]
    prepare_folder(root, trials.description, present, [*paths, root / own_tables.TABLE])
    baselines, lines = trials.table.get("baseline_seconds", pd.Series(0.0, trials.table.index)), []
    for path, rows in paths.items():
        write_edf(path, np.concatenate([trials.signals[row] for row in rows.index], axis=1), trials.info["ch_names"],
                  rate)
        at = 0.0
        for row in rows.index:
            facts = trials.table.loc[row].drop(["seconds", "baseline_seconds", "file"], errors="ignore")
            baseline = float(baselines[row])
            stop = at + trials.signals[row].shape[1] / rate
            lines.append({"file": path.name, **facts, "start": at + baseline, "stop": stop}
                         | ({"baseline_start": at, "baseline_stop": at + baseline} if baseline else {}))
            at = stop
    temporary = root / f"{own_tables.TABLE}.partial"
    pd.DataFrame(lines).to_csv(temporary, index=False, quoting=csv.QUOTE_MINIMAL)
    temporary.replace(root / own_tables.TABLE)
    return list(paths)


def simulate(n_subjects: int = 6, *, n_trials: int = 8, n_seconds: int = 8, effect: float = 1.0,
             fingerprint: float = 1.0, random_state: int = 0) -> Trials:
    """Simulate people who see pleasant and unpleasant clips, 19 electrodes, 128 Hz, with a baseline of two seconds.

    Parameters
    ----------
    n_subjects, n_trials : int
        People, and clips that each of them sees, half of them pleasant.
    n_seconds : int
        Of a clip.
    effect, fingerprint, random_state
        See `eegemo_utils.simulate.simulate_trials`.

    Raises
    ------
    ValueError
        When a number is below 1.
    """
    if min(n_subjects, n_trials, n_seconds) < 1:
        raise ValueError(f"at least one person, trial and second, please; got {n_subjects}, {n_trials}, {n_seconds}")
    rows = [{"subject": f"sim{number:02d}", "session": 1, "trial": trial + 1,
             "label": list(VALENCE)[trial % 2], "clip": f"clip{trial + 1:02d}"}
            for number in range(1, n_subjects + 1) for trial in range(n_trials)]
    table = pd.DataFrame(rows).assign(baseline_seconds=float(BASELINE_SECONDS))
    plan = table.assign(n_seconds=float(n_seconds + BASELINE_SECONDS), valence=table["label"].map(VALENCE), arousal=0.0)
    made = simulate_trials(plan, ch_names=SIMULATED, sfreq=SIMULATED_HZ, effect=effect, fingerprint=fingerprint,
                           random_state=random_state)
    return Trials(made.signals, made.info, table, None, "simulated own recordings")
