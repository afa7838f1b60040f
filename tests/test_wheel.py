"""The built package, installed where no checkout is: notebooks, settings, sweeps and reported numbers come with it."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("eegemo_utils", "notebooks", "pyproject.toml", "setup.py", "README.md", "LICENSE")
SHORT = ("epochs=1", "n_seeds=1", "column_step=64", "n_hidden=8")


def run(*words: object, folder: Path, code: int = 0) -> str:
    """Run a command without this project's variables, and return what it says."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EEGEMO_"))}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "SETUPTOOLS_SCM_PRETEND_VERSION": "9.8.7"}
    done = subprocess.run([str(word) for word in words], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=600)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel that was built from the sdist, without network, from a copy of the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        else:
            shutil.copy(source, copy)
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", build, copy / "dist", folder=copy)
    (sdist,) = (copy / "dist").glob("*.tar.gz")
    command = (sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", copy)
    run(*command, sdist, folder=copy)
    return next(copy.glob("*.whl"))


@pytest.fixture(scope="module")
def binaries(wheel, tmp_path_factory) -> Path:
    """Programs of an environment with the wheel; it sees the packages that are installed here, not the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    binaries = folder / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / "python"
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    # a folder that a .pth file names is searched, but its own .pth files, such as the editable install's, are not read
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(packages, "installed.pth").write_text("\n".join(sorted(installed)), encoding="utf-8")
    command = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    run(*command, "--ignore-installed", wheel, folder=folder)
    return binaries


def test_the_package_is_the_wheels(binaries, tmp_path):
    code = "import eegemo_utils; print(eegemo_utils.__version__, eegemo_utils.__file__)"
    version, file = run(binaries / "python", "-c", code, folder=tmp_path).split()
    assert version == "9.8.7" and Path(file).is_relative_to(binaries.parent)


def test_a_run_from_any_folder(binaries, tmp_path):
    said = run(binaries / "eegemo", "run", "gru", *[word for pair in SHORT for word in ("-p", pair)], folder=tmp_path)
    assert re.search(r"gru +simulated +\w+ +finished", said)
    assert (tmp_path / "runs" / "gru" / "gru.ipynb").is_file() and os.listdir(tmp_path) == ["runs"]


def test_definitions_and_reported_numbers(binaries, tmp_path):
    code = ("from eegemo_utils import reported; from eegemo_utils.notebooks import list_notebooks, load_definitions;"
            "print(*list_notebooks(), load_definitions('labram').LaBraM.__module__);"
            "assert all(reported.reported(name) for name in list_notebooks())")
    said = run(binaries / "python", "-c", code, folder=tmp_path)
    assert said.split() == ["gmss", "gru", "labram", "multitask_cnn", "tnas", "nb_labram"]


def test_settings_sweeps_and_datasets_by_name(binaries, tmp_path):
    eegemo = binaries / "eegemo"
    assert "faced" in run(eegemo, "data", "list", folder=tmp_path)
    assert "n_hidden" in run(eegemo, "run", "gru", "-f", "muse", "--parameters", folder=tmp_path)
    assert "own: article, muse" in run(eegemo, "run", "gru", "-f", "mouse", folder=tmp_path, code=2)
    assert "10 runs" in run(eegemo, "sweep", "simulated", "--dry-run", folder=tmp_path)


def test_an_own_notebook_wins_and_is_said_to(binaries, tmp_path, notebook):
    notebook(("depth: int = 7  # own", "parameters"), "LIMITS = {'depth': (1, 9)}", name="gru")
    said = run(binaries / "eegemo", "run", "gru", "--parameters", folder=tmp_path)
    assert "depth = 7" in said and said.count("note: gru is ") == 1 and "not the project's notebook" in said


def test_the_committed_notebooks_of_a_wheel_are_not_renewed(binaries, tmp_path):
    said = run(binaries / "eegemo", "refresh", "gru", folder=tmp_path, code=2)
    assert "checkout" in said and said.count("\n") == 1
