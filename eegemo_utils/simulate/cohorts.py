"""Cohorts from a plan: who is recorded how often, how long, in which state."""

import mne
import numpy as np
import pandas as pd

from eegemo_utils.montage import MUSE_AUX, MUSE_CHANNELS, make_info, standard_name
from eegemo_utils.simulate.head import SOURCES, lead_field, site_position
from eegemo_utils.simulate.recordings import number_of, simulate_recordings
from eegemo_utils.trials import Trials

FIRST_START = 1_600_000_000.0  # seconds; a calendar time that says nothing
PLAN = ["subject", "session", "trial", "label", "n_seconds"]


def _valence(states) -> dict:
    """Valence of each state by its place: the first -1, the last +1, the others evenly between."""
    return dict(zip(states, np.linspace(-1, 1, len(states)) if len(states) > 1 else [0.0]))


def state_effects(states, effect: float = 1.0) -> pd.DataFrame:
    """What was put in: change of the log amplitude of each source in each state.

    The order of the states is their valence: the first is -1, the last +1, the others evenly between;
    arousal is the distance of the valence from 0. So for negative, neutral, positive: both ends are
    aroused, and left-right frontal asymmetry tells them apart.

    Parameters
    ----------
    states : sequence of str
    effect : float
        Factor on all changes; 0 makes labels without meaning.

    Returns
    -------
    DataFrame
        Rows: sources; columns: states. 0.3 means an amplitude 35% larger.
    """
    columns = {state: effect * (SOURCES["valence"] * value + SOURCES["arousal"] * abs(value))
               for state, value in _valence(states).items()}
    return pd.DataFrame(columns).set_axis(SOURCES["source"])


def _head(ch_names, sfreq: float, reference: str) -> tuple[mne.Info, np.ndarray, np.ndarray]:
    """Channels, which of them are electrodes, and what these see of each dipole."""
    info = make_info(ch_names, sfreq)
    eeg = mne.pick_types(info, eeg=True)
    if reference != "average":
        site_position(reference)  # says so when that is no electrode
    return info, eeg, lead_field(tuple(info["ch_names"][pick] for pick in eeg), standard_name(reference))


def _whole_plan(plan: pd.DataFrame, sfreq: float) -> pd.DataFrame:
    """The plan with the columns that may be left out; ValueError where it cannot be recorded."""
    missing = [name for name in PLAN if name not in plan]
    if missing or not len(plan):
        raise ValueError(f"a plan has one row a trial and the columns {PLAN}; this one has {len(plan)} rows and "
                         f"lacks {missing}")
    plan = plan.reset_index(drop=True)
    states = plan["label"].cat.categories if isinstance(plan["label"].dtype, pd.CategoricalDtype) else sorted(
        plan["label"].unique())
    defaults = {"baseline_seconds": 0.0, "person": plan["subject"].map(number_of), "seed": plan["trial"]}
    if "valence" not in plan:
        defaults["valence"] = plan["label"].map(_valence(states)).astype(float)
    defaults["arousal"] = (plan["valence"] if "valence" in plan else defaults["valence"]).abs()
    whole = plan.assign(**{name: column for name, column in defaults.items() if name not in plan})
    out = whole.index[~(whole[["valence", "arousal"]].abs() <= 1).all(axis=1)]
    if len(out):
        raise ValueError(f"valence and arousal lie between -1 and 1; row {out[0]} of the plan says "
                         f"{whole.loc[out[0], 'valence']} and {whole.loc[out[0], 'arousal']}")
    short = whole.index[~((whole["n_seconds"] * sfreq >= 2) & (whole["baseline_seconds"] >= 0)
                          & (whole["baseline_seconds"] < whole["n_seconds"]))]
    if len(short):
        raise ValueError(f"a trial has two samples at least, and a baseline that is shorter than it; row {short[0]} "
                         f"of the plan says n_seconds={whole.loc[short[0], 'n_seconds']}, "
                         f"baseline_seconds={whole.loc[short[0], 'baseline_seconds']}")
    return whole


def simulate_trials(plan: pd.DataFrame, *, ch_names, sfreq: float, reference: str = "average", effect: float = 1.0,
                    fingerprint: float = 1.0, random_state: int = 0, description: str = "") -> Trials:
    """Simulate the trials of a plan, with any cap.

    Parameters
    ----------
    plan : DataFrame
        One row a trial: subject, session, trial, label, n_seconds (of the whole signal, baseline included).
        May be left out: valence and arousal (-1 to 1; by default from the order of the labels, that of a
        categorical column or the sorted one, as `state_effects` does), baseline_seconds (0; at the start
        of the signal, with nothing of the state in it), person and seed (whole numbers that choose the
        random numbers of a person and of a trial in its session; by default from subject and trial).
    ch_names : sequence of str
        Electrodes of the 10-05 system; other names (an ECG) become inputs that hold noise only.
    sfreq : float
        Samples a second.
    reference : str
        Electrode, or "average": then the mean over electrodes is 0 at each sample.
    effect : float
        Factor on what valence and arousal change in `SOURCES`; 0 makes labels without meaning.
    fingerprint : float
        Factor on what tells trials apart without any state: offset and drift of each contact, spread of its
        noise and mains, spread of each source's strength. 0 for none: then the contacts are all alike.
    random_state : int
        A person's trials stay the same when people or trials are added.
    description : str
        Such as "simulated DEAP cohort"; begins with "simulated" in any case.

    Returns
    -------
    Trials
        Table: the plan's columns, alpha_hz, head_gain.

    Raises
    ------
    ValueError
        When the plan cannot be recorded, or no name is an electrode.
    """
    whole = _whole_plan(plan, sfreq)
    info, eeg, field = _head(ch_names, sfreq, reference)
    signals, people = simulate_recordings(whole, field, eeg, len(info["ch_names"]), sfreq, effect=effect,
                                          fingerprint=fingerprint, random_state=random_state)
    if reference == "average":  # contacts are recorded against the same reference as the brain
        for signal in signals:
            signal[eeg] -= signal[eeg].mean(axis=0)
    description = description or f"{len(eeg)}-electrode cohort"
    if not description.startswith("simulated"):
        description = f"simulated {description}"
    table = pd.concat([plan.reset_index(drop=True), people], axis=1)
    return Trials(signals, info, table, description=description)


def simulate_cohort(n_subjects: int = 3, states=("negative", "neutral", "positive"), n_recordings: int = 2,
                    n_seconds: float = 20.0, *, ch_names=(*MUSE_CHANNELS, MUSE_AUX), reference: str = "Fpz",
                    sfreq: float = 256.0, effect: float = 1.0, random_state: int = 0) -> Trials:
    """Simulate recordings of several people in several states, each state equally often.

    Parameters
    ----------
    n_subjects, n_recordings : int
        People, and recordings of each person in each state.
    states : sequence of str
        Labels, in the order of their valence: see `state_effects`, which gives what was put in.
    n_seconds : float
        Length of a recording.
    ch_names, reference, sfreq, effect, random_state
        As in `simulate_trials`, but for the contacts, which are not part of an average reference here.

    Returns
    -------
    Trials
        "simulated ... cohort", time stamps in whole milliseconds. Table: subject ("sim1"), session
        (number of the recording, 1...), trial (in the session, by time), label, recording, start,
        alpha_hz, head_gain.

    Raises
    ------
    ValueError
        When a number is too small, a state is named twice, or no name is an electrode.
    """
    states = list(states)
    enough = min(n_subjects, n_recordings, len(states)) >= 1 and n_seconds * sfreq >= 2
    if not enough or len(set(states)) < len(states):
        raise ValueError(f"at least one person, one recording, two samples and states named once each, "
                         f"please; got n_subjects={n_subjects}, n_recordings={n_recordings}, "
                         f"states={states}, n_seconds={n_seconds}")
    info, eeg, field = _head(ch_names, sfreq, reference)
    plan = _schedule(n_subjects, n_recordings, states, n_seconds, random_state)
    signals, people = simulate_recordings(plan, field, eeg, len(info["ch_names"]), sfreq, effect=effect,
                                          fingerprint=1.0, random_state=random_state)
    table = pd.concat([plan[["subject", "session", "trial", "label", "recording", "start"]], people], axis=1)
    times = [np.round(start + np.arange(signal.shape[1]) / sfreq, 3) for start, signal in zip(table["start"], signals)]
    kind = "Muse" if list(info["ch_names"]) == [*MUSE_CHANNELS, MUSE_AUX] else f"{len(eeg)}-electrode"
    return Trials(signals, info, table, times, f"simulated {kind} cohort")


def _schedule(n_subjects: int, n_recordings: int, states: list, n_seconds: float, random_state: int) -> pd.DataFrame:
    """The plan of a cohort; states come in another order in every session."""
    rows, valence = [], _valence(states)
    for number in range(1, n_subjects + 1):
        for session in range(1, n_recordings + 1):
            order = np.random.default_rng([random_state, number, session]).permutation(len(states))
            for trial, place in enumerate(order, start=1):
                state = states[place]
                start = FIRST_START + 86400 * session + 7200 * number + trial * (np.ceil(n_seconds) + 60)
                rows.append({"subject": f"sim{number}", "session": session, "trial": trial, "label": state,
                             "recording": f"sim{number}-{state}-{session}", "start": start, "person": number,
                             "seed": int(place), "n_seconds": n_seconds, "baseline_seconds": 0.0,
                             "valence": valence[state], "arousal": abs(valence[state])})
    return pd.DataFrame(rows)
