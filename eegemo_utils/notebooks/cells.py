"""Reading a notebook file: where it is, its code cells, the section each one stands in."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nbformat

log = logging.getLogger("eegemo")
PACKAGED = "_notebooks"  # where setup.py puts the folder `notebooks` in a wheel
HEADING = re.compile(r"^#{1,2}\s+(.+?)\s*$")


class NotebookError(ValueError):
    """A notebook that cannot be found, read or loaded."""


@dataclass(frozen=True)
class CodeCell:
    """One code cell: its place among all cells (from 1), its section, its text as plain Python, its tags."""

    number: int
    section: str
    source: str
    tags: tuple[str, ...]

    def __str__(self) -> str:
        where = f" (section '{self.section}')" if self.section else ""
        return f"cell {self.number}{where}"


def notebooks_folder() -> Path:
    """Return the folder of the project's notebooks, their settings and sweeps.

    Returns
    -------
    pathlib.Path
        What the environment variable EEGEMO_NOTEBOOKS names, else the folder that a wheel brings inside the
        package, else ``notebooks`` beside the package, as in a checkout.

    Raises
    ------
    NotebookError
        When there is no such folder.
    """
    named, package = os.environ.get("EEGEMO_NOTEBOOKS"), Path(__file__).resolve().parents[1]
    packaged = package / PACKAGED
    folder = Path(named) if named else packaged if packaged.is_dir() else package.parent / "notebooks"
    if not folder.is_dir():
        raise NotebookError(
            f"There is no folder of notebooks at {folder}. Install the project from its wheel or its checkout, "
            "or set EEGEMO_NOTEBOOKS to the folder that holds the .ipynb files."
        )
    return folder


def did_you_mean(name: object, known: Iterable[str], n: int = 1) -> str:
    """Return a sentence with the known names, at most n, that are nearest to another, "" when none is near."""
    spelled = {each.lower(): each for each in known}
    near = [spelled[each] for each in get_close_matches(str(name).lower(), spelled, n)]
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def list_notebooks() -> list[str]:
    """Return the names of the project's notebooks ("gru", ...), sorted."""
    return sorted(path.stem for path in notebooks_folder().glob("*.ipynb"))


def notebook_path(notebook: str | Path) -> Path:
    """Return the file of a notebook.

    Parameters
    ----------
    notebook : str or pathlib.Path
        A name ("gru") or the path of an .ipynb file. A name means the file of that name in the working folder,
        if there is one, which is said where it takes the place of the project's; else the project's.

    Raises
    ------
    NotebookError
        When there is no such file; the message names what there is.
    """
    if Path(notebook).suffix == ".ipynb":
        if not Path(notebook).is_file():
            raise NotebookError(f"There is no notebook file {notebook} (looked for {Path(notebook).absolute()})."
                                f"{in_the_project(Path(notebook).stem)}")
        return Path(notebook)
    own = Path(f"{notebook}.ipynb")
    if own.is_file():
        tell_own(own.resolve())
        return own
    path = notebooks_folder() / own
    if not path.is_file():
        names = list_notebooks()
        guess = did_you_mean(Path(notebook).name, names)
        there = ", ".join(names) or "none"
        raise NotebookError(f"There is no notebook '{notebook}'.{guess} There are: {there}.")
    return path


def in_the_project(name: str) -> str:
    """Return a sentence when the project has a notebook of this name, "" when it has none."""
    try:
        return f" The project's own is called by its name alone: {name}." if name in list_notebooks() else ""
    except NotebookError:
        return ""


@cache
def tell_own(own: Path) -> None:
    """Say once that a notebook of the working folder takes the place of the project's."""
    try:
        other = notebooks_folder() / own.name
    except NotebookError:
        return
    if other.is_file() and not other.samefile(own):
        log.warning("eegemo: note: %s is %s, not the project's notebook %s", own.stem, own, other)


class Node(dict):
    """A mapping of a notebook file whose values are attributes too, as nbformat gives them."""

    def __getattr__(self, name: str) -> object:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def read_notebook(notebook: str | Path) -> nbformat.NotebookNode | Node:
    """Read a notebook file as nbformat 4; a file that is not one is a NotebookError."""
    path = notebook_path(notebook)
    try:
        found = as_written(path)
        if found is None:
            import nbformat  # late: it takes seconds, and only other versions and faulty files need it

            found = nbformat.read(path, as_version=4)
        return found
    except Exception as error:  # nbformat raises JSON, Unicode, attribute and validation errors alike
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise NotebookError(f"{path} cannot be read as a notebook: {reason}") from error


def as_written(path: Path) -> Node | None:
    """Return a sound notebook of nbformat 4 with each source as one text; None for any other file."""
    try:
        found = json.loads(path.read_bytes(), object_hook=Node)
    except ValueError:
        return None
    if not isinstance(found, Node) or found.get("nbformat") != 4 or not isinstance(found.get("cells"), list):
        return None
    for cell in found.cells:
        if not isinstance(cell, Node) or not isinstance(cell.get("metadata"), Node):
            return None
        lines = cell.get("source")
        cell["source"] = "".join(lines) if isinstance(lines, list) else lines
        outputs = all(isinstance(output, Node) for output in cell.get("outputs", ()))
        if not outputs or not isinstance(cell.source, str) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return None
    return found


def sections(cells: list) -> list[str]:
    """Return for each cell the heading (level 1 or 2) it stands under, "" before the first."""
    current, result = "", []
    for cell in cells:
        if cell.cell_type == "markdown":
            headings = [match[1] for line in cell.source.splitlines() if (match := HEADING.match(line))]
            current = headings[-1] if headings else current
        result.append(current)
    return result


def code_cells(notebook: str | Path) -> list[CodeCell]:
    """Return the code cells of a notebook, with IPython's magics turned into plain calls."""
    from IPython.core.inputtransformer2 import TransformerManager  # late: half a second

    cells = read_notebook(notebook).cells
    return [
        CodeCell(
            number,
            section,
            TransformerManager().transform_cell(cell.source),
            tuple(cell.metadata.get("tags", ())),
        )
        for number, (cell, section) in enumerate(zip(cells, sections(cells), strict=True), 1)
        if cell.cell_type == "code"
    ]
