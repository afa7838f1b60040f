"""One house style, and the figures that the notebooks share.

Every function draws on the axes it is given (or on new ones) and returns them; nothing is shown.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import mne
import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.features import band_contrast
from eegemo_utils.files import one_move
from eegemo_utils.simulate import planted_map
from eegemo_utils.trials import Trials

OKABE_ITO = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000"]


def use_style() -> None:
    """Small, plain figures in colours that colour-blind readers can tell apart (Okabe and Ito)."""
    mpl.rcParams.update({
        "figure.figsize": (5.0, 3.2), "figure.dpi": 100, "savefig.dpi": 100,
        "figure.constrained_layout.use": True,
        "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "axes.labelsize": 9,
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
        "axes.prop_cycle": mpl.cycler(color=OKABE_ITO), "axes.axisbelow": True, "lines.linewidth": 1.5,
        "legend.frameon": False, "image.cmap": "viridis", "svg.hashsalt": "eegemo"})


def save_figure(fig: plt.Figure, name: str) -> None:
    """Write ``$EEGEMO_OUT/figures/<name>.png`` (100 dpi); nothing where that is unset.

    The same figure gives the same bytes: no date, no version in the file. Nothing is returned, so that no path of this
    machine ends up in a notebook's output.

    Parameters
    ----------
    fig : Figure
    name : str
        ``<paper>_<what>`` in lower case, e.g. ``"gru_audit"``.

    Raises
    ------
    ValueError
        A name of another form.
    """
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name):
        raise ValueError(f"figure name {name!r} must be <paper>_<what>, lower case, digits and '_', "
                         "e.g. 'gru_audit'")
    out = os.environ.get("EEGEMO_OUT")
    if not out:
        return
    folder = Path(out) / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    with one_move(folder / f"{name}.png") as partial:
        fig.savefig(partial, format="png", dpi=100, metadata={"Software": None})


def plot_confusion(matrix, labels, ax: plt.Axes | None = None, title: str = "") -> plt.Axes:
    """Confusion matrix with counts; shading is the share of each true class.

    Parameters
    ----------
    matrix : array (n_outputs, n_outputs), counts, rows true and columns predicted
    labels : list of str
    """
    matrix, ax = np.asarray(matrix), ax or _axes((3.2, 3.0))
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        ax.text(column, row, f"{count}\n{share[row, column]:.0%}", ha="center", va="center",
                color="white" if share[row, column] > 0.55 else "black")
    ticks = np.arange(len(labels))
    ax.set_xticks(ticks, labels, rotation=30 if max(map(len, labels)) > 6 else 0, rotation_mode="anchor",
                  ha="right" if max(map(len, labels)) > 6 else "center")
    ax.set_yticks(ticks, labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted", ylabel="true", title=title)
    return ax


def plot_history(history, ax: plt.Axes | None = None, value: str = "loss", restored: int | None = None,
                 title: str = "") -> plt.Axes:
    """Training and validation curve, the restored epoch marked.

    Parameters
    ----------
    history : History, or DataFrame with columns epoch, <value>, val_<value>
    value : {"loss", "accuracy"}
    restored : int, optional
        Epoch to mark; a History knows its own.
    """
    ax = ax or _axes()
    if not isinstance(history, pd.DataFrame):
        restored, history = restored or history.best_epoch, history.table()
    ax.plot(history["epoch"], history[value], ".-", label="training")
    checked = f"val_{value}"
    if checked in history and history[checked].notna().any():
        ax.plot(history["epoch"], history[checked], ".-", label="validation")
        if restored is not None:
            at = history.loc[history["epoch"] == restored, checked].iloc[0]
            ax.plot([restored], [at], "o", ms=9, mfc="none", mec=OKABE_ITO[1], mew=1.5,
                    label=f"best epoch ({restored})")
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel="loss (nat)" if value == "loss" else value, title=title)
    ax.legend()
    return ax


def plot_topomap(values, info: mne.Info, ax: plt.Axes | None = None, unit: str = "", title: str = "",
                 limits: tuple[float, float] | None = None) -> plt.Axes:
    """Scalp map of one value an electrode, seen from above, with a colour bar.

    Parameters
    ----------
    values : array (n_chans,)
    info : mne.Info, with positions
    unit : str
        Of the values, on the colour bar.
    limits : (low, high), optional
        Of the colours, for maps that stand side by side.
    """
    ax = ax or _axes((3.2, 2.6))
    values = np.asarray(values, dtype=float)
    low, high = limits or (values.min(), values.max())
    info = info.copy()
    info["chs"][0]["loc"][:3] += 1e-6  # Muse's four symmetric electrodes lie on a circle, which Qhull refuses
    diverging = low < 0 < high
    if diverging and limits is None:
        low, high = -max(-low, high), max(-low, high)
    image, _ = mne.viz.plot_topomap(values, info, axes=ax, show=False, contours=4, vlim=(low, high),
                                    cmap="RdBu_r" if diverging else "viridis")
    ax.figure.colorbar(image, ax=ax, shrink=0.75, label=unit)
    ax.set_title(title)
    return ax


def plot_audit(bars: pd.DataFrame, chance: float, majority: float, ax: plt.Axes | None = None,
               title: str = "") -> plt.Axes:
    """What each protocol makes of the same model: one bar a protocol, guessing drawn in.

    Parameters
    ----------
    bars : DataFrame
        Columns name, accuracy and, if known, low and high (an interval).
    chance, majority : float
        Accuracy of guessing, and of always answering the most frequent class.
    """
    ax = ax or _axes((5.4, 0.9 + 0.42 * len(bars)))
    at = np.arange(len(bars))
    ax.barh(at, bars["accuracy"], height=0.62, color=OKABE_ITO[5])
    ends = bars["accuracy"].to_numpy(dtype=float).copy()
    if {"low", "high"} <= set(bars):
        low, high = (bars[name].to_numpy(dtype=float) for name in ("low", "high"))
        known = np.isfinite(low) & np.isfinite(high)
        ax.hlines(at[known], low[known], high[known], color="black", lw=1.2)
        ends[known] = np.maximum(ends, high)[known]
    for y, end, accuracy in zip(at, ends, bars["accuracy"], strict=True):
        ax.text(end + 0.012, y, f"{accuracy:.2f}", va="center", zorder=3,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})
    guesses = sorted([(chance, "chance", ":"), (majority, "majority", "--")])
    for (guess, name, dashes), side in zip(guesses, ("right", "left"), strict=True):
        ax.axvline(guess, color=OKABE_ITO[1], ls=dashes, lw=1.2)
        # the lower one is written to the left, the higher to the right: close values cannot collide
        ax.annotate(f"{name} {guess:.2f}", (guess, 1), xycoords=("data", "axes fraction"),
                    xytext=(3 if side == "left" else -3, 3), textcoords="offset points", ha=side, va="bottom",
                    color=OKABE_ITO[1], fontsize=8)
    ax.set_yticks(at, bars["name"])
    ax.set_ylim(len(bars) - 0.5, -0.5)
    ax.set(xlim=(0, 1.1), xticks=np.linspace(0, 1, 6), xlabel="accuracy (share of right answers)")
    ax.set_title(title, pad=18)
    ax.tick_params(axis="y", length=0)
    return ax


def plot_planted(trials: Trials, values, quality: str = "valence", hertz: tuple[float, float] = (8.0, 13.0),
                 band: str = "alpha") -> plt.Figure:
    """What was put into simulated recordings beside what plain statistics find: map, spectrum, map.

    Parameters
    ----------
    trials : Trials
        Simulated, averaged to a common reference.
    values : sequence of float, one a trial
        Valence or arousal, on any scale.
    quality : {"valence", "arousal"}
    hertz : (low, high)
        Where `band` is looked for.
    band : {"alpha", "beta", "muscle"}
        Of the sources.

    Returns
    -------
    Figure
        The spectrum is of the electrode where most was put in.
    """
    info = mne.pick_info(trials.info, mne.pick_types(trials.info, eeg=True))
    planted, found = planted_map(info, quality, band), band_contrast(trials, values, hertz)
    fig, axes = plt.subplots(1, 3, figsize=(9, 2.8))
    plot_topomap(planted, info, axes[0], "log10 ratio", f"put in: {band} sources")
    best = int(np.abs(planted).argmax())
    where, sfreq = trials.info["ch_names"].index(info["ch_names"][best]), trials.info["sfreq"]
    above = np.asarray(values) > np.median(values)
    for side, colour, name in ((above, OKABE_ITO[1], "above"), (~above, OKABE_ITO[0], "below")):
        spectra = [scipy.signal.welch(trials.signals[i][where], sfreq, nperseg=int(2 * sfreq))[1]
                   for i in np.flatnonzero(side)]
        hz = np.fft.rfftfreq(int(2 * sfreq), 1 / sfreq)
        shown = (hz >= 2) & (hz <= 45)
        axes[1].semilogy(hz[shown], np.median(spectra, axis=0)[shown], color=colour, label=f"{quality} {name} median")
    axes[1].axvspan(*hertz, color="0.9", zorder=0)
    axes[1].set(xlabel="frequency (Hz)", ylabel=f"{info['ch_names'][best]} power (µV²/Hz)", title=trials.description)
    axes[1].legend(fontsize=7)
    plot_topomap(found, info, axes[2], "log10 ratio", f"found: {hertz[0]:g} to {hertz[1]:g} Hz")
    return fig


def plot_embedding(points, labels, ax: plt.Axes | None = None, title: str = "") -> plt.Axes:
    """Scatter of a two-dimensional embedding, one colour and one marker a label.

    Parameters
    ----------
    points : array (n, 2)
        The axes of an embedding have no unit.
    labels : array (n,)
    """
    points, labels, ax = np.asarray(points), np.asarray(labels), ax or _axes((3.8, 3.2))
    for k, label in enumerate(pd.unique(pd.Series(labels))):
        at = labels == label
        ax.scatter(*points[at].T, s=14, marker="os^DvPX*"[k % 8], color=OKABE_ITO[k % 8], alpha=0.75, lw=0,
                   label=str(label))
    ax.set(xlabel="component 1 (no unit)", ylabel="component 2 (no unit)", title=title)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.2)
    return ax


def _axes(size: tuple[float, float] | None = None) -> plt.Axes:
    return plt.subplots(figsize=size)[1]
