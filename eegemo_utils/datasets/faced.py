"""FACED: 123 people watch 28 film clips of nine emotions (Chen et al. 2023, Scientific Data 10:740). CC BY 4.0.

Layout. Three forms of the same recordings, from two places:

- Synapse syn50614194, ``Processed_data/sub000.pkl`` ... ``sub122.pkl``: a pickled array (28 clips, 32 signals, 7500
  samples), the last 30 s of each clip at 250 Hz, microvolt, 0.05-47 Hz, average reference, clips by their number,
  signals in the order of cohort 2 for everybody. ``form="raw"``;
- ``EEG_Features/DE/sub000.pkl.pkl`` and ``PSD``: (28, 32, 30 seconds, 5 bands). ``form="features"``;
- NEMAR nm000112, BIDS: ``sub-000/eeg/sub-000_task-watchingVideoClips_eeg.bdf`` with events.tsv, raw signals at 250 or
  1000 Hz. ``form="bids"``, or "raw" where there are no pickles.

Play order and ratings are in ``Data/sub000/After_remarks.mat``, or in events.tsv.

What the reader decides, and says in ``decisions`` and in the report of `check`:

- the two mastoids (HEOR, HEOL; A1, A2) are dropped, as in the official features: 30 electrodes remain;
- trials are numbered by clip in every form; the column ``played`` has the play order;
- people without After_remarks.mat have no ratings and no play order (NaN);
- of BIDS recordings the last 30 s of each clip are taken, at 250 Hz; they are not filtered and not referenced again;
- a BIDS recording whose unit cannot be true, by its amplitude, is scaled by 1e6 or 1e-6;
- DE of minus infinity (a constant signal) becomes -30, as in the official pipeline; features become float32;
- a folder with DESCRIPTION.txt, which `write` makes, may hold shorter clips; any other must not.

Traps. Raw files of sub000-sub060 name and order signals in another way (T3 T4 A1 A2 ... T5 T6): never take positions
of one form for another. In the BIDS files neutral clips carry the emotion label ``\\``, and the README counts the
rates wrong. Every emotion has only three clips (neutral four), the same for everybody: a score between people that
are shown the same clips says in part which clip it is. The columns ``take`` and ``film`` allow to leave clips out: two
clips of fear are from one film, and all neutral ones. Clip 22 is 8 s longer for sub036-sub060 than for the others.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.datasets import faced_bids as bids
from eegemo_utils.datasets import faced_files as files
from eegemo_utils.datasets.base import Dataset, Option, Part, Size, Source
from eegemo_utils.datasets.common import save_text
from eegemo_utils.datasets.faced_files import (
    BANDS,
    CLIP_EMOTIONS,
    ELECTRODES,
    EMOTIONS,
    FEATURES,
    MASTOIDS,
    N_CLIPS,
    RATINGS,
    SFREQ,
    SUBJECTS,
    clip_table,
)
from eegemo_utils.datasets.plausible import few, others_ignored
from eegemo_utils.trials import DatasetError, Trials

TARGETS = {"emotion": EMOTIONS, "binary": ("negative", "positive"), "valence3": ("negative", "neutral", "positive")}
# Test people of the official ten folds, in the order of the files (FACED's main_de_svm.py): nine of 12, one of 15
OFFICIAL_FOLDS = tuple(SUBJECTS[12 * fold: 12 * fold + 12 if fold < 9 else None] for fold in range(10))
# Fixed split by people, and its windows of 10 s (wjq-learning/CBraMod, preprocessing/preprocessing_faced.py)
CBRAMOD_SPLIT = {"train": SUBJECTS[:80], "val": SUBJECTS[80:100], "test": SUBJECTS[100:]}
CBRAMOD_WINDOWS = {"train": 6720, "val": 1680, "test": 1932}
# Valence and arousal of each emotion in simulations, and how far a clip's own may lie from them
FELT = {"anger": (-0.8, 0.7), "disgust": (-0.7, 0.3), "fear": (-0.7, 0.9), "sadness": (-0.9, -0.3),
        "neutral": (0.0, -0.7), "amusement": (0.8, 0.5), "inspiration": (0.5, 0.2), "joy": (0.8, 0.8),
        "tenderness": (0.7, -0.3)}
CLIP_SPREAD, LAST_HZ = 0.2, 47.0


@dataclass(frozen=True)
class Person(Source):
    """A person's file or folder, which features it holds, and where the ratings are."""

    feature: str = "DE"
    remarks: Path | None = None


class Faced(Dataset):
    """FACED: see the text of this file."""

    name, short = "faced", "FACED"
    title = "FACED, Finer-grained Affective Computing EEG Dataset (123 people, 28 film clips)"
    licence = "CC BY 4.0"
    source = "Synapse syn50614194 (free account), or NEMAR nm000112 (BIDS, open)"
    labels = ", ".join(EMOTIONS) + "; or negative, positive; 12 ratings from 0 to 7"
    folders = ("faced", "FACED", "nm000112")
    papers = "gmss, multitask_cnn, tnas, labram"
    ch_names, sfreq, people, bands = ELECTRODES, float(SFREQ), SUBJECTS, tuple(BANDS)
    place = "Top folder of the release, one of its folders (``Processed_data``), or of the BIDS dataset."
    unit = "30 electrodes, microvolt, 250 Hz; or features of one second, X (windows, 30, 5 bands), float32"
    columns = {"subject": "sub000-sub122", "session": "1", "trial": "the clip, 1-28",
               "window": "of features, 0, 1, ... in the trial", "label": "by target", "emotion": "nine",
               "valence3": "negative, neutral, positive", "take": "1-4, number of the clip in its emotion", "film": "",
               "played": "1-28", **dict.fromkeys(RATINGS, "0-7")}
    options = {"form": Option("raw", "Signals, stored features, or signals of the BIDS dataset.",
                              ("raw", "features", "bids")),
               "target": Option("emotion", "What becomes the label: nine emotions; negative and positive, neutral "
                                           "clips left out; or all three.", tuple(TARGETS)),
               "feature": Option("DE", 'With form="features".', FEATURES)}
    sizes = {"n_subjects": Size(2, "People, by turns of cohort 1 (sub008, ...) and cohort 2 (sub061, ...).", 1,
                                2 * bids.N_COHORT_1),
             "n_seconds": Size(4.0, "Of a clip (30 in the dataset); whole ones if features are to be written.", 0.5)}
    forms = ("raw", "features", "bids")

    def top(self, root):
        return files.base(root)

    def find(self, root, form="raw", target="emotion", feature="DE"):
        held = self._held(root)
        paths = held.get((form, feature if form == "features" else "DE"), {})
        if form == "raw" and not paths:
            form, paths = "bids", held.get(("bids", "DE"), {})
        if not paths:
            raise self._not_here(root, form, feature, held)
        others = files.strangers(root, {path for paths in held.values() for path in paths.values()})
        said = [f"mastoids ({', '.join(MASTOIDS)}) dropped", *others_ignored(others)]
        if form == "bids":
            said.append("raw recordings: the last 30 s of each clip, not filtered, not referenced again")
        return [Person(subject, path, subject, form=form, feature=feature,
                       remarks=None if form == "bids" else files.find_remarks(root, subject))
                for subject, path in paths.items()], said

    def _held(self, root: Path) -> dict[tuple[str, str], dict[str, Path]]:
        """Return files by person, of each form and feature that a folder holds."""
        held = {("raw", "DE"): files.find(root, "raw"), ("bids", "DE"): bids.find(root)}
        held |= {("features", feature): files.find(root, "features", feature) for feature in FEATURES}
        return {key: paths for key, paths in held.items() if paths}

    def _not_here(self, root: Path, form: str, feature: str, held) -> DatasetError:
        wanted = f"EEG_Features/{feature}/sub000.pkl.pkl" if form == "features" else \
            "Processed_data/sub000.pkl or sub-000/eeg"
        found = few(sorted(path.name for path in root.iterdir())) if root.is_dir() else "no such folder"
        forms = dict.fromkeys(f"form={name!r}" for name, _ in held)
        remedy = f"Here is {' and '.join(forms)}." if held else f"Get them from {self.source}, and give the folder " \
            "they lie in."
        return DatasetError(f"{root}: expected files of FACED ({wanted}), found {found or 'an empty folder'}. {remedy}")

    def load(self, source, strict):
        table = clip_table().drop(columns="clip_seconds").rename(columns={"clip": "trial"})
        for place, (name, value) in enumerate({"subject": source.subject, "session": 1}.items()):
            table.insert(place, name, value)
        table.insert(3, "label", "")
        if source.form == "bids":
            values, remarks, said = bids.load(source.path, strict)
            return Part(values, table.join(remarks, on="trial"), said)
        if source.form == "raw":
            values, said = files.load_clips(source.path, strict), []
        else:
            values, said = files.load_features(source.path, source.feature, strict)
        if source.remarks is None:
            said = [*said, f"{source.subject}: no After_remarks.mat, so ratings and play order are not known"]
            return Part(values, table.reindex(columns=[*table, "played", *RATINGS]), said)
        return Part(values, table.join(files.load_remarks(source.remarks), on="trial"), said)

    def label(self, table, root, strict, form="raw", target="emotion", feature="DE"):
        table["label"] = table["emotion" if target == "emotion" else "valence3"]
        if target == "binary":
            return table[table["valence3"] != "neutral"], ["neutral clips left out (binary)"]
        return table, []

    def variants(self, root):
        names = {(form, feature): f"features ({feature})" if form == "features" else form
                 for form, feature in self._held(root)}
        return {name: {"form": form, "feature": feature} for (form, feature), name in names.items()} or {"": {}}

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        lacking = [name for name in ("played", *RATINGS) if name not in trials.table]
        if lacking:
            raise DatasetError(f"{root}: FACED has the columns played and {', '.join(RATINGS)}; missing: "
                               f"{', '.join(lacking)}")
        for subject, rows in trials.table.groupby("subject"):
            lengths = {trials.signals[row].shape[1] for row in rows.index}
            clips = sorted(rows["trial"])
            if form == "features" and any(length % SFREQ for length in lengths):
                raise DatasetError(f"{root}: features are one value a second: expected clips of whole seconds, found "
                                   f"for {subject} {min(lengths) / SFREQ:g} s")
            if len(lengths) > 1 or clips != list(range(1, N_CLIPS + 1)):
                raise DatasetError(f"{root}: a person of FACED has trials 1-28 (the clips) of one length; found for "
                                   f"{subject} trials {clips}, lengths {sorted(lengths)}")

    def targets(self, table, root, form):
        targets = {}
        for subject, rows in table.groupby("subject", sort=False):
            rows = rows.sort_values("trial")
            if form == "bids":
                targets[root / f"sub-{subject[3:]}" / "eeg" / f"sub-{subject[3:]}_{bids.TASK}_eeg.bdf"] = rows
                continue
            folders = ["Processed_data"] if form == "raw" else [f"EEG_Features/{feature}" for feature in FEATURES]
            for folder in folders:
                targets[root / folder / f"{subject}.pkl{'' if form == 'raw' else '.pkl'}"] = rows
            if rows["played"].notna().all():
                targets[root / "Data" / subject / "After_remarks.mat"] = rows
        return targets

    def present(self, root, form):
        return [*(path for paths in self._held(root).values() for path in paths.values()),
                *root.glob("Data/*/After_remarks.mat")]

    def own(self, present, targets, table, root):
        people = set(table["subject"])
        return {path for path in present
                if re.search(r"sub-?(\d{3})", path.relative_to(root).as_posix()).expand(r"sub\1") in people}

    def save(self, path, signals, rows):
        if path.name == "After_remarks.mat":
            files.save_remarks(path, rows)
        elif path.suffix == ".bdf":
            bids.write_session(path.parent, files.with_mastoids(signals), rows)
        else:
            clips = files.with_mastoids(signals)
            features = path.parent.name in FEATURES
            files.save_pickle(path, files.features_of(clips, path.parent.name) if features else clips)

    def save_beside(self, root, trials, form):
        if form == "bids":
            facts = {"Name": (root / "DESCRIPTION.txt").read_text(encoding="utf-8").strip(), "BIDSVersion": "1.7.0",
                     "DatasetType": "raw"}
            save_text(root / "dataset_description.json", json.dumps(facts))
            people = "".join(f"sub-{subject[3:]}\tn/a\tn/a\n" for subject in dict.fromkeys(trials.table["subject"]))
            bids.save_table(root / "participants.tsv", f"participant_id\tage\tsex\n{people}")

    def plan(self, n_subjects, n_seconds, random_state):
        first = [*SUBJECTS[8:bids.N_COHORT_1], *SUBJECTS[:8]]  # sub008 was recorded at 250 Hz, sub061 at 1000 Hz
        turns = [subject for pair in zip(first, SUBJECTS[bids.N_COHORT_1:]) for subject in pair]
        plan = pd.concat([_plan_of(subject, random_state) for subject in sorted(turns[:n_subjects])],
                         ignore_index=True)
        rated = plan.drop(columns=["valence", "arousal"]).rename(
            columns={"rated_valence": "valence", "rated_arousal": "arousal"})
        columns = [name for name in self.columns if name != "window"]
        return rated[columns], plan.assign(n_seconds=n_seconds)

    def make(self, sizes, **options):
        """Process the signals as the dataset's are: up to 47 Hz, average reference."""
        made = super().make(sizes, **options)
        low_pass = scipy.signal.butter(4, LAST_HZ, fs=SFREQ, output="sos")
        signals = [scipy.signal.sosfiltfilt(low_pass, signal - signal.mean(axis=1, keepdims=True))
                   for signal in made.signals]
        return Trials(signals, made.info, made.table, description=made.description)


def _plan_of(subject: str, random_state: int) -> pd.DataFrame:
    """Return a person's clips: what they make felt, the order they are played in, and ratings.

    Each clip's valence and arousal lie near those of its emotion and are the same for everybody, so that clips can be
    told apart where emotions cannot, as in life.
    """
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
    """Return the place of each clip, 1-28: seven blocks of four clips of one valence, neutral clips in one block."""
    emotions = np.array(CLIP_EMOTIONS)
    blocks = [block for side in (emotions < 4, emotions == 4, emotions > 4)
              for block in rng.permutation(np.flatnonzero(side)).reshape(-1, 4)]
    order = np.concatenate([blocks[place] for place in rng.permutation(len(blocks))])
    return np.argsort(order) + 1


DATASET = Faced()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
