"""Definitions of a notebook as a module, for tests, benchmarks and other programs, running nothing else.

Writing rules that make it work (``tests/test_notebook_hygiene.py`` holds the notebooks to them): constants
are UPPER_CASE and at least two characters long (so ``X`` is data, not a constant); a definition stands at the
top level of a cell and uses only imports, constants, other definitions and its arguments.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from .cells import CodeCell, NotebookError, code_cells, did_you_mean, list_notebooks, notebook_path

__all__ = ["NotebookError", "list_notebooks", "load_constant", "load_definitions", "notebook_path"]

CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
Statement = tuple[CodeCell, ast.stmt]


def bound_constants(node: ast.stmt) -> list[str]:
    """Return the UPPER_CASE names that an assignment binds, [] when it binds anything else or is none."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    else:
        return []
    flat = [x for t in targets for x in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]
    if all(isinstance(x, ast.Name) and CONSTANT.fullmatch(x.id) for x in flat):
        return [x.id for x in flat]
    return []


def bound_names(node: ast.stmt) -> list[str]:
    """Return the names that a definition, an import or a constant binds, [] for any other statement."""
    if isinstance(node, DEFINITIONS):
        return [node.name]
    if isinstance(node, IMPORTS):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    return bound_constants(node)


def parse_cell(cell: CodeCell, first_line: int, name: str) -> list[ast.stmt]:
    """Parse one cell whose text begins at ``first_line`` of the notebook's text."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        tree = compile(cell.source, name, "exec", flags=flags, dont_inherit=True)
    except SyntaxError as error:
        raise NotebookError(f"{name}, {cell}, line {error.lineno}: {error.msg}: {error.text!r}") from error
    ast.increment_lineno(tree, first_line - 1)
    return tree.body


def statements(path: Path) -> tuple[list[Statement], str]:
    """Return the top-level statements of a notebook with their cells, and the text they are numbered in."""
    found: list[Statement] = []
    text = ""
    for cell in code_cells(path):
        text += f"# %% {cell}\n"
        found += [(cell, node) for node in parse_cell(cell, text.count("\n") + 1, path.name)]
        text += cell.source.rstrip("\n") + "\n"
    return found, text


def used_names(node: ast.stmt) -> set[str]:
    """Return every name that a statement mentions."""
    return {x.id for x in ast.walk(node) if isinstance(x, ast.Name)}


def needed(kept: list[Statement], name: str) -> list[Statement]:
    """Return the statements that the constant ``name`` needs, itself included, in their order."""
    wanted, before = {name}, set()
    while wanted != before:
        before = set(wanted)
        for _, node in kept:
            if wanted & set(bound_names(node)):
                wanted |= used_names(node)
    return [(cell, node) for cell, node in kept if wanted & set(bound_names(node)) or is_future(node)]


def is_future(node: ast.stmt) -> bool:
    """Say whether a statement is ``from __future__ import ...``."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def execute(kept: list[Statement], module: types.ModuleType, constants: dict[str, object]) -> None:
    """Run the kept statements in ``module``, putting ``constants`` in place of the notebook's own."""
    flags = 0
    for cell, node in kept:
        if is_future(node):
            for alias in node.names:
                flags |= getattr(__future__, alias.name).compiler_flag
        try:
            code = compile(ast.Module([node], []), module.__file__, "exec", flags=flags, dont_inherit=True)
            exec(code, module.__dict__)
        except Exception as error:
            what = f"{module.__file__.strip('<>')}, {cell}: {' '.join(bound_names(node))} cannot be loaded"
            hint = " (a definition may use only imports, UPPER_CASE constants and other definitions)"
            raise NotebookError(
                f"{what}: {type(error).__name__}: {error}{hint if isinstance(error, NameError) else ''}"
            ) from error
        module.__dict__.update({name: constants[name] for name in bound_constants(node) if name in constants})


def new_module(path: Path, text: str) -> types.ModuleType:
    """Make the empty module, known to ``pickle`` (sys.modules) and to ``inspect`` (linecache)."""
    module = types.ModuleType("nb_" + re.sub(r"\W", "_", path.stem), f"Definitions of {path.name}.")
    module.__file__ = f"<{path.name}>"
    linecache.cache[module.__file__] = (len(text), None, text.splitlines(keepends=True), module.__file__)
    return module


def check_constants(constants: dict[str, object], kept: list[Statement], path: Path) -> None:
    """Raise NotebookError when a constant to override is none of the notebook's."""
    known = sorted({name for _, node in kept for name in bound_constants(node)})
    for name in constants:
        if name not in known:
            guess = did_you_mean(name, known)
            raise NotebookError(f"{path.name} has no constant '{name}'.{guess} It has: {', '.join(known)}.")


def kept_statements(path: Path) -> tuple[list[Statement], str]:
    """Return the imports, constants, functions and classes of a notebook, and the numbered text."""
    found, text = statements(path)
    return [(cell, node) for cell, node in found if bound_names(node)], text


def load_definitions(notebook: str | Path, **constants: object) -> types.ModuleType:
    """Load the imports, UPPER_CASE constants, functions and classes of a notebook as a module.

    Nothing else of the notebook runs: no data is read, nothing is trained, parameters stay unset.

    Parameters
    ----------
    notebook : str or pathlib.Path
        A name ("gru") or the path of an .ipynb file.
    **constants
        Values for UPPER_CASE constants in place of the notebook's, seen by everything defined after them.

    Returns
    -------
    module
        Named ``nb_<stem>`` in ``sys.modules``, so that its classes can be pickled; loading the same notebook
        again puts the new module in the place of the old one there.

    Raises
    ------
    NotebookError
        For a missing or unreadable notebook, an unknown constant, or a definition that cannot be loaded; the
        message names the cell.
    """
    path = notebook_path(notebook)
    kept, text = kept_statements(path)
    check_constants(constants, kept, path)
    module = new_module(path, text)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module  # before running: dataclasses look their module up
    try:
        execute(kept, module, constants)
    except NotebookError:
        sys.modules.pop(module.__name__)
        if before is not None:
            sys.modules[module.__name__] = before
        raise
    return module


def load_constant(notebook: str | Path, name: str) -> object:
    """Return one UPPER_CASE constant of a notebook, running only the statements that it needs.

    So reading what a parameter takes does not import what the notebook computes with.

    Raises
    ------
    NotebookError
        When the notebook has no such constant, or it cannot be evaluated.
    """
    path = notebook_path(notebook)
    kept, text = kept_statements(path)
    check_constants({name: None}, kept, path)
    module = new_module(path, text)
    execute(needed(kept, name), module, {})
    return getattr(module, name)


def definition_cells(notebook: str | Path) -> Iterator[Statement]:
    """Yield every top-level statement of a notebook with its cell, for checks of the writing rules."""
    yield from statements(notebook_path(notebook))[0]
