"""Files and folders of any dataset that the system does not give are faults that name them, in plain words."""

import os
from pathlib import Path

import pytest

from eegemo_utils import datasets
from eegemo_utils.files import files_below, in_words
from eegemo_utils.trials import DatasetError

SMALL = {"deap": {"n_trials": 2, "n_seconds": 1.0}, "dreamer": {"n_subjects": 1, "n_clips": 1, "n_seconds": 1.0},
         "eegmat": {"n_subjects": 1, "rest_seconds": 2, "arithmetic_seconds": 2}, "tuab": {"n_subjects": 2},
         "tuev": {}, "eeg_folder": {"n_seconds": 2}, "mobi": {"n_subjects": 1},
         "seed": {"n_sessions": 1, "n_trials": 1, "n_seconds": 2.0}, "seed_v": {"n_sessions": 1, "n_trials": 1},
         "mped": {"n_subjects": 1, "n_seconds": 2.0}, "faced": {"n_subjects": 1, "n_seconds": 1.0}}
FORMS = [*((name, None) for name in SMALL), ("faced", "bids"), ("faced", "features"), ("seed_v", "features"),
         ("seed", "features"), ("deap", "mat")]
WORDS = "that can be read, found: permission denied. Give yourself the right to read it, or take it away."


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Function that gives a folder with a small cohort of a dataset, and its files."""
    made = {}

    def folder_of(name, form):
        if (name, form) not in made:
            root = tmp_path_factory.mktemp(name)
            made[name, form] = root, datasets.simulate(name, root, form, **SMALL[name])
        return made[name, form]

    return folder_of


def told(root, name, form):
    """Messages of read and check, which must be DatasetErrors and faults."""
    options = {} if form in (None, "mat") else {"form": form}
    with pytest.raises(DatasetError) as caught:
        datasets.load(name, root, **options)
    report = datasets.check(root, name)
    assert "Errno" not in str(caught.value) + report.text()
    return str(caught.value), report.text(), report.ok


@pytest.mark.parametrize("name, form", FORMS)
def test_a_locked_file_is_a_fault_that_names_it(written, locked, name, form):
    root, _ = written(name, form)
    for path in Path(root).rglob("*"):
        if path.is_file() and path.name != "DESCRIPTION.txt":
            locked(path)
    message, report, _ = told(root, name, form)
    assert WORDS in message and WORDS in report
    shown = [".mat file 1 in sorted order"] if name == "mped" else [path.name for path in Path(root).rglob("*")]
    assert all(any(f"{path}: expected" in text for path in shown) for text in (message, report))
    assert name != "mped" or "sim01" not in message + report  # people's names are in the files' names


@pytest.mark.parametrize("which", ["root", "file's folder"])
@pytest.mark.parametrize("name, form", FORMS)
def test_a_locked_folder_is_a_fault_that_names_it(written, locked, name, form, which):
    root, paths = written(name, form)
    folder = {"root": Path(root), "file's folder": Path(paths[0]).parent}[which]
    locked(folder)
    message, report, ok = told(root, name, form)
    assert not ok and str(folder) in message and WORDS in message and WORDS in report


def test_a_locked_description_is_a_fault(written, locked):
    root, _ = written("deap", None)
    locked(root / "DESCRIPTION.txt")
    message, report, ok = told(root, "deap", None)
    assert not ok and message == f"{root / 'DESCRIPTION.txt'}: expected a file {WORDS}" and message in report


def test_what_names_no_path_is_told_by_the_argument(tmp_path):
    @in_words
    def reads(number, path):
        raise OSError(5, "Input/output error")

    with pytest.raises(DatasetError, match=f"{tmp_path}: expected a folder that can be read, found: input/output"):
        reads(1, tmp_path)

    @in_words
    def opens(path):
        return Path(path).open()

    with pytest.raises(DatasetError, match="none: expected a path .* no such file or directory. Get it again"):
        opens(tmp_path / "none")


def test_files_below_are_found_by_the_ends_of_their_names(tmp_path):
    for name in ("a.EDF", "b/c.edf", "b/.d.edf", "e.mff/f.edf", "g.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    plain, _ = files_below(tmp_path, ".edf")
    assert [os.path.relpath(path, tmp_path) for path in plain] == ["a.EDF", "b/c.edf", "e.mff/f.edf"]
    kinds, faults = files_below(tmp_path, (".edf", ".mff"), folders=".mff")
    assert [path.name for path in kinds] == ["a.EDF", "c.edf", "e.mff"] and not faults
