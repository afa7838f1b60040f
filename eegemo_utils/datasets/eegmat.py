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
- recordings of another length than the release's are read; other EDF files are ignored;
- channels without signal, EEG too small or large for microvolt, and files that hold the same signals are named.

Traps. One recording per person and state: state and recording are one, so windows of a recording belong on one side
of a split, and even scores between people can use what a recording adds. Three windows in four are rest: use balanced
accuracy. The page says high-pass at 30 Hz, the headers and the signals say 0.5. The csv has 26 good counters and 10
bad, the readme 24 and 12. Sex in a header may contradict the csv, which is right.
"""

import hashlib
import io
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets.base import Dataset, Part, Size, Source
from eegemo_utils.datasets.common import pick_subjects, save_text
from eegemo_utils.datasets.formats.edf import ANNOTATIONS, read_edf, read_header, write_edf
from eegemo_utils.datasets.plausible import others_ignored
from eegemo_utils.files import in_words
from eegemo_utils.trials import DatasetError, shown

URL = "https://physionet.org/files/eegmat/1.0.0/"
INFO, SUMS = "subject-info.csv", "SHA256SUMS.txt"
# of SHA256SUMS.txt itself, so that what it vouches for is the release
SUMS_SHA256 = "85c71151495c8543e80fd48559cb62eca7b6c407ed5e96c8e490db7ecabf1fa0"
TIMEOUT, RETRIES = 60, 2  # seconds; times to try again
SUBJECTS = tuple(f"Subject{number:02d}" for number in range(36))
FILE_NAME = re.compile(r"(Subject\d\d)_([12])\.edf")
LABELS = {1: "rest", 2: "arithmetic"}
ELECTRODES = ("Fp1", "Fp2", "F3", "F4", "F7", "F8", "T3", "T4", "C3", "C4", "T5", "T6", "P3", "P4", "O1", "O2", "Fz",
              "Cz", "Pz")
DROPPED = ("EEG A2-A1", "ECG ECG")
SFREQ = 500.0
REST_SECONDS, ARITHMETIC_SECONDS = 182, 62
OTHER_REST_SECONDS = {"Subject04": 170, "Subject10": 188, "Subject31": 80}
COLUMNS = {"Age": "age", "Gender": "gender", "Recording year": "year", "Number of subtractions": "n_subtractions",
           "Count quality": "good_count"}
AROUSAL = {"rest": -0.5, "arithmetic": 1.0}  # in the simulation: arithmetic is work, and it makes alpha smaller


def seconds_of(subject: str, trial: int) -> int:
    """Length of a recording in the release."""
    return ARITHMETIC_SECONDS if trial == 2 else OTHER_REST_SECONDS.get(subject, REST_SECONDS)


class Eegmat(Dataset):
    """EEGMAT: see the text of this file."""

    name, short = "eegmat", "EEGMAT"
    title = "EEG during mental arithmetic (PhysioNet eegmat 1.0.0, 36 people)"
    licence = "ODC-By 1.0; cite Zyma et al. 2019 and Goldberger et al. 2000"
    source = "https://physionet.org/content/eegmat/1.0.0/ (open; eegmat.fetch downloads it)"
    labels = "rest, arithmetic"
    folders = ("eegmat", "eeg-during-mental-arithmetic-tasks-1.0.0")
    papers = "gmss, multitask_cnn, tnas, labram"
    ch_names, sfreq, people = ELECTRODES, SFREQ, SUBJECTS
    place = "Folder with ``Subject00_1.edf`` and so on."
    unit = "19 electrodes against linked ears, microvolt, 500 Hz"
    columns = {"subject": "Subject00-Subject35", "session": "1", "trial": "1 rest, 2 arithmetic",
               "label": "rest, arithmetic", "seconds": "", "age": "years", "gender": "F, M", "year": "of the recording",
               "n_subtractions": "in four minutes", "good_count": "1 or 0"}
    sizes = {"n_subjects": Size(4, "People.", 1, 36),
             "rest_seconds": Size(30, "Of rest (182 in the release)."),
             "arithmetic_seconds": Size(10, "Of arithmetic (62), which weakens the alpha rhythm.")}
    needed = tuple(COLUMNS.values())

    def find(self, root):
        if not root.is_dir():
            raise DatasetError(f"{root}: no such folder. Expected the one with Subject00_1.edf ... Subject35_2.edf.")
        paths = sorted(path for path in root.iterdir() if path.suffix.lower() == ".edf" and path.name[0] != ".")
        named = {path: match for path in paths if (match := FILE_NAME.fullmatch(path.name)) and match[1] in SUBJECTS}
        others = [path.name for path in paths if path not in named]
        if not named:
            raise DatasetError(f"{root}: expected Subject00_1.edf ... Subject35_2.edf, found "
                               f"{f'{len(others)} other EDF files ({others[0]}, ...)' if others else 'no EDF file'}. "
                               f"Download them: eegemo_utils.datasets.eegmat.fetch(folder).")
        return ([Source(match[1], path, path.name, trial=int(match[2])) for path, match in named.items()],
                others_ignored(others))

    def load(self, source, strict):
        signals, sfreq = read_edf(source.path, [f"EEG {name}" for name in ELECTRODES])
        if sfreq != SFREQ:
            raise DatasetError(f"{source.path}: expected {SFREQ:g} samples a second, found {sfreq:g}. Get the original "
                               f"file.")
        row = {"subject": source.subject, "session": 1, "trial": source.trial, "label": LABELS[source.trial],
               "seconds": signals.shape[1] / SFREQ}
        return Part([signals], pd.DataFrame([row]))

    def line(self, source, part):
        labels, seconds = read_header(source.path).labels, part.table["seconds"].iloc[0]
        return (f"{source.name}: {len(labels) - labels.count(ANNOTATIONS)} signals, {seconds:g} s, "
                f"{LABELS[source.trial]}{_against_sums(source.path)}")

    def label(self, table, root, strict):
        info = load_info(root)
        said = [f"signals dropped: {', '.join(DROPPED)}; T3 T4 T5 T6 are called T7 T8 P7 P8"]
        for subject, labels in table.groupby("subject")["label"].agg(set).items():
            missing = sorted(set(LABELS.values()) - labels)
            said += [f"no recording of {subject} with label {', '.join(missing)}"] if missing else []
        if info is None:
            said.append(f"no {INFO}: age, gender, year, n_subtractions and good_count are not known")
        elif strangers := [subject for subject in table["subject"].unique() if subject not in info.index]:
            said.append(f"{INFO} does not know {', '.join(strangers)}: nothing about them")
        for row in table.itertuples() if strict else ():
            if row.seconds != (expected := seconds_of(row.subject, row.trial)):
                said.append(f"{row.subject}_{row.trial}.edf: {row.seconds:g} s, {expected} s in the release: read")
        known = pd.DataFrame(columns=list(COLUMNS.values()), dtype=float) if info is None else info
        return table.join(known, on="subject"), said

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        table = trials.table
        if not (table["trial"].map(LABELS).eq(table["label"]) & table["session"].eq(1)).all():
            raise DatasetError(f"{root}: EEGMAT has session 1, trial 1 (rest) and 2 (arithmetic); found other trials, "
                               f"sessions or labels")
        if any(signal.shape[1] < SFREQ or signal.shape[1] % SFREQ for signal in trials.signals):
            raise DatasetError(f"{root}: EEGMAT's files hold whole seconds; cut the trials to them")

    def targets(self, table, root, form):
        return {root / f"{row.subject}_{row.trial}.edf": table.loc[[row.Index]] for row in table.itertuples()}

    def present(self, root, form):
        return list(root.glob("*.edf"))

    def save(self, path, signals, rows):
        (signal,), row, flat = signals, rows.iloc[0], np.zeros(signals[0].shape[1])
        write_edf(path, [*signal, flat, flat], [*(f"EEG {name}" for name in ELECTRODES), *DROPPED], SFREQ,
                  units=["uV"] * 20 + ["mV"], patient=f"0 {row['gender']} 01-JAN-1990 {row['subject']}",
                  start=datetime(int(row["year"]), 1, 1), annotations=True,
                  recording=f"Startdate 01-JAN-{int(row['year'])} 0 Doctor eegemo_utils",
                  prefilter="HP:0.500000Hz LP:45.000000Hz RF:50Hz")

    def save_beside(self, root, trials, form):
        lines = [",".join(["Subject", *COLUMNS])]
        for row in trials.table.drop_duplicates("subject").sort_values("subject").itertuples():
            lines.append(f"{row.subject},{row.age:g},{row.gender},{row.year:g},{row.n_subtractions:g},"
                         f"{row.good_count:g}")
        save_text(root / INFO, "\n".join([*lines, ""]))

    def plan(self, n_subjects, rest_seconds, arithmetic_seconds, random_state):
        rows = []
        for number, subject in enumerate(SUBJECTS[:n_subjects]):
            rng = np.random.default_rng([random_state, number])
            counted = round(float(rng.uniform(1, 35)), 2)
            person = {"age": float(rng.integers(16, 27)), "gender": str(rng.choice(["F", "M"])), "year": 2011.0,
                      "n_subtractions": counted, "good_count": float(counted > 10)}
            rows += [{"subject": subject, "session": 1, "trial": trial, "label": LABELS[trial],
                      "seconds": float(seconds), **person}
                     for trial, seconds in ((1, rest_seconds), (2, arithmetic_seconds))]
        table = pd.DataFrame(rows)
        return table, table.assign(n_seconds=table["seconds"], valence=0.0, arousal=table["label"].map(AROUSAL))


@in_words
def load_info(root: Path) -> pd.DataFrame | None:
    """People's age, gender, year, number of subtractions and count quality, by subject; None without the file.

    Raises
    ------
    DatasetError
        When the table is not that of the release: says the column or the person.
    """
    path = root / INFO
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(io.StringIO(path.read_bytes().decode("utf-8-sig")), dtype=str)
    except (ValueError, pd.errors.ParserError) as error:
        raise DatasetError(f"{path}: not a table of comma-separated text ({shown(error, 120)}). Get it "
                           f"again.") from None
    if list(table.columns) != ["Subject", *COLUMNS]:
        raise DatasetError(f"{path}: expected the columns Subject, {', '.join(COLUMNS)}; found "
                           f"{shown(', '.join(map(str, table.columns)), 200)}. Get it again.")
    table = table.set_index("Subject").rename(columns=COLUMNS)
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise DatasetError(f"{path}: {shown(twice)} stands there twice. Get it again.")
    for name in ("age", "year", "n_subtractions", "good_count"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        fine = np.isfinite(numbers) & (numbers >= 0) & (numbers.isin([0, 1]) | (name != "good_count"))
        if not fine.all():
            person = table.index[int(np.argmin(fine))]
            raise DatasetError(f"{path}: {shown(person)}: expected {name} as a number (0 or 1 for good_count), found "
                               f"{shown(table[name].iloc[int(np.argmin(fine))])}. Get it again.")
        table[name] = numbers.astype(float)
    return table


def _against_sums(path: Path) -> str:
    sums = parse_sums(path.with_name(SUMS)) if path.with_name(SUMS).is_file() else {}
    if path.name not in sums:
        return ""
    same = hashlib.sha256(path.read_bytes()).hexdigest() == sums[path.name]
    return f", as in {SUMS}" if same else f", NOT as in {SUMS}: not the file of the release"


# ---- from PhysioNet ----

def fetch(root, subjects=None) -> list[Path]:
    """Download EEGMAT from PhysioNet; every file is held against PhysioNet's own checksums.

    What lies there already and is whole is not downloaded again; what is damaged is replaced. A download that
    stops leaves no half file: call again to go on. All 36 people are 184 MB.

    Raises
    ------
    DatasetError
        When PhysioNet cannot be reached, or a file is not the one that the checksums are of.
    """
    root = Path(root)
    asked = pick_subjects("EEGMAT", SUBJECTS, subjects)
    sums = parse_sums(_download(root, SUMS, SUMS_SHA256))
    names = [INFO, *(f"{subject}_{trial}.edf" for subject in asked for trial in LABELS)]
    return [_download(root, name, sums[name]) for name in names]


@in_words
def parse_sums(path: Path) -> dict[str, str]:
    """Names and SHA-256 of a file with a sum and a name in each line."""
    lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return {line[1]: line[0] for line in lines if len(line) == 2}


def _download(root: Path, name: str, sha256: str) -> Path:
    import pooch  # brings a web client along, which nobody needs who only reads

    loader = pooch.create(root, URL, registry={name: f"sha256:{sha256}"}, retry_if_failed=RETRIES)
    try:
        return Path(loader.fetch(name, downloader=pooch.HTTPDownloader(timeout=TIMEOUT)))
    except (OSError, ValueError) as error:  # the web client's errors are OSErrors
        raise DatasetError(f"{root / name}: could not be downloaded from {URL}{name} ({type(error).__name__}: "
                           f"{error!s:.200}). Try again later, or put the file there by hand.") from error


DATASET = Eegmat()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
