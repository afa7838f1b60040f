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
    "own": {"n_subjects": 2}, "eeg_folder": {"n_subjects": 1},
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
    with pytest.raises(DatasetError, match="simulate of deap takes n_subjects.*, not n_people"):
        datasets.simulate("deap", tmp_path, n_people=3)
    with pytest.raises(DatasetError, match="read of deap takes subjects, target, not form"):
        datasets.load("deap", tmp_path, form="mat")
    with pytest.raises(DatasetError, match="simulate deap: n_subjects: expected a whole number, .*32 at most"):
        datasets.simulate("deap", tmp_path / "new", n_subjects=0)
    with pytest.raises(DatasetError, match="no folder given"):
        datasets.simulate("deap", "")
    with pytest.raises(DatasetError, match="one form only"):
        datasets.simulate("muse", tmp_path, form="features")
    with pytest.raises(DatasetError, match="cannot be downloaded.*Queen Mary.*eegmat"):
        datasets.fetch("deap", tmp_path)
    assert not list(tmp_path.iterdir())


def test_real_files_are_not_called_simulated(tmp_path):
    (tmp_path / "Subject00_1.edf").write_bytes(b"a recording")
    with pytest.raises(DatasetError, match="holds other files .Subject00_1.edf"):
        datasets.simulate("deap", tmp_path, **SMALL["deap"])
    own = tmp_path / "notes"
    own.mkdir()
    (own / "DESCRIPTION.txt").write_text("my notes about a real study")
    with pytest.raises(DatasetError, match="holds other files .DESCRIPTION.txt"):
        datasets.simulate("muse", own)
    assert (own / "DESCRIPTION.txt").read_text() == "my notes about a real study"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Subject00_1.edf", "notes"]
    with pytest.raises(DatasetError, match="is a file"):
        datasets.simulate("deap", tmp_path / "Subject00_1.edf", **SMALL["deap"])


@pytest.mark.parametrize("name, part", [("eegmat", "Subject00_1.edf"), ("tuab", "edf"), ("muse", None)])
def test_a_part_of_simulated_recordings_is_simulated(tmp_path, name, part):
    files = datasets.simulate(name, tmp_path / "all" / "in", **SMALL[name])
    whole = tmp_path / "all" / "in"
    if name == "eegmat":
        assert datasets.load("eeg_folder", whole / part).description.startswith("simulated")
    elif part:
        assert datasets.load(name, whole / part).description.startswith("simulated")
    else:
        assert datasets.load(name, tmp_path / "all").description.startswith("simulated")
        assert datasets.load(name, files[0]).description.startswith("simulated")


def snapshot(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_simulation_is_kept_where_it_lies_and_never_replaced_by_another(tmp_path, name):
    folder = tmp_path / "made"
    files = datasets.simulate(name, folder, **SMALL[name])
    before = snapshot(folder)
    assert datasets.simulate(name, folder, **SMALL[name]) == files
    with pytest.raises(DatasetError, match=f"made: holds another simulation .*{name}, n_subjects .*Give a new folder"):
        datasets.simulate(name, folder, **SMALL[name] | {"n_subjects": SMALL[name]["n_subjects"] + 1})
    with pytest.raises(DatasetError, match="holds another simulation"):
        datasets.simulate(name, folder, **SMALL[name], random_state=1)
    assert snapshot(folder) == before and datasets.check(folder).ok


def test_both_forms_of_one_cohort_may_lie_in_one_folder(tmp_path):
    written = {form: datasets.simulate("seed", tmp_path, form, **SMALL["seed"]) for form in ("raw", "features")}
    before = snapshot(tmp_path)
    assert {form: datasets.simulate("seed", tmp_path, form, **SMALL["seed"]) for form in written} == written
    assert datasets.simulate("seed", tmp_path, **SMALL["seed"]) == written["raw"] and snapshot(tmp_path) == before
    with pytest.raises(DatasetError, match="holds another simulation"):
        datasets.simulate("seed", tmp_path, "features", **SMALL["seed"], random_state=1)


def test_what_lies_in_a_folder_is_known_or_refused(tmp_path):
    files = datasets.simulate("deap", tmp_path, **SMALL["deap"])
    whole = files[0].read_bytes()
    files[0].unlink()
    datasets.simulate("deap", tmp_path, **SMALL["deap"])
    assert files[0].read_bytes() == whole, "a file that is gone comes back"
    datasets.deap.write(datasets.deap.simulate(**SMALL["deap"], random_state=1), tmp_path)
    with pytest.raises(DatasetError, match="another simulation .simulated DEAP cohort., which"):
        datasets.simulate("deap", tmp_path, **SMALL["deap"])
    assert datasets.simulate("deap", tmp_path / "inside", **SMALL["deap"]), "a new folder is a new folder anywhere"


def test_an_interrupted_simulation_is_not_taken_for_whole(tmp_path, monkeypatch):
    write = datasets.deap.write

    def cut(trials, root):
        write(trials, root)
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.deap, "write", cut)
    with pytest.raises(KeyboardInterrupt):
        datasets.simulate("deap", tmp_path / "deap", **SMALL["deap"])
    assert not datasets.check(tmp_path / "deap").ok
    with pytest.raises(DatasetError, match="Run the same command again"):
        datasets.load("deap", tmp_path / "deap")
    monkeypatch.setattr(datasets.deap, "write", write)
    datasets.simulate("deap", tmp_path / "deap", **SMALL["deap"])
    assert datasets.check(tmp_path / "deap").ok and len(datasets.load("deap", tmp_path / "deap"))


def test_what_was_written_in_part_is_never_taken_for_whole(tmp_path, monkeypatch):
    write, folder = datasets.deap.write, tmp_path / "deap"

    def fails(trials, root):
        write(trials, root)
        raise DatasetError("s02 cannot be written")

    monkeypatch.setattr(datasets.deap, "write", fails)
    with pytest.raises(DatasetError, match="s02 cannot be written"):
        datasets.simulate("deap", folder, **SMALL["deap"])
    assert (folder / "s01.dat").is_file() and not datasets.check(folder).ok
    monkeypatch.setattr(datasets.deap, "write", write)
    with pytest.raises(DatasetError, match="holds other files"):
        datasets.simulate("eegmat", folder, **SMALL["eegmat"])
    assert not datasets.check(folder).ok, "a refusal does not make it whole"
    datasets.simulate("deap", folder, **SMALL["deap"])
    assert datasets.check(folder).ok


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
    assert cli.main(["data", "simulate", "deap", str(tmp_path / "x"), "--form", "wav"]) == 1
    assert "deap" in capsys.readouterr().err.lower()
    assert cli.main(["data", "fetch", "seed", folder]) == 1
    assert cli.main(["data", "check", "eegmat", folder, "more"]) == 2
    few = ["-p", "n_trials", "2", "-p", "effect=0", "-p", "n_seconds", "4.5"]
    assert cli.main(["data", "simulate", "deap", str(tmp_path / "none"), "--subjects", "1", *few]) == 0
    assert datasets.load("deap", tmp_path / "none").signals[1].shape == (32, 960)
    assert cli.main(["data", "simulate", "deap", str(tmp_path / "x"), "--picture", "x.jpeg"]) == 2
    assert cli.main(["data", "simulate", "deap", str(tmp_path / "x"), "--subjects", "0"]) == 1
    assert not (tmp_path / "x").exists()
