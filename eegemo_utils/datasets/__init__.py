"""Datasets by name: what there is, load one, say what a folder holds, write a simulated one, download one.

One module a dataset, each with FACTS, read, check, write and simulate; names are those of `available`.
"""

import inspect
import os
from pathlib import Path

import pandas as pd

from eegemo_utils.datasets import (
    deap,
    dreamer,
    eeg_folder,
    eegmat,
    emotions,
    faced,
    mobi,
    mped,
    muse,
    own,
    seed,
    seed_iv,
    seed_v,
    tuab,
    tuev,
)
from eegemo_utils.datasets.eeg_folder_files import SUFFIXES
from eegemo_utils.datasets.simulating import UNFINISHED, write_once
from eegemo_utils.files import unreadable
from eegemo_utils.trials import DatasetError, Report, Trials, Windows

MODULES = {module.FACTS["name"]: module for module in (
    faced, eegmat, deap, dreamer, seed, seed_iv, seed_v, mped, tuab, tuev,
    mobi, muse, emotions, own, eeg_folder)}
# What shows which dataset a folder holds: the first whose pattern is there. Any other folder is Muse's, but for one
# of EEG files without a csv.
SIGNS = {
    "own": ("trials.csv",),
    "emotions": ("emotions.csv",),
    "deap": ("s[0-3][0-9].dat", "s[0-3][0-9].mat", "data_preprocessed_*"),
    "dreamer": ("DREAMER.mat",),
    "seed_iv": ("eeg_feature_smooth", "eeg_raw_data"),
    "seed_v": ("EEG_raw", "EEG_DE_features"),
    "seed": ("Preprocessed_EEG", "ExtractedFeatures"),
    "mped": ("STFT", "EEG_feature/STFT"),
    "faced": ("Processed_data", "EEG_Features", "sub[0-9]*.pkl", "sub-*/eeg/*watchingVideoClips*"),
    "eegmat": ("Subject[0-9][0-9]_[12].edf",),
    "mobi": ("SL[0-9][0-9]-T[0-9][0-9]", "RepositoryData"),
    "tuev": ("edf/*/*/*.rec", "*/*/*.rec"),
    "tuab": ("edf/*/*normal", "*/*normal", "*normal/01_tcp_ar"),
}

__all__ = ["available", "check", "fetch", "load", "resolve_root", "simulate"]


def available() -> pd.DataFrame:
    """Facts of the datasets: one row each, with licence and where to get it."""
    table = pd.DataFrame([module.FACTS for module in MODULES.values()])
    return table.drop(columns="folders").set_index("name")


def _module(name: str):
    if name not in MODULES:
        raise DatasetError(f"no dataset is called {name!r}; there are {', '.join(MODULES)}")
    return MODULES[name]


def resolve_root(root="", folders: tuple[str, ...] = ()) -> Path:
    """Return where a dataset lies: relative paths are looked up under EEGEMO_DATA, then in this folder.

    Parameters
    ----------
    root : path
        "" is the first of `folders` that EEGEMO_DATA holds, or EEGEMO_DATA itself; "." and what begins with "./" or
        "../" is looked up in this folder only.
    folders : tuple of str
        A dataset's usual names.

    Returns
    -------
    Path
        A file or folder that exists.

    Raises
    ------
    DatasetError
        When there is no such path: says where it was looked for. When a folder on the way cannot be read.
    """
    data = os.environ.get("EEGEMO_DATA", "")
    here = str(root).replace(os.sep, "/").split("/")[0] in (".", "..")
    if str(root) == "":
        if not data:
            raise DatasetError("no folder given: name one, or set EEGEMO_DATA to where your data lies")
        tried = [Path(data) / folder for folder in folders] + [Path(data)]
    else:
        tried = [Path(data) / root] * bool(data and not here) + [Path(root)]
    for path in tried:
        try:
            if path.exists():
                return path
        except OSError as error:
            raise DatasetError(unreadable(path, error)) from None
    looked = ", ".join(str(path.absolute()) for path in dict.fromkeys(tried))
    hint = "" if data or here else " EEGEMO_DATA, the folder that relative paths start from, is not set."
    raise DatasetError(f"{root or data}: no such file or folder; looked for {looked}.{hint}")


def load(name: str, root="", **options) -> Trials | Windows:
    """Read a dataset.

    Parameters
    ----------
    name : str
        One of `available`.
    root : path
        See `resolve_root`.
    **options
        Passed to the dataset's ``read``.

    Raises
    ------
    DatasetError
        When the name is unknown, the path is missing or the data is faulty.
    """
    module = _module(name)
    _known_options(name, "read", options)
    folder = resolve_root(root, module.FACTS["folders"])
    _finished(folder)
    return module.read(folder, **options)


def _known_options(name: str, what: str, options: dict) -> None:
    """Refuse options that a dataset's function does not take."""
    takes = [known for known in inspect.signature(getattr(MODULES[name], what)).parameters if known != "root"]
    unknown = [option for option in options if option not in takes]
    if unknown:
        raise DatasetError(f"{what} of {name} takes {', '.join(takes) or 'nothing more'}, not {', '.join(unknown)}")


def _finished(folder: Path) -> None:
    """Refuse a folder in which writing simulated files was interrupted."""
    if os.path.exists(folder / UNFINISHED):  # False where the folder is locked, which the reader tells
        raise DatasetError(f"{folder}: simulated files were being written and not all of them are there. Run the same "
                           f"command again, or give a new folder.")


def _recognise(path: Path) -> str:
    """Dataset that a file or folder seems to be; what cannot be read goes by its name."""
    try:
        if path.is_dir():
            found = (name for name, signs in SIGNS.items() if any(any(path.glob(sign)) for sign in signs))
            if name := next(found, None):
                return name
            names = [file.name.lower() for file in path.rglob("*")]
            other = any(name.endswith(SUFFIXES) for name in names) and not any(name.endswith(".csv") for name in names)
            return "eeg_folder" if other else "muse"
        if path.name.lower().endswith(SUFFIXES):
            return "eeg_folder"
        with path.open("rb") as file:
            return "emotions" if file.read(64).lstrip(b"\xef\xbb\xbf").startswith(b"# mean_0_a") else "muse"
    except OSError:
        return "emotions" if path.name == "emotions.csv" else "muse"


def check(path, name: str | None = None) -> Report:
    """Say what a folder or file holds, what is missing and what reading it will do.

    Parameters
    ----------
    path : path
        See `resolve_root`.
    name : str, optional
        Dataset; recognised from the files when not given.

    Raises
    ------
    DatasetError
        When the path or the dataset's name is unknown. Faulty data is in the report, not raised.
    """
    module = None if name is None else _module(name)
    root = resolve_root(path, () if module is None else module.FACTS["folders"])
    module = module or MODULES[_recognise(root)]
    try:
        _finished(root)
    except DatasetError as error:
        return Report(module.FACTS["name"], root, ok=False, missing=[f"fault: {error}"])
    return module.check(root)


def simulate(name: str, root, form: str | None = None, **options) -> list[Path]:
    """Write a simulated cohort in a dataset's own files, for readers, notebooks and tests.

    Parameters
    ----------
    name : str
        One of `available`.
    root : path
        Folder, made when missing. One that holds other recordings, simulated ones too, is refused; one that holds
        the very same is left as it is.
    form : str, optional
        Of the dataset's ``write``, where it knows several: signals or features, say.
    **options
        Of the dataset's ``simulate``, such as n_subjects, random_state.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    DatasetError
        When the name, the form or an option is unknown or out of range, or the folder cannot be used.
    """
    module = _module(name)
    _known_options(name, "simulate", options)
    if not str(root):
        raise DatasetError("no folder given: name a new one")
    if form is not None and "form" not in inspect.signature(module.write).parameters:
        raise DatasetError(f"{name} is written in one form only; leave form={form!r} out")
    try:
        made = module.simulate(**options)
    except ValueError as error:
        raise DatasetError(f"simulate {name}: {error}") from error
    folder = Path(root)
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder}: is a file. Give a folder.")
    return write_once(module, made, folder, form, options)


def fetch(name: str, root, **options) -> list[Path]:
    """Download a dataset whose owner lets everybody do so, held against the owner's checksums.

    Parameters
    ----------
    name : str
        One of `available`.
    root : path
        Folder, made when missing; what is there and whole is kept.
    **options
        Of the dataset's ``fetch``, such as subjects.

    Raises
    ------
    DatasetError
        When the dataset has to be asked for (says where), or a file did not come whole.
    """
    module = _module(name)
    if not hasattr(module, "fetch"):
        able = ", ".join(other for other in MODULES if hasattr(MODULES[other], "fetch"))
        raise DatasetError(f"{name} cannot be downloaded from here ({module.FACTS['licence']}). Get it from: "
                           f"{module.FACTS['source']}. What can be downloaded: {able}.")
    return module.fetch(root, **options)
