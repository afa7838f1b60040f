"""What the corpora of Temple University Hospital share: trees of EDF files, channels picked by name, rates.

Files are named by their place: see `tuab` and `tuev`. Their signals are called ``EEG FP1-REF`` (or ``-LE``), come in
any order and among others (EKG, PHOTIC, IBI, BURSTS, SUPPR, ROC, LOC, numbers), at 250, 256, 400 or 512 samples a
second. Headers are made anonymous: a person is known by the file's name, never by the header.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils import montage as montages
from eegemo_utils.datasets.common import eeg_signal
from eegemo_utils.datasets.formats.edf import ANNOTATIONS, EdfHeader, read_edf, read_header, write_edf
from eegemo_utils.files import files_below, in_words
from eegemo_utils.montage import standard_name
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials

# The 23 electrodes of LaBraM, in its order (935963004/LaBraM, dataset_maker/make_TUAB.py, make_TUEV.py)
ELECTRODES = ("FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "A1",
              "A2", "FZ", "CZ", "PZ", "T1", "T2")
# The 22 pairs of the TCP montage; numbers 0-21 are the channels of .rec files
PAIRS = ("FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2", "A1-T3", "T3-C3", "C3-CZ", "CZ-C4",
         "C4-T4", "T4-A2", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2")
# Signals that LaBraM's scripts drop (make_TUAB.py:15-17); whatever else is there makes them skip a recording
DROPPED = {"PHOTIC-REF", "IBI", "BURSTS", "SUPPR", "EMG-REF", "RESP ABDOMEN-REF", "ECG EKG-REF", "PULSE RATE",
           *(f"EEG {name}-REF" for name in (
               "ROC", "LOC", "EKG1", "C3P", "C4P", "SP1", "SP2", "LUC", "RLC", "RESP1", "RESP2", "EKG", "PG1", "PG2",
               *range(20, 129)))}
MONTAGES = {"referential": ELECTRODES, "bipolar22": PAIRS, "bipolar16": PAIRS[:8] + PAIRS[14:]}
SFREQ = 200.0  # of all published scripts
SLOWEST, FASTEST = 150, 5000
RATES = (250, 256, 512)  # a mixture as in the corpora, for writing
EXTRAS = ("EEG EKG1-REF", "PHOTIC-REF", "IBI", "BURSTS", "SUPPR")
# recordings, annotations (.rec, .lab, .htk, .lbl, .csv and the _bi of both) and what the releases say of themselves
KINDS = (".edf", ".rec", ".lab", ".htk", ".lbl", ".lbl_bi", ".csv", ".csv_bi", ".txt", ".md", ".xlsx", ".list")
LABEL = re.compile(r"(?:EEG )?(.+?)(?:-(?:REF|LE))?", re.IGNORECASE)


@dataclass(frozen=True)
class Recording:
    """A file and what its place in the tree says; `label` is empty where events have labels of their own."""

    path: Path
    subject: str
    session: int
    trial: int
    split: str
    label: str = ""


# ---- the tree ----

@in_words
def walk(root: Path, name: str, parse: Callable[[str], tuple | None]) -> tuple[list[Recording], list[str]]:
    """Recordings under a folder, by person, session and trial, and EDF files whose place says nothing.

    Parameters
    ----------
    root : Path
    name : str
        Corpus, for the message.
    parse : callable
        Takes a path relative to `root` as text; gives subject, session, trial, split, label; or None.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder. Give the one of {name} that holds the folder edf.")
    recordings, ignored = [], []
    paths, faults = files_below(root, ".edf")
    if faults:
        raise DatasetError(faults[0])
    for path in paths:
        facts = parse(path.relative_to(root).as_posix())
        if facts is None:
            ignored.append(path.relative_to(root).as_posix())
        else:
            recordings.append(Recording(path, *facts))
    if not recordings:
        raise DatasetError(f"{root}: expected the EDF files of {name} in edf/train and edf/eval, found "
                           f"{len(ignored)} other EDF files. Give the folder that holds the folder edf.")
    recordings.sort(key=lambda recording: (recording.subject, recording.session, recording.trial))
    for one, other in zip(recordings, recordings[1:]):
        if (one.subject, one.session, one.trial) == (other.subject, other.session, other.trial):
            raise DatasetError(f"{root}: {one.path.relative_to(root)} and {other.path.relative_to(root)} are the same "
                               f"recording. Two releases in one folder? Give the folder of one.")
    return recordings, ignored


def strangers(root: Path) -> list[str]:
    """Files of no kind that the corpora have, by their place."""
    paths, _ = files_below(root, "")
    return [path.relative_to(root).as_posix() for path in paths if not path.name.lower().endswith(KINDS)]


def pick_channels(header: EdfHeader, montage: str) -> tuple[dict[str, str], list[str], list[str]]:
    """Labels of the electrodes a montage needs, by electrode; those missing; labels in another letter case."""
    wanted = dict.fromkeys(name for pair in MONTAGES[montage] for name in pair.split("-"))
    found: dict[str, list[str]] = {}
    for label in header.labels:
        name = LABEL.fullmatch(label)
        if name and name[1].upper() in wanted:
            found.setdefault(name[1].upper(), []).append(label)
    missing = [name for name in wanted if len(found.get(name, [])) != 1]
    labels = {name: found[name][0] for name in wanted if name not in missing}
    return labels, missing, [label for label in labels.values() if label != label.upper()]


def is_official(header: EdfHeader) -> bool:
    """Whether LaBraM's scripts take a recording: the 23 electrodes, spelt as in most files, and no unknown signal."""
    left = [label for label in header.labels if label not in DROPPED and label != ANNOTATIONS]
    return sorted(left) == sorted(f"EEG {name}-REF" for name in ELECTRODES)


def patient(header: EdfHeader) -> dict:
    """Age (years, NaN if not said) and sex ("F", "M", "X") from the header's patient field."""
    age = re.search(r"Age:(\d+(?:\.\d+)?)", header.patient)
    sex = re.search(r"(?:^| )([FM])(?: |$)", header.patient)
    return {"age": float(age[1]) if age else np.nan, "sex": sex[1] if sex else "X"}


# ---- signals ----

def make_info(montage: str, sfreq: float) -> mne.Info:
    """Channels of a montage, all EEG; a pair lies half-way between its electrodes. T1 and T2 have no position."""
    names = ["-".join(standard_name(part) for part in name.split("-")) for name in MONTAGES[montage]]
    info = mne.create_info(names, sfreq, "eeg")
    electrodes = montages.make_info(ELECTRODES, sfreq)["chs"]
    places = {electrode["ch_name"]: electrode["loc"][:3] for electrode in electrodes}
    for channel, name in zip(info["chs"], names):
        channel["loc"][:3] = np.mean([places[part] for part in name.split("-")], axis=0)
    return info


def load_signals(path: Path, labels: dict[str, str], montage: str, sfreq: float) -> tuple[np.ndarray, float]:
    """Channels of a montage at a common rate, (n_chans, n_times), float32, microvolt, and the file's own rate.

    Raises
    ------
    DatasetError
        When the file is damaged, too slow, not finite or not in microvolt.
    """
    values, rate = read_edf(path, list(labels.values()))
    if not SLOWEST <= rate <= FASTEST:
        raise DatasetError(f"{path}: expected {SLOWEST} to {FASTEST} samples a second, found {rate:g}. Get it again.")
    rows = {name: row for row, name in enumerate(labels)}
    parts = [name.split("-") for name in MONTAGES[montage]]
    signals = values[[rows[part[0]] for part in parts]]
    if montage != "referential":
        signals = signals - values[[rows[part[1]] for part in parts]]
    return eeg_signal(resample(signals, rate, sfreq), MONTAGES[montage], str(path)), rate


def resample(signals: np.ndarray, old: float, new: float) -> np.ndarray:
    """Signals at another rate, (n_chans, n_times * new / old)."""
    if old == new:
        return signals
    ratio = Fraction(new / old).limit_denominator(1000)
    return scipy.signal.resample_poly(signals, ratio.numerator, ratio.denominator, axis=1, padtype="line")


# ---- reading ----

def check_options(root, montage: str) -> None:
    """Raise for a montage that is not known."""
    if montage not in MONTAGES:
        raise DatasetError(f"{root}: no montage is called {montage!r}; there are {', '.join(MONTAGES)}")


def join(root: Path, parts: list[Trials], skipped: list[str], ignored: list[str], description: str) -> Trials:
    """One `Trials` of many; what was skipped is counted first, then named."""
    said = [f"{len(skipped)} of {len(parts)} recordings skipped"] * bool(skipped) + skipped
    said += [f"{len(ignored)} EDF files ignored, whose place names no recording: {', '.join(ignored)}"] * bool(ignored)
    said += [line for part in parts for line in part.decisions if line not in skipped]
    signals = [signal for part in parts for signal in part.signals]
    if not signals:
        raise DatasetError(f"{root}: no recording could be used. {' '.join(said)}")
    table = pd.concat([part.table for part in parts if len(part)], ignore_index=True)
    return Trials(signals, parts[0].info, table, None, description, tuple(said))


def header_of(recording: Recording, montage: str, shortest: float = 0.0) -> tuple[EdfHeader, dict, list[str], str]:
    """Header, labels by electrode, what was decided, and why the recording is skipped (empty if it is not)."""
    header = read_header(recording.path)
    labels, missing, odd = pick_channels(header, montage)
    name, reason = recording.path.name, ""
    if missing:
        reason = f"{name}: skipped, without (or with twice) the electrodes {', '.join(missing)}"
    elif fault := header.fault(labels.values()):
        reason = f"{name}: skipped, {fault.removeprefix(f'{recording.path}: ')}"
    elif header.seconds < shortest:
        reason = f"{name}: skipped, {header.seconds:g} s are shorter than one window of {shortest:g} s"
    said = [f"{name}: labels in another letter case read ({', '.join(odd[:3])}, ...)"] if odd else []
    if not odd and not reason and not is_official(header):
        said.append(f"{name}: read, though LaBraM's script skips it for the signals it has: {', '.join(header.labels)}")
    return header, labels, said, reason


def check_headers(found: list[Recording], report: Report, shortest: float = 0.0) -> list[Recording]:
    """Recordings that can be used with the 23 electrodes; faults and skips go into the report."""
    usable, skips, said, rates = [], [], [], Counter()
    for recording in found:
        try:
            header, labels, odd, reason = header_of(recording, "referential", shortest)
        except DatasetError as error:
            report.missing.append(f"fault: {error}")
            continue
        skips += [reason] * bool(reason)
        said += odd
        if not reason:
            usable.append(recording)
            rates[header.sfreq(labels["CZ"])] += 1
    report.found.append("samples a second: " + (", ".join(f"{rate:g} ({n} files)" for rate, n in sorted(rates.items()))
                                                or "no file can be used"))
    report.decisions += [f"{len(skips)} of {len(found)} recordings are skipped"] * bool(skips) + skips + said
    return usable


# ---- writing and simulation ----

def simulate_referential(plan: pd.DataFrame, description: str, **options) -> Trials:
    """Simulate a plan with the 23 electrodes at 200 Hz; T1 and T2 are near FT9 and FT10, and take their place."""
    stands_in = {"T1": "FT9", "T2": "FT10"}
    trials = simulate_trials(plan, ch_names=[stands_in.get(name, name) for name in ELECTRODES], sfreq=SFREQ,
                             description=description, **options)
    return Trials(trials.signals, make_info("referential", SFREQ), trials.table, description=trials.description)


def write_recording(path: Path, signals: np.ndarray, sfreq: float, rate: int, who: str, labels=None) -> Path:
    """Write the 23 electrodes and five extra signals as an EDF, resampled from `sfreq` to `rate`.

    Parameters
    ----------
    path : Path
        Its folder is made.
    signals : ndarray, shape (n_chans, n_seconds * sfreq)
        Microvolt.
    who : str
        Patient field.
    labels : sequence of str, optional
        Labels of the signals; by default those of the 23 electrodes.
    """
    values = resample(np.asarray(signals, dtype=np.float64), sfreq, rate)
    n_seconds = values.shape[1] // rate
    beats = 200.0 * (np.arange(n_seconds * rate) % rate < rate // 20)
    extras = [beats, np.zeros(n_seconds * rate), np.full(n_seconds, 0.8), np.zeros(n_seconds), np.zeros(n_seconds)]
    names = list(labels or [f"EEG {name}-REF" for name in ELECTRODES])
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_edf(path, [*values, *extras], [*names, *EXTRAS], [rate] * (len(names) + 2) + [1] * 3, patient=who)


def picks_of(trials: Trials, root: Path) -> list[int]:
    """Place of each of the 23 electrodes in trials that are to be written."""
    names = [standard_name(name) for name in trials.info["ch_names"]]
    missing = [name for name in ELECTRODES if standard_name(name) not in names]
    if missing:
        raise DatasetError(f"{root}: the files need the 23 electrodes {', '.join(ELECTRODES)}; missing: "
                           f"{', '.join(missing)}. Read with montage='referential'.")
    return [names.index(standard_name(name)) for name in ELECTRODES]
