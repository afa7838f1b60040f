"""Electrode names, positions, the 8 x 9 grid, the graph of the SEED cap.

Every module names electrodes as the extended 10-20 system does today (``T7``, ``Fp1``, ``CPz``). Files
name them in many ways; `standard_name` brings those to one spelling, and `make_info` gives the electrodes
their place on the head.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import mne
import numpy as np

OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
MUSE_CHANNELS = ("TP9", "AF7", "AF8", "TP10")
MUSE_AUX = "Right AUX"
# Neuroscan's cerebellar electrodes are not in the 10-05 system; they lie where these two do, to within a centimetre
# or two.
CEREBELLAR = {"CB1": "PO9", "CB2": "PO10"}

# Rows front to back, columns left to right: the map of MT-CNN (Rudakov et al. 2021; the code's own 32 cells are in
# 4D-CRNN's DEAP_1D_3D.py:35-46), filled up by its own rule with the other electrodes of the 10-10 system.
GRID_SHAPE = (8, 9)
_GRID_ROWS = """
    -   AF7 AF3 Fp1 Fpz Fp2 AF4 AF8 -
    F7  F5  F3  F1  Fz  F2  F4  F6  F8
    FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8
    T7  C5  C3  C1  Cz  C2  C4  C6  T8
    TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8
    P7  P5  P3  P1  Pz  P2  P4  P6  P8
    PO9 PO7 PO5 PO3 POz PO4 PO6 PO8 PO10
    -   -   CB1 O1  Oz  O2  CB2 -   -
"""
_SAME_CELL = "AFz=Fpz F9=F7 F10=F8 FT9=FT7 FT10=FT8 T9=T7 T10=T8 TP9=TP7 TP10=TP8 P9=P7 P10=P8"
GRID_8X9 = {name: (row, column) for row, names in enumerate(_GRID_ROWS.split("\n")[1:-1])
            for column, name in enumerate(names.split()) if name != "-"}
GRID_8X9 |= {pair.split("=")[0]: GRID_8X9[pair.split("=")[1]] for pair in _SAME_CELL.split()}

# The cap of SEED, SEED-IV, SEED-V and MPED, in the order of its files, row by row.
_SEED_ROWS = ["Fp1 Fpz Fp2", "AF3 AF4", "F7 F5 F3 F1 Fz F2 F4 F6 F8", "FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8",
              "T7 C5 C3 C1 Cz C2 C4 C6 T8", "TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8", "P7 P5 P3 P1 Pz P2 P4 P6 P8",
              "PO7 PO5 PO3 POz PO4 PO6 PO8", "CB1 O1 Oz O2 CB2"]
_SEED_ROWS = [row.split() for row in _SEED_ROWS]
SEED_62 = tuple(name for row in _SEED_ROWS for name in row)
# What the grid of rows and columns does not say: the front, where rows have other lengths, and the back.
_SEED_FANS = {"Fpz": "AF3 AF4", "AF3": "Fp1 F7 F5 F3 F1 Fz", "AF4": "Fp2 Fz F2 F4 F6 F8", "PO7": "P7 CB1",
              "PO5": "P5 CB1", "PO3": "P3 P1 O1", "POz": "Pz Oz", "PO4": "P2 P4 O2", "PO6": "P6 CB2", "PO8": "P8 CB2"}


@lru_cache(maxsize=1)
def standard_montage() -> mne.channels.DigMontage:
    """Template positions of the 10-05 system (metres) and of `CEREBELLAR`, read once.

    MNE renamed this template: newer versions know it as ``colin27_1005``, older ones as ``standard_1005``.
    """
    known = mne.channels.get_builtin_montages()
    name = "colin27_1005" if "colin27_1005" in known else "standard_1005"
    parts = mne.channels.make_standard_montage(name).get_positions()
    places = parts.pop("ch_pos")
    more = {name: places[near] for name, near in CEREBELLAR.items()}
    return mne.channels.make_dig_montage(ch_pos=places | more, **parts)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    """Upper-case spelling -> today's 10-05 spelling."""
    names = [name for name in standard_montage().ch_names if name not in OLD_NAMES]
    return {name.upper(): name for name in names} | OLD_NAMES


def standard_name(name: str) -> str:
    """Today's 10-20 spelling of an electrode name.

    ``"EEG T3"``, ``"t7"`` and ``"T7"`` are one electrode and all become ``"T7"``; T3 T4 T5 T6 are the old
    names of T7 T8 P7 P8. A name that the 10-05 system does not have (an auxiliary input, an ECG) comes
    back as it was, without the blanks around it.

    Parameters
    ----------
    name : str
        Name as a file gives it.

    Returns
    -------
    str
    """
    stripped = name.strip()
    bare = stripped[4:].strip() if stripped.upper().startswith("EEG ") else stripped
    return _spellings().get(bare.upper(), stripped)


def make_info(ch_names, sfreq: float) -> mne.Info:
    """Channel description for recordings: names, rate, positions.

    Parameters
    ----------
    ch_names : sequence of str
        Electrode names, any spelling `standard_name` knows. Names outside the 10-05 system become
        ``misc`` channels without a position (the Muse's ``Right AUX``).
    sfreq : float
        Samples a second.

    Returns
    -------
    mne.Info

    Raises
    ------
    ValueError
        When two names mean the same electrode, or none is an electrode.
    """
    names = [standard_name(name) for name in ch_names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each electrode once, please: {', '.join(twice)} named more than once in "
                         f"{list(ch_names)}")
    places = set(standard_montage().ch_names)
    kinds = ["eeg" if name in places else "misc" for name in names]
    if "eeg" not in kinds:
        raise ValueError(f"none of {names} is an electrode of the 10-05 system (such as Fz, TP9, AF7)")
    info = mne.create_info(names, sfreq, kinds)
    info.set_montage(standard_montage(), on_missing="ignore")
    return info


def grid_positions(ch_names) -> np.ndarray:
    """Cell of each electrode on the 8 x 9 grid.

    Rows go from front to back (Fp and AF share the first, O and CB the last), columns from left to right by
    the electrode's number, with the rows of AF, PO and O moved inward as the head narrows. Electrodes below
    the rim (FT9, TP10) lie in the cell of the rim, AFz in that of Fpz.

    Parameters
    ----------
    ch_names : sequence of str
        Any spelling `standard_name` knows.

    Returns
    -------
    ndarray of int, shape (n_chans, 2)
        Row and column, from 0.

    Raises
    ------
    ValueError
        When a channel has no cell, or two have the same one.
    """
    names = [standard_name(name) for name in ch_names]
    lost = [name for name in names if name not in GRID_8X9]
    if lost:
        raise ValueError(f"no place on the 8 x 9 grid for {', '.join(lost)}: leave them out first")
    taken = {}
    for name in names:
        other = taken.setdefault(GRID_8X9[name], name)
        if other != name or names.count(name) > 1:
            raise ValueError(f"{other} and {name} have the same cell of the 8 x 9 grid: leave one out first")
    return np.array([GRID_8X9[name] for name in names])


def to_grid(values: np.ndarray, ch_names) -> np.ndarray:
    """Put values of electrodes on the 8 x 9 grid; cells without an electrode are 0.

    Parameters
    ----------
    values : ndarray, shape (..., n_chans)
    ch_names : sequence of str
        See `grid_positions`, also for errors.

    Returns
    -------
    ndarray, shape (..., 8, 9)
    """
    cells = grid_positions(ch_names)
    values = np.asarray(values)
    if values.shape[-1] != len(cells):
        raise ValueError(f"expected (..., {len(cells)} channels), found shape {values.shape}")
    maps = np.zeros((*values.shape[:-1], *GRID_SHAPE), values.dtype)
    maps[..., cells[:, 0], cells[:, 1]] = values
    return maps


def seed_graph() -> np.ndarray:
    """The 118 edges between electrodes of the SEED cap that GMSS uses (Li et al. 2022, code dataset.py:46-79).

    Neighbours in a row and in a column of the cap, and fans where rows have other lengths, at the front
    and at the back. Binary, connected, no electrode joined to itself.

    Returns
    -------
    ndarray of int, shape (118, 2)
        Places in `SEED_62`, each edge once, the smaller first. For both directions, as graph networks
        want them: ``np.concatenate([edges, edges[:, ::-1]]).T``.
    """
    pairs = [pair for row in _SEED_ROWS if len(row) > 2 for pair in pairwise(row)]
    pairs += [pair for front, back in pairwise(_SEED_ROWS[2:7]) for pair in zip(front, back)]
    pairs += [(name, other) for name, others in _SEED_FANS.items() for other in others.split()]
    return np.array(sorted(tuple(sorted(map(SEED_62.index, pair))) for pair in pairs))
