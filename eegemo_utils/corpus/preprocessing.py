"""LaBraM's preprocessing of whole recordings (Jiang et al. 2024, section 3.2)."""

import warnings

import mne
import numpy as np
import scipy  # scipy.signal loads when it is used: it takes a second

from eegemo_utils.trials import DatasetError

# Raise it with any change of what is stored: the numbers, which channels a file's names give (`REFERENCE` in
# datasets/eeg_folder_files.py), which files are skipped. Else a corpus that is gone on with would mix both.
VERSION = 3  # 3: A1-REF, M1-LE and the like are kept, files in another unit than they name are skipped
SFREQ = 200.0  # Hz
BAND = (0.1, 75.0)  # Hz
NOTCH = (50.0,)  # Hz; the paper and its code take 50 Hz for recordings of 60 Hz countries, too
FILTER_SECONDS = 33.0  # length of the high-pass filter: 3.3 periods of its lower edge
NOTCH_ROOM = 1.5  # Hz that a notch needs to its right


def preprocess(signals: np.ndarray, sfreq: float, notch=NOTCH) -> tuple[np.ndarray, list[str]]:
    """Band pass 0.1-75 Hz, notch, 200 Hz, with MNE's defaults (zero-phase FIR), in the order of the released code.

    That is make_TUAB.py:64-69. There is no new reference, no z-score and no clipping in it. Recordings that are shorter
    than the high-pass filter lose their straight line in its place: the filter would leave half of an offset in them.

    Parameters
    ----------
    signals : ndarray, shape (n_chans, n_times)
        A whole recording; any unit, which stays.
    sfreq : float
        Samples a second.
    notch : sequence of float
        Mains frequencies in Hz; empty for none.

    Returns
    -------
    signals : ndarray, shape (n_chans, n_times at 200 Hz), float64
    remarks : list of str
        What could not be done as the paper says.

    Raises
    ------
    DatasetError
        When the rate is so low that no band is left.
    """
    if sfreq <= 4 * BAND[0]:
        raise DatasetError(f"expected a rate of more than {4 * BAND[0]:g} Hz, found {sfreq:g} Hz")
    remarks = []
    upper = BAND[1] if BAND[1] < sfreq / 2 else None
    notches = [hz for hz in notch if hz + NOTCH_ROOM < sfreq / 2]
    if upper is None:
        remarks.append(f"recorded at {sfreq:g} Hz: no low pass of {BAND[1]:g} Hz, which the rate is too low for")
    if len(notches) < len(notch):
        low = ", ".join(f"{hz:g}" for hz in notch if hz not in notches)
        remarks.append(f"recorded at {sfreq:g} Hz: no notch at {low} Hz, which the rate is too low for")
    values, lower = np.array(signals, dtype=np.float64), BAND[0]
    if values.shape[1] < FILTER_SECONDS * sfreq:
        remarks.append(f"{values.shape[1] / sfreq:.1f} s, shorter than the {FILTER_SECONDS:g} s of the high-pass "
                       f"filter: its straight line was taken off instead")
        values, lower = scipy.signal.detrend(values, axis=1), None
    raw = mne.io.RawArray(values, mne.create_info(len(values), sfreq, "eeg"), copy=None, verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of notches that are longer than a short recording
        if lower or upper:
            raw.filter(lower, upper, verbose="error")
        if notches:
            raw.notch_filter(notches, verbose="error")
        if sfreq != SFREQ:
            raw.resample(SFREQ, verbose="error")
    return raw.get_data(), remarks
