"""Signals that can be read and still cannot be true: without signal, in another unit, out of order, or copied."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from eegemo_utils.trials import DatasetError
from eegemo_utils.units import POSSIBLE_UV, likely_unit

LOWEST_UV, HIGHEST_UV = POSSIBLE_UV  # median over channels; a dead or loose electrode says nothing about the unit
ALPHA_HZ = (8.0, 13.0)
BACK = ("P", "O", "I", "TP")  # how names of electrodes at the back begin
MOST_NAMES = 8


def few(names: Collection, most: int = 5) -> str:
    """The first names, and how many more there are."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def others_ignored(names: Sequence[str]) -> list[str]:
    """A sentence about files that are not the dataset's, by name; none where there are none."""
    return [f"{len(names)} other file(s) ignored: {few(names)}"] if names else []


def remarks(signals: Sequence[np.ndarray], names: Sequence[str], where: str) -> list[str]:
    """What is odd about somebody's EEG: channels without signal, a size that microvolt do not have.

    Parameters
    ----------
    signals : sequence of ndarray, each (n_chans, n_times)
        Finite.
    names : sequence of str
        Channels.
    where : str
        Person or file, for the sentences.

    Returns
    -------
    list of str

    Raises
    ------
    DatasetError
        When no channel of any trial has a signal.
    """
    return _told(where, names, *_measure(signals, where))


def _measure(signals: Sequence[np.ndarray], where: str) -> tuple[np.ndarray, int, float]:
    """In how many trials each channel is flat, the number of trials, the median standard deviation of the others."""
    spread = np.array([signal.std(axis=1, dtype=np.float64) for signal in signals])
    flat = np.array([np.ptp(signal, axis=1) == 0 for signal in signals])  # rounding gives constants a spread
    if flat.all():
        raise DatasetError(f"{where}: every channel is flat: there is no signal in it. Get the file again, or take it "
                           f"away.")
    return flat.sum(axis=0), len(flat), float(np.median(spread[~flat]))


def _told(where: str, names: Sequence[str], n_flat: np.ndarray, n_trials: int, size: float) -> list[str]:
    dead = [f"{name} ({count} of {n_trials} trials)" for name, count in zip(names, n_flat) if count]
    said = [f"{where}: flat, without any signal: {few(dead, MOST_NAMES)}"] * bool(dead)
    return said + odd_size(size, where)


def odd_size(size: float, where: str) -> list[str]:
    """A sentence about a median standard deviation in microvolt that EEG does not have; none about others."""
    if LOWEST_UV <= size <= HIGHEST_UV:
        return []
    return [f"{where}: the EEG has a standard deviation of {size:.2g} microvolt (median over channels; "
            f"expected {LOWEST_UV:g} to {HIGHEST_UV:g}), which {likely_unit(size)}"]


def alpha_share(signal: np.ndarray, sfreq: float) -> np.ndarray:
    """Power of 8-13 Hz in each channel, as a share of the sum over channels; zeros where there is none."""
    hz = np.fft.rfftfreq(signal.shape[1], 1 / sfreq)
    centred = signal - signal.mean(axis=1, keepdims=True)  # amplifiers' offsets leak into all frequencies
    inside = (hz >= ALPHA_HZ[0]) & (hz <= ALPHA_HZ[1])
    power = (np.abs(np.fft.rfft(centred * np.hanning(signal.shape[1]), axis=1)) ** 2)[:, inside].sum(axis=1)
    return power / max(power.sum(), 1e-30)


def fingerprint(trials: Sequence[np.ndarray]) -> str:
    """The same where the first and the last trial, and the number of trials, are the same."""
    digest = hashlib.sha256(str(len(trials)).encode())
    for values in (trials[0], trials[-1]):
        digest.update(str(values.shape).encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def same_signals(fingerprints: Mapping[str, str]) -> list[str]:
    """A sentence for every file that holds what another does.

    Parameters
    ----------
    fingerprints : mapping of str to str
        See `fingerprint`; by person, file or recording.
    """
    first: dict[str, str] = {}
    said = []
    for name, digest in fingerprints.items():
        if digest in first:
            said.append(f"{name} and {first[digest]} hold the same signals: one of them is a copy")
        first.setdefault(digest, name)
    return said


class Survey:
    """Goes with a reader from file to file and says in the end what is odd about them.

    Parameters
    ----------
    ch_names : sequence of str
        Electrodes, in the order of the signals; ``names`` may be changed as long as nothing was asked.
    sfreq : float
    alpha : bool
        Whether `alpha` will be asked for: it takes a Fourier transform per file.
    """

    def __init__(self, ch_names: Sequence[str], sfreq: float, alpha: bool = True):
        self.names, self.sfreq, self._with_alpha = list(ch_names), sfreq, alpha
        self._found: dict[str, tuple] = {}
        self._digests: dict[str, str] = {}
        self._alpha = np.zeros(len(self.names))

    def add(self, name: str, trials: Sequence[np.ndarray], where: str, stored: bool = False) -> None:
        """Look at somebody's trials; `stored` features are only compared with one another's.

        `where` is for the error of `remarks`, which this raises.
        """
        if not stored:
            self._found[name] = _measure(trials, where)
            if self._with_alpha:
                self._alpha += alpha_share(trials[-1], self.sfreq)
        self._digests[name] = fingerprint(trials)

    @property
    def said(self) -> list[str]:
        """The `remarks` about everybody."""
        return [line for name, found in self._found.items() for line in _told(name, self.names, *found)]

    def copies(self) -> list[str]:
        """See `same_signals`."""
        return same_signals(self._digests)

    def alpha(self) -> list[str]:
        """Where the alpha rhythm is: files without names of channels show their order by nothing else."""
        if not self._alpha.any():
            return []
        strongest = [self.names[place] for place in np.argsort(-self._alpha)[:3]]
        behind = any(name.startswith(BACK) for name in strongest)
        verdict = "expected at the back of the head; if not, the channels are in another order" if behind else \
            "NOT at the back of the head, as expected: are the channels in another order?"
        return [f"alpha is strongest at {', '.join(strongest)} ({verdict})"]
