"""What a dataset states about itself, and `read`, `check`, `write` and `simulate` made from it, once for all datasets.

A dataset is a subclass of `Dataset` in a file of its own. Its facts are class attributes; its methods answer what
differs: which files there are (`find`), what one of them holds (`load`), what the labels are (`label`), which files to
write (`targets`, `save`), who sees what in a simulation (`plan`). The loops over files, faults, simulated folders,
reports and the texts of `help` are written here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from numbers import Real
from pathlib import Path
from types import FunctionType

import mne
import numpy as np
import pandas as pd

from eegemo_utils.datasets import texts
from eegemo_utils.datasets.common import eeg_signal, pick_subjects, prepare_folder, read_description, window_rows
from eegemo_utils.datasets.plausible import Survey, few
from eegemo_utils.files import in_words, unreadable
from eegemo_utils.montage import make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials, Windows


@dataclass(frozen=True)
class Option:
    """An option of `read`: its default, what it means, and the values it may have (none: any)."""

    default: object
    text: str
    choices: tuple = ()


@dataclass(frozen=True)
class Size:
    """A number that `simulate` takes: its default, what it means, and its range; whole where `lowest` is an int."""

    default: float | None
    text: str
    lowest: float = 1
    highest: float = inf

    def check(self, name: str, value) -> float | None:
        """Return the value, found to be in range. Raises ValueError."""
        whole = isinstance(self.lowest, int)
        if value is None and self.default is None:
            return None
        right = isinstance(value, Real) and self.lowest <= value <= self.highest
        if not right or value == inf or (whole and value != int(value)):
            highest = "" if self.highest == inf else f", {self.highest:g} at most"
            raise ValueError(f"{name}: expected {'a whole number' if whole else 'a number'}, {self.lowest:g} at least"
                             f"{highest}; got {value}")
        return int(value) if whole else value


@dataclass(frozen=True)
class Source:
    """One file or folder to read: whose it is, and what its name tells.

    `name` is what reports call it; `where` is where it lies, for errors (the path where not given). A dataset that
    needs more makes a subclass.
    """

    subject: str
    path: Path
    name: str
    where: str = ""
    session: int = 1
    trial: int = 0
    form: str = ""

    @property
    def place(self) -> str:
        """The place that errors name."""
        return self.where or str(self.path)


@dataclass
class Part:
    """What one file holds.

    Parameters
    ----------
    values : list of ndarray
        One per trial: signals (n_chans, n_times), the electrodes first, or stored features (n_windows, n_rows,
        n_bands), float32 and finite.
    table : DataFrame
        One row per trial.
    decisions : list of str
        What was decided about this file.
    times : list of ndarray, optional
        Time stamps of the samples of each trial.
    """

    values: list[np.ndarray]
    table: pd.DataFrame
    decisions: list[str] = field(default_factory=list)
    times: list[np.ndarray] | None = None

    @property
    def stored(self) -> bool:
        """Whether the values are features."""
        return bool(self.values) and self.values[0].ndim == 3


class Dataset:
    """A dataset: facts as attributes, answers as methods; the second half of the class works for all of them."""

    name: str  # as in `datasets.load(name)`
    short: str  # as in sentences
    title: str
    licence: str
    source: str
    labels: str
    folders: tuple[str, ...]
    papers: str
    ch_names: tuple[str, ...]  # electrodes, in the order of the files
    sfreq: float
    people: tuple[str, ...] = ()  # of the whole release, where they are known
    place: str = "The dataset's folder."  # what `root` may be
    unit: str = "microvolt"  # of what `read` gives, with what else is to be known of its signals
    columns: dict[str, str] = {}  # of the table that `read` gives, with what they hold
    options: dict[str, Option] = {}
    sizes: dict[str, Size] = {}
    forms: tuple[str, ...] = ()  # in which the dataset can be written, the default first
    bands: tuple[str, ...] = ()  # of stored features
    needed: tuple[str, ...] = ()  # columns, besides subject, session, trial and label, that `write` needs

    # ---- answers of a dataset: reading ----

    def find(self, root: Path, **options) -> tuple[list[Source], list[str]]:
        """Return the files in their order, and what was decided about others; DatasetError where there are none."""
        raise NotImplementedError

    def load(self, source: Source, strict: bool) -> Part:
        """Return what a file holds; `strict`: it must be as long and as full as the release. Raises DatasetError."""
        raise NotImplementedError

    def load_each(self, sources: list[Source], strict: bool, checking: bool = False
                  ) -> Iterator[tuple[Source, Part | DatasetError]]:
        """Yield what the files hold, or what is wrong with them; a dataset with all people in one file has its own."""
        for source in sources:
            try:
                yield source, (self.examine if checking else self.load)(source, strict)
            except OSError as error:
                yield source, DatasetError(unreadable(error.filename or source.place, error))
            except DatasetError as error:
                yield source, error

    def label(self, table: pd.DataFrame, root: Path, strict: bool, **options) -> tuple[pd.DataFrame, list[str]]:
        """Return the table with labels and facts of people, its index kept, and what was decided about all files."""
        return table, []

    def top(self, root: Path) -> Path:
        """Return the folder that `write` was given, where `root` may be one of the folders in it."""
        return root

    def info(self) -> mne.Info:
        """Return names and places of the channels that `read` gives."""
        return make_info(self.ch_names, self.sfreq)

    # ---- answers of a dataset: checking ----

    def variants(self, root: Path) -> dict[str, dict]:
        """Return the options to check a folder with, by the name that stands before each line of the report."""
        return {"": {}}

    def examine(self, source: Source, strict: bool) -> Part:
        """Return what `check` looks at, which may be less than `load` reads."""
        return self.load(source, strict)

    def line(self, source: Source, part: Part) -> str:
        """Return a line about a sound file for the report; "" for none."""
        return ""

    def remarks(self, table: pd.DataFrame, root: Path) -> list[str]:
        """Return what only `check` compares, such as the ratings with a second list of them."""
        return []

    def absent(self, sources: list[Source]) -> list[str]:
        """Return what the whole release has and this folder has not."""
        known = {source.subject for source in sources}
        missing = [subject for subject in self.people if subject not in known]
        return [f"no recording of {few(missing, 8)}"] if missing else []

    # ---- answers of a dataset: writing and simulating ----

    def check_trials(self, trials: Trials, root: Path, form: str) -> None:
        """Raise DatasetError where trials with the right channels, columns and people still do not fit."""

    def targets(self, table: pd.DataFrame, root: Path, form: str) -> dict[Path, pd.DataFrame]:
        """Return the files to be written, and the rows of each."""
        raise NotImplementedError

    def present(self, root: Path, form: str) -> list[Path]:
        """Return the recordings that a folder holds, in any form, which must not be mixed with others."""
        raise NotImplementedError

    def own(self, present: set[Path], targets: dict, table: pd.DataFrame, root: Path) -> set[Path]:
        """Return those of the recordings in a folder that may stay, or be replaced, where the cohort is the same."""
        return set(targets)

    def save(self, path: Path, signals: list[np.ndarray], rows: pd.DataFrame) -> None:
        """Write one file, in one move."""
        raise NotImplementedError

    def save_beside(self, root: Path, trials: Trials, form: str) -> None:
        """Write what lies beside the recordings."""

    def plan(self, *, random_state: int, **sizes) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return a table as `read` gives it, and the same with n_seconds, valence and arousal for `simulate_trials`."""
        raise NotImplementedError

    # ---- the same for all ----

    @property
    def facts(self) -> dict[str, object]:
        """What `datasets.available` shows, and the usual names of the folder."""
        return {"name": self.name, "title": self.title, "licence": self.licence, "source": self.source,
                "channels": ", ".join(self.ch_names), "sfreq": self.sfreq, "labels": self.labels,
                "folders": self.folders, "papers": self.papers}

    def functions(self) -> list[FunctionType]:
        """Return `read`, `check`, `write`, `simulate` as functions of the dataset's module, with their own help."""
        return [texts.function_of(self, name) for name in ("read", "check", "write", "simulate")]

    def described(self, root: Path) -> tuple[str, bool]:
        """Return what the folder says of itself, and whether it was made by `write`."""
        top = self.top(root)
        return read_description(top, f"{self.short} in {top.name}")

    def sources(self, root: Path, subjects, **options) -> tuple[list[Source], list[str]]:
        """Return the files of some people, or of all, and what was decided about others. Raises DatasetError."""
        for name, value in options.items():
            choices = self.options[name].choices
            if choices and value not in choices:
                raise DatasetError(f"{root}: no {name} is called {value!r}; there are {', '.join(map(str, choices))}")
        sources, decisions = in_words(self.find)(root, **options)
        chosen = pick_subjects(root, list(dict.fromkeys(source.subject for source in sources)), subjects)
        return [source for source in sources if source.subject in chosen], decisions

    def read(self, root, subjects=None, **options) -> Trials | Windows:
        """Read some people or all, one file at a time; see `texts.read_text`."""
        root = Path(root)
        sources, ignored = self.sources(root, subjects, **options)
        description, written = self.described(root)
        survey, parts = Survey(self.ch_names, self.sfreq, alpha=False), []
        for source, part in self.load_each(sources, not written):
            parts.append(self._checked(source, part, survey))
        values = [value for part in parts for value in part.values]
        decisions = [line for part in parts for line in part.decisions]
        if not values:
            raise DatasetError(f"{root}: nothing can be read. {'; '.join(decisions[:5])}")
        table = pd.concat([part.table for part in parts if part.values], ignore_index=True)
        table, said = self.label(table, root, not written, **options)
        decisions = (*said, *decisions, *survey.said, *survey.copies(), *ignored)
        kept = [values[row] for row in table.index]
        if parts[0].stored:
            return self._windows(kept, table, description, decisions)
        times = [stamps for part in parts for stamps in part.times or ()]
        times = [times[row] for row in table.index] if times else None
        return Trials(kept, self.info(), table, times, description, decisions, checked=True)

    def _windows(self, values, table: pd.DataFrame, description: str, decisions: tuple[str, ...]) -> Windows:
        info = self.info() if values[0].shape[1] == len(self.ch_names) else None
        rows = window_rows(table, [len(value) for value in values])
        return Windows(np.concatenate(values), rows, None, info, self.bands, description, decisions)

    def _checked(self, source: Source, part: Part | DatasetError, survey: Survey) -> Part:
        """Return the part with finite signals in microvolt, as float32."""
        if isinstance(part, DatasetError):
            raise part
        if not part.values:
            return part
        n_chans = len(self.ch_names)
        for place, (signal, trial) in enumerate(zip(part.values, part.table["trial"])):
            if not part.stored:
                where = source.place if len(part.values) == 1 else f"{source.place}, trial {trial}"
                eeg = eeg_signal(signal[:n_chans], survey.names, where)
                part.values[place] = eeg if len(signal) == n_chans else np.concatenate(
                    [eeg, signal[n_chans:].astype(np.float32)])
        survey.add(source.name, [value[:n_chans] for value in part.values], source.place, part.stored)
        return part

    def check(self, root) -> Report:
        """Say what a folder holds, what is missing or damaged and what `read` does; see `texts.check_text`."""
        root = Path(root)
        report = Report(self.name, root, ok=False)
        try:
            variants = in_words(self.variants)(root)
        except DatasetError as error:
            report.missing.append(f"fault: {error}")
            return report
        sound = [self._check_variant(root, report, name, options) for name, options in variants.items()]
        if any(variants):
            report.found.append(f"forms that are here: {', '.join(variants)}")
        report.found = list(dict.fromkeys(report.found))
        report.decisions = list(dict.fromkeys(report.decisions))
        report.ok = any(sound) and not any(line.startswith("fault: ") for line in report.missing)
        return report

    def _check_variant(self, root: Path, report: Report, name: str, options: dict) -> bool:
        """Fill the report; return whether any file was sound."""
        before, tables, said, sources = f"{name}: " if name else "", [], [], []
        survey = Survey(self.ch_names, self.sfreq)
        try:
            sources, ignored = self.sources(root, None, **options)
            description, written = self.described(root)
            report.found.append(description)
            n_before = len(report.missing)
            for source, part in self.load_each(sources, not written, checking=True):
                try:
                    part = self._checked(source, part, survey)
                except DatasetError as error:
                    report.missing.append(f"fault: {error}")
                    continue
                report.found += [before + line] if (line := self.line(source, part)) else []
                tables.append(part.table)
                said += part.decisions
            people = {source.subject for source in sources}
            report.found.append(f"{before}{len(sources)} recordings of {len(people)} people, "
                                f"{len(report.missing) - n_before} of them faulty")
            if tables:
                table, decisions = self.label(pd.concat(tables, ignore_index=True), root, not written, **options)
                report.missing += [before + line for line in self.remarks(table, root)]
                report.decisions += [before + line for line in (*decisions, *said, *survey.said, *ignored)]
        except DatasetError as error:
            report.missing.append(f"fault: {error}")
        report.missing += [before + line for line in (*survey.copies(), *self.absent(sources))] if tables else []
        report.found += [before + line for line in survey.alpha()]
        return bool(tables)

    def write(self, trials: Trials, root, form: str = "") -> list[Path]:
        """Write recordings in exactly the dataset's own files; see `texts.write_text`."""
        root, form = Path(root), form or next(iter(self.forms), "")
        names, table, wanted = trials.info["ch_names"], trials.table, self.info()["ch_names"]
        if form and form not in self.forms:
            raise DatasetError(f"{root}: {self.short} has the forms {' and '.join(self.forms)}, not {form!r}")
        missing = [name for name in wanted if name not in names]
        missing += [name for name in self.needed if name not in table or table[name].isna().any()]
        if missing or trials.info["sfreq"] != self.sfreq:
            columns = f" and the columns {', '.join(self.needed)}" if self.needed else ""
            raise DatasetError(f"{root}: {self.short} needs its {len(wanted)} channels at {self.sfreq:g} Hz{columns}; "
                               f"found {trials.info['sfreq']:g} Hz, missing: {', '.join(missing) or 'nothing'}")
        strangers = sorted(set(table["subject"]) - set(self.people)) if self.people else []
        if strangers:
            raise DatasetError(f"{root}: {self.short} has the people {self.people[0]} ... {self.people[-1]}; found "
                               f"{few(strangers)}")
        self.check_trials(trials, root, form)
        if trials.times is not None:  # for those who write them
            table = table.assign(times=pd.Series(trials.times, dtype=object))
        targets = self.targets(table, root, form)
        present = set(self.present(root, form)) if root.is_dir() else set()
        prepare_folder(root, trials.description, present, self.own(present, targets, table, root))
        self.save_beside(root, trials, form)
        picks = [names.index(name) for name in wanted]
        for path, rows in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.save(path, [trials.signals[row][picks] for row in rows.index], rows)
        return list(targets)

    def simulate(self, n_subjects=None, *, effect: float = 1.0, fingerprint: float = 1.0, random_state: int = 0,
                 **sizes) -> Trials:
        """Simulate people; see `texts.simulate_text`."""
        given = {name: size.default for name, size in self.sizes.items()} | sizes
        given |= {} if n_subjects is None else {"n_subjects": n_subjects}
        sizes = {name: self.sizes[name].check(name, value) for name, value in given.items()}
        return self.make(sizes, effect=effect, fingerprint=fingerprint, random_state=random_state)

    def make(self, sizes: dict, *, effect: float, fingerprint: float, random_state: int) -> Trials:
        """Return simulated people of sizes that were found to be in range."""
        table, plan = self.plan(**sizes, random_state=random_state)
        made = simulate_trials(plan, ch_names=self.ch_names, sfreq=self.sfreq, effect=effect, fingerprint=fingerprint,
                               random_state=random_state)
        return Trials(made.signals, made.info, table, None, f"simulated {self.short} cohort")


def feeling(table: pd.DataFrame, by_label: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Return the columns valence and arousal of a plan, from each trial's label."""
    return pd.DataFrame([by_label[label] for label in table["label"]], table.index, ["valence", "arousal"])


def rating_decisions(table: pd.DataFrame, target: str, threshold: float, what: str = "trials") -> list[str]:
    """Return how a rating became the label, and who has only one label."""
    middle = int((table[target] == threshold).sum())
    n_labels = table.groupby("subject")["label"].nunique()
    single = list(n_labels.index[n_labels == 1])
    said = [f"label: {target} above {threshold:g} is high; {middle} rating(s) of exactly {threshold:g} are low"]
    return said + ([f"all {what} of {', '.join(single)} have one label of {target}"] if single else [])
