"""Datasets by name: recognised from their files, simulated, downloaded where their owner allows it."""

import pytest

from eegemo_utils import cli, datasets
from eegemo_utils.trials import DatasetError

SMALL = {
    "deap": {"n_subjects": 1, "n_trials": 3, "n_seconds": 5.0}, "dreamer": {"n_subjects": 1, "n_clips": 2},
    "seed": {"n_subjects": 1, "n_sessions": 1, "n_trials": 2}, "seed_iv": {"n_subjects": 1, "n_sessions": 1},
    "seed_v": {"n_subjects": 1},
    "mped": {"n_subjects": 1}, "faced": {"n_subjects": 1}, "eegmat": {"n_subjects": 1},
    "tuab": {"n_subjects": 4, "n_seconds": 10}, "tuev": {"n_subjects": 2}, "mobi": {"n_subjects": 1},
    "muse": {"n_subjects": 1}, "emotions": {"n_subjects": 1},
    "eeg_folder": {"n_subjects": 1},
}


def test_every_dataset_is_whole():
    table = datasets.available()
    assert set(table.index) == set(datasets.MODULES) == set(SMALL)
    assert table.notna().all().all() and not {"folders"} & set(table.columns)
    for name, module in datasets.MODULES.items():
        assert module.FACTS["name"] == name
        assert all(callable(getattr(module, part)) for part in ("read", "check", "write", "simulate")), name
        assert set(module.FACTS["papers"].split(", ")) <= {"gmss", "multitask_cnn", "tnas", "labram", "gru"}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_simulated_written_recognised_checked_and_loaded(tmp_path, monkeypatch, name):
    folder = tmp_path / "Daten für alle" / datasets.MODULES[name].FACTS["folders"][0].split("/")[0].removesuffix(".csv")
    files = datasets.simulate(name, folder, **SMALL[name])
    assert files and all(path.is_file() for path in files)
    report = datasets.check(folder)
    assert (report.name, report.ok) == (name, True), report.text()
    data = datasets.load(name, folder / "emotions.csv" if name == "emotions" else folder)
    assert len(data) and "simulated" in getattr(data, "description", "simulated")
    monkeypatch.setenv("EEGEMO_DATA", str(tmp_path / "Daten für alle"))
    if name != "emotions":
        assert datasets.load(name).fingerprint() == data.fingerprint(), "found by its usual folder"


def test_other_recordings_are_not_overwritten(tmp_path):
    (tmp_path / "s01.dat").write_bytes(b"a licensed file")
    with pytest.raises(DatasetError, match="holds other recordings"):
        datasets.simulate("deap", tmp_path, **SMALL["deap"])
    assert (tmp_path / "s01.dat").read_bytes() == b"a licensed file"


def test_unknown_words_are_named(tmp_path):
    with pytest.raises(DatasetError, match="no dataset is called 'dep'"):
        datasets.simulate("dep", tmp_path)
    with pytest.raises(DatasetError, match="n_people is none of them"):
        datasets.simulate("deap", tmp_path, n_people=3)
    with pytest.raises(DatasetError, match="one form only"):
        datasets.simulate("muse", tmp_path, form="features")
    with pytest.raises(DatasetError, match="cannot be downloaded.*Queen Mary.*eegmat"):
        datasets.fetch("deap", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_simulates_and_checks(tmp_path, capsys, monkeypatch):
    folder = str(tmp_path / "eegmat")
    assert cli.main(["data", "simulate", "eegmat", folder, "--subjects", "1"]) == 0
    assert "Subject00_1.edf" in capsys.readouterr().out
    assert cli.main(["data", "check", "eegmat", folder]) == 0
    first = capsys.readouterr().out
    picture = tmp_path / "planted.png"
    words = ["--subjects", "2", "--picture", str(picture)]
    assert cli.main(["data", "simulate", "deap", str(tmp_path / "deap"), *words]) == 0
    assert picture.stat().st_size > 10_000
    assert cli.main(["data", "simulate", "muse", str(tmp_path / "muse"), *words]) == 1
    assert "no picture" in capsys.readouterr().err
    monkeypatch.setenv("EEGEMO_DATA", str(tmp_path))
    assert cli.main(["data", "check", "eegmat"]) == 0
    assert capsys.readouterr().out == first and "simulated" in first
    assert cli.main(["data", "check", "deap", folder]) == 1, "not DEAP's files"
    assert cli.main(["data", "simulate", "deap", folder, "--form", "wav"]) == 1
    assert "deap" in capsys.readouterr().err.lower()
    assert cli.main(["data", "fetch", "seed", folder]) == 1
    assert cli.main(["data", "check", "eegmat", folder, "more"]) == 2
