"""The site as files: what is written, what is left as it is, what is removed."""

from __future__ import annotations

import base64
import json
import multiprocessing
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..collect import AUDIT, KINDS_OF_DATA, audit, collect, make_folder, write_tables
from ..collect.folders import relative
from ..files import digest, save_text
from ..notebooks.parameters import ParameterError
from ..processes import cores
from . import start
from .figure import NARROW, WIDE, audit_figure, rows_of
from .pages import body, code_style

FOLDER = Path(__file__).parent
MARK = '<meta name="generator" content="EEGEmo'
MARKER = ".eegemo-report"  # lies in a site's folder: what is there may be written over
STAMP = re.compile(r'<meta name="eegemo-made-from" content="(\w+)">')
FEW = 12  # pages: below, starting processes takes longer than it saves
MOST_ROWS = 40  # of the figure: more cannot be read


@dataclass
class Site:
    """What was made.

    Attributes
    ----------
    start : pathlib.Path
        The page to open.
    table : DataFrame
        The tidy table that it shows.
    problems : list of str
        One line for each damaged file.
    remarks : list of str
        One line for each recorded value that was left out or is doubtful.
    n_written, n_kept : int
        Pages of runs made now, and those that were there already.
    """

    start: Path
    table: pd.DataFrame
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    n_written: int = 0
    n_kept: int = 0


def build_site(root: str | Path, out: str | Path, progress: Callable[[str], None] = print) -> Site:
    """Make the site over a folder of runs; pages of runs that have not changed are left as they are.

    Parameters
    ----------
    root : path
        A folder of runs, see `eegemo_utils.collect.collect`.
    out : path
        The site's folder: ``index.html``, ``pages/``, ``tables/``, ``audit.svg``.
    progress : callable
        Takes a line for each page made.

    Raises
    ------
    ParameterError
        No runs, or something other than a site lies in `out`.
    """
    root, out = Path(root).absolute(), Path(out)
    refuse_foreign(out)
    collection = collect(root)
    site = Site(out / "index.html", collection.table, list(collection.problems), collection.remarks)
    make_folder(out)
    make_folder(out / "pages")
    (out / MARKER).touch()
    pages = run_pages(site, root, out / "pages", progress)
    write_tables(site.table, out / "tables")
    context = start_context(site, root, out, pages)
    save_text(site.start, environment().get_template("index.html.j2").render(context))
    return site


def refuse_foreign(out: Path) -> None:
    """Raise ParameterError when a site would lie among things that are not one."""
    if out.exists() and not out.is_dir():
        raise ParameterError(f"{out} is a file. Give --out a folder, or a name for a new one.")
    if not out.is_dir() or (out / MARKER).exists() or is_ours(out / "index.html"):
        return
    strange = sorted(path.name for path in out.iterdir())
    if strange:
        raise ParameterError(
            f"{out} holds other things than a report, such as {strange[0]}. Give --out a new or an empty folder "
            f"(or put an empty file {MARKER} there, if this one may be written to)."
        )


def is_ours(page: Path) -> bool:
    """Say whether a start page was made by `build_site`, before its folders were marked."""
    return page.is_file() and MARK in page.read_text(encoding="utf-8", errors="replace")[:2000]


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates, with what all pages share."""
    made = Environment(loader=PackageLoader("eegemo_utils.report"), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)
    script = (FOLDER / "templates" / "table.js").read_text(encoding="utf-8")
    script_digest = base64.b64encode(bytes.fromhex(digest(script))).decode("ascii")
    made.globals |= {"version": __version__, "style": Markup((FOLDER / "templates" / "style.css").read_text("utf-8")),
                     "script": Markup(script), "script_digest": script_digest, "marks": start.MARKS,
                     "words": start.WORDS, "signs": start.SIGNS, "meanings": KINDS_OF_DATA}
    return made


def slug(run: str, taken: set[str]) -> str:
    """Return a file name for a run's page that no other run has."""
    name = re.sub(r"[^A-Za-z0-9._=-]+", "-", run).strip(".-")[:100] or "run"
    if name.lower() in taken or name != run.replace("/", "-"):
        name = f"{name}-{digest(run)[:8]}"
    taken.add(name.lower())
    return f"{name}.html"


def run_pages(site: Site, root: Path, folder: Path, progress: Callable[[str], None]) -> dict[str, str]:
    """Write a page for each run that has a notebook to show, remove those of runs that are gone.

    Returns
    -------
    dict
        Address of the page, relative to the start page, by run.
    """
    pages, taken, jobs, base = {}, set(), [], maker()
    for row in site.table.to_dict("records"):
        notebook = shown_notebook(row, root)
        if notebook is None:
            continue
        facts = {name: start.shown(value) for name, value in row.items() if not start.missing(value)}
        path = folder / slug(row["run"], taken)
        stamp = digest(notebook.read_bytes(), json.dumps([base, facts]))[:32]
        if path.is_file() and (found := STAMP.search(head(path))) and found[1] == stamp:
            pages[row["run"]] = f"pages/{path.name}"
            site.n_kept += 1
        else:
            jobs.append((path, notebook, facts, stamp))
    for (path, _, facts, _), problem in written(jobs):
        if problem:
            site.problems.append(f"{facts['run']}: no page: {problem}")
            continue
        pages[facts["run"]] = f"pages/{path.name}"
        site.n_written += 1
        progress(f"  {facts['run']}")
    for path in folder.glob("*.html"):
        if f"pages/{path.name}" not in pages.values() and STAMP.search(head(path)):
            path.unlink()
    return pages


def written(jobs: list[tuple]) -> Iterator[tuple[tuple, str | None]]:
    """Write pages and yield each job with what went wrong; many are shared among processes, one a core."""
    if len(jobs) < FEW:
        for job in jobs:
            yield job, attempt(job)
        return
    n_workers = max(1, min(len(jobs) // 4, cores()))
    with ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn")) as pool:
        yield from zip(jobs, pool.map(attempt, jobs), strict=True)


def attempt(job: tuple) -> str | None:
    """Write one page, or return why not."""
    try:
        write_page(*job)
    except (ValueError, OSError) as error:
        return str(error)


def write_page(path: Path, notebook: Path, facts: dict[str, str], stamp: str) -> None:
    """Write the page of a run."""
    html, headings = body(notebook)
    parts = {part: {name.removeprefix(f"{part}."): value for name, value in facts.items()
                    if name.startswith(f"{part}.")} for part in ("metrics", "parameters", "provenance")}
    template = environment().get_template("run.html.j2")
    save_text(path, template.render(run=facts["run"], row=facts, parts=parts, body=Markup(html), headings=headings,
                                    stamp=stamp, code_style=Markup(code_style())))


def shown_notebook(row: dict, root: Path) -> Path | None:
    """Return the notebook of a run: whole after a finished one, as far as it came after one that failed."""
    folder = root / row["run"] if (root / row["run"]).is_dir() else root
    ending = {"done": "", "failed": ".failed"}.get(row["status"])
    path = folder / f"{row['notebook']}{ending}.ipynb"
    return path if ending is not None and path.is_file() else None


def maker() -> str:
    """Return a digest of all that makes pages: when it changes, they are made again."""
    files = sorted([*FOLDER.glob("*.py"), *(FOLDER / "templates").iterdir()])
    return digest(*(path.read_bytes() for path in files if path.is_file()))


def head(path: Path) -> str:
    """Return the first lines of a page."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(2000)


def start_context(site: Site, root: Path, out: Path, pages: dict[str, str]) -> dict[str, object]:
    """Return what the start page's template takes, and write the figure beside it."""
    table = site.table
    every = rows_of(audit(table))
    rows = every[:MOST_ROWS]
    wide, narrow = (audit_figure(rows, width) if rows else "" for width in (WIDE, NARROW))
    if rows:
        save_text(out / "audit.svg", wide)
    else:
        (out / "audit.svg").unlink(missing_ok=True)
    columns, results = start.result_rows(table, pages)
    keys = ("notebook", "data", "status")
    return {
        "folder": relative(root, root), "n_runs": len(table), "counted": start.counted(table),
        "kinds": start.kinds(table),
        "figure": {"wide": as_address(wide), "narrow": as_address(narrow)} if rows else None,
        "n_figure": len(rows), "n_groups": len(every), "audit": AUDIT, "columns": columns, "results": results,
        "has_settings": any(row["settings"]["text"] for row in results),
        "options": {name: sorted({row[name] for row in results if row[name]}) for name in keys},
        "troubles": start.troubles(table, pages), "problems": untold(site), "remarks": site.remarks,
        "summary": start.summary_rows(every),
        "comparisons": start.comparison_rows(table), "papers": start.paper_numbers(table),
        "cards": start.cards(table, root, pages),
    }


def untold(site: Site) -> list[str]:
    """Return the damages that no row of a run tells."""
    told = {f"{run}: {reason}" for run, reason in zip(site.table["run"], site.table["reason"], strict=True)}
    return [problem for problem in site.problems if problem not in told]


def as_address(svg: str) -> str:
    """Return a picture as the address that holds it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
