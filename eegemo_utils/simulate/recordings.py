"""People and recordings of the simulation: what differs between people, and all that a recording holds."""

import zlib

import numpy as np
import pandas as pd

from eegemo_utils.simulate.head import N_BACKGROUND, SOURCES

BANDS = {"beta": (14.0, 28.0), "muscle": (30.0, 90.0)}  # alpha is a person's own, 3 Hz wide
ALPHA_WIDTH = 3.0
BAND_ORDER = 6  # of the edges, as a Butterworth filter's
BACKGROUND_MOMENT = 12.0
BLINK_MOMENT, BLINKS_A_SECOND = 100.0, 0.2
# Spread of log amplitudes over people and recordings, and of how much a state shows in a person. Chosen, with
# the contacts' numbers, so that the 2548 features of 18 recordings in three states score over 0.9 in a random
# split of rows and about 0.6 on recordings left out.
PERSON_SD, EXPRESSION_SD, RECORDING_SD = 0.25, 0.4, 0.22
OFFSET_UV, OFFSET_SD_UV, DRIFT_UV, CONTACT_UV, MAINS_UV = 35.0, 6.0, 2.0, 2.5, 3.0
DRIFT_SD, CONTACT_SD, MAINS_SD = 0.5, 0.4, 0.7  # of log amplitudes, over electrodes and recordings
ONSET_SECONDS = 0.5  # from baseline to state


def number_of(name: str) -> int:
    """A number that stands for a person's name in seeds, the same on every machine."""
    return zlib.crc32(str(name).encode())


def simulate_person(random_state: int, number: int) -> dict:
    """What a person's recordings have in common.

    Returns
    -------
    dict
        alpha_hz; head_gain (factor on all of the brain); log_gain (of each source, so that everybody has a
        topography of his own); expression (how much a state shows in each source); exponent (of the 1/f
        background's power).
    """
    rng = np.random.default_rng([random_state, number])
    n_sources = len(SOURCES)
    return {
        "alpha_hz": float(np.round(rng.normal(10.2, 0.7), 2)),
        "head_gain": float(np.round(np.exp(rng.normal(0, 0.15)), 3)),
        "log_gain": rng.normal(0, PERSON_SD, n_sources),
        "expression": 1 + rng.normal(0, EXPRESSION_SD, n_sources),
        "exponent": rng.normal(1.1, 0.15),
    }


def _shaped_noise(rng, n_series: int, n_samples: int, shape: np.ndarray) -> np.ndarray:
    """Gaussian noise of standard deviation 1 with the amplitude spectrum `shape` (rfft frequencies)."""
    spectrum = rng.normal(size=(n_series, len(shape))) + 1j * rng.normal(size=(n_series, len(shape)))
    expected = np.sqrt(4 * (shape**2).sum()) / n_samples or 1.0  # a short recording has no bin below 0.5 Hz
    return np.fft.irfft(spectrum * shape, n_samples, axis=1) / expected


def _band(hz: np.ndarray, low: float, high: float) -> np.ndarray:
    """Amplitude spectrum of a rhythm: flat from `low` to `high`, with the soft edges that real rhythms have."""
    steep = 2 * BAND_ORDER
    return 1 / np.sqrt((1 + (low / np.maximum(hz, 1e-3)) ** steep) * (1 + (hz / high) ** steep))


def _brain(rng, person: dict, shown: np.ndarray, n_samples: int, sfreq: float, fingerprint: float) -> np.ndarray:
    """Moments (nAm) of sources, background and eyes, (n_dipoles, n_samples).

    `shown`, (n_sources, 1 or n_samples), is the change of each source's log amplitude by the state.
    """
    hz = np.fft.rfftfreq(n_samples, 1 / sfreq)
    bands = BANDS | {"alpha": (person["alpha_hz"] - ALPHA_WIDTH / 2, person["alpha_hz"] + ALPHA_WIDTH / 2)}
    fixed = rng.normal(0, RECORDING_SD * fingerprint, len(SOURCES))
    log_gain = person["log_gain"][:, None] + person["expression"][:, None] * shown + fixed[:, None]
    courses = []
    for source, gain in zip(SOURCES.itertuples(), np.exp(log_gain)):
        courses.append(source.moment * gain * _shaped_noise(rng, 1, n_samples, _band(hz, *bands[source.band])))
    falling = np.where(hz < 0.5, 0, np.maximum(hz, 0.5) ** (-person["exponent"] / 2))
    background = BACKGROUND_MOMENT * _shaped_noise(rng, N_BACKGROUND, n_samples, falling)
    lid = np.exp(-0.5 * ((np.arange(int(0.4 * sfreq)) / sfreq - 0.2) / 0.06) ** 2)
    starts = (rng.random(n_samples) < BLINKS_A_SECOND / sfreq) * BLINK_MOMENT
    blinks = np.convolve(starts, lid)[:n_samples]
    return np.concatenate([*courses, background, blinks[None]])


def _contacts(rng, n_chans: int, n_samples: int, sfreq: float, fingerprint: float) -> np.ndarray:
    """What a recording's electrode contacts add, microvolt: offset, drift, noise, mains."""
    hz = np.fft.rfftfreq(n_samples, 1 / sfreq)
    seconds = np.arange(n_samples) / sfreq
    slow = (hz > 0) & (hz < 0.5)
    drift = _shaped_noise(rng, n_chans, n_samples, np.divide(1, hz, out=np.zeros_like(hz), where=slow))
    noise = rng.normal(size=(n_chans, n_samples))

    def spread(typical, sd):
        return typical * np.exp(rng.normal(0, sd * fingerprint, (n_chans, 1)))

    mains = np.sin(2 * np.pi * (50 * seconds + rng.random((n_chans, 1)))) * (sfreq > 100)
    offset = fingerprint * rng.normal(OFFSET_UV, OFFSET_SD_UV, (n_chans, 1))
    slow, fast, hum = spread(DRIFT_UV, DRIFT_SD), spread(CONTACT_UV, CONTACT_SD), spread(MAINS_UV, MAINS_SD)
    return offset + fingerprint * slow * drift + fast * noise + hum * mains


def _onset(n_samples: int, sfreq: float, baseline_seconds: float) -> np.ndarray:
    """How much of a state shows at each sample: 0 in the baseline, then 1; half a second in between."""
    if not baseline_seconds:
        return np.ones(1)
    return np.clip((np.arange(n_samples) / sfreq - baseline_seconds) / ONSET_SECONDS, 0, 1)


def simulate_recordings(plan: pd.DataFrame, field: np.ndarray, eeg: np.ndarray, n_chans: int, sfreq: float, *,
                        effect: float, fingerprint: float, random_state: int) -> tuple[list, pd.DataFrame]:
    """Signals of a plan whose columns are all there.

    Parameters
    ----------
    plan : DataFrame
        One row a trial: person, session, seed (whole numbers), n_seconds, baseline_seconds, valence, arousal.
    field : ndarray, shape (n_eeg, n_dipoles)
        See `lead_field`.
    eeg : ndarray of int
        Which of the `n_chans` channels are electrodes; the others hold what their contact adds.

    Returns
    -------
    signals : list of ndarray, each (n_chans, n_samples)
        Microvolt, float32.
    people : DataFrame
        alpha_hz and head_gain of each row.
    """
    people = {number: simulate_person(random_state, number) for number in plan["person"].unique()}
    signals = []
    for row in plan.itertuples():
        person, n_samples = people[row.person], int(round(row.n_seconds * sfreq))
        rng = np.random.default_rng([random_state, row.person, row.session, row.seed])
        signal = _contacts(rng, n_chans, n_samples, sfreq, fingerprint)
        change = effect * (SOURCES["valence"].to_numpy() * row.valence + SOURCES["arousal"].to_numpy() * row.arousal)
        shown = change[:, None] * _onset(n_samples, sfreq, row.baseline_seconds)
        signal[eeg] += person["head_gain"] * (field @ _brain(rng, person, shown, n_samples, sfreq, fingerprint))
        signals.append(signal.astype(np.float32))
    facts = [{name: people[number][name] for name in ("alpha_hz", "head_gain")} for number in plan["person"]]
    return signals, pd.DataFrame(facts, index=plan.index, columns=["alpha_hz", "head_gain"])
