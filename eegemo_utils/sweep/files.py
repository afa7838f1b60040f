"""A sweep file, and the runs it names.

::

    notebook: gru                                  # or a list
    settings: notebooks/settings/gru/muse.yaml     # optional; with a list, one run for each file
    parameters: {epochs: 3}                        # optional: the same in all runs; wins over settings
    grid:                                          # every combination, the last name varies fastest
      protocol: [published, by_trial]              # a list,
      seed: {from: 0, to: 4, step: 2}              # a range, its end included,
      recipe: all                                  # or all that the notebook takes; `subjects: all`: all people
    include: [{protocol: by_subject, seed: 9}]     # single runs more; without a grid, these alone
    exclude: [{protocol: by_trial, seed: 4}]       # combinations to leave out; also by notebook, settings

A file may also be a list of such blocks. What cannot be meant (an unknown name, a value set twice, an ``exclude`` that
matches nothing) is an error with its line; what may not be meant is a note with its line.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..files import digest
from ..notebooks import ParameterError, cast, load_constant, notebook_path
from ..notebooks.parameters import known
from ..settings import find_file, read_settings, read_yaml
from .blocks import Grid, checked_block, error_at
from .values import check_count

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
        Why it cannot be run; empty when it can.
    kind : str
        Of the problem: "parameters" or "data".
    """

    name: str
    source: Path
    parameters: dict[str, object]
    varied: tuple[str, ...] = ()
    problem: str = ""
    kind: str = "parameters"


def ignore(_note: str) -> None:
    """Take a note that nobody reads."""


def read_sweep(
    path: str | Path, given: Mapping[str, object] | None = None, tell: Callable[[str], None] = ignore
) -> list[Run]:
    """Return the runs that a sweep file names, each once, with a name of its own.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, or the name of one of the project's, such as "simulated".
    given : Mapping, optional
        Parameters that win over those of the file, as from a command line.
    tell : callable, optional
        Takes notes about what is no mistake but may not be meant, each once.

    Raises
    ------
    NotebookError, ParameterError
        For an unreadable file, an unknown key, parameter or notebook, a grid over nothing or over more than
        ``MOST_RUNS``, or a sweep in which no run has values that its notebook takes. Single runs with wrong ones are
        returned with their ``problem``.
    """
    path = find_file(path, "sweep file")
    content = read_yaml(path, "sweep file")
    notes: dict[str, None] = {}
    found: dict[str, Run] = {}
    for block in content if isinstance(content, list) else [content]:
        grid = Grid(checked_block(block, path), Path(path), notes.setdefault)
        again: Counter[str] = Counter()
        for run, place in block_runs(grid, dict(given or {})):
            key = json.dumps([str(run.source), run.parameters], sort_keys=True, default=str)
            again[place] += key in found
            found.setdefault(key, run)
            check_count(len(found), f"The sweep file {path}")
        grid.check_matched()
        for place, count in again.items():
            if count:
                notes[f"{place}: {n_runs(count)} named before; equal runs are made once. To repeat one, vary its seed."
                      ] = None
    for note in notes:
        tell(note)
    runs = with_names_of_their_own(list(found.values()))
    if not runs:
        raise ParameterError(f"The sweep file {path} names no run: its grid is empty, or all of it is excluded.")
    if all(run.problem for run in runs):
        raise ParameterError(f"The sweep file {path}, {runs[0].source.stem}: {runs[0].problem}")
    return runs


def n_runs(count: int) -> str:
    """Return "1 run", "2 runs"."""
    return f"{count} run{'' if count == 1 else 's'}"


def as_list(value: object) -> list:
    """Return a list as it is, anything else as the one element of a list."""
    return value if isinstance(value, list) else [value]


def find_notebook(name: str, sweep: Path) -> Path:
    """Return the notebook that a sweep names: a path from the working folder or beside the sweep, or a name."""
    paths = (folder / name for folder in (Path(), sweep.resolve().parent)) if name.endswith(".ipynb") else ()
    return notebook_path(next((path for path in paths if path.is_file()), name)).resolve()


def block_runs(grid: Grid, given: dict[str, object]) -> Iterator[tuple[Run, str]]:
    """Yield the runs of one block, and where in the file each is named."""
    for notebook in as_list(grid.block["notebook"]):
        source = find_notebook(str(notebook), grid.path)
        limits = load_constant(source, "LIMITS")
        grid.check_names(source, limits)
        for name in given:
            with error_at(source.stem):
                known(name, limits)
        for settings in as_list(grid.block.get("settings")):
            file = find_settings(settings, source, grid.path) if settings else None
            fixed = fixed_parameters(file, source, limits) | dict(grid.part("parameters")) | given
            labels = {"notebook": source.stem, "settings": file.stem if file else None}
            for varied, place in grid.combinations(source, fixed, labels, limits):
                clash = sorted(set(varied) & set(given))
                if clash:
                    name = clash[0]
                    raise ParameterError(
                        f"-p {name}: the sweep file {grid.path} varies it. Leave -p {name} out, or set it there."
                    )
                base = "-".join(str(label) for label in labels.values() if label)
                yield typed(Run(base, source, fixed | varied, tuple(varied)), limits), place


def find_settings(name: object, source: Path, sweep: Path) -> Path:
    """Return the settings file that a sweep names: from the working folder, beside the sweep, or the project's own."""
    return find_file(str(name), "settings file", notebooks=[source.stem], beside=[sweep.resolve().parent])


def fixed_parameters(file: Path | None, source: Path, limits: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a settings file that the notebook has; {} without a file."""
    found = read_settings(file) if file else {}
    for name in found:
        with error_at(f"The settings file {file}, {source.stem}"):
            known(name, limits)
    return found


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
        name = f"{name[:LONGEST_NAME]}-{run_digest(run)}"
    return replace(run, name=name, parameters=values, problem=problem)


def in_a_name(value: object) -> str:
    """Return a value as part of a folder's name, on any file system."""
    return re.sub(r"[^\w.+-]", "_", str(value)) or "_"


def run_digest(run: Run) -> str:
    """Return eight characters that stand for a run's notebook and parameters."""
    text = json.dumps([str(run.source), run.parameters], sort_keys=True, default=str)
    return digest(text)[:8]


def with_names_of_their_own(runs: list[Run]) -> list[Run]:
    """Return the runs, those of equal names (also on a disk that ignores case) with a digest added."""
    folded = [run.name.casefold() for run in runs]
    often = {name for name, count in Counter(folded).items() if count > 1}
    return [
        replace(run, name=f"{run.name}-{run_digest(run)}") if name in often else run
        for run, name in zip(runs, folded)
    ]
