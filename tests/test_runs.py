"""One run: what it leaves behind when it finishes, and when it does not."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from matplotlib.figure import Figure

from eegemo_utils.notebooks import NotebookError, ParameterError
from eegemo_utils.runs import RunError, RunResult, engine, publish_figures, refresh, results_table, run_notebook
from eegemo_utils.runs import folders as folders_module

EEGEMO = (sys.executable, "-c", "import sys; from eegemo_utils.cli import main; sys.exit(main())")
PARAMETERS = ("epochs: int = 3  # how many\nthen: str = 'end'  # what to do", "parameters")
SETUP = """import os, signal, sys, time
from pathlib import Path
from eegemo_utils.notebooks import check_parameters, record
LIMITS = {"epochs": (1, 50), "then": ["end", "raise", "die", "sleep"]}
check_parameters(globals(), LIMITS)
out = Path(os.environ["EEGEMO_OUT"])"""
TRAIN = """(out / "checkpoints").mkdir(exist_ok=True)
done = out / "checkpoints" / "epochs"
first = int(done.read_text()) if done.exists() else 0
for epoch in range(first, epochs):
    done.write_text(str(epoch + 1))
print("trained from", first)"""
ACT = """if then == "raise":
    raise ValueError("no such luck")
if then == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if then == "sleep":
    (out / "checkpoints" / "asleep").touch()
    time.sleep(60)"""
RESULT = """(out / "figures").mkdir()
(out / "figures" / "curve.svg").write_text("<svg/>")
record(accuracy_by_trial=0.5, started_at=first)"""


@pytest.fixture
def tiny(notebook):
    """A notebook that trains with checkpoints and then does what the parameter `then` says."""
    training = ("## 1 Training", TRAIN, "### Then", ACT)
    return notebook("# Tiny", PARAMETERS, SETUP, *training, "## 2 Results", RESULT)


@pytest.fixture
def quiet():
    """A progress that keeps its lines."""
    lines = []

    def progress(*words, end="\n", flush=False):
        lines.append(" ".join(map(str, words)) + end)

    progress.lines = lines
    return progress


def names(folder: Path) -> set[str]:
    """Names in a folder, but for the lock, which stays in every folder of a run."""
    return {path.name for path in folder.iterdir()} - {folders_module.LOCK}


def test_a_finished_run(tiny, tmp_path, quiet):
    out = tmp_path / "out {x}"
    result = run_notebook(tiny, {"epochs": "4"}, out=out, progress=quiet)
    assert (result.name, result.status, result.path) == ("tiny", "finished", out / "tiny.ipynb")
    assert result.metrics == {"accuracy_by_trial": 0.5, "started_at": 0}
    assert result.seconds > 0 and result.peak_memory_mb > 10
    assert names(out) == {"tiny.ipynb", "metrics.json", "figures", "run.json"}
    summary = json.loads((out / "metrics.json").read_text())
    assert summary["parameters"] == {"epochs": 4, "then": "end"}
    assert summary["metrics"] == result.metrics
    shown = "".join(quiet.lines).splitlines()
    assert [line.split(" ...")[0].strip() for line in shown[:-1]] == ["Tiny", "1 Training", "2 Results"]
    assert all(line.endswith(" s") for line in shown[:-1])
    assert "finished in" in shown[-1] and "MB" in shown[-1]


def test_parameters_are_checked_before_anything_is_written(tiny, tmp_path):
    for wrong in ({"epoch": 1}, {"epochs": 0}, {"then": "stop"}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            run_notebook(tiny, wrong, out=tmp_path / "out")
    with pytest.raises(ParameterError, match="no parameter 'device'"):
        run_notebook(tiny, device="cuda", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_raising_cell(tiny, tmp_path, quiet):
    out = tmp_path / "out"
    with pytest.raises(RunError) as caught:
        run_notebook(tiny, {"then": "raise"}, out=out, progress=quiet)
    message = str(caught.value)
    # the number that a reader sees in the failed notebook: papermill's cell of injected parameters counts
    number = next(cell.execution_count for cell in nbformat.read(out / "tiny.failed.ipynb", 4).cells
                  if cell.get("outputs") and cell.outputs[-1].output_type == "error")
    assert f"tiny.ipynb, In [{number}], section '1 Training': the cell raised ValueError: no such luck" in message
    assert "\n" not in message and caught.value.status == "failed"
    assert names(out) == {"tiny.failed.ipynb", "checkpoints", "run.json"}
    assert "no such luck" in (out / "tiny.failed.ipynb").read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import numpy\nnumpy.ones(2**50)", "Unable to allocate .*float64. Memory has run out. Lower"),
        ("class OutOfMemoryError(RuntimeError): pass\nraise OutOfMemoryError('CUDA out of memory. Tried\\nto')",
         "OutOfMemoryError: CUDA out of memory. Tried to. The GPU's memory has run out. Lower"),
    ],
)
def test_memory_that_has_run_out_says_what_to_lower(notebook, tmp_path, quiet, line, said):
    parameters = "epochs: int = 3\nfine_batch_size: int = 64\nmodels_at_once: int = 8\nprecision: str = 'auto'"
    limits = 'LIMITS = {"epochs": (1, 5), "fine_batch_size": (1, 64), "models_at_once": (1, 8), "precision": str}'
    path = notebook((parameters, "parameters"), limits, line)
    lower = r" models_at_once \(now 2\) or fine_batch_size \(now 64\) or, on CUDA, give precision bf16; close other"
    with pytest.raises(RunError, match=said + lower) as caught:
        run_notebook(path, {"models_at_once": 2}, out=tmp_path / "out", progress=quiet)
    assert caught.value.status == "failed" and "\n" not in str(caught.value)


def test_a_folder_that_may_not_be_written_is_told_before_a_kernel_starts(tiny, tmp_path, quiet, monkeypatch):
    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "out"))

    monkeypatch.setattr(folders_module.FileLock, "acquire", refuse)
    with pytest.raises(ParameterError, match=r"out: no file can be written there \(Permission denied\). Give another"):
        run_notebook(tiny, out=tmp_path / "out", progress=quiet)
    assert quiet.lines == []


def test_plain_papermill_with_an_unknown_parameter_ends_in_the_check(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("EEGEMO_OUT", str(tmp_path))
    with pytest.raises(papermill.PapermillExecutionError, match="no parameter 'epoch'. Did you mean 'epochs'"):
        papermill.execute_notebook(tiny, tmp_path / "a.ipynb", {"epoch": 3, "then": "end"}, progress_bar=False)
    papermill.execute_notebook(tiny, tmp_path / "b.ipynb", {"epochs": 2, "then": "end"}, progress_bar=False)


def test_a_dead_kernel_and_going_on_from_its_checkpoints(tiny, tmp_path, quiet):
    out = tmp_path / "out"
    with pytest.raises(RunError, match="section '1 Training': the kernel died after .* memory") as caught:
        run_notebook(tiny, {"then": "die"}, out=out, progress=quiet)
    assert caught.value.status == "killed" and "goes on from" in str(caught.value)
    assert names(out) == {"tiny.failed.ipynb", "checkpoints", "run.json"}

    again = tiny.read_text().replace("os.kill(", "print(")  # the same run on a machine with more memory
    marker = json.loads((out / "run.json").read_text())
    tiny.write_text(again)
    marker["code"] = folders_module.identity(tiny, {})["code"]
    (out / "run.json").write_text(json.dumps(marker))
    result = run_notebook(tiny, {"then": "die"}, out=out, progress=quiet)
    assert result.metrics["started_at"] == 3
    assert names(out) == {"tiny.ipynb", "metrics.json", "figures", "run.json"}


def test_checkpoints_of_another_run_are_not_used(tiny, tmp_path, quiet):
    out = tmp_path / "out"
    with pytest.raises(RunError):
        run_notebook(tiny, {"then": "raise"}, out=out, progress=quiet)
    assert run_notebook(tiny, {"epochs": 5}, out=out, progress=quiet).metrics["started_at"] == 0


def test_a_time_limit_is_for_the_whole_run(tiny, tmp_path, quiet):
    started = time.monotonic()
    with pytest.raises(RunError, match="the time limit of 3 s for the whole run") as caught:
        run_notebook(tiny, {"then": "sleep"}, out=tmp_path / "out", time_limit=3, progress=quiet)
    assert caught.value.status == "time limit" and time.monotonic() - started < 40
    assert "tiny.ipynb" not in names(tmp_path / "out")


def test_the_time_limit_holds_for_the_start_of_the_kernel_too(tiny, tmp_path, quiet, monkeypatch):
    silent = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr("jupyter_client.manager.KernelManager.format_kernel_cmd", lambda *_, **__: silent)
    with pytest.raises(RunError, match="before its first cell: the time limit of 1 s") as caught:
        run_notebook(tiny, out=tmp_path / "out", time_limit=1, progress=quiet)
    assert caught.value.status == "time limit" and names(tmp_path / "out") == {"run.json"}


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_kernel(tiny, tmp_path, signal_number):
    out = tmp_path / "out"
    words = ["run", tiny, "-p", "then", "sleep", "--out", out]
    run = subprocess.Popen([*EEGEMO, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out / "checkpoints" / "asleep").exists():
        assert run.poll() is None
        time.sleep(0.1)
    kernels = psutil.Process(run.pid).children()
    run.send_signal(signal_number)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert stderr.startswith("eegemo: tiny.ipynb, In [5], section '1 Training': interrupted")
    assert "Traceback" not in stderr and "interrupted" in stdout.splitlines()[-1]
    assert names(out) == {"tiny.failed.ipynb", "checkpoints", "run.json"}
    assert kernels and psutil.wait_procs(kernels, timeout=10)[1] == []


@pytest.mark.parametrize("place", ["partial", "metrics", "final"])
def test_a_full_disk(tiny, tmp_path, quiet, monkeypatch, place):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    replace = os.replace
    if place == "partial":
        monkeypatch.setattr("papermill.engines.write_ipynb", full)
    else:
        name = "metrics.json" if place == "metrics" else "tiny.ipynb"
        monkeypatch.setattr(
            folders_module.os, "replace", lambda a, b: full() if Path(b).name == name else replace(a, b)
        )
    with pytest.raises(RunError, match="No space left on device. Make room on that disk") as caught:
        run_notebook(tiny, out=tmp_path / "out", progress=quiet)
    assert caught.value.status == "disk"
    unwanted = {"tiny.ipynb", "tiny.partial.ipynb", "metrics.json", ".metrics.json.partial"}
    assert not names(tmp_path / "out") & unwanted


def test_an_older_finished_run_is_neither_lost_nor_mistaken(tiny, tmp_path, quiet):
    out = tmp_path / "out"
    run_notebook(tiny, {"epochs": 7}, out=out, progress=quiet)
    for _ in range(2):  # the second failure must not push the finished run out
        with pytest.raises(RunError, match="last finished run is in .*previous"):
            run_notebook(tiny, {"then": "raise"}, out=out, progress=quiet)
        assert names(out) == {"tiny.failed.ipynb", "checkpoints", "run.json", "previous"}
        assert json.loads((out / "previous" / "metrics.json").read_text())["parameters"]["epochs"] == 7
        assert names(out / "previous") == {"tiny.ipynb", "metrics.json", "figures"}


def test_a_folder_of_other_things_is_refused(tiny, notebook, tmp_path, quiet):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(ParameterError, match="holds other things than a run"):
        run_notebook(tiny, out=tmp_path / "mine", progress=quiet)
    run_notebook(tiny, out=tmp_path / "out", progress=quiet)
    other = notebook(("n: int = 1", "parameters"), 'LIMITS = {"n": (1, 2)}', name="other")
    with pytest.raises(ParameterError, match="holds a run of tiny"):
        run_notebook(other, out=tmp_path / "out", progress=quiet)


def test_a_figure_that_looks_the_same_is_not_replaced_and_one_that_moved_is(tmp_path):
    def draw(folder, height, shade="0.5"):
        figure = Figure((2, 2), layout="constrained")
        axes = figure.subplots()
        axes.bar([0, 1], [1, height])
        axes.axhline(1.5, color=shade, linewidth=0.4)
        axes.set_ylim(0, 3)
        folder.mkdir(exist_ok=True)
        figure.savefig(folder / "bars.png", dpi=100)

    here, target = tmp_path / "run", tmp_path / "figures"
    draw(here, 2)
    publish_figures(here, target)
    first = (target / "bars.png").read_bytes()
    draw(here, 2 + 1e-9, shade="0.51")
    assert (here / "bars.png").read_bytes() != first
    publish_figures(here, target)
    assert (target / "bars.png").read_bytes() == first
    draw(here, 2.03)  # one pixel
    publish_figures(here, target)
    assert (target / "bars.png").read_bytes() == (here / "bars.png").read_bytes()
    (target / "bars.png").write_bytes(b"no picture")
    publish_figures(here, target)
    assert (target / "bars.png").read_bytes() == (here / "bars.png").read_bytes()


def test_refresh_twice_changes_nothing(notebook, tmp_path, quiet):
    cells = """import os, sys, time
print(1, flush=True); time.sleep(0.2); print(2)
print("a warning", file=sys.stderr)"""
    record = "from eegemo_utils.notebooks import record\nrecord(b=0.5, seconds=time.time(), a=1)"
    path = notebook(
        "# Tiny",
        cells,
        record,
        ("print(os.getpid())", "volatile"),
        "os.mkdir(os.environ['EEGEMO_OUT'] + '/figures')\n"
        "open(os.environ['EEGEMO_OUT'] + '/figures/a.svg', 'w').close()",
        folder=tmp_path / "project" / "notebooks",
    )
    refresh([path], progress=quiet)
    first = path.read_bytes()
    refresh([path], progress=quiet)
    assert path.read_bytes() == first and first.endswith(b"}\n")
    assert names(path.parent) == {"tiny.ipynb"}
    assert names(tmp_path / "project" / "figures" / "tiny") == {"a.svg"}
    cells = json.loads(first)["cells"]
    assert [cell["execution_count"] for cell in cells[1:]] == [1, 2, 3, 4]
    assert [output["text"] for output in cells[1]["outputs"]] == [["1\n", "2\n"]]
    assert cells[2]["outputs"][0]["data"]["text/plain"] == ["metrics: b, seconds, a"]
    assert cells[2]["outputs"][0]["data"]["application/vnd.eegemo.metrics+json"]["seconds"] is None
    assert cells[3]["outputs"] == []


def test_refresh_leaves_a_failing_notebook_as_it_was(notebook, tmp_path, quiet):
    path = notebook("1 / 0", folder=tmp_path / "project" / "notebooks")
    before = path.read_bytes()
    with pytest.raises(RunError, match="ZeroDivisionError"):
        refresh([path], progress=quiet)
    assert path.read_bytes() == before and names(path.parent) == {"tiny.ipynb"}


def test_the_table_of_results():
    done = RunResult("gru", "finished", None, {"accuracy_published": 0.97, "chance": 1 / 3}, 61.2, 900,
                     {"dataset": "muse"})
    odd = RunResult("gmss", "finished", metrics={"chance": "unknown"})
    assert results_table([odd]).endswith("unknown"), "a notebook records what it likes"
    header, first, second = results_table([done, RunResult("tnas", "killed")]).splitlines()
    assert header.split()[:6] == ["notebook", "dataset", "protocol", "status", "time", "memory"]
    assert first.split() == ["gru", "muse", "–", "finished", "61", "s", "900", "MB", "0.970", "–", "–", "0.333"]
    assert second.split()[:6] == ["tnas", "–", "–", "killed", "–", "–"]


def test_two_runs_do_not_share_a_folder(tiny, tmp_path, quiet):
    out = tmp_path / "out"
    other = folders_module.RunFolder(out, tiny, {"epochs": 1})
    other.begin()
    before = (out / "run.json").read_bytes()
    with pytest.raises(ParameterError, match="Another run is at work"):
        run_notebook(tiny, {}, out=out, progress=quiet)
    assert (out / "run.json").read_bytes() == before and not (out / "tiny.ipynb").exists()
    other.release()
    assert run_notebook(tiny, {}, out=out, progress=quiet).status == "finished"
    assert run_notebook(tiny, {}, out=out, progress=quiet).status == "finished", "the lock was let go of"


def test_out_names_a_file(tiny, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ParameterError, match="out is a file"):
        run_notebook(tiny, {}, out=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize(("then", "lines"), [("end", 0), ("die", 1)])
def test_a_kernel_says_nothing_on_the_terminal(tiny, tmp_path, then, lines):
    words = ["run", tiny, "-p", "then", then, "--out", tmp_path / "out"]
    run = subprocess.run([*EEGEMO, *words], capture_output=True, text=True, timeout=60)
    assert run.returncode == (138 if lines else 0)
    assert run.stderr.count("\n") == lines, run.stderr


def test_kernel_waits_without_spinning(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert engine.kernel_environment(tmp_path)["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert engine.kernel_environment(tmp_path)["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize(("folder", "message"), [("_notebooks", "part of an installed package"),
                                                 ("locked", "its folder cannot be written")])
def test_refresh_renews_only_what_it_may_write(notebook, tmp_path, quiet, monkeypatch, folder, message):
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "locked")
    with pytest.raises(NotebookError, match=message):
        refresh([notebook("1", folder=tmp_path / folder)], progress=quiet)


def test_a_kernel_of_another_python_is_named(notebook, tmp_path, quiet):
    with pytest.raises(RunError, match="No module named 'nowhere'. If it is installed, the kernel is that of another"):
        run_notebook(notebook(PARAMETERS, SETUP, "import nowhere"), out=tmp_path / "out", progress=quiet)
