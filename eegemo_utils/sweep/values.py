"""What a line of a sweep's grid stands for: a list, a range, or all that there is."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..notebooks import ParameterError

PEOPLE = ("subject", "subjects")  # the parameters whose `all` means people of the dataset


def expand(name: str, values: object, limits: Mapping[str, object], fixed: Mapping[str, object]) -> list:
    """Return the values of one line of a grid.

    Parameters
    ----------
    name : str
        The parameter.
    values : object
        A list; ``{from: a, to: b, step: s}`` (b included, s is 1 when left out); ``all``; or a single value.
    limits : Mapping
        The notebook's LIMITS: `all` means its list of choices.
    fixed : Mapping
        Parameters that are the same in all runs: ``dataset`` and ``data_root`` say whose people are meant.

    Raises
    ------
    ParameterError
        For an empty list, a range that is none, or an `all` of something that has no end.
    """
    if isinstance(values, dict):
        return from_to(name, values)
    if values == "all":
        return everything(name, limits, fixed)
    found = values if isinstance(values, list) else [values]
    if not found or any(isinstance(value, list | dict) for value in found):
        raise ParameterError(f"The grid's line '{name}' takes values such as [0, 1, 2], not {values!r}.")
    return found


def from_to(name: str, values: dict[str, object]) -> list[int] | list[float]:
    """Return the numbers of a range, its end included; whole ones when all three are."""
    first, last, step = values.get("from"), values.get("to"), values.get("step", 1)
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (first, last, step))
    if set(values) - {"from", "to", "step"} or not numbers or not step > 0 or not last >= first:
        example = "{from: 0, to: 4, step: 2}"
        raise ParameterError(f"The grid's line '{name}' takes a range such as {example}, not {values}.")
    count = math.floor((last - first) / step + 1e-9) + 1
    return [round(first + step * i, 12) for i in range(count)]  # 0.1 * 3 is not 0.3


def everything(name: str, limits: Mapping[str, object], fixed: Mapping[str, object]) -> list:
    """Return all values of a parameter: the choices that the notebook lists, or all people of the dataset."""
    limit = limits.get(name)
    if isinstance(limit, list):
        return [choice for choice in limit if choice != "all"]
    if name in PEOPLE and isinstance(limit, tuple):
        return list(range(limit[0], limit[1] + 1))
    if name in PEOPLE and limit is str:
        return people(str(fixed.get("dataset", "")), str(fixed.get("data_root", "")))
    raise ParameterError(f"The grid's line '{name}: all' has no end; only choices and people have. List the values.")


def people(dataset: str, root: str) -> list[str]:
    """Return the people of a dataset: those it is known to have, else those found in its files.

    Raises
    ------
    ParameterError
        When ``dataset`` is none that can be read.
    DatasetError
        When its files are needed and cannot be read.
    """
    from .. import datasets  # late: PyTorch and MNE

    module = datasets.MODULES.get(dataset)
    if module is None:
        known = ", ".join(datasets.MODULES)
        raise ParameterError(f"`subjects: all` takes a dataset ({known}) among the parameters, not {dataset!r}.")
    if hasattr(module, "SUBJECTS"):
        return list(module.SUBJECTS)
    return list(dict.fromkeys(map(str, datasets.load(dataset, root).table["subject"])))
