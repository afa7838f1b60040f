r"""TeX formulas as pictures drawn when the page is made, so that a reader needs neither network nor script.

matplotlib's own TeX reader draws them; its outlines become one SVG path in the colour and size of the text around.
What it cannot read, such as ``\begin{cases}``, stays TeX, legibly.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

import matplotlib as mpl
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

EM = text_to_path.FONT_SCALE / 1.15  # outline units an em of the text around, whose letters are larger
STEPS = {Path.MOVETO: ("M", 1), Path.LINETO: ("L", 1), Path.CURVE3: ("Q", 2), Path.CURVE4: ("C", 3),
         Path.CLOSEPOLY: ("Z", 1)}
# what only sets sizes, which are fixed here
SIZES = re.compile(r"\\(?:[bB]igg?[lrm]?|displaystyle|textstyle|scriptstyle|limits|nolimits)(?![A-Za-z])")
# what TeX reads and matplotlib wants spelt out: arguments of one letter in braces, fractions in one of two sizes
SPELT_OUT = [
    (re.compile(r"\\[lr]Vert(?![A-Za-z])"), r"\\|"),
    (re.compile(r"\\[lr]vert(?![A-Za-z])"), "|"),
    (re.compile(r"(\\(?:mathcal|mathbb|mathbf|mathrm|sqrt|tilde|hat|bar)) *([A-Za-z0-9])(?![A-Za-z])"), r"\1{\2}"),
    (re.compile(r"(\\[td]?frac) *([A-Za-z0-9])"), r"\1{\2}"),
    (re.compile(r"(\\[td]?frac\{[^{}]*\}) *([A-Za-z0-9])"), r"\1{\2}"),
    (re.compile(r"([_^])(\\(?:text|mathrm|mathbf|mathcal)\{[^{}]*\})"), r"\1{\2}"),
    (re.compile(r"\\tfrac(?![A-Za-z])"), r"\\frac"),
]
ALIGNED = re.compile(r"^\\begin\{(aligned|align\*?|gather(?:ed)?\*?|split)\}(.*)\\end\{\1\}$", re.DOTALL)


def formula(tex: str, display: bool = False) -> str:
    """Return a formula as HTML.

    Parameters
    ----------
    tex : str
        Without dollar signs; ``aligned`` and its kin become one line below the other.
    display : bool
        On a line of its own, not in running text.

    Returns
    -------
    str
        A ``<span>`` with an SVG picture that carries the TeX as its text, or with the TeX itself.
    """
    tex = tex.strip()
    aligned = ALIGNED.match(tex)
    lines = re.split(r"\\\\(?:\[[^]]*\])?", aligned[2]) if aligned else [tex]
    try:
        drawn = [outline(line.replace("&", "") if aligned else line, display) for line in lines if line.strip()]
    except (ValueError, RuntimeError):
        drawn = [f"<code>{escape(tex)}</code>"]
    kind = "formula display" if display or aligned else "formula"
    return f'<span class="{kind}">' + "<br>".join(drawn) + "</span>"


@lru_cache(maxsize=4096)
def outline(tex: str, display: bool = False) -> str:
    """Return one line of TeX as an SVG picture; raises ValueError for what matplotlib cannot read."""
    text = " ".join(SIZES.sub("", tex).split())
    if display:
        text = re.sub(r"\\frac(?![A-Za-z])", r"\\dfrac", text)
    for pattern, spelt in SPELT_OUT:
        text = pattern.sub(spelt, text)
    with mpl.rc_context({"mathtext.fontset": "stix"}):
        font = FontProperties(size=text_to_path.FONT_SCALE)
        width, height, depth = text_to_path.get_text_width_height_descent(f"${text}$", font, ismath=True)
        vertices, codes = text_to_path.get_text_path(font, f"${text}$", ismath=True)
    pad = 0.04 * EM  # outlines reach a little beyond what their metrics say
    box = (-pad, -(height - depth) - pad, width + 2 * pad, height + 2 * pad)
    size = f"width:{box[2] / EM:.3f}em;height:{box[3] / EM:.3f}em;vertical-align:{-(depth + pad) / EM:.3f}em"
    view = " ".join(f"{value:.1f}" for value in box)
    return (f'<svg role="img" aria-label="{escape(tex)}" viewBox="{view}" style="{size}"><title>{escape(tex)}</title>'
            f'<path fill="currentColor" d="{path_data(vertices, codes)}"/></svg>')


def path_data(vertices, codes) -> str:
    """Return an outline as SVG writes it; SVG counts downwards."""
    parts, i = [], 0
    while i < len(codes):
        letter, n = STEPS[codes[i]]
        points = [] if letter == "Z" else [f"{x:.1f} {-y:.1f}" for x, y in vertices[i: i + n]]
        parts.append(letter + " ".join(points))
        i += n
    return "".join(parts)
