"""Simulated walking: joint angles, a slow copy of them over the vertex, and what swinging cables add."""

import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.datasets.mobi_files import ELECTRODES, EYES, JOINTS, LABEL, N_SUBJECTS, N_TRIALS, SFREQ, make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import Trials

STEPS_HZ = (0.6, 0.9)  # of one leg, at a mile an hour
CORTEX = {"Cz": 4.0, "CPz": 3.0, "FCz": 2.0}  # microvolt of the right knee's slow copy, for one standard deviation
RIM, RIM_UV = ("FT7", "FT8", "TP7", "TP8"), 12.0  # where cables swing
LAG_SECONDS, MISS_DEGREES = 0.1, 3.0  # of the decoder


def simulate(n_subjects: int = 2, *, n_trials: int = 2, n_seconds: float = 60.0, effect: float = 1.0,
             fingerprint: float = 1.0, random_state: int = 0) -> Trials:
    """A small cohort that walks all the time.

    Angles follow the phase of the steps, whose rate and size wander; the left leg is half a cycle behind. The right
    knee, below 3 Hz, is copied to the vertex (`CORTEX`): that can be learnt, and holds in other people. The rim of the
    cap (`RIM`) carries harmonics of the steps with phases of each trial's own: that predicts the joints within a trial,
    not beyond. The decoder follows the right leg, late and not exactly; its left leg never moves.

    Parameters
    ----------
    n_subjects, n_trials : int
        People SL01 to SL08; trials of each, 1 to 3.
    n_seconds : float
    effect : float
        Factor on the copy of the knee.
    fingerprint : float
        See `simulate_trials`; and a factor on what the cables add.
    random_state : int

    Returns
    -------
    Trials
        With channels, time stamps and table of `read`.

    Raises
    ------
    ValueError
        When a number is out of range.
    """
    if not (1 <= n_subjects <= N_SUBJECTS and 1 <= n_trials <= N_TRIALS and n_seconds >= 1):
        raise ValueError(f"1 to {N_SUBJECTS} people, 1 to {N_TRIALS} trials and a second at least, please; got "
                         f"n_subjects={n_subjects}, n_trials={n_trials}, n_seconds={n_seconds}")
    rows = [{"subject": f"SL{subject:02d}", "session": 1, "trial": trial, "label": LABEL, "n_seconds": n_seconds}
            for subject in range(1, n_subjects + 1) for trial in range(1, n_trials + 1)]
    recorded = simulate_trials(pd.DataFrame(rows), ch_names=[*ELECTRODES, *EYES.values()], sfreq=SFREQ,
                               fingerprint=fingerprint, random_state=random_state, description="simulated MoBI cohort")
    signals = []
    for row, signal in zip(rows, recorded.signals):
        rng = np.random.default_rng([random_state, int(row["subject"][2:]), row["trial"]])
        phase, angles = _walk(rng, signal.shape[1])
        signal = signal.astype(np.float64)
        band_pass = scipy.signal.butter(2, (0.1, 3), "bandpass", fs=SFREQ, output="sos")
        knee = scipy.signal.sosfiltfilt(band_pass, angles[JOINTS.index("GKR")])
        for name, size in CORTEX.items():
            signal[ELECTRODES.index(name)] += effect * size * knee / knee.std()
        for name in RIM:
            shifts, sizes = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.5, 1.5, 3) / (1, 2, 3)
            swing = sum(size * np.sin(k * phase + shift) for k, (size, shift) in enumerate(zip(sizes, shifts), start=1))
            signal[ELECTRODES.index(name)] += fingerprint * RIM_UV * swing
        signal[len(ELECTRODES): len(ELECTRODES) + 2] += np.outer((1.5, -0.8), signal[ELECTRODES.index("Fp1")])
        signals.append(np.concatenate([signal, angles]).round(3))
    table = pd.DataFrame(rows).drop(columns="n_seconds")
    table["recording"] = [f"{row['subject']}-T{row['trial']:02d}" for row in rows]
    n_times = signals[0].shape[1]
    table["seconds"], table["n_gaps"], table["clipped"] = round((n_times - 1) / SFREQ, 3), 0, 0.0
    stamps = np.round(np.arange(n_times) / SFREQ, 3)
    return Trials(signals, make_info(), table, [stamps] * len(signals), recorded.description)


def _walk(rng, n_times: int) -> tuple[np.ndarray, np.ndarray]:
    """Phase of the right leg's steps, and the 12 angles (degrees)."""
    def wander(size):
        return size * np.interp(np.arange(n_times) / SFREQ, np.arange(0, n_times / SFREQ + 10, 5),
                                rng.normal(size=len(np.arange(0, n_times / SFREQ + 10, 5))))

    phase = 2 * np.pi * np.cumsum(rng.uniform(*STEPS_HZ) * np.exp(wander(0.05))) / SFREQ
    size = np.exp(wander(0.1))

    def leg(at):
        return [15 + 20 * size * np.sin(at), 30 + size * (20 * np.sin(at - 0.6) + 10 * np.sin(2 * at)),
                5 + size * (8 * np.sin(at + 0.9) + 5 * np.sin(2 * at + 0.5))]

    right, left = np.array(leg(phase)), np.array(leg(phase + np.pi))
    lag = int(LAG_SECONDS * SFREQ)
    miss = scipy.signal.sosfiltfilt(scipy.signal.butter(2, 2, fs=SFREQ, output="sos"), rng.normal(size=right.shape))
    decoded = np.pad(right, ((0, 0), (lag, 0)), mode="edge")[:, :n_times] + MISS_DEGREES * miss / miss.std()
    return phase, np.concatenate([right, left, decoded, np.zeros_like(left)])
