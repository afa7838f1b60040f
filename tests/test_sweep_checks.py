"""What a sweep looks at before its first run, and that its dry run says the same."""

import os
import tempfile

import pytest
import yaml
from filelock import FileLock

from eegemo_utils import cli, runs
from eegemo_utils.runs import RunResult
from eegemo_utils.runs.folders import RunFolder, identity
from eegemo_utils.sweep import checks, state, work
from eegemo_utils.sweep.files import Run
from tests import made_runs

PARAMETERS = ("""seed: int = 0  # of everything
epochs: int = 4  # passes
dataset: str = "simulated"  # what
data_root: str = ""  # where""", "parameters")
LIMITS = """LIMITS = {"seed": (0, 9), "epochs": (1, 9), "data_root": str,
          "dataset": ["simulated", "deap", "eegmat", "depa"]}"""


@pytest.fixture
def sweep(notebook, tmp_path, monkeypatch, capsys):
    """Function that calls `eegemo sweep` in this process, where no run starts, and returns code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EEGEMO_DATA", raising=False)
    notebook(PARAMETERS, LIMITS)

    def call(*words, **keys):
        (tmp_path / "sweep.yaml").write_text(yaml.safe_dump({"notebook": "tiny.ipynb"} | keys, sort_keys=False))
        monkeypatch.setattr("eegemo_utils.cli_sweep.engine_of", None)
        code = cli.main(["sweep", "sweep.yaml", *map(str, words)])
        return code, *capsys.readouterr()

    return call


def test_a_folder_that_cannot_take_results(sweep, tmp_path):
    (tmp_path / "file").write_text("")
    folder = RunFolder(tmp_path / "run", tmp_path / "tiny.ipynb", {})
    folder.begin()
    folder.release()
    before = sorted(tmp_path.rglob("*"))
    for out, said in (("file", "file is a file. Give a folder"), ("file/x", "it would lie in a file"),
                      ("/proc/x", "no file can be written in /proc"), ("run", "run is a run. Give a folder")):
        dry, run = sweep("--dry-run", "--out", out), sweep("--out", out)
        assert dry == run and dry[0] == 2 and said in dry[2] and dry[2].count("\n") == 1, dry
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "sweep.yaml"] == before


def test_a_folder_without_the_right_to_write(tmp_path, monkeypatch):
    def refuse(**_where):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(checks.ParameterError, match="no file can be written in .* [(]Permission denied[)]"):
        checks.check_folder(tmp_path / "out")


def test_another_sweep_at_work(sweep, tmp_path):
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / checks.LOCK):
        for words in (("--dry-run",), ()):
            code, stdout, stderr = sweep("--out", "out", *words)
            assert code == 2 and "Another sweep is at work in out" in stderr
            assert ("tiny" in stdout) == bool(words), "what is done is shown all the same"


def test_recordings_that_are_not_there(sweep, tmp_path):
    wrong = {"dataset": "deap", "data_root": "nowhere"}
    for words in (("--dry-run",), ()):
        code, stdout, stderr = sweep(*words, parameters=wrong)
        assert ("failed: dataset deap: nowhere" in stdout) == bool(words), "the table is shown all the same"
        assert code == 2 and "tiny, because: dataset deap: nowhere: no such file or folder" in stderr, stderr
        code, _, stderr = sweep(*words, parameters={"dataset": "depa", "data_root": "."})
        assert code == 2 and "no dataset 'depa'. Did you mean 'deap'?" in stderr
    code, stdout, stderr = sweep("--dry-run", grid={"seed": [0]}, include=[{"seed": 1, **wrong}])
    assert code == 1 and "failed: tiny-seed=1" in stderr and "nowhere: no such file" in stderr
    assert "2 runs: 0 done, 1 failed, 1 left" in stdout
    (tmp_path / "nowhere").mkdir()
    assert sweep("--dry-run", parameters=wrong)[0] == 0
    assert not (tmp_path / "runs").exists(), "a dry run writes nothing"


def test_gpus_that_are_not_there(sweep, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    code, _, stderr = sweep("--dry-run", "--gpus-per-run", 1)
    assert code == 2 and "there are 0 GPUs here" in stderr
    with pytest.raises(SystemExit) as caught:
        sweep("--gpus-per-run", 0)
    assert caught.value.code == 2


def test_a_cluster_file_is_read_by_a_dry_run_too(sweep, tmp_path):
    made_runs.write(tmp_path / "cluster.yaml", "cpus: 1\nmemory: 1GB\nwalltime: 14400\npartition: x\n")
    code, _, stderr = sweep("--dry-run", "--slurm", "cluster.yaml")
    assert code == 2 and "write the walltime in quotes" in stderr
    made_runs.write(tmp_path / "cluster.yaml", "cpus: 1\nmemory: 1GB\nwalltime: '00:10:00'\npartition: x\n")
    code, _, stderr = sweep("--dry-run", "--slurm", "cluster.yaml")
    assert code == 2 and "unexpected keyword argument 'partition'" in stderr


def test_one_run_is_one_run_and_notes_are_told(sweep):
    code, stdout, stderr = sweep("--dry-run", grid={"seed": [1, 1]})
    assert code == 0 and "\n1 run: 0 done, 0 failed, 1 left" in stdout and "left: new" in stdout
    assert stderr.startswith("eegemo: note: The sweep file sweep.yaml, line 3: 'seed' names 1 again")


def test_what_changed_is_named(sweep, tmp_path):
    source, out = tmp_path / "tiny.ipynb", tmp_path / "runs" / "sweep"
    sweep("--dry-run")
    values = {"seed": 0, "epochs": 3, "dataset": "simulated", "data_root": "", "gone": True}
    for seed in (0, 1):
        folder = made_runs.finished(out / f"tiny-seed={seed}", "tiny", **values | {"seed": seed})
        made_runs.write(folder / "run.json", identity(source, values))
    _, stdout, _ = sweep("--dry-run", grid={"seed": [0, 1]})
    said = "changed epochs 3 -> 4, protocol 'by_trial' -> none, gone True -> none, the package's code"
    assert [line.partition(": ")[2] for line in stdout.splitlines()[1:3]] == [said] * 2
    runs = [Run(f"tiny-seed={seed}", source, {"seed": seed}) for seed in (0, 1)]
    assert state.what_changed(runs, state.look_at_all(runs, out)) == [f"again: tiny-seed=0 and 1 more: {said}"]
    cell = source.read_text().replace('LIMITS = {', 'LIMITS  = {')
    source.write_text(cell)
    _, stdout, _ = sweep("--dry-run", grid={"seed": [0]})
    assert "the notebook's code, the package's code" in stdout


def test_a_run_that_another_worker_finished_is_not_repeated(notebook, tmp_path, monkeypatch):
    source, folder = notebook(PARAMETERS, LIMITS), tmp_path / "out" / "tiny-seed=1"
    values = {"seed": 1, "epochs": 4, "dataset": "simulated", "data_root": ""}
    made_runs.finished(folder, "tiny")
    made_runs.write(folder / "run.json", identity(source, values))
    result = {"notebook": "tiny", "parameters": values, "fingerprint": work.package_fingerprint(), "seconds": 7.5}
    made_runs.write(folder / "metrics.json", result)
    started = []
    monkeypatch.setattr(runs, "run_notebook", lambda *_, **__: started.append(1) or RunResult("tiny", "finished"))
    task = {"source": str(source), "parameters": {"seed": 1}, "folder": str(folder), "time_limit": None}
    assert work.attempt(task).seconds == 7.5 and not started
    for changed in ({"seed": 2}, {"seed": 1, "epochs": 5}):
        assert work.attempt(task | {"parameters": changed}).status == "done" and started.pop()


def test_what_cannot_run_is_told_before_the_others_start(sweep, capsys):
    with pytest.raises(TypeError):  # no engine here: the first thing after the list
        sweep(grid={"seed": [1, 10], "epochs": [1, 2]})
    said = ("cannot run: tiny-seed=10-epochs=1 and 1 more: Parameter 'seed' is 10, but it takes a whole number from 0 "
            "to 9")
    assert capsys.readouterr().out.splitlines()[0].startswith(said)


def test_a_parameter_of_the_command_line_that_the_sweep_varies(sweep):
    code, _, stderr = sweep("--dry-run", "-p", "seed", 3, grid={"seed": [1, 2]})
    assert code == 2 and "-p seed: the sweep file sweep.yaml varies it. Leave -p seed out, or set it there" in stderr


@pytest.mark.parametrize(("option", "value", "said"), [
    ("--workers", "0", "takes a whole number above 0, not 0"), ("--workers", "two", "above 0, not two"),
    ("--time-limit", "0", "takes seconds above 0, not 0"), ("--time-limit", "1h", "takes seconds above 0, not 1h")])
def test_numbers_of_the_command_line_say_what_they_take(sweep, capsys, option, value, said):
    with pytest.raises(SystemExit):
        sweep("--dry-run", option, value)
    assert said in capsys.readouterr().err
