"""The command ``eegemo``: run notebooks, one or many, renew the committed ones, look at data.

Exit codes: 0 all well; 1 a notebook raised, a disk was full, or data did not pass its check; 2 a mistake in
the command, found before anything ran; 124 the time limit; 130 interrupted; 138 the kernel died (worth
another try). With several notebooks the code is that of the first that did not finish.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from .cli_audit import add_audit
from .cli_corpus import add_corpus
from .cli_data import add_data
from .cli_report import add_report
from .cli_sweep import add_sweep
from .notebooks import (
    NotebookError,
    ParameterError,
    cast_parameters,
    default_parameters,
    describe,
    list_notebooks,
    load_constant,
    notebook_path,
    read_parameters,
)
from .settings import PARAMETER_OPTION, read_settings

EXIT_CODES = {"time limit": 124, "interrupted": 130, "killed": 138}


def given_parameters(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the parameters of a command line: -p wins over --device, both over files, later files over earlier."""
    settings = {}
    for file in arguments.settings:
        settings |= read_settings(file)
    device = {"device": arguments.device} if arguments.device else {}
    return settings | device | dict(arguments.parameter)


def output_folder(arguments: argparse.Namespace, name: str) -> Path:
    """Return where one notebook's results go; several notebooks share --out as its subfolders."""
    if arguments.out:
        return Path(arguments.out, name) if len(arguments.papers) > 1 else Path(arguments.out)
    return Path("runs", "-".join([name, *(Path(file).stem for file in arguments.settings)]))


def print_parameters(paper: str) -> None:
    """Print each parameter of a notebook: default, what it takes, comment."""
    limits = load_constant(paper, "LIMITS")
    for name, parameter in read_parameters(paper).items():
        takes = describe(limits[name]) if name in limits else "?"
        print(f"{name} = {parameter.default!r}\n    {'; '.join(filter(None, (takes, parameter.comment)))}")


def interrupt(*_: object) -> None:
    """Take SIGTERM, which batch systems send, like Ctrl-C: the kernel is ended, checkpoints stay."""
    raise KeyboardInterrupt


def run(arguments: argparse.Namespace) -> int:
    """Run notebooks one after another; one that fails does not stop the next, but Ctrl-C stops all."""
    given = given_parameters(arguments)
    papers = [notebook_path(paper) for paper in arguments.papers]
    # all of them, before the first one runs for an hour
    everything = {path: default_parameters(path) | cast_parameters(path, given) for path in papers}
    if arguments.parameters:
        for paper in arguments.papers:
            print_parameters(paper)
        return 0
    from . import runs  # late: a second

    for path in papers:
        if fault := runs.no_data(everything[path]):
            raise ParameterError(f"{path.stem}: {fault}")

    signal.signal(signal.SIGTERM, interrupt)
    results = []
    for path in papers:
        print(path.stem)
        out = output_folder(arguments, path.stem)
        try:
            results.append(runs.run_notebook(path, given, out=out, time_limit=arguments.time_limit))
            if arguments.figures:
                runs.publish_figures(out / "figures", Path(arguments.figures, path.stem))
        except runs.RunError as error:
            print(f"eegemo: {error}", file=sys.stderr)
            results.append(runs.RunResult(path.stem, error.status, parameters=everything[path]))
            if error.status == "interrupted":
                break
    print(runs.results_table(results))
    bad = [result.status for result in results if result.status != "finished"]
    return EXIT_CODES.get(bad[0], 1) if bad else 0


def renew(arguments: argparse.Namespace) -> int:
    """Execute and clean the committed notebooks in place."""
    from .runs import RunError, refresh

    try:
        refresh(arguments.papers or None)
    except RunError as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return EXIT_CODES.get(error.status, 1)
    return 0


def positive(text: str) -> float:
    """Return a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"takes seconds above 0, not {text}")
    return value


def names_to_run() -> str:
    """Return the names of the notebooks for the help, which must come up without them too."""
    try:
        return ", ".join(list_notebooks()) or "none found"
    except NotebookError:
        return "none found"


def add_run(commands: argparse._SubParsersAction) -> None:
    """Describe ``eegemo run``."""
    about = f"Run notebooks without a browser: {names_to_run()}."
    parser = commands.add_parser("run", help="run notebooks", description=about)
    parser.add_argument("papers", nargs="+", metavar="PAPER", help="a notebook's name or an .ipynb file")
    parser.add_argument("-p", **PARAMETER_OPTION, help="set a parameter, also as NAME=VALUE; may be repeated")
    files = "a YAML file of parameters; may be repeated"
    parser.add_argument("-f", dest="settings", action="append", default=[], metavar="FILE", help=files)
    parser.add_argument("--device", help="short for -p device DEVICE")
    parser.add_argument("--out", metavar="FOLDER", help="for results; default runs/PAPER or runs/PAPER-FILE")
    parser.add_argument("--figures", metavar="FOLDER", help="also copy the pictures to FOLDER/PAPER")
    parser.add_argument("--time-limit", type=positive, metavar="SECONDS", help="for each notebook as a whole")
    parser.add_argument("--parameters", action="store_true", help="list the parameters and run nothing")
    parser.set_defaults(command=run)


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    parser = argparse.ArgumentParser("eegemo", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    add_run(commands)
    refresh = commands.add_parser("refresh", help="execute and clean the committed notebooks in place")
    refresh.add_argument("papers", nargs="*", metavar="PAPER", help="by default all")
    refresh.set_defaults(command=renew)
    add_data(commands)
    add_sweep(commands, positive)
    add_report(commands)
    add_corpus(commands)
    add_audit(commands)
    return parser


def split_pairs(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with ``-p name=value`` written as ``-p name value``."""
    result: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        pair = equals and name.isidentifier() and result[-1:] == ["-p"]
        result += [name, value] if pair else [word]
    return result


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line on stderr."""
    try:
        arguments = command_line().parse_args(split_pairs(sys.argv[1:] if words is None else words))
        return arguments.command(arguments)
    except BrokenPipeError:  # `eegemo ... | head` has read enough
        return 0
    except (NotebookError, ParameterError, OSError) as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("eegemo: interrupted", file=sys.stderr)
        return 130
    finally:
        flush()


def flush() -> None:
    """Let ``eegemo ... | head`` end in silence, and a command without any stdout too."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
