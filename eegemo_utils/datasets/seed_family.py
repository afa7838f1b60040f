"""What SEED and SEED-IV have in common: the classes of both differ in facts only; see `seed` and `seed_iv`."""

import numpy as np
import pandas as pd

from eegemo_utils.datasets import seed_files as files
from eegemo_utils.datasets.base import Dataset, Option, Part, Size, feeling
from eegemo_utils.datasets.plausible import others_ignored
from eegemo_utils.datasets.seed_features import all_kinds
from eegemo_utils.datasets.seed_files import BANDS, N_SESSIONS, N_SUBJECTS, SFREQ, Layout
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import DatasetError

FIRST_DAY = 20200101  # of simulated recordings


class SeedFamily(Dataset):
    """SEED or SEED-IV."""

    layout: Layout
    felt: dict[str, tuple[float, float]]  # valence and arousal of each label in simulations

    licence = "signed agreement; academic, not commercial, not to be passed on"
    source = "Shanghai Jiao Tong University, bcmi.sjtu.edu.cn/home/seed: agreement signed by a supervisor"
    papers = "gmss, labram"
    ch_names, sfreq, bands = SEED_62, SFREQ, BANDS
    people = tuple(str(number) for number in range(1, N_SUBJECTS + 1))
    unit = "62 electrodes, microvolt, 200 Hz; or features, X (windows, rows, 5 bands), float32"
    forms = ("raw", "features")

    def __init__(self):
        layout = self.layout
        clips = len({(session if layout.by_folder else 0, trial) for session, codes in enumerate(layout.labels)
                     for trial in range(len(codes))})
        self.columns = {"subject": "1-15", "session": "1-3", "trial": f"1-{len(layout.labels[0])}",
                        "window": "of features, 0, 1, ... in the trial", "label": ", ".join(layout.classes.values()),
                        "code": f"{min(layout.classes)} to {max(layout.classes)}", "clip": f"1-{clips}"}
        self.options = {"form": Option("raw", "Signals, or stored features.", self.forms),
                        "kind": Option("de_LDS", "Of the features.", tuple(layout.rows))}
        self.sizes = {"n_subjects": Size(2, "People.", 1, N_SUBJECTS),
                      "n_sessions": Size(N_SESSIONS, "Sessions.", 1, N_SESSIONS),
                      "n_trials": Size(None, "The first clips of each session, all by default.", 1,
                                       len(layout.labels[0])),
                      "n_seconds": Size(self.mean_seconds, "Of a clip on average; clips are as unequal as the real "
                                                           "ones, in whole windows.", 0.01)}

    def top(self, root):
        return root.parent if root.name in self.layout.folders.values() else root

    def variants(self, root):
        return {form: {"form": form} for form in self.layout.forms(root)}

    def find(self, root, form="raw", kind="de_LDS"):
        recordings, others = files.find(self.layout, root, form, kind)
        said = [] if self.layout.by_folder else files.load_labels(self.layout, root, form)
        return recordings, others_ignored(others) + said

    def load(self, source, strict):
        if source.form == "raw":
            values, said = files.load_signals(self.layout, source, strict)
        else:
            values, said = files.load_features(self.layout, source, source.kind, strict)
        return Part(values, self._table(source.subject, source.session, len(values)), said)

    def examine(self, source, strict):
        part = self.load(source, strict)
        if source.form == "features":
            files.check_kinds(self.layout, source, strict)
        return part

    def line(self, source, part):
        amount = f"{sum(map(len, part.values))} windows" if part.stored else \
            f"{sum(value.shape[1] for value in part.values) / SFREQ:.0f} s"
        return (f"{source.path.name}: person {source.subject}, session {source.session}, {len(part.values)} trials, "
                f"{amount}")

    def label(self, table, root, strict, form="raw", kind="de_LDS"):
        n_sessions = table.groupby("subject", sort=False)["session"].nunique()
        few = list(n_sessions.index[n_sessions < N_SESSIONS])
        how = "" if self.layout.by_folder else "; sessions are counted by the dates that are there"
        return table, [f"fewer than {N_SESSIONS} recordings of person {', '.join(few)}{how}"] if few else []

    def _table(self, subject: str, session: int, n_trials: int) -> pd.DataFrame:
        layout, trials = self.layout, np.arange(1, n_trials + 1)
        codes = list(layout.labels[session - 1][:n_trials])
        first = (session - 1) * len(layout.labels[0]) if layout.by_folder else 0
        return pd.DataFrame({"subject": subject, "session": session, "trial": trials,
                             "label": [layout.classes[code] for code in codes], "code": codes, "clip": trials + first})

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        for (subject, session), rows in trials.table.groupby(["subject", "session"]):
            known = session in range(1, N_SESSIONS + 1)
            if not known or sorted(rows["trial"]) != list(range(1, len(rows) + 1)):
                raise DatasetError(f"{root}: {self.short} has the people 1 to 15, sessions 1 to 3 and trials 1, 2, "
                                   f"...; found person {subject}, session {session}, trials {sorted(rows['trial'])}")
            rows = rows.sort_values("trial")
            # labels do not stand in the recordings' files, so they must be the published ones
            expected = [self.layout.classes[code] for code in self.layout.labels[session - 1]][: len(rows)]
            if rows["label"].tolist() != expected:
                raise DatasetError(f"{root}: the labels of session {session} of {self.short} are {' '.join(expected)}; "
                                   f"person {subject} has {' '.join(map(str, rows['label']))}")
            shortest = min(trials.signals[row].shape[1] for row in rows.index) / SFREQ
            if shortest < self.layout.window_seconds:
                raise DatasetError(f"{root}: a trial of {self.short} holds a window of {self.layout.window_seconds:g} "
                                   f"s at least; person {subject} has one of {shortest:g} s")

    def targets(self, table, root, form):
        folder = root / self.layout.folders[form]
        return {folder / (str(session) if self.layout.by_folder else "")
                / f"{subject}_{FIRST_DAY + 7 * (session - 1)}.mat": rows.sort_values("trial")
                for (subject, session), rows in table.groupby(["subject", "session"], sort=False)}

    def present(self, root, form):
        return [path for name in self.layout.folders.values() for path in (root / name).rglob("*_*.mat")]

    def own(self, present, targets, table, root):
        allowed = {path.relative_to(root).parts[1:] for path in targets}
        return {path for path in present if path.relative_to(root).parts[1:] in allowed}

    def save(self, path, signals, rows):
        initials, variables = "sim" + chr(ord("a") + int(rows["subject"].iloc[0]) - 1), {}
        for number, signal in enumerate(signals, start=1):
            if self.layout.folders["raw"] in path.parts[-3:]:
                variables[f"{initials}_eeg{number}"] = signal
            else:
                kinds = all_kinds(signal, SFREQ, self.layout.window_seconds)
                variables |= {f"{kind}{number}": kinds[kind] for kind in self.layout.rows}
        files.save(path, variables)

    def save_beside(self, root, trials, form):
        if not self.layout.by_folder:
            files.save(root / self.layout.folders[form] / "label.mat", {"label": np.array(self.layout.labels[:1])})

    def plan(self, n_subjects, n_sessions, n_trials, n_seconds, random_state):
        n_trials, tables = n_trials or len(self.layout.labels[0]), []
        for subject in self.people[:n_subjects]:
            for session in range(1, n_sessions + 1):
                lengths = np.array(self.layout.n_windows[session - 1], dtype=float)
                windows = np.rint(n_seconds / self.layout.window_seconds * lengths / lengths.mean()).clip(min=1)
                table = self._table(subject, session, n_trials)
                tables.append(table.assign(n_seconds=windows[:n_trials] * self.layout.window_seconds))
        plan = pd.concat(tables, ignore_index=True)
        return plan.drop(columns="n_seconds"), plan.assign(**feeling(plan, self.felt))
