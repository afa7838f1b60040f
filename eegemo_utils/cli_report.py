"""``eegemo collect`` and ``eegemo report``: one table over many runs, and a site to look at."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .exit_codes import ALL_WELL, FAILED


def print_doubts(problems: list[str], remarks: list[str]) -> int:
    """Print what is doubtful and what was damaged, one line each; 1 when anything was damaged."""
    for remark in remarks:
        print(f"eegemo: note: {remark}", file=sys.stderr)
    for problem in problems:
        print(f"eegemo: {problem}", file=sys.stderr)
    return FAILED if problems else ALL_WELL


def counts(table) -> str:
    """Return how many runs a table holds, and of which status."""
    from .collect import STATUSES

    found = table["status"].value_counts()
    each = ", ".join(f"{found[status]} {status}" for status in STATUSES if status in found)
    return f"{len(table)} run{'' if len(table) == 1 else 's'}: {each}"


def collect_runs(arguments: argparse.Namespace) -> int:
    """Write the tables over a folder of runs; 1 when a file in it is damaged."""
    from .collect import collect, write_tables  # late: pandas and SciPy take a second

    collection = collect(arguments.runs)
    files = write_tables(collection.table, arguments.out or Path(arguments.runs, "collected"))
    print("\n".join([counts(collection.table), *map(str, files)]))
    return print_doubts(collection.problems, collection.remarks)


def report_runs(arguments: argparse.Namespace) -> int:
    """Make the site over a folder of runs; 1 when a file in it is damaged."""
    from .report import build_site  # late: nbconvert and the figures take seconds

    site = build_site(arguments.runs, arguments.out or Path(arguments.runs, "site"))
    print(f"{counts(site.table)}\npages made: {site.n_written}, kept: {site.n_kept}; open {site.start}")
    return print_doubts(site.problems, site.remarks)


def add_report(commands: argparse._SubParsersAction) -> None:
    """Describe ``eegemo collect`` and ``eegemo report``."""
    about = "One row a run: parameters, metrics, status, provenance; means, intervals and comparisons over them."
    parser = commands.add_parser("collect", help="one table over many runs", description=about)
    parser.add_argument("runs", metavar="RUNS", help="a folder of runs, of a sweep or of several")
    parser.add_argument("--out", metavar="FOLDER", help="for the tables; default RUNS/collected")
    parser.set_defaults(command=collect_runs)
    about = "A start page with table and figure, and each executed notebook as a page; needs no network to be read."
    parser = commands.add_parser("report", help="a site over many runs", description=about)
    parser.add_argument("runs", metavar="RUNS", help="a folder of runs, of a sweep or of several")
    parser.add_argument("--out", metavar="FOLDER", help="for the site; default RUNS/site")
    parser.set_defaults(command=report_runs)
