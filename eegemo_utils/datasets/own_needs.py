"""What each notebook needs of own recordings, and what is to be said before any of them runs."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from eegemo_utils.montage import grid_positions, standard_name

MUSE = ("TP9", "AF7", "AF8", "TP10")
FEWEST_FOR_REGIONS = 8  # electrodes that the frontal, central, temporal and occipital regions of GMSS are cut from


def needs(ch_names: list[str], table: pd.DataFrame) -> dict[str, str]:
    """Return for each notebook "" where it can take these recordings, else why not and what to do.

    Parameters
    ----------
    ch_names : list of str
        Electrodes that all files have.
    table : DataFrame
        Trials: label, subject.
    """
    common = labels(table)
    found = {"gmss": "", "multitask_cnn": on_grid(ch_names), "tnas": "", "labram": "", "gru": ""}
    if len(ch_names) < FEWEST_FOR_REGIONS:
        found["gmss"] = f"{len(ch_names)} electrodes are too few for its regions; {FEWEST_FOR_REGIONS} are needed"
    if missing := [name for name in MUSE if name not in map(standard_name, ch_names)]:
        found["gru"] = f"its features are of the Muse's electrodes; {', '.join(missing)} are missing"
    return {notebook: why or common for notebook, why in found.items()}


def labels(table: pd.DataFrame) -> str:
    """Return why these labels cannot be learned, "" where they can."""
    counts = Counter(table["label"])
    if len(counts) < 2:
        return f"there is one label only, {next(iter(counts))}: nothing can be told apart"
    rare = [label for label, count in counts.items() if count < 2]
    if rare:
        return f"label {rare[0]} has one trial: one is needed for training and one for test"
    return ""


def on_grid(ch_names: list[str]) -> str:
    """Return why electrodes do not fit the 8 x 9 grid, "" where they do."""
    try:
        grid_positions(ch_names)
    except ValueError as error:
        return f"its maps need a cell for each electrode: {error}"
    return ""
