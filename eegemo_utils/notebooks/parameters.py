"""Parameters of a notebook: what it has, what each takes, and errors that say so.

A notebook declares its parameters in a cell tagged ``parameters``, one ``name: type = literal  # comment``
a line, and says in the constant ``LIMITS`` what each of them takes:

=================  ==========================================================================
``(1, 50)``        a whole number from 1 to 50
``(0.0, 1)``       a number from 0 to 1 (one bound written as a float is enough)
``["a", "b"]``     one of these
``str``, ``bool``  a text; true or false
=================  ==========================================================================
"""

from __future__ import annotations

import ast
import io
import numbers
import tokenize
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .cells import CodeCell, NotebookError, code_cells, did_you_mean, notebook_path
from .definitions import load_constant
from .provenance import run_begins

Limit = tuple | list | type
TRUTH = {"true": True, "yes": True, "false": False, "no": False}


class ParameterError(ValueError):
    """A parameter that a notebook does not have, or a value that it does not take."""


class Parameter(NamedTuple):
    """A parameter's default and the comment beside it."""

    default: object
    comment: str


def whole(limit: Limit) -> bool:
    """Say whether a limit is a range of whole numbers."""
    return isinstance(limit, tuple) and all(isinstance(bound, int) for bound in limit)


def describe(limit: Limit) -> str:
    """Say in words what a limit takes."""
    if limit is str:
        return "a text"
    if limit is bool:
        return "true or false"
    if isinstance(limit, list):
        return "one of " + ", ".join(map(repr, limit))
    if isinstance(limit, tuple) and len(limit) == 2:
        return f"a {'whole ' if whole(limit) else ''}number from {limit[0]} to {limit[1]}"
    raise NotebookError(f"LIMITS holds {limit!r}; it takes (low, high), a list of choices, str or bool.")


def fits(value: object, limit: Limit) -> bool:
    """Say whether a value is of the kind and in the range of a limit."""
    if limit is str or limit is bool:
        return isinstance(value, limit)
    if isinstance(limit, list):
        return any(type(value) is type(choice) and value == choice for choice in limit)
    kind = numbers.Integral if whole(limit) else numbers.Real
    return isinstance(value, kind) and not isinstance(value, bool) and limit[0] <= value <= limit[1]


def from_text(text: str, limit: Limit) -> object:
    """Turn a text into what a limit takes; what cannot be turned stays a text."""
    if limit is bool:
        return TRUTH.get(text.lower(), text)
    if isinstance(limit, list):
        return next((choice for choice in limit if str(choice) == text), text)
    if isinstance(limit, tuple):
        try:
            return int(text) if whole(limit) else float(text)
        except ValueError:
            return text
    return text


def known(name: str, limits: Mapping[str, Limit]) -> Limit:
    """Return the limit of a parameter; for an unknown one the error names the near and the known."""
    if name in limits:
        return limits[name]
    guess = did_you_mean(name, limits, 2)
    raise ParameterError(f"There is no parameter '{name}'.{guess} There are: {', '.join(limits)}.")


def cast(name: str, value: object, limits: Mapping[str, Limit]) -> object:
    """Turn a value from a command line or a settings file into the type that a parameter takes.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        A text ("1e-3" for a number, "3" for a whole one, "true" for a truth value) or a typed value.
    limits : Mapping
        The notebook's LIMITS.

    Raises
    ------
    ParameterError
        For an unknown name, a wrong type or a value out of range; names the parameter and what it takes.
    """
    limit = known(name, limits)
    takes = describe(limit)
    typed = from_text(value, limit) if isinstance(value, str) else value
    if not fits(typed, limit):
        quotes = " (in a settings file, write it in quotes)" if limit is str else ""
        raise ParameterError(f"Parameter '{name}' is {value!r}, but it takes {takes}{quotes}.")
    return float(typed) if isinstance(limit, tuple) and not whole(limit) else typed


def injected(cells: Iterable[str]) -> list[str]:
    """Return the names that papermill set: in the last cell that begins as its cells do and only sets names."""
    for source in reversed(list(cells)):
        if source.lstrip().startswith("# Parameters\n"):
            with suppress(SyntaxError):
                body = ast.parse(source).body
                if all(isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) for line in body):
                    return [line.targets[0].id for line in body]
    return []


def check_parameters(values: Mapping[str, object], limits: Mapping[str, Limit]) -> None:
    """Check every parameter against what it takes: ``check_parameters(globals(), LIMITS)`` in a notebook.

    From here on counts the time of the run that `provenance` tells.

    Parameters
    ----------
    values : Mapping
        Values by name; of names that LIMITS does not hold, those that papermill set are refused, and others not looked
        at. Papermill's are found in ``In``, where IPython keeps the cells that have run.
    limits : Mapping
        What each parameter takes.

    Raises
    ------
    ParameterError
        Names the parameter, its value and what it takes.
    """
    run_begins()
    for name in injected(values.get("In", ())):
        known(name, limits)
    for name, limit in limits.items():
        takes = describe(limit)
        if name not in values:
            raise ParameterError(f"Parameter '{name}' is not set; it takes {takes}.")
        if not fits(values[name], limit):
            raise ParameterError(f"Parameter '{name}' is {values[name]!r}, but it takes {takes}.")


def parameters_cell(notebook: str | Path) -> CodeCell:
    """Return the one cell tagged ``parameters``."""
    tagged = [cell for cell in code_cells(notebook) if "parameters" in cell.tags]
    if len(tagged) != 1:
        path = notebook_path(notebook)
        raise NotebookError(f"{path} has {len(tagged)} cells tagged 'parameters'; it needs one.")
    return tagged[0]


def comments_by_line(source: str) -> dict[int, str]:
    """Return the comment of each line that has one, without its mark."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").rstrip() for t in tokens if t.type == tokenize.COMMENT}


def read_parameters(notebook: str | Path) -> dict[str, Parameter]:
    """Return the default and the comment of each parameter of a notebook, running nothing.

    Raises
    ------
    NotebookError
        When there is not exactly one cell tagged ``parameters``, or a line is no ``name: type = literal``.
    """
    cell = parameters_cell(notebook)
    comments = comments_by_line(cell.source)
    found: dict[str, Parameter] = {}
    for node in ast.parse(cell.source).body:
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        try:
            default = ast.literal_eval(node.value)
            found[target.id] = Parameter(default, comments.get(node.end_lineno, ""))
        except (AttributeError, ValueError, TypeError) as error:
            line = cell.source.splitlines()[node.lineno - 1]
            raise NotebookError(
                f"{notebook_path(notebook)}, {cell}: {line!r} is not of the form `name: type = literal`."
            ) from error
    return found


def default_parameters(notebook: str | Path) -> dict[str, object]:
    """Return the parameters of a notebook with their default values."""
    return {name: parameter.default for name, parameter in read_parameters(notebook).items()}


def cast_parameters(notebook: str | Path, given: Mapping[str, object]) -> dict[str, object]:
    """Check and type the given parameters against a notebook's own, before anything of it runs.

    Raises
    ------
    ParameterError
        For the first of them that the notebook does not have or does not take.
    """
    limits = load_constant(notebook, "LIMITS")
    return {name: cast(name, value, limits) for name, value in given.items()}
