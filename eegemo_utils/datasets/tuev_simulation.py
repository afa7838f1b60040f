"""A simulated corpus with the layout of TUEV, and its writer."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import tuh_files as tuh
from eegemo_utils.datasets.common import prepare_folder
from eegemo_utils.datasets.tuev_files import BEFORE_SECONDS, LABELS, WINDOW_SECONDS
from eegemo_utils.datasets.tuh_files import ELECTRODES, PAIRS, RATES
from eegemo_utils.trials import DatasetError, Trials

FELT = {"spsw": (-0.9, 0.5), "gped": (-0.6, 0.9), "pled": (-0.3, 0.6), "eyem": (0.3, -0.2), "artf": (0.8, 0.9),
        "bckg": (0.3, -0.9)}  # valence and arousal that stand for the kinds of events
N_ODDITIES = 4
EYEM = LABELS.index("eyem") + 1


def write(trials: Trials, root, oddities: bool = False) -> list[Path]:
    """Write recordings and their .rec files as release 2.0.1 has them, by turns at 250, 256 and 512 samples a second.

    Parameters
    ----------
    trials : Trials
        The 23 electrodes, 5 s a trial, the table of `read` (file, official, start, stop and wraps are not needed). The
        events of a session, one after the other, make a recording; rows of the same ``event`` are lines of it.
    root : path
        Folder, made when missing. Signals that every file has besides (EKG, PHOTIC, ...) are made up.
    oddities : bool
        Add recordings of one more person with the corpus's traps: one line only and that at the very end, labels in
        another letter case; an electrode is missing; no .rec; an event that starts after the end.

    Returns
    -------
    list of Path
        The EDF files.

    Raises
    ------
    DatasetError
        When the trials are not so, or the folder holds other recordings.
    """
    root, picks = Path(root), tuh.picks_of(trials, Path(root))
    width = int(WINDOW_SECONDS * trials.info["sfreq"])
    if {signal.shape[1] for signal in trials.signals} != {width} or not set(trials.table["label"]) <= set(LABELS):
        raise DatasetError(f"{root}: expected trials of {WINDOW_SECONDS:g} s with the labels {', '.join(LABELS)}")
    groups = dict(iter(trials.table.groupby(["subject", "session"], sort=False)))
    paths = [_place(root, *key, rows) for key, rows in groups.items()]
    first = root / "edf" / "train" / "simzzzzz"
    odd = [first / f"{first.name}_{99000000 + number}.edf" for number in range(N_ODDITIES)] if oddities else []
    prepare_folder(root, trials.description, set(root.rglob("*.edf")), [*paths, *odd])
    for place, (path, rows) in enumerate(zip(paths, groups.values())):
        _write_one(path, rows, trials, picks, RATES[place % 3])
    if oddities:
        signal = np.concatenate([trials.signals[0][picks]] * 2, axis=1)
        _write_oddities(odd, signal, trials.info["sfreq"])
    return [*paths, *odd]


def _place(root: Path, subject: str, session: int, rows: pd.DataFrame) -> Path:
    split = rows["split"].iloc[0]
    if split == "train" and re.fullmatch(r"[a-z]+|\d+", subject):
        return root / "edf" / "train" / subject / f"{subject}_{session:08d}.edf"
    if split == "eval" and re.fullmatch(r"\d+", subject):
        kind, number = rows["label"].value_counts().index[0], "" if session == 1 else session
        return root / "edf" / "eval" / subject / f"{kind}_{subject}_a_{number}.edf"
    raise DatasetError(f"{root}: cannot name a recording of {subject!r} in {split!r}: people in train are small "
                       f"letters or digits, in eval digits")


def _write_one(path: Path, rows: pd.DataFrame, trials: Trials, picks: list[int], rate: int) -> None:
    windows = {event: trials.signals[row][picks] for row, event in zip(rows.index, rows["event"])}
    starts = {event: WINDOW_SECONDS * place + BEFORE_SECONDS for place, event in enumerate(windows)}
    age, sex = rows[["age", "sex"]].iloc[0]
    who = f"{rows['subject'].iloc[0]} {sex} 01-JAN-0000 {rows['subject'].iloc[0]} Age:{age:g}"
    tuh.write_recording(path, np.concatenate(list(windows.values()), axis=1), trials.info["sfreq"], rate, who)
    save_events(path, [(PAIRS.index(row.pair), starts[row.event], starts[row.event] + 1, LABELS.index(row.label) + 1)
                       for row in rows.itertuples()])


def save_events(path: Path, events) -> None:
    """Write the .rec file beside an EDF; `events` are channel, start, stop, code."""
    lines = [f"{channel},{start:.1f},{stop:.1f},{code}\n" for channel, start, stop, code in events]
    tuh.save_text(path.with_suffix(".rec"), "".join(lines))


def _write_oddities(paths: list[Path], signal: np.ndarray, sfreq: float) -> None:
    """`signal` lasts 10 s."""
    labels = [f"EEG {name}-REF" for name in ELECTRODES]
    mixed = [label.replace("EEG FP", "EEG Fp").replace("Z-", "z-") for label in labels]
    who = "/aa F 01-JAN-0000 /aa Age:19"
    tuh.write_recording(paths[0], signal, sfreq, 250, who, mixed)
    save_events(paths[0], [(3, 9.0, 10.0, EYEM)])
    tuh.write_recording(paths[1], signal[:-1], sfreq, 256, who, labels[:-1])
    save_events(paths[1], [(3, 4.0, 5.0, EYEM)])
    tuh.write_recording(paths[2], signal, sfreq, 512, who)
    tuh.write_recording(paths[3], signal, sfreq, 250, who)
    save_events(paths[3], [(3, 4.0, 5.0, EYEM), (4, 12.0, 13.0, EYEM)])


def simulate(n_subjects: int = 4, *, n_events: int = 6, effect: float = 1.0, fingerprint: float = 1.0,
             random_state: int = 0) -> Trials:
    """A small corpus: a recording a person, with events of all kinds in turn; every fourth person is for evaluation.

    Parameters
    ----------
    n_subjects : int
    n_events : int
        Of each person; every third is marked in two channels, which makes two trials.
    effect, fingerprint : float
        See `simulate_trials`. Kinds of events differ in the sources that states change in other simulated data; they
        have no spikes.
    random_state : int

    Returns
    -------
    Trials
        With the table of `read`, at 200 Hz.
    """
    rows = [row for number in range(n_subjects) for row in _events_of_person(number, n_events)]
    plan = pd.DataFrame(rows).sort_values(["subject", "trial"], ignore_index=True)
    events = plan.drop_duplicates(["subject", "event"], ignore_index=True).assign(n_seconds=WINDOW_SECONDS)
    events["valence"], events["arousal"] = np.array([FELT[label] for label in events["label"]]).T
    recorded = tuh.simulate_referential(events, "simulated TUEV corpus", effect=effect, fingerprint=fingerprint,
                                        random_state=random_state)
    place = {(row.subject, row.event): row.Index for row in events.itertuples()}
    signals = [recorded.signals[place[row.subject, row.event]] for row in plan.itertuples()]
    groups = dict(iter(plan.groupby(["subject", "session"])))
    names = {key[0]: _place(Path(), *key, part).name for key, part in groups.items()}
    plan.insert(7, "file", plan["subject"].map(names))
    plan.insert(8, "official", True)
    return Trials(signals, recorded.info, plan, description=recorded.description)


def _events_of_person(number: int, n_events: int) -> list[dict]:
    is_eval = number % 4 == 3
    subject = f"{number // 4:03d}" if is_eval else f"simaa{chr(97 + number // 26)}{chr(97 + number % 26)}a"
    rows = []
    for event in range(1, n_events + 1):
        for copy in range(1 + (event % 3 == 1)):
            rows.append({
                "subject": subject, "session": 1, "trial": len(rows) + 1,
                "label": LABELS[(number + event) % len(LABELS)],
                "split": "eval" if is_eval else "train", "age": 20.0 + number, "sex": "FM"[number % 2],
                "pair": PAIRS[(event + 5 * copy) % len(PAIRS)], "start": WINDOW_SECONDS * (event - 1) + BEFORE_SECONDS,
                "stop": WINDOW_SECONDS * (event - 1) + BEFORE_SECONDS + 1, "event": event, "wraps": False})
    return rows
