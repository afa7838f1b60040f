"""Reading a notebook file: where it is, its code cells, the section each one stands in."""

from __future__ import annotations

import difflib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nbformat

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
    """Return the folder of the project's notebooks.

    Returns
    -------
    pathlib.Path
        What the environment variable EEGEMO_NOTEBOOKS names, else ``notebooks`` beside the package.

    Raises
    ------
    NotebookError
        When there is no such folder, as after an install that is not editable.
    """
    named = os.environ.get("EEGEMO_NOTEBOOKS")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "notebooks"
    if not folder.is_dir():
        raise NotebookError(
            f"There is no folder of notebooks at {folder}. Install the project with `pip install -e .` from "
            "its checkout, or set EEGEMO_NOTEBOOKS to the folder that holds the .ipynb files."
        )
    return folder


def list_notebooks() -> list[str]:
    """Return the names of the project's notebooks ("gru", ...), sorted."""
    return sorted(path.stem for path in notebooks_folder().glob("*.ipynb"))


def notebook_path(notebook: str | Path) -> Path:
    """Return the file of a notebook.

    Parameters
    ----------
    notebook : str or pathlib.Path
        A name ("gru") or the path of an .ipynb file.

    Raises
    ------
    NotebookError
        When there is no such file; the message names what there is.
    """
    if Path(notebook).suffix == ".ipynb":
        if not Path(notebook).is_file():
            raise NotebookError(f"There is no notebook file {notebook}.")
        return Path(notebook)
    path = notebooks_folder() / f"{notebook}.ipynb"
    if not path.is_file():
        names = list_notebooks()
        near = difflib.get_close_matches(Path(notebook).name.lower(), names, 1)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        there = ", ".join(names) or "none"
        raise NotebookError(f"There is no notebook '{notebook}'.{guess} There are: {there}.")
    return path


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
