"""The head of the simulation: a sphere, known sources under electrode sites, background, eyes.

Sources point outward under an electrode site, at a depth given as a share of the head's radius. Muscles lie
outside the brain, where a sphere model has no place: here they lie high in it.
"""

from functools import lru_cache

import mne
import numpy as np
import pandas as pd

from eegemo_utils.montage import make_info

HEAD_CENTRE, HEAD_RADIUS = (-0.0009, 0.0146, 0.0408), 0.0979  # metres, fitted to the template
# MNE fits these pairs for its four-layer sphere by a search that ends elsewhere on every kind of processor;
# fixed, the same seed gives the same cohort everywhere.
BERG_SCHERG_MU = (0.94483715, 0.6677453, -0.29201162)
BERG_SCHERG_LAMBDA = (0.4147419, 2.07180076, -0.0308772)
# Moment: nAm (standard deviation). Valence, arousal: change of the log amplitude for one unit of each, far larger
# than emotions make it in life, so that 20 seconds a recording can show them.
SOURCES = pd.DataFrame([
    ("left_occipital_alpha", "PO7", 0.70, "alpha", 110.0, 0.0, -0.6),
    ("right_occipital_alpha", "PO8", 0.70, "alpha", 110.0, 0.0, -0.6),
    ("left_frontal_alpha", "F5", 0.70, "alpha", 100.0, -0.5, 0.0),
    ("right_frontal_alpha", "F6", 0.70, "alpha", 100.0, 0.5, 0.0),
    ("left_frontal_beta", "F7", 0.75, "beta", 15.0, 0.1, 0.0),
    ("right_frontal_beta", "F8", 0.75, "beta", 15.0, -0.1, 0.0),
    ("left_temporal_muscle", "T9", 0.80, "muscle", 80.0, 0.0, 0.5),
    ("right_temporal_muscle", "T10", 0.80, "muscle", 80.0, 0.0, 0.5),
    ("brow_muscle", "AFz", 0.80, "muscle", 80.0, -0.6, 0.0),
], columns=["source", "site", "depth", "band", "moment", "valence", "arousal"])
N_BACKGROUND = 40


def site_position(name: str) -> np.ndarray:
    """Position of an electrode in head coordinates, metres."""
    return make_info([name], 1.0)["chs"][0]["loc"][:3]


@lru_cache(maxsize=8)
def lead_field(ch_names: tuple[str, ...], reference: str) -> np.ndarray:
    """Microvolt at each electrode for 1 nAm of each dipole.

    Parameters
    ----------
    ch_names : tuple of str
        Electrodes, in today's spelling.
    reference : str
        An electrode, or "average" (over `ch_names`).

    Returns
    -------
    ndarray, shape (n_electrodes, n_dipoles)
        The first columns belong to `SOURCES`, row by row; then background, then the eyes.
    """
    recorded = ch_names if reference == "average" or reference in ch_names else (*ch_names, reference)
    sphere = mne.make_sphere_model(HEAD_CENTRE, HEAD_RADIUS, verbose="error")
    sphere["mu"], sphere["lambda"] = np.array(BERG_SCHERG_MU), np.array(BERG_SCHERG_LAMBDA)
    positions, directions = _dipoles()
    grid = mne.setup_volume_source_space(
        pos={"rr": positions, "nn": directions}, sphere=(*HEAD_CENTRE, HEAD_RADIUS), sphere_units="m",
        verbose="error")
    forward = mne.make_forward_solution(make_info(recorded, 1000.0), trans=None, src=grid, bem=sphere,
                                        meg=False, eeg=True, verbose="error")
    field = forward["sol"]["data"].reshape(len(recorded), len(positions), 3)
    field = (field * directions).sum(axis=2) * 1e6 * 1e-9
    base = field.mean(axis=0) if reference == "average" else field[recorded.index(reference)]
    return (field - base)[: len(ch_names)]


def _dipoles() -> tuple[np.ndarray, np.ndarray]:
    """Positions (metres) and unit directions of the sources, the background and the eyes."""
    centre = np.array(HEAD_CENTRE)
    sites = np.array([site_position(site) for site in SOURCES["site"]])
    outward = (sites - centre) / np.linalg.norm(sites - centre, axis=1, keepdims=True)
    known = centre + outward * HEAD_RADIUS * SOURCES["depth"].to_numpy()[:, None]
    rng = np.random.default_rng(0)  # where the background lies is part of the head, not of the cohort
    spread = rng.normal(size=(N_BACKGROUND, 3))
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    spread *= HEAD_RADIUS * rng.uniform(0.3, 0.8, (N_BACKGROUND, 1))
    front = site_position("Fpz") - centre - [0, 0, 0.03]
    eyes = centre + front * 0.8 * HEAD_RADIUS / np.linalg.norm(front)
    positions = np.concatenate([known, centre + spread, eyes[None]])
    any_way = rng.normal(size=(N_BACKGROUND, 3))
    any_way /= np.linalg.norm(any_way, axis=1, keepdims=True)
    return positions, np.concatenate([outward, any_way, [[0.0, 0.6, 0.8]]])
