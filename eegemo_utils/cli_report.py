"""``eegemo collect`` and ``eegemo report``: one table over many runs, and a site to look at."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def told(problems: list[str]) -> int:
    """Print what was damaged, one line each; 1 when anything was."""
    for problem in problems:
        print(f"eegemo: {problem}", file=sys.stderr)
    return 1 if problems else 0


def counts(collection) -> str:
    """Return how many runs there are of each status."""
    from .collect import STATUSES

    parts = [f"{collection.count(status)} {status}" for status in STATUSES if collection.count(status)]
    return f"{len(collection.table)} runs: {', '.join(parts)}"


def collect_runs(arguments: argparse.Namespace) -> int:
    """Write the tables over a folder of runs; 1 when a file in it is damaged."""
    from .collect import collect, write_tables  # late: pandas and SciPy take a second

    collection = collect(arguments.runs)
    files = write_tables(collection.table, arguments.out or Path(arguments.runs, "collected"))
    print("\n".join([counts(collection), *map(str, files)]))
    return told(collection.problems)


def add_report(commands: argparse._SubParsersAction) -> None:
    """Describe ``eegemo collect`` and ``eegemo report``."""
    about = "One row a run: parameters, metrics, status, provenance; means, intervals and comparisons over them."
    parser = commands.add_parser("collect", help="one table over many runs", description=about)
    parser.add_argument("runs", metavar="RUNS", help="a folder of runs, of a sweep or of several")
    parser.add_argument("--out", metavar="FOLDER", help="for the tables; default RUNS/collected")
    parser.set_defaults(command=collect_runs)
