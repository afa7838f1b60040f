"""Train one method under several protocols, with controls, and keep what it predicts of each window."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from eegemo_utils.audit import shortcuts
from eegemo_utils.audit.audit import Audit
from eegemo_utils.audit.estimators import fit, fresh, references, taken
from eegemo_utils.audit.protocols import MEANINGLESS, PLANTED, PROTOCOLS, TRUE, deal, folds, plant
from eegemo_utils.files import one_move
from eegemo_utils.splits import Split
from eegemo_utils.splits.core import trial_names
from eegemo_utils.trials import Windows

KEYS = ("subject", "session", "trial", "clip", "window", "start_s")


@dataclass(frozen=True)
class Task:
    """One method under one protocol, on one kind of labels, with one seed: all its folds."""

    method: str
    protocol: str
    labels: str
    seed: int

    def __str__(self) -> str:
        return f"{self.method}, {self.protocol}, {self.labels} labels, seed {self.seed}"


def run(estimator: BaseEstimator | type[BaseEstimator], windows: Windows, *,
        protocols: Sequence[str] = tuple(PROTOCOLS), published: Sequence[Split] | None = None, name: str = "",
        n_folds: int = 5, n_seeds: int = 3, n_draws: int = 3, planted_effect: float = 1.0,
        with_references: bool = True, with_shortcuts: bool = True,
        surrogates: Mapping[str, np.ndarray] | None = None, n_jobs: int = 1, cache: str | Path | None = None,
        progress: Callable[[str], None] | None = None) -> Audit:
    """Ask a method the questions that a score has to answer before it means anything.

    Parameters
    ----------
    estimator : scikit-learn classifier, or its class
        ``fit(X, y)`` and ``predict_proba``; it is cloned for each fold. What it also offers is used: ``random_state``
        (one per seed); ``fit(..., groups=)`` for a validation part of whole trials; ``fit(..., eval_set=(X, y))``,
        which under ``published`` gets the test part, as published results chose their epoch; ``fit_many``;
        ``represent(X)`` and ``initialize(X, y)`` for probes.
    windows : Windows
        Inputs, and a table with label and trial, and subject, session and clip where they are known.
    protocols : sequence of {"published", "by_trial", "by_subject", "by_clip"}
        Those that the table cannot give are left out and named in ``Audit.notes``.
    published : sequence of Split, optional
        The paper's own split; without it, windows shuffled.
    name : str
        Of the method; by default its class.
    n_folds, n_seeds, n_draws : int
        Folds of a protocol; repetitions with another ``random_state`` and other folds; draws of labels without meaning.
    planted_effect : float
        Size of the positive control, in standard deviations of a feature; 0 leaves it out.
    with_references, with_shortcuts : bool
        Also a linear model and nearest neighbours; people x clips and probes.
    surrogates : dict of name to array like ``windows.X``, optional
        Inputs made from changed recordings, see `eegemo_utils.audit.surrogate`; the models that were trained by
        trial are tested on them.
    n_jobs : int
        Processes for the folds; -1: one per core.
    cache : folder, optional
        What is finished is kept there, and an interrupted audit goes on.
    progress : callable, optional
        Gets a line after each part, such as `print`.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        Fewer than two labels, or no protocol is possible with this table.
    """
    estimator = estimator() if isinstance(estimator, type) else estimator
    methods = {name or type(estimator).__name__: estimator} | (references() if with_references else {})
    work = _Work(methods, windows, published, n_folds, planted_effect, surrogates, with_shortcuts, n_jobs, cache)
    tasks, notes = work.plan(protocols, n_seeds, n_draws)
    begun, found = time.monotonic(), []
    for number, task in enumerate(tasks, start=1):
        found.append(work.finish(task))
        if progress:
            spent = time.monotonic() - begun
            progress(f"{number}/{len(tasks)} {task}: about {spent / number * (len(tasks) - number):.0f} s left")
    extra = [part.assign(method=task.method, seed=task.seed) for task, (_, part) in zip(tasks, found) if len(part)]
    predictions = pd.concat([part for part, _ in found], ignore_index=True)
    return Audit(predictions, pd.concat(extra, ignore_index=True) if extra else pd.DataFrame(),
                 work.splits({(task.protocol, task.seed) for task in tasks}), tuple(notes), windows.description)


class _Work:
    """What all tasks of an audit share."""

    def __init__(self, methods, windows, published, n_folds, planted_effect, surrogates, with_shortcuts, n_jobs, cache):
        self.methods, self.windows, self.published = methods, windows, published
        self.n_folds, self.planted_effect, self.with_shortcuts = n_folds, planted_effect, with_shortcuts
        self.surrogates, self.n_jobs = dict(surrogates or {}), n_jobs
        self.table = windows.table
        self.trials = trial_names(self.table)
        self.cache = Path(cache) if cache else None
        self.folds = functools.cache(self.make_folds)  # asked for by the plan, by each task and for the table of splits
        self.digest = joblib.hash([windows.X, self.table.to_csv(), n_folds, planted_effect, self.surrogates,
                                   with_shortcuts, [(one.train, one.test) for one in published or ()]])

    def plan(self, protocols, n_seeds, n_draws) -> tuple[list[Task], list[str]]:
        """Return the tasks, and a sentence for each question that this table cannot answer."""
        labels = self.table["label"].unique()
        if len(labels) < 2:
            raise ValueError(f"an audit needs windows of two labels at least, found {', '.join(map(str, labels))}")
        possible, notes = [], []
        for protocol in protocols:
            try:
                self.folds(protocol, 0)
                possible.append(protocol)
            except ValueError as error:
                notes.append(f"{PROTOCOLS.get(protocol, protocol)}: not possible: {error}")
        if not possible:
            raise ValueError("no protocol is possible with this table: " + " ".join(notes))
        tasks = [Task(method, protocol, TRUE, seed) for method in self.methods for protocol in possible
                 for seed in range(n_seeds)]
        first = next(iter(self.methods))
        for protocol in possible:
            try:
                deal(self.table, self.folds(protocol, 0), 0)
            except ValueError as error:
                notes.append(f"{PROTOCOLS[protocol]}: no labels without meaning: {error}")
            else:
                tasks += [Task(first, protocol, MEANINGLESS, draw) for draw in range(n_draws)]
                if self.planted_effect and protocol in ("by_trial", "by_subject"):
                    tasks.append(Task(first, protocol, PLANTED, 0))
        return tasks, notes

    def make_folds(self, protocol: str, seed: int) -> list[Split]:
        """Return the folds of a protocol; a published split is the same for all seeds."""
        if protocol == "published" and self.published is not None:
            return list(self.published)
        return folds(self.table, protocol, self.n_folds, seed)

    def splits(self, used: set[tuple[str, int]]) -> pd.DataFrame:
        """Return the splits of some protocols and seeds as a table; see `Audit.splits`."""
        parts = []
        for protocol, seed in sorted(used):
            for fold in self.folds(protocol, seed):
                train = np.sort(np.concatenate([fold.train, fold.val]))
                for part, rows in (("train", train), ("test", fold.test)):
                    facts = {"protocol": protocol, "seed": seed, "fold": fold.name, "row": rows, "part": part}
                    parts.append(pd.DataFrame(facts))
        return pd.concat(parts, ignore_index=True)

    def finish(self, task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return predictions and shortcut scores of a task, from the cache where they are there."""
        if self.cache is None:
            return self.compute(task)
        estimator = self.methods[task.method]
        key = joblib.hash([self.digest, str(task), type(estimator).__qualname__, str(estimator.get_params())])
        path = self.cache / f"{key}.joblib"
        if path.exists():
            return joblib.load(path)
        result = self.compute(task)
        self.cache.mkdir(parents=True, exist_ok=True)
        with one_move(path) as partial:
            joblib.dump(result, partial)
        return result

    def compute(self, task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Train all folds of a task and test them."""
        parts = self.folds(task.protocol, task.seed)
        X, y = self.windows.X, self.table["label"].to_numpy()
        if task.labels != TRUE:
            y, _ = deal(self.table, parts, task.seed)
        if task.labels == PLANTED:
            X = plant(X, y, self.planted_effect, task.seed)
        models = self.train(self.methods[task.method], X, y, parts, task)
        classes = np.unique(y)
        tested = [self.predict(model, X, y, part, classes, task) for model, part in zip(models, parts)]
        extra = pd.DataFrame()
        if self.with_shortcuts and task.labels == TRUE and task.method == next(iter(self.methods)):
            extra = shortcuts.measure(self.methods[task.method], models, parts, self.windows, self.surrogates, task)
        return pd.concat(tested, ignore_index=True), extra

    def train(self, estimator, X, y, parts, task) -> list[BaseEstimator]:
        """Return one fitted model per fold."""
        jobs = []
        for part in parts:
            rows = np.sort(np.concatenate([part.train, part.val]))
            options = {"groups": self.trials[rows]}
            if task.protocol == "published":
                options["eval_set"] = (X[part.test], y[part.test])
            jobs.append((fresh(estimator, task.seed), X[rows], y[rows], taken(estimator, options)))
        if hasattr(estimator, "fit_many"):
            return type(estimator).fit_many(jobs)
        return joblib.Parallel(self.n_jobs)(joblib.delayed(fit)(*job) for job in jobs)

    def predict(self, model, X, y, part, classes, task) -> pd.DataFrame:
        """Return one row per tested window."""
        rows = part.test
        found = pd.DataFrame({name: self.table[name].to_numpy()[rows] for name in KEYS if name in self.table})
        values, counts = np.unique(y[np.concatenate([part.train, part.val])], return_counts=True)
        probabilities = np.zeros((len(rows), len(classes)))
        probabilities[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(X[rows])
        facts = {"method": task.method, "protocol": task.protocol, "labels": task.labels, "seed": task.seed,
                 "fold": part.name, "row": rows, "label": y[rows], "predicted": classes[probabilities.argmax(axis=1)],
                 "majority": values[counts.argmax()]}
        shares = {f"p_{name}": probabilities[:, k] for k, name in enumerate(classes)}
        return pd.concat([pd.DataFrame(facts), found, pd.DataFrame(shares)], axis=1)
