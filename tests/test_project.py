"""The repository itself: one list of packages, small files, nothing of one machine, a sound citation."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import eegemo_utils

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"torch": "pytorch-cpu", "torch-geometric": "pytorch_geometric", "playwright": "playwright-python"}
SOURCES = sorted((ROOT / "eegemo_utils").rglob("*.py")) + sorted((ROOT / "tests").rglob("*.py"))
MODULES = [path for path in SOURCES if "eegemo_utils" in path.relative_to(ROOT).parts]


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    """Files that git holds, or all where this is no checkout."""
    git = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if git.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in git.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_environment_yml_equals_pyproject():
    project = pyproject()
    wanted = [f"python{project['requires-python']}", "pip"]
    for requirement in project["dependencies"] + project["optional-dependencies"]["test"]:
        name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        wanted.append(CONDA_NAMES.get(name, name) + bounds)
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert environment == [*wanted, {"pip": ["-e ."]}]


def test_each_line_of_environment_yml_says_who_needs_it():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    packages = [line for line in lines if re.match(r"  - [\w-]+", line) and "python>=" not in line]
    assert [line for line in packages[1:] if not re.search(r"  # [\w`]", line) and line != "  - pip:"] == []


def test_every_dependency_has_a_tested_version_within_its_range():
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = pyproject()
    for text in project["dependencies"] + sum(project["optional-dependencies"].values(), []):
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[requirement.name.lower()]), text


def test_the_citation_names_the_software_and_five_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == eegemo_utils.__version__
    assert citation["license"] == pyproject()["license"]
    assert len(citation["references"]) == 5
    for paper in citation["references"]:
        assert paper["title"] and paper["authors"] and 2021 <= paper["year"] <= 2024


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 500
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, functions):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            long += [f"{node.name}: {lines}"] if lines >= 40 else []
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_public_names_say_what_they_are(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert ast.get_docstring(tree)
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_no_file_names_a_place_of_one_machine():
    places = re.compile(r"/(?:work|farm|root|home/\w)/[\w./-]*|/tmp/\w+|\.\./shared|[A-Z]:\\\\Users")
    found = {}
    binary = (".png", ".npz", ".npy", ".gz", ".pt")
    for path in tracked():
        if relative(path).startswith(".ci/") or path.suffix in binary or path == Path(__file__).resolve():
            continue
        hits = places.findall(path.read_text(encoding="utf-8"))
        if hits:
            found[relative(path)] = hits[:3]
    assert not found


def test_the_command_line_answers_before_anything_heavy_is_imported():
    code = "import sys, eegemo_utils.cli; sys.exit(bool({'torch', 'mne', 'papermill'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
