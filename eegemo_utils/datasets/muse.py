"""Raw recordings of the Muse headband: a folder of csv files, one recording each.

Layout. Four dry electrodes TP9, AF7, AF8, TP10 against Fpz, an unused input (Right AUX), 256 samples a
second, microvolt. Two ways of naming are read: ``<subject>-<state>-<n>.csv`` (Bird) and
``visual__P300__subject1__session2__data_2017-....csv``, or the same as folders
``visual/P300/subject1/session2/`` (muse-lsl), where the paradigm is the label.

What the reader decides, and says in ``Trials.decisions``, in the report of `check`, and (a loss of data)
as a warning:

- marker columns are dropped;
- a step of more than 0.1 s is a gap: each uninterrupted part is a trial of its own, so that no window
  crosses a gap; the parts share the recording's name in the column ``recording``; a part under one second
  holds no window: dropped (a file of which nothing is left is a fault);
- a recording of which more than 90% of the rows stand in another one, in runs, is a copy: the one of the
  person with more recordings stays (under another label it is a fault: no rule tells which label is true);
- one to three constant electrodes are kept (all four: a fault);
- a rate up to 5% off 256 samples a second is kept as it is: windows are cut by time stamps;
- a last line without line end, or with too few fields, is dropped;
- small steps back in time (up to 0.05 s, packets out of order) are kept as they are;
- a csv file whose name tells no subject is skipped.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description, save_text
from eegemo_utils.datasets.muse_checks import drop_copies, judge
from eegemo_utils.datasets.muse_files import (
    ENOUGH,
    HIGH_RAIL,
    LOW_RAIL,
    SFREQ,
    Recording,
    count,
    find,
    identify,
    load,
    seconds,
)
from eegemo_utils.files import files_below
from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS, make_info
from eegemo_utils.simulate import simulate_cohort
from eegemo_utils.trials import DatasetError, Report, Trials

FACTS = {
    "name": "muse",
    "title": "Raw Muse recordings (csv, one file a recording)",
    "licence": "muse-lsl recordings: BSD-3-Clause; Bird's mental-state recordings: none stated",
    "source": "GitHub: alexandrebarachant/muse-lsl, folder data/ of commit "
              "53c07a324ee43902beb373db8062fad532d520bb (recordings of 2017; the last commit that holds them); "
              "jordan-bird/eeg-feature-generation; or any Muse recorder",
    "channels": ", ".join([*MUSE_CHANNELS, MUSE_AUX]),
    "sfreq": SFREQ,
    "labels": "state or paradigm, from the file name",
    "folders": ("muse", "muse_lsl"),
    "papers": "gru",
}
STEP_UV = 2000 / 4096


def read(root, subjects=None) -> Trials:
    """Read a folder of raw Muse recordings (or one file).

    Parameters
    ----------
    root : path
        Folder, searched with its sub-folders, or a csv file.
    subjects : list of str, optional
        Read these people only, named as in the table ("subjecta", "P300-1").

    Returns
    -------
    Trials
        Five signals (Right AUX as a misc channel), time stamps as in the file. Table: subject, session,
        trial, label; recording, segment (0, 1, ... in the recording); file; start (first stamp, seconds);
        seconds; n_samples; n_gaps (in the recording); clipped (share of electrode samples at the
        converter's ends).

    Raises
    ------
    DatasetError
        When there is no folder or no recording, a person is unknown, or a file is faulty or cannot be read:
        says which file and line.
    """
    folder = _load_all(Path(root), subjects)
    if folder.faults:
        more = f" ({count(len(folder.faults) - 1, 'more fault')} in this folder.)" if folder.faults[1:] else ""
        raise DatasetError(folder.faults[0] + more)
    for loss in folder.losses:
        warnings.warn(loss, stacklevel=2)
    rows, signals, times = _segments(folder.recordings)
    table = pd.DataFrame(rows)
    order = table.sort_values(["subject", "session", "start", "recording"], kind="stable").index
    table.insert(2, "trial", (table.loc[order].groupby(["subject", "session"]).cumcount() + 1).sort_index())
    info = make_info([*MUSE_CHANNELS, MUSE_AUX], SFREQ)
    return Trials(signals, info, table, times, folder.description, (*folder.losses, *folder.decisions))


@dataclass
class _Folder:
    """What was read from a folder: recordings without copies, faults, lost data and other decisions."""

    recordings: list[Recording]
    faults: list[str]
    losses: list[str]
    decisions: list[str] = field(default_factory=list)
    description: str = ""


def _load_all(root: Path, subjects) -> _Folder:
    recordings, skipped, faults = find(root)
    known = sorted({recording.subject for recording in recordings})
    chosen = pick_subjects(root, known, subjects)
    recordings = [recording for recording in recordings if recording.subject in chosen]
    whole = []
    for recording in recordings:
        try:
            load(recording)
            judge(recording)
            whole.append(recording)
        except DatasetError as error:
            faults.append(str(error))
    kept, copies, contradictions = drop_copies(whole)
    folder = _Folder(kept, faults + contradictions, skipped + copies)
    for recording in kept:
        folder.losses += recording.losses
        folder.decisions += recording.decisions
    try:
        folder.description, described = read_description(root, f"Muse recordings in {root.name}")
        inside = {recording.path.parent for recording in kept} if not described else ()
        texts = sorted(text for text, known in (read_description(path, "") for path in inside) if known)
        folder.description = next((text for text in texts if text.startswith("simulated")), folder.description)
    except DatasetError as error:
        folder.faults.append(str(error))
    return folder


def _segments(recordings: list[Recording]) -> tuple[list[dict], list[np.ndarray], list[np.ndarray]]:
    rows, signals, times = [], [], []
    for recording in recordings:
        for segment, part in enumerate(recording.parts):
            stamps, signal = recording.stamps[part], recording.signals[:, part]
            railed = (signal[:4] <= LOW_RAIL) | (signal[:4] >= HIGH_RAIL)
            rows.append({
                "subject": recording.subject, "session": recording.session, "label": recording.label,
                "recording": recording.name, "segment": segment, "file": recording.path.name,
                "start": stamps[0], "seconds": round(seconds(stamps), 3), "n_samples": len(stamps),
                "n_gaps": len(recording.gaps), "clipped": float(railed.mean())})
            signals.append(signal)
            times.append(stamps)
    return rows, signals, times


def check(root) -> Report:
    """Say what a folder of Muse recordings holds, what is missing and what `read` will do. Raises nothing."""
    report = Report(FACTS["name"], Path(root), ok=False)
    try:
        folder = _load_all(Path(root), None)
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    rows, _, _ = _segments(folder.recordings)
    report.ok = bool(rows) and not folder.faults
    report.missing += [f"fault: {fault}" for fault in folder.faults]
    report.decisions += folder.losses + folder.decisions
    if not rows:
        return report
    table = pd.DataFrame(rows)
    counts = table.groupby("label")["recording"].nunique()
    report.found.append(folder.description)
    report.found.append(f"{count(counts.sum(), 'recording')} of "
                        f"{count(table['subject'].nunique(), 'person', 'people')}, "
                        f"{table['seconds'].sum():.0f} s: "
                        + ", ".join(f"{n} {label}" for label, n in counts.items()))
    for row in table.itertuples():
        report.found.append(f"{row.recording} part {row.segment}: subject {row.subject}, "
                            f"session {row.session}, {row.label}, {row.seconds:.1f} s, "
                            f"{count(row.n_samples, 'sample')}, {row.clipped:.2%} clipped")
    report.missing += _too_short(table) + _missing_for_splits(table) + _missing_states(table)
    return report


def _too_short(table: pd.DataFrame) -> list[str]:
    """Return a line on recordings of which no part is long enough to learn from."""
    longest = table.groupby("recording")["seconds"].max()
    short = [f"{name} ({length:.1f} s)" for name, length in longest.items() if length < ENOUGH]
    return [f"too short: {', '.join(short)}: record {ENOUGH:.0f} s or more without a gap"] if short else []


def _missing_for_splits(table: pd.DataFrame) -> list[str]:
    """What the folder lacks for an honest split: reading works, training on it would not."""
    lines = []
    for column in ("label", "subject"):
        names = pd.Series(table[column].unique())
        for _, same in names.groupby(names.str.casefold()):
            if len(same) > 1:
                lines.append(f"one spelling: {' and '.join(sorted(same))} count as {len(same)} {column}s")
    if table["label"].nunique() == 1:
        lines.append(f"only one label, {table['label'].iloc[0]}: a classifier needs two")
    for label, n in table.groupby("label")["recording"].nunique().items():
        if n < 3:
            lines.append(f"{count(n, 'recording')} with label {label}: recordings left out needs three (to train "
                         f"on, to choose the epoch by, to test on)")
    if table["subject"].nunique() == 1:
        return [*lines, f"only one person, {table['subject'].iloc[0]}: people cannot be left out"]
    people = table.groupby("label")["subject"].unique()
    return lines + [f"only one person with label {label}, {names[0]}: people cannot be left out"
                    for label, names in people.items() if len(names) == 1]


def _missing_states(table: pd.DataFrame) -> list[str]:
    states = table.groupby("subject")["label"].agg(set)
    if (states.map(len) == 1).all() and table["label"].nunique() > 1:
        return ["no person has two labels, so a model can learn the person in place of the label"]
    everything = set(table["label"])
    return [f"no recording of {subject} with label {', '.join(sorted(everything - have))}"
            for subject, have in states.items() if everything - have]


def write(trials: Trials, root) -> list[Path]:
    """Write recordings as ``<subject>-<label>-<session>.csv``, in exactly the layout that `read` reads.

    The description of the trials goes into ``DESCRIPTION.txt`` beside them, and `read` takes it from there.

    Parameters
    ----------
    trials : Trials
        With the five signals of a Muse. Samples are rounded to the converter's 4096 steps and clipped at
        its ends; time stamps are rounded to milliseconds.
    root : path
        Folder, made when missing. Files of the same name are replaced, each in one move.

    Returns
    -------
    list of Path
        The files, in the order of the trials.

    Raises
    ------
    DatasetError
        When signals are missing, names are not unique or not writable, or the folder holds other recordings.
    """
    root = Path(root)
    paths = [root / f"{row.subject}-{row.label}-{row.session}.csv" for row in trials.table.itertuples()]
    bad = [path.name for path in paths if identify(path, root) is None or paths.count(path) > 1]
    if bad:
        raise DatasetError(f"{root}: cannot name the recordings <subject>-<label>-<session>.csv, each once: "
                           f"{bad[0]}. Names may not hold '-' or '/'; two trials need different subject, "
                           f"label or session.")
    names = [*MUSE_CHANNELS, MUSE_AUX]
    missing = [name for name in names if name not in trials.info["ch_names"]]
    if missing:
        raise DatasetError(f"{root}: a Muse file needs the signals {', '.join(names)}; "
                           f"{', '.join(missing)} missing")
    picks = [trials.info["ch_names"].index(name) for name in names]
    prepare_folder(root, trials.description, files_below(root, ".csv")[0], paths)
    levels = np.array([f"{level * STEP_UV - 1000:.3f}" for level in range(4096)], dtype=object)
    for row, path in enumerate(paths):
        signal = trials.signals[row][picks]
        steps = np.rint((signal + 1000) / STEP_UV).clip(0, 4095).astype(int)
        stamps = trials.times[row] if trials.times else np.arange(signal.shape[1]) / trials.info["sfreq"]
        lines = [",".join((f"{stamp:.3f}", *values)) for stamp, values in zip(stamps, levels[steps].T)]
        save_text(path, "\n".join([",".join(["timestamps", *names]), *lines, ""]))
    return paths


def simulate(n_subjects: int = 3, *, n_recordings: int = 2, n_seconds: float = 20.0, effect: float = 1.0,
             random_state: int = 0) -> Trials:
    """Simulate people in three states; see `eegemo_utils.simulate.simulate_cohort` for the parameters."""
    return simulate_cohort(n_subjects, ("NEGATIVE", "NEUTRAL", "POSITIVE"), n_recordings, n_seconds, effect=effect,
                           random_state=random_state)
