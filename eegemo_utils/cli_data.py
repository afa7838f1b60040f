"""``eegemo data``: what datasets there are, what a folder holds, simulated and downloaded ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill

from .exit_codes import ALL_WELL, FAILED
from .notebooks import ParameterError


def data_list(_arguments: argparse.Namespace) -> int:
    """Print the datasets that can be read."""
    from . import datasets

    for name, facts in datasets.available().iterrows():
        lines = (fill(f"{key}: {value}", 110, initial_indent="    ", subsequent_indent="      ")
                 for key, value in facts.items())
        print("\n".join([str(name), *lines]))
    return ALL_WELL


def data_check(arguments: argparse.Namespace) -> int:
    """Print what a folder or file of data holds; 1 when it cannot be used as it is."""
    from . import datasets
    from .trials import DatasetError

    words = [word for word in (arguments.name, *arguments.words) if word]
    named = words[:1] and words[0] in datasets.MODULES and not (len(words) == 1 and Path(words[0]).exists())
    name = words.pop(0) if named or len(words) > 1 else None
    if len(words) > 1:
        raise ParameterError(f"One dataset and one folder, please, not {' '.join(words)}.")
    try:
        report = datasets.check(*(words or [""]), name=name)
    except DatasetError as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return FAILED
    print(report.text())
    return ALL_WELL if report.ok else FAILED


def data_simulate(arguments: argparse.Namespace) -> int:
    """Write a simulated dataset and print what was written."""
    from . import datasets

    options = {"n_subjects": arguments.subjects, "random_state": arguments.random_state}
    given = {name: value for name, value in options.items() if value is not None} | dict(arguments.option)
    if arguments.picture and Path(arguments.picture).suffix not in (".png", ".svg", ".pdf"):
        raise ParameterError(f"A picture is a .png, .svg or .pdf file, not {arguments.picture}.")
    done = written(lambda: datasets.simulate(arguments.name, arguments.folder, form=arguments.form, **given))
    return done or (draw_planted(arguments) if arguments.picture else 0)


def draw_planted(arguments: argparse.Namespace) -> int:
    """Draw what was put into the recordings just written beside what is found in them, read back."""
    from . import datasets, plots
    from .trials import Trials

    trials = datasets.load(arguments.name, Path(arguments.folder).absolute())
    if not isinstance(trials, Trials) or len(trials.info["ch_names"]) < 8:
        print(f"eegemo: no picture: it takes signals of eight electrodes or more, and {arguments.name} has none here",
              file=sys.stderr)
        return FAILED
    plots.use_style()
    values = trials.table.get("valence")
    values = trials.table["label"].astype("category").cat.codes if values is None else values
    plots.plot_planted(trials, values).savefig(arguments.picture, metadata={"Software": None})
    print(arguments.picture)
    return ALL_WELL


def number(text: str) -> str | int | float:
    """Return a word of the command line as the number that it is, or as it is."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def data_fetch(arguments: argparse.Namespace) -> int:
    """Download an open dataset."""
    from . import datasets

    return written(lambda: datasets.fetch(arguments.name, arguments.folder))


def written(make: Callable[[], Sequence[Path]]) -> int:
    """Print the files that a function makes; one line on stderr and 1 when it cannot."""
    from .trials import DatasetError

    try:
        paths = make()
    except DatasetError as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return FAILED
    print("\n".join([*map(str, paths), f"{len(paths)} files"]))
    return ALL_WELL


def add_data(commands: argparse._SubParsersAction) -> None:
    """Describe ``eegemo data``."""
    data = commands.add_parser("data", help="look at data").add_subparsers(required=True)
    data.add_parser("list", help="list the datasets that can be read").set_defaults(command=data_list)
    check = data.add_parser("check", help="say what a folder holds and whether it can be read")
    check.add_argument("words", nargs="*", metavar="[NAME] FOLDER", help="by default what EEGEMO_DATA names")
    check.add_argument("--name", help="the dataset, when the folder does not show it")
    check.set_defaults(command=data_check)
    simulate = data.add_parser("simulate", help="write simulated recordings in a dataset's own files")
    simulate.add_argument("name", metavar="NAME", help="a dataset of `eegemo data list`")
    simulate.add_argument("folder", metavar="FOLDER", help="a new one; what lies in a folder is never replaced")
    simulate.add_argument("--subjects", type=int, metavar="N", help="number of people")
    simulate.add_argument("--random-state", type=int, metavar="N", help="the seed; by default 0")
    simulate.add_argument("-p", dest="option", nargs=2, action="append", default=[], type=number,
                          metavar=("NAME", "VALUE"), help="such as effect 0, n_seconds 60; may be repeated")
    simulate.add_argument("--form", help="where a dataset has several: signals or features")
    simulate.add_argument("--picture", metavar="FILE.png", help="also draw what was put in, and what is found of it")
    simulate.set_defaults(command=data_simulate)
    fetch = data.add_parser("fetch", help="download an open dataset, held against its owner's checksums")
    fetch.add_argument("name", metavar="NAME", help="such as eegmat")
    fetch.add_argument("folder", metavar="FOLDER")
    fetch.set_defaults(command=data_fetch)
