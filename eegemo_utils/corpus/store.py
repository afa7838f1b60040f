"""One preprocessed recording as an HDF5 file: 16 bits, in one piece, all that is known of it as attributes.

Dataset ``eeg``, int16, (n_times, n_chans): any stretch of time is one run of bytes, from an offset that is known, so
that it is read by one call of the system. Attributes: ``scale`` (float32, microvolt a step, one a channel),
``ch_names``, ``sfreq``, ``sha256`` of the numbers, ``source``, ``source_size`` and ``source_mtime_ns`` of the file that
it was made of, ``settings``, ``remarks``, ``dropped``. The same recording gives the same bytes.
"""

import io
import json
from pathlib import Path

import h5py
import numpy as np

from eegemo_utils.corpus.preprocessing import SFREQ
from eegemo_utils.files import digest, save_bytes
from eegemo_utils.trials import DatasetError
from eegemo_utils.values import one_line

DATASET = "eeg"
STEPS = 32767
COARSE_UV = 0.5  # a step of this size or more is worth a remark: amplifiers have 0.02 to 0.5
TEXTS = ("source", "sha256", "settings")
LISTS = ("ch_names", "remarks", "dropped")
NUMBERS = ("source_size", "source_mtime_ns")


def quantise(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signals as 16-bit steps, each channel's largest value at the end of the range.

    Parameters
    ----------
    signals : ndarray, shape (n_chans, n_times)

    Returns
    -------
    steps : ndarray of int16, shape (n_times, n_chans)
    scale : ndarray of float32, shape (n_chans,)
        ``steps * scale`` is within half a step of the signals.
    """
    peak = np.abs(signals).max(axis=1)
    scale = (np.where(peak > 0, peak, 1) / STEPS).astype(np.float32)
    steps = np.rint(signals / scale[:, None].astype(np.float64)).clip(-STEPS, STEPS)
    return np.ascontiguousarray(steps.T, dtype="<i2"), scale


def checksum(steps: np.ndarray, scale: np.ndarray) -> str:
    """SHA-256 of a recording's numbers."""
    return digest(f"{steps.shape}", np.ascontiguousarray(scale, "<f4"), np.ascontiguousarray(steps, "<i2"))


def write_recording(path: Path, signals: np.ndarray, facts: dict) -> dict:
    """Write a recording in one move.

    Parameters
    ----------
    path : Path
    signals : ndarray, shape (n_chans, n_times)
        Microvolt, 200 Hz.
    facts : dict
        The attributes named in the module's text, without scale, sfreq and sha256.

    Returns
    -------
    dict
        As `read_facts` gives it.

    Raises
    ------
    OSError
        See `save_bytes`.
    """
    steps, scale = quantise(signals)
    facts = facts | {"sha256": checksum(steps, scale)}
    coarse = [f"{name} {step:.2g}" for name, step in zip(facts["ch_names"], scale) if step > COARSE_UV]
    if coarse:
        facts["remarks"] = [*facts["remarks"], f"coarse steps, in microvolt, because of large values: "
                                               f"{', '.join(coarse)}"]
    save_bytes(path, _image(steps, scale, facts))
    return read_facts(path)


def _image(steps: np.ndarray, scale: np.ndarray, facts: dict) -> memoryview:
    """The bytes of the file, made in memory: HDF5 that meets a full disk cannot close its file."""
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        data = file.create_dataset(DATASET, data=steps, track_times=False)
        data.attrs["scale"], data.attrs["sfreq"] = scale, SFREQ
        for name in TEXTS:
            data.attrs[name] = facts[name]
        for name in LISTS:
            data.attrs[name] = json.dumps(facts[name])
        for name in NUMBERS:
            data.attrs[name] = np.int64(facts[name])
    return image.getbuffer()


def read_facts(path: Path) -> dict:
    """What a stored recording says of itself, its scale, n_times, offset (of its first number in the file) and bytes.

    Raises
    ------
    DatasetError
        When it is none, or is damaged.
    """
    try:
        with h5py.File(path, "r") as file:
            data = file[DATASET]
            facts = {name: data.attrs[name] for name in TEXTS}
            facts |= {name: json.loads(data.attrs[name]) for name in LISTS}
            facts |= {name: int(data.attrs[name]) for name in NUMBERS}
            facts |= {"scale": data.attrs["scale"].tolist(), "n_times": int(data.shape[0]),
                      "offset": int(data.id.get_offset()), "bytes": path.stat().st_size}
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise damaged(path, error) from error
    return facts


def verify(path: Path) -> None:
    """Read a stored recording as a whole and hold it against its checksum.

    Raises
    ------
    DatasetError
        When it differs, or cannot be read.
    """
    try:
        with h5py.File(path, "r") as file:
            data = file[DATASET]
            same = checksum(data[()], data.attrs["scale"]) == data.attrs["sha256"]
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise damaged(path, error) from error
    if not same:
        raise DatasetError(f"{path}: expected the numbers that were stored when it was built, found others (another "
                           f"checksum): the file was changed or damaged since. "
                           f"{REMEDY}")


REMEDY = "Delete it and run `eegemo corpus build` again: only this recording is made anew."


def damaged(path: Path, error: Exception) -> DatasetError:
    """The error for a stored recording that cannot be read."""
    why = one_line(error, 150)
    return DatasetError(f"{path}: expected a recording of a corpus (HDF5), found a truncated or damaged file: {why}. "
                        f"{REMEDY}")
