"""TUEV, the TUH EEG Events Corpus: 518 recordings with events of six kinds (Harati et al. 2015; Obeid & Picone 2016).

Layout, releases 2.0.0 and 2.0.1; beside each .edf a .rec of the same name (.htk and .lab files are ignored)::

    edf/train/aaaaaaar/aaaaaaar_00000001.edf
    edf/eval/000/bckg_000_a_.edf, edf/eval/001/pled_001_a_2.edf

A .rec has no header and a line for each event and channel: ``channel,start,stop,code``, seconds; the channel is a
number of the 22-pair TCP montage (0 is FP1-F7), not one of the EDF's signals; codes 1-6 are `LABELS`.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- a line of a .rec is a trial, as in the released script (935963004/LaBraM, dataset_maker/make_TUEV.py): 5 s, from 2 s
  before the event's start. An event is marked in many channels, so many trials hold the same samples: those have the
  same number in the column ``event``, and ``~table.duplicated(["file", "event"])`` keeps each once;
- windows of different events may overlap: trials that share samples, also through others, have the same number in the
  column ``group``, which splits never tear apart (a whole recording may be one group);
- a window that reaches beyond the recording goes on at its other end, as in that script; column ``wraps``. At the very
  end, where the script stops with an error, too;
- events that do not last 1 s, for which the script has no room, get the same 5 s; events that start after the
  recording's end are dropped;
- channels, rates, letter case and the column ``official`` as in TUAB; recordings without one of the electrodes (or
  with one whose limits in the header cannot be), without .rec or without events are skipped, counted and named.

`recordings` goes through the corpus without reading, `load` reads one file, `read` some people. Traps: in eval one
person may have files of several classes; the scripts' split depends on Python's hash seed.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import tuh_files as tuh
from eegemo_utils.datasets.common import pick_subjects, read_description
from eegemo_utils.datasets.formats.edf import read_header
from eegemo_utils.datasets.plausible import others_ignored
from eegemo_utils.datasets.tuev_files import (
    BEFORE_SECONDS,
    LABELS,
    WINDOW_SECONDS,
    cut_off,
    groups_of,
    read_events,
)
from eegemo_utils.datasets.tuev_simulation import simulate, write
from eegemo_utils.datasets.tuh_files import ELECTRODES, PAIRS, SFREQ, Recording
from eegemo_utils.files import in_words
from eegemo_utils.trials import DatasetError, Report, Trials

__all__ = ["CBRAMOD_WINDOWS", "COUNTS", "FACTS", "WINDOWS", "check", "load", "read", "read_events", "recordings",
           "simulate", "write"]

FACTS = {
    "name": "tuev",
    "title": "TUEV, TUH EEG Events Corpus (releases 2.0.0 and 2.0.1)",
    "licence": "signed form; use is free, also commercial; data and password not to be passed on",
    "source": "isip.piconepress.com/projects/nedc: form by mail, then rsync",
    "channels": ", ".join(ELECTRODES),
    "sfreq": SFREQ,
    "labels": "spsw, gped, pled, eyem, artf, bckg",
    "folders": ("tuev", "TUEV", "tuh_eeg_events"),
    "papers": "labram",
}
COUNTS = {"train": 359, "eval": 159}  # recordings (braindecode, datasets/tuh.py)
WINDOWS = 112491  # LaBraM, section 3.1
# wjq-learning/CBraMod, preprocessing/README.md, by release
CBRAMOD_WINDOWS = {"2.0.0": {"train": 67436, "val": 15634, "test": 29421},
                   "2.0.1": {"train": 68445, "val": 15487, "test": 29421}}
TRAIN = re.compile(r"(?:.*/)?train/(?:.*/)?([a-z]+|\d+)_(\d+)\.edf")
EVAL = re.compile(r"(?:.*/)?eval/(?:.*/)?([a-z]+)_(\d+)_a_(\d*)\.edf")
COLUMNS = ["subject", "session", "trial", "label", "split", "age", "sex", "file", "official", "pair", "start", "stop",
           "event", "group", "wraps"]


def _parse(place: str) -> tuple | None:
    if match := TRAIN.fullmatch(place):
        return match[1], int(match[2]), 1, "train", ""
    if match := EVAL.fullmatch(place):
        return match[2], int(match[3] or 0), LABELS.index(match[1]) + 1 if match[1] in LABELS else 7, "eval", ""
    return None


def _walk(root: Path) -> tuple[list[Recording], list[str]]:
    """Recordings, a person's numbered from 1 in the order of their names."""
    found, ignored = tuh.walk(root, "TUEV", _parse)
    before: Counter = Counter()
    for place, recording in enumerate(found):
        before[recording.subject] += 1
        found[place] = replace(recording, session=before[recording.subject], trial=1)
    return found, ignored


# ---- reading ----

def recordings(root, subjects=None) -> Iterator[Recording]:
    """All recordings by person; nothing but names is read.

    Parameters
    ----------
    root : path
        The folder that holds ``edf``.
    subjects : list of str, optional
        Such as ["aaaaaaar", "000"].

    Yields
    ------
    Recording
        path, subject, session (1, 2, ...: the person's recordings by name), split ("train", "eval").

    Raises
    ------
    DatasetError
        When there is no recording, one is there twice, or a person is unknown.
    """
    found, _ = _walk(Path(root))
    chosen = set(pick_subjects(root, sorted({recording.subject for recording in found}), subjects))
    return iter([recording for recording in found if recording.subject in chosen])


def load(recording: Recording, montage: str = "referential", sfreq: float = SFREQ, prepare=None) -> Trials:
    """Read the events of one recording.

    Parameters
    ----------
    recording : Recording
    montage : str
        "referential" (23 electrodes), "bipolar16" or "bipolar22".
    sfreq : float
        Samples a second after resampling.
    prepare : callable, optional
        What is done to the whole recording before its events are cut, such as filters, whose edges would fill 5 s:
        prepare(signals, sfreq) gives signals at sfreq again.

    Returns
    -------
    Trials
        A trial a line of the .rec, with the table of `read`; or none, with the reason in its decisions. Trials of one
        ``event`` share their memory.

    Raises
    ------
    DatasetError
        When a file is damaged, not finite, not in microvolt or too slow.
    """
    tuh.check_options(recording.path, montage)
    header, labels, said, reason = tuh.header_of(recording, montage)
    info = tuh.make_info(montage, sfreq)
    if not reason:
        events, more, reason = _events_of(recording, header.seconds)
    if reason:
        return Trials([], info, pd.DataFrame(columns=COLUMNS), decisions=(reason,))
    signals, _ = tuh.load_signals(recording.path, labels, montage, sfreq)
    signals = prepare(signals, sfreq) if prepare else signals
    table = _table(recording, events, tuh.patient(header))
    table.insert(COLUMNS.index("official"), "official", tuh.is_official(header))
    windows, table = _cut(signals, table, sfreq)
    n_beyond = int(table["wraps"].sum())
    name = recording.path.name
    said += more + [f"{name}: {n_beyond} window(s) beyond its ends go on at the other end"] * bool(n_beyond)
    return Trials(windows, info, table, None, f"TUEV, {name}", tuple(said))


@in_words
def _events_of(recording: Recording, seconds: float) -> tuple[pd.DataFrame | None, list[str], str]:
    """Events that start within the recording, what was decided, and why there are none."""
    name, path = recording.path.name, recording.path.with_suffix(".rec")
    if not path.is_file():
        return None, [], f"{name}: skipped, there is no {path.name}"
    events = read_events(path)
    late = events["start"] >= seconds
    if late.all():
        return None, [], f"{name}: skipped, {path.name} has no event within its {seconds:g} s"
    odd = ~np.isclose(events["stop"] - events["start"], 1, atol=0.01)
    said = [f"{path.name}: ends within a line: events may be missing"] * cut_off(path)
    said += [f"{name}: {late.sum()} event(s) after its end dropped"] * bool(late.any())
    said += [f"{name}: {odd.sum()} event(s) not of 1 s: 5 s from 2 s before their start"] * bool(odd.any())
    return events[~late].reset_index(drop=True), said, ""


def _table(recording: Recording, events: pd.DataFrame, who: dict) -> pd.DataFrame:
    table = pd.DataFrame({"subject": recording.subject, "session": recording.session,
                          "trial": np.arange(1, len(events) + 1),
                          "label": [LABELS[code - 1] for code in events["code"]], "split": recording.split, **who,
                          "file": recording.path.name,
                          "pair": [PAIRS[number] if number < len(PAIRS) else "" for number in events["channel"]],
                          "start": events["start"], "stop": events["stop"]})
    same, _ = pd.factorize(pd.MultiIndex.from_frame(events[["start", "stop", "code"]]))
    return table.assign(event=same + 1)


def _cut(signals: np.ndarray, table: pd.DataFrame, sfreq: float) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Window of each row, shared by rows of one event, and the table with its group and whether it wraps around."""
    n_times, width, windows = signals.shape[1], int(WINDOW_SECONDS * sfreq), {}
    firsts = np.ceil(table["start"].to_numpy() * sfreq - 1e-6).astype(int) - int(BEFORE_SECONDS * sfreq)
    for event, first in zip(table["event"], firsts):
        if event not in windows:
            windows[event] = signals[:, np.arange(first, first + width) % n_times]
    return [windows[event] for event in table["event"]], table.assign(
        group=groups_of(firsts, width, n_times), wraps=(firsts < 0) | (firsts + width > n_times))


def read(root, subjects=None, montage: str = "referential", sfreq: float = SFREQ) -> Trials:
    """Read the events of some people, or all.

    Parameters
    ----------
    root, subjects
        See `recordings`.
    montage, sfreq
        See `load`.

    Returns
    -------
    Trials
        Microvolt, 5 s each. Table: subject, session (the person's recording), trial (the line of its .rec that is
        used), label (one of LABELS), split ("train", "eval"), age, sex, file, official, pair (such as "FP1-F7"), start,
        stop (seconds), event (the same for lines of one event), group (the same for windows that share samples), wraps.

    Raises
    ------
    DatasetError
        As `recordings` and `load`; and when all recordings are skipped.
    """
    root = Path(root)
    tuh.check_options(root, montage)
    parts = [load(recording, montage, sfreq) for recording in recordings(root, subjects)]
    skipped = [part.decisions[0] for part in parts if not len(part)]
    description, _ = read_description(root, f"TUEV in {root.name}")
    return tuh.join(root, parts, skipped, _walk(root)[1], description)


def check(root) -> Report:
    """Say what a folder holds by names, headers and .rec files, and what `read` does. Raises nothing."""
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        found, ignored = _walk(root)
        report.found.append(read_description(root, f"TUEV in {root.name}")[0])
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    counts, codes = Counter(recording.split for recording in found), Counter()
    report.found.append(", ".join(f"{count} recordings in {split}" for split, count in counts.items()))
    if counts != COUNTS:
        report.missing.append(f"release 2.0.1 has {COUNTS['train']} recordings in train, {COUNTS['eval']} in eval")
    usable = 0
    for recording in tuh.check_headers(found, report):
        try:
            events, said, reason = _events_of(recording, read_header(recording.path).seconds)
        except DatasetError as error:
            report.missing.append(f"fault: {error}")
            continue
        report.decisions += said + [reason] * bool(reason)
        usable += not reason
        codes.update(LABELS[code - 1] for code in ([] if reason else events["code"]))
    report.found.append("events: " + ", ".join(f"{codes[label]} {label}" for label in LABELS))
    report.decisions += others_ignored(ignored + tuh.strangers(root))
    report.ok = bool(usable) and not any("fault: " in line for line in report.missing)
    return report
