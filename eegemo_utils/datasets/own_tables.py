"""Tables of own trials: ``trials.csv`` or the events of BIDS, read and checked line by line."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

from eegemo_utils.datasets.plausible import few
from eegemo_utils.trials import DatasetError

TABLE = "trials.csv"
NEEDED = ("file", "label", "subject")
SPANS = ("start", "stop", "baseline_start", "baseline_stop")
EVENTS = re.compile(r"(?P<stem>(?:^|.*_)sub-(?P<subject>[^_]+).*)_events\.tsv$")


def from_csv(path: Path, target: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of ``trials.csv`` with the columns of `SPANS` and ``line``, and what was decided.

    Raises
    ------
    DatasetError
        A missing column, an empty or doubled row, a number that is a text, names or labels that differ in case or
        blanks only, spans that overlap or are reversed: with the line and what to do.
    """
    table = read_text(path)
    table["line"] = [f"{path.name}, line {number + 2}" for number in range(len(table))]
    target = target or "label"
    needed = list(dict.fromkeys(target if name == "label" else name for name in NEEDED))
    missing = [name for name in needed if name not in table]
    if missing:
        raise DatasetError(f"{path}: expected the columns {', '.join(needed)}, found {', '.join(table.columns[:-1])}. "
                           f"Add {', '.join(missing)} to the first line.")
    table["label"] = table[target]
    return checked(table, path), [f"label: the column {target} of {path.name}"]


def read_text(path: Path) -> pd.DataFrame:
    """Return a csv file as texts; commas, semicolons or tabs, UTF-8 or UTF-16 as Excel writes them."""
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, skipinitialspace=True,
                            decimal="." if separator == "," else ",")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DatasetError(f"{path}: expected a csv file in UTF-8 or UTF-16, found one that cannot be read: "
                           f"{str(error).strip()[:200]}. Save it again as CSV UTF-8.") from None
    table.columns = [str(name).strip().lower() for name in table.columns]
    names = [name.strip(' "\r').lower() for name in first.split(separator)]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DatasetError(f"{path}: the column {twice[0]} stands in the first line twice. Take one out.")
    if separator == ";":  # a German or French Excel writes 1,5
        for name in set(SPANS) & set(table):
            table[name] = table[name].str.replace(",", ".", regex=False)
    return table.apply(lambda column: column.str.strip()).replace("", pd.NA)


def checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return a table of trials whose rows were found to be sound."""
    if not len(table):
        raise DatasetError(f"{path}: no trial in it. Write one row per trial.")
    for name in NEEDED:
        if table[name].isna().any():
            raise DatasetError(f"{path.parent}, {table['line'][table[name].isna()].iloc[0]}: nothing in the column "
                               f"{name}. Fill it in, or take the row out.")
    for name in SPANS:
        table[name] = numbers(table, name, path) if name in table else float("nan")
    doubled = table.drop(columns="line").duplicated()
    if doubled.any():
        raise DatasetError(f"{path.parent}, {table['line'][doubled].iloc[0]}: the same row stands in the table before. "
                           "Take one out.")
    for name in ("subject", "label"):
        check_spelling(table, name, path)
    if "session" not in table:
        table["session"] = 1
    for name in ("session", "trial"):
        if name in table:
            table[name] = whole_or_text(table[name])
    check_spans(table, path)
    return table


def numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    """Return a column of seconds. Raises DatasetError for a text."""
    values = pd.to_numeric(table[name], errors="coerce")
    bad = (values.isna() & table[name].notna()) | (values < 0)
    if bad.any():
        raise DatasetError(f"{path.parent}, {table['line'][bad].iloc[0]}: expected seconds in the column {name}, found "
                           f"{table[name][bad].iloc[0]!r}. Write a number such as 12.5.")
    return values.astype(float)


def whole_or_text(values: pd.Series) -> pd.Series:
    """Return whole numbers where all entries are such, else texts."""
    found = pd.to_numeric(values, errors="coerce")
    return found.astype(int) if found.notna().all() and (found % 1 == 0).all() else values.astype(str)


def check_spelling(table: pd.DataFrame, name: str, path: Path) -> None:
    """Raise DatasetError for two entries that differ in case, blanks or signs only: they are one, or look like it."""
    known: dict[str, str] = {}
    for line, value in zip(table["line"], table[name].astype(str)):
        plain = re.sub(r"[\s_-]+", "", value.lower())
        if known.setdefault(plain, value) != value:
            raise DatasetError(f"{path.parent}, {line}: {name} {value!r}, and {known[plain]!r} in another line. If "
                               "they are the same, write them alike; if not, let their names differ in a letter.")


def check_spans(table: pd.DataFrame, path: Path) -> None:
    """Raise DatasetError for spans that are reversed, of half a baseline, or that share samples within a file."""
    for first, last in (("start", "stop"), ("baseline_start", "baseline_stop")):
        reversed_ = table[last] <= table[first].fillna(0)
        if reversed_.any():
            row = table[reversed_].iloc[0]
            raise DatasetError(f"{path.parent}, {row['line']}: {last} ({row[last]:g} s) is not after {first} "
                               f"({0 if pd.isna(row[first]) else row[first]:g} s). Exchange or correct them.")
    half = table["baseline_start"].isna() != table["baseline_stop"].isna()
    some = table["baseline_start"].isna()
    if half.any() or (some.any() and not some.all()):
        line = table["line"][half if half.any() else some].iloc[0]
        raise DatasetError(f"{path.parent}, {line}: no baseline_start and baseline_stop, which other rows have. Give "
                           "every trial a baseline, or none.")
    for _, rows in table.groupby("file", sort=False):
        rows = rows.assign(start=rows["start"].fillna(0), stop=rows["stop"].fillna(float("inf"))).sort_values("start")
        overlap = rows["start"].to_numpy()[1:] < rows["stop"].to_numpy()[:-1]
        if overlap.any():
            one, other = rows.iloc[int(overlap.argmax())], rows.iloc[int(overlap.argmax()) + 1]
            raise DatasetError(f"{path.parent}, {one['line']} and {other['line']}: the trials share samples of "
                               f"{one['file']}, so that no split could keep them apart. Correct start and stop.")


def check_ends(path: Path, rows: pd.DataFrame, seconds: float) -> None:
    """Raise DatasetError for a span that goes on after the end of its file."""
    for name in ("stop", "baseline_stop", "start"):
        late = rows[name] > seconds + 1e-6
        if name == "start":
            late |= rows[name] >= seconds
        if late.any():
            row = rows[late].iloc[0]
            raise DatasetError(f"{path}, {row['line']}: {name} is {row[name]:g} s, but the recording has {seconds:g} "
                               "s. Correct it; times count from the beginning of the file.")


def from_bids(root: Path, target: str, task: str, session: str, suffixes) -> tuple[pd.DataFrame, list[str]]:
    """Return the events of a BIDS folder as trials: rows with a duration, labelled by the column `target`.

    Raises
    ------
    DatasetError
        No events, none of the asked task or session, no such column.
    """
    target, parts, left_out = target or "trial_type", [], 0
    for path in sorted(root.rglob("*_events.tsv")):
        match = EVENTS.match(path.name)
        entities = dict(pair.partition("-")[::2] for pair in path.name.split("_") if "-" in pair)
        if match is None or (task and entities.get("task") != task) or (session and entities.get("ses") != session):
            continue
        recording = next((one for one in sorted(path.parent.glob(f"{match['stem']}_eeg.*"))
                          if one.name.lower().endswith(suffixes)), None)
        if recording is None:
            raise DatasetError(f"{path}: expected the recording {match['stem']}_eeg.edf (or .vhdr, .set, .bdf, .fif) "
                               "beside it, found none. Get it, or take the events away.")
        rows, empty = events(path, target)
        left_out += empty
        parts.append(rows.assign(file=recording.relative_to(root).as_posix(), subject=match["subject"],
                                 session=entities.get("ses", "1")))
    if not parts:
        asked = "".join(f" of {name} {value}" for name, value in (("task", task), ("session", session)) if value)
        raise DatasetError(f"{root}: expected files *_events.tsv{asked} beside the recordings, found none. Write "
                           f"{TABLE} instead, one row per trial.")
    table = pd.concat(parts, ignore_index=True)
    said = [f"label: the column {target} of the events"]
    said += [f"{left_out} events without a duration or with n/a as their label are no trials"] if left_out else []
    return checked(table, root / "events"), said


def events(path: Path, target: str) -> tuple[pd.DataFrame, int]:
    """Return the trials of one events file, and how many events are none."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).replace("n/a", pd.NA)
    missing = [name for name in ("onset", "duration", target) if name not in table]
    if missing:
        raise DatasetError(f"{path}: expected the columns onset, duration and {target}, found {', '.join(table)}. Name "
                           f"the column of the labels with target: one of {few(table.columns, 20)}.")
    table["line"] = [f"{path.name}, line {number + 2}" for number in range(len(table))]
    onset, duration = (pd.to_numeric(table[name], errors="coerce") for name in ("onset", "duration"))
    trial = duration.gt(0) & table[target].notna() & onset.notna()
    rows = table[trial].rename(columns={target: "label"}).drop(columns=["onset", "duration"])
    return rows.assign(start=onset[trial], stop=onset[trial] + duration[trial]), int((~trial).sum())
