"""MoBI: 8 people walk on a treadmill, three trials each, with and without closed-loop control of an avatar's leg.

He, Luu, Nathan, Nakagome & Contreras-Vidal 2018, Scientific Data 5:180074. A regression: EEG to joint angles.

Layout. Folders ``SL01-T01`` ... ``SL08-T03`` in ``RepositoryData``, each with six text files (CR LF): ``eeg.txt``
(``64 channels``, then rows: seconds, 64 values in microvolt, a tab at the end), ``joints.txt`` (12 names in brackets,
``Joint Factor``, then rows: seconds, 12 angles in degrees), ``conductor.txt`` (what happened when),
``impedances-before.txt``, ``impedances-after.txt`` (the names of the signals, in their order), ``digitizer.bvct``.

The targets stand in the same signals as the EEG, as ``misc`` channels: ``MEASURED``, the goniometers of hip, knee and
ankle, right then left, and ``PREDICTED``, the same as the decoder gave them. Their unit is degrees (LaBraM divides by
90), although `Trials` says microvolt; ``Trials.raw`` scales them with all the rest.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- names come from the impedance table, in its order; channels are given in one order for all recordings;
- the plugs T7 and T8 sit at FCz and AFz, and are called so; TP9, TP10, FT9, FT10 are eye channels (``eog``). 60
  electrodes remain;
- rows of eeg.txt and joints.txt must have the same time stamps, 100 a second; steps of more than 15 ms are counted;
- joints that never move are named: the closed loop drove the right leg only;
- positions are those of the template, not of digitizer.bvct; other files and folders are ignored, by name;
- channels without signal, EEG too small or large for microvolt, and recordings with the same signals are named.

Traps. Standing, walking and closed loop are told apart by `read_events` (conductor.txt), not by fixed times. Signals
are cut off at -3276.8 and 3276.7 microvolt: column ``clipped``. Walking itself moves cables, at the frequency of the
steps: what predicts the joints need not come from the brain.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.access import in_words
from eegemo_utils.datasets import mobi_files as files
from eegemo_utils.datasets.common import DESCRIPTION, eeg_signal, pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.mobi_files import (
    ELECTRODES,
    EYES,
    JOINTS,
    LABEL,
    MEASURED,
    MOVED,
    N_SUBJECTS,
    N_TRIALS,
    PLUGS,
    PREDICTED,
    SFREQ,
    make_info,
)
from eegemo_utils.datasets.mobi_simulation import simulate
from eegemo_utils.datasets.plausible import Survey, others_ignored
from eegemo_utils.trials import DatasetError, Report, Trials

__all__ = ["FACTS", "MEASURED", "PREDICTED", "WINDOWS", "check", "read", "read_events", "simulate", "write"]

FACTS = {
    "name": "mobi",
    "title": "MoBI, treadmill walking with a brain-computer interface (8 people, 3 trials)",
    "licence": "open; CC BY 4.0 or CC0: see the figshare page",
    "source": "figshare, linked from doi 10.1038/sdata.2018.74",
    "channels": ", ".join(ELECTRODES),
    "sfreq": SFREQ,
    "labels": "12 joint angles in degrees (regression): " + ", ".join(JOINTS),
    "folders": ("mobi", "MoBI", "RepositoryData"),
    "papers": "labram",
}
FOLDER = re.compile(rf"(SL0[1-{N_SUBJECTS}])-T(0[1-{N_TRIALS}])")
# LaBraM, section 3.1 and appendix F: windows of 2 s, every 50 ms, of the walking and the closed loop
WINDOW_SECONDS, STRIDE_SECONDS, WINDOWS = 2.0, 0.05, 575830
GAP_SECONDS = 0.015


# ---- reading ----

def read(root, subjects=None) -> Trials:
    """Read people, one recording after the other.

    Parameters
    ----------
    root : path
        Folder ``RepositoryData``, or the one that holds it.
    subjects : list of str, optional
        Such as ["SL01"]; only their folders are opened.

    Returns
    -------
    Trials
        60 electrodes and 4 eye channels in microvolt, 12 joints (misc) in degrees; time stamps of the file. Table:
        subject, session (1), trial (1-3), label ("walking"), recording ("SL01-T01"), seconds, n_gaps, clipped (share of
        EEG samples at the converter's ends).

    Raises
    ------
    DatasetError
        When there is no folder, a person is unknown, or a file is missing or faulty: says which file and line.
    """
    root = Path(root)
    folders, others = _find(root)
    description, _ = read_description(root, f"MoBI in {root.name}")
    signals, times, rows, decisions, survey = [], [], [], _general(), Survey(ELECTRODES, SFREQ)
    for subject in pick_subjects(root, sorted({name[:4] for name in folders}), subjects):
        for name, folder in folders.items():
            if name.startswith(subject):
                signal, stamps, row, said = _load(name, folder)
                survey.add(name, [signal[: len(ELECTRODES)]], str(folder / files.EEG))
                signals.append(signal)
                times.append(stamps)
                rows.append(row)
                decisions += said
    decisions += [*survey.said, *survey.copies(), *others_ignored(others)]
    return Trials(signals, make_info(), pd.DataFrame(rows), times, description, tuple(decisions))


def read_events(root, subjects=None) -> pd.DataFrame:
    """What happened when: subject, trial, time (seconds, on the signals' clock), event (text), of all conductor.txt.

    Raises
    ------
    DatasetError
        As `read`.
    """
    root = Path(root)
    folders, _ = _find(root)
    chosen = pick_subjects(root, sorted({name[:4] for name in folders}), subjects)
    tables = []
    for name, folder in folders.items():
        if name[:4] in chosen:
            tables.append(files.load_events(folder / files.EVENTS))
            tables[-1].insert(0, "subject", name[:4])
            tables[-1].insert(1, "trial", int(name[6:]))
    return pd.concat(tables, ignore_index=True)


@in_words
def _find(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Folders of recordings by name, and what else lies there and in them."""
    place = root / "RepositoryData" if (root / "RepositoryData").is_dir() else root
    paths = [path for path in sorted(place.iterdir()) if path.name[0] != "."] if place.is_dir() else []
    folders = {path.name: path for path in paths if path.is_dir() and FOLDER.fullmatch(path.name)}
    if not folders:
        raise DatasetError(f"{root}: expected folders SL01-T01 to SL08-T03 with {', '.join(files.FILES)}, found none. "
                           f"Get them from {FACTS['source']}, and give the folder they lie in.")
    others = [path.name for path in paths if path.name not in (*folders, DESCRIPTION)]
    return folders, others + [f"{name}/{path.name}" for name, folder in folders.items()
                              for path in sorted(folder.iterdir())
                              if path.name not in files.FILES and path.name[0] != "."]


@in_words
def _load(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray, dict, list[str]]:
    """Signals (76, n_times), stamps, table row and decisions of a recording."""
    plugs, said = _plugs(name, folder)
    stamps, values = files.load_eeg(folder / files.EEG)
    joint_stamps, angles = files.load_joints(folder / files.JOINT)
    if len(stamps) != len(joint_stamps) or not np.allclose(stamps, joint_stamps, rtol=0, atol=5e-4):
        where = f"{len(stamps)} and {len(joint_stamps)} rows"
        if len(stamps) == len(joint_stamps):
            where = f"other ones from row {int(np.argmax(np.abs(stamps - joint_stamps) > 5e-4)) + 1} on"
        raise DatasetError(f"{folder / files.JOINT}: expected the time stamps of {files.EEG}, found {where}. Get both "
                           f"files again.")
    values = values[[plugs.index(plug) for plug in (*(p for p in PLUGS if p not in EYES), *EYES)]]
    eeg = eeg_signal(values[: len(ELECTRODES)], ELECTRODES, str(folder / files.EEG))
    clipped = float(((eeg <= files.LOW_RAIL + 0.05) | (eeg >= files.HIGH_RAIL - 0.05)).mean())
    still = [joint for joint, angle in zip(JOINTS, angles) if not np.ptp(angle)]
    gaps = int((np.diff(stamps) > GAP_SECONDS).sum())
    said += [f"{name}: {', '.join(still)} never move"] * bool(still)
    said += [f"{name}: {gaps} steps of more than {1000 * GAP_SECONDS:.0f} ms: samples kept as they are"] * bool(gaps)
    said += [f"{name}: {clipped:.2%} of the EEG at the converter's ends"] * bool(clipped)
    match = FOLDER.fullmatch(name)
    row = {"subject": match[1], "session": 1, "trial": int(match[2]), "label": LABEL, "recording": name,
           "seconds": round(float(stamps[-1] - stamps[0]), 3), "n_gaps": gaps, "clipped": clipped}
    return np.concatenate([values, angles]), stamps, row, said


def _plugs(name: str, folder: Path) -> tuple[list[str], list[str]]:
    """Names of the signals in their order; the two tables must agree."""
    present = [folder / file for file in files.IMPEDANCES if (folder / file).is_file()]
    if not present:
        raise DatasetError(f"{folder / files.IMPEDANCES[0]}: no such file, nor {files.IMPEDANCES[1]}: the names of the "
                           f"signals are only there. Get the folder again.")
    tables = [files.load_impedances(path) for path in present]
    if len(tables) == 2 and list(tables[0]) != list(tables[1]):
        raise DatasetError(f"{present[1]}: expected the names of {present[0].name} in the same order, found another "
                           f"one. Get the folder again.")
    said = [f"{name}: {file} is missing" for file in files.FILES if not (folder / file).is_file()
            and file not in (files.EEG, files.JOINT)]
    digitizer = folder / files.DIGITIZER
    fault = files.fault_of_digitizer(digitizer) if digitizer.is_file() else ""
    said += [f"{name}: {files.DIGITIZER} {fault}: not needed"] * bool(fault)
    said += [f"{name}: signals in another order than the cap's, put in order"] * (list(tables[0]) != list(PLUGS))
    return list(tables[0]), said


def _general() -> list[str]:
    moved = ", ".join(f"{plug} is {name}" for plug, name in (MOVED | EYES).items())
    return [f"plugs that sit elsewhere than they are called: {moved}",
            "joints as misc channels, in degrees; positions of the template"]


def check(root) -> Report:
    """Say which recordings a folder holds, what is missing or damaged and what `read` does. Raises nothing."""
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        folders, others = _find(root)
        report.found.append(read_description(root, f"MoBI in {root.name}")[0])
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    report.decisions = _general()
    faults, survey = [], Survey(ELECTRODES, SFREQ)
    for name, folder in folders.items():
        try:
            signal, _, row, said = _load(name, folder)
            survey.add(name, [signal[: len(ELECTRODES)]], str(folder / files.EEG))
            n_events = len(files.load_events(folder / files.EVENTS)) if (folder / files.EVENTS).is_file() else 0
        except DatasetError as error:
            faults.append(f"fault: {error}")
            continue
        report.found.append(f"{name}: {row['seconds']:.1f} s, {n_events} events, {_unmeasured(folder)}")
        report.decisions += said
    expected = [f"SL{subject:02d}-T{trial:02d}" for subject in range(1, N_SUBJECTS + 1)
                for trial in range(1, N_TRIALS + 1)]
    absent = [name for name in expected if name not in folders]
    report.missing = faults + survey.copies() + [f"no folder {', '.join(absent)}"] * bool(absent)
    report.found += survey.alpha()
    report.decisions += [*survey.said, *others_ignored(others)]
    report.ok = not faults
    return report


def _unmeasured(folder: Path) -> str:
    path = next(folder / file for file in files.IMPEDANCES if (folder / file).is_file())
    names = [plug for plug, value in files.load_impedances(path).items() if np.isnan(value)]
    return f"impedance of {', '.join(names) or 'no plug'} not measured"


# ---- writing ----

def write(trials: Trials, root) -> list[Path]:
    """Write recordings as ``RepositoryData/SL01-T01/`` ... with all six files.

    Parameters
    ----------
    trials : Trials
        The 76 channels of `make_info` at 100 Hz; EEG is rounded to 0.1 microvolt and cut off at the converter's ends.
        People SL01-SL08, trials 1-3. What signals do not tell (events, impedances) is made up.
    root : path
        Folder, made when missing.

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials are not so, or the folder holds other recordings.
    """
    root = Path(root)
    names = [f"{row.subject}-T{row.trial:02d}" for row in trials.table.itertuples()]
    missing = [name for name in make_info()["ch_names"] if name not in trials.info["ch_names"]]
    bad = [name for name in names if not FOLDER.fullmatch(name) or names.count(name) > 1]
    if missing or bad or trials.info["sfreq"] != SFREQ:
        raise DatasetError(f"{root}: a recording of MoBI has 60 electrodes, 4 eye channels and 12 joints at 100 Hz, "
                           f"and is called SL01-T01; found {trials.info['sfreq']:g} Hz, missing channels: "
                           f"{', '.join(missing) or 'none'}, other names: {', '.join(bad) or 'none'}")
    place = root / "RepositoryData"
    prepare_folder(root, trials.description, [*root.glob("SL*-T*"), *place.glob("SL*-T*")],
                   [place / name for name in names])
    return [path for row, name in enumerate(names) for path in _write_one(place / name, trials, row)]


def _write_one(folder: Path, trials: Trials, row: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    channels, signal = trials.info["ch_names"], trials.signals[row].astype(np.float64)
    stamps = np.arange(signal.shape[1]) / SFREQ if trials.times is None else trials.times[row]
    of_plug = {plug: (MOVED | EYES).get(plug, plug) for plug in PLUGS}
    eeg = signal[[channels.index(name) for name in of_plug.values()]].clip(files.LOW_RAIL, files.HIGH_RAIL)
    angles = signal[[channels.index(name) for name in JOINTS]]
    places = {plug: trials.info["chs"][channels.index(name)]["loc"][:3] for plug, name in of_plug.items()
              if plug not in EYES}
    impedances = 5.0 + np.arange(len(PLUGS)) % 20
    impedances[PLUGS.index("PO9")] = np.nan
    events = ["Time\tEvent", "", *(f"{stamps[0] + share * (stamps[-1] - stamps[0]):.3f}\t{text}" for share, text in
                                   ((0, "standing"), (0.1, "walking"), (0.75, "closed loop"), (0.95, "standing")))]
    factors = "Joint Factor: " + " ".join(["1"] * len(JOINTS))
    return [files.save_table(folder / files.EEG, [files.FIRST_LINE], stamps, eeg, 1),
            files.save_table(folder / files.JOINT, [f"6 joints ({' '.join(JOINTS)})", factors], stamps, angles, 3),
            files.save_lines(folder / files.EVENTS, events),
            files.save_digitizer(folder / files.DIGITIZER, places),
            *(files.save_impedances(folder / file, impedances) for file in files.IMPEDANCES)]
