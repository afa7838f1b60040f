"""What every committed notebook is held to, without running it."""

import ast
import builtins
import json
import re
import symtable

import nbformat
import pytest
import yaml

from eegemo_utils.notebooks import (
    MIME,
    ParameterError,
    cast_parameters,
    check_parameters,
    list_notebooks,
    load_constant,
    notebook_path,
    read_metrics,
    read_parameters,
)
from eegemo_utils.notebooks.definitions import bound_names, definition_cells
from eegemo_utils.runs import refresh

PLACE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|usr|opt|mnt|work|Users|var)/[\w./-]+|[A-Z]:\\\\")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", list_notebooks())


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(notebook_path(name), as_version=4)


def code(name: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(name).cells if cell.cell_type == "code"]


def free_names(node: ast.stmt) -> set[str]:
    """Names that a function or a class looks up in its module when it is made or used."""
    found = set()
    tables = [symtable.symtable(ast.unparse(node), "cell", "exec")]
    while tables:
        table = tables.pop()
        here = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (here or s.is_global())}
        tables += table.get_children()
    return found


def test_is_a_valid_notebook_for_any_python(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info and "papermill" not in notebook.metadata


def test_was_executed_from_top_to_bottom_without_error(name):
    cells = code(name)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert not [o for cell in cells for o in cell.outputs if o.get("name") == "stderr"]


def test_holds_no_machine_facts(name):
    for cell in code(name):
        if "volatile" in cell.metadata.get("tags", ()):
            assert cell.outputs == []
    for cell in read(name).cells:
        assert not {"papermill", "execution"} & set(cell.metadata)
        texts = [cell.source]
        for output in cell.get("outputs", ()):
            texts += [output.get("text", ""), json.dumps(dict(output.get("data", {}), **{"image/png": ""}))]
        assert [place for text in texts for place in PLACE.findall(text)] == []


def test_is_small_enough_to_read(name):
    assert notebook_path(name).stat().st_size < 1_500_000
    assert [cell.source[:60] for cell in code(name) if len(cell.source.splitlines()) > 60] == []


def test_text_comes_before_code(name):
    cells = read(name).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    kinds = "".join("t" if cell.cell_type == "markdown" else "c" for cell in cells)
    assert "cccc" not in kinds, f"four code cells in a row, from cell {kinds.index('cccc') + 1}"


def test_a_kernel_without_the_package_is_told_of_before_the_first_import(name):
    cells = read(name).cells
    imports = re.compile(r"^(import|from) (?!warnings)", re.M)
    first = next(number for number, cell in enumerate(cells) if imports.search(cell.source))
    assert any("choose the one in which `eegemo_utils` is installed" in cell.source for cell in cells[:first])


def test_parameters_are_plain_and_limited(name):
    parameters = read_parameters(name)
    limits = load_constant(name, "LIMITS")
    assert set(parameters) == set(limits)
    check_parameters({name: parameter.default for name, parameter in parameters.items()}, limits)
    assert [name for name in parameters if name != name.lower()] == []
    assert [name for name, parameter in parameters.items() if not parameter.comment] == []


def test_definitions_stand_on_their_own(name):
    statements = list(definition_cells(name))
    allowed = {n for _, node in statements for n in bound_names(node)} | {*dir(builtins), "__name__"}
    wrong = {}
    for cell, node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = free_names(node) - allowed
            if names:
                wrong[f"{cell}: {node.name}"] = sorted(names)
    assert not wrong


def test_definitions_stand_at_the_top_of_their_cells(name):
    hidden = []
    for cell, node in definition_cells(name):
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            hidden += [f"{cell}: {x.name}" for x in ast.walk(node) if isinstance(x, inner)]
    assert not hidden


def test_records_its_metrics(name):
    assert read_metrics(notebook_path(name))
    outputs = [output for cell in code(name) for output in cell.outputs]
    assert any(MIME in output.get("data", {}) for output in outputs)


@pytest.mark.slow
def test_settings_fit_the_notebook(name):
    folder = notebook_path(name).parent / "settings" / name
    for path in sorted(folder.glob("*.yaml")):
        cast_parameters(name, yaml.safe_load(path.read_text(encoding="utf-8")))


GOOD = (
    "# Title",
    ("epochs: int = 3  # how many", "parameters"),
    "from eegemo_utils.notebooks import record\nLIMITS = {'epochs': (1, 5)}",
    "# Text",
    "def double(x: int) -> int:\n    return len(LIMITS) * x",
    "record(a=1)",
    ("print(1)", "volatile"),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small notebook, executed and cleaned."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for cell in GOOD:
        text, *tags = (cell,) if isinstance(cell, str) else cell
        new = nbformat.v4.new_markdown_cell if text.startswith("# ") else nbformat.v4.new_code_cell
        made.cells.append(new(text, metadata={"tags": tags} if tags else {}))
    path = tmp_path_factory.mktemp("good") / "notebooks" / "good.ipynb"
    path.parent.mkdir()
    nbformat.write(made, path)
    refresh([path], progress=lambda *_, **__: None)
    return path


def source(cell, text):
    return lambda nb: nb.cells[cell].update(source=text)


VALID, EXECUTED = test_is_a_valid_notebook_for_any_python, test_was_executed_from_top_to_bottom_without_error
FACTS, SMALL, TEXT = test_holds_no_machine_facts, test_is_small_enough_to_read, test_text_comes_before_code
PARAMETERS, ALONE = test_parameters_are_plain_and_limited, test_definitions_stand_on_their_own
TOP, RECORDS = test_definitions_stand_at_the_top_of_their_cells, test_records_its_metrics
SETTINGS = test_settings_fit_the_notebook
CHECKS = (VALID, EXECUTED, FACTS, SMALL, TEXT, PARAMETERS, ALONE, TOP, RECORDS, SETTINGS)
FAULTS = {
    "kernel": (lambda nb: nb.metadata.kernelspec.update(name="mine"), VALID),
    "unexecuted": (lambda nb: nb.cells[4].update(execution_count=None), EXECUTED),
    "order": (lambda nb: nb.cells[4].update(execution_count=9), EXECUTED),
    "place": (source(3, "see /home/me/data"), FACTS),
    "volatile": (lambda nb: nb.cells[6].update(outputs=nb.cells[5].outputs), FACTS),
    "long": (source(4, "def f():\n    pass\n" + "1\n" * 60), SMALL),
    "untitled": (source(0, "no title"), TEXT),
    "wordless": (lambda nb: nb.cells.pop(3), TEXT),
    "default": (source(1, "epochs: int = 9  # how many"), PARAMETERS),
    "unlimited": (source(1, "epochs: int = 3  # how many\nn: int = 1  # x"), PARAMETERS),
    "uncommented": (source(1, "epochs: int = 3"), PARAMETERS),
    "parameter": (source(4, "def f():\n    return epochs"), ALONE),
    "default of parameter": (source(4, "def f(n=epochs):\n    return n"), ALONE),
    "in a method": (source(4, "class A:\n    def f(self):\n        return [data for _ in '']"), ALONE),
    "hidden": (source(4, "if True:\n    def f():\n        pass"), TOP),
    "unrecorded": (lambda nb: nb.cells[5].update(outputs=[]), RECORDS),
}


@pytest.mark.parametrize("fault", ["none", *FAULTS])
def test_each_check_sees_its_fault_and_no_other(good, tmp_path, monkeypatch, fault):
    change, failing = FAULTS.get(fault, (lambda nb: None, None))
    notebook = nbformat.read(good, as_version=4)
    change(notebook)
    (tmp_path / "good.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    monkeypatch.setenv("EEGEMO_NOTEBOOKS", str(tmp_path))
    failed = []
    for check in CHECKS:
        try:
            check("good")
        except (AssertionError, ParameterError):
            failed.append(check)
    assert failed == ([failing] if failing else [])
