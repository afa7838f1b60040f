"""SEED: 15 people see the same 15 film clips on three days; signals at 200 Hz, or features of one-second windows.

Layout (Zheng and Lu 2015, IEEE Trans. Autonomous Mental Development 7:162-175, and the dataset's page). Two folders
with the same 45 file names ``<person>_<yyyymmdd>.mat`` and a ``label.mat`` (``label``, 1 x 15):

- ``Preprocessed_EEG``: ``<initials>_eeg1`` ... ``_eeg15``, each (62 electrodes, samples), float64, microvolt, 200 Hz;
- ``ExtractedFeatures``: twelve kinds for each clip, ``de_LDS1`` and so on, each (rows, windows, 5 bands): differential
  entropy and power of the 62 electrodes; difference and ratio of 27 pairs left and right, both (54), and difference of
  23 pairs front and back; each smoothed by a moving average or a linear dynamical system.

What the reader decides, and says in ``decisions`` and in the report of `check`:

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

from eegemo_utils.datasets.seed_family import SeedFamily
from eegemo_utils.datasets.seed_files import N_SESSIONS, Layout

CODES = (1, 0, -1, -1, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, -1)
N_WINDOWS = (235, 233, 206, 238, 185, 195, 237, 216, 265, 237, 235, 233, 235, 238, 206)  # of one second, 3394 in all
ROWS = {"de": 62, "psd": 62, "dasm": 27, "rasm": 27, "asm": 54, "dcau": 23}
LAYOUT = Layout(
    title="SEED", folders={"raw": "Preprocessed_EEG", "features": "ExtractedFeatures"},
    classes={-1: "negative", 0: "neutral", 1: "positive"}, labels=(CODES,) * N_SESSIONS,
    n_windows=(N_WINDOWS,) * N_SESSIONS, window_seconds=1.0,
    rows={f"{kind}_{how}": n_rows for kind, n_rows in ROWS.items() for how in ("movingAve", "LDS")}, by_folder=False)
FELT = {"negative": (-1.0, 1.0), "neutral": (0.0, 0.0), "positive": (1.0, 1.0)}  # valence, arousal in simulations


class Seed(SeedFamily):
    """SEED: see the text of this file."""

    name, short, layout, felt, mean_seconds = "seed", "SEED", LAYOUT, FELT, 8.0
    title = "SEED (15 people, 15 film clips on three days)"
    labels = "negative, neutral, positive (-1, 0, 1): by clip"
    folders = ("seed", "SEED")
    place = "Folder that holds ``Preprocessed_EEG`` or ``ExtractedFeatures``, or one of these."


DATASET = Seed()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
