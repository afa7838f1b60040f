"""``eegemo corpus``: make corpora for pretraining, look at them."""

from __future__ import annotations

import argparse
import sys
import warnings

from .exit_codes import ALL_WELL, FAILED


def corpus_build(arguments: argparse.Namespace) -> int:
    """Make a corpus, or go on with it, and print what it holds; 1 when it cannot be made or no file could be used."""
    from . import corpus
    from .processes import cores
    from .trials import DatasetError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what it warns of is printed below
            corpus.build(arguments.folder, arguments.out, notch=frequencies(arguments.notch), tell=say,
                         n_jobs=arguments.jobs or cores())
        built, skipped = corpus.open(arguments.out), corpus.skipped(arguments.out)
    except DatasetError as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return FAILED
    print("\n".join([repr(built).strip("<>"), *(f"  {line}" for line in built.decisions)]))
    kept, n = len(built.recordings), len(built.recordings) + len(skipped)
    why = "; the lines that begin with `skipped` say why" if skipped else ""
    print(f"{n} file{'' if n == 1 else 's'}: {kept} kept, {len(skipped)} skipped{why}")
    return ALL_WELL


def say(line: str) -> None:
    """Print a line while the bar stands below."""
    print(line, file=sys.stderr, flush=True)


def frequencies(given: list[list[float]] | None) -> list[float]:
    """Return the mains frequencies of a command line, by default the paper's."""
    return [50.0] if given is None else [hz for some in given for hz in some]


def corpus_check(arguments: argparse.Namespace) -> int:
    """Hold every recording against its checksum; 1 when something is wrong."""
    from . import corpus

    report = corpus.check(arguments.path)
    print(report.text())
    return ALL_WELL if report.ok else FAILED


def corpus_list(arguments: argparse.Namespace) -> int:
    """Print the recordings of a corpus."""
    from . import corpus
    from .trials import DatasetError

    try:
        print(corpus.open(arguments.path).table.to_string(index=False))
    except DatasetError as error:
        print(f"eegemo: {error}", file=sys.stderr)
        return FAILED
    return ALL_WELL


def some_frequencies(text: str) -> list[float]:
    """Return frequencies in Hz above 0, separated by commas; none of them for "none"."""
    values = [] if text == "none" else [float(part) for part in text.split(",")]
    if any(not 0 < value < 1e5 for value in values):
        raise ValueError
    return values


def count(text: str) -> int:
    """Return a number of processes, at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def add_corpus(commands: argparse._SubParsersAction) -> None:
    """Describe ``eegemo corpus``."""
    about = "make and look at corpora for pretraining"
    corpus = commands.add_parser("corpus", help=about, description=about).add_subparsers(required=True)
    text = "preprocess a folder of EEG files for pretraining; a killed build goes on when called again"
    ends = ("Files that cannot be used, or whose size only a wrong unit explains, are skipped and counted; exit code 1 "
            "when none could be used, 2 when the corpus cannot be written.")
    build = corpus.add_parser("build", help=text, description=f"{text}. {ends}")
    build.add_argument("folder", metavar="FOLDER", help="EEG files of any kind that MNE reads")
    build.add_argument("out", metavar="OUT", help="the corpus, a folder")
    build.add_argument("--notch", type=some_frequencies, action="append", metavar="HZ[,HZ]",
                       help="mains frequencies to take out, or none; may be repeated; by default 50, as in the paper")
    build.add_argument("--jobs", type=count, metavar="N", help="processes; by default one a core")
    build.set_defaults(command=corpus_build)
    for name, command, text in (("check", corpus_check, "hold every recording against its checksum"),
                                ("list", corpus_list, "list the recordings")):
        parser = corpus.add_parser(name, help=text, description=text)
        parser.add_argument("path", metavar="OUT", help="a corpus, or a file in the layout of the released LaBraM code")
        parser.set_defaults(command=command)
