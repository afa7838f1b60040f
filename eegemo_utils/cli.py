"""The command ``eegemo``: run notebooks, one or many, renew the committed ones, look at data.

`eegemo_utils.exit_codes` says how it ends; with several notebooks, as the first that did not finish.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__, exit_codes
from .cli_audit import add_audit
from .cli_corpus import add_corpus
from .cli_data import add_data
from .cli_report import add_report
from .cli_sweep import add_sweep
from .files import in_a_sentence
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


def given_parameters(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the parameters of a command line: -p wins over --device, both over files, later files over earlier."""
    settings = {}
    for file in arguments.settings:
        settings |= read_settings(file, [Path(paper).stem for paper in arguments.papers])
    device = {"device": arguments.device} if arguments.device else {}
    return settings | device | dict(arguments.parameter)


def no_parameter(paper: str) -> str:
    """Return what should be a notebook; for ``epochs=3`` the error says how a parameter is set."""
    name, equals, value = paper.partition("=")
    if equals and name.isidentifier() and not Path(paper).exists():
        raise ParameterError(f"'{paper}' is no notebook. To set a parameter write -p before it: -p {name} {value}")
    return paper


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
    papers = [notebook_path(no_parameter(paper)) for paper in arguments.papers]
    # all of them, before the first one runs for an hour
    everything = {path: default_parameters(path) | cast_parameters(path, given) for path in papers}
    if arguments.parameters:
        for paper in arguments.papers:
            print_parameters(paper)
        return exit_codes.ALL_WELL
    from . import runs  # late: a second

    for path in papers:
        if fault := runs.cannot_start(everything[path], given):
            raise ParameterError(f"{path.stem}: {fault}")
        runs.check_writable(output_folder(arguments, path.stem))
    if arguments.figures:
        runs.check_writable(Path(arguments.figures), "--figures")

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
    return exit_codes.OF_STATUS.get(bad[0], exit_codes.FAILED) if bad else exit_codes.ALL_WELL


def renew(arguments: argparse.Namespace) -> int:
    """Execute and clean the committed notebooks in place."""
    from .runs import RunError, refresh

    try:
        refresh(arguments.papers or None)
    except RunError as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return exit_codes.OF_STATUS.get(error.status, exit_codes.FAILED)
    return exit_codes.ALL_WELL


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
    files = "a YAML file of parameters, or the name of one of the project's, such as muse; may be repeated"
    parser.add_argument("-f", dest="settings", action="append", default=[], metavar="FILE", help=files)
    parser.add_argument("--device", help="short for -p device DEVICE")
    parser.add_argument("--out", metavar="FOLDER", help="for results; default runs/PAPER or runs/PAPER-FILE")
    parser.add_argument("--figures", metavar="FOLDER", help="also copy the pictures to FOLDER/PAPER")
    parser.add_argument("--time-limit", type=positive, metavar="SECONDS", help="for each notebook as a whole")
    parser.add_argument("--parameters", action="store_true", help="list the parameters and run nothing")
    parser.set_defaults(command=run)


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    parser = argparse.ArgumentParser(
        "eegemo", description=__doc__.splitlines()[0], epilog=f"exit codes:\n{exit_codes.table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"eegemo {__version__}")
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
    about = "pretrain LaBraM on a corpus, as `python -m eegemo_utils.pretrain`, which `torchrun` takes"
    commands.add_parser("pretrain", help=about, add_help=False)  # `main` hands its words on: its options need PyTorch
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
    words = sys.argv[1:] if words is None else words
    try:
        if words[:1] == ["pretrain"]:
            from .pretrain.__main__ import main as pretrain  # late: PyTorch

            return pretrain(words[1:])
        arguments = command_line().parse_args(split_pairs(words))
        return arguments.command(arguments)
    except BrokenPipeError:  # `eegemo ... | head` has read enough
        return exit_codes.ALL_WELL
    except (NotebookError, ParameterError, OSError) as error:
        print(f"eegemo: {in_a_sentence(error) if isinstance(error, OSError) else error}", file=sys.stderr)
        return exit_codes.MISTAKE
    except KeyboardInterrupt:
        print("eegemo: interrupted", file=sys.stderr)
        return exit_codes.INTERRUPTED
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
