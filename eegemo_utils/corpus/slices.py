"""Stored recordings, and how a stretch of one is read."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from eegemo_utils.corpus import store
from eegemo_utils.corpus.preprocessing import SFREQ
from eegemo_utils.trials import DatasetError


@dataclass(frozen=True)
class Recording:
    """A preprocessed recording: its name, where its numbers lie, its channels and length, their checksum.

    `scale` (microvolt a step) and `offset` (of the first number in the file) are of own corpora; `rows` (places of the
    channels in the dataset) is of the released code's layout, and None where these are all.
    """

    name: str
    path: Path
    dataset: str
    ch_names: tuple[str, ...]
    n_times: int
    sha256: str
    scale: tuple[float, ...] | None = None
    offset: int = 0
    rows: tuple[int, ...] | None = None

    @property
    def own(self) -> bool:
        """Whether it is of an own corpus: 16-bit steps."""
        return self.scale is not None


def read_slice(recording: Recording, start: int, target: np.ndarray) -> None:
    """Copy a stretch of a recording from sample `start` on, as long as `target`.

    Parameters
    ----------
    recording : Recording
    start : int
    target : ndarray, shape (n_times, n_chans), in one piece
        int16 for steps; float32 for microvolt, of recordings that are stored so.

    Raises
    ------
    DatasetError
        When the file cannot be read, is cut off, or holds values that are not finite.
    """
    if recording.own:
        _read_steps(recording, start, target)
    else:
        _read_official(recording, start, target)


def _read_steps(recording: Recording, start: int, target: np.ndarray) -> None:
    """Past HDF5, whose one lock for all threads and whose layers cost more than the reading."""
    steps = target if target.dtype == np.int16 else np.empty(target.shape, np.int16)
    left = memoryview(steps.reshape(-1).view(np.uint8))
    try:
        with recording.path.open("rb", buffering=0) as file:
            file.seek(recording.offset + start * steps.shape[1] * steps.itemsize)
            while left and (n_bytes := file.readinto(left)):
                left = left[n_bytes:]
    except OSError as error:
        raise store.damaged(recording.path, error) from error
    if left:
        raise store.damaged(recording.path, EOFError(f"{len(left)} bytes too short"))
    if steps is not target:  # beside recordings in microvolt
        np.multiply(steps, np.float32(recording.scale), out=target)


def _read_official(recording: Recording, start: int, target: np.ndarray) -> None:
    try:
        with h5py.File(recording.path, "r") as file:
            values = file[recording.dataset][:, start:start + len(target)]
    except (OSError, KeyError, RuntimeError) as error:
        raise store.damaged(recording.path, error) from error
    values = values if recording.rows is None else values[list(recording.rows)]
    target[:] = values.T
    if not np.isfinite(target).all():
        raise DatasetError(f"{recording.path}: {recording.name}: values that are not finite between {start / SFREQ:g} "
                           f"and {(start + len(target)) / SFREQ:g} s. Take the recording out.")
