"""What is done to features of windows: baselines off, z-scores of a stated scope, smoothing over time."""

from dataclasses import replace

import numpy as np

from eegemo_utils.trials import KEYS, DatasetError, Windows

SCOPES = {"all": [], "subject": ["subject"], "session": ["subject", "session"], "trial": KEYS}
# The linear dynamical system of the SEED papers: variances of the start, of a step and of an observation, as LibEER
# has them (preprocess.py:263-308). Its first step subtracts that variance from the first value, where the mean belongs
# (line 295); here it is the mean.
LDS_START, LDS_STEP, LDS_NOISE = 1e-2, 1e-4, 1.0


def baseline_mean(baseline: np.ndarray, *, theta_bug: bool = False) -> np.ndarray:
    """Mean feature of a trial's baseline windows.

    Parameters
    ----------
    baseline : ndarray, shape (..., n_windows, n_chans, n_bands)
        Features of the windows before the stimulus.
    theta_bug : bool
        True does as the released code of 4D-CRNN and MT-CNN does (DEAP_1D.py:73-81): in all bands but the
        first, the second half of the windows is taken from the first band.

    Returns
    -------
    ndarray, shape (..., 1, n_chans, n_bands)
        To be subtracted from the trial's windows.

    Raises
    ------
    ValueError
        When there is no window.
    """
    n_windows = baseline.shape[-3]
    if not n_windows:
        raise ValueError("the baseline is shorter than a window")
    if theta_bug:
        baseline = baseline.copy()
        late = slice(n_windows // 2, None)
        baseline[..., late, :, 1:] = baseline[..., late, :, :1]
    return baseline.mean(axis=-3, keepdims=True)


def zscore_windows(values: np.ndarray) -> np.ndarray:
    """z-score each window over all its channels and bands jointly, as MT-CNN does (DEAP_1D_3D.py:54-58).

    Parameters
    ----------
    values : ndarray, shape (..., n_chans, n_bands)

    Returns
    -------
    ndarray, shape (..., n_chans, n_bands)
        Mean 0 and standard deviation (of a population) 1; 0 where a window is constant.
    """
    return _scaled(values, values.mean(axis=(-2, -1), keepdims=True), values.std(axis=(-2, -1), keepdims=True))


def _scaled(values: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    flat = spread <= 10 * np.finfo(float).eps * np.abs(mean)  # the mean of equal numbers is off by their last digit
    return (values - mean) / np.where(flat, 1, spread)


def _groups(windows: Windows, scope: str) -> list[np.ndarray]:
    if scope not in SCOPES:
        raise ValueError(f"a scope is one of {list(SCOPES)}, not {scope!r}")
    if scope == "all":
        return [np.arange(len(windows))] if len(windows) else []
    return list(windows.table.groupby(SCOPES[scope], sort=False).indices.values())


def zscore(windows: Windows, scope: str, fit=None) -> Windows:
    """z-score each feature over the windows of a scope.

    Parameters
    ----------
    windows : Windows
    scope : {"all", "subject", "session", "trial"}
        Windows that share mean and standard deviation (of a population): all, those of a person, of a
        person's session, of a trial.
    fit : mask over windows, optional
        Windows that mean and standard deviation are taken from, such as the training ones; by default all.
        Without it, "all" lets test windows into what a model is trained on.

    Returns
    -------
    Windows
        0 where a feature is constant.

    Raises
    ------
    ValueError
        When the scope is another word, or a group has no window in `fit`.
    """
    fit = np.ones(len(windows), bool) if fit is None else np.asarray(fit, bool)
    X = np.empty(windows.X.shape, np.result_type(windows.X, np.float32))
    for rows in _groups(windows, scope):
        known = windows.X[rows[fit[rows]]].astype(np.float64)
        if not len(known):
            row = windows.table.iloc[rows[0]]
            raise ValueError(f"no window to take mean and spread from for {row[SCOPES[scope]].to_dict() or 'all'}")
        X[rows] = _scaled(windows.X[rows], known.mean(axis=0), known.std(axis=0))
    return replace(windows, X=X)


def _lds(values: np.ndarray, causal: bool) -> np.ndarray:
    """Filter (n_windows, ...) along the first axis; gains do not depend on the values."""
    smooth = np.empty_like(values, dtype=np.float64)
    state, variance = (0.0, np.inf) if causal else (values.mean(axis=0), LDS_START)
    for place, value in enumerate(values):
        gain = 1 / (1 + LDS_NOISE / variance)
        state = state + gain * (value - state)
        smooth[place] = state
        variance = gain * LDS_NOISE + LDS_STEP
    return smooth


def lds_smooth(windows: Windows, *, causal: bool, within: str = "trial") -> Windows:
    """Smooth each feature over time with a linear dynamical system (a Kalman filter that runs forward).

    Parameters
    ----------
    windows : Windows
        In the order of time within each trial.
    causal : bool
        False starts from the mean of the whole trial, as the SEED papers' features do: every window then
        knows something of the ones after it, which no running system could. True starts with no knowledge:
        the first window stays as it is, the next ones are nearly running means.
    within : {"trial", "session", "subject", "all"}
        What is one sequence. FACED's own code smooths across a person's clips ("subject").

    Returns
    -------
    Windows

    Raises
    ------
    DatasetError
        When windows of a trial are not in the order of time.
    """
    table = windows.table
    if "window" in table and (table.groupby(SCOPES["trial"], sort=False)["window"].diff() <= 0).any():
        raise DatasetError("windows of a trial are not in the order of time; sort them by window before smoothing")
    X = np.empty(windows.X.shape, np.result_type(windows.X, np.float32))
    for rows in _groups(windows, within):
        X[rows] = _lds(windows.X[rows], causal)
    return replace(windows, X=X)
