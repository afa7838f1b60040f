"""Electrode names and positions.

Every module names electrodes as the extended 10-20 system does today (``T7``, ``Fp1``, ``CPz``). Files
name them in many ways; `standard_name` brings those to one spelling, and `make_info` gives the electrodes
their place on the head.
"""

from functools import lru_cache

import mne

OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
MUSE_CHANNELS = ("TP9", "AF7", "AF8", "TP10")
MUSE_AUX = "Right AUX"


@lru_cache(maxsize=1)
def standard_montage() -> mne.channels.DigMontage:
    """Template positions of the 10-05 system (metres), read once.

    MNE renamed this template: newer versions know it as ``colin27_1005``, older ones as ``standard_1005``.
    """
    known = mne.channels.get_builtin_montages()
    name = "colin27_1005" if "colin27_1005" in known else "standard_1005"
    return mne.channels.make_standard_montage(name)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    """Upper-case spelling -> today's 10-05 spelling."""
    names = [name for name in standard_montage().ch_names if name not in OLD_NAMES]
    return {name.upper(): name for name in names} | OLD_NAMES


def standard_name(name: str) -> str:
    """Today's 10-20 spelling of an electrode name.

    ``"EEG T3"``, ``"t7"`` and ``"T7"`` are one electrode and all become ``"T7"``; T3 T4 T5 T6 are the old
    names of T7 T8 P7 P8. A name that the 10-05 system does not have (an auxiliary input, an ECG) comes
    back as it was, without the blanks around it.

    Parameters
    ----------
    name : str
        Name as a file gives it.

    Returns
    -------
    str
    """
    stripped = name.strip()
    bare = stripped[4:].strip() if stripped.upper().startswith("EEG ") else stripped
    return _spellings().get(bare.upper(), stripped)


def make_info(ch_names, sfreq: float) -> mne.Info:
    """Channel description for recordings: names, rate, positions.

    Parameters
    ----------
    ch_names : sequence of str
        Electrode names, any spelling `standard_name` knows. Names outside the 10-05 system become
        ``misc`` channels without a position (the Muse's ``Right AUX``).
    sfreq : float
        Samples a second.

    Returns
    -------
    mne.Info

    Raises
    ------
    ValueError
        When two names mean the same electrode, or none is an electrode.
    """
    names = [standard_name(name) for name in ch_names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each electrode once, please: {', '.join(twice)} named more than once in "
                         f"{list(ch_names)}")
    places = set(standard_montage().ch_names)
    kinds = ["eeg" if name in places else "misc" for name in names]
    if "eeg" not in kinds:
        raise ValueError(f"none of {names} is an electrode of the 10-05 system (such as Fz, TP9, AF7)")
    info = mne.create_info(names, sfreq, kinds)
    info.set_montage(standard_montage(), on_missing="ignore")
    return info
