"""SEED: 15 people see the same 15 film clips on three days; signals at 200 Hz, or features of one-second windows.

Layout (Zheng and Lu 2015, IEEE Trans. Autonomous Mental Development 7:162-175, and the dataset's page). Two folders
with the same 45 file names ``<person>_<yyyymmdd>.mat`` and a ``label.mat`` (``label``, 1 x 15):

- ``Preprocessed_EEG``: ``<initials>_eeg1`` ... ``_eeg15``, each (62 electrodes, samples), float64, microvolt, 200 Hz;
- ``ExtractedFeatures``: twelve kinds for each clip, ``de_LDS1`` and so on, each (rows, windows, 5 bands): differential
  entropy and power of the 62 electrodes; difference and ratio of 27 pairs left and right, both (54), and difference of
  23 pairs front and back; each smoothed by a moving average or a linear dynamical system.

What the reader decides, and says in ``Trials.decisions`` (signals) and in the report of `check`:

- the session is the rank of the date among the person's files (torcheeg/torcheeg,
  torcheeg/datasets/module/emotion_recognition/seed_feature.py:254-265); where a file is missing, later ones move up;
- variables are taken by name, whatever the initials are (they differ between people); initials are not kept;
- the labels are the published ones; a label.mat that says something else is refused;
- trials of another length than is published stay, and are named; other files are ignored;
- a folder with DESCRIPTION.txt, which `write` makes, may hold fewer and shorter trials; any other must not.

Traps. The two folders have equal file names. All sessions show the same clips, so a clip (column ``clip``) tested in
one session may be trained on in another. The files hold neither channel names nor a rate: permuted channels cannot be
found. LDS smoothing starts from the mean of the whole clip, so it is not causal. Other readers take variables by
position (XJTU-EEG/LibEER, LibEER/data_utils/load_data.py:216-220) or take the 200 Hz for 1000 Hz
(EmotionLab/EEGain, eegain/data/datasets.py:990).
"""

from pathlib import Path

from eegemo_utils.datasets import seed_family as family
from eegemo_utils.datasets.seed_files import N_SESSIONS, SFREQ, Layout
from eegemo_utils.montage import SEED_62
from eegemo_utils.trials import Report, Trials, Windows

CODES = (1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1)
N_WINDOWS = (235, 233, 206, 238, 185, 195, 237, 216, 265, 237, 235, 233, 235, 238, 206)  # of one second, 3394 in all
ROWS = {"de": 62, "psd": 62, "dasm": 27, "rasm": 27, "asm": 54, "dcau": 23}
LAYOUT = Layout(
    title="SEED", folders={"raw": "Preprocessed_EEG", "features": "ExtractedFeatures"},
    classes={-1: "negative", 0: "neutral", 1: "positive"}, labels=(CODES,) * N_SESSIONS,
    n_windows=(N_WINDOWS,) * N_SESSIONS, window_seconds=1.0,
    rows={f"{kind}_{how}": n_rows for kind, n_rows in ROWS.items() for how in ("movingAve", "LDS")}, by_folder=False)
FELT = {"negative": (-1.0, 1.0), "neutral": (0.0, 0.0), "positive": (1.0, 1.0)}  # valence, arousal in simulations
FACTS = {
    "name": "seed",
    "title": "SEED (15 people, 15 film clips on three days)",
    "licence": "signed agreement; academic, not commercial, not to be passed on",
    "source": "Shanghai Jiao Tong University, bcmi.sjtu.edu.cn/home/seed: agreement signed by a supervisor",
    "channels": ", ".join(SEED_62),
    "sfreq": SFREQ,
    "labels": "negative, neutral, positive (-1, 0, 1): by clip",
    "folders": ("seed", "SEED"),
    "papers": "gmss, labram",
}


def read(root, subjects=None, form: str = "raw", kind: str = "de_LDS") -> Trials | Windows:
    """Read people of SEED, one file at a time.

    Parameters
    ----------
    root : path
        Folder that holds ``Preprocessed_EEG`` or ``ExtractedFeatures``, or one of these.
    subjects : list of str, optional
        Such as ["1", "15"]; only their files are opened.
    form : {"raw", "features"}
        Signals, or stored features.
    kind : str
        Of the features: de, psd, dasm, rasm, asm or dcau with _LDS or _movingAve.

    Returns
    -------
    Trials or Windows
        Signals: 62 electrodes, microvolt, 200 Hz. Features: X (windows, rows, 5), float32; `info` where the rows
        are the electrodes. Table: subject, session (1-3), trial (1-15), label, code (-1, 0, 1), clip (1-15);
        features also window (0, 1, ... in the trial).

    Raises
    ------
    DatasetError
        When there is no such folder or file, a person, form or kind is unknown, or a file is faulty: says which.
    """
    if form == "features":
        return family.read_features(LAYOUT, root, subjects, kind)
    return family.read_raw(LAYOUT, root, subjects, form)


def write(trials: Trials, root, form: str = "raw") -> list[Path]:
    """Write recordings as SEED has them; initials and dates are invented.

    Parameters
    ----------
    trials : Trials
        The 62 electrodes in any order, 200 Hz, microvolt; people "1"-"15", sessions 1-3, trials 1, 2, ... with the
        published labels.
    root : path
        Folder, made when missing; gets ``Preprocessed_EEG`` or ``ExtractedFeatures``.
    form : {"raw", "features"}
        Features are computed from the signals, all twelve kinds.

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials do not fit, or the folder holds other recordings.
    """
    return family.write(LAYOUT, trials, root, form)


def simulate(n_subjects: int = 2, *, n_sessions: int = N_SESSIONS, n_trials: int | None = None, n_seconds: float = 8.0,
             effect: float = 1.0, fingerprint: float = 1.0, random_state: int = 0) -> Trials:
    """Simulate people who see the 15 clips on each day.

    Parameters
    ----------
    n_subjects, n_sessions : int
        Up to 15 and 3.
    n_trials : int, optional
        The first so many clips of each session; all by default.
    n_seconds : float
        Mean length of a clip (226 s in the dataset); clips are as unequal as the real ones, in whole windows.
    effect, fingerprint, random_state
        See `eegemo_utils.simulate.simulate_trials`.

    Returns
    -------
    Trials
        As `read` gives them.

    Raises
    ------
    ValueError
        When a number is out of range.
    """
    return family.simulate(LAYOUT, FELT, n_subjects, n_sessions, n_trials, n_seconds, effect=effect,
                           fingerprint=fingerprint, random_state=random_state)


def check(root) -> Report:
    """Say which recordings a folder holds in which form, which are damaged and what `read` does. Raises nothing."""
    return family.check(LAYOUT, FACTS["name"], root)
