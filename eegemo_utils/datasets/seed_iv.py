"""SEED-IV: 15 people see 72 film clips, 24 on each of three days; signals at 200 Hz, or features of 4-s windows.

Layout (Zheng et al. 2019, IEEE Trans. Cybernetics 49:1110-1122, and the dataset's page). Two folders, each with the
folders ``1``, ``2``, ``3`` for the sessions, in them 15 files ``<person>_<yyyymmdd>.mat``:

- ``eeg_raw_data``: ``<initials>_eeg1`` ... ``_eeg24``, each (62 electrodes, samples), float64, microvolt, 200 Hz;
- ``eeg_feature_smooth``: for each clip ``de_movingAve1``, ``de_LDS1``, ``psd_movingAve1``, ``psd_LDS1``, each
  (62 electrodes, windows, 5 bands).

What the reader decides, and says in ``decisions`` and in the report of `check`:

- the session is the folder; the labels, which no file holds, are the published ones of each session
  (torcheeg/torcheeg, torcheeg/datasets/module/emotion_recognition/seed_iv_feature.py:173-196);
- variables are taken by name, whatever the initials are (they differ between people); initials are not kept;
- trials of another length than is published stay, and are named; other files are ignored;
- a folder with DESCRIPTION.txt, which `write` makes, may hold fewer and shorter trials; any other must not.

Traps. "Raw" means signals, not features: they are already at 200 Hz and filtered to 1-75 Hz. A session has 24 clips
(some comments say 15). The last 8 trials of session 1 hold no sad one, so a split by time tests three classes there.
The files hold neither channel names nor a rate: permuted channels cannot be found. LDS smoothing starts from the mean
of the whole clip, so it is not causal.
"""

from eegemo_utils.datasets.seed_family import SeedFamily
from eegemo_utils.datasets.seed_files import Layout

CODES = (
    (1, 2, 3, 0, 2, 0, 0, 1, 0, 1, 2, 1, 1, 1, 2, 3, 2, 2, 3, 3, 0, 3, 0, 3),
    (2, 1, 3, 0, 0, 2, 0, 2, 3, 3, 2, 3, 2, 0, 1, 1, 2, 1, 0, 3, 0, 1, 3, 1),
    (1, 2, 2, 1, 3, 3, 3, 1, 1, 2, 1, 0, 2, 3, 3, 0, 2, 3, 0, 0, 2, 0, 1, 0),
)
N_WINDOWS = (  # of four seconds: 851, 832 and 822
    (42, 23, 49, 32, 22, 40, 38, 52, 36, 42, 12, 27, 54, 42, 64, 35, 17, 44, 35, 12, 28, 28, 43, 34),
    (55, 25, 34, 36, 53, 27, 34, 46, 34, 20, 60, 12, 36, 27, 44, 15, 46, 49, 45, 10, 37, 44, 24, 19),
    (42, 32, 23, 45, 48, 26, 64, 23, 26, 16, 51, 41, 39, 19, 28, 44, 14, 17, 45, 22, 39, 38, 41, 39),
)
LAYOUT = Layout(
    title="SEED-IV", folders={"raw": "eeg_raw_data", "features": "eeg_feature_smooth"},
    classes={0: "neutral", 1: "sad", 2: "fear", 3: "happy"}, labels=CODES, n_windows=N_WINDOWS, window_seconds=4.0,
    rows={f"{kind}_{how}": 62 for kind in ("de", "psd") for how in ("movingAve", "LDS")}, by_folder=True)
FELT = {"neutral": (0.0, 0.0), "sad": (-0.8, -0.4), "fear": (-0.8, 0.9), "happy": (0.9, 0.6)}  # valence, arousal


class SeedIv(SeedFamily):
    """SEED-IV: see the text of this file."""

    name, short, layout, felt, mean_seconds = "seed_iv", "SEED-IV", LAYOUT, FELT, 12.0
    title = "SEED-IV (15 people, 72 film clips on three days)"
    labels = "neutral, sad, fear, happy (0-3): by clip"
    folders = ("seed_iv", "SEED_IV", "SEED-IV")
    place = "Folder that holds ``eeg_raw_data`` or ``eeg_feature_smooth``, or one of these."


DATASET = SeedIv()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
