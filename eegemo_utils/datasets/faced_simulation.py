"""A simulated cohort of FACED: emotions, and clips of their own kind, in 30 electrodes."""

import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.datasets.faced_bids import N_COHORT_1
from eegemo_utils.datasets.faced_files import CLIP_EMOTIONS, ELECTRODES, N_CLIPS, RATINGS, SFREQ, SUBJECTS, clip_table
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import Trials

# Valence and arousal of each emotion, and how far a clip's own may lie from them
FELT = {"anger": (-0.8, 0.7), "disgust": (-0.7, 0.3), "fear": (-0.7, 0.9), "sadness": (-0.9, -0.3),
        "neutral": (0.0, -0.7), "amusement": (0.8, 0.5), "inspiration": (0.5, 0.2), "joy": (0.8, 0.8),
        "tenderness": (0.7, -0.3)}
CLIP_SPREAD, LAST_HZ = 0.2, 47.0



def simulate(n_subjects: int = 2, *, n_seconds: float = 4.0, effect: float = 1.0, fingerprint: float = 1.0,
             random_state: int = 0) -> Trials:
    """A small cohort: every person sees all 28 clips, in an order of their own, and rates them.

    Emotions differ in valence and arousal (`FELT`); each clip's own lie near those of its emotion and are the same for
    everybody, so that clips can be told apart where emotions cannot, as in life. Signals are processed as the
    dataset's are: up to 47 Hz, average reference.

    Parameters
    ----------
    n_subjects : int
        Up to 122; by turns of cohort 1 (sub008, ...) and cohort 2 (sub061, ...).
    n_seconds : float
        Length of a clip; 30 in the dataset. Whole seconds if features are to be written.
    effect, fingerprint : float
        See `simulate_trials`.
    random_state : int

    Returns
    -------
    Trials
        With the table of `read`.

    Raises
    ------
    ValueError
        When a number is too small or too large.
    """
    if not 1 <= n_subjects <= 2 * N_COHORT_1:
        raise ValueError(f"from 1 to {2 * N_COHORT_1} people, please; got n_subjects={n_subjects}")
    first = [*SUBJECTS[8:N_COHORT_1], *SUBJECTS[:8]]  # sub008 was recorded at 250 Hz, sub061 at 1000 Hz
    turns = [subject for pair in zip(first, SUBJECTS[N_COHORT_1:]) for subject in pair]
    plan = pd.concat([_plan_of(subject, random_state) for subject in sorted(turns[:n_subjects])], ignore_index=True)
    plan["n_seconds"] = n_seconds
    trials = simulate_trials(plan, ch_names=ELECTRODES, sfreq=SFREQ, effect=effect, fingerprint=fingerprint,
                             random_state=random_state, description="simulated FACED cohort")
    low_pass = scipy.signal.butter(4, LAST_HZ, fs=SFREQ, output="sos")
    signals = [scipy.signal.sosfiltfilt(low_pass, signal - signal.mean(axis=1, keepdims=True))
               for signal in trials.signals]
    table = plan.drop(columns=["valence", "arousal", "n_seconds"]).rename(columns={"rated_valence": "valence",
                                                                                   "rated_arousal": "arousal"})
    table = table[["subject", "session", "trial", "label", "emotion", "valence3", "take", "film", "played", *RATINGS]]
    return Trials(signals, trials.info, table, description=trials.description)


def _plan_of(subject: str, random_state: int) -> pd.DataFrame:
    """A person's clips: what they make felt, the order they are played in, and ratings."""
    clips = clip_table().drop(columns="clip_seconds").rename(columns={"clip": "trial"})
    spread = np.random.default_rng(random_state).normal(0, CLIP_SPREAD, (N_CLIPS, 2))  # a clip's own, for everybody
    felt = np.clip(np.array([FELT[name] for name in clips["emotion"]]) + spread, -1, 1)
    rng = np.random.default_rng([random_state, SUBJECTS.index(subject)])
    clips.insert(0, "subject", subject)
    clips.insert(1, "session", 1)
    clips["label"] = clips["emotion"]
    clips["played"] = _play_order(rng)
    clips["valence"], clips["arousal"] = felt.T
    for name in RATINGS[:8]:  # how much of each emotion
        clips[name] = np.clip(rng.normal(1, 0.7, N_CLIPS) + 4.5 * (clips["emotion"] == name), 0, 7).round(1)
    for place, name in enumerate(("rated_valence", "rated_arousal")):
        clips[name] = np.clip(3.5 + 3 * felt[:, place] + rng.normal(0, 0.5, N_CLIPS), 0, 7).round(1)
    for name in ("familiarity", "liking"):
        clips[name] = rng.uniform(0, 7, N_CLIPS).round(1)
    return clips


def _play_order(rng) -> np.ndarray:
    """Place of each clip, 1-28: seven blocks of four clips of one valence, neutral clips in one block."""
    emotions = np.array(CLIP_EMOTIONS)
    blocks = [block for side in (emotions < 4, emotions == 4, emotions > 4)
              for block in rng.permutation(np.flatnonzero(side)).reshape(-1, 4)]
    order = np.concatenate([blocks[place] for place in rng.permutation(len(blocks))])
    return np.argsort(order) + 1
