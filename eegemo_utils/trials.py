"""What readers give and models take: `Trials` (recordings) and `Windows` (model-ready arrays), with tables.

Every split is made from columns of the table, never from row positions. `DatasetError` is the one error
for data that is not as it must be; `Report` says what a folder holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from eegemo_utils.montage import make_info
from eegemo_utils.units import POSSIBLE_UV, likely_unit

UNITS = {"uV": 1.0, "mV": 1e3, "V": 1e6}  # microvolt in each
KEYS = ["subject", "session", "trial"]
# Scalp EEG has a standard deviation of about 5-100 microvolt; electrodes that are off reach a few thousand.
SMALLEST_UV, LARGEST_UV = 1e-2, 1e5


def shown(text, most: int | None = 40) -> str:
    """Text out of a file as it may stand in a message: cut short, control characters escaped.

    Parameters
    ----------
    text : object
        What was found.
    most : int or None
        Characters to keep; None: all.
    """
    text = str(text)
    plain = "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text[:most])
    return plain if most is None or max(len(plain), len(text)) <= most else plain[:most] + "..."


class DatasetError(ValueError):
    """Data that is not as it must be: says which file, what was expected, what was found, what to do.

    Damaged files hold control characters, which would garble or empty a terminal's line: they are escaped.
    """

    def __init__(self, message: object = ""):
        super().__init__(shown(message, None))


def check_microvolts(signals: np.ndarray, where: str) -> None:
    """Raise when finite EEG cannot be in microvolt: a factor of 1e6 trains without any other error.

    Parameters
    ----------
    signals : ndarray, shape (n_chans, n_samples)
        EEG channels. All-constant signals pass (a dead electrode is not a unit).
    where : str
        File or trial, for the message.

    Raises
    ------
    DatasetError
        When the largest standard deviation over channels is below 0.01 or above 1e5.
    """
    spread = float(signals.std(axis=1, dtype=np.float64).max()) if signals.size else 0.0
    if 0 < spread < SMALLEST_UV or spread > LARGEST_UV:
        raise DatasetError(f"{where}: expected microvolt, found a standard deviation of {spread:.2g}, which "
                           f"{likely_unit(spread, POSSIBLE_UV)}")


def _names(values) -> str:
    """The different entries of a column, six at most."""
    names = list(dict.fromkeys(map(str, values)))
    return ", ".join(names[:6]) + ", ..." * (len(names) > 6)


def _rows(n_rows: int, mask) -> np.ndarray:
    mask = np.asarray(mask)
    return np.arange(n_rows)[mask if mask.size else mask.astype(int)]  # an empty list has a dtype of float


def _own_table(n_trials: int, y, columns: dict, metadata: pd.DataFrame | None) -> pd.DataFrame:
    """Return the table of trials made from arrays: keys, label, then what the user keeps."""
    if metadata is not None and len(metadata) != n_trials:
        raise DatasetError(f"one row of metadata per trial: found {n_trials} trials and {len(metadata)} rows")
    known = pd.DataFrame(index=range(n_trials)) if metadata is None else metadata.reset_index(drop=True)
    table = pd.DataFrame(index=range(n_trials))
    for name, value in columns.items():
        one = value is None or isinstance(value, str) or np.ndim(value) == 0
        if one and name in known:  # a default does not replace what the metadata say
            table[name] = known[name]
        elif value is not None:
            values = [value] * n_trials if one else list(value)
            if len(values) != n_trials:
                raise DatasetError(f"{name}: one value per trial, or one for all: found {len(values)} for {n_trials}")
            table[name] = values
    table["subject"] = table["subject"].astype(str)
    if "trial" not in table:
        table["trial"] = table.groupby(["subject", "session"], sort=False).cumcount() + 1
    table["label"] = pd.Series(list(y), table.index)
    if table["label"].isna().any():
        raise DatasetError(f"trial {int(table['label'].isna().to_numpy().argmax()) + 1} has no label")
    return table.join(known[[name for name in known if name not in table]])


@dataclass(repr=False)
class Trials:
    """Recordings of any length, with one table row each.

    Parameters
    ----------
    signals : list of ndarray, each (n_chans, n_samples)
        Microvolt, kept as float32.
    info : mne.Info
        Channel names, kinds, positions and sampling rate, the same for all trials.
    table : DataFrame
        One row a trial: subject, session, trial (together unique), label, and what the dataset adds.
    times : list of ndarray, each (n_samples,), optional
        Time stamp of each sample, seconds, float64. None when samples are evenly spaced from 0.
    description : str
        What this is, such as "simulated Muse cohort".
    decisions : tuple of str
        What the reader decided about the files: dropped, cut, tolerated. One sentence each.
    checked : bool
        Whether the signals are known to be finite and in microvolt, as those that a reader has looked at are.

    Raises
    ------
    DatasetError
        When shapes disagree, values are not finite or not in microvolt, or the table does not fit.
    """

    signals: list[np.ndarray]
    info: mne.Info
    table: pd.DataFrame
    times: list[np.ndarray] | None = None
    description: str = ""
    decisions: tuple[str, ...] = field(default_factory=tuple)
    checked: InitVar[bool] = False

    def __post_init__(self, checked: bool):
        self.signals = [np.asarray(signal, dtype=np.float32) for signal in self.signals]
        self.table = self.table.reset_index(drop=True)
        self._check_table()
        eeg = mne.pick_types(self.info, eeg=True)
        for row, signal in enumerate(self.signals):
            self._check_signal(row, signal, eeg, checked)

    @classmethod
    def from_arrays(cls, X, y, ch_names, sfreq: float, *, subject="subject 1", session=1, trial=None, clip=None,
                    metadata: pd.DataFrame | None = None, unit: str = "uV",
                    description: str = "own recordings") -> Trials:
        """Make trials of arrays; X, y and metadata of MOABB go in as they are, with ``unit="V"``.

        Parameters
        ----------
        X : array (n_trials, n_chans, n_samples), or list of arrays (n_chans, n_samples)
        y : sequence, one label per trial
        ch_names : list of str
            In the order of the channels; what the 10-05 system does not have is kept as no electrode.
        sfreq : float
            Samples a second.
        subject, session, trial, clip : value for all, or sequence with one per trial
            They win over columns of `metadata`. Trials are numbered from 1 in each session where they are not given.
        metadata : DataFrame, optional
            One row per trial, kept in the table; its columns subject, session, trial and clip are used.
        unit : {"uV", "mV", "V"}
            Of X.
        description : str

        Raises
        ------
        DatasetError
            When lengths, shapes, names, labels or the unit do not fit.
        """
        signals = list(X)
        if unit not in UNITS:
            raise DatasetError(f"unit {unit!r} is not one of {', '.join(UNITS)}")
        if len(signals) != len(y):
            raise DatasetError(f"one label per trial: found {len(signals)} trials and {len(y)} labels")
        columns = {"subject": subject, "session": session, "trial": trial, "clip": clip}
        table = _own_table(len(signals), y, columns, metadata)
        return cls([np.asarray(signal, dtype=float) * UNITS[unit] for signal in signals], make_info(ch_names, sfreq),
                   table, description=description)

    @classmethod
    def from_epochs(cls, epochs: mne.BaseEpochs, label: str | None = None, *, subject="subject 1", session=1,
                    clip=None, description: str = "own recordings") -> Trials:
        """Make trials of MNE's epochs.

        Parameters
        ----------
        epochs : mne.Epochs
            EEG channels are taken; samples before time 0 become the trial's baseline (column baseline_seconds).
        label : str, optional
            Column of ``epochs.metadata``; without it, the names of the events.
        subject, session, clip : str or sequence
            A column of ``epochs.metadata`` by its name, a value for all, or one value per epoch.
        description : str

        Raises
        ------
        DatasetError
            When there is no such column, or as in `from_arrays`.
        """
        picked = epochs.copy().load_data().pick("eeg")
        known = picked.metadata
        metadata = None if known is None else known.reset_index(drop=True)
        if label is None:
            names = {number: name for name, number in picked.event_id.items()}
            y = [names[number] for number in picked.events[:, 2]]
        elif metadata is None or label not in metadata:
            there = "none" if metadata is None else ", ".join(metadata)
            raise DatasetError(f"the epochs' metadata have no column {label!r}; there are: {there}")
        else:
            y = metadata[label]
        given = {"subject": subject, "session": session, "clip": clip}
        for name, value in given.items():
            if metadata is not None and isinstance(value, str) and value in metadata:
                given[name] = metadata[value]
        trials = cls.from_arrays(picked.get_data(), y, picked.ch_names, picked.info["sfreq"], metadata=metadata,
                                 unit="V", description=description, **given)
        if picked.tmin < 0:
            trials.table["baseline_seconds"] = round(-picked.tmin * picked.info["sfreq"]) / picked.info["sfreq"]
        return trials

    @classmethod
    def from_raws(cls, raws, table: pd.DataFrame, *, description: str = "own recordings") -> Trials:
        """Make trials of MNE's recordings, one each.

        Parameters
        ----------
        raws : list of mne.io.Raw
            With the same EEG channels, in any order, and the same rate; only EEG channels are taken.
        table : DataFrame
            One row per recording: label and subject, and session, trial, clip and what else is to be kept.

        Raises
        ------
        DatasetError
            When channels or rates differ, a column is missing, or as in `from_arrays`.
        """
        if len(raws) != len(table) or not len(raws) or not {"label", "subject"} <= set(table):
            raise DatasetError(f"one row with label and subject per recording: found {len(raws)} recordings and "
                               f"{len(table)} rows with {', '.join(table)}")
        picked = [raw.copy().pick("eeg") for raw in raws]
        names, rate = picked[0].ch_names, picked[0].info["sfreq"]
        for number, raw in enumerate(picked):
            if set(raw.ch_names) != set(names) or raw.info["sfreq"] != rate:
                other = ", ".join(sorted(set(raw.ch_names) ^ set(names))) or "none"
                raise DatasetError(f"recording {number}: expected the {len(names)} channels of recording 0 at {rate:g} "
                                   f"Hz, found {raw.info['sfreq']:g} Hz and these other channels: {other}. Pick common "
                                   "channels, and resample, before")
        signals = [raw.get_data(picks=names) for raw in picked]
        rows = table.reset_index(drop=True)
        session = rows["session"] if "session" in rows else 1
        return cls.from_arrays(signals, rows["label"], names, rate, subject=rows["subject"], session=session,
                               metadata=rows, unit="V", description=description)

    def _check_table(self) -> None:
        if len(self.table) != len(self.signals):
            raise DatasetError(f"{len(self.signals)} signals, but a table of {len(self.table)} rows: "
                               f"one row a trial")
        missing = [name for name in [*KEYS, "label"] if name not in self.table]
        if missing:
            raise DatasetError(f"the table lacks the columns {missing}; it has {list(self.table.columns)}")
        twice = self.table.duplicated(KEYS)
        if twice.any():
            row = tuple(self.table.loc[twice, KEYS].iloc[0])
            raise DatasetError(f"(subject, session, trial) must be unique, but {row} occurs more than once")
        if self.times is not None and len(self.times) != len(self.signals):
            raise DatasetError(f"{len(self.signals)} signals, but {len(self.times)} arrays of time stamps")

    def _check_signal(self, row: int, signal: np.ndarray, eeg: np.ndarray, checked: bool) -> None:
        where = f"{self.description or 'trials'}, row {row}"
        n_chans = len(self.info["ch_names"])
        if signal.ndim != 2 or signal.shape[0] != n_chans:
            raise DatasetError(f"{where}: expected ({n_chans} channels, samples), found shape {signal.shape}")
        if self.times is not None and len(self.times[row]) != signal.shape[1]:
            raise DatasetError(f"{where}: {signal.shape[1]} samples, but {len(self.times[row])} time stamps")
        if checked:
            return
        if not np.isfinite(signal).all():
            raise DatasetError(f"{where}: values that are not finite; repair or drop them first")
        check_microvolts(signal[eeg], where)

    def __len__(self) -> int:
        return len(self.signals)

    def __repr__(self) -> str:
        return (f"<Trials: {self.description or 'no description'}: {len(self)} trials of "
                f"{self.table['subject'].nunique()} people, {len(self.info['ch_names'])} channels, "
                f"{self.info['sfreq']:g} Hz, labels: {_names(self.table['label'])}>")

    def raw(self, i: int) -> mne.io.RawArray:
        """Trial i as an MNE recording (volts), for everything MNE can plot or filter."""
        return mne.io.RawArray(self.signals[i].astype(np.float64) * 1e-6, self.info.copy(), verbose="error")

    def select(self, mask) -> Trials:
        """Trials of a boolean mask, or of row numbers, over the table."""
        rows = _rows(len(self), mask)
        times = None if self.times is None else [self.times[row] for row in rows]
        signals = [self.signals[row] for row in rows]
        return replace(self, signals=signals, table=self.table.iloc[rows], times=times, checked=True)

    def fingerprint(self) -> str:
        """Twelve hex digits that change with any sample, time stamp, channel, rate or table entry."""
        digest = hashlib.sha256(f"{self.info['ch_names']} {self.info['sfreq']}\n".encode())
        digest.update(self.table.to_csv(index=False).encode())
        for signal in [*self.signals, *(self.times or [])]:
            digest.update(str(signal.shape).encode())
            digest.update(np.ascontiguousarray(signal))
        return digest.hexdigest()[:12]


@dataclass(repr=False)
class Windows:
    """Model-ready array and its table.

    Parameters
    ----------
    X : ndarray, shape (n_windows, ...)
        Features or resampled signals.
    table : DataFrame
        One row a window: subject, session, trial, window, label, and what the maker adds.
    names : list of str, optional
        Names of the columns of a two-dimensional X.
    info : mne.Info, optional
        Channel names and positions, where X is (n_windows, n_chans, ...).
    bands : tuple of str, optional
        Names of the bands, where X is (n_windows, n_chans, n_bands).
    description : str
        What this is, such as "simulated SEED cohort".
    decisions : tuple of str
        What the reader decided about the files. One sentence each.

    Raises
    ------
    DatasetError
        When the parts do not fit together.
    """

    X: np.ndarray
    table: pd.DataFrame
    names: list[str] | None = None
    info: mne.Info | None = None
    bands: tuple[str, ...] | None = None
    description: str = ""
    decisions: tuple[str, ...] = ()

    def __post_init__(self):
        self.table = self.table.reset_index(drop=True)
        if len(self.X) != len(self.table):
            raise DatasetError(f"{len(self.X)} windows, but a table of {len(self.table)} rows: "
                               f"one row a window")
        if self.names is not None and (self.X.ndim != 2 or len(self.names) != self.X.shape[1]):
            raise DatasetError(f"{len(self.names)} names do not fit an array of shape {self.X.shape}")
        if self.bands is not None:
            self.bands = tuple(self.bands)
        if self.X.ndim == 3:  # maps and other shapes may name channels and bands that are no axis of theirs
            self._check_axes()

    def _check_axes(self) -> None:
        n_chans, n_bands = self.X.shape[1:]
        if self.info is not None and len(self.info["ch_names"]) != n_chans:
            raise DatasetError(f"{len(self.info['ch_names'])} channels do not fit an array of shape {self.X.shape}: "
                               f"expected (windows, channels, bands)")
        if self.bands is not None and len(self.bands) != n_bands:
            raise DatasetError(f"the bands {self.bands} do not fit an array of shape {self.X.shape}: "
                               f"expected (windows, channels, bands)")

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        labels = f", labels: {_names(self.table['label'])}" if "label" in self.table else ""
        return f"<Windows: {self.description or 'no description'}: {len(self)} windows of {self.X.shape[1:]}{labels}>"

    def fingerprint(self) -> str:
        """Twelve hex digits that change when a value, a name, a channel, a band or the table changes; no others do."""
        digest = hashlib.sha256(f"{self.names} {self.X.shape} {self.X.dtype}\n".encode())
        if self.info is not None:
            digest.update(f"{self.info['ch_names']} {self.info['sfreq']}\n".encode())
        if self.bands is not None:
            digest.update(f"{self.bands}\n".encode())
        digest.update(self.table.to_csv(index=False).encode())
        digest.update(np.ascontiguousarray(self.X))
        return digest.hexdigest()[:12]

    def select(self, mask) -> Windows:
        """Windows of a boolean mask, or of row numbers, over the table."""
        rows = _rows(len(self), mask)
        return replace(self, X=self.X[rows], table=self.table.iloc[rows])


@dataclass
class Report:
    """What a folder or file holds, what it lacks, and what a reader will do about it.

    Parameters
    ----------
    name : str
        Dataset.
    path : Path
        Folder or file that was looked at.
    ok : bool
        Whether `read` would succeed.
    found, missing, decisions : list of str
        One sentence each.
    """

    name: str
    path: Path
    ok: bool
    found: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report as lines to print."""
        lines = [f"{self.name}: {self.path}: {'can be read' if self.ok else 'cannot be read'}"]
        parts = {"found": self.found, "missing": self.missing, "will be done": self.decisions}
        for title, part in parts.items():
            lines += [f"  {title}:"] + [f"    {line}" for line in part or ["nothing"]]
        return "\n".join(lines)
