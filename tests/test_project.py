"""The repository itself: one list of packages, small files, nothing of one machine, a sound citation."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"torch": "pytorch-cpu", "torch-geometric": "pytorch_geometric", "playwright": "playwright-python",
               "jupyter-client": "jupyter_client"}
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


def imported(folder: str) -> set[str]:
    """Packages that the files of a folder import, without the standard library's and this project's."""
    nodes = [node for path in (ROOT / folder).rglob("*.py") for node in ast.walk(ast.parse(path.read_bytes()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    own = {"eegemo_utils", "tests", *(path.stem for path in (ROOT / "tests").iterdir())}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - own


@pytest.mark.parametrize(("folder", "extras"), [("eegemo_utils", []), ("tests", ["test"])])
def test_what_is_imported_is_declared(folder, extras):
    project = pyproject()
    texts = project["dependencies"] + [text for extra in extras for text in project["optional-dependencies"][extra]]
    declared = {Requirement(text).name.lower().replace("_", "-") for text in texts}
    known = packages_distributions()
    missing = {name for name in imported(folder)
               if not declared & {found.lower().replace("_", "-") for found in known.get(name, [name])}}
    assert missing == set()


SYSTEMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}


def locked(python: str, system: str) -> dict[str, str]:
    """The versions that constraints.txt holds for a Python and a system; each name once."""
    platform, os_name = SYSTEMS[system]
    here = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": system,
            "platform_system": platform, "os_name": os_name, "platform_machine": "x86_64"}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.lstrip().startswith("#")]
    found = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(here)]
    assert all(re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)) and not pin.url for pin in pins)  # no "+cpu"
    assert len(found) == len({pin.name for pin in found})
    return {pin.name: str(pin.specifier)[2:] for pin in found}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_dependency_has_one_version_within_its_range(python, system):
    project, pins = pyproject(), locked(python, system)
    assert SpecifierSet(project["requires-python"]).contains(f"{python}.9")
    assert f"Programming Language :: Python :: {python}" in project["classifiers"]
    for text in project["dependencies"] + sum(project["optional-dependencies"].values(), []):
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[requirement.name.lower()]), text
    assert pins["torch"] == "2.13.0"  # the stored outputs are this one's


def test_no_file_names_an_index_of_packages():
    texts = [ROOT / name for name in ("constraints.txt", "pyproject.toml", "environment.yml", "Makefile")]
    assert not [path for path in [*texts, *ROOT.glob(".github/workflows/*")] if "://" in path.read_text()]


def test_an_install_without_extras_brings_no_test_tools():
    project = pyproject()
    tools = {Requirement(text).name for text in project["optional-dependencies"]["test"]}
    assert not tools & {Requirement(text).name for text in project["dependencies"]}
    assert {"pytest", "nbval", "ruff"} <= tools


def test_the_citation_names_the_software_and_five_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools_scm"]
    assert citation["version"] == released == build["fallback_version"]
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


LATE = ("scipy.signal", "scipy.stats", "sklearn.metrics", "mne.io", "torch", "matplotlib")  # each takes half a second


@pytest.mark.parametrize(("imports", "allowed"), [
    ("from eegemo_utils import datasets, features, montage, splits, evaluation, reported, cache", ()),
    ("from eegemo_utils import plots", ("matplotlib",)),
    ("from eegemo_utils import corpus", ()),
    ("from eegemo_utils import training", ("torch",)),
    ("import eegemo_utils.sweep.control", ("papermill",)),
])
def test_a_module_does_not_load_what_one_function_uses(imports, allowed):
    names = {*LATE, "papermill", "nbformat", "rfc3987_syntax"} - set(allowed)
    code = f"import sys\n{imports}\nprint(*sorted({names!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "\n"


def test_running_a_notebook_loads_no_grammar_of_web_addresses():
    code = "import sys; from eegemo_utils.runs import run_notebook; sys.exit('rfc3987_syntax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
