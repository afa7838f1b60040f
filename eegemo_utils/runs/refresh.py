"""Renewing the committed notebooks: run as they are, then cleaned of what differs between two runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat

from ..files import one_move, save_text
from ..notebooks.cells import PACKAGED, NotebookError, list_notebooks, notebook_path
from ..notebooks.metrics import MIME, without_costs
from .engine import Watch, execute

NOTICED, SHARE_OF_PIXELS = 0.1, 1 / 2000


def clean_outputs(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the outputs of a code cell without warnings, machine facts and measured costs."""
    if "volatile" in cell.metadata.get("tags", ()):
        return []
    kept = [output for output in cell.outputs if output.get("name") != "stderr"]
    for output in kept:
        if MIME in output.get("data", {}):
            output.data = nbformat.from_dict(without_costs(output.data))
    return kept


def clean(notebook: nbformat.NotebookNode) -> None:
    """Take out of an executed notebook what the next run would write differently."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]  # papermill puts an empty list on every cell
        if cell.cell_type == "code":
            cell.outputs = clean_outputs(cell)


def same_picture(path: Path, other: Path) -> bool:
    """Say whether two PNG files show the same: at most one pixel in 2,000 differs by more than a tenth of the range.

    Processors round a coordinate differently in its last digit, and an edge's pixel may take another shade; a line
    that moves by one pixel differs in more.
    """
    if path.suffix != ".png" or not other.is_file():
        return False
    import matplotlib.image  # late: most commands draw nothing

    try:
        one, two = matplotlib.image.imread(path), matplotlib.image.imread(other)
    except (OSError, SyntaxError):  # PIL's for a damaged PNG
        return False
    return one.shape == two.shape and (abs(one - two).max(axis=-1) > NOTICED).mean() < SHARE_OF_PIXELS


def publish_figures(source: Path, target: Path) -> None:
    """Copy the pictures of a run to ``target``, each whole or not at all; a picture that looks the same stays."""
    for path in sorted(source.glob("*")) if source.is_dir() else []:
        if same_picture(path, target / path.name):
            continue
        target.mkdir(parents=True, exist_ok=True)
        with one_move(target / path.name) as partial:
            shutil.copyfile(path, partial)


def refresh(
    notebooks: Sequence[str | Path] | None = None,
    *,
    figures: str | Path | None = None,
    progress: Callable[..., None] = print,
) -> None:
    """Execute committed notebooks in place with their default values, and clean them.

    Outputs and execution counts stay, since they are what a reader sees and what tests compare. Times,
    versions, warnings, the outputs of cells tagged ``volatile`` and the metrics in ``NOT_COMPARED`` go, so
    that renewing an unchanged notebook on the same machine changes no byte.

    Parameters
    ----------
    notebooks : sequence of str or pathlib.Path, optional
        Names or paths, by default all of the project.
    figures : str or pathlib.Path, optional
        Pictures go to ``<figures>/<notebook>/``, by default in ``figures`` beside the folder of the notebook.
    progress : callable, optional
        Takes the lines of progress, called as ``print`` is.

    Raises
    ------
    NotebookError
        When a notebook is part of an installed package, or its folder cannot be written.
    RunError
        When a notebook did not reach its end; its file stays as it was.
    """
    for name in list_notebooks() if notebooks is None else notebooks:
        source = notebook_path(name).resolve()
        if source.parent.name == PACKAGED:
            raise NotebookError(f"{source} is part of an installed package. Renew the notebook of a checkout, from there.")
        if not os.access(source.parent, os.W_OK):  # before a minute of work
            raise NotebookError(f"{source} is renewed in place, but its folder cannot be written. Renew it in a copy.")
        progress(source.stem)
        target = Path(figures) if figures else source.parents[1] / "figures"
        with tempfile.TemporaryDirectory(prefix="eegemo-") as folder:
            executed = Path(folder, source.name)
            out = Path(folder, "out")
            out.mkdir()
            execute(source, executed, Watch(progress), parameters={}, out=out, cwd=source.parent)
            notebook = nbformat.read(executed, as_version=4)
            clean(notebook)
            save_text(source, nbformat.writes(notebook) + "\n")
            publish_figures(out / "figures", target / source.stem)
