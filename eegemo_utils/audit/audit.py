"""What an audit has found: a table with honest intervals, sentences that the numbers carry, a figure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy  # scipy.stats loads when it is used

from eegemo_utils import evaluation
from eegemo_utils.audit.protocols import MEANINGLESS, PLANTED, PROTOCOLS, TRUE
from eegemo_utils.files import digest, one_move

TABLE = ["method", "protocol", "labels", "accuracy", "low", "high", "balanced_accuracy", "chance", "majority", "above",
         "p", "smallest_effect", "n_people", "n_trials", "n_windows", "n_seeds"]


@dataclass(frozen=True)
class Audit:
    """Predictions of an audit, and what follows from them.

    Attributes
    ----------
    predictions : DataFrame
        One row per tested window, protocol, kind of labels and seed: method, protocol, labels ("true", "meaningless"
        or "planted"), seed, fold, row, label, predicted, majority (the most frequent label of the fold's training
        part), p_<class>, and subject, session, trial, clip, window where they are known.
    shortcuts : DataFrame
        Probes, surrogates and people x clips; see `eegemo_utils.audit.shortcuts`.
    splits : DataFrame
        The splits themselves: protocol, seed, fold, row (of the windows' table), part ("train" or "test").
    notes : tuple of str
        Questions that could not be asked, and why.
    description : str
        Of the data.
    """

    predictions: pd.DataFrame
    shortcuts: pd.DataFrame
    splits: pd.DataFrame
    notes: tuple[str, ...] = ()
    description: str = ""

    @property
    def method(self) -> str:
        """Return the method that was audited; the others are references."""
        return str(self.predictions["method"].iloc[0])

    def rows(self, protocol: str, labels: str = TRUE, method: str = "") -> pd.DataFrame:
        """Return the predictions of one method under one protocol on one kind of labels."""
        found = self.predictions
        wanted = {"method": method or self.method, "protocol": protocol, "labels": labels}
        return found[np.logical_and.reduce([found[name] == value for name, value in wanted.items()])]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Return one row per method, protocol and kind of labels.

        accuracy, low and high are the mean over people and its 95 % interval (`evaluation.interval`); chance is one
        over the number of classes, majority always answering the most frequent label of the training part. above is
        the mean difference from the better of these two, p its one-sided probability by Student's test over people,
        corrected by Holm over the protocols of the audited method; smallest_effect what would have been shown with a
        probability of 80 %. Without people, trials are what is counted.
        """
        keys = ["method", "protocol", "labels"]
        rows = [dict(zip(keys, key)) | bar(part) for key, part in self.predictions.groupby(keys, sort=False)]
        table = pd.DataFrame(rows).reindex(columns=TABLE)
        tested = (table["method"] == self.method) & (table["labels"] == TRUE) & table["p"].notna()
        table.loc[tested, "p"] = evaluation.holm(table.loc[tested, "p"])
        table.loc[(table["labels"] != TRUE) | (table["method"] != self.method), "p"] = np.nan
        order = {name: place for place, name in enumerate(PROTOCOLS)}
        return table.sort_values(["labels", "method", "protocol"], ignore_index=True, kind="stable",
                                 key=lambda column: column.map(order | {TRUE: 0, MEANINGLESS: 1, PLANTED: 2}
                                                               | {self.method: 0}).fillna(9))

    def fall(self, protocol: str) -> evaluation.Interval | None:
        """Return what the published protocol scores more than another one, paired over people."""
        pair = [person_means(self.rows(one)) for one in ("published", protocol)]
        if min(map(len, pair)) == 0:
            return None
        common = pair[0].index.intersection(pair[1].index)
        return evaluation.difference(pair[0][common], pair[1][common], subject=common)

    def sentences(self) -> list[str]:
        """Return what the numbers say, in words; a verdict only where they carry one."""
        from eegemo_utils.audit.sentences import sentences  # late: it imports this module's neighbours

        return sentences(self)

    def metrics(self) -> dict[str, float | None]:
        """Return the numbers to `record`: accuracy_<protocol>, noise_<protocol>, planted_<protocol>, probe_<what>."""
        found = {}
        names = {TRUE: "accuracy", MEANINGLESS: "noise", PLANTED: "planted"}
        own = self.table[self.table["method"] == self.method]
        for row in own.itertuples():
            found[f"{names[row.labels]}_{row.protocol}"] = row.accuracy
        first = own.iloc[0]
        found |= {"chance": first["chance"], "majority": first["majority"]}
        for (question, protocol, of), part in self.shortcut_means().groupby(["question", "protocol", "of"], sort=False):
            name = f"{question} {of} {protocol if question.startswith('probe') else ''}".strip()
            found["".join(sign if sign.isalnum() else "_" for sign in name.lower().replace(", ", "_"))] = (
                float(part["accuracy"].iloc[0]))
        return found

    def write(self, folder: str | Path | None = None) -> None:
        """Write ``predictions.parquet`` and ``splits.parquet``, each whole or not at all.

        Parameters
        ----------
        folder : str or Path, optional
            By default the run's folder, ``$EEGEMO_OUT``; nothing is written where that is unset. The digest of the
            splits stands in the metadata of both files, so that predictions can be matched with their splits.
        """
        folder = folder or os.environ.get("EEGEMO_OUT")
        if not folder:
            return
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        splits = digest(self.splits.to_csv(index=False))
        for name, table in (("predictions", self.predictions), ("splits", self.splits)):
            table = table.copy()
            table.attrs = {"splits_sha256": splits}
            with one_move(folder / f"{name}.parquet") as partial:
                table.to_parquet(partial, index=False)

    def shortcut_means(self) -> pd.DataFrame:
        """Return the mean of each probe, surrogate and cell over folds, people and seeds."""
        if self.shortcuts.empty:
            return pd.DataFrame(columns=["question", "protocol", "of", "accuracy", "chance", "majority"])
        keys = ["question", "protocol", "of"]
        return self.shortcuts.groupby(keys, sort=False)[["accuracy", "chance", "majority"]].mean().reset_index()

    def figure(self) -> plt.Figure:
        """Draw the protocols with their controls and references; below, what probes and surrogates tell."""
        from eegemo_utils.audit.figure import draw  # late: most users of an audit's numbers draw nothing

        return draw(self)


def person_means(rows: pd.DataFrame) -> pd.Series:
    """Return the share of right answers of each person, or of each trial where people are not known."""
    right = (rows["label"] == rows["predicted"]).astype(float)
    return evaluation.unit_means(right, **units(rows)) if len(rows) else pd.Series(dtype=float)


def units(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the keyword arguments of `evaluation.interval` for a table of predictions."""
    if "subject" in rows:
        return {"subject": rows["subject"].astype(str).to_numpy()}
    return {"trial": rows["trial"].astype(str).to_numpy()} if "trial" in rows else {}


def bar(rows: pd.DataFrame) -> dict[str, object]:
    """Return a row of the table for one method, protocol and kind of labels."""
    right = (rows["label"] == rows["predicted"]).astype(float).to_numpy()
    usual = (rows["label"] == rows["majority"]).astype(float).to_numpy()
    classes, named = np.unique(rows["label"]), units(rows)
    guess = usual if usual.mean() >= 1 / len(classes) else np.full(len(usual), 1 / len(classes))
    score, above = evaluation.interval(right, **named), evaluation.paired(right, guess, **named)
    trial = [name for name in ("subject", "session", "trial") if name in rows]
    recall = [float(right[(rows["label"] == name).to_numpy()].mean()) for name in classes]
    return {"accuracy": score.mean, "low": score.low, "high": score.high, "balanced_accuracy": float(np.mean(recall)),
            "chance": 1 / len(classes), "majority": evaluation.interval(usual, **named).mean,
            "above": float(above.mean()), "p": above_zero(above),
            "smallest_effect": evaluation.smallest_effect(right - guess, **named),
            "n_people": rows["subject"].nunique() if "subject" in rows else None,
            "n_trials": rows[trial].drop_duplicates().shape[0] if "trial" in rows else None,
            "n_windows": rows["row"].nunique() if "row" in rows else len(rows),
            "n_seeds": rows["seed"].nunique() if "seed" in rows else 1}


def above_zero(values: np.ndarray) -> float | None:
    """Return the one-sided p value of Student's test that the mean is above 0; None with too few people."""
    if len(values) < evaluation.FEWEST:
        return None
    if np.ptp(values) < 1e-12:  # all alike: the sign test
        return 0.5 ** len(values) if values[0] > 0 else 1.0
    return float(scipy.stats.ttest_1samp(values, 0, alternative="greater").pvalue)
