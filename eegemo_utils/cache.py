"""Features that were computed before, from the user's cache folder.

An entry is named by all that it depends on: the recordings' content, the parameters, the code of this package and
the libraries that compute. So nothing is ever out of date, and the folder may be deleted at any time. Entries are
written under another name and moved when whole: any number of processes may share the folder.
"""

import json
import os
import shutil
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import platformdirs

import eegemo_utils
from eegemo_utils.files import digest, one_move
from eegemo_utils.pickles import load_npz
from eegemo_utils.trials import DatasetError, Trials, Windows

PLACE = "EEGEMO_CACHE"  # environment variable with another folder
LIBRARIES = ("numpy", "scipy", "pandas", "mne")


def cache_folder() -> Path:
    """The folder of the cache: $EEGEMO_CACHE, or "eegemo" where the system keeps caches of users."""
    return Path(os.environ.get(PLACE) or platformdirs.user_cache_dir("eegemo", appauthor=False))


def clear_cache() -> None:
    """Delete all entries."""
    shutil.rmtree(cache_folder() / "windows", ignore_errors=True)


@lru_cache(maxsize=1)
def _code_version() -> str:
    """Changes with any module of this package and with the libraries that compute."""
    modules = sorted(Path(eegemo_utils.__file__).parent.rglob("*.py"))
    return digest(*(f"{name} {version(name)}\n" for name in LIBRARIES), *(path.read_bytes() for path in modules))


def _entry(make, trials: Trials, parameters: dict) -> Path:
    """File of the result; TypeError for what cannot be written down."""
    if not make.__module__.startswith("eegemo_utils.") or "<locals>" in make.__qualname__:
        raise TypeError(f"only functions of this package can be cached, since what {make.__module__}."
                        f"{make.__qualname__} depends on is not known; cache the features it begins with")
    # Names of the parameters in any order; the order within one (of bands) has a meaning.
    plain = json.dumps([[name, parameters[name]] for name in sorted(parameters)])
    about = [trials.description, trials.decisions]  # which the fingerprint leaves out
    parts = [f"{make.__module__}.{make.__qualname__}", trials.fingerprint(), about, plain, _code_version()]
    return cache_folder() / "windows" / f"{digest(json.dumps(parts))[:32]}.npz"


def _plain(windows: Windows, trials: Trials) -> bool:
    """Whether an entry can hold it whole: numbers and text only, channels of the recordings."""
    def plain(column):
        text = pd.api.types.is_string_dtype(column) and column.map(lambda value: isinstance(value, str)).all()
        return text or column.dtype.kind in "biuf"

    known = windows.info is None or set(windows.info["ch_names"]) <= set(trials.info["ch_names"])
    return known and windows.X.dtype.kind in "biuf" and all(plain(column) for _, column in windows.table.items())


def _save(path: Path, windows: Windows) -> None:
    about = {"fingerprint": windows.fingerprint(), "names": windows.names, "bands": windows.bands,
             "channels": windows.info and list(windows.info["ch_names"]),
             "description": windows.description, "decisions": windows.decisions,
             "columns": {name: str(column.dtype) for name, column in windows.table.items()}}
    columns = {f"column {number}": column.to_numpy(str if column.dtype.kind not in "biuf" else None)
               for number, (_, column) in enumerate(windows.table.items())}
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_move(path, shared=True) as partial, partial.open("wb") as file:
        np.savez(file, X=windows.X, about=np.array(json.dumps(about)), **columns)


def _load(path: Path, trials: Trials) -> Windows | None:
    """The entry, or None where there is none or it is damaged."""
    if not path.is_file():
        return None
    try:
        arrays = load_npz(path)
        about = json.loads(str(arrays["about"]))
        columns = about["columns"].items()
        table = pd.DataFrame({name: pd.Series(arrays[f"column {number}"]).astype(dtype)
                              for number, (name, dtype) in enumerate(columns)}, index=range(len(arrays["X"])))
        picks = about["channels"] and [trials.info["ch_names"].index(name) for name in about["channels"]]
        info = picks and mne.pick_info(trials.info, picks)
        windows = Windows(arrays["X"], table, about["names"], info, about["bands"], about["description"],
                          tuple(about["decisions"]))
        return windows if windows.fingerprint() == about["fingerprint"] else None
    except (DatasetError, ValueError, KeyError, TypeError, AttributeError):
        return None


def cached(make, trials: Trials, **parameters) -> Windows:
    """``make(trials, **parameters)``, taken from the cache where it was computed before.

    Parameters
    ----------
    make : function of this package
        From Trials to Windows, such as `trial_features`.
    trials : Trials
    **parameters
        Numbers, text, lists, tuples and dicts of those.

    Returns
    -------
    Windows
        Equal to the bit whether computed or read. A damaged entry is computed again. What no entry can hold
        (table columns that are neither numbers nor text), and where nothing can be written, is computed
        each time.

    Raises
    ------
    TypeError
        For parameters of another kind, and for functions of a notebook, which may depend on anything in it.
    """
    path = _entry(make, trials, parameters)
    windows = _load(path, trials)
    if windows is None:
        windows = make(trials, **parameters)
        if _plain(windows, trials):
            try:
                _save(path, windows)
            except OSError:
                pass  # a full disk or a folder without write permission costs time, not results
    return windows
