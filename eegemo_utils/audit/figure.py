"""The picture of an audit: protocols with their controls, then probes, surrogates and people x clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from eegemo_utils.audit.protocols import MEANINGLESS, PLANTED, PROTOCOLS, TRUE
from eegemo_utils.plots import OKABE_ITO

if TYPE_CHECKING:
    from eegemo_utils.audit.audit import Audit

LABELS = {TRUE: ("labels as they are", OKABE_ITO[0]), MEANINGLESS: ("labels without meaning", "0.75"),
          PLANTED: ("planted effect", OKABE_ITO[2])}
OFFSETS = {TRUE: -0.27, MEANINGLESS: 0, PLANTED: 0.27}
MARKERS = ("D", "s", "^", "v")


def draw(audit: Audit) -> plt.Figure:
    """Return the figure of an audit."""
    means = audit.shortcut_means()
    ratio = [max(3, len(audit.table["protocol"].unique()) * 2), max(2, len(means))] if len(means) else [1]
    figure, axes = plt.subplots(len(ratio), 1, figsize=(8, 0.26 * sum(ratio) + 1.6), height_ratios=ratio,
                                squeeze=False, layout="constrained")
    draw_protocols(audit, axes[0, 0])
    if len(means):
        draw_shortcuts(means, axes[1, 0])
    return figure


def draw_protocols(audit: Audit, ax: plt.Axes) -> None:
    """Draw bars of the audited method by protocol and kind of labels, and marks of the references."""
    own = audit.table[audit.table["method"] == audit.method]
    protocols = list(dict.fromkeys(own["protocol"]))
    for kind, (text, colour) in LABELS.items():
        rows = own[own["labels"] == kind].set_index("protocol")
        if not len(rows):
            continue
        at = np.array([protocols.index(name) for name in rows.index]) + OFFSETS[kind]
        ax.barh(at, rows["accuracy"], height=0.25, color=colour, label=text)
        known = rows["low"].notna().to_numpy()
        ax.hlines(at[known], rows["low"][known].astype(float), rows["high"][known].astype(float), color="black", lw=1)
        for y, value, high in zip(at, rows["accuracy"], rows["high"].astype(float).fillna(rows["accuracy"])):
            ax.text(max(value, high) + 0.01, y, f"{value:.2f}", va="center", fontsize=7)
    others = audit.table[(audit.table["method"] != audit.method) & (audit.table["labels"] == TRUE)]
    for marker, (name, rows) in zip(MARKERS, others.groupby("method", sort=False)):
        at = [protocols.index(protocol) - 0.27 for protocol in rows["protocol"]]
        ax.plot(rows["accuracy"], at, marker, color=OKABE_ITO[1], ms=4, mfc="white", label=name)
    guess(ax, own["chance"].iloc[0], own["majority"].iloc[0])
    ax.set_yticks(range(len(protocols)), [PROTOCOLS.get(name, name) for name in protocols])
    ax.set_ylim(len(protocols) - 0.4, -0.6)
    ax.set(xlim=(0, 1.1), xlabel="accuracy (mean over people, 95 % interval)",
           title=f"{audit.method}: {audit.description}")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7, frameon=False)


def draw_shortcuts(means: pd.DataFrame, ax: plt.Axes) -> None:
    """Draw what probes, surrogates and people x clips score, each beside its own chance."""
    means = means.sort_values("question", kind="stable", ignore_index=True)
    names = [f"{row.question}: {row.of}" + where(row) for row in means.itertuples()]
    at = np.arange(len(means))
    ax.barh(at, means["accuracy"], height=0.6, color=OKABE_ITO[5])
    ax.plot(means["chance"], at, "|", color=OKABE_ITO[1], ms=10, label="chance")
    ax.plot(means["majority"], at, "|", color="black", ms=10, label="most frequent")
    for y, value in zip(at, means["accuracy"]):
        ax.text(value + 0.01, y, f"{value:.2f}", va="center", fontsize=7)
    ax.set_yticks(at, names, fontsize=7)
    ax.set_ylim(len(means) - 0.4, -0.6)
    ax.set(xlim=(0, 1.1), xlabel="accuracy", title="Signal or shortcut")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7, frameon=False)


def where(row) -> str:
    """Return the protocol of a probe in brackets; the other questions have but one."""
    return f" ({PROTOCOLS[row.protocol]})" if row.question.startswith("probe") else ""


def guess(ax: plt.Axes, chance: float, majority: float) -> None:
    """Draw chance and the most frequent class as lines."""
    ax.axvline(chance, color=OKABE_ITO[1], ls=":", lw=1.2, label=f"chance {chance:.2f}")
    ax.axvline(majority, color="black", ls="--", lw=0.8, label=f"most frequent {majority:.2f}")
