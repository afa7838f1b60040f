"""FACED: 123 people watch 28 film clips of nine emotions (Chen et al. 2023, Scientific Data 10:740). CC BY 4.0.

Layout. Three forms of the same recordings, from two places:

- Synapse syn50614194, ``Processed_data/sub000.pkl`` ... ``sub122.pkl``: a pickled array (28 clips, 32 signals, 7500
  samples), the last 30 s of each clip at 250 Hz, microvolt, 0.05-47 Hz, average reference, clips by their number,
  signals in the order of cohort 2 for everybody. ``form="raw"``;
- ``EEG_Features/DE/sub000.pkl.pkl`` and ``PSD``: (28, 32, 30 seconds, 5 bands). ``form="features"``;
- NEMAR nm000112, BIDS: ``sub-000/eeg/sub-000_task-watchingVideoClips_eeg.bdf`` with events.tsv, raw signals at 250 or
  1000 Hz. ``form="bids"``, or "raw" where there are no pickles.

Play order and ratings are in ``Data/sub000/After_remarks.mat``, or in events.tsv.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- the two mastoids (HEOR, HEOL; A1, A2) are dropped, as in the official features: 30 electrodes remain;
- trials are numbered by clip in every form; the column ``played`` has the play order;
- people without After_remarks.mat have no ratings and no play order (NaN);
- of BIDS recordings the last 30 s of each clip are taken, at 250 Hz; they are not filtered and not referenced again;
- a BIDS recording whose unit cannot be true, by its amplitude, is scaled by 1e6 or 1e-6;
- DE of minus infinity (a constant signal) becomes -30, as in the official pipeline;
- a folder with DESCRIPTION.txt, which `write` makes, may hold shorter clips; any other must not.

Traps. Raw files of sub000-sub060 name and order signals in another way (T3 T4 A1 A2 ... T5 T6): never take positions
of one form for another. In the BIDS files neutral clips carry the emotion label ``\\``, and the README counts the
rates wrong. Every emotion has only three clips (neutral four), the same for everybody: a score between people that
are shown the same clips says in part which clip it is. The columns ``take`` and ``film`` allow to leave clips out: two
clips of fear are from one film, and all neutral ones. Clip 22 is 8 s longer for sub036-sub060 than for the others.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import faced_bids as bids
from eegemo_utils.datasets import faced_files as files
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.faced_files import (
    BANDS,
    ELECTRODES,
    EMOTIONS,
    FEATURES,
    MASTOIDS,
    N_CLIPS,
    RATINGS,
    SFREQ,
    SUBJECTS,
)
from eegemo_utils.datasets.faced_simulation import simulate
from eegemo_utils.montage import make_info
from eegemo_utils.trials import DatasetError, Report, Trials, Windows

__all__ = ["CBRAMOD_SPLIT", "CBRAMOD_WINDOWS", "FACTS", "OFFICIAL_FOLDS", "check", "read", "simulate", "write"]

FACTS = {
    "name": "faced",
    "title": "FACED, Finer-grained Affective Computing EEG Dataset (123 people, 28 film clips)",
    "licence": "CC BY 4.0",
    "source": "Synapse syn50614194 (free account), or NEMAR nm000112 (BIDS, open)",
    "channels": ", ".join(ELECTRODES),
    "sfreq": float(SFREQ),
    "labels": ", ".join(EMOTIONS) + "; or negative, positive; 12 ratings from 0 to 7",
    "folders": ("faced", "FACED", "nm000112"),
    "papers": "gmss, multitask_cnn, tnas, labram",
}
FORMS = ("raw", "features", "bids")
TARGETS = {"emotion": EMOTIONS, "binary": ("negative", "positive"), "valence3": ("negative", "neutral", "positive")}
# Test people of the official ten folds, in the order of the files (FACED's main_de_svm.py): nine of 12, one of 15
OFFICIAL_FOLDS = tuple(SUBJECTS[12 * fold: 12 * fold + 12 if fold < 9 else None] for fold in range(10))
# Fixed split by people, and its windows of 10 s (wjq-learning/CBraMod, preprocessing/preprocessing_faced.py)
CBRAMOD_SPLIT = {"train": SUBJECTS[:80], "val": SUBJECTS[80:100], "test": SUBJECTS[100:]}
CBRAMOD_WINDOWS = {"train": 6720, "val": 1680, "test": 1932}


# ---- reading ----

def read(root, subjects=None, form: str = "raw", *, target: str = "emotion", feature: str = "DE") -> Trials | Windows:
    """Read people of FACED, one file at a time.

    Parameters
    ----------
    root : path
        Top folder of the release, one of its folders (``Processed_data``), or of the BIDS dataset.
    subjects : list of str, optional
        Such as ["sub000"]; only these files are opened.
    form : str
        "raw", "features" or "bids".
    target : str
        What becomes the label: "emotion" (nine), "binary" (negative, positive; neutral clips left out), "valence3".
    feature : str
        "DE" or "PSD", with ``form="features"``.

    Returns
    -------
    Trials or Windows
        30 electrodes; Trials in microvolt at 250 Hz, Windows of one second, (n_windows, 30, 5 bands), float64. Table:
        subject, session (1), trial (the clip, 1-28), (window,) label, emotion, valence3, take (1-4, number of the clip
        in its emotion), film, played (1-28), the twelve ratings (0-7).

    Raises
    ------
    DatasetError
        When there is no folder or file, a person or name is unknown, or a file is faulty: says which.
    """
    for word, known in ((form, FORMS), (target, TARGETS), (feature, FEATURES)):
        if word not in known:
            raise DatasetError(f"{root}: {word!r} is none of {', '.join(known)}")
    root = Path(root)
    form, paths = _find(root, form, feature)
    description, written = read_description(files.base(root), f"FACED in {root.name}")
    signals, tables, decisions = [], [], _general(form)
    for subject in pick_subjects(root, paths, subjects):
        values, table, said = _load(root, subject, paths[subject], form, feature, strict=not written)
        kept = table["valence3"].ne("neutral").to_numpy() if target == "binary" else np.ones(N_CLIPS, bool)
        table.insert(3, "label", table["emotion" if target == "emotion" else "valence3"])
        signals += [value for value, keep in zip(values, kept) if keep]
        tables.append(table[kept])
        decisions += said
    table = pd.concat(tables, ignore_index=True)
    decisions += ["neutral clips left out (binary)"] * (target == "binary")
    if form == "features":
        return _windows(signals, table)
    return Trials(signals, make_info(ELECTRODES, SFREQ), table, None, description, tuple(decisions))


def _find(root: Path, form: str, feature: str) -> tuple[str, dict[str, Path]]:
    """Form and files by person; raw stands for BIDS where there are no pickles."""
    paths = {} if form == "bids" else files.find(root, form, feature)
    if not paths and form != "features" and (folders := bids.find(root)):
        return "bids", folders
    if not paths:
        wanted = {"raw": "Processed_data/sub000.pkl or sub-000/eeg", "bids": "sub-000/eeg",
                  "features": f"EEG_Features/{feature}/sub000.pkl.pkl"}[form]
        found = sorted(path.name for path in root.iterdir())[:5] if root.is_dir() else "no such folder"
        raise DatasetError(f"{root}: expected files of FACED ({wanted}), found {found or 'an empty folder'}. Get them "
                           f"from {FACTS['source']}, and give the folder they lie in.")
    return form, paths


def _load(root: Path, subject: str, path: Path, form: str, feature: str, strict: bool):
    """A person's 28 clips, table and what was decided."""
    table = files.clip_table().drop(columns="clip_seconds").rename(columns={"clip": "trial"})
    table.insert(0, "subject", subject)
    table.insert(1, "session", 1)
    if form == "bids":
        session = bids.load(path, strict)
        return session.signals, table.join(session.remarks, on="trial"), session.decisions
    if form == "raw":
        values, said = files.load_clips(path, strict), []
    else:
        values, said = files.load_features(path, feature, strict)
    remarks = files.find_remarks(root, subject)
    if remarks is None:
        said = [*said, f"{subject}: no After_remarks.mat, so ratings and play order are not known"]
        return values, table.reindex(columns=[*table, "played", *RATINGS]), said
    return values, table.join(files.load_remarks(remarks), on="trial"), said


def _windows(values: list[np.ndarray], table: pd.DataFrame) -> Windows:
    """Clips of (30, seconds, 5) to windows of one second."""
    n_seconds = [clip.shape[1] for clip in values]
    rows = table.loc[table.index.repeat(n_seconds)].reset_index(drop=True)
    rows.insert(3, "window", np.concatenate([np.arange(1, n + 1) for n in n_seconds]))
    X = np.concatenate([clip.swapaxes(0, 1) for clip in values])
    return Windows(X, rows, info=make_info(ELECTRODES, SFREQ), bands=tuple(BANDS))


def _general(form: str) -> list[str]:
    said = [f"mastoids ({', '.join(MASTOIDS)}) dropped"]
    if form == "bids":
        said.append("raw recordings: the last 30 s of each clip, not filtered, not referenced again")
    return said


# ---- checking ----

def check(root) -> Report:
    """Say which people and forms a folder holds, what is missing or damaged and what `read` does. Raises nothing."""
    root = Path(root)
    report = Report(FACTS["name"], root, ok=False)
    try:
        description, written = read_description(files.base(root), f"FACED in {root.name}")
        held = _held(root)
        if not held:
            _find(root, "raw", "DE")  # raises, with what was looked for
    except (DatasetError, OSError) as error:
        report.missing.append(str(error))
        return report
    report.found.append(description)
    for (form, feature), paths in held.items():
        faults = _check_form(root, form, feature, paths, report, strict=not written)
        report.missing += faults
        name = form if form != "features" else f"features ({feature})"
        report.found.append(f"{name}: {len(paths)} people, {len(faults)} of them faulty")
        absent = [subject for subject in SUBJECTS if subject not in paths]
        if absent:
            report.missing.append(f"{name}: no files of {len(absent)} of the 123 people ({', '.join(absent[:3])}, ...)")
        report.decisions += _general(form)
    report.decisions = list(dict.fromkeys(report.decisions))
    report.ok = not any("fault: " in line for line in report.missing)
    return report


def _held(root: Path) -> dict[tuple[str, str], dict[str, Path]]:
    held = {("raw", "DE"): files.find(root, "raw"), ("bids", "DE"): bids.find(root)}
    held |= {("features", feature): files.find(root, "features", feature) for feature in FEATURES}
    return {key: paths for key, paths in held.items() if paths}


def _check_form(root: Path, form: str, feature: str, paths, report: Report, strict: bool) -> list[str]:
    faults, alpha = [], np.zeros(len(ELECTRODES))
    for subject, path in paths.items():
        try:
            values, _, said = _load(root, subject, path, form, feature, strict)
        except (DatasetError, OSError) as error:
            faults.append(f"fault: {error}")
            continue
        report.decisions += said
        alpha += _alpha(values) if form == "raw" else 0
    if alpha.any():  # the pickles name no channels: the place of the alpha rhythm shows their order
        strongest = [ELECTRODES[place] for place in np.argsort(-alpha)[:3]]
        report.found.append(f"alpha is strongest at {', '.join(strongest)} (expected at the back of the head; if not, "
                            f"the channels are in another order)")
    return faults


def _alpha(clips: list[np.ndarray]) -> np.ndarray:
    """Power of 8-13 Hz in each channel of the last clip, as a share of the sum over channels."""
    clip = clips[-1]
    hz = np.fft.rfftfreq(clip.shape[1], 1 / SFREQ)
    power = (np.abs(np.fft.rfft(clip, axis=1)) ** 2)[:, (hz >= 8) & (hz <= 13)].sum(axis=1)
    return power / max(power.sum(), 1e-30)


# ---- writing ----

def write(trials: Trials, root, form: str = "raw") -> list[Path]:
    """Write people in exactly the dataset's own files; DESCRIPTION.txt beside them says what they are.

    Parameters
    ----------
    trials : Trials
        As `read` gives them: 30 electrodes, 250 Hz, clips 1-28 of one length for each person, named sub000-sub122.
        The mastoids, which the files need, are made up from the electrodes beside them.
    root : path
        Top folder, made when missing.
    form : str
        "raw" (pickles, After_remarks.mat), "features" (DE and PSD of these signals) or "bids".

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials are not so, or the folder holds other people's files of this form, or files that `write` did
        not make.
    """
    root = Path(root)
    subjects = list(dict.fromkeys(trials.table["subject"]))
    unknown = [subject for subject in subjects if subject not in SUBJECTS]
    lacking = [name for name in ("played", *RATINGS) if name not in trials.table]
    if form not in FORMS or unknown or lacking:
        raise DatasetError(f"{root}: FACED has people sub000 to sub122, the columns played and the ratings, and the "
                           f"forms {', '.join(FORMS)}; found {', '.join([*unknown, form])}, missing: {lacking}")
    clips = {subject: files.signals_of(trials, subject, root, whole_seconds=form == "features")
             for subject in subjects}  # faults, before any is written
    held = _held(root)
    others = {path for key, paths in held.items() if key[0] == form for name, path in paths.items()
              if name not in subjects}
    present = {path for paths in held.values() for path in paths.values()} | set(root.glob("Data/*/After_remarks.mat"))
    prepare_folder(root, trials.description, present, present - others)
    written = [path for subject in subjects for path in _write_subject(root, subject, form, clips[subject], trials)]
    if form == "bids":
        facts = {"Name": trials.description, "BIDSVersion": "1.7.0", "DatasetType": "raw"}
        written.append(bids.save_text(root / "dataset_description.json", bids.json.dumps(facts), bom=False))
        people = "".join(f"sub-{subject[3:]}\tn/a\tn/a\n" for subject in subjects)
        written.append(bids.save_text(root / "participants.tsv", f"participant_id\tage\tsex\n{people}"))
    return written


def _write_subject(root: Path, subject: str, form: str, clips: np.ndarray, trials: Trials) -> list[Path]:
    rows = trials.table[trials.table["subject"] == subject].sort_values("trial")
    if form == "bids":
        return bids.write_session(root / f"sub-{subject[3:]}" / "eeg", clips, rows)
    if form == "raw":
        paths = [files.save_pickle(root / "Processed_data" / f"{subject}.pkl", clips)]
    else:
        paths = [files.save_pickle(root / "EEG_Features" / feature / f"{subject}.pkl.pkl", values)
                 for feature, values in files.stored_features(clips).items()]
    if rows["played"].notna().all():
        paths.append(files.save_remarks(root / "Data" / subject / "After_remarks.mat", rows))
    return paths
