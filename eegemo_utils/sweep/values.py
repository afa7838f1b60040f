"""What a line of a sweep's grid stands for: a list, a range, or all that there is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ..notebooks import ParameterError

PEOPLE = ("subject", "subjects")  # the parameters whose `all` means people of the dataset
MOST_RUNS = 100_000  # each is a folder, a line of sweep.json and a task that the scheduler keeps in memory


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a sentence with the known name that is nearest to another, "" when none is near."""
    near = get_close_matches(str(name).lower(), list(known), 1)
    return f" Did you mean '{near[0]}'?" if near else ""


def check_count(count: int, what: str) -> None:
    """Raise ParameterError for more runs than a sweep takes; called before they are made."""
    if count > MOST_RUNS:
        raise ParameterError(
            f"{what} makes {count:,} runs; a sweep takes {MOST_RUNS:,} at most, since each is a folder and a task "
            "that the scheduler keeps in memory. Take fewer values, a larger step, or several sweep files."
        )


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
        For an empty list, a range that is none or too long, or an `all` of something that has no end.
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
    wrong = wrong_range(values)
    if wrong:
        raise ParameterError(f"The grid's line '{name}': {wrong} A range is written {{from: 0, to: 4, step: 2}}.")
    first, last, step = values["from"], values["to"], values.get("step", 1)
    count = math.floor(min((last - first) / step + 1e-9, 1e18)) + 1
    check_count(count, f"The grid's line '{name}'")
    return [round(first + step * i, 12) for i in range(count)]  # 0.1 * 3 is not 0.3


def wrong_range(values: dict[str, object]) -> str:
    """Return what is wrong with a range, "" for a right one."""
    names = ("from", "to", "step")
    for name in values:
        if name not in names:
            return f"{name} is none of from, to and step.{did_you_mean(name, names)}"
    for name in names:
        value = values.get(name, 1 if name == "step" else None)
        if value is None:
            return f"{name} is missing."
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"{name} is {value!r}, which is not a number."
    if values.get("step", 1) <= 0:
        return f"step is {values['step']}, and it must be above 0."
    return f"to, {values['to']}, is below from, {values['from']}." if values["to"] < values["from"] else ""


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
        When ``dataset`` is none that can be read, or its files are needed and cannot be read.
    """
    from .. import datasets  # late: MNE
    from ..trials import DatasetError

    module = datasets.MODULES.get(dataset)
    if module is None:
        raise ParameterError(
            f"`subjects: all` takes a dataset among the parameters, not {dataset!r}."
            f"{did_you_mean(dataset, datasets.MODULES)} There are: {', '.join(datasets.MODULES)}."
        )
    if hasattr(module, "SUBJECTS"):
        return list(module.SUBJECTS)
    try:
        return list(dict.fromkeys(map(str, datasets.load(dataset, root).table["subject"])))
    except DatasetError as error:
        raise ParameterError(f"`subjects: all` reads the dataset, and that cannot be read: {error}") from error
