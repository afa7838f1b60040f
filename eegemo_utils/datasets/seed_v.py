"""SEED-V: 16 people see 45 film clips of five emotions, 15 on each of three days; signals at 1000 Hz, or features.

Layout (Liu et al. 2022, IEEE Trans. Cognitive and Developmental Systems 14:715-729, and the dataset's page):

- ``EEG_raw/<person>_<session>_<yyyymmdd>.cnt``: 48 Neuroscan files of a whole session each, 1000 Hz, 62 electrodes and
  M1, M2, VEO, HEO; where a clip starts and ends is a list of seconds (torcheeg/torcheeg,
  torcheeg/datasets/module/emotion_recognition/seed_v.py), not a trigger;
- ``EEG_DE_features/<person>_123.npz``: differential entropy of 4-s windows of all three sessions; ``data`` and
  ``label`` are the bytes of a pickled dictionary each, by trial 0-44: (windows, 310), 62 electrodes times 5 bands, the
  bands of an electrode side by side, and (windows,).

What the reader decides, and says in ``Trials.decisions`` (signals) and in the report of `check`:

- channels are taken by name; the four that are no EEG are dropped; channels marked bad in a header stay;
- the session is the second number of the file's name, not the rank of the date: some people's third came first;
- the labels are the published ones; stored ones that say something else are refused;
- pickles are read as data (`eegemo_utils.pickles`); keys may be numbers or text, and count from 0 or from 1;
- trials with another number of windows than is published stay, and are named; other files are ignored;
- simulated recordings are short: a folder with DESCRIPTION.txt, which `write` makes, has the seconds of its clips in
  simulated_clips.json, and may hold fewer trials.

Traps. 16 people are public; papers speak of 20. Code that takes every fifth sample before it filters folds what is
above 100 Hz into the signal. LaBraM's 148,080 seconds count both ends of a clip; 117,744 are in the public recordings.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import seed_v_files as files
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.seed_features import entropy_and_power
from eegemo_utils.datasets.seed_v_files import CODES, N_SESSIONS, N_SUBJECTS, N_TRIALS, SFREQ, WINDOW_SECONDS
from eegemo_utils.montage import SEED_62, make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials, Windows

FACTS = {
    "name": "seed_v",
    "title": "SEED-V (16 people, 45 film clips on three days)",
    "licence": "signed agreement; academic, not commercial, not to be passed on",
    "source": "Shanghai Jiao Tong University, bcmi.sjtu.edu.cn/home/seed: agreement signed by a supervisor",
    "channels": ", ".join(SEED_62),
    "sfreq": SFREQ,
    "labels": "disgust, fear, sad, neutral, happy (0-4): by clip",
    "folders": ("seed_v", "SEED_V", "SEED-V"),
    "papers": "labram, gmss",
}
BANDS = ("delta", "theta", "alpha", "beta", "gamma")
CLASSES = ("disgust", "fear", "sad", "neutral", "happy")
FELT = {"disgust": (-0.8, 0.3), "fear": (-0.8, 0.9), "sad": (-0.8, -0.4), "neutral": (0.0, 0.0), "happy": (0.9, 0.6)}
DATES = {1: "20200101", 2: "20200115", 3: "20200108"}  # of simulated recordings: not in the order of the sessions


# ---- reading ----

def read(root, subjects=None, form: str = "raw") -> Trials | Windows:
    """Read people of SEED-V, one file at a time.

    Parameters
    ----------
    root : path
        Folder that holds ``EEG_raw`` or ``EEG_DE_features``, or one of these.
    subjects : list of str, optional
        Such as ["1", "16"]; only their files are opened.
    form : {"raw", "features"}
        Signals, or stored differential entropy.

    Returns
    -------
    Trials or Windows
        Signals: 62 electrodes, microvolt, 1000 Hz (a whole person is about 1.8 GB). Features: X (windows, 62, 5),
        float32. Table: subject, session (1-3), trial (1-15), label, code (0-4), clip (1-45); features also window
        (0, 1, ... in the trial).

    Raises
    ------
    DatasetError
        When there is no such folder or file, a person or form is unknown, or a file is faulty: says which.
    """
    root = Path(root)
    found, decisions = files.find(root, form)
    chosen = pick_subjects(root, list(found), subjects)
    description, written = _described(root)
    clips = files.clip_seconds(_top(root), written) if form == "raw" else None
    values, tables = [], []
    for subject in chosen:
        for session, path in sorted(found[subject].items()):
            own, table, said = _load(subject, session, path, clips, written)
            values += own
            tables.append(table)
            decisions += said
        decisions += [f"fewer than {N_SESSIONS} recordings of person {subject}"] * (
            form == "raw" and len(found[subject]) < N_SESSIONS)
    info, table = make_info(SEED_62, SFREQ), pd.concat(tables)
    if form == "features":
        return Windows(np.concatenate(values), table, info=info, bands=BANDS)
    return Trials(values, info, table, None, description, tuple(decisions))


def _top(root: Path) -> Path:
    """The dataset's folder, also when the folder of a form was given."""
    return root.parent if root.name in files.FOLDERS.values() else root


def _described(root: Path) -> tuple[str, bool]:
    return read_description(_top(root), f"SEED-V in {_top(root).name}")


def _load(subject: str, session: int, path: Path, clips, written: bool):
    """Values and table of one file, and decisions; session 0 is a file of features with all of them."""
    if session:
        signals, said = files.load_signals(path, clips[session - 1])
        return signals, _table(subject, [(session, trial) for trial in range(1, len(signals) + 1)]), said
    features, said = files.load_features(path, complete=not written)
    lengths = [len(values) for values in features.values()]
    table = _table(subject, list(features)).loc[np.repeat(np.arange(len(lengths)), lengths)]
    table.insert(3, "window", np.concatenate([np.arange(length) for length in lengths]))
    return list(features.values()), table, said


def _table(subject: str, keys: list[tuple[int, int]]) -> pd.DataFrame:
    codes = [CODES[session - 1][trial - 1] for session, trial in keys]
    return pd.DataFrame({"subject": subject, "session": [session for session, _ in keys],
                         "trial": [trial for _, trial in keys], "label": [CLASSES[code] for code in codes],
                         "code": codes, "clip": [(session - 1) * N_TRIALS + trial for session, trial in keys]})


def check(root) -> Report:
    """Say which recordings a folder holds in which form, which are damaged and what `read` does. Raises nothing."""
    root = Path(root)
    report, absent = Report(FACTS["name"], root, ok=False), []
    for form, folder in files.FOLDERS.items():
        try:
            found, decisions = files.find(root, form)
            description, written = _described(root)
            clips = files.clip_seconds(_top(root), written) if form == "raw" else None
        except (DatasetError, OSError) as error:
            faulty = (root / folder).is_dir() or root.name == folder
            (report.missing if faulty else absent).append(f"fault: {error}" if faulty else str(error))
            continue
        report.found += [description] * (description not in report.found)
        report.decisions += [f"{form}: {decision}" for decision in decisions]
        for subject, paths in found.items():
            for session, path in sorted(paths.items()):
                _check_file(report, subject, session, path, clips, written)
    report.ok = bool(report.found) and not report.missing
    report.missing += absent
    return report


def _check_file(report: Report, subject: str, session: int, path: Path, clips, written: bool) -> None:
    try:
        values, table, said = _load(subject, session, path, clips, written)
    except (DatasetError, OSError) as error:
        report.missing.append(f"fault: {error}")
        return
    n_trials = len(table[["session", "trial"]].drop_duplicates())
    amount = f"{sum(signal.shape[1] for signal in values) / SFREQ:.0f} s" if session else f"{len(table)} windows"
    report.found.append(f"{path.name}: person {subject}, {f'session {session}' if session else 'all sessions'}, "
                        f"{n_trials} trials, {amount}")
    report.decisions += said


# ---- writing and simulating ----

def write(trials: Trials, root, form: str = "raw") -> list[Path]:
    """Write recordings as SEED-V has them; dates are invented.

    Parameters
    ----------
    trials : Trials
        The 62 electrodes in any order, 1000 Hz, microvolt; people "1"-"16", sessions 1-3, trials 1, 2, ... of 4 s at
        least, with the published labels; in a session, trials of equal length for everybody.
    root : path
        Folder, made when missing; gets ``EEG_raw`` or ``EEG_DE_features``, and when the clips start and end.
    form : {"raw", "features"}

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials do not fit, or the folder holds other recordings.
    """
    root = Path(root)
    picks, clips = _check_trials(trials, root, form)
    folder, table, names = root / files.FOLDERS[form], trials.table, _file_names(trials.table)
    present = {path: kind for kind, name in files.FOLDERS.items() for path in (root / name).glob("*_*")}
    mine = {path for path, kind in present.items() if path.name in names[kind].values()}
    prepare_folder(root, trials.description, present, mine)
    folder.mkdir(exist_ok=True)
    files.save_clips(root, clips)
    for (subject, session), name in names[form].items():
        rows = table[(table["subject"] == subject) & table["session"].isin([session] if session else DATES)]
        rows = rows.sort_values(["session", "trial"])
        signals = {(row.session, row.trial): trials.signals[row.Index][picks] for row in rows.itertuples()}
        if form == "raw":
            files.save_signals(folder / name, list(signals.values()), clips[session - 1])
        else:
            files.save_features(folder / name, {key: entropy_and_power(signal, SFREQ, WINDOW_SECONDS)[0]
                                                for key, signal in signals.items()})
    return [folder / name for name in names[form].values()]


def _file_names(table: pd.DataFrame) -> dict[str, dict[tuple[str, int], str]]:
    """Of each form, the file of a person and session (0: all sessions)."""
    keys = dict.fromkeys(zip(table["subject"], table["session"].astype(int)))
    return {"raw": {(subject, session): f"{subject}_{session}_{DATES[session]}.cnt" for subject, session in keys},
            "features": {(subject, 0): f"{subject}_123.npz" for subject, _ in keys}}


def _check_trials(trials: Trials, root: Path, form: str) -> tuple[list[int], list[list[tuple[float, float]]]]:
    """Where the 62 electrodes stand in the trials, and when the clips of each session start and end."""
    if form not in files.FOLDERS:
        raise DatasetError(f"{root}: SEED-V has the forms raw and features, not {form!r}")
    names, table = trials.info["ch_names"], trials.table
    missing = [name for name in SEED_62 if name not in names]
    if missing or trials.info["sfreq"] != SFREQ:
        raise DatasetError(f"{root}: SEED-V needs its 62 electrodes at {SFREQ:g} Hz; found "
                           f"{trials.info['sfreq']:g} Hz, missing: {', '.join(missing) or 'nothing'}")
    lengths = {}
    for (subject, session), rows in table.groupby(["subject", "session"]):
        rows = rows.sort_values("trial")
        known = subject in map(str, range(1, N_SUBJECTS + 1)) and session in DATES and len(rows) <= N_TRIALS
        expected = _table(subject, [(session, trial) for trial in range(1, len(rows) + 1)]) if known else None
        if not known or any(rows[name].tolist() != expected[name].tolist() for name in ("trial", "label")):
            raise DatasetError(f"{root}: SEED-V has the people 1 to 16, sessions 1 to 3 and trials 1, 2, ... with the "
                               f"published labels; person {subject}, session {session} has others")
        own = [trials.signals[row].shape[1] for row in rows.index]
        if min(own) < WINDOW_SECONDS * SFREQ or lengths.setdefault(session, own) != own:
            raise DatasetError(f"{root}: clips of SEED-V are as long for everybody, {WINDOW_SECONDS:g} s at least; "
                               f"person {subject}, session {session} has {own} samples")
    return [names.index(name) for name in SEED_62], [_one_after_another(lengths.get(session, [])) for session in DATES]


def _one_after_another(n_times: list[int]) -> list[tuple[float, float]]:
    """Start and end of clips with a second of rest before each."""
    seconds = np.array(n_times) / SFREQ
    ends = np.cumsum(seconds + 1)
    return list(zip((ends - seconds).tolist(), ends.tolist()))


def simulate(n_subjects: int = 2, *, n_sessions: int = N_SESSIONS, n_trials: int = N_TRIALS, n_seconds: float = 4.0,
             effect: float = 1.0, fingerprint: float = 1.0, random_state: int = 0) -> Trials:
    """Simulate people who see 15 clips on each day.

    Parameters
    ----------
    n_subjects, n_sessions : int
        Up to 16 and 3.
    n_trials : int
        The first so many clips of each session.
    n_seconds : float
        Mean length of a clip (164 s in the dataset); clips are as unequal as the real ones, in whole windows of 4 s.
    effect, fingerprint, random_state
        See `eegemo_utils.simulate.simulate_trials`.

    Returns
    -------
    Trials
        As `read` gives them.

    Raises
    ------
    ValueError
        When a number is out of range.
    """
    if not (1 <= n_subjects <= N_SUBJECTS and 1 <= n_sessions <= N_SESSIONS and 1 <= n_trials <= N_TRIALS
            and n_seconds > 0):
        raise ValueError(f"1 to 16 people, 1 to 3 sessions, 1 to 15 trials and some time, please; got "
                         f"n_subjects={n_subjects}, n_sessions={n_sessions}, n_trials={n_trials}, "
                         f"n_seconds={n_seconds}")
    keys = [(session, trial) for session in range(1, n_sessions + 1) for trial in range(1, n_trials + 1)]
    table = pd.concat([_table(str(number), keys) for number in range(1, n_subjects + 1)], ignore_index=True)
    real = np.array(files.N_WINDOWS)
    scaled = np.rint(n_seconds / WINDOW_SECONDS * real / real.mean()).clip(min=1) * WINDOW_SECONDS
    plan = table.assign(n_seconds=scaled[table["session"] - 1, table["trial"] - 1],
                        valence=table["label"].map(lambda label: FELT[label][0]),
                        arousal=table["label"].map(lambda label: FELT[label][1]))
    made = simulate_trials(plan, ch_names=SEED_62, sfreq=SFREQ, effect=effect, fingerprint=fingerprint,
                           random_state=random_state)
    return Trials(made.signals, made.info, table, None, "simulated SEED-V cohort")
