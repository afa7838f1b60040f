"""SEED-V: 16 people see 45 film clips of five emotions, 15 on each of three days; signals at 1000 Hz, or features.

Layout (Liu et al. 2022, IEEE Trans. Cognitive and Developmental Systems 14:715-729, and the dataset's page):

- ``EEG_raw/<person>_<session>_<yyyymmdd>.cnt``: 48 Neuroscan files of a whole session each, 1000 Hz, 62 electrodes and
  M1, M2, VEO, HEO; where a clip starts and ends is a list of seconds (torcheeg/torcheeg,
  torcheeg/datasets/module/emotion_recognition/seed_v.py), not a trigger;
- ``EEG_DE_features/<person>_123.npz``: differential entropy of 4-s windows of all three sessions; ``data`` and
  ``label`` are the bytes of a pickled dictionary each, by trial 0-44: (windows, 310), 62 electrodes times 5 bands, the
  bands of an electrode side by side, and (windows,).

What the reader decides, and says in ``decisions`` and in the report of `check`:

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

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eegemo_utils.datasets import seed_v_files as files
from eegemo_utils.datasets.base import Dataset, Option, Part, Size, Source, feeling
from eegemo_utils.datasets.plausible import others_ignored
from eegemo_utils.datasets.seed_features import entropy_and_power
from eegemo_utils.datasets.seed_v_files import CODES, N_SESSIONS, N_SUBJECTS, N_TRIALS, SFREQ, WINDOW_SECONDS
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import DatasetError

CLASSES = ("disgust", "fear", "sad", "neutral", "happy")
FELT = {"disgust": (-0.8, 0.3), "fear": (-0.8, 0.9), "sad": (-0.8, -0.4), "neutral": (0.0, 0.0), "happy": (0.9, 0.6)}
DATES = {1: "20200101", 2: "20200115", 3: "20200108"}  # of simulated recordings: not in the order of the sessions


@dataclass(frozen=True)
class Recording(Source):
    """A file, and start and end of the clips in it; session 0 is a file of features with all sessions."""

    clips: tuple = ()


class SeedV(Dataset):
    """SEED-V: see the text of this file."""

    name, short = "seed_v", "SEED-V"
    title = "SEED-V (16 people, 45 film clips on three days)"
    licence = "signed agreement; academic, not commercial, not to be passed on"
    source = "Shanghai Jiao Tong University, bcmi.sjtu.edu.cn/home/seed: agreement signed by a supervisor"
    labels = "disgust, fear, sad, neutral, happy (0-4): by clip"
    folders = ("seed_v", "SEED_V", "SEED-V")
    papers = "labram, gmss"
    ch_names, sfreq, bands = SEED_62, SFREQ, ("delta", "theta", "alpha", "beta", "gamma")
    people = tuple(str(number) for number in range(1, N_SUBJECTS + 1))
    place = "Folder that holds ``EEG_raw`` or ``EEG_DE_features``, or one of these."
    unit = "62 electrodes, microvolt, 1000 Hz (a whole person is about 1.8 GB); or differential entropy, X (windows, " \
        "62, 5 bands), float32"
    columns = {"subject": "1-16", "session": "1-3", "trial": "1-15",
               "window": "of features, 0, 1, ... in the trial", "label": ", ".join(CLASSES), "code": "0-4",
               "clip": "1-45"}
    options = {"form": Option("raw", "Signals, or stored differential entropy.", ("raw", "features"))}
    sizes = {"n_subjects": Size(2, "People.", 1, N_SUBJECTS),
             "n_sessions": Size(N_SESSIONS, "Sessions.", 1, N_SESSIONS),
             "n_trials": Size(N_TRIALS, "The first clips of each session.", 1, N_TRIALS),
             "n_seconds": Size(4.0, "Of a clip on average (164 in the dataset); clips are as unequal as the real "
                                    "ones, in whole windows of 4 s.", 0.01)}
    forms = ("raw", "features")

    def top(self, root):
        return root.parent if root.name in files.FOLDERS.values() else root

    def variants(self, root):
        return {form: {"form": form} for form in files.forms(root) or ["raw"]}

    def find(self, root, form="raw"):
        found, others = files.find(root, form)
        clips = files.clip_seconds(self.top(root), self.described(root)[1]) if form == "raw" else None
        return [Recording(subject, path, path.name, session=session, form=form,
                          clips=tuple(clips[session - 1]) if session else ())
                for subject, paths in found.items() for session, path in sorted(paths.items())], others_ignored(others)

    def load(self, source, strict):
        if source.session:
            values, said = files.load_signals(source.path, list(source.clips))
            return Part(values, _table(source.subject, [(source.session, trial + 1) for trial in range(len(values))]),
                        said)
        features, said = files.load_features(source.path, complete=strict)
        return Part(list(features.values()), _table(source.subject, list(features)), said)

    def line(self, source, part):
        amount = f"{sum(map(len, part.values))} windows" if part.stored else \
            f"{sum(value.shape[1] for value in part.values) / SFREQ:.0f} s"
        return (f"{source.path.name}: person {source.subject}, "
                f"{f'session {source.session}' if source.session else 'all sessions'}, {len(part.values)} trials, "
                f"{amount}")

    def label(self, table, root, strict, form="raw"):
        n_sessions = table.groupby("subject", sort=False)["session"].nunique()
        few = n_sessions.index[n_sessions < N_SESSIONS] if form == "raw" else []
        return table, [f"fewer than {N_SESSIONS} recordings of person {subject}" for subject in few]

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        lengths = {}
        for (subject, session), rows in trials.table.groupby(["subject", "session"]):
            rows = rows.sort_values("trial")
            known = session in DATES and len(rows) <= N_TRIALS
            expected = _table(subject, [(session, trial) for trial in range(1, len(rows) + 1)]) if known else None
            if not known or any(rows[name].tolist() != expected[name].tolist() for name in ("trial", "label")):
                raise DatasetError(f"{root}: SEED-V has the people 1 to 16, sessions 1 to 3 and trials 1, 2, ... with "
                                   f"the published labels; person {subject}, session {session} has others")
            own = [trials.signals[row].shape[1] for row in rows.index]
            if min(own) < WINDOW_SECONDS * SFREQ or lengths.setdefault(session, own) != own:
                raise DatasetError(f"{root}: clips of SEED-V are as long for everybody, {WINDOW_SECONDS:g} s at least; "
                                   f"person {subject}, session {session} has {own} samples")

    def targets(self, table, root, form):
        folder = root / files.FOLDERS[form]
        if form == "features":
            return {folder / f"{subject}_123.npz": rows.sort_values(["session", "trial"])
                    for subject, rows in table.groupby("subject", sort=False)}
        return {folder / f"{subject}_{session}_{DATES[session]}.cnt": rows.sort_values("trial")
                for (subject, session), rows in table.groupby(["subject", "session"], sort=False)}

    def present(self, root, form):
        return [path for name in files.FOLDERS.values() for path in (root / name).glob("*_*")]

    def own(self, present, targets, table, root):
        return {path for form in self.forms for path in self.targets(table, root, form)}

    def save(self, path, signals, rows):
        if path.suffix == ".cnt":
            files.save_signals(path, signals, _one_after_another([signal.shape[1] for signal in signals]))
        else:
            keys = zip(rows["session"], rows["trial"])
            files.save_features(path, {key: entropy_and_power(signal, SFREQ, WINDOW_SECONDS)[0]
                                       for key, signal in zip(keys, signals)})

    def save_beside(self, root, trials, form):
        clips = []
        for session in DATES:
            rows = trials.table[trials.table["session"] == session]
            rows = rows[rows["subject"] == rows["subject"].iloc[0]].sort_values("trial") if len(rows) else rows
            clips.append(_one_after_another([trials.signals[row].shape[1] for row in rows.index]))
        files.save_clips(root, clips)

    def plan(self, n_subjects, n_sessions, n_trials, n_seconds, random_state):
        keys = [(session, trial) for session in range(1, n_sessions + 1) for trial in range(1, n_trials + 1)]
        table = pd.concat([_table(subject, keys) for subject in self.people[:n_subjects]], ignore_index=True)
        real = np.array(files.N_WINDOWS)
        scaled = np.rint(n_seconds / WINDOW_SECONDS * real / real.mean()).clip(min=1) * WINDOW_SECONDS
        return table, table.assign(n_seconds=scaled[table["session"] - 1, table["trial"] - 1], **feeling(table, FELT))


def _table(subject: str, keys: list[tuple[int, int]]) -> pd.DataFrame:
    codes = [CODES[session - 1][trial - 1] for session, trial in keys]
    return pd.DataFrame({"subject": subject, "session": [session for session, _ in keys],
                         "trial": [trial for _, trial in keys], "label": [CLASSES[code] for code in codes],
                         "code": codes, "clip": [(session - 1) * N_TRIALS + trial for session, trial in keys]})


def _one_after_another(n_times: list[int]) -> list[tuple[float, float]]:
    """Return start and end of clips with a second of rest before each."""
    seconds = np.array(n_times) / SFREQ
    ends = np.cumsum(seconds + 1)
    return list(zip((ends - seconds).tolist(), ends.tolist()))


DATASET = SeedV()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
