"""An executed notebook as one HTML page: pictures inside, formulas drawn, nothing in it that runs or is fetched."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from pathlib import Path

import nbformat
import nh3
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from ..notebooks.cells import sections
from ..values import one_line
from .formulas import formula

TAGS = {"a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div",
        "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "li",
        "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot",
        "th", "thead", "tr", "tt", "u", "ul"}
PLAIN = {"class", "id", "title", "alt", "width", "height", "colspan", "rowspan", "scope", "align", "start", "open"}
NOT_TEXT = {"style", "script", "template", "noscript"}  # what stands in them goes, too
HEADING = re.compile(r'<h([23]) id="([^"]*)">(.*?)<a class="anchor-link"', re.DOTALL)
NO_PICTURE = re.compile(r"<img(?![^>]*\bsrc=)[^>]*>")  # what is left of one that lies elsewhere
# where a formula goes once the text around it has been cleaned: private characters, its kind, its TeX in hexadecimal
TOKEN, FOUND = "\ue000{}{}\ue001", re.compile("\ue000([di])([0-9a-f]*)\ue001")
CACHED = 8192  # cells: the runs of a sweep have the same text and code, and a page then takes half the time


def allowed(tag: str, name: str, value: str) -> str | None:
    """Return an attribute's value if it may stay: links lead away, pictures are inside, nothing acts."""
    starts = {"href": ("#", "http://", "https://", "mailto:"), "src": ("data:image/",)}.get(name, "")
    return value if value.startswith(starts) else None


class Trusted(str):
    """HTML that this module made itself and that needs no cleaning."""


def clean(html: str) -> str:
    """Return HTML of a notebook without anything that runs, styles or fetches."""
    return html if isinstance(html, Trusted) else cleaned(str(html))


@lru_cache(maxsize=CACHED)
def cleaned(html: str) -> str:
    """Return HTML with the tags and attributes that may stay."""
    kept = nh3.clean(html, tags=TAGS, clean_content_tags=NOT_TEXT, attribute_filter=allowed, link_rel=None,
                     attributes={"*": PLAIN, "a": {"href"}, "img": {"src"}},
                     url_schemes={"http", "https", "mailto", "data"})
    return NO_PICTURE.sub("", kept)


@lru_cache(maxsize=CACHED)
def highlighted(code: str) -> Trusted:
    """Return code in colours."""
    return Trusted(Highlight2HTML(pygments_lexer="ipython3")(code))


def later(tex: str, display: bool = False) -> str:
    """Return what stands for a formula until it is drawn."""
    return TOKEN.format("d" if display else "i", tex.encode().hex())


class Renderer(IPythonRenderer):
    """nbconvert's markdown, with formulas set aside and pictures from elsewhere as links."""

    def inline_math(self, body: str) -> str:
        """Set a formula in running text aside."""
        return later(body)

    def block_math(self, body: str) -> str:
        """Set a formula on a line of its own aside."""
        return later(body, display=True)

    def latex_environment(self, name: str, body: str) -> str:
        r"""Set what stands between \begin and \end aside."""
        return later(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Return a picture that lies in the notebook, or a link to any other."""
        made = super().image(text, url, title)
        if 'src="data:' in made:
            return made
        return f'<a href="{escape(url)}">{escape(text or url)} (a picture elsewhere)</a>'


class PageExporter(HTMLExporter):
    """nbconvert's plain HTML with this module's markdown and cleaning."""

    def __init__(self, **options: object) -> None:
        super().__init__(template_name="basic", embed_images=True, sanitize_html=True, **options)
        self.register_filter("clean_html", clean)
        self.register_filter("highlight_code", lambda code, **_: highlighted(code))

    @pass_context
    def markdown2html(self, context: object, source: str) -> str:
        """Return markdown as HTML, a token in place of each formula."""
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = Renderer(escape=False, attachments=attachments, embed_images=False, path="")
        return MarkdownWithMath(renderer=renderer).render(source)


def describe_pictures(notebook: nbformat.NotebookNode) -> None:
    """Give each picture without a description one that says where it stands."""
    for cell, section in zip(notebook.cells, sections(notebook.cells), strict=True):
        if cell.cell_type == "code":
            where = f"section {section}" if section else "this notebook"
            cell.metadata.setdefault("alt", f"Figure of {where}; the text before it says what it shows")


def body(path: Path) -> tuple[str, list[tuple[int, str, str]]]:
    """Return an executed notebook as HTML, and its headings.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    html : str
    headings : list of (level, id, text)
        Levels 2 and 3.

    Raises
    ------
    ValueError
        A file that is not a notebook.
    """
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        describe_pictures(notebook)
        html, _ = PageExporter().from_notebook_node(notebook)
    except OSError:
        raise
    except Exception as error:  # nbformat and nbconvert raise what they meet: any of it means one damaged file
        raise ValueError(f"{path.name} is not a whole notebook: {one_line(error, 200)}") from error
    html = FOUND.sub(lambda found: formula(bytes.fromhex(found[2]).decode(), found[1] == "d"), html)
    headings = [(int(level), unescape(name), unescape(re.sub(r"<[^>]+>", "", text)).strip())
                for level, name, text in HEADING.findall(html)]
    return html, headings


@lru_cache(maxsize=1)
def code_style() -> str:
    """Return the style sheet of highlighted code."""
    return HtmlFormatter(style="xcode").get_style_defs(".highlight")
