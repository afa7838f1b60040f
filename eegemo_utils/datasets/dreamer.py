"""DREAMER: 23 people see 18 film clips, 14 electrodes of a consumer headset; one MATLAB file.

Layout (Katsigiannis & Ramzan 2018, IEEE J. Biomed. Health Inform. 22:98-107; zenodo 546113; read as
torcheeg/torcheeg, torcheeg/datasets/module/emotion_recognition/dreamer.py:233-259 does): ``DREAMER.mat``, a struct
with a cell ``Data{1x23}`` of structs: Age, Gender, ``EEG.baseline{18x1}`` and ``EEG.stimuli{18x1}`` of (samples, 14) at
128 Hz, the same for the ECG, ScoreValence, ScoreArousal, ScoreDominance (18x1) from 1 to 5. Before each clip stand
61 s of baseline. Clips last 65 to 393 s. The file is about 450 MB, and several times that in memory: it is read one
array at a time.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- baseline and clip are one signal, in this order: ``baseline_seconds`` of it come before the clip;
- the ECG (2 leads, 256 Hz) is ignored;
- the label is "high" when a rating is above 3, so that 3 is low, as for DEAP. Other code counts 3 as high (torcheeg,
  ``Binary``: >=): another task;
- electrodes are taken by the names in the file, in the published order where it has none;
- a folder with DESCRIPTION.txt, which `write` makes, may hold fewer people and clips and shorter baselines.

Traps. Time comes first in the file. The headset adds an offset of thousands of microvolt, and nothing is filtered:
take the mean out before a causal filter. Clips differ in length, so windows do: people who cut the last 60 s get 1080
seconds a person, all of it gives 3728.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eegemo_utils.datasets import dreamer_files as files
from eegemo_utils.datasets.common import pick_subjects, prepare_folder, read_description
from eegemo_utils.datasets.dreamer_files import (
    BASELINE_SECONDS,
    ELECTRODES,
    FILE,
    N_CLIPS,
    N_SUBJECTS,
    RATINGS,
    SFREQ,
    SUBJECTS,
)
from eegemo_utils.montage import make_info
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Report, Trials

FACTS = {
    "name": "dreamer",
    "title": "DREAMER (23 people, 18 film clips, Emotiv EPOC)",
    "licence": "by request; academic, not commercial, not to be passed on",
    "source": "https://zenodo.org/records/546113 (restricted: ask there)",
    "channels": ", ".join(ELECTRODES),
    "sfreq": SFREQ,
    "labels": "low, high: valence (or arousal, dominance) above 3 of 1-5; the three ratings",
    "folders": ("dreamer", "DREAMER"),
    "papers": "tnas, multitask_cnn",
}
THRESHOLD = 3.0


def read(root, subjects=None, target: str = "valence") -> Trials:
    """Read people of DREAMER.

    Parameters
    ----------
    root : path
        Folder with ``DREAMER.mat``, or the file.
    subjects : list of str, optional
        "s01" to "s23", the file's order; only their signals are put into memory.
    target : str
        Rating that makes the label: valence, arousal or dominance.

    Returns
    -------
    Trials
        14 electrodes, microvolt, 128 Hz, baseline and clip. Table: subject, session (1), trial (the clip, 1-18),
        label ("low", "high"), valence, arousal, dominance (1-5), age, gender (text), seconds (of the clip),
        baseline_seconds.

    Raises
    ------
    DatasetError
        When there is no such file, a person or target is unknown, or the file is faulty: says where.
    """
    if target not in RATINGS:
        raise DatasetError(f"{root}: no rating is called {target!r}; there are {', '.join(RATINGS)}")
    path, decisions = files.find(Path(root))
    description, written = read_description(path.parent, f"DREAMER in {path.parent.name}")
    wanted = None if subjects is None else _numbers(path, subjects)
    signals, rows, about = [], [], None
    for number, person in files.people(path, wanted):
        if number < 0:
            about = person
        else:
            more, table = _person(number, person, strict=not written)
            signals += more
            rows += table
    pick_subjects(path, _names(about.known), subjects)
    if not rows:
        raise files.nobody(path)
    order, told = files.electrode_order(path, about)
    if told and order != sorted(order):
        signals = [signal[order] for signal in signals]
    table = _labelled(pd.DataFrame(rows), target)
    decisions = [*_decisions(table, target), *told, *_people_missing(about, written), *decisions]
    return Trials(signals, make_info(ELECTRODES, SFREQ), table, None, description, tuple(decisions))


def _names(numbers) -> list[str]:
    return [f"s{number + 1:02d}" for number in sorted(numbers)]


def _numbers(path: Path, subjects) -> set[int]:
    asked = [subjects] if isinstance(subjects, str) else subjects
    return {SUBJECTS.index(subject) for subject in pick_subjects(path, SUBJECTS, asked)}


def _person(number: int, person, strict: bool) -> tuple[list[np.ndarray], list[dict]]:
    n_clips = person.n_clips()
    fine = n_clips == N_CLIPS if strict else 1 <= n_clips <= N_CLIPS
    if not fine or number >= N_SUBJECTS:
        raise DatasetError(f"{person.where}: expected {N_SUBJECTS} people with {N_CLIPS} clips each in EEG.stimuli, "
                           f"found {n_clips}. Get the file again.")
    ratings = person.ratings(n_clips)
    signals, rows = [], []
    for clip in range(n_clips):
        signal, n_baseline = person.signal(clip, strict)
        signals.append(signal)
        rows.append({"subject": SUBJECTS[number], "session": 1, "trial": clip + 1, "label": "",
                     **dict(zip(RATINGS, ratings[clip])), "age": person.text("Age"), "gender": person.text("Gender"),
                     "seconds": (signal.shape[1] - n_baseline) / SFREQ, "baseline_seconds": n_baseline / SFREQ})
    return signals, rows


def _labelled(table: pd.DataFrame, target: str) -> pd.DataFrame:
    return table.assign(label=np.where(table[target] > THRESHOLD, "high", "low"))


def _decisions(table: pd.DataFrame, target: str) -> list[str]:
    middle = int((table[target] == THRESHOLD).sum())
    said = ["ECG ignored; baseline and clip are one signal, in this order",
            f"label: {target} above {THRESHOLD:g} is high; {middle} rating(s) of exactly {THRESHOLD:g} are low"]
    n_classes = table.groupby("subject")["label"].nunique()
    single = list(n_classes.index[n_classes == 1])
    return said + [f"all clips of {', '.join(single)} have one label of {target}"] * bool(single)


def _people_missing(about, written: bool) -> list[str]:
    absent = [] if written else _names(set(range(N_SUBJECTS)) - about.known)
    return [f"nothing of {', '.join(absent)} in the file"] * bool(absent)


def check(root) -> Report:
    """Say which people a file holds, what is faulty in it and what `read` does. Raises nothing."""
    report = Report(FACTS["name"], Path(root), ok=False)
    rows = []
    try:
        path, decisions = files.find(Path(root))
        description, written = read_description(path.parent, f"DREAMER in {path.parent.name}")
        report.found.append(description)
        for number, person in files.people(path):
            if number < 0:
                _, told = files.electrode_order(path, person)
                decisions = [*told, *_people_missing(person, written), *decisions]
            else:
                rows += _checked(report, number, person, strict=not written)
    except (DatasetError, OSError) as error:
        report.missing.append(f"fault: {error}")
        return report
    if not rows and not report.missing:
        report.missing.append(f"fault: {files.nobody(path)}")
    report.ok = not report.missing
    if rows:
        report.decisions += [*_decisions(_labelled(pd.DataFrame(rows), "valence"), "valence"), *decisions]
    return report


def _checked(report: Report, number: int, person, strict: bool) -> list[dict]:
    try:
        _, rows = _person(number, person, strict)
    except DatasetError as error:
        report.missing.append(f"fault: {error}")
        return []
    high = {name: sum(row[name] > THRESHOLD for row in rows) for name in RATINGS}
    report.found.append(f"{SUBJECTS[number]}: {len(rows)} clips, {sum(row['seconds'] for row in rows):g} s; above 3: "
                        + ", ".join(f"{count} {name}" for name, count in high.items()))
    return rows


def write(trials: Trials, root) -> list[Path]:
    """Write ``DREAMER.mat``: the nested struct, time first, an ECG without any signal.

    Parameters
    ----------
    trials : Trials
        The 14 electrodes in any order, 128 Hz, microvolt; people s01, s02, ..., the same clips 1, 2, ... for all;
        columns as `read` gives them.
    root : path
        Folder, made when missing.

    Returns
    -------
    list of Path

    Raises
    ------
    DatasetError
        When the trials do not fit, or the folder holds a DREAMER.mat that `write` did not make.
    """
    root = Path(root)
    picks = _check_trials(trials, root)
    data = []
    for _, rows in trials.table.sort_values(["subject", "trial"]).groupby("subject"):
        baselines = [int(round(seconds * SFREQ)) for seconds in rows["baseline_seconds"]]
        data.append(files.person_cell(str(rows["age"].iloc[0]), str(rows["gender"].iloc[0]),
                                      [trials.signals[row][picks] for row in rows.index], baselines,
                                      rows[list(RATINGS)].to_numpy(float)))
    prepare_folder(root, trials.description, list(root.glob(FILE)), [root / FILE])
    return [files.save(root / FILE, data)]


def _check_trials(trials: Trials, root: Path) -> list[int]:
    """Where the electrodes of the file stand in the trials."""
    table, names = trials.table, trials.info["ch_names"]
    missing = [name for name in ELECTRODES if name not in names]
    missing += [name for name in (*RATINGS, "age", "gender", "baseline_seconds") if name not in table]
    if missing or trials.info["sfreq"] != SFREQ:
        raise DatasetError(f"{root}: DREAMER needs its 14 electrodes at {SFREQ:g} Hz, three ratings, age, gender and "
                           f"baseline_seconds; found {trials.info['sfreq']:g} Hz, missing: "
                           f"{', '.join(missing) or 'nothing'}")
    people = sorted(set(table["subject"]))
    clips = [sorted(rows["trial"]) for _, rows in table.groupby("subject")]
    whole = list(range(1, len(clips[0]) + 1)) if clips else []
    if not people or people != list(SUBJECTS[: len(people)]) or set(table["session"]) != {1} \
            or any(own != whole for own in clips) or len(whole) > N_CLIPS:
        raise DatasetError(f"{root}: DREAMER has the people s01, s02, ... s23, session 1 and clips 1, 2, ... (at most "
                           f"{N_CLIPS}), the same for all; found {', '.join(people)[:100]} and others")
    ratings = table[list(RATINGS)].to_numpy(float)
    if not ((ratings >= files.LOWEST) & (ratings <= files.HIGHEST)).all():
        raise DatasetError(f"{root}: ratings of DREAMER go from 1 to 5; found {ratings.min():g} to {ratings.max():g}")
    times = np.array([signal.shape[1] for signal in trials.signals]) / SFREQ
    if not ((table["baseline_seconds"] * SFREQ >= 1) & (table["baseline_seconds"] < times)).all():
        raise DatasetError(f"{root}: each signal begins with a baseline and goes on after it; check baseline_seconds")
    return [names.index(name) for name in ELECTRODES]


def simulate(n_subjects: int = 2, *, n_clips: int = N_CLIPS, n_seconds: float = 10.0,
             baseline_seconds: float = BASELINE_SECONDS, effect: float = 1.0, fingerprint: float = 1.0,
             random_state: int = 0) -> Trials:
    """Simulate people who see the same clips, of different length, and rate them a little differently.

    Parameters
    ----------
    n_subjects : int
        1 to 23.
    n_clips : int
        1 to 18.
    n_seconds : float
        Of a clip on average (199 in the original): they last from half to one and a half of it.
    baseline_seconds : float
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
    if not (1 <= n_subjects <= N_SUBJECTS and 1 <= n_clips <= N_CLIPS and n_seconds >= 0.1
            and baseline_seconds * SFREQ >= 1):
        raise ValueError(f"1 to 23 people, 1 to 18 clips and some time, please; got n_subjects={n_subjects}, "
                         f"n_clips={n_clips}, n_seconds={n_seconds}, baseline_seconds={baseline_seconds}")
    rng = np.random.default_rng(random_state)
    clips, lengths = rng.uniform(-1, 1, (N_CLIPS, 3)), np.round(rng.uniform(0.5, 1.5, N_CLIPS) * n_seconds * SFREQ)
    rows = []
    for number, subject in enumerate(SUBJECTS[:n_subjects]):
        own = np.random.default_rng([random_state, number])
        age, gender = str(own.integers(22, 34)), str(own.choice(["male", "female"]))
        ratings = np.clip(np.round(3 + 2 * (clips + own.normal(0, 0.3, clips.shape))), 1, 5)
        rows += [{"subject": subject, "session": 1, "trial": clip + 1, "label": "",
                  **dict(zip(RATINGS, ratings[clip])), "age": age, "gender": gender, "seconds": lengths[clip] / SFREQ,
                  "baseline_seconds": round(baseline_seconds * SFREQ) / SFREQ} for clip in range(n_clips)]
    table = _labelled(pd.DataFrame(rows), "valence")
    felt = (table[["valence", "arousal"]] - THRESHOLD) / 2
    plan = table.assign(n_seconds=table["seconds"] + table["baseline_seconds"], **felt)
    made = simulate_trials(plan, ch_names=ELECTRODES, sfreq=SFREQ, effect=effect, fingerprint=fingerprint,
                           random_state=random_state)
    return Trials(made.signals, made.info, table, None, "simulated DREAMER cohort")
