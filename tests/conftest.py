"""What tests share: tiny notebooks, one thread, definitions and sizes of LaBraM, files that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType

import nbformat
import pytest


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    """Make a notebook: one line that begins with "#" is a heading, all else is code.

    A cell may also be a pair of text and tag.
    """

    def make(*cells: str | tuple[str, str], name: str = "tiny", folder: Path = tmp_path) -> Path:
        made = nbformat.v4.new_notebook()
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        for number, cell in enumerate(cells):
            text, *tags = (cell,) if isinstance(cell, str) else cell
            heading = text.startswith("#") and "\n" not in text
            new = nbformat.v4.new_markdown_cell if heading else nbformat.v4.new_code_cell
            made.cells.append(new(text, id=f"cell-{number}", metadata={"tags": tags} if tags else {}))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.ipynb"
        nbformat.write(made, path)
        return path

    return make


@pytest.fixture
def one_thread() -> Generator[None, None, None]:
    """PyTorch on one thread, as small networks run fastest."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints after every epoch, however short."""
    from eegemo_utils.training import loop

    monkeypatch.setattr(loop, "SHARE", float("inf"))
    monkeypatch.setattr(loop, "FIRST", 0.0)


@pytest.fixture(scope="session")
def labram() -> ModuleType:
    """Definitions of notebooks/labram.ipynb, on one thread, as its small networks run fastest."""
    import torch

    from eegemo_utils.notebooks import load_definitions

    torch.set_num_threads(1)
    return load_definitions("labram")


@pytest.fixture
def small(labram: ModuleType) -> object:
    """A size of LaBraM that trains in a second."""
    return labram.Size(2, 100, 5, 0.1)


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Function that makes a path unreadable, whoever runs the test."""
    paths = []

    def refuse(path, inside=False):
        full = os.path.abspath(os.fspath(path)) if not isinstance(path, int) else ""
        if any((full == str(lock) and not inside) or full.startswith(f"{lock}{os.sep}") for lock in paths):
            raise PermissionError(13, "Permission denied", full)

    def guard(function, inside):
        def guarded(path=".", *arguments, **options):
            refuse(path, inside)
            return function(path, *arguments, **options)
        return guarded

    monkeypatch.setattr(Path, "open", guard(Path.open, False))
    monkeypatch.setattr(os, "listdir", guard(os.listdir, False))
    monkeypatch.setattr(os, "scandir", guard(os.scandir, False))
    monkeypatch.setattr(os, "stat", guard(os.stat, True))
    return paths.append
