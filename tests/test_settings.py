"""Which file a name on a command line means: of the working folder, beside a sweep, or of the project."""

from pathlib import Path

import pytest

from eegemo_utils.notebooks import ParameterError, notebook_path
from eegemo_utils.settings import find_file, read_settings

OWN = notebook_path("gru").parent


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["muse", "muse.yaml", "gru/muse", "settings/gru/muse.yaml",
                                  "notebooks/settings/gru/muse.yaml"])
def test_the_projects_own_settings_have_short_names(name):
    assert find_file(name, "settings file") == OWN / "settings" / "gru" / "muse.yaml"


@pytest.mark.parametrize(("name", "what"), [("simulated", "sweep file"), ("sweeps/simulated.yaml", "sweep file"),
                                            ("notebooks/sweeps/cluster.yaml", "cluster file")])
def test_the_projects_own_sweeps_too(name, what):
    assert find_file(name, what) == OWN / "sweeps" / f"{Path(name).stem}.yaml"


def test_a_name_of_several_notebooks_means_the_one_that_runs():
    with pytest.raises(ParameterError, match="eegmat may mean several .*: gmss/eegmat, .*tnas/eegmat. Name one"):
        find_file("eegmat", "settings file", notebooks=["gmss", "tnas"])
    assert find_file("eegmat", "settings file", notebooks=["tnas"]) == OWN / "settings" / "tnas" / "eegmat.yaml"


def test_a_file_of_the_working_folder_comes_first_then_one_beside_the_sweep(tmp_path):
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "muse.yaml").write_text("epochs: 4")
    assert find_file("muse", "settings file", beside=[beside]) == beside / "muse.yaml"
    Path("muse.yaml").write_text("epochs: 5")
    assert read_settings("muse") == read_settings("muse.yaml") == {"epochs": 5}
    assert find_file("muse", "settings file", beside=[beside]) == Path("muse.yaml")


@pytest.mark.parametrize("name", ["mouse", "mouse.yaml", "some/mouse.yaml"])
def test_what_is_not_there_is_said_with_the_places(tmp_path, name):
    with pytest.raises(ParameterError) as error:
        read_settings(name, ["gru"])
    said = str(error.value)
    assert f"There is no settings file {name}; looked for {tmp_path / name}" in said
    assert "Did you mean 'muse'? The project's own: article, muse." in said


def test_a_folder_is_no_settings_file(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ParameterError, match="mine cannot be read: Is a directory"):
        read_settings("mine")
