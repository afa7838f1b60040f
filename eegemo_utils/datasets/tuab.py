"""TUAB, the TUH Abnormal EEG Corpus: 2993 recordings, normal or abnormal (Lopez de Diego 2017; Obeid & Picone 2016).

Layout, release 3.0.1 (flat) and 2.0.0 (a folder a person and visit)::

    edf/{train,eval}/{normal,abnormal}/01_tcp_ar/aaaaamye_s001_t000.edf
    edf/train/normal/01_tcp_ar/078/00007871/s001_2011_07_05/00007871_s001_t001.edf

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- channels are picked by name, in the order of LaBraM: 23 electrodes ("referential"), or 16 or 22 differences of them;
- recordings that lack one of these electrodes, or have one whose limits in the header cannot be (others may: IBI,
  BURSTS), are skipped, counted and named. The released script skips those that lack one as well, and
  also those with other spellings or with signals it does not know (935963004/LaBraM, dataset_maker/make_TUAB.py:61-74):
  these are read and named, and the column ``official`` tells which it takes;
- recordings shorter than one window of 10 s are skipped;
- labels in another letter case are read; other signals (EKG, PHOTIC, ...) are dropped;
- rates differ from file to file: all are resampled to 200 Hz;
- EDF files elsewhere in the folder are ignored.

The corpus is large (about 66 GB as read): `recordings` goes through it without reading, `load` reads one file, and
`read` some people. Traps: the scripts split normal and abnormal people apart and without a seed, so that a person may
be in training and validation; the header's patient field is anonymous, and is never taken for the person.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from eegemo_utils.datasets import tuh_files as tuh
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.plausible import others_ignored
from eegemo_utils.datasets.tuh_files import ELECTRODES, RATES, SFREQ, Recording
from eegemo_utils.trials import DatasetError, Report, Trials

FACTS = {
    "name": "tuab",
    "title": "TUAB, TUH Abnormal EEG Corpus (releases 2.0.0 to 3.0.1)",
    "licence": "signed form; use is free, also commercial; data and password not to be passed on",
    "source": "isip.piconepress.com/projects/nedc: form by mail, then rsync",
    "channels": ", ".join(ELECTRODES),
    "sfreq": SFREQ,
    "labels": "normal, abnormal",
    "folders": ("tuab", "TUAB", "tuh_eeg_abnormal"),
    "papers": "labram",
}
LABELS = ("normal", "abnormal")
SPLITS = ("train", "eval")
# Release 3.0.1 (braindecode, datasets/tuh.py)
COUNTS = {("train", "normal"): 1371, ("train", "abnormal"): 1346, ("eval", "normal"): 150, ("eval", "abnormal"): 126}
WINDOW_SECONDS = 10.0
WINDOWS = 409455  # of all recordings together, LaBraM, section 3.1
CBRAMOD_WINDOWS = {"train": 297103, "val": 75407, "test": 36945}  # wjq-learning/CBraMod, preprocessing/README.md
# Recordings for which the released script fails (935963004/LaBraM#45)
KNOWN_SKIPS = ("aaaaakfo_s004_t000", "aaaaakfo_s005_t000", "aaaaajsl_s010_t000")
PLACE = re.compile(r"(?:.*/)?(train|eval)/(normal|abnormal)/(?:.*/)?([a-z]+|\d+)_s(\d+)_t(\d+)\.edf")
FOLDER = "edf/{split}/{label}/01_tcp_ar/{subject}_s{session:03d}_t{token:03d}.edf"
N_ODDITIES = 3


def _parse(place: str) -> tuple | None:
    match = PLACE.fullmatch(place)
    if not match:
        return None
    split, label, subject, session, token = match.groups()
    return subject, int(session), int(token) + 1, split, label


# ---- reading ----

def recordings(root, subjects=None) -> Iterator[Recording]:
    """All recordings by person, visit and part; nothing but names is read.

    Parameters
    ----------
    root : path
        The folder that holds ``edf``.
    subjects : list of str, optional
        Such as ["aaaaamye"].

    Yields
    ------
    Recording
        path, subject, session (the visit), trial (number in the file's name plus 1), split ("train", "eval"), label.

    Raises
    ------
    DatasetError
        When there is no recording, one is there twice, or a person is unknown.
    """
    found, _ = tuh.walk(Path(root), "TUAB", _parse)
    chosen = set(pick_subjects(root, sorted({recording.subject for recording in found}), subjects))
    return iter([recording for recording in found if recording.subject in chosen])


def load(recording: Recording, montage: str = "referential", sfreq: float = SFREQ) -> Trials:
    """Read one recording.

    Parameters
    ----------
    recording : Recording
    montage : str
        "referential" (23 electrodes), "bipolar16" or "bipolar22".
    sfreq : float
        Samples a second after resampling.

    Returns
    -------
    Trials
        One trial with the table of `read`; or none, with the reason in its decisions.

    Raises
    ------
    DatasetError
        When the file is damaged, not finite, not in microvolt or too slow.
    """
    tuh.check_options(recording.path, montage)
    header, labels, said, reason = tuh.header_of(recording, montage, WINDOW_SECONDS)
    row = {"subject": recording.subject, "session": recording.session, "trial": recording.trial,
           "label": recording.label, "split": recording.split, **tuh.patient(header), "file": recording.path.name,
           "official": tuh.is_official(header)}
    table = pd.DataFrame([row | {"file_sfreq": 0.0, "n_windows": int(header.seconds // WINDOW_SECONDS)}])
    info = tuh.make_info(montage, sfreq)
    if reason:
        return Trials([], info, table[:0], decisions=(reason,))
    signals, table["file_sfreq"] = tuh.load_signals(recording.path, labels, montage, sfreq)
    return Trials([signals], info, table, description=f"TUAB, {recording.path.name}", decisions=tuple(said))


def read(root, subjects=None, montage: str = "referential", sfreq: float = SFREQ) -> Trials:
    """Read the recordings of some people, or all: see `recordings` and `load` for a corpus that does not fit.

    Parameters
    ----------
    root, subjects
        See `recordings`.
    montage, sfreq
        See `load`.

    Returns
    -------
    Trials
        Microvolt. Table: subject, session, trial, label ("normal", "abnormal"), split ("train", "eval"), age (years),
        sex, file, official, file_sfreq (before resampling), n_windows (of 10 s).

    Raises
    ------
    DatasetError
        As `recordings` and `load`; and when all recordings are skipped.
    """
    root = Path(root)
    tuh.check_options(root, montage)
    parts = [load(recording, montage, sfreq) for recording in recordings(root, subjects)]
    skipped = [part.decisions[0] for part in parts if not len(part)]
    description, _ = read_description(root, f"TUAB in {root.name}")
    return tuh.join(root, parts, skipped, tuh.walk(root, "TUAB", _parse)[1], description)


def check(root) -> Report:
    """Say what a folder holds by its names and headers (signals are not read), and what `read` does. Raises nothing."""
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        found, ignored = tuh.walk(root, "TUAB", _parse)
        report.found.append(read_description(root, f"TUAB in {root.name}")[0])
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    counts, people = Counter((one.split, one.label) for one in found), {one.subject for one in found}
    report.found.append(f"{len(found)} recordings of {len(people)} people: "
                        + ", ".join(f"{count} {' '.join(key)}" for key, count in counts.items()))
    if counts != COUNTS:
        report.missing.append(f"release 3.0.1 has {sum(COUNTS.values())} recordings: "
                              + ", ".join(f"{count} {' '.join(key)}" for key, count in COUNTS.items()))
    usable = tuh.check_headers(found, report, WINDOW_SECONDS)
    report.decisions += others_ignored(ignored + tuh.strangers(root))
    report.ok = bool(usable) and not any("fault: " in line for line in report.missing)
    return report


# ---- writing ----

def write(trials: Trials, root, oddities: bool = False) -> list[Path]:
    """Write recordings as release 3.0.1 has them, by turns at 250, 256 and 512 samples a second.

    Parameters
    ----------
    trials : Trials
        The 23 electrodes, whole seconds; the table of `read` (file, official, file_sfreq and n_windows are not needed).
    root : path
        Folder, made when missing. Signals that every file has besides (EKG, PHOTIC, ...) are made up.
    oddities : bool
        Add three recordings of the first person, with the corpus's traps: an electrode is missing, 6 s only, labels in
        another letter case.

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials are not so, or the folder holds other recordings.
    """
    root, picks = Path(root), tuh.picks_of(trials, Path(root))
    rows = trials.table.to_dict("records")
    paths = [root / FOLDER.format(token=row["trial"] - 1, **row) for row in rows]
    bad = [path.name for path, row in zip(paths, rows) if row["split"] not in SPLITS or row["label"] not in LABELS
           or not re.fullmatch(r"[a-z]+|\d+", row["subject"])]
    if bad:
        raise DatasetError(f"{root}: cannot name the recording {bad[0]}: people are small letters or digits, the split "
                           f"is train or eval, the label normal or abnormal")
    odd = [paths[0].with_name(f"{rows[0]['subject']}_s999_t{token:03d}.edf") for token in range(N_ODDITIES)]
    prepare_folder(root, trials.description, set(root.rglob("*.edf")), [*paths, *odd])
    for place, (path, row) in enumerate(zip(paths, rows)):
        who = f"{row['subject']} {row['sex']} 01-JAN-0000 {row['subject']} Age:{row['age']:g}"
        tuh.write_recording(path, trials.signals[place][picks], trials.info["sfreq"], RATES[place % 3], who)
    if oddities:
        _write_oddities(odd, trials.signals[0][picks], trials.info["sfreq"])
        paths += odd
    return paths


def _write_oddities(paths: list[Path], signals, sfreq: float) -> None:
    labels = [f"EEG {name}-REF" for name in ELECTRODES]
    mixed = [label.title().replace("Eeg", "EEG").replace("-Ref", "-REF") for label in labels]
    who = "/aa F 01-JAN-0000 /aa Age:0.0109"
    tuh.write_recording(paths[0], signals[:-1], sfreq, 250, who, labels[:-1])
    tuh.write_recording(paths[1], signals[:, : int(6 * sfreq)], sfreq, 256, who)
    tuh.write_recording(paths[2], signals, sfreq, 512, who, mixed)


def simulate(n_subjects: int = 8, *, n_seconds: int = 20, effect: float = 1.0, fingerprint: float = 1.0,
             random_state: int = 0) -> Trials:
    """A small corpus: every person has one recording; half are abnormal, a quarter is for evaluation.

    Parameters
    ----------
    n_subjects : int
    n_seconds : int
    effect, fingerprint : float
        See `simulate_trials`. Abnormal recordings differ in alpha and muscles, as states of other data sets do.
    random_state : int

    Returns
    -------
    Trials
        With the table of `read`, at 200 Hz.
    """
    rows = [{"subject": f"simaa{chr(97 + number // 26)}{chr(97 + number % 26)}a", "session": 1, "trial": 1,
             "label": LABELS[number % 2], "split": "eval" if number % 8 >= 6 else "train", "age": 20.0 + number % 60,
             "sex": "FM"[number // 2 % 2], "n_seconds": float(n_seconds)} for number in range(n_subjects)]
    plan = pd.DataFrame(rows)
    plan["valence"] = plan["label"].map({"normal": 0.5, "abnormal": -0.5})
    plan["arousal"] = plan["label"].map({"normal": -0.5, "abnormal": 0.5})
    trials = tuh.simulate_referential(plan, "simulated TUAB corpus", effect=effect, fingerprint=fingerprint,
                                      random_state=random_state)
    table = trials.table[["subject", "session", "trial", "label", "split", "age", "sex"]].copy()
    table["file"] = [Path(FOLDER.format(token=0, **row)).name for row in rows]
    table["official"] = True
    table["file_sfreq"] = [float(RATES[place % 3]) for place in range(len(table))]
    table["n_windows"] = int(n_seconds // WINDOW_SECONDS)
    return Trials(trials.signals, trials.info, table, description=trials.description)
