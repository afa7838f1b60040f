"""The command `eegemo`: what it takes, what it says, how it ends."""

import errno
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pandas as pd
import pytest

import eegemo_utils
from eegemo_utils import cli, exit_codes, runs
from eegemo_utils.runs import RunError, RunResult

CELLS = (
    ("epochs: int = 3  # how many\nrate: float = 0.1\ndevice: str = 'cpu'", "parameters"),
    'LIMITS = {"epochs": (1, 50), "rate": (0.0, 1), "device": ["auto", "cpu", "cuda"]}',
)


@pytest.fixture
def papers(notebook, tmp_path, monkeypatch):
    """Two notebooks, and a working folder of our own."""
    for name in ("gru", "tnas"):
        notebook(*CELLS, name=name, folder=tmp_path / "notebooks")
    monkeypatch.setenv("EEGEMO_NOTEBOOKS", str(tmp_path / "notebooks"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def calls(papers, monkeypatch):
    """What `run_notebook` is called with, in place of running; a paper in `statuses` does not finish."""
    made = types.SimpleNamespace(calls=[], statuses={})

    def run_notebook(path, parameters, *, out, time_limit):
        made.calls.append((path.stem, parameters, str(out), time_limit))
        if path.stem in made.statuses:
            raise RunError(f"{path.stem} did not finish", made.statuses[path.stem])
        return RunResult(path.stem, "finished", None, {"accuracy_published": 0.5}, 1.0, 10)

    monkeypatch.setattr(runs, "run_notebook", run_notebook)
    return made


def settings(papers, text):
    path = papers / "article.yaml"
    path.write_text(text)
    return str(path)


def test_parameters_of_the_command_line_win(papers, calls):
    file = settings(papers, "epochs: 4\nrate: 1e-3\ndevice: cpu\n")
    words = ["run", "gru", "-f", file, "-p", "epochs", "7", "--device", "auto", "--time-limit", "60"]
    assert cli.main(words) == 0
    assert calls.calls == [
        ("gru", {"epochs": "7", "rate": "1e-3", "device": "auto"}, "runs/gru-article", 60.0)
    ]


def test_several_settings_files_and_name_equals_value(papers, calls):
    (papers / "more.yaml").write_text("epochs: 9\n")
    words = ["run", "gru", "-f", settings(papers, "epochs: 4\nrate: 0.5\n"), "-f", "more.yaml", "-p", "rate=0.25"]
    assert cli.main(words) == 0
    assert calls.calls == [("gru", {"epochs": 9, "rate": "0.25"}, "runs/gru-article-more", None)]


def test_as_a_module_and_interrupted_while_it_loads(tmp_path):
    run = subprocess.run([sys.executable, "-m", "eegemo_utils", "run", "nothing"], capture_output=True, text=True)
    assert run.returncode == 2 and "There is no notebook 'nothing'" in run.stderr
    broken = ("import sys; sys.modules['eegemo_utils.cli'] = Stop; from eegemo_utils.__main__ import main; "
              "sys.exit(main())")
    stop = "class Stop:\n    def __getattr__(self, name):\n        raise KeyboardInterrupt\nStop = Stop()\n"
    run = subprocess.run([sys.executable, "-c", stop + broken], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (130, "eegemo: interrupted, nothing was started\n")


def test_where_results_go(calls):
    assert cli.main(["run", "gru"]) == cli.main(["run", "gru", "--out", "x"]) == 0
    assert cli.main(["run", "gru", "tnas", "--out", "x"]) == 0
    assert [call[2] for call in calls.calls] == ["runs/gru", "x", "x/gru", "x/tnas"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gro"], "There is no notebook 'gro'. Did you mean 'gru'?"),
        (["gru", "epochs=3"], "'epochs=3' is no notebook. To set a parameter write -p before it: -p epochs 3"),
        (["gru", "-p", "epoch", "3"], "There is no parameter 'epoch'. Did you mean 'epochs'?"),
        (["gru", "-p", "epochs", "many"], "'epochs' is 'many', but it takes a whole number from 1 to 50"),
        (["gru", "-p", "EPOCHS=3"], "There is no parameter 'EPOCHS'. Did you mean 'epochs'?"),
        (["notebooks/gro"], "There is no notebook 'notebooks/gro'. Did you mean 'gru'?"),
        (["gru", "--parameters", "-p", "epoch", "3"], "There is no parameter 'epoch'"),
        (["gru", "-f", "twice.yaml"], "'epochs' is set twice"),
        (["gru", "-f", "nothing.yaml"], "There is no settings file nothing.yaml; looked for "),
        (["gru", "--device", "tpu"], "'device' is 'tpu', but it takes one of 'auto', 'cpu', 'cuda'"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_runs(papers, calls, capsys, words, message):
    (papers / "twice.yaml").write_text("epochs: 4\nepochs: 8\n")
    assert cli.main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("eegemo: ") and error.count("\n") == 1
    assert calls.calls == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: [1, 2]", "'epochs' is [1, 2], but"),
        ("- epochs", "holds no parameters"),
        ("", "holds no parameters"),
        ("2: 3", "no parameter '2'"),
    ],
)
def test_a_settings_file_of_another_form(papers, calls, capsys, text, message):
    assert cli.main(["run", "gru", "-f", settings(papers, text)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert calls.calls == []


def test_a_settings_file_that_is_no_yaml_shows_where(papers, calls, capsys):
    assert cli.main(["run", "gru", "-f", settings(papers, "seed: 1\nepochs: 1: 2")]) == 2
    said, place, mark = capsys.readouterr().err.splitlines()
    assert said.endswith("is not YAML, line 2, column 10: mapping values are not allowed here")
    assert place.strip() == "epochs: 1: 2" and place.index(": 2") == mark.index("^") and calls.calls == []


@pytest.mark.parametrize(
    ("status", "code"),
    [("failed", 1), ("disk", 1), ("no kernel", 1), ("killed", 138), ("time limit", 124)],
)
def test_a_run_that_does_not_finish_lets_the_next_one_run(calls, capsys, status, code):
    calls.statuses["gru"] = status
    assert cli.main(["run", "gru", "tnas"]) == code
    captured = capsys.readouterr()
    assert "eegemo: gru did not finish" in captured.err
    table = captured.out.splitlines()[-3:]
    assert table[1].startswith("gru ") and status in table[1] and "finished" in table[2]


def test_the_table_tells_the_dataset_of_a_run_that_did_not_finish(papers, notebook, calls, capsys):
    cells = (("dataset: str = 'simulated'", "parameters"), 'LIMITS = {"dataset": ["simulated", "deap"]}')
    notebook(*cells, name="gmss", folder=papers / "notebooks")
    calls.statuses["gmss"] = "failed"
    assert cli.main(["run", "gmss", "-p", "dataset", "deap"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].split()[:4] == ["gmss", "deap", "–", "failed"]


def test_recordings_that_are_not_there_are_told_before_anything_runs(papers, notebook, calls, capsys):
    parameters = "dataset: str = 'simulated'\ndata_root: str = ''"
    notebook((parameters, "parameters"), 'LIMITS = {"dataset": ["simulated", "deap"], "data_root": str}',
             name="gmss", folder=papers / "notebooks")
    assert cli.main(["run", "gmss", "-p", "dataset", "deap", "-p", "data_root", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("eegemo: gmss: dataset deap: nowhere: no such file or folder")
    assert not calls.calls
    (papers / "nowhere").mkdir()
    assert cli.main(["run", "gmss", "-p", "dataset", "deap", "-p", "data_root", "nowhere"]) == 0


def test_a_folder_of_data_without_the_datasets_name(papers, notebook, calls, capsys):
    parameters = "dataset: str = 'simulated'\ndata_root: str = ''"
    notebook((parameters, "parameters"), 'LIMITS = {"dataset": ["simulated", "deap"], "data_root": str}',
             name="gmss", folder=papers / "notebooks")
    assert cli.main(["run", "gmss", "-p", "data_root", "."]) == 2
    said = capsys.readouterr().err
    assert "data_root '.' says where a dataset lies, but not which one" in said and "-p dataset NAME" in said
    assert cli.main(["run", "gmss", "-p", "data_root", ""]) == 0
    assert cli.main(["run", "gmss", "-p", "data_root", ".", "-p", "dataset", "simulated"]) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"device": "cuda"}, "device 'cuda' was asked for, but PyTorch .* sees no CUDA device"),
        ({"device": "cpu", "precision": "fp16"}, "precision 'fp16' needs CUDA, found cpu"),
        ({"precision": "fp16"}, "precision 'fp16' needs CUDA, found cpu"),
        ({"device": "cpu", "precision": "float64"}, ""),
        ({"precision": "bf16"}, ""),
    ],
)
def test_a_device_or_precision_that_is_not_to_be_had(papers, notebook, calls, capsys, monkeypatch, given, said):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    precisions = ["auto", "float64", "float32", "bf16", "fp16"]
    limits = f'LIMITS = {{"device": ["auto", "cpu", "cuda"], "precision": {precisions}}}'
    notebook(("device: str = 'auto'\nprecision: str = 'auto'", "parameters"), limits, name="gmss",
             folder=papers / "notebooks")
    words = [word for pair in given.items() for word in ("-p", *pair)]
    assert cli.main(["run", "gmss", *words]) == (2 if said else 0)
    error = capsys.readouterr().err
    assert re.match(f"eegemo: gmss: {said}", error) and error.count("\n") == 1 if said else error == ""
    assert len(calls.calls) == (not said)


def test_weights_that_are_not_there_are_told_before_anything_runs(papers, notebook, calls, capsys):
    notebook(("class_weights: bool = True\nown_weights: str = ''", "parameters"),
             'LIMITS = {"class_weights": bool, "own_weights": str}', name="gmss", folder=papers / "notebooks")
    assert cli.main(["run", "gmss", "-p", "own_weights", "net.pth"]) == 2
    assert capsys.readouterr().err.startswith("eegemo: gmss: own_weights: net.pth: no such file or folder")
    assert not calls.calls
    (papers / "net.pth").touch()
    assert cli.main(["run", "gmss", "-p", "own_weights", "net.pth"]) == cli.main(["run", "gmss"]) == 0


def test_an_interrupt_stops_them_all(calls):
    calls.statuses["gru"] = "interrupted"
    assert cli.main(["run", "gru", "tnas"]) == 130
    assert [call[0] for call in calls.calls] == ["gru"]


def test_parameters_are_listed(papers, capsys):
    assert cli.main(["run", "gru", "--parameters"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "epochs = 3",
        "    a whole number from 1 to 50; how many",
    ]


def test_help_names_the_notebooks(papers, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["run", "--help"])
    assert "gru, tnas" in capsys.readouterr().out


def test_help_and_readme_hold_the_one_table_of_exit_codes(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    told = capsys.readouterr().out
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for code, meaning in exit_codes.MEANINGS.items():
        assert f"{code}  {meaning}" in told
        assert f"| {code} | {meaning} |" in readme
    assert "pretrain LaBraM on a corpus" in told


def test_the_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"eegemo {eegemo_utils.__version__}\n"


def test_pretraining_is_a_command_too(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["pretrain", "tokenizer"])
    assert "usage: eegemo pretrain" in capsys.readouterr().err
    assert cli.main(["pretrain", "tokenizer", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "/proc/x"], "/proc/x: no file can be written in /proc (No such file or directory). Give another "
                               "folder with --out."),
        (["--figures", "/proc/x"], "/proc/x: no file can be written in /proc (No such file or directory). Give another "
                                   "folder with --figures."),
        (["--out", "article.yaml"], "article.yaml is a file. Give a folder, or a name for a new one."),
    ],
)
def test_folders_that_cannot_take_results_are_told_before_anything_runs(papers, calls, capsys, words, said):
    settings(papers, "")
    assert cli.main(["run", "gru", *words]) == 2
    assert capsys.readouterr().err == f"eegemo: {said}\n"
    assert calls.calls == []


def test_a_folder_that_may_not_be_written_is_named(papers, calls, monkeypatch, capsys):
    def refuse(*_words, **_how):
        raise PermissionError(errno.EACCES, "Permission denied", "pictures")

    monkeypatch.setattr(runs, "publish_figures", refuse)
    assert cli.main(["run", "gru", "--figures", "pictures"]) == 2
    assert capsys.readouterr().err == ("eegemo: pictures: cannot be read or written (Permission denied). Give another "
                                       "folder, or give yourself the right to it.\n")


def test_help_comes_without_notebooks(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("EEGEMO_NOTEBOOKS", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit, match="0"):
        cli.main(["run", "--help"])
    assert cli.main(["run", "gru"]) == 2
    assert "set EEGEMO_NOTEBOOKS" in capsys.readouterr().err


def test_a_real_run_with_pictures(papers, capsys):
    path = papers / "notebooks" / "gru.ipynb"
    made = json.loads(path.read_text())
    made["cells"][1]["source"] += (
        "\nimport os, pathlib\nfolder = pathlib.Path(os.environ['EEGEMO_OUT'], 'figures')\nfolder.mkdir()\n"
        "(folder / 'a.svg').write_text('<svg/>')"
    )
    path.write_text(json.dumps(made))
    assert cli.main(["run", "gru", "--figures", "pictures"]) == 0
    assert (papers / "pictures" / "gru" / "a.svg").read_text() == "<svg/>"
    assert (papers / "runs" / "gru" / "gru.ipynb").exists()


def test_a_reader_that_has_read_enough(tmp_path):
    command = f"{sys.executable} -m eegemo_utils data list | head -1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (run.stdout.count("\n"), run.stderr) == (1, "")


def test_data_list_names_each_dataset_with_its_facts(monkeypatch, capsys):
    from eegemo_utils import datasets

    facts = pd.DataFrame({"title": ["Muse recordings"], "sfreq": [256.0]}, index=["muse"])
    monkeypatch.setattr(datasets, "available", lambda: facts)
    assert cli.main(["data", "list"]) == 0
    assert capsys.readouterr().out == "muse\n    title: Muse recordings\n    sfreq: 256.0\n"


@pytest.mark.parametrize("ok", [True, False])
def test_data_check_says_what_was_found(monkeypatch, capsys, ok):
    from eegemo_utils import datasets

    report = types.SimpleNamespace(text=lambda: "8 recordings", ok=ok)
    monkeypatch.setattr(datasets, "check", lambda folder, name: report)
    assert cli.main(["data", "check", "folder"]) == (0 if ok else 1)
    assert "8 recordings" in capsys.readouterr().out


def test_data_check_of_a_bad_folder_is_one_line(monkeypatch, capsys):
    from eegemo_utils import datasets
    from eegemo_utils.trials import DatasetError

    def check(folder, name):
        raise DatasetError("folder: no csv file")

    monkeypatch.setattr(datasets, "check", check)
    assert cli.main(["data", "check", "folder"]) == 1
    assert capsys.readouterr().err == "eegemo: folder: no csv file\n"
