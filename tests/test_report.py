"""`report`: what the site's files hold; tests/test_report_browser.py opens them in a browser."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest

from eegemo_utils import cli
from eegemo_utils.collect import audit
from eegemo_utils.notebooks import ParameterError
from eegemo_utils.report import build_site, figure, pages, start
from eegemo_utils.report.formulas import formula
from tests import made_runs
from tests.test_collect_summaries import runs as table

AUDIT = {"accuracy_published": 0.9, "accuracy_by_trial": 0.6, "accuracy_by_subject": 0.5, "chance": 0.25,
         "majority": 0.3, "noise_by_window": 0.8}


def quiet(_line):
    """Take a line of progress."""


@pytest.fixture
def runs(tmp_path):
    """Two finished runs, one that failed, one damaged."""
    folder = tmp_path / "runs"
    made_runs.finished(folder / "a", metrics=AUDIT, content=made_runs.executed(), seed=0)
    made_runs.finished(folder / "b <i>", metrics=AUDIT, content=made_runs.executed(), dataset="deap")
    made_runs.failed(folder / "c", error={"cell": 3, "error": "<script>no</script>", "kind": "raised", "attempts": 1})
    (made_runs.finished(folder / "d") / "metrics.json").write_text("{")
    return folder


def test_site(runs, tmp_path):
    site = build_site(runs, tmp_path / "site", quiet)
    text = site.start.read_text()
    assert site.n_written == 3 and len(site.problems) == 1
    assert "4 runs" in text and "metrics.json is damaged" in text and "&lt;script&gt;no&lt;/script&gt;" in text
    assert "b &lt;i&gt;" in text and "b <i>" not in text
    assert {path.name for path in (tmp_path / "site").iterdir()} == {
        ".eegemo-report", "index.html", "pages", "tables", "audit.svg"}
    links = re.findall(r'href="(pages/[^"]+)"', text)
    assert len(set(links)) == 3 and all((tmp_path / "site" / link).is_file() for link in links)


def test_nothing_is_fetched_and_no_machine_path_shown(runs, tmp_path):
    build_site(runs, tmp_path / "site", quiet)
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text()
        sources = re.findall(r'(?<![-\w])(?:src|srcset|action|data|poster)="([^"]*)"', text)
        assert all(source.startswith("data:") for source in sources), page.name
        assert not re.search(r"@import|url\(|<iframe|<link(?! rel=\"icon\" href=\"data:,\")", text)
        assert "default-src 'none'" in text and str(tmp_path) not in text


def test_what_is_not_emotion_says_so(runs, tmp_path):
    build_site(runs, tmp_path / "site", quiet)
    simulated = tmp_path / "site" / "pages" / "a.html"
    assert "no score on this page says anything about emotion" in simulated.read_text()
    emotion = next((tmp_path / "site" / "pages").glob("b*.html"))
    assert "no score on this page" not in emotion.read_text()
    text = (tmp_path / "site" / "index.html").read_text()
    assert "1 run on emotion data" in text and "simulated data, which say nothing about emotion" in text


def test_unchanged_pages_are_kept_and_others_made_again(runs, tmp_path):
    build_site(runs, tmp_path / "site", quiet)
    assert build_site(runs, tmp_path / "site", quiet).n_kept == 3
    made_runs.finished(runs / "a", metrics=AUDIT | {"chance": 0.5}, content=made_runs.executed(), seed=0)
    site = build_site(runs, tmp_path / "site", quiet)
    assert (site.n_written, site.n_kept) == (1, 2)
    for path in sorted((runs / "c").iterdir()):
        path.unlink()
    build_site(runs, tmp_path / "site", quiet)
    assert not (tmp_path / "site" / "pages" / "c.html").exists()


def test_a_folder_of_other_things_is_refused_and_left_as_it_is(runs, tmp_path):
    made_runs.write(tmp_path / "site" / "notes.txt", "my own")
    with pytest.raises(ParameterError, match="holds other things than a report, such as notes.txt. Give --out a new"):
        build_site(runs, tmp_path / "site", quiet)
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["notes.txt"]
    with pytest.raises(ParameterError, match="is a file"):
        build_site(runs, tmp_path / "site" / "notes.txt", quiet)


def test_a_report_that_was_broken_off_or_is_older_is_made_again(runs, tmp_path):
    start = build_site(runs, tmp_path / "site", quiet).start
    start.unlink()
    assert build_site(runs, tmp_path / "site", quiet).n_kept == 3
    (tmp_path / "site" / ".eegemo-report").unlink()
    assert build_site(runs, tmp_path / "site", quiet).n_kept == 3


def test_a_notebook_that_cannot_be_shown_is_told(runs, tmp_path):
    made_runs.write(runs / "a" / "gru.ipynb", '{"cells": 3}')
    site = build_site(runs, tmp_path / "site", quiet)
    assert any(line.startswith("a: no page: gru.ipynb is not a whole notebook") for line in site.problems)
    assert "a: no page" in site.start.read_text() and site.n_written == 2


def test_a_score_that_is_no_number_is_told_and_the_rest_is_shown(runs, tmp_path):
    made_runs.finished(runs / "e", metrics=AUDIT | {"accuracy_by_trial": "not <possible>"}, seed=1)
    site = build_site(runs, tmp_path / "site", quiet)
    assert site.n_written == 4 and len(site.problems) == 1
    assert "e: accuracy_by_trial is &#39;not &lt;possible&gt;&#39;, no number" in site.start.read_text()


def test_a_broken_picture_is_passed_over(runs, tmp_path):
    made_runs.write(runs / "a" / "figures" / "gru_audit.png", "cut")
    assert build_site(runs, tmp_path / "site", quiet).start.is_file()


def test_only_failed_runs(tmp_path):
    made_runs.failed(tmp_path / "runs" / "a")
    text = build_site(tmp_path / "runs", tmp_path / "site", quiet).start.read_text()
    assert "ValueError: no such electrode" in text and 'id="audit"' not in text


def test_the_folder_of_one_run(runs, tmp_path):
    site = build_site(runs / "a", tmp_path / "site", quiet)
    assert site.n_written == 1 and (tmp_path / "site" / "pages" / "a.html").is_file()


def test_names_that_meet_in_one_page_name_stay_apart(tmp_path):
    for name in ("x/y", "x-y", "X-Y", "x y"):
        made_runs.finished(tmp_path / "runs" / name, content=made_runs.executed())
    site = build_site(tmp_path / "runs", tmp_path / "site", quiet)
    names = [path.name.lower() for path in (tmp_path / "site" / "pages").iterdir()]
    assert site.n_written == 4 and len(set(names)) == 4


def test_many_pages_are_shared_among_processes(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("eegemo_utils.report.site.FEW", 2)
    made_runs.write(runs / "a" / "gru.ipynb", '{"cells": 3}')
    site = build_site(runs, tmp_path / "site", quiet)
    assert site.n_written == 2 and any(line.startswith("a: no page") for line in site.problems)
    assert len(list((tmp_path / "site" / "pages").iterdir())) == 2


def test_the_command(runs, capsys):
    assert cli.main(["report", str(runs)]) == 1  # one file is damaged
    said = capsys.readouterr()
    assert "4 runs: 2 done, 1 failed, 1 damaged" in said.out and "d: metrics.json is damaged" in said.err
    assert (runs / "site" / "index.html").is_file()
    assert cli.main(["report", str(runs / "none")]) == 2


def test_a_page_holds_the_notebook_and_nothing_that_acts(tmp_path):
    made_runs.write(tmp_path / "x.ipynb", made_runs.executed())
    html, headings = pages.body(tmp_path / "x.ipynb")
    assert headings == [(2, "1-Data-&-more", "1 Data & more")]
    assert "in the table" in html and "printed &lt; this" in html and "data:image/png" in html
    assert "&lt;b&gt;not bold" in html and "<b>bold</b>" in html
    for gone in ("<script", "<style", "taken over", "onclick", "onerror", "spy.png", "iframe", "javascript:"):
        assert gone not in html
    assert 'href="https://example.org/far.png"' in html and 'href="https://example.org/paper"' in html
    assert html.count("<math") == 4 and "\ue000" not in html  # in the text, a lone letter, lines aligned, cases
    assert 'alt="Figure of section 1 Data &amp; more' in html


@pytest.mark.parametrize("path", sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb")),
                         ids=lambda path: path.stem)
def test_formulas_of_the_notebooks_are_drawn(path):
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    renderer = pages.Renderer(escape=False, attachments={}, embed_images=False, path="")
    found = pages.FOUND.findall("".join(pages.MarkdownWithMath(renderer=renderer).render(cell) for cell in cells))
    texts = [bytes.fromhex(text).decode() for _, text in found]
    assert not [text for text in texts if "<math" not in formula(text)], "these stay TeX on the page"


@pytest.mark.parametrize("tex", [
    "\\tfrac12", "\\dfrac{a}{b}", "\\Big(\\frac{1}{2}\\Big)", "\\textstyle\\sum_j x_j", "\\frac1N", "\\frac 1{N}",
    "\\mathcal L_Q", "\\sqrt T", "x_\\text{class}", "\\lVert v \\rVert"])
def test_formulas_are_read(tex):
    assert "<math" in formula(tex) and 'display="block"' in formula(tex, display=True)


@pytest.mark.parametrize("tex", ["\\nonsense{x}", "\\text{\\unknown}", "x_1_2", "\\left( x"])
def test_what_is_not_known_stays_tex(tex):
    assert f"<code>{tex}</code>" in formula(tex)


@pytest.mark.parametrize("tex", [
    "\\text{<script>alert(1)</script><img src=x onerror=alert(1)><b onclick=alert(1)>x</b><svg onload=alert(1)>}",
    "\\href{javascript:alert(1)}{x}", "\\style{background:url(x)}{x}", "\\class{x}{x}"])
def test_nothing_in_a_formula_acts(tex):
    shown = re.sub(r' alttext="[^"]*"', "", formula(tex))
    assert not re.findall(r"alert|script|<img|<b|<svg|href|style=|class=\"x", shown)


def test_figure_marks_what_is_not_emotion(monkeypatch):
    drawn = []
    monkeypatch.setattr(figure, "draw", lambda ax, y, row, numbers, draw=figure.draw: (
        draw(ax, y, row, numbers), drawn.append([line.get_markerfacecolor() for line in ax.lines])))
    both = pd.concat([table(n_seeds=3), table(n_seeds=3, data="simulated")])
    rows = figure.rows_of(audit(both))
    assert [row["data"].iloc[0] for row in rows] == ["emotion", "simulated"]
    before = dict(plt.rcParams)
    svg = figure.audit_figure(rows)
    assert svg.startswith("<?xml") and svg == figure.audit_figure(rows) and dict(plt.rcParams) == before
    assert "white" not in drawn[0] and drawn[1][len(drawn[0]):] == ["white"] * 2


def test_protocols_of_the_same_seeds_are_one_row():
    same = table(n_seeds=2)
    rows = figure.rows_of(audit(pd.concat([same, same.assign(**{"parameters.protocol": "published"})])))
    assert len(rows) == 1 and rows[0]["settings"].iloc[0] == "" and rows[0]["note"].iloc[0] == ""
    assert start.spread_over(rows[0]) == "2 seeds, 2 repeated runs averaged"


def test_equal_runs_are_not_one_run():
    (row,) = figure.rows_of(audit(pd.concat([table(), table()])))
    assert start.spread_over(row) == "the mean of 2 runs of one seed"
    assert start.spread_over(figure.rows_of(audit(table()))[0]) == "one run"


def test_no_line_joins_what_is_not_in_pairs():
    published = table(n_seeds=2, **{"parameters.protocol": "published"}).drop(columns="metrics.accuracy_by_trial")
    by_trial = table(n_seeds=2).drop(columns="metrics.accuracy_published")
    crossed = by_trial.assign(**{"parameters.seed": by_trial["parameters.seed"] + 2})
    joined = {}
    for name, other in (("same", by_trial), ("crossed", crossed)):
        (row,) = figure.rows_of(audit(pd.concat([published, other])))
        ax = plt.figure().add_subplot()
        figure.draw(ax, 0, row, numbers=True)
        texts = [text.get_text() for text in ax.texts]
        joined[name] = len(ax.collections), any("not in pairs" in text for text in texts)
        plt.close()
    assert joined["same"][0] == joined["crossed"][0] + 1, "the line from mark to mark"
    assert (joined["same"][1], joined["crossed"][1]) == (False, True)
    found = start.comparison_rows(pd.concat([published, crossed]))
    assert [(row["n"], row["change"], row["p"]) for row in found if row["first"] == "as published"] == [(0, "", "")]


def test_what_a_spread_is_over_is_said_of_each_score_where_they_differ():
    published = table(n_seeds=2, **{"parameters.protocol": "published"}).drop(columns="metrics.accuracy_by_trial")
    by_trial = table(n_seeds=2, **{"parameters.protocol": "by_trial"}).drop(columns="metrics.accuracy_published")
    (row,) = figure.rows_of(audit(pd.concat([published, by_trial])))
    assert start.spread_over(row) == "2 seeds"
    apart = by_trial.assign(**{"parameters.seed": [2, 2]})
    (row,) = figure.rows_of(audit(pd.concat([published, apart])))
    assert start.spread_over(row) == "as published: 2 seeds; trials left out: the mean of 2 runs of one seed"


def test_a_folder_that_cannot_be_made_is_named_as_it_was_given(runs, capsys):
    assert cli.main(["report", str(runs), "--out", "/proc/x"]) == 2
    assert "/proc/x cannot be made" in capsys.readouterr().err
