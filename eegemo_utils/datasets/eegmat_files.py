"""Files of EEGMAT: their names, what one holds, the table of people, and where PhysioNet keeps them."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets.common import eeg_signal
from eegemo_utils.datasets.edf import ANNOTATIONS, read_edf, read_header, write_edf
from eegemo_utils.trials import DatasetError

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


def seconds_of(subject: str, trial: int) -> int:
    """Length of a recording in the release."""
    return ARITHMETIC_SECONDS if trial == 2 else OTHER_REST_SECONDS.get(subject, REST_SECONDS)


def find(root: Path) -> tuple[dict[str, dict[int, Path]], list[str]]:
    """Files by person and trial, and what was decided about other EDF files.

    Raises
    ------
    DatasetError
        When there is no folder or no such file.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder. Expected the one with Subject00_1.edf ... Subject35_2.edf.")
    paths = sorted(path for path in root.iterdir() if path.suffix.lower() == ".edf" and path.name[0] != ".")
    found: dict[str, dict[int, Path]] = {}
    others = []
    for path in paths:
        match = FILE_NAME.fullmatch(path.name)
        if match and match[1] in SUBJECTS:
            found.setdefault(match[1], {})[int(match[2])] = path
        else:
            others.append(path.name)
    if not found:
        raise DatasetError(f"{root}: expected Subject00_1.edf ... Subject35_2.edf, found "
                           f"{f'{len(others)} other EDF files ({others[0]}, ...)' if others else 'no EDF file'}. "
                           f"Download them: eegemo_utils.datasets.eegmat.fetch(folder).")
    return found, [f"{len(others)} other EDF files ignored: {', '.join(others)[:200]}"] * bool(others)


def load(path: Path) -> np.ndarray:
    """The 19 electrodes of a file, shape (19, n_times), float32, microvolt.

    Raises
    ------
    DatasetError
        When the file is damaged, lacks a signal, has another rate or cannot be in microvolt.
    """
    labels = [f"EEG {name}" for name in ELECTRODES]
    signals, sfreq = read_edf(path, labels)
    if sfreq != SFREQ:
        raise DatasetError(f"{path}: expected {SFREQ:g} samples a second, found {sfreq:g}. Get the original file.")
    return eeg_signal(signals, ELECTRODES, str(path))


def save(path: Path, signal: np.ndarray, gender: str, year: int) -> Path:
    """Write 19 electrodes as a file of the release: 22 signals, A2-A1 and ECG without any signal in them."""
    flat = np.zeros(signal.shape[1])
    labels = [*(f"EEG {name}" for name in ELECTRODES), *DROPPED]
    return write_edf(path, [*signal, flat, flat], labels, SFREQ, units=["uV"] * 20 + ["mV"],
                     patient=f"0 {gender} 01-JAN-1990 {path.stem[:-2]}", start=f"01.01.{year % 100:02d}00.00.00",
                     recording=f"Startdate 01-JAN-{year} 0 Doctor eegemo_utils",
                     prefilter="HP:0.500000Hz LP:45.000000Hz RF:50Hz", annotation_samples=57)


def describe(path: Path) -> str:
    """What a file's header says, in a line."""
    header = read_header(path)
    n_signals = len(header.labels) - header.labels.count(ANNOTATIONS)
    return f"{path.name}: {n_signals} signals, {header.seconds:g} s"


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
        raise DatasetError(f"{path}: not a table of comma-separated text ({error!s:.120}). Get it again.") from None
    if list(table.columns) != ["Subject", *COLUMNS]:
        raise DatasetError(f"{path}: expected the columns Subject, {', '.join(COLUMNS)}; found "
                           f"{', '.join(map(str, table.columns))[:200]}. Get it again.")
    table = table.set_index("Subject").rename(columns=COLUMNS)
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise DatasetError(f"{path}: {twice!s:.40} stands there twice. Get it again.")
    for name in ("age", "year", "n_subtractions", "good_count"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        fine = np.isfinite(numbers) & (numbers >= 0) & (numbers.isin([0, 1]) | (name != "good_count"))
        if not fine.all():
            person = table.index[int(np.argmin(fine))]
            raise DatasetError(f"{path}: {person!s:.40}: expected {name} as a number (0 or 1 for good_count), found "
                               f"{table[name].iloc[int(np.argmin(fine))]!s:.40}. Get it again.")
        table[name] = numbers.astype(float)
    return table


def save_info(root: Path, table: pd.DataFrame) -> None:
    """Write the table of people as the release has it; `table` has the columns subject and those of COLUMNS."""
    lines = [",".join(["Subject", *COLUMNS])]
    for row in table.itertuples():
        lines.append(f"{row.subject},{row.age:g},{row.gender},{row.year:g},{row.n_subtractions:g},{row.good_count:g}")
    partial = root / f".{INFO}.partial"
    partial.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
    os.replace(partial, root / INFO)


# ---- from PhysioNet ----

def fetch(root, subjects=None) -> list[Path]:
    """Download EEGMAT from PhysioNet; every file is held against PhysioNet's own checksums.

    What lies there already and is whole is not downloaded again; what is damaged is replaced. A download that
    stops leaves no half file: call again to go on. All 36 people are 184 MB.

    Parameters
    ----------
    root : path
        Folder, made when missing.
    subjects : list of str, optional
        Such as ["Subject00"].

    Returns
    -------
    list of Path
        The table of people, then the recordings.

    Raises
    ------
    DatasetError
        When PhysioNet cannot be reached, or a file is not the one that the checksums are of.
    """
    root = Path(root)
    asked = list(SUBJECTS) if subjects is None else list(subjects)
    unknown = [subject for subject in asked if subject not in SUBJECTS]
    if unknown or not asked:
        raise DatasetError(f"EEGMAT has Subject00 ... Subject35, not {', '.join(map(str, unknown)) or 'nobody'}")
    sums = parse_sums(_download(root, SUMS, SUMS_SHA256))
    names = [INFO, *(f"{subject}_{trial}.edf" for subject in asked for trial in LABELS)]
    return [_download(root, name, sums[name]) for name in names]


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
