"""``eegemo audit``: the report on predictions of anybody's model."""

from __future__ import annotations

import argparse
import sys

from eegemo_utils.exit_codes import ALL_WELL, MISTAKE


def audit(arguments: argparse.Namespace) -> int:
    """Write the report, print it, and return the exit code."""
    from eegemo_utils.audit import PredictionsError, report  # late: seconds

    try:
        print(report(arguments.files, arguments.out))
    except PredictionsError as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return MISTAKE
    print(f"written: {arguments.out}/index.html and audit.json")
    return ALL_WELL


def add_audit(commands: argparse._SubParsersAction) -> None:
    """Describe ``eegemo audit``."""
    about = "Hold predictions of any model against their split: leaks, intervals over people, chance, comparisons."
    parser = commands.add_parser("audit", help="look into predictions", description=about)
    columns = "csv or parquet: label, predicted; subject, trial, fold, seed, protocol, p_CLASS ... what there is"
    parser.add_argument("files", nargs="+", metavar="FILE", help=columns)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="for index.html and audit.json")
    parser.set_defaults(command=audit)
