"""What the samples of Muse recordings say: time stamps, dead electrodes, parts, copies of one another."""

from collections import Counter

import numpy as np

from eegemo_utils.datasets.muse_files import MAX_STEP, SFREQ, SHORTEST, Recording, count, seconds
from eegemo_utils.montage import MUSE_CHANNELS
from eegemo_utils.trials import DatasetError, check_microvolts

MAX_BACK = 0.05  # seconds; packets out of order step back by up to 14 ms
RATE_TOLERANCE = 0.05
RATE_SAID = 0.005  # the rate of real recordings is within 0.0002 of 256 a second
UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
COPY_SHARE = 0.9  # of the rows
RUN, RUN_SHARE = 8, 0.4  # and of the different runs of so many rows: with one live electrode, rows agree by chance


def judge(recording: Recording) -> None:
    """Look at a loaded recording's samples; what is decided goes into the recording.

    Raises
    ------
    DatasetError
        When time stands still, runs backwards, is not in seconds, steps back by more than a packet or has
        another rate; when no part of a second is left; when all electrodes are constant or not in
        microvolt. Says which file.
    """
    steps = np.diff(recording.stamps)
    if len(steps):
        _check_clock(recording, steps)
        _check_order(recording, steps)
        _check_rate(recording, steps)
    _check_parts(recording, steps)
    _check_electrodes(recording)
    check_microvolts(recording.signals[:4], str(recording.path))


def _check_clock(recording: Recording, steps: np.ndarray) -> None:
    path, stamps = recording.path, recording.stamps
    if not steps.any():
        raise DatasetError(f"{path}: expected time stamps that go on, found the same one in all "
                           f"{len(stamps)} lines ({stamps[0]:.3f}). Export the recording again, with at least "
                           f"three decimals of a second.")
    n_back, n_on = int((steps < 0).sum()), int((steps > 0).sum())
    if n_back > n_on:
        raise DatasetError(f"{path}: expected time stamps that go on, found that time runs backwards ({n_back} "
                           f"of {len(steps)} steps). Sort the lines by their time stamps.")
    typical = float(np.median(np.abs(steps)))
    for unit, factor in UNITS.items():
        if 0.5 < typical * SFREQ / factor < 2:
            raise DatasetError(f"{path}: expected time stamps in seconds, found steps of {typical:.4g}: these look "
                               f"like {unit}. Divide the time stamps by {factor:.0f}.")


def _check_order(recording: Recording, steps: np.ndarray) -> None:
    path, stamps = recording.path, recording.stamps
    n_back = int((steps < 0).sum())
    if n_back and steps.min() < -MAX_BACK:
        row = int(np.argmax(steps < -MAX_BACK))
        raise DatasetError(f"{path}: line {row + 3}: expected time stamps that go on, found a step of "
                           f"{steps[row]:.3f} s (from {stamps[row]:.3f} to {stamps[row + 1]:.3f}). Two "
                           f"recordings in one file? Split it.")
    if n_back:
        recording.decisions.append(f"{recording.name}: {count(n_back, 'small step')} back in time (down to "
                                   f"{steps.min():.3f} s, packets out of order): samples kept in file order")
    if stamps[0] < 1e9:
        recording.decisions.append(f"{recording.name}: stamps start at {stamps[0]:.0f} s, not a calendar "
                                   f"time: kept")


def _check_rate(recording: Recording, steps: np.ndarray) -> None:
    inside = steps[steps <= MAX_STEP]
    if inside.sum() <= 2:  # too short to tell
        return
    rate = len(inside) / inside.sum()
    if abs(rate / SFREQ - 1) > RATE_TOLERANCE:
        raise DatasetError(f"{recording.path}: expected {SFREQ:.0f} samples a second, found {rate:.1f}. Resample "
                           f"the recording, or look for lost samples.")
    if abs(rate / SFREQ - 1) > RATE_SAID:
        recording.decisions.append(
            f"{recording.name}: found {rate:.1f} samples a second instead of {SFREQ:.0f}: samples are kept, and "
            f"windows are cut by time stamps, so that a second stays a second; what counts samples (filters, "
            f"MNE) takes {SFREQ:.0f}")


def _check_parts(recording: Recording, steps: np.ndarray) -> None:
    """Gaps cut a recording; a file of which nothing is left is no recording."""
    lengths = [seconds(recording.stamps[part]) for part in recording.all_parts]
    if max(lengths) < SHORTEST:
        what_to_do = "Record longer, or take the file away."
        if len(lengths) > 1:
            what_to_do = (f"The middle step is {np.median(steps):.4g} s, expected {1 / SFREQ:.4f} s: put the time "
                          f"stamps right, or record again.")
        raise DatasetError(f"{recording.path}: expected at least {SHORTEST:.0f} s without a gap, found "
                           f"{count(len(recording.stamps), 'sample')} in {count(len(lengths), 'part')}, the longest "
                           f"of {max(lengths):.2f} s. {what_to_do}")
    gaps = recording.gaps
    if len(gaps):
        lost = (recording.stamps[gaps] - recording.stamps[gaps - 1]).sum()
        recording.decisions.append(f"{recording.name}: {count(len(gaps), 'gap')}, {lost:.1f} s in all: cut into "
                                   f"{len(gaps) + 1} parts, a trial each")
    short = [part for part, length in zip(recording.all_parts, lengths) if length < SHORTEST]
    if short:
        n_samples = sum(part.stop - part.start for part in short)
        recording.losses.append(f"{recording.name}: {count(len(short), 'part')} under one second "
                                f"({count(n_samples, 'sample')}): dropped")


def _check_electrodes(recording: Recording) -> None:
    signals = recording.signals[:4]
    dead = [name for name, signal in zip(MUSE_CHANNELS, signals) if (signal == signal[0]).all()]
    if len(dead) == len(MUSE_CHANNELS):
        raise DatasetError(f"{recording.path}: expected EEG, found that all four electrodes are constant "
                           f"({', '.join(f'{value:g}' for value in signals[:, 0])}). The headband was off, or the "
                           f"export went wrong: record again, or take the file away.")
    if dead:
        what = "is constant: a dead electrode" if len(dead) == 1 else "are constant: dead electrodes"
        recording.decisions.append(f"{recording.name}: {', '.join(dead)} {what}, kept")


def _keys(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """One number for each row of samples and for each different run of rows, sorted."""
    levels = np.rint(recording.signals * 1000).astype(np.int64)
    weights = np.array([1, 2097169, 4398046511, 9223372037, 1000003], dtype=np.int64)
    rows = (levels * weights[:, None]).sum(axis=0)
    runs = np.lib.stride_tricks.sliding_window_view(rows, RUN) @ np.cumprod(np.full(RUN, 1000003, dtype=np.int64))
    return np.sort(rows), np.unique(runs)


def _share_inside(keys: np.ndarray, others: np.ndarray) -> float:
    return float((others[np.searchsorted(others, keys).clip(max=len(others) - 1)] == keys).mean())


def _copied(own: tuple, other: tuple) -> float:
    """Share of the rows that stand in another recording, 0 where that does not make a copy."""
    (rows, runs), (other_rows, other_runs) = own, other
    probe = rows[:: max(1, len(rows) // 64)]
    if _share_inside(probe, other_rows) <= COPY_SHARE / 2 or _share_inside(runs, other_runs) <= RUN_SHARE:
        return 0.0
    share = _share_inside(rows, other_rows)
    return share if share > COPY_SHARE else 0.0


def drop_copies(recordings: list[Recording]) -> tuple[list[Recording], list[str], list[str]]:
    """Of two recordings with nearly the same samples keep that of the person with more recordings.

    Parameters
    ----------
    recordings : list of Recording
        Loaded.

    Returns
    -------
    kept : list of Recording
    decisions : list of str
        One sentence for each copy.
    faults : list of str
        The same samples under two labels: no rule can say which label is true.
    """
    n_of = Counter(recording.subject for recording in recordings)
    ranked = sorted(recordings, key=lambda recording: -n_of[recording.subject])
    kept: list[tuple[Recording, tuple]] = []
    decisions, faults = [], []
    for recording in ranked:
        own = _keys(recording)
        for other, keys in kept:
            share = _copied(own, keys)
            if recording.label.casefold() != other.label.casefold():
                share = max(share, _copied(keys, own))
                if share:
                    faults.append(_contradiction(recording, other, share))
            elif share:
                decisions.append(f"{recording.name} is a copy of {other.name} ({share:.1%} of its rows): dropped")
                break
        else:
            kept.append((recording, own))
    paths = {recording.path for recording, _ in kept}
    return [recording for recording in recordings if recording.path in paths], decisions, faults


def _contradiction(recording: Recording, other: Recording, share: float) -> str:
    return (f"{recording.path}: expected samples of its own under the label {recording.label}, found those of "
            f"{other.path} ({share:.1%} of the rows), whose name gives the label {other.label}. One of the two names "
            f"is wrong: find out which state was recorded, and take the other file away.")
