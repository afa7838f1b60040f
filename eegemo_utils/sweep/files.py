"""A sweep file, and the runs it names.

::

    notebook: gru                                  # or a list
    settings: notebooks/settings/gru/muse.yaml     # optional; with a list, one run for each file
    parameters: {epochs: 3}                        # optional: the same in all runs; wins over settings
    grid:                                          # every combination, the last name varies fastest
      protocol: [published, by_trial]              # a list,
      seed: {from: 0, to: 4, step: 2}              # a range, its end included,
      recipe: all                                  # or all that the notebook takes; `subjects: all`: all people
    include: [{protocol: by_subject, seed: 9}]     # single runs more
    exclude: [{protocol: by_trial, seed: 4}]       # combinations to leave out; also by notebook, settings

A file may also be a list of such blocks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from ..notebooks import NotebookError, ParameterError, cast, load_constant, notebook_path
from ..settings import read_settings, read_yaml
from .values import expand

KEYS = ("notebook", "settings", "parameters", "grid", "include", "exclude")
LONGEST_NAME = 120  # a file name may have 255 bytes, and tools add to it


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes
    ----------
    name : str
        Its folder's name.
    source : pathlib.Path
        The notebook.
    parameters : dict
        Those given, of the notebook's types; its defaults are not among them.
    varied : tuple of str
        The parameters that tell it from the other runs of its block.
    problem : str
        Why the notebook does not take the parameters; empty when it does.
    """

    name: str
    source: Path
    parameters: dict[str, object]
    varied: tuple[str, ...] = ()
    problem: str = ""


def read_sweep(path: str | Path, given: Mapping[str, object] | None = None) -> list[Run]:
    """Return the runs that a sweep file names, each once, with a name of its own.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    given : Mapping, optional
        Parameters that win over those of the file, as from a command line.

    Raises
    ------
    NotebookError, ParameterError
        For an unreadable file, an unknown key or notebook, a grid over nothing, or a sweep in which no run has
        parameters that its notebook takes. Single runs with wrong ones are returned with their ``problem``.
    """
    content = read_yaml(path, "sweep file")
    blocks = content if isinstance(content, list) else [content]
    found: dict[str, Run] = {}
    for block in blocks:
        for run in block_runs(checked_block(block, path), dict(given or {}), Path(path)):
            key = json.dumps([str(run.source), run.parameters], sort_keys=True, default=str)
            found.setdefault(key, run)
    runs = with_names_of_their_own(list(found.values()))
    if not runs:
        raise ParameterError(f"The sweep file {path} names no run: its grid is empty, or all of it is excluded.")
    if all(run.problem for run in runs):
        raise ParameterError(f"The sweep file {path}, {runs[0].source.stem}: {runs[0].problem}")
    return runs


def checked_block(block: object, path: str | Path) -> dict[str, object]:
    """Return a block whose keys and their kinds are right, or raise ParameterError."""
    where = f"The sweep file {path}"
    if not isinstance(block, dict) or not block.get("notebook"):
        raise ParameterError(f"{where} must name a notebook: write `notebook: gru`.")
    unknown = [str(key) for key in block if key not in KEYS]
    if unknown:
        raise ParameterError(f"{where} has {', '.join(unknown)}; it takes {', '.join(KEYS)}.")
    block = {key: value for key, value in block.items() if value is not None}
    for key in ("parameters", "grid"):
        if not isinstance(block.get(key, {}), dict):
            raise ParameterError(f"{where}: {key} takes `name: value` lines, not {block[key]!r}.")
    for key in ("include", "exclude"):
        entries = block.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry for entry in entries):
            raise ParameterError(f"{where}: {key} takes a list such as [{{seed: 2}}], not {entries!r}.")
    return block


def as_list(value: object) -> list:
    """Return a list as it is, anything else as the one element of a list."""
    return value if isinstance(value, list) else [value]


def find(name: object, sweep: Path) -> Path:
    """Return a file named in a sweep: from the working folder, beside the sweep, or from the project's root."""
    roots = (Path(), sweep.resolve().parent, Path(__file__).resolve().parents[2])
    return next((root / str(name) for root in roots if (root / str(name)).is_file()), Path(str(name)))


def block_runs(block: dict[str, object], given: dict[str, object], sweep: Path) -> Iterator[Run]:
    """Yield the runs of one block."""
    for notebook in as_list(block["notebook"]):
        named = str(notebook)
        source = notebook_path(find(named, sweep) if named.endswith(".ipynb") else named).resolve()
        limits = load_constant(source, "LIMITS")
        for settings in as_list(block.get("settings")):
            file = find(settings, sweep) if settings else None
            fixed = (read_settings(file) if file else {}) | dict(block.get("parameters", {})) | given
            labels = {"notebook": source.stem, "settings": file.stem if file else None}
            for varied in combinations(block, fixed, labels, limits):
                clash = sorted(set(varied) & set(given))
                if clash:
                    raise ParameterError(f"{', '.join(clash)}: given, but the sweep file {sweep} varies it.")
                base = "-".join(str(label) for label in labels.values() if label)
                yield typed(Run(base, source, fixed | varied, tuple(varied)), limits)


def combinations(
    block: dict[str, object], fixed: dict[str, object], labels: dict[str, object], limits: dict[str, object]
) -> Iterator[dict[str, object]]:
    """Yield what varies in each run of a block: the grid without what is excluded, then what is included."""
    axes = {str(name): expand(str(name), values, limits, fixed) for name, values in block.get("grid", {}).items()}
    excluded = block.get("exclude", [])
    for entry in excluded:
        strange = [name for name in entry if name not in axes and name not in labels]
        if strange:
            raise ParameterError(f"exclude names {', '.join(strange)}, which the grid does not vary.")
    for values in product(*axes.values()):
        varied = dict(zip(axes, values))
        if not any(matches(entry, varied | labels, limits) for entry in excluded):
            yield varied
    yield from ({str(name): value for name, value in entry.items()} for entry in block.get("include", []))


def matches(entry: dict[str, object], values: dict[str, object], limits: dict[str, object]) -> bool:
    """Say whether a run has all the values of an entry of ``exclude``."""
    return all(same(name, value, values[name], limits) for name, value in entry.items())


def same(name: str, one: object, other: object, limits: dict[str, object]) -> bool:
    """Say whether two values of a parameter are one, however they are written."""
    try:
        return cast(name, one, limits) == cast(name, other, limits)
    except (ParameterError, NotebookError):
        return one == other


def typed(run: Run, limits: dict[str, object]) -> Run:
    """Return a run with parameters of the notebook's types and its full name; or with its problem."""
    values, problem = dict(run.parameters), ""
    for name, value in run.parameters.items():
        try:
            values[name] = cast(name, value, limits)
        except ParameterError as error:
            problem = problem or str(error)
    name = "-".join([run.name, *(f"{name}={in_a_name(values[name])}" for name in run.varied)])
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}-{digest(run)}"
    return replace(run, name=name, parameters=values, problem=problem)


def in_a_name(value: object) -> str:
    """Return a value as part of a folder's name, on any file system."""
    return re.sub(r"[^\w.+-]", "_", str(value)) or "_"


def digest(run: Run) -> str:
    """Return eight characters that stand for a run's notebook and parameters."""
    text = json.dumps([str(run.source), run.parameters], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def with_names_of_their_own(runs: list[Run]) -> list[Run]:
    """Return the runs, those of equal names (also on a disk that ignores case) with a digest added."""
    folded = [run.name.casefold() for run in runs]
    often = {name for name, count in Counter(folded).items() if count > 1}
    return [
        replace(run, name=f"{run.name}-{digest(run)}") if name in often else run
        for run, name in zip(runs, folded)
    ]
