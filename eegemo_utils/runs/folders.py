"""The folder of a run: nothing finished is lost in it, and nothing unfinished looks finished.

==========================  ================================================================================
``run.json``                which notebook with which parameters the folder belongs to; written first
``<paper>.partial.ipynb``   while it runs
``<paper>.failed.ipynb``    what was reached, after a run that did not finish
``<paper>.ipynb``           the whole, after one that did: it appears last, so its presence means "finished"
``metrics.json``            metrics, parameters, provenance of the finished run
``figures/``                pictures
``checkpoints/``            from which an unfinished run with the same notebook and parameters goes on
``previous/``               the finished run that stood here before the last one began
``.lock``                   locked while a run is at work: keeps a second one out
==========================  ================================================================================
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from filelock import FileLock

from ..files import NO_RIGHT, digest, save_text, take_lock
from ..notebooks.cells import NotebookError, code_cells, read_notebook
from ..notebooks.parameters import ParameterError

MARKER = "run.json"
LOCK = ".lock"  # held while a run works in the folder; the system lets go of it when the run is killed
KEPT = ("previous", "checkpoints", LOCK)


class FolderInUse(ParameterError):
    """A folder in which another run is at work."""


def write_json(path: Path, content: object) -> None:
    """Write JSON whole or not at all."""
    save_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def identity(source: Path, parameters: dict[str, object]) -> dict[str, object]:
    """Return what tells one run from another: the notebook, a digest of its code, the parameters."""
    code = "\n".join(cell.source for cell in code_cells(source))
    return {"notebook": source.stem, "code": digest(code)[:16], "parameters": parameters}


def read_marker(out: Path) -> dict[str, object] | None:
    """Return what ``run.json`` says, None when the folder is empty or new.

    Raises
    ------
    ParameterError
        When the folder holds something that is not a run.
    """
    if out.exists() and not out.is_dir():
        raise ParameterError(f"{out} is a file. Give a folder, or a name for a new one.")
    try:
        return json.loads((out / MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not out.exists() or all(path.name == LOCK for path in out.iterdir()):
            return None
        raise ParameterError(f"{out} holds other things than a run. Choose an empty folder.") from None
    except (OSError, ValueError) as error:
        raise ParameterError(f"{out / MARKER} cannot be read ({error}). Choose another folder.") from error


class RunFolder:
    """The folder of one run of one notebook.

    Parameters
    ----------
    out : pathlib.Path
        The folder.
    source : pathlib.Path
        The notebook that runs.
    parameters : dict
        All its parameters, defaults included.

    Raises
    ------
    ParameterError
        When the folder holds a run of another notebook, or no run at all.
    """

    def __init__(self, out: Path, source: Path, parameters: dict[str, object]) -> None:
        self.out = out
        self.identity = identity(source, parameters)
        self.before = read_marker(out)
        if self.before and self.before.get("notebook") != source.stem:
            raise ParameterError(
                f"{out} holds a run of {self.before.get('notebook')}, and a folder belongs to one notebook. "
                "Choose another."
            )
        self.finished = out / f"{source.stem}.ipynb"
        self.partial = out / f"{source.stem}.partial.ipynb"
        self.failed = out / f"{source.stem}.failed.ipynb"
        self.checkpoints = out / "checkpoints"
        self.lock: FileLock | None = None

    def begin(self) -> bool:
        """Make the folder ready and return whether checkpoints of the same run are there to go on from.

        Raises
        ------
        FolderInUse
            When another run is at work in the folder.
        ParameterError
            When nothing can be written in the folder.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.lock = take_lock(
                self.out / LOCK, FolderInUse(f"Another run is at work in {self.out}. Wait for it, or give --out."))
        except OSError as error:
            if error.errno not in NO_RIGHT:
                raise
            raise ParameterError(
                f"{self.out}: no file can be written there ({error.strerror}). Give another folder with --out."
            ) from error
        self.before = read_marker(self.out)  # again, now that nobody else writes it
        self.set_aside()
        self.partial.unlink(missing_ok=True)
        self.failed.unlink(missing_ok=True)
        (self.out / "metrics.json").unlink(missing_ok=True)
        shutil.rmtree(self.out / "figures", ignore_errors=True)
        same = self.before == json.loads(json.dumps(self.identity))
        if not same:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
        write_json(self.out / MARKER, self.identity)
        return self.checkpoints.is_dir() and any(self.checkpoints.iterdir())

    def set_aside(self) -> None:
        """Move a finished run that lies here to ``previous``, the notebook itself last."""
        if not self.finished.exists():
            return
        previous = self.out / "previous"
        shutil.rmtree(previous, ignore_errors=True)
        previous.mkdir()
        others = [path for path in self.out.iterdir() if path.name not in (*KEPT, self.finished.name, MARKER)]
        for path in [*others, self.finished]:
            os.replace(path, previous / path.name)

    def finish(self, summary: dict[str, object]) -> None:
        """Give the run its finished name, metrics first, notebook last; then drop the checkpoints."""
        write_json(self.out / "metrics.json", summary)
        try:
            os.replace(self.partial, self.finished)
        except OSError:
            (self.out / "metrics.json").unlink(missing_ok=True)
            raise
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def release(self) -> None:
        """Let other runs use the folder."""
        if self.lock is not None:
            self.lock.release()

    def give_up(self) -> Path | None:
        """Keep what an unfinished run left to read under the name of a failed one, and return that file."""
        try:
            cells = read_notebook(self.partial).cells
            if any(cell.get("outputs") for cell in cells):
                os.replace(self.partial, self.failed)
                return self.failed
        except (OSError, NotebookError):  # none there, or cut off by a full disk
            pass
        self.partial.unlink(missing_ok=True)
        return None
