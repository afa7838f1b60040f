"""MATLAB files of version 5 to 7.2: whatever is wrong with one is a DatasetError.

SciPy trusts what a file says of itself, and a damaged one can end the whole process. So every variable that is wanted
is walked through first (`mat_walk`): the kinds, sizes and shapes of its parts must fit one another.
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scipy  # scipy.io loads when it is used

from eegemo_utils.datasets.common import one_move
from eegemo_utils.datasets.mat_walk import damaged, walk
from eegemo_utils.trials import DatasetError


def load_mat(path, names) -> dict[str, np.ndarray]:
    """Read variables of a MATLAB file.

    Parameters
    ----------
    path : path
    names : sequence of str
        Others cost neither time nor memory. See `names_in`.

    Returns
    -------
    dict
        Arrays as ``scipy.io.loadmat`` gives them: at least two-dimensional, structs as arrays with fields.

    Raises
    ------
    DatasetError
        When the file is missing, damaged, of another kind, or lacks one of `names`.
    """
    found = list(dict.fromkeys(keys[0] for keys, _ in walk(path, set(names).__contains__, lambda keys: False)))
    missing = [name for name in names if name not in found]
    if missing:
        raise DatasetError(f"{path}: expected the variables {', '.join(names)}; missing: {', '.join(missing)}; "
                           f"found {', '.join(found)[:200] or 'none'}. Another dataset's file?")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = scipy.io.loadmat(path, variable_names=list(names))
            return {name: loaded[name] for name in names}
        except Exception as error:
            raise damaged(path, error) from error


def names_in(path) -> list[str]:
    """Names of the variables of a MATLAB file, in its order. Raises DatasetError as `load_mat` does."""
    return [keys[0] for keys, _ in walk(path, lambda name: False, lambda keys: False) if keys[0]]


def leaves(path, name: str, keep: Callable[[tuple], bool]) -> Iterator[tuple[tuple, np.ndarray | str]]:
    """Arrays and texts inside nested structs and cells, one at a time: for files larger than memory.

    Parameters
    ----------
    path : path
    name : str
        Variable.
    keep : callable
        Whether the array or text at some keys is wanted; the keys are ("Data", 3, "EEG", ...): fields of structs, and
        numbers, from 0, of the items of cells and of structs with more than one.

    Yields
    ------
    keys : tuple
    value : ndarray or str

    Raises
    ------
    DatasetError
        When the file is missing, damaged, of another kind, or lacks `name`.
    """
    found = []
    for keys, value in walk(path, lambda known: known == name, lambda keys: keep(keys[1:])):
        if value is not None:
            yield keys[1:], value
        else:
            found.append(keys[0])
    if name not in found:
        raise DatasetError(f"{path}: expected the variable {name}; found {', '.join(found)[:200] or 'none'}. Another "
                           f"dataset's file?")


def save_mat(path, variables: dict) -> Path:
    """Write a MATLAB file (version 5, not compressed), in one move."""
    path = Path(path)
    with one_move(path) as partial, partial.open("wb") as file:
        scipy.io.savemat(file, variables)
    return path
