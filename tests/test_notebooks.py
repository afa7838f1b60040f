"""Loading definitions, checking parameters, recording metrics, and comparing them under nbval."""

import asyncio
import inspect
import json
import os
import pickle
import subprocess
import sys
import time
import traceback
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import numpy as np
import psutil
import pytest

from eegemo_utils import notebooks as nb
from eegemo_utils.runs import refresh

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"epochs": (1, 50), "rate": (0.0, 1), "mode": ["a", "b"], "fast": bool, "root": str}
VALUES = {"epochs": 1, "rate": 0, "mode": "a", "fast": True, "root": ""}

MAGICS = """%matplotlib inline
import math
from dataclasses import dataclass
N_CHANS, N_TIMES = 4, 150
LEFT: int = N_CHANS // 2"""
DEFINITIONS = """@dataclass
class Net:
    n_chans: int = N_CHANS

def circle(radius,
           scale=LEFT):
    # twice, on purpose
    return scale * math.pi * radius

async def later():
    return N_TIMES"""


@pytest.fixture
def loaded(notebook):
    def load(**constants):
        path = notebook(
            "# Title",
            "from __future__ import annotations",
            MAGICS,
            "%%time\nraise SystemExit('a cell magic ran')",
            "!echo hello\nX = undefined_array\nX, y = 1, 2\nraise SystemExit('a statement ran')",
            "import asyncio\nawait asyncio.sleep(99)",
            DEFINITIONS,
        )
        return nb.load_definitions(path, **constants)

    return load


def test_loads_definitions_and_runs_nothing_else(loaded):
    module = loaded()
    assert (module.N_CHANS, module.N_TIMES, module.LEFT) == (4, 150, 2)
    assert module.circle(1) == pytest.approx(2 * np.pi)
    assert asyncio.run(module.later()) == 150
    assert not hasattr(module, "X") and not hasattr(module, "y")


def test_constants_can_be_overridden_and_reach_what_is_made_of_them(loaded):
    module = loaded(N_CHANS=10)
    assert (module.LEFT, module.Net().n_chans, module.circle.__defaults__) == (5, 10, (5,))
    with pytest.raises(nb.NotebookError, match="no constant 'N_CHAN'.*Did you mean 'N_CHANS'.*N_TIMES"):
        loaded(N_CHAN=10)


def test_objects_can_be_pickled_and_their_source_read(loaded):
    module = loaded()
    assert sys.modules["nb_tiny"] is module
    assert pickle.loads(pickle.dumps(module.Net(7))) == module.Net(7)
    assert inspect.getsource(module.circle).splitlines()[2] == "    # twice, on purpose"
    assert inspect.getsource(module.Net).startswith("@dataclass\nclass Net:")


def test_a_traceback_shows_the_line_of_the_notebook(loaded):
    try:
        loaded().circle("text")
    except TypeError:
        assert "return scale * math.pi * radius" in traceback.format_exc()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("def f(:\n    pass", r"cell 2 \(section 'Part'\), line 1"),
        ("def f(n=epochs):\n    pass", r"cell 2 .*f cannot be loaded: NameError.*may use only imports"),
        ("import no_such_package", r"cell 2 .*no_such_package cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_an_error_names_the_cell(notebook, cell, message):
    path = notebook("# Part", cell)
    with pytest.raises(nb.NotebookError, match=message):
        nb.load_definitions(path)
    assert "nb_tiny" not in sys.modules or sys.modules["nb_tiny"].__doc__


def test_a_constant_is_read_without_the_imports_it_does_not_need(notebook):
    path = notebook("import no_such_package\nMODES = ['a']\nLIMITS = {'mode': MODES}")
    assert nb.load_constant(path, "LIMITS") == {"mode": ["a"]}


def test_a_missing_or_broken_notebook_is_named(tmp_path, monkeypatch, notebook):
    with pytest.raises(nb.NotebookError, match="no notebook file .*nothing.ipynb"):
        nb.load_definitions(tmp_path / "nothing.ipynb")
    broken = tmp_path / "broken.ipynb"
    broken.write_text('{"cells": [')
    with pytest.raises(nb.NotebookError, match="broken.ipynb cannot be read as a notebook"):
        nb.load_definitions(broken)
    notebook("A = 1", name="gru", folder=tmp_path / "here")
    monkeypatch.setenv("EEGEMO_NOTEBOOKS", str(tmp_path / "here"))
    assert nb.list_notebooks() == ["gru"]
    with pytest.raises(nb.NotebookError, match="no notebook 'gro'. Did you mean 'gru'"):
        nb.notebook_path("gro")
    monkeypatch.setenv("EEGEMO_NOTEBOOKS", str(tmp_path / "nowhere"))
    with pytest.raises(nb.NotebookError, match="set EEGEMO_NOTEBOOKS"):
        nb.list_notebooks()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "3", 3),
        ("rate", "1e-3", 1e-3),
        ("rate", 1, 1.0),
        ("mode", "b", "b"),
        ("fast", "true", True),
        ("root", "7", "7"),
    ],
)
def test_texts_become_what_a_parameter_takes(name, text, value):
    got = nb.cast(name, text, LIMITS)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", "abc", "'epochs' is 'abc', but it takes a whole number from 1 to 50"),
        ("epochs", 51, "'epochs' is 51, but"),
        ("epochs", 3.0, "'epochs' is 3.0, but"),
        ("epochs", True, "'epochs' is True, but"),
        ("rate", float("nan"), "'rate' is nan, but it takes a number from 0.0 to 1"),
        ("mode", "c", "'mode' is 'c', but it takes one of 'a', 'b'"),
        ("fast", 1, "'fast' is 1, but it takes true or false"),
        ("root", 7, "'root' is 7, but it takes a text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name, value, message):
    with pytest.raises(nb.ParameterError, match=message):
        nb.cast(name, value, LIMITS)
    if not isinstance(value, str) or name == "mode":
        with pytest.raises(nb.ParameterError, match=message):
            nb.check_parameters(VALUES | {name: value}, LIMITS)


def test_an_unknown_or_missing_parameter_is_named():
    with pytest.raises(nb.ParameterError, match="no parameter 'epoch'. Did you mean 'epochs'.*rate, mode"):
        nb.cast("epoch", "3", LIMITS)
    with pytest.raises(nb.ParameterError, match="'epochs' is not set"):
        nb.check_parameters({}, LIMITS)
    nb.check_parameters(VALUES | {"other": 1}, LIMITS)


STRANGERS = ("# Parameters\nepochs = (", "# Parameters\nx = 1\nprint(x)", "y = 1\n# Parameters\nx = 1")


@pytest.mark.parametrize("cell", STRANGERS)
def test_cells_that_are_not_papermills_are_not_looked_at(cell):
    nb.check_parameters(VALUES | {"In": ["", cell]}, LIMITS)
    with pytest.raises(nb.ParameterError, match="no parameter 'x'"):
        nb.check_parameters(VALUES | {"In": ["", "# Parameters\nepochs = 3\nx = 1\n", cell]}, LIMITS)


def test_seconds_are_those_of_the_run(monkeypatch):
    now = time.time()
    monkeypatch.delenv("EEGEMO_OUT", raising=False)
    nb.check_parameters(VALUES, LIMITS)
    assert nb.provenance()["seconds"] < 30  # and not since this process started
    monkeypatch.setattr(time, "time", lambda: now + 100)
    assert 95 < nb.provenance()["seconds"] < 105
    monkeypatch.setenv("EEGEMO_OUT", "out")
    nb.check_parameters(VALUES, LIMITS)
    since_start = now + 100 - psutil.Process().create_time()
    assert abs(nb.provenance()["seconds"] - since_start) < 1


def test_parameters_are_read_with_their_comments(notebook):
    cell = 'epochs: int = 3  # how many; the paper: 50\nrate: float = -1e-3\nmode = "a # b"  # text'
    path = notebook((cell, "parameters"), "LIMITS = {}")
    assert nb.read_parameters(path) == {
        "epochs": (3, "how many; the paper: 50"),
        "rate": (-1e-3, ""),
        "mode": ("a # b", "text"),
    }
    with pytest.raises(nb.NotebookError, match="cell 1: 'n: int = 2 \\* 3' is not of the form"):
        nb.read_parameters(notebook(("n: int = 2 * 3", "parameters")))
    with pytest.raises(nb.NotebookError, match="has 0 cells tagged 'parameters'"):
        nb.read_parameters(notebook("n: int = 2"))


def test_record_prints_a_table_outside_a_notebook(capsys):
    nb.record(accuracy=np.float32(0.25), n_rows=np.int64(3), name="x", none=None)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| accuracy | 0.25 |",
        "| n_rows | 3 |",
        "| name | x |",
        "| none | – |",
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss", float("nan"), "loss is nan"),
        ("loss", np.float64("inf"), "loss is inf"),
        ("Loss", 1, "snake_case, but got 'Loss'"),
        ("loss", np.ones(2), "loss is array"),
        ("accuracy_published", "0.93", "number or None .*accuracy_published is '0.93'"),
        ("chance", True, "number or None .*chance is True"),
    ],
)
def test_record_refuses(name, value, message):
    with pytest.raises(ValueError, match=message):
        nb.record(**{name: value})


def test_a_score_may_be_missing_and_other_names_may_be_texts(capsys):
    nb.record(accuracy_by_subject=None, noise=0, accurate="no score", noisy=True)
    assert "| accuracy_by_subject | – |" in capsys.readouterr().out


def test_provenance_holds_facts_and_is_json():
    found = nb.provenance(data="abc")
    assert found["data"] == "abc" and found["numpy"] == np.__version__
    assert found["peak_memory_mb"] > 10 and found["seconds"] > 0
    json.dumps(found)


STORED = """from eegemo_utils.notebooks import record
import os
record(accuracy=0.9, n_rows=3, seconds=float(os.getpid()))"""
VOLATILE = "import os\nprint(os.getpid())"


CHANGES = {
    "unchanged": ("", "", None),
    "within": ('"accuracy": 0.9', '"accuracy": 0.9000005', None),
    "thousandth": ('"accuracy": 0.9', '"accuracy": 0.901', "accuracy: 0.9, stored: 0.901"),
    "metric": ('"accuracy": 0.9', '"accuracy": 0.8', "accuracy: 0.9, stored: 0.8"),
    "count": ('"n_rows": 3', '"n_rows": 4', "n_rows: 3, stored: 4"),
    "name": ('"n_rows": 3', '"n_cols": 3', "n_cols: only in the stored notebook"),
    "text": ('"shape (3, 4)\\n"', '"shape (3, 5)\\n"', "Cell outputs differ"),
    "unexecuted": ('"execution_count": 3', '"execution_count": null', "This cell was never executed"),
}


def nbval(paths: list[Path]) -> dict[str, str]:
    """Run nbval as `make test` does and return what it said of each notebook, "" for passed."""
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "--nbval", "--nbval-current-env"]
    folder = paths[0].parent
    command += ["-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={folder}", f"--junitxml={folder}/xml"]
    subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, timeout=300)
    said = {path.stem: [] for path in paths}
    for case in ElementTree.parse(folder / "xml").iter("testcase"):
        said[case.get("classname").split(".")[0]].append("".join(case.itertext()))
    assert all(len(texts) == 3 for texts in said.values()), said
    return {name: "".join(texts) for name, texts in said.items()}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, str]:
    """What nbval says of a notebook, executed and cleaned as the committed ones are, after each change."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    texts = (STORED, "print('shape (3, 4)')", VOLATILE)
    made.cells = [nbformat.v4.new_code_cell(text) for text in texts]
    made.cells[2].metadata["tags"] = ["volatile"]
    path = tmp_path_factory.mktemp("project") / "notebooks" / "tiny.ipynb"
    path.parent.mkdir()
    nbformat.write(made, path)
    refresh([path], progress=lambda *_, **__: None)
    stored = path.read_text(encoding="utf-8")
    for name, (old, new, _) in CHANGES.items():
        assert not old or stored.count(old) == 1
        changed = stored.replace(old, new) if old else stored
        (path.parent / f"{name}.ipynb").write_text(changed, encoding="utf-8")
    return nbval([path.parent / f"{name}.ipynb" for name in CHANGES])


@pytest.mark.parametrize("change", CHANGES)
def test_nbval_sees_what_changed(verdicts, change):
    failing = CHANGES[change][2]
    assert (failing in verdicts[change]) if failing else verdicts[change] == ""


@pytest.fixture
def project(notebook, tmp_path, monkeypatch):
    """A project with one notebook, seen from another folder."""
    notebook("DEPTH = 1", name="gru", folder=tmp_path / "project")
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("EEGEMO_NOTEBOOKS", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "project"


def test_a_notebook_of_the_working_folder_wins_and_is_said_to_once(project, notebook, tmp_path, caplog):
    assert nb.notebook_path("gru") == project / "gru.ipynb" and not caplog.messages
    own = notebook("DEPTH = 2", name="gru", folder=tmp_path / "mine")
    assert nb.load_constant("gru", "DEPTH") == nb.load_constant("gru", "DEPTH") == 2
    assert caplog.messages == [f"eegemo: note: gru is {own}, not the project's notebook {project / 'gru.ipynb'}"]


def test_in_the_projects_own_folder_nothing_is_said(project, monkeypatch, caplog):
    monkeypatch.chdir(project)
    assert nb.load_constant("gru", "DEPTH") == 1 and not caplog.messages


def test_a_path_from_another_folder_is_told_its_name(project, tmp_path):
    looked = tmp_path / "mine" / "notebooks" / "gru.ipynb"
    with pytest.raises(nb.NotebookError, match=f"looked for {looked}.*called by its name alone: gru"):
        nb.notebook_path("notebooks/gru.ipynb")
