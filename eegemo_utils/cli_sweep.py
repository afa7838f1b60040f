"""``eegemo sweep``: many runs from one file."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from . import exit_codes
from .notebooks import ParameterError
from .settings import PARAMETER_OPTION


def sweep(arguments: argparse.Namespace) -> int:
    """Run what a sweep file names and is not done yet; 1 when a run failed, 130 when it was interrupted."""
    from .sweep.checks import check_alone, check_any, check_folder, with_data
    from .sweep.files import read_sweep
    from .sweep.progress import plan_table, summary
    from .sweep.state import look_at_all

    runs = read_sweep(arguments.file, dict(arguments.parameter), note)
    if not (arguments.scheduler or arguments.slurm):  # whose machines may hold the recordings where this one does not
        runs = with_data(runs)
    out = Path(arguments.out or Path("runs", Path(arguments.file).stem))
    interrupted = False
    check_folder(out)
    if arguments.dry_run:
        outcomes = look_at_all(runs, out)
        print(plan_table(runs, outcomes), flush=True)
        check_any(runs)
        check_alone(out)
        check_engine(arguments, sum(outcome.to_run for outcome in outcomes.values()))
    else:
        check_any(runs)
        with alone(out):
            outcomes = look_at_all(runs, out)
            interrupted = execute(arguments, runs, outcomes, out)
    lines = summary(runs, outcomes)
    for line in lines[:-1]:
        print(f"eegemo: {line}" if line.startswith("failed") else line, file=sys.stderr)
    print(f"{lines[-1]}: {out}")
    if interrupted:
        return exit_codes.INTERRUPTED
    failed = any(outcome.status == "failed" for outcome in outcomes.values())
    return exit_codes.FAILED if failed else exit_codes.ALL_WELL


def execute(arguments: argparse.Namespace, runs: list, outcomes: dict, out: Path) -> bool:
    """Run what is left and return whether that was interrupted; with nothing left no worker is started."""
    from .sweep.files import n_runs
    from .sweep.state import what_cannot_run, what_changed, write_error, write_sweep

    left = sum(outcome.to_run for outcome in outcomes.values())
    for run in runs:
        if run.problem:
            write_error(out / run.name, outcomes[run.name])
    try:
        write_sweep(out, Path(arguments.file).stem, runs, outcomes)
    except OSError as error:
        raise ParameterError(f"{out / 'sweep.json'} cannot be written: {error}.") from error
    lines = [*what_cannot_run(runs), *what_changed(runs, outcomes)]
    print("\n".join([*lines, f"{n_runs(len(runs))}, {left} to run, in {out}"]), flush=True)
    if not left:
        return False
    from .cli import interrupt
    from .sweep.control import Sweep  # late: Dask takes a second

    signal.signal(signal.SIGTERM, interrupt)
    going = Sweep(Path(arguments.file).stem, runs, outcomes, out, time_limit=arguments.time_limit, say=say)
    try:
        with engine_of(arguments, left) as engine:
            print(f"{engine.where}; what runs where: {engine.client.dashboard_link}", flush=True)
            going.execute(engine)
    except KeyboardInterrupt:
        return True
    return False


def check_engine(arguments: argparse.Namespace, n_runs: int) -> None:
    """Raise ParameterError when there is nothing to run so many runs on as the command line asks."""
    if arguments.slurm:
        from .sweep.slurm import check

        check(arguments.slurm, arguments.gpus_per_run)
    elif n_runs:
        from .sweep import engines

        if arguments.scheduler:
            with engines.remote(arguments.scheduler, arguments.gpus_per_run):
                pass
        else:
            engines.plan(n_runs, arguments.workers, arguments.gpus_per_run)


def engine_of(arguments: argparse.Namespace, n_runs: int) -> AbstractContextManager:
    """Return the engine that a command line asks for."""
    if arguments.slurm:
        from .sweep.slurm import slurm

        return slurm(arguments.slurm, arguments.workers, arguments.gpus_per_run)
    from .sweep import engines

    if arguments.scheduler:
        return engines.remote(arguments.scheduler, arguments.gpus_per_run)
    return engines.local(n_runs, arguments.workers, arguments.gpus_per_run)


def note(line: str) -> None:
    """Print what is no mistake but may not be meant."""
    print(f"eegemo: note: {line}", file=sys.stderr, flush=True)


def say(line: str) -> None:
    """Print a line of progress at once, also into a file."""
    print(line, flush=True)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep a second sweep out of a folder."""
    from .sweep.checks import locked

    out.mkdir(parents=True, exist_ok=True)
    lock = locked(out)
    try:
        yield
    finally:
        lock.release()


def add_sweep(commands: argparse._SubParsersAction, seconds: Callable[[str], float]) -> None:
    """Describe ``eegemo sweep``; ``seconds`` reads a time limit."""
    about = "Run every combination that a sweep file names, each in a folder of its own; what is done is skipped."
    parser = commands.add_parser("sweep", help="run many notebooks, here or on a cluster", description=about)
    named = "a file, or the name of one of the project's, such as simulated"
    parser.add_argument("file", metavar="SWEEP.yaml", help=named)
    parser.add_argument("--out", metavar="FOLDER", help="for results; default runs/SWEEP")
    parser.add_argument("--dry-run", action="store_true", help="list the runs, and which are done, and run nothing")
    given = "set a parameter of all runs, also as NAME=VALUE; may be repeated"
    parser.add_argument("-p", **PARAMETER_OPTION, help=given)
    limit = "for each run as a whole"
    parser.add_argument("--time-limit", "--timeout", type=seconds, metavar="SECONDS", help=limit)
    many = "runs at once; by default as many as there are cores, memory and GPUs for (with --slurm: jobs)"
    parser.add_argument("--workers", type=whole, metavar="N", help=many)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster that runs already, tcp://host:8786")
    where.add_argument("--slurm", metavar="CLUSTER.yaml", help="submit jobs, as notebooks/sweeps/cluster.yaml shows")
    share = "GPUs for each run, or a part of one: 0.5; by default 1 where there are GPUs"
    parser.add_argument("--gpus-per-run", type=gpus, metavar="N", help=share)
    parser.set_defaults(command=sweep)


def whole(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number above 0, not {text}")
    return int(text)


def gpus(text: str) -> float:
    """Return a number of GPUs above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        hint = "for runs without a GPU give -p device cpu, or set CUDA_VISIBLE_DEVICES to nothing"
        raise argparse.ArgumentTypeError(f"takes 1, 2, ... or a part such as 0.5, not {text}; {hint}")
    return value
