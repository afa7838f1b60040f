"""Datasets by name: what there is, load one, say what a folder holds.

One module a dataset, each with FACTS, read, write and check; names are those of `available`.
"""

import os
from pathlib import Path

import pandas as pd

from eegemo_utils.datasets import emotions, muse
from eegemo_utils.datasets.paths import unreadable
from eegemo_utils.trials import DatasetError, Report, Trials, Windows

MODULES = {module.FACTS["name"]: module for module in (muse, emotions)}

__all__ = ["available", "check", "load", "resolve_root"]


def available() -> pd.DataFrame:
    """Facts of the datasets: one row each, with licence and where to get it."""
    table = pd.DataFrame([module.FACTS for module in MODULES.values()])
    return table.drop(columns="folders").set_index("name")


def _module(name: str):
    if name not in MODULES:
        raise DatasetError(f"no dataset is called {name!r}; there are {', '.join(MODULES)}")
    return MODULES[name]


def resolve_root(root="", folders: tuple[str, ...] = ()) -> Path:
    """Where a dataset lies: relative paths are looked up under EEGEMO_DATA, then in this folder.

    Parameters
    ----------
    root : path
        May be empty: then the first of `folders` that EEGEMO_DATA holds, or EEGEMO_DATA itself.
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
    if str(root) in ("", "."):
        if not data:
            raise DatasetError("no folder given: name one, or set EEGEMO_DATA to where your data lies")
        tried = [Path(data) / folder for folder in folders] + [Path(data)]
    else:
        tried = [Path(data) / root] * bool(data) + [Path(root)]
    for path in tried:
        try:
            if path.exists():
                return path
        except OSError as error:
            raise DatasetError(unreadable(path, error)) from None
    looked = ", ".join(str(path.absolute()) for path in dict.fromkeys(tried))
    hint = "" if data else " EEGEMO_DATA, the folder that relative paths start from, is not set."
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
    return module.read(resolve_root(root, module.FACTS["folders"]), **options)


def _recognise(path: Path) -> str:
    """Dataset that a file or folder seems to be; what cannot be read goes by its name."""
    try:
        if path.is_dir():
            return "emotions" if (path / "emotions.csv").is_file() else "muse"
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
    root = resolve_root(path)
    return _module(_recognise(root) if name is None else name).check(root)
