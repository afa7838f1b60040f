"""MoBI: 8 people walk on a treadmill, three trials each, with and without closed-loop control of an avatar's leg.

He, Luu, Nathan, Nakagome & Contreras-Vidal 2018, Scientific Data 5:180074. A regression: EEG to joint angles.

Layout. Folders ``SL01-T01`` ... ``SL08-T03`` in ``RepositoryData``, each with six text files (CR LF): ``eeg.txt``
(``64 channels``, then rows: seconds, 64 values in microvolt, a tab at the end), ``joints.txt`` (12 names in brackets,
``Joint Factor``, then rows: seconds, 12 angles in degrees), ``conductor.txt`` (what happened when),
``impedances-before.txt``, ``impedances-after.txt`` (the names of the signals, in their order), ``digitizer.bvct``.

The targets stand in the same signals as the EEG, as ``misc`` channels: ``MEASURED``, the goniometers of hip, knee and
ankle, right then left, and ``PREDICTED``, the same as the decoder gave them. Their unit is degrees (LaBraM divides by
90), although `Trials` says microvolt; ``Trials.raw`` scales them with all the rest.

What the reader decides, and says in ``Trials.decisions`` and in the report of `check`:

- names come from the impedance table, in its order; channels are given in one order for all recordings;
- the plugs T7 and T8 sit at FCz and AFz, and are called so; TP9, TP10, FT9, FT10 are eye channels (``eog``). 60
  electrodes remain;
- rows of eeg.txt and joints.txt must have the same time stamps, 100 a second; steps of more than 15 ms are counted;
- joints that never move are named: the closed loop drove the right leg only;
- positions are those of the template, not of digitizer.bvct; other files and folders are ignored, by name;
- channels without signal, EEG too small or large for microvolt, and recordings with the same signals are named.

Traps. Standing, walking and closed loop are told apart by `read_events` (conductor.txt), not by fixed times. Signals
are cut off at -3276.8 and 3276.7 microvolt: column ``clipped``. Walking itself moves cables, at the frequency of the
steps: what predicts the joints need not come from the brain.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.datasets import mobi_files as files
from eegemo_utils.datasets.base import Dataset, Part, Size, Source
from eegemo_utils.datasets.common import DESCRIPTION
from eegemo_utils.datasets.mobi_files import (
    CHANNELS,
    ELECTRODES,
    EYES,
    JOINTS,
    LABEL,
    MEASURED,
    MOVED,
    N_SUBJECTS,
    N_TRIALS,
    PLUGS,
    PREDICTED,
    SFREQ,
)
from eegemo_utils.datasets.plausible import others_ignored
from eegemo_utils.files import in_words
from eegemo_utils.simulate import simulate_trials
from eegemo_utils.trials import DatasetError, Trials

__all__ = ["DATASET", "FACTS", "MEASURED", "PREDICTED", "WINDOWS", "check", "read", "read_events", "simulate", "write"]

PLACE = "RepositoryData"
FOLDER = re.compile(rf"(SL0[1-{N_SUBJECTS}])-T(0[1-{N_TRIALS}])")
# LaBraM, section 3.1 and appendix F: windows of 2 s, every 50 ms, of the walking and the closed loop
WINDOW_SECONDS, STRIDE_SECONDS, WINDOWS = 2.0, 0.05, 575830
GAP_SECONDS = 0.015
SAME_STAMP = 5e-4  # seconds by which the time stamps of two files may differ
# of the simulation
STEPS_HZ = (0.6, 0.9)  # of one leg, at a mile an hour
CORTEX = {"Cz": 4.0, "CPz": 3.0, "FCz": 2.0}  # microvolt of the right knee's slow copy, for one standard deviation
RIM, RIM_UV = ("FT7", "FT8", "TP7", "TP8"), 12.0  # where cables swing
LAG_SECONDS, MISS_DEGREES = 0.1, 3.0  # of the decoder
EVENTS = ((0, "standing"), (0.1, "walking"), (0.75, "closed loop"), (0.95, "standing"))  # from which share of a trial


class Mobi(Dataset):
    """MoBI: see the text of this file.

    Simulated people walk all the time. Angles follow the phase of the steps, whose rate and size wander; the left leg
    is half a cycle behind. The right knee, below 3 Hz, is copied to the vertex (`CORTEX`, times `effect`): that can be
    learnt, and holds in other people. The rim of the cap (`RIM`, times `fingerprint`) carries harmonics of the steps
    with phases of each trial's own: that predicts the joints within a trial, not beyond. The decoder follows the right
    leg, late and not exactly; its left leg never moves.
    """

    name, short = "mobi", "MoBI"
    title = "MoBI, treadmill walking with a brain-computer interface (8 people, 3 trials)"
    licence = "open; CC BY 4.0 or CC0: see the figshare page"
    source = "figshare, linked from doi 10.1038/sdata.2018.74"
    labels = "12 joint angles in degrees (regression): " + ", ".join(JOINTS)
    folders = ("mobi", "MoBI", PLACE)
    papers = "labram"
    ch_names, sfreq = ELECTRODES, SFREQ
    people = tuple(f"SL{number:02d}" for number in range(1, N_SUBJECTS + 1))
    place = f"Folder ``{PLACE}``, or the one that holds it."
    unit = "60 electrodes and 4 eye channels, microvolt, 100 Hz, and 12 joints (misc) in degrees; time stamps of the " \
        "file"
    columns = {"subject": "SL01-SL08", "session": "1", "trial": "1-3", "label": LABEL, "recording": "SL01-T01",
               "seconds": "", "n_gaps": "steps of more than 15 ms",
               "clipped": "share of EEG samples at the converter's ends"}
    sizes = {"n_subjects": Size(2, "People.", 1, N_SUBJECTS), "n_trials": Size(2, "Trials of each.", 1, N_TRIALS),
             "n_seconds": Size(60.0, "Of a trial.", 1.0)}

    def info(self):
        return files.make_info()

    def find(self, root):
        place = root / PLACE if (root / PLACE).is_dir() else root
        paths = [path for path in sorted(place.iterdir()) if path.name[0] != "."] if place.is_dir() else []
        folders = [path for path in paths if path.is_dir() and FOLDER.fullmatch(path.name)]
        if not folders:
            raise DatasetError(f"{root}: expected folders SL01-T01 to SL08-T03 with {', '.join(files.FILES)}, found "
                               f"none. Get them from {self.source}, and give the folder they lie in.")
        others = [path.name for path in paths if path not in folders and path.name != DESCRIPTION]
        for folder in folders:
            others += [f"{folder.name}/{path.name}" for path in sorted(folder.iterdir())
                       if path.name not in files.FILES and path.name[0] != "."]
        return [Source(folder.name[:4], folder, folder.name, str(folder / files.EEG), trial=int(folder.name[6:]))
                for folder in folders], others_ignored(others)

    def load(self, source, strict):
        name, folder = source.name, source.path
        plugs, said = _plugs(name, folder)
        stamps, values = files.load_eeg(folder / files.EEG)
        angles = _angles(folder, stamps)
        values = values[[plugs.index(plug) for plug in (*(p for p in PLUGS if p not in EYES), *EYES)]]
        eeg = values[: len(ELECTRODES)]
        clipped = float(((eeg <= files.LOW_RAIL + 0.05) | (eeg >= files.HIGH_RAIL - 0.05)).mean())
        gaps = int((np.diff(stamps) > GAP_SECONDS).sum())
        if still := [joint for joint, angle in zip(JOINTS, angles) if not np.ptp(angle)]:
            said.append(f"{name}: {', '.join(still)} never move")
        if gaps:
            said.append(f"{name}: {gaps} steps of more than {1000 * GAP_SECONDS:.0f} ms: samples kept as they are")
        if clipped:
            said.append(f"{name}: {clipped:.2%} of the EEG at the converter's ends")
        row = {"subject": source.subject, "session": 1, "trial": source.trial, "label": LABEL, "recording": name,
               "seconds": round(float(stamps[-1] - stamps[0]), 3), "n_gaps": gaps, "clipped": clipped}
        return Part([np.concatenate([values, angles])], pd.DataFrame([row]), said, [stamps])

    def label(self, table, root, strict):
        moved = ", ".join(f"{plug} is {name}" for plug, name in (MOVED | EYES).items())
        return table, [f"plugs that sit elsewhere than they are called: {moved}",
                       "joints as misc channels, in degrees; positions of the template"]

    def examine(self, source, strict):
        part, events = self.load(source, strict), source.path / files.EVENTS
        part.table["n_events"] = len(files.load_events(events)) if events.is_file() else 0
        return part

    def line(self, source, part):
        path = next(source.path / file for file in files.IMPEDANCES if (source.path / file).is_file())
        names = [plug for plug, value in files.load_impedances(path).items() if np.isnan(value)]
        row = part.table.iloc[0]
        return (f"{source.name}: {row['seconds']:.1f} s, {row['n_events']} events, impedance of "
                f"{', '.join(names) or 'no plug'} not measured")

    def absent(self, sources):
        known = {source.name for source in sources}
        names = [f"{subject}-T{trial:02d}" for subject in self.people for trial in range(1, N_TRIALS + 1)]
        missing = [name for name in names if name not in known]
        return [f"no folder {', '.join(missing)}"] if missing else []

    # ---- writing and simulating ----

    def check_trials(self, trials, root, form):
        strange = sorted({name for name in _names(trials.table) if not FOLDER.fullmatch(name)})
        if strange or set(trials.table["session"]) != {1}:
            raise DatasetError(f"{root}: MoBI has session 1 and trials 1 to {N_TRIALS} of each person; found other "
                               f"{f'trials ({strange[0]})' if strange else 'sessions'}")

    def targets(self, table, root, form):
        return {root / PLACE / name / file: table.iloc[[row]] for row, name in enumerate(_names(table))
                for file in files.FILES}

    def present(self, root, form):
        return [*root.glob("SL*-T*"), *(root / PLACE).glob("SL*-T*")]

    def own(self, present, targets, table, root):
        return {path.parent for path in targets}

    def save(self, path, signals, rows):
        signal = signals[0].astype(np.float64)
        stamps = rows["times"].iloc[0] if "times" in rows else np.arange(signal.shape[1]) / SFREQ
        if path.name == files.EEG:
            eeg = signal[[CHANNELS.index((MOVED | EYES).get(plug, plug)) for plug in PLUGS]]
            files.save_table(path, [files.FIRST_LINE], stamps, eeg.clip(files.LOW_RAIL, files.HIGH_RAIL), 1)
        elif path.name == files.JOINT:
            head = [f"6 joints ({' '.join(JOINTS)})", "Joint Factor: " + " ".join(["1"] * len(JOINTS))]
            files.save_table(path, head, stamps, signal[-len(JOINTS):], 3)
        elif path.name == files.EVENTS:
            seconds = [stamps[0] + share * (stamps[-1] - stamps[0]) for share, _ in EVENTS]
            files.save_lines(path, ["Time\tEvent", "", *(f"{second:.3f}\t{text}"
                                                        for second, (_, text) in zip(seconds, EVENTS))])
        elif path.name == files.DIGITIZER:
            places = {name: channel["loc"][:3] for name, channel in zip(CHANNELS, self.info()["chs"])}
            files.save_digitizer(path, {plug: places[MOVED.get(plug, plug)] for plug in PLUGS if plug not in EYES})
        else:
            impedances = 5.0 + np.arange(len(PLUGS)) % 20
            impedances[PLUGS.index("PO9")] = np.nan
            files.save_impedances(path, impedances)

    def make(self, sizes, *, effect, fingerprint, random_state):
        table = pd.DataFrame([{"subject": subject, "session": 1, "trial": trial, "label": LABEL}
                              for subject in self.people[:sizes["n_subjects"]]
                              for trial in range(1, sizes["n_trials"] + 1)])
        made = simulate_trials(table.assign(n_seconds=sizes["n_seconds"]), ch_names=CHANNELS[:-len(JOINTS)],
                               sfreq=SFREQ, fingerprint=fingerprint, random_state=random_state)
        signals = [_walking(signal, np.random.default_rng([random_state, int(row.subject[2:]), row.trial]), effect,
                            fingerprint) for row, signal in zip(table.itertuples(), made.signals)]
        stamps = np.round(np.arange(signals[0].shape[1]) / SFREQ, 3)
        table = table.assign(recording=_names(table), seconds=round((len(stamps) - 1) / SFREQ, 3), n_gaps=0,
                             clipped=0.0)
        return Trials(signals, self.info(), table, [stamps] * len(signals), f"simulated {self.short} cohort")


def _names(table: pd.DataFrame) -> list[str]:
    """Return the folder of each row."""
    return [f"{row.subject}-T{row.trial:02d}" for row in table.itertuples()]


def _plugs(name: str, folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the signals in their order, on which the two tables must agree, and decisions."""
    present = [folder / file for file in files.IMPEDANCES if (folder / file).is_file()]
    if not present:
        raise DatasetError(f"{folder / files.IMPEDANCES[0]}: no such file, nor {files.IMPEDANCES[1]}: the names of the "
                           f"signals are only there. Get the folder again.")
    tables = [list(files.load_impedances(path)) for path in present]
    if tables[0] != tables[-1]:
        raise DatasetError(f"{present[1]}: expected the names of {present[0].name} in the same order, found another "
                           f"one. Get the folder again.")
    said = [f"{name}: {file} is missing" for file in (files.EVENTS, files.DIGITIZER, *files.IMPEDANCES)
            if not (folder / file).is_file()]
    digitizer = folder / files.DIGITIZER
    if digitizer.is_file() and (fault := files.fault_of_digitizer(digitizer)):
        said.append(f"{name}: {files.DIGITIZER} {fault}: not needed")
    if tables[0] != list(PLUGS):
        said.append(f"{name}: signals in another order than the cap's, put in order")
    return tables[0], said


def _angles(folder: Path, stamps: np.ndarray) -> np.ndarray:
    """Return the 12 angles, found to have the time stamps of the signals."""
    joint_stamps, angles = files.load_joints(folder / files.JOINT)
    if len(stamps) != len(joint_stamps):
        found = f"{len(stamps)} and {len(joint_stamps)} rows"
    elif (other := np.abs(stamps - joint_stamps) > SAME_STAMP).any():
        found = f"other ones from row {int(np.argmax(other)) + 1} on"
    else:
        return angles
    raise DatasetError(f"{folder / files.JOINT}: expected the time stamps of {files.EEG}, found {found}. Get both "
                       f"files again.")


@in_words
def read_events(root, subjects=None) -> pd.DataFrame:
    """Return what happened when: subject, trial, time (seconds, on the signals' clock), event, of all conductor.txt.

    Raises
    ------
    DatasetError
        As `read`.
    """
    tables = []
    for source in DATASET.sources(Path(root), subjects)[0]:
        events = files.load_events(source.path / files.EVENTS)
        events.insert(0, "subject", source.subject)
        events.insert(1, "trial", source.trial)
        tables.append(events)
    return pd.concat(tables, ignore_index=True)


def _walking(signal: np.ndarray, rng, effect: float, fingerprint: float) -> np.ndarray:
    """Return simulated EEG and eye channels with what walking adds to them, and the 12 angles (degrees) below."""
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
    return np.concatenate([signal, angles]).round(3)


def _walk(rng, n_times: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the phase of the right leg's steps, and the 12 angles (degrees)."""
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


DATASET = Mobi()
FACTS = DATASET.facts
read, check, write, simulate = DATASET.functions()
