"""Signal or shortcut: people x clips, what a representation tells, inputs with something taken away."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eegemo_utils.audit.estimators import fresh
from eegemo_utils.splits import Split
from eegemo_utils.splits.core import trial_names
from eegemo_utils.trials import Trials, Windows

SURROGATES = ("phase", "reversed", "channels")
# what a probe asks for, and the protocol whose models and folds it takes: a person or a session must be recognised in
# new trials, a clip in new people, a label in new trials and in new people
PROBES = {"by_trial": ("label", "subject", "session"), "by_subject": ("label", "clip"), "published": ("trial",)}
COLUMNS = ["question", "protocol", "of", "fold", "accuracy", "chance", "majority"]


def measure(estimator: BaseEstimator, models: list, parts: list[Split], windows: Windows, surrogates: dict,
            task) -> pd.DataFrame:
    """Return the probe and surrogate scores of the trained models of one protocol, one row per question and fold."""
    rows = []
    for model, part in zip(models, parts):
        rows += probe(estimator, model, part, windows, task.protocol)
        if task.protocol == "by_trial":
            y = windows.table["label"].to_numpy()[part.test]
            for name, X in surrogates.items():
                right = float((model.predict(X[part.test]) == y).mean())
                rows.append(["surrogate", task.protocol, name, part.name, right, *_guesses(y, y)])
    if task.protocol == "by_trial" and "clip" in windows.table:
        rows += people_by_clips(estimator, windows, task.seed)
    return pd.DataFrame(rows, columns=COLUMNS)


def probe(estimator: BaseEstimator, model, part: Split, windows: Windows, protocol: str) -> list[list]:
    """Return how well a linear model reads person, session, trial, clip and label out of what a network has learned.

    The probe is trained on the representation of the fold's training windows and tested on that of its test windows.
    Beside it stands the same network before training, where the estimator offers one (`initialize`); without
    `represent` the input itself is probed.
    """
    train, test = np.concatenate([part.train, part.val]), part.test
    views = {"input": lambda X: X.reshape(len(X), -1)}
    if hasattr(model, "represent"):
        views = {"trained": model.represent}
        if hasattr(estimator, "initialize"):
            y = windows.table["label"].to_numpy()
            views["untrained"] = fresh(estimator, 0).initialize(windows.X[train], y[train]).represent
    rows = []
    for view, represent in views.items():
        features = [np.asarray(represent(windows.X[side])).reshape(len(side), -1) for side in (train, test)]
        for target in PROBES.get(protocol, ()):
            names = trial_names(windows.table) if target == "trial" else windows.table.get(target)
            if names is None or len(set(names)) < 2:
                continue
            names = np.asarray(names).astype(str)
            known = np.isin(names[test], names[train])
            if not known.any():
                continue
            linear = make_pipeline(StandardScaler(), RidgeClassifier()).fit(features[0], names[train])
            right = linear.predict(features[1][known]) == names[test][known]
            rows.append([f"probe, {view}", protocol, target, part.name, float(right.mean()),
                         *_guesses(names[train], names[test][known])])
    return rows


def people_by_clips(estimator: BaseEstimator, windows: Windows, seed: int) -> list[list]:
    """Return the scores of one model in four cells: people seen or new, clips seen or new; one row per person.

    Half of the people and half of each class's clips are trained on, but for every fifth window of theirs, which is
    the cell that has seen both.
    """
    table, rng = windows.table, np.random.default_rng(seed)
    y = table["label"].to_numpy()
    people = table["subject"].astype(str) if "subject" in table else pd.Series("", table.index)
    clips, seen_clips = table["clip"].astype(str), set()
    for label in np.unique(y):
        own = np.array(sorted(set(clips[y == label]) - seen_clips))
        seen_clips |= set(rng.permutation(own)[: (len(own) + 1) // 2])
    names = np.array(sorted(set(people)))
    seen_people = set(rng.permutation(names)[: (len(names) + 1) // 2])
    person, clip = people.isin(seen_people).to_numpy(), clips.isin(seen_clips).to_numpy()
    inside = np.flatnonzero(person & clip)
    kept_back = inside[np.arange(len(inside)) % 5 == 4]
    train = np.setdiff1d(inside, kept_back)
    if len(set(y[train])) < len(set(y)):
        return []
    model = fresh(estimator, seed).fit(windows.X[train], y[train])
    cells = {"both seen": kept_back, "new person": np.flatnonzero(~person & clip),
             "new clip": np.flatnonzero(person & ~clip), "both new": np.flatnonzero(~person & ~clip)}
    found = []
    for cell, rows in cells.items():
        right = model.predict(windows.X[rows]) == y[rows] if len(rows) else np.zeros(0, bool)
        for name in sorted(set(people.to_numpy()[rows])):
            own = people.to_numpy()[rows] == name
            found.append(["people x clips", "by_trial", cell, name, float(right[own].mean()),
                          *_guesses(y[train], y[rows][own])])
    return found


def surrogate(trials: Trials, kind: str, random_state: int = 0) -> Trials:
    """Return recordings with something taken away; prepare them like the others and hand them to `run`.

    Parameters
    ----------
    trials : Trials
    kind : {"phase", "reversed", "channels"}
        ``"phase"``: phases drawn at random, the same for all channels, so that each channel keeps its spectrum and
        each pair its coherence. ``"reversed"``: time runs backwards, which also keeps the spectrum. ``"channels"``: the
        channels of each trial change places, so that each signal is kept and its place on the head is not.
    random_state : int

    Raises
    ------
    ValueError
        Another kind.
    """
    if kind not in SURROGATES:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(SURROGATES)}")
    rng = np.random.default_rng(random_state)
    signals = [_changed(np.asarray(signal, dtype=float), kind, rng) for signal in trials.signals]
    return Trials(signals, trials.info, trials.table, trials.times, f"{trials.description}, surrogate: {kind}",
                  trials.decisions)


def _changed(signal: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    if kind == "reversed":
        return signal[:, ::-1]
    if kind == "channels":
        return signal[rng.permutation(len(signal))]
    spectrum = np.fft.rfft(signal, axis=1)
    turn = np.exp(2j * np.pi * rng.random(spectrum.shape[1]))
    turn[0] = 1
    if signal.shape[1] % 2 == 0:
        turn[-1] = 1  # the highest frequency of an even length is real
    return np.fft.irfft(spectrum * turn, signal.shape[1], axis=1)


def _guesses(train, test) -> tuple[float, float]:
    """Return chance, and the score of always naming what is most frequent in training."""
    values, counts = np.unique(np.asarray(train), return_counts=True)
    return 1 / len(values), float((np.asarray(test) == values[counts.argmax()]).mean())
