"""What show_table shows, and what it keeps out of compared text."""

import numpy as np
import pandas as pd
import pytest

from eegemo_utils.notebooks import tables


@pytest.fixture
def shown(monkeypatch):
    bundles = []
    monkeypatch.setattr(tables, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def test_numbers_reach_html_alone(shown):
    table = pd.DataFrame({"n": [3, 4], "accuracy": [0.91257, np.nan], "note": ["<a>", "b"]})
    tables.show_table(table, "scores & more", digits=2)
    html, text = shown[0]["text/html"], shown[0]["text/plain"]
    assert "<td>3</td>" in html and "<td>0.91</td>" in html and "–" in html and "&lt;a&gt;" in html
    assert "<b>scores &amp; more</b>" in html
    assert text == "table: scores & more"


def test_whole_columns_have_no_decimals(shown):
    tables.show_table(pd.DataFrame({"n": [3.0, np.nan], "x": [1.5, 2.0]}), digits=1)
    assert "<td>3</td>" in shown[0]["text/html"] and "<td>2.0</td>" in shown[0]["text/html"]
