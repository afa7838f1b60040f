"""Reading, writing and checking what SEED and SEED-IV have in common; see `seed` and `seed_iv`."""

from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import seed_files as files
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.seed_features import all_kinds
from eegemo_utils.datasets.seed_files import BANDS, SFREQ, Layout, Recording
from eegemo_utils.montage import SEED_62, make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials, Windows

FIRST_DAY = 20200101  # of simulated recordings


# ---- reading ----

def _described(layout: Layout, root: Path, form: str) -> tuple[str, bool]:
    """What the folder says of itself, also when the folder of a form was given, and whether it was written."""
    root = root.parent if root.name == layout.folders[form] else root
    return read_description(root, f"{layout.title} in {root.name}")


def _table(layout: Layout, recording: Recording, n_trials: int) -> pd.DataFrame:
    codes = list(layout.labels[recording.session - 1][:n_trials])
    trials = np.arange(1, n_trials + 1)
    first = 0 if not layout.by_folder else (recording.session - 1) * len(layout.labels[0])
    return pd.DataFrame({"subject": recording.subject, "session": recording.session, "trial": trials,
                         "label": [layout.classes[code] for code in codes], "code": codes, "clip": trials + first})


def _wanted(layout: Layout, root: Path, subjects, form: str) -> tuple[list[Recording], list[str]]:
    recordings, decisions = files.find(layout, root, form)
    chosen = pick_subjects(root, list(dict.fromkeys(one.subject for one in recordings)), subjects)
    few = [subject for subject in chosen if sum(one.subject == subject for one in recordings) < files.N_SESSIONS]
    if few:
        how = "" if layout.by_folder else "; sessions are counted by the dates that are there"
        decisions.append(f"fewer than {files.N_SESSIONS} recordings of person {', '.join(few)}{how}")
    return [one for one in recordings if one.subject in chosen], decisions


def read_raw(layout: Layout, root, subjects=None, form: str = "raw") -> Trials:
    """Signals of people; see `seed.read`. An unknown form ends here, with the message for it."""
    root = Path(root)
    recordings, decisions = _wanted(layout, root, subjects, form)
    description, written = _described(layout, root, "raw")
    decisions += [] if layout.by_folder else files.load_labels(layout, root, "raw")
    signals, tables = [], []
    for recording in recordings:
        own, said = files.load_signals(layout, recording, complete=not written)
        signals += own
        decisions += said
        tables.append(_table(layout, recording, len(own)))
    return Trials(signals, make_info(SEED_62, SFREQ), pd.concat(tables), None, description, tuple(decisions))


def read_features(layout: Layout, root, subjects=None, kind: str = "de_LDS") -> Windows:
    """Stored features of people; see `seed.read`."""
    root = Path(root)
    recordings, _ = _wanted(layout, root, subjects, "features")
    _, written = _described(layout, root, "features")
    if not layout.by_folder:
        files.load_labels(layout, root, "features")
    features, tables = [], []
    for recording in recordings:
        own, _ = files.load_features(layout, recording, kind, complete=not written)
        lengths = [len(values) for values in own]
        table = _table(layout, recording, len(own))
        table = table.loc[table.index.repeat(lengths)]
        table.insert(3, "window", np.concatenate([np.arange(length) for length in lengths]))
        features += own
        tables.append(table)
    info = make_info(SEED_62, SFREQ) if layout.rows[kind] == len(SEED_62) else None
    return Windows(np.concatenate(features), pd.concat(tables), info=info, bands=BANDS)


# ---- checking ----

def check(layout: Layout, name: str, root) -> Report:
    """What a folder holds in either form; raises nothing."""
    root = Path(root)
    report = Report(name, root, ok=False)
    for form in layout.forms(root):
        try:
            recordings, decisions = _wanted(layout, root, None, form)
            description, written = _described(layout, root, form)
        except (DatasetError, OSError) as error:
            report.missing.append(f"fault: {error}")
            continue
        report.found += [description] * (description not in report.found)
        report.decisions += [f"{form}: {decision}" for decision in decisions]
        _check_form(layout, root, form, recordings, written, report)
    report.ok = bool(report.found) and not report.missing
    report.missing += [f"the form {form} is not there" for form in layout.folders if form not in layout.forms(root)]
    return report


def _check_form(layout: Layout, root: Path, form: str, recordings, written: bool, report: Report) -> None:
    load = {"raw": files.load_signals, "features": files.load_default}[form]
    for recording in recordings:
        try:
            trials, said = load(layout, recording, complete=not written)
        except (DatasetError, OSError) as error:
            report.missing.append(f"fault: {error}")
            continue
        amount = f"{sum(trial.shape[1] for trial in trials) / SFREQ:.0f} s" if form == "raw" \
            else f"{sum(map(len, trials))} windows"
        report.decisions += [f"{form}: {decision}" for decision in said]
        report.found.append(f"{form}: {recording.path.name}: person {recording.subject}, session "
                            f"{recording.session}, {len(trials)} trials, {amount}")
    if not layout.by_folder:
        try:
            report.decisions += files.load_labels(layout, root, form)
        except DatasetError as error:
            report.missing.append(f"fault: {error}")


# ---- writing ----

def write(layout: Layout, trials: Trials, root, form: str) -> list[Path]:
    """Write recordings in one form; see `seed.write`."""
    root = Path(root)
    picks = _check_trials(layout, trials, root, form)
    table, folder = trials.table, root / layout.folders[form]
    keys = list(dict.fromkeys(zip(table["subject"], table["session"])))
    paths = [folder / (str(session) if layout.by_folder else "") / f"{subject}_{FIRST_DAY + 7 * (session - 1)}.mat"
             for subject, session in keys]
    allowed = {path.relative_to(folder) for path in paths}
    present = {path: path.relative_to(root / name) for name in layout.folders.values()
               for path in (root / name).rglob("*_*.mat")}
    prepare_folder(root, trials.description, present, {path for path, name in present.items() if name in allowed})
    for (subject, session), path in zip(keys, paths):
        rows = table[(table["subject"] == subject) & (table["session"] == session)].sort_values("trial").index
        signals = [trials.signals[row][picks] for row in rows]
        files.save(path, _variables(layout, signals, subject, form))
    if not layout.by_folder:
        files.save(folder / "label.mat", {"label": np.array(layout.labels[:1])})
    return paths


def _variables(layout: Layout, signals: list[np.ndarray], subject: str, form: str) -> dict[str, np.ndarray]:
    if form == "raw":
        initials = "sim" + chr(ord("a") + int(subject) - 1)
        return {f"{initials}_eeg{number}": signal for number, signal in enumerate(signals, start=1)}
    variables = {}
    for number, signal in enumerate(signals, start=1):
        kinds = all_kinds(signal, SFREQ, layout.window_seconds)
        variables |= {f"{kind}{number}": kinds[kind] for kind in layout.rows}
    return variables


def _check_trials(layout: Layout, trials: Trials, root: Path, form: str) -> list[int]:
    """Where the 62 electrodes stand in the trials."""
    if form not in layout.folders:
        raise DatasetError(f"{root}: {layout.title} has the forms {' and '.join(layout.folders)}, not {form!r}")
    names, table = trials.info["ch_names"], trials.table
    missing = [name for name in SEED_62 if name not in names]
    if missing or trials.info["sfreq"] != SFREQ:
        raise DatasetError(f"{root}: {layout.title} needs its 62 electrodes at {SFREQ:g} Hz; found "
                           f"{trials.info['sfreq']:g} Hz, missing: {', '.join(missing) or 'nothing'}")
    people = {str(number) for number in range(1, files.N_SUBJECTS + 1)}
    for (subject, session), rows in table.groupby(["subject", "session"]):
        known = subject in people and session in range(1, files.N_SESSIONS + 1)
        if not known or sorted(rows["trial"]) != list(range(1, len(rows) + 1)):
            raise DatasetError(f"{root}: {layout.title} has the people 1 to 15, sessions 1 to 3 and trials 1, 2, ...; "
                               f"found person {subject}, session {session}, trials {sorted(rows['trial'])}")
        _check_session(layout, trials, root, subject, session, rows.sort_values("trial"))
    return [names.index(name) for name in SEED_62]


def _check_session(layout: Layout, trials: Trials, root: Path, subject, session, rows: pd.DataFrame) -> None:
    """Labels do not stand in the recordings' files, so they must be the published ones."""
    expected = [layout.classes[code] for code in layout.labels[session - 1]][: len(rows)]
    if rows["label"].tolist() != expected:
        raise DatasetError(f"{root}: the labels of session {session} of {layout.title} are {' '.join(expected)}; "
                           f"person {subject} has {' '.join(map(str, rows['label']))}")
    shortest = min(trials.signals[row].shape[1] for row in rows.index) / SFREQ
    if shortest < layout.window_seconds:
        raise DatasetError(f"{root}: a trial of {layout.title} holds a window of {layout.window_seconds:g} s at least; "
                           f"person {subject} has one of {shortest:g} s")


# ---- simulating ----

def simulate(layout: Layout, felt: dict, n_subjects: int, n_sessions: int, n_trials: int | None, n_seconds: float,
             **options) -> Trials:
    """People who see the clips in the published order; clips are as unequal as the real ones; see `seed.simulate`."""
    most = len(layout.labels[0])
    n_trials = most if n_trials is None else n_trials
    if not (1 <= n_subjects <= files.N_SUBJECTS and 1 <= n_sessions <= files.N_SESSIONS and 1 <= n_trials <= most
            and n_seconds > 0):
        raise ValueError(f"1 to 15 people, 1 to 3 sessions, 1 to {most} trials and some time, please; got "
                         f"n_subjects={n_subjects}, n_sessions={n_sessions}, n_trials={n_trials}, "
                         f"n_seconds={n_seconds}")
    tables = []
    for number in range(1, n_subjects + 1):
        for session in range(1, n_sessions + 1):
            lengths = np.array(layout.n_windows[session - 1], dtype=float)
            windows = np.rint(n_seconds / layout.window_seconds * lengths / lengths.mean()).clip(min=1)[:n_trials]
            table = _table(layout, Recording(str(number), session, Path()), n_trials)
            tables.append(table.assign(n_seconds=windows * layout.window_seconds))
    table = pd.concat(tables, ignore_index=True)
    plan = table.assign(valence=table["label"].map(lambda label: felt[label][0]),
                        arousal=table["label"].map(lambda label: felt[label][1]))
    made = simulate_trials(plan, ch_names=SEED_62, sfreq=SFREQ, **options)
    return Trials(made.signals, made.info, table.drop(columns="n_seconds"), None, f"simulated {layout.title} cohort")
