r"""TeX formulas as MathML, which browsers draw by themselves, without network or script.

What latex2mathml cannot read stays TeX, legibly.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

import nh3
from latex2mathml.converter import convert

TAGS = {"math", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow", "mspace",
        "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover"}
ATTRIBUTES = {"accent", "accentunder", "columnalign", "display", "displaystyle", "fence", "form", "linethickness",
              "lspace", "mathvariant", "maxsize", "minsize", "movablelimits", "rspace", "scriptlevel", "separator",
              "stretchy", "width"}
# latex2mathml finds the letter of an alphabet only in braces, and knows `align` alone of its kin
LETTER = re.compile(r"(\\math(?:cal|bb|bf|rm)) *([A-Za-z0-9])(?![A-Za-z])")
ALIGNED = re.compile(r"\\(begin|end)\{(?:aligned|gather(?:ed)?\*?)\}")


@lru_cache(maxsize=4096)
def formula(tex: str, display: bool = False) -> str:
    """Return a formula as HTML.

    Parameters
    ----------
    tex : str
        Without dollar signs.
    display : bool
        On a line of its own, not in running text.

    Returns
    -------
    str
        A ``<span>`` with MathML, whose ``alttext`` is the TeX, or with the TeX itself. Nothing in it runs or leads
        away.
    """
    tex = tex.strip()
    display = display or ALIGNED.match(tex) is not None
    try:
        known = ALIGNED.sub(r"\\\1{align*}", LETTER.sub(r"\1{\2}", tex))
        made = convert(known, display="block" if display else "inline")
    except Exception:  # latex2mathml's errors have no class in common, and broken TeX raises others, too
        made = "\\"
    if "\\" in made:  # a command that it does not know
        made = f"<code>{escape(tex)}</code>"
    else:
        made = nh3.clean(made, tags=TAGS, attributes={tag: ATTRIBUTES for tag in TAGS},
                         set_tag_attribute_values={"math": {"alttext": tex}})
    kind = "formula display" if display else "formula"
    return f'<span class="{kind}">{made}</span>'
