"""Any folder of EEG files: whatever MNE opens becomes one trial a file.

Layout. EDF, BDF, GDF, BrainVision, EEGLAB, FIF, Neuroscan and some more, in a folder and those below it. Names as in
BIDS (``sub-01_ses-2_task-rest_run-1_eeg.edf``) tell person, session and label; else the person is the first folder, or
the file itself, and the label is "unlabelled".

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- a file that is damaged, has no electrode of the 10-05 system (or one twice), or is not in microvolt is skipped, by
  name;
- electrodes get their names of today, without "EEG", "-REF", "-LE": T3 is T7;
- only electrodes that all files have are kept, or those asked for: then a file without one of them is skipped;
- people who are only known by names of files or folders are said to be: two files of one person may count as two
  people, and a split by people is only as good as that;
- files without signal are skipped; flat channels, sizes that microvolt do not have, and files with the same signals
  are named;
- rates must be the same, or one is asked for: then the others are resampled.

Traps. References, filters and amplifiers differ between files, and tell them apart better than any state does.
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from eegemo_utils.datasets import eeg_folder_files as files
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.formats.edf import write_edf
from eegemo_utils.datasets.plausible import Survey
from eegemo_utils.montage import make_info, standard_name
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials

FACTS = {
    "name": "eeg_folder",
    "title": "Any folder of EEG files that MNE opens",
    "licence": "that of the recordings",
    "source": "your own recordings",
    "channels": "electrodes of the 10-05 system that all files have",
    "sfreq": "any",
    "labels": "task, from names as in BIDS; else unlabelled",
    "folders": ("eeg_folder", "eeg"),
    "papers": "labram",
}
SIMULATED = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8",
             "O1", "O2")


def read(root, subjects=None, ch_names=None, sfreq: float | None = None) -> Trials:
    """Read a folder of EEG files, or one file.

    Parameters
    ----------
    root : path
    subjects : list of str, optional
        Read these people only, named as in the table.
    ch_names : list of str, optional
        Electrodes to keep, in this order; those that all files have when not given.
    sfreq : float, optional
        Rate to resample to; needed when the files' rates differ.

    Returns
    -------
    Trials
        Microvolt. Table: subject, session, trial (1, 2, ... in the session, by name), label, file, seconds,
        recorded_sfreq.

    Raises
    ------
    DatasetError
        When no file is left, the files have no electrode in common, or different rates.
    """
    root = Path(root)
    ch_names = None if ch_names is None else [standard_name(name) for name in ch_names]
    found, decisions = _identify_all(root, subjects, ch_names)
    names, told = _common(root, found, ch_names)
    found = [recording for recording in found if set(names) <= set(recording.electrodes)]
    rate = _rate(root, found, sfreq)
    signals, rows, survey = [], [], Survey(names, rate)
    for recording in found:
        try:
            signal = files.load(recording, names, rate)
            survey.add(recording.name, [signal], str(recording.path))
        except DatasetError as error:
            decisions.append(f"skipped: {error}")
            continue
        signals.append(signal)
        rows.append({"subject": recording.subject, "session": recording.session, "label": recording.label,
                     "file": recording.name, "seconds": signals[-1].shape[1] / rate,
                     "recorded_sfreq": recording.sfreq})
    if not rows:
        raise DatasetError(f"{root}: no file could be read. {' '.join(decisions)[:500]}")
    table = pd.DataFrame(rows)
    table.insert(2, "trial", table.groupby(["subject", "session"]).cumcount() + 1)
    resampled = (table["recorded_sfreq"] != rate).sum()
    told += [f"{resampled} file(s) resampled to {rate:g} Hz"] * bool(resampled)
    told += [*_who(found), *survey.said, *survey.copies()]
    description, _ = read_description(root, f"EEG files in {root.name}")
    return Trials(signals, make_info(names, rate), table, None, description, (*told, *decisions))


def _who(found: list[files.Recording]) -> list[str]:
    """What people are known by, where no name says sub-."""
    guessed = [recording for recording in found if f"sub-{recording.subject}" not in recording.path.name]
    kinds = dict.fromkeys("folders" if "/" in recording.name else "files" for recording in guessed)
    return [f"people are taken from the names of {' and '.join(kinds)}, such as {guessed[0].subject} for "
            f"{guessed[0].name}: if two of them are one person, by_subject does not know; it is only as good as these "
            f"names (sub-01_task-rest.edf would tell)"] if guessed else []


def _identify_all(root: Path, subjects=None, ch_names=None) -> tuple[list[files.Recording], list[str]]:
    found, decisions = [], []
    for path in files.find(root):
        try:
            found.append(files.identify(path, root, ch_names))
        except DatasetError as error:
            decisions.append(f"skipped: {error}")
    if not found:
        raise DatasetError(f"{root}: no file could be read. {' '.join(decisions)[:500]}")
    chosen = pick_subjects(root, sorted({recording.subject for recording in found}), subjects)
    return [recording for recording in found if recording.subject in chosen], decisions


def _common(root: Path, found: list[files.Recording], ch_names) -> tuple[list[str], list[str]]:
    """Electrodes to keep, and what is left out by that."""
    counts = Counter(name for recording in found for name in recording.electrodes)
    if ch_names is None:
        names = [name for name in found[0].electrodes if counts[name] == len(found)]
        others = [f"{name} ({counts[name]})" for name in counts if name not in names]
        told = [f"{len(names)} electrodes that all {len(found)} files have; dropped, with the number of files that "
                f"have them: {', '.join(others)}"] if others else []
    else:
        names = ch_names
        told = [f"skipped: {recording.path}: has no {', '.join(sorted(set(names) - set(recording.electrodes)))}"
                for recording in found if not set(names) <= set(recording.electrodes)]
    nobody = ch_names is not None and len(told) == len(found)
    if not names or nobody or len(set(names)) < len(names):
        often = ", ".join(f"{name} ({count})" for name, count in counts.most_common(30))
        raise DatasetError(f"{root}: no file has all of {', '.join(names) or 'the electrodes of the others'}, each "
                           f"once. Name electrodes with ch_names; there are, with the number of files: {often}.")
    return names, told


def _rate(root: Path, found: list[files.Recording], sfreq: float | None) -> float:
    rates = Counter(recording.sfreq for recording in found)
    if sfreq is None and len(rates) > 1:
        raise DatasetError(f"{root}: expected files of one rate, found "
                           f"{', '.join(f'{rate:g} Hz ({count})' for rate, count in rates.items())}. Give sfreq, the "
                           f"rate to resample to.")
    if sfreq is not None and not 0 < sfreq < files.MAX_SFREQ:
        raise DatasetError(f"{root}: sfreq must be a rate in Hz, found {sfreq}")
    return float(next(iter(rates)) if sfreq is None else sfreq)


def check(root) -> Report:
    """Say which files a folder holds, which are damaged, and what `read` does. Raises nothing.

    Each file's header is read, not its signals.
    """
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        found, skipped = _identify_all(root)
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    report.found.append(read_description(root, f"EEG files in {root.name}")[0])
    report.found += [f"{recording.name}: subject {recording.subject}, session {recording.session}, {recording.label}, "
                     f"{len(recording.electrodes)} electrodes, {recording.sfreq:g} Hz" for recording in found]
    report.missing += skipped
    try:
        _, told = _common(root, found, None)
        report.decisions += [*told, *_who(found), *skipped]
        _rate(root, found, None)
        report.ok = True
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
    return report


def write(trials: Trials, root) -> list[Path]:
    """Write each trial as an EDF file, ``sub-<subject>_ses-<session>_task-<label>_run-<trial>_eeg.edf``.

    Parameters
    ----------
    trials : Trials
        Any electrodes; whole seconds at a whole rate; subject and label of letters and digits. Samples are rounded
        to 16 bits between each channel's extremes.
    root : path
        Folder, made when missing.

    Returns
    -------
    list of Path
        In the order of the trials.

    Raises
    ------
    DatasetError
        When the trials do not fit, or the folder holds other EEG files, or any that `write` did not make.
    """
    root = Path(root)
    table, sfreq = trials.table, trials.info["sfreq"]
    bad = [text for text in {*table["subject"].astype(str), *table["label"].astype(str)} if not text.isalnum()]
    if bad or any(signal.shape[1] % sfreq or not signal.size for signal in trials.signals) or sfreq % 1:
        raise DatasetError(f"{root}: names of letters and digits, a whole rate and whole seconds, please; found "
                           f"{', '.join(sorted(bad)) or f'{sfreq:g} Hz or other lengths'}")
    paths = [root / f"sub-{row.subject}_ses-{row.session}_task-{row.label}_run-{row.trial}_eeg.edf"
             for row in table.itertuples()]
    present = [path for path in root.rglob("*") if path.name.lower().endswith(files.SUFFIXES)]
    prepare_folder(root, trials.description, present, paths)
    for path, signal in zip(paths, trials.signals):
        write_edf(path, signal, trials.info["ch_names"], sfreq)
    return paths


def simulate(n_subjects: int = 3, *, n_trials: int = 2, n_seconds: int = 10, effect: float = 1.0,
             fingerprint: float = 1.0, random_state: int = 0) -> Trials:
    """Simulate people at rest and at work, 19 electrodes, 256 Hz.

    Parameters
    ----------
    n_subjects, n_trials : int
        People, and trials of each, half of them rest.
    n_seconds : int
    effect, fingerprint, random_state
        See `eegemo_utils.simulate.simulate_trials`.

    Returns
    -------
    Trials
        As `read` gives them.

    Raises
    ------
    ValueError
        When a number is below 1.
    """
    if min(n_subjects, n_trials, n_seconds) < 1:
        raise ValueError(f"at least one person, trial and second, please; got {n_subjects}, {n_trials}, {n_seconds}")
    rows = [{"subject": f"sim{number:02d}", "session": 1, "trial": trial + 1, "label": ("rest", "work")[trial % 2]}
            for number in range(1, n_subjects + 1) for trial in range(n_trials)]
    table = pd.DataFrame(rows)
    plan = table.assign(n_seconds=float(n_seconds), valence=0.0, arousal=(table["label"] == "work").astype(float))
    made = simulate_trials(plan, ch_names=SIMULATED, sfreq=256.0, effect=effect, fingerprint=fingerprint,
                           random_state=random_state)
    return Trials(made.signals, made.info, table, None, "simulated EEG files")
