"""Sweep files: which runs they name, what they are called, and what is said of a wrong one."""

import json
from pathlib import Path

import pytest
import yaml

from eegemo_utils import datasets
from eegemo_utils.notebooks import NotebookError, ParameterError, list_notebooks
from eegemo_utils.sweep import values
from eegemo_utils.sweep.files import read_sweep

ROOT = Path(__file__).resolve().parents[1]
SWEEPS = sorted(path for path in (ROOT / "notebooks" / "sweeps").glob("*.yaml") if path.stem != "cluster")
PARAMETERS = ("""seed: int = 0  # of everything random
rate: float = 0.1  # step
protocol: str = 'by_trial'  # split
subject: str = ''  # who
dataset: str = 'deap'  # what""", "parameters")
LIMITS = """LIMITS = {"seed": (0, 9), "rate": (0.0, 1.0), "protocol": ["published", "by_trial"], "subject": str,
          "dataset": str}"""


@pytest.fixture
def sweep(notebook, tmp_path):
    """Function that writes a sweep over a tiny notebook and returns its runs."""
    notebook(PARAMETERS, LIMITS)

    def make(text="", given=None, tell=lambda _note: None, **keys):
        path = tmp_path / "sweep.yaml"
        path.write_text(text or yaml.safe_dump({"notebook": "tiny.ipynb"} | keys, sort_keys=False))
        return read_sweep(path, given, tell)

    return make


def test_a_grid_is_every_combination_the_last_name_fastest(sweep):
    runs = sweep(grid={"protocol": ["published", "by_trial"], "seed": [0, 1, 2]}, parameters={"rate": 1})
    assert [run.name for run in runs] == [
        f"tiny-protocol={p}-seed={s}" for p in ("published", "by_trial") for s in (0, 1, 2)]
    assert runs[4].parameters == {"rate": 1.0, "protocol": "by_trial", "seed": 1}
    assert type(runs[4].parameters["rate"]) is float and runs[4].varied == ("protocol", "seed")


def test_without_a_grid_there_is_one_run(sweep):
    assert [(run.name, run.parameters) for run in sweep()] == [("tiny", {})]


@pytest.mark.parametrize(("line", "wanted"), [
    ({"from": 2, "to": 6, "step": 2}, [2, 4, 6]),
    ({"from": 1, "to": 2}, [1, 2]),
    ({"from": 0.1, "to": 0.3, "step": 0.1}, [0.1, 0.2, 0.3]),
    ({"from": 0, "to": 5, "step": 2}, [0, 2, 4]),
    ("all", ["published", "by_trial"]),
    (3, [3]),
])
def test_lines_of_a_grid(line, wanted):
    found = values.expand("x", line, {"x": ["published", "by_trial"]}, {})
    assert found == wanted and [type(x) for x in found] == [type(x) for x in wanted]


@pytest.mark.parametrize(("name", "line", "said"), [
    ("seed", {"from": 2, "to": 1}, "to, 1, is below from, 2. A range is written {from: 0"),
    ("seed", {"from": 0, "to": 4, "step": 0}, "step is 0, and it must be above 0"),
    ("seed", {"start": 0, "to": 4}, "start is none of from, to and step"),
    ("seed", {"from": 0, "to": 4, "stpe": 2}, "Did you mean 'step'"),
    ("seed", {"to": 4}, "from is missing"),
    ("seed", {"from": "a", "to": 4}, "from is 'a', which is not a number"),
    ("seed", {"from": 0, "to": float("inf")}, "to is inf, which is not a number"),
    ("seed", {"from": 1, "to": 10**8}, "makes 100,000,000 runs; a sweep takes 100,000 at most, since .* Take fewer"),
    ("seed", {"from": 0, "to": 1, "step": 1e-300}, "a sweep takes 100,000 at most"),
    ("seed", [], "takes values such as"),
    ("seed", [[1]], "takes values such as"),
    ("seed", "all", "has no end"),
    ("subject", "all", "takes a dataset"),
])
def test_lines_that_are_none(name, line, said):
    with pytest.raises(ParameterError, match=said):
        values.expand(name, line, {"seed": (0, 9), "subject": str}, {"dataset": "simulated"})


def test_all_people(sweep, tmp_path):
    runs = sweep(grid={"subject": "all"}, parameters={"dataset": "deap"})
    assert [run.parameters["subject"] for run in runs] == [f"s{number:02d}" for number in range(1, 33)]
    assert values.expand("subjects", "all", {"subjects": (1, 3)}, {}) == [1, 2, 3]
    datasets.simulate("eeg_folder", tmp_path / "own", n_subjects=2, n_seconds=2)
    found = values.people("eeg_folder", str(tmp_path / "own"))
    assert found == list(dict.fromkeys(datasets.load("eeg_folder", tmp_path / "own").table["subject"]))


def test_include_and_exclude(sweep):
    grid = {"seed": [0, 1], "protocol": ["published", "by_trial"]}
    excluded, included = [{"seed": "1", "protocol": "published"}], [{"seed": 9}, {"seed": 8, "rate": 0.5}]
    runs = sweep(grid=grid, exclude=excluded, include=included)
    assert [run.name for run in runs] == [
        "tiny-seed=0-protocol=published", "tiny-seed=0-protocol=by_trial", "tiny-seed=1-protocol=by_trial",
        "tiny-seed=9", "tiny-seed=8-rate=0.5"]
    with pytest.raises(ParameterError, match="exclude names rate, which the grid does not vary"):
        sweep(grid=grid, exclude=[{"rate": 0.5}])
    with pytest.raises(ParameterError, match="names no run"):
        sweep(grid=grid, exclude=[{"notebook": "tiny"}])


def test_include_alone_is_the_whole_sweep(sweep):
    assert [run.name for run in sweep(include=[{"seed": 3}, {"seed": 4}])] == ["tiny-seed=3", "tiny-seed=4"]


def test_the_same_run_stands_once_and_that_is_told(sweep):
    notes = []
    runs = sweep("""notebook: tiny.ipynb
grid:
  seed: [0, "1", 1]
include:
  - {seed: 0}
""", tell=notes.append)
    assert [run.name for run in runs] == ["tiny-seed=0", "tiny-seed=1"]
    assert "line 3: 'seed' names 1 again; it is run once" in notes[0]
    assert "line 5: 1 run named before; equal runs are made once" in notes[1] and len(notes) == 2


def test_what_an_included_run_takes_for_the_grids_parameters_is_told(sweep):
    notes = []
    sweep("""notebook: tiny.ipynb
parameters: {rate: 0.5}
grid: {seed: [0, 1], protocol: [published]}
include: [{seed: 9}]
""", tell=notes.append)
    assert len(notes) == 1 and "line 4: this run does not name protocol, which the grid varies" in notes[0]
    assert "takes protocol=by_trial" in notes[0]


def test_too_many_runs_are_refused_before_they_are_made(sweep):
    line = {"from": 0, "to": 99_999}
    with pytest.raises(ParameterError, match="line 2: The grid makes 10,000,000,000 runs; a sweep takes 100,000"):
        sweep(grid={"seed": line, "rate": line})


def test_settings_parameters_command_line(sweep, tmp_path):
    (tmp_path / "a.yaml").write_text("rate: 0.2\nseed: 5\n")
    (tmp_path / "b.yaml").write_text("rate: 0.3\n")
    runs = sweep(settings=["a.yaml", "b.yaml"], parameters={"seed": 6}, given={"dataset": "dreamer"})
    assert [(run.name, run.parameters) for run in runs] == [
        ("tiny-a", {"rate": 0.2, "seed": 6, "dataset": "dreamer"}),
        ("tiny-b", {"rate": 0.3, "seed": 6, "dataset": "dreamer"})]
    with pytest.raises(ParameterError, match="-p seed: the sweep file .* varies it"):
        sweep(grid={"seed": [0, 1]}, given={"seed": "3"})


def test_names_are_for_every_file_system(sweep):
    values = ["s 01", "s/01", "S_01", "x" * 200, "", "ü"]
    names = [run.name for run in sweep(grid={"subject": values})]
    assert len({name.casefold() for name in names}) == len(values)
    assert all(len(name) < 140 and "/" not in name and " " not in name for name in names)
    again = [run.name for run in sweep(grid={"subject": values[::-1]})]
    assert sorted(again) == sorted(names)


def test_blocks_and_several_notebooks(sweep, notebook):
    notebook(PARAMETERS, LIMITS, name="other")
    runs = sweep("""- notebook: [tiny.ipynb, other.ipynb]
  grid: {seed: [0, 1]}
  exclude: [{notebook: other, seed: 1}]
- {notebook: tiny.ipynb, parameters: {rate: 0.5}, grid: {seed: [0]}}
""")
    assert [run.source.stem for run in runs] == ["tiny", "tiny", "other", "tiny"]
    assert len({run.name for run in runs}) == 4 and runs[1].name == "tiny-seed=1"
    assert runs[0].name.startswith("tiny-seed=0-") and runs[3].name.startswith("tiny-seed=0-")


def test_one_wrong_run_is_told_and_the_others_stay(sweep):
    runs = sweep(grid={"seed": [0, 10]})
    assert [bool(run.problem) for run in runs] == [False, True]
    assert "'seed' is 10, but it takes a whole number from 0 to 9" in runs[1].problem


@pytest.mark.parametrize(("text", "said"), [
    ("grid: {seed: [0]}", "must name a notebook"),
    ("notebook: tiny.ipynb\ngird: {seed: [0]}",
     "line 2 has 'gird'. Did you mean 'grid'\\? It takes notebook, settings"),
    ("notebook: tiny.ipynb\ngrid: {seed: [0]}\nexclude:\n- {seed: 1}", "line 4: exclude {'seed': 1} matches no run"),
    ("notebook: tiny.ipynb\ngrid: {seed: [0]}\nexclude:\n- {seeed: 1}", "exclude names seeed.* Did you mean 'seed'"),
    ("notebook: tiny.ipynb\nparameters: {seed: 1}\ngrid:\n  seed: [0]",
     "line 4: the grid varies 'seed', which `parameters` sets, line 2. Delete one"),
    ("notebook: tiny.ipynb\ngrid: {seed: [0, 1]}\ninclude:\n- {sed: 1}",
     "line 4, tiny: There is no parameter 'sed'. Did you mean 'seed'"),
    ("notebook: tiny.ipynb\nparameters:\n  sed: 1", "line 3, tiny: There is no parameter 'sed'. Did you mean 'seed'"),
    ("notebook: tiny.ipynb\ngrid:\n  seed: {from: 3, to: 1}", "line 3: The grid's line 'seed': to, 1, is below from"),
    ("notebook: tiny.ipynb\ngrid: [seed]", "grid takes `name: value` lines"),
    ("notebook: tiny.ipynb\ninclude: {seed: 1}", "include takes a list such as"),
    ("notebook: tiny.ipynb\ngrid: {seeds: [0]}", "There is no parameter 'seeds'"),
    ("notebook: tiny.ipynb\nsettings: no.yaml", "no settings file no.yaml; looked for .*no.yaml"),
    ("grid: {}\nnotebook: tiny.ipynb\nnotebook: tiny.ipynb", "line 3: 'notebook' is set twice, first in line 2. Keep"),
])
def test_a_wrong_file_is_told_in_one_line(sweep, text, said):
    with pytest.raises(ParameterError, match=said) as caught:
        sweep(text)
    assert "\n" not in str(caught.value)


def test_blocks_may_share_lines(sweep):
    runs = sweep("""- {notebook: tiny.ipynb, parameters: &base {rate: 0.5, protocol: published}, grid: {seed: [0]}}
- {notebook: tiny.ipynb, parameters: {<<: *base, rate: 0.6}, grid: {seed: [1]}}
""")
    assert [run.parameters["rate"] for run in runs] == [0.5, 0.6] and runs[1].parameters["protocol"] == "published"


def test_an_unknown_notebook(sweep):
    with pytest.raises(NotebookError, match="There is no notebook 'grue'"):
        sweep("notebook: grue")


def known(block: dict) -> bool:
    """Whether the notebooks of a block are there."""
    names = block["notebook"] if isinstance(block["notebook"], list) else [block["notebook"]]
    return set(names) <= set(list_notebooks())


@pytest.mark.slow
@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_shipped_sweeps_name_parameters_that_their_notebooks_take(path, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    content = yaml.safe_load(path.read_text())
    blocks = [block for block in (content if isinstance(content, list) else [content]) if known(block)]
    if not blocks:
        pytest.skip("its notebook is not there yet")
    (tmp_path / path.name).write_text(json.dumps(blocks))
    runs = read_sweep(tmp_path / path.name)
    assert runs and [run.problem for run in runs if run.problem] == []
