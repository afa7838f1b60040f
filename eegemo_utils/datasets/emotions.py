"""emotions.csv: the Kaggle table of Muse features with the labels NEGATIVE, NEUTRAL, POSITIVE.

Layout. 2132 rows, 2548 feature columns and ``label``; three significant digits. A row is the 1274 numbers
of one window (``_a``) and of the next (``_b``); rows of all recordings are shuffled, without person, film
or time. The file has no open licence ("Data files (c) Original Authors"): whoever uses it downloads it.
Never put rows of it elsewhere.

Block b of one row is printed again as block a of the row that follows it in the recording, so
`link_chains` finds the recordings back. `read` does so, and puts them in the table as trials: that is
what an honest split needs.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import muse
from eegemo_utils.datasets.bird_columns import column_names
from eegemo_utils.datasets.bird_features import bird_features
from eegemo_utils.datasets.chains import link_chains
from eegemo_utils.datasets.common import prepare_folder, read_description, save_text
from eegemo_utils.files import unreadable
from eegemo_utils.trials import DatasetError, Report, Windows, shown

__all__ = ["FACTS", "blob_id", "check", "copied_columns", "link_chains", "read", "simulate", "write",
           "write_table"]

FACTS = {
    "name": "emotions",
    "title": "EEG Brainwave Dataset: Feeling Emotions (features of Muse recordings, csv)",
    "licence": "no open licence (data files: original authors); download it yourself, do not pass it on",
    "source": "Kaggle, birdy654/eeg-brainwave-dataset-feeling-emotions",
    "channels": "2548 features of TP9, AF7, AF8, TP10, Right AUX",
    "sfreq": 150.0,
    "labels": "NEGATIVE, NEUTRAL, POSITIVE",
    "folders": ("emotions.csv", "emotions/emotions.csv"),
    "papers": "gru",
}
LABELS = ("NEGATIVE", "NEUTRAL", "POSITIVE")
PUBLISHED_BLOB = "3d2e082757491c61ac4f6ee29c8a244f60f7c6b7"
PUBLISHED_COUNTS = {"NEGATIVE": 708, "NEUTRAL": 716, "POSITIVE": 708}
N_BLOCK = 1274
DECISION = "rows are put back into recordings by equal half rows; a chain is a trial"
NAMES = column_names(2548)


def blob_id(path) -> str:
    """SHA-1 that git gives a file's content (``git hash-object``)."""
    digest = hashlib.sha1(f"blob {Path(path).stat().st_size}\0".encode(), usedforsecurity=False)
    digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def copied_columns() -> pd.DataFrame:
    """The 732 columns that repeat another one, by how they are made: column, original.

    Of the five fft values of a sample the last two mirror the second and third; covmat is symmetric.
    """
    pairs = []
    for block in ("a", "b"):
        for sample in range(0, 750, 5):
            pairs += [(f"fft_{sample + 4}_{block}", f"fft_{sample + 1}_{block}"),
                      (f"fft_{sample + 3}_{block}", f"fft_{sample + 2}_{block}")]
        pairs += [(f"covmat_{12 * i + j}_{block}", f"covmat_{12 * j + i}_{block}")
                  for i in range(12) for j in range(i)]
    return pd.DataFrame(pairs, columns=["column", "original"])


def read(path) -> Windows:
    """Read emotions.csv, check it and put its rows back into recordings.

    Parameters
    ----------
    path : path
        The csv file, or the folder that holds it.

    Returns
    -------
    Windows
        X of shape (n_rows, 2548), float64, rows in the file's order; names; table with subject
        ("unknown"), session (1), trial (the chain), window (position in the chain), label, chain,
        position, ambiguous.

    Raises
    ------
    DatasetError
        When the columns or labels are others, a value is no finite number, or columns that repeat others
        by the way they are made do not. Says file and line. When the file or its folder cannot be read.
    """
    path = _file(Path(path))
    try:
        table = _parse(path)
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from None
    X = table[NAMES].to_numpy(dtype=np.float64)
    _check_copies(path, X)
    chains = link_chains(X[:, :N_BLOCK], X[:, N_BLOCK:])
    rows = pd.DataFrame({"subject": "unknown", "session": 1, "trial": chains["chain"],
                         "window": chains["position"], "label": table["label"].astype(str)})
    description, _ = read_description(path.parent, f"{path.name} in {path.parent.name}")
    return Windows(X, pd.concat([rows, chains], axis=1), list(NAMES), description=description, decisions=(DECISION,))


def _file(path: Path) -> Path:
    folder = path
    try:
        path = folder / "emotions.csv" if folder.is_dir() else folder
        there = path.is_file()
    except OSError as error:
        raise DatasetError(unreadable(folder, error)) from None
    if not there:
        raise DatasetError(f"{path}: no such file. Download emotions.csv from {FACTS['source']} "
                           f"and give its path.")
    return path


def _parse(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        header = file.readline().decode("utf-8", errors="replace").strip()
    columns = [name.strip() for name in header.removeprefix("\ufeff").split(",")]
    expected = [f"# {NAMES[0]}", *NAMES[1:], "label"]
    if columns != expected:
        wrong = [i for i, (have, want) in enumerate(zip(columns, expected)) if have != want]
        where = f"the first {min(len(columns), len(expected))} are right"
        if wrong:
            where = f"column {wrong[0] + 1} is '{shown(columns[wrong[0]])}' instead of {expected[wrong[0]]!r}"
        raise DatasetError(f"{path}: line 1: expected {len(expected)} columns, '# mean_0_a' to 'label', "
                           f"found {len(columns)}; {where}. Another table, or saved again?")
    kinds = dict.fromkeys(NAMES, np.float64) | {"label": str}
    try:
        table = pd.read_csv(path, header=None, skiprows=1, names=[*NAMES, "label"], dtype=kinds,
                            index_col=False, keep_default_na=False, na_values=[""])
    except (ValueError, pd.errors.ParserError) as error:
        raise DatasetError(f"{path}: {_first_fault(path) or error}. Download the file again.") from None
    if not len(table):
        raise DatasetError(f"{path}: no rows after the header. Download the file again.")
    if not np.isfinite(table[NAMES].to_numpy()).all() or not table["label"].isin(LABELS).all():
        raise DatasetError(f"{path}: {_first_fault(path)}. Download the file again.")
    return table


def _first_fault(path: Path) -> str | None:
    """The first line that is not 2548 finite numbers and a label, in words."""
    with path.open(encoding="utf-8", errors="replace") as file:
        next(file)
        for number, line in enumerate(file, start=2):
            fields = line.rstrip("\n").split(",")
            if len(fields) != len(NAMES) + 1:
                return (f"line {number}: expected {len(NAMES) + 1} fields, found {len(fields)} "
                        f"(truncated file?)")
            values = pd.to_numeric(pd.Series(fields[:-1]), errors="coerce").to_numpy()
            if not np.isfinite(values).all():
                column = int(np.argmin(np.isfinite(values)))
                return (f"line {number}, column {NAMES[column]}: expected a finite number, "
                        f"found '{shown(fields[column])}'")
            if fields[-1] not in LABELS:
                return f"line {number}: expected a label of {', '.join(LABELS)}, found '{shown(fields[-1])}'"
    return None


def _check_copies(path: Path, X: np.ndarray) -> None:
    """Columns that repeat others must, to the three printed digits (and rounding where terms cancel)."""
    place = {name: i for i, name in enumerate(NAMES)}
    copies = copied_columns()
    copy = X[:, [place[name] for name in copies["column"]]]
    original = X[:, [place[name] for name in copies["original"]]]
    scale = np.abs(original).max(axis=1, keepdims=True)
    wrong = np.abs(copy - original) > 0.011 * np.abs(original) + 1e-9 * scale
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        name, source = copies.loc[column, ["column", "original"]]
        raise DatasetError(f"{path}: line {row + 2}: column {name} must repeat {source} "
                           f"({original[row, column]:g}), found {copy[row, column]:g}; "
                           f"{wrong.any(axis=1).sum()} such lines. These are not the generator's values: "
                           f"download the file again.")


def check(path) -> Report:
    """Say what the table holds: identity, rows, labels, constant columns, chains. Raises nothing."""
    report = Report(FACTS["name"], Path(path), ok=False)
    try:
        windows = read(path)
        blob = blob_id(_file(Path(path)))
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return report
    except OSError as error:
        report.missing.append(f"fault: {unreadable(path, error)}")
        return report
    report.ok = True
    counts = windows.table["label"].value_counts().reindex(LABELS, fill_value=0)
    published = blob == PUBLISHED_BLOB
    report.found = [
        f"git blob {blob}: {'equal to' if published else 'different from'} the published file",
        f"{len(windows)} rows x {windows.X.shape[1]} columns: "
        + ", ".join(f"{count} {label}" for label, count in counts.items()),
        f"732 columns repeat others, as they must; constant: {_constant(windows) or 'none'}",
        *_chain_facts(windows.table)]
    if len(windows) == 2132 and counts.to_dict() != PUBLISHED_COUNTS:
        report.missing.append(f"labels as in the published table of 2132 rows: {PUBLISHED_COUNTS}")
    report.decisions += windows.decisions
    return report


def _constant(windows: Windows) -> str:
    same = (windows.X == windows.X[:1]).all(axis=0)
    return ", ".join(np.array(windows.names)[same])


def _chain_facts(table: pd.DataFrame) -> list[str]:
    lengths = table.groupby("chain").size()
    mixed = int((table.groupby("chain")["label"].nunique() > 1).sum())
    facts = [f"{len(lengths)} chains of {lengths.min()}-{lengths.max()} rows, "
             + (f"{mixed} of them with several labels (table changed?)" if mixed else "each of one label")]
    if table["ambiguous"].any():
        facts.append(f"{table['ambiguous'].sum()} rows have a half that occurs more than once, so that their "
                     f"place in a chain is a guess (a recording that is in the table twice?)")
    return facts


def write_table(windows: Windows, path, random_state: int) -> Path:
    """Write a table in the layout of emotions.csv: three significant digits, rows shuffled.

    Parameters
    ----------
    windows : Windows
        Of `bird_features` with 2548 columns and the labels negative, neutral, positive (written in upper
        case).
    path : path
        File, replaced in one move.
    random_state : int
        Of the shuffle.

    Returns
    -------
    Path

    Raises
    ------
    DatasetError
        When the windows have other columns or labels.
    """
    path = Path(path)
    labels = windows.table["label"].astype(str).str.upper()
    unknown = sorted(set(labels) - set(LABELS))
    if windows.names != NAMES or unknown:
        found = f"labels {', '.join(unknown)}" if unknown else f"{windows.X.shape[1]} columns"
        raise DatasetError(f"{path}: emotions.csv has the 2548 columns of bird_features and the labels "
                           f"{', '.join(LABELS)}; found {found}")
    line = ",".join(["%.3g"] * len(NAMES))
    order = np.random.default_rng(random_state).permutation(len(windows))
    lines = [line % tuple(windows.X[row].tolist()) + f",{labels[row]}" for row in order]
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_text(path, "\n".join([f"# {','.join(NAMES)},label", *lines, ""]))


def write(windows: Windows, root) -> list[Path]:
    """Write ``emotions.csv`` into a folder that holds none but a written one; see `write_table`."""
    path = Path(root) / "emotions.csv"
    prepare_folder(root, "simulated table in the layout of emotions.csv", [path] * path.exists(), [path])
    return [write_table(windows, path, random_state=0)]


def simulate(n_subjects: int = 2, *, n_recordings: int = 2, n_seconds: float = 20.0, effect: float = 1.0,
             random_state: int = 0) -> Windows:
    """Simulate Muse recordings and make their rows; see `eegemo_utils.simulate.simulate_cohort` for the parameters."""
    return bird_features(muse.simulate(n_subjects, n_recordings=n_recordings, n_seconds=n_seconds, effect=effect,
                                       random_state=random_state))
