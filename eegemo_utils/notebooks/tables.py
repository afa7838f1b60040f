"""Tables for readers: shown as HTML, never compared as text."""

from __future__ import annotations

from html import escape

import pandas as pd
from IPython.display import display


def show_table(table: pd.DataFrame, caption: str = "", digits: int = 3) -> None:
    """Show a table whose numbers may differ in the last digits from one processor to the next.

    The numbers travel as HTML only, which regression tests leave alone; the plain text names the table. Numbers that a
    test should hold go through `record`.

    Parameters
    ----------
    table : DataFrame
        Whole numbers are shown as they are, other numbers with `digits` decimals, missing ones as a dash.
    caption : str
        One line above the table.
    digits : int
        Decimals.
    """
    whole = {name: (lambda value: f"{value:.0f}") for name, column in table.items()
             if pd.api.types.is_numeric_dtype(column) and (column.dropna() % 1 == 0).all()}
    html = table.to_html(formatters=whole, float_format=lambda value: f"{value:.{digits}f}", na_rep="–", border=0)
    title = f"<b>{escape(caption)}</b>" if caption else ""
    display({"text/html": title + html, "text/plain": f"table: {caption}"}, raw=True)
