"""The channel names that LaBraM has a position embedding for.

The list is the released code's (utils.py:42-57, 713-717): a name's row in the table is its place here plus 1, row 0 is
the class token's. Old and new names of an electrode (T3 and T7) are different rows there, so names stay as files have
them. The code's list goes on with eight bipolar names whose rows lie beyond the table; they are left out here.
"""

from eegemo_utils.datasets.eeg_folder_files import REFERENCE
from eegemo_utils.trials import DatasetError

LABRAM_CHANNELS = tuple("""
    FP1 FPZ FP2 AF9 AF7 AF5 AF3 AF1 AFZ AF2 AF4 AF6 AF8 AF10 F9 F7 F5 F3 F1 FZ F2 F4 F6 F8 F10
    FT9 FT7 FC5 FC3 FC1 FCZ FC2 FC4 FC6 FT8 FT10 T9 T7 C5 C3 C1 CZ C2 C4 C6 T8 T10
    TP9 TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 TP10 P9 P7 P5 P3 P1 PZ P2 P4 P6 P8 P10
    PO9 PO7 PO5 PO3 PO1 POZ PO2 PO4 PO6 PO8 PO10 O1 OZ O2 O9 CB1 CB2 IZ O10
    T3 T5 T4 T6 M1 M2 A1 A2 CFC1 CFC2 CFC3 CFC4 CFC5 CFC6 CFC7 CFC8
    CCP1 CCP2 CCP3 CCP4 CCP5 CCP6 CCP7 CCP8 T1 T2 FTT9h TTP7h TPP9h FTT10h TPP8h TPP10h
    FP1-F7 F7-T7 T7-P7 P7-O1 FP2-F8 F8-T8 T8-P8 P8-O2
""".split())
_ROWS = {name.upper(): (row, name) for row, name in enumerate(LABRAM_CHANNELS)}


def labram_name(name: str) -> str | None:
    """The name in LaBraM's table of a channel as a file calls it, None where the table has none.

    Small and capital letters, a leading "EEG" and a trailing reference ("-REF", "-LE", "-A1") make no difference.
    """
    bare = name.strip()
    bare = bare[4:].strip() if bare.upper().startswith("EEG ") else bare
    found = _ROWS.get(REFERENCE.sub("", bare).upper())
    return found and found[1]


def labram_channels(names, where: str) -> dict[str, str]:
    """The channels of a file that LaBraM has a row for, in the order of the table.

    Parameters
    ----------
    names : sequence of str
        As the file has them.
    where : str
        The file, for the message.

    Returns
    -------
    dict of str to str
        LaBraM's name: the file's.

    Raises
    ------
    DatasetError
        When there is none, or two channels have the same row.
    """
    found: dict[str, str] = {}
    for name in names:
        known = labram_name(name)
        if known in found:
            raise DatasetError(f"{where}: {found[known]!r} and {name!r} are one channel, {known}. Take one out.")
        if known is not None:
            found[known] = name
    if not found:
        raise DatasetError(f"{where}: LaBraM has a row for none of its channels: {', '.join(names)[:200]}. Rename them "
                           f"(such as FP1, CZ, T7).")
    return {name: found[name] for name in sorted(found, key=lambda name: _ROWS[name.upper()][0])}
