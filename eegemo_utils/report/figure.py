"""The protocol audit over all papers in one figure."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..collect import AUDIT, NO_PAIRS
from ..plots import OKABE_ITO, use_style
from .start import noise, spread_over

MARKERS = dict(zip(AUDIT, (("o", OKABE_ITO[1]), ("s", OKABE_ITO[0]), ("^", OKABE_ITO[2])), strict=True))
MEANING = {"emotion": "", "simulated": "says nothing about emotion", "not emotion": "no emotions in it",
           "unknown": "labels not known to be emotions"}
WIDE, NARROW = 9.2, 3.9  # inches


def rows_of(audited: pd.DataFrame) -> list[pd.DataFrame]:
    """Return what is drawn of `eegemo_utils.collect.audit`, one entry a group, indexed by metric.

    Emotion first, simulated last.
    """
    parts = [part.set_index("metric") for _, part in audited.groupby(["notebook", "dataset", "data", "settings"])]
    order = ("emotion", "unknown", "not emotion", "simulated")
    known = [part for part in parts if part.index.isin(AUDIT).any()]
    return sorted(known, key=lambda part: order.index(part["data"].iloc[0]))


def audit_figure(rows: list[pd.DataFrame], width: float = WIDE) -> str:
    """Draw each group's accuracies under the protocols on one scale, guessing beside them, as SVG text.

    Parameters
    ----------
    rows : list of DataFrame
        From `rows_of`.
    width : float
        Inches; WIDE has the numbers beside the marks, NARROW only the marks.
    """
    with mpl.rc_context():
        use_style()
        mpl.rcParams["figure.constrained_layout.use"] = False
        step = 0.62
        top, bottom = (1.45, 0.55) if width == NARROW else (0.75, 0.55)
        height = top + bottom + step * len(rows)
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        shown = 0.92 if width == NARROW else 0.66
        ax = figure.add_axes((0.04 if width == NARROW else 0.02, bottom / height, shown, step * len(rows) / height))
        ax.set(xlim=(0, 1), ylim=(len(rows) - 0.45, -0.75), yticks=[], xlabel="accuracy (share of right answers)",
               xticks=np.linspace(0, 1, 6))
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x", color="0.92", lw=0.8)
        for y, row in enumerate(rows):
            draw(ax, y, row, numbers=width != NARROW)
        heads(figure, ax, numbers=width != NARROW)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def draw(ax, y: int, row: pd.DataFrame, numbers: bool) -> None:
    """Draw one group: its name above, marks below, hollow where the data say nothing about emotion."""
    facts = row.iloc[0]
    is_emotion = facts["data"] == "emotion"
    if not is_emotion:
        ax.axhspan(y - 0.6, y + 0.38, color="0.965", zorder=0)
    name = f"{facts['notebook']}, {facts['dataset'] or 'data not named'}"
    label = ax.annotate(name, (0, y - 0.38), xytext=(4, 0), textcoords="offset points", va="center", weight="bold")
    over = spread_over(row).partition(",")[0]
    paired = facts["note"] != NO_PAIRS
    warning = "" if paired else "not in pairs"
    rest = "; ".join(filter(None, (MEANING[facts["data"]], warning, over, facts["settings"] if numbers else "")))
    ax.annotate(shorten(rest, (94 if numbers else 54) - len(name)), (1, 0), xycoords=label, xytext=(7, 0), va="bottom",
                textcoords="offset points", fontsize=8, color="0.3", style="normal" if is_emotion else "italic")
    known = [metric for metric in AUDIT if metric in row.index]
    means = row.loc[known, "mean"]
    if paired:
        ax.hlines(y + 0.05, means.min(), means.max(), color="0.75", lw=2.5, zorder=1)
    for guess, dashes, reach in (("chance", ":", 0.27), ("majority", "--", 0.15)):
        if guess in row.index:
            ax.vlines(row.loc[guess, "mean"], y + 0.05 - reach, y + 0.05 + reach, color="black", ls=dashes, lw=1.4)
    if noise(row) in row.index:
        ax.plot(row.loc[noise(row), "mean"], y + 0.05, "x", color="0.3", ms=6, mew=1.6, zorder=3)
    for metric in known:
        marker, colour = MARKERS[metric]
        mean, low, high = row.loc[metric, ["mean", "low", "high"]].astype(float)
        ax.hlines(y + 0.05, low, high, color=colour, lw=1.4, zorder=2)
        ax.plot(mean, y + 0.05, marker, ms=8, color=colour, mfc=colour if is_emotion else "white", mew=1.8, zorder=4)
        if numbers:
            ax.annotate(f"{mean:.3f}", (1.12 + 0.15 * list(AUDIT).index(metric), y), xycoords="data", ha="center",
                        va="center", color=colour, weight="bold", annotation_clip=False)


def shorten(text: str, length: int) -> str:
    """Return a text of at most so many letters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def heads(figure: Figure, ax, numbers: bool) -> None:
    """Write what the marks mean above them, and the heads of the columns of numbers."""
    def mark(marker, colour, label, **style):
        return Line2D([], [], marker=marker, color=colour, ls="none", ms=7, mew=1.8, label=label, **style)

    handles = [mark(*MARKERS[metric], name) for metric, name in AUDIT.items()]
    handles += [mark("x", "0.3", "published split, labels without meaning"),
                Line2D([], [], color="black", ls=":", label="chance"),
                Line2D([], [], color="black", ls="--", label="always the most frequent class"),
                mark("o", "0.3", "hollow: not known to be emotion", mfc="white")]
    columns = 4 if numbers else 1
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.01, 1), ncols=columns, fontsize=8,
                  handletextpad=0.3, columnspacing=1.2, borderpad=0.2)
    for k, (metric, name) in enumerate(AUDIT.items() if numbers else ()):
        words = name.replace(" ", "\n", 1)
        ax.annotate(words, (1.12 + 0.15 * k, -0.72), xycoords="data", ha="center", va="center", fontsize=8,
                    color=MARKERS[metric][1], annotation_clip=False)
