"""Run folders as `eegemo run` and `eegemo sweep` leave them, made without running anything."""

import base64
import io
import json
from pathlib import Path

import nbformat
from PIL import Image

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def write(path: Path, content: object) -> None:
    """Write text as it is, all else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def finished(folder: Path, notebook: str = "gru", metrics=None, content: object = NOTEBOOK, provenance=None,
             **parameters) -> Path:
    """Write the folder of a finished run."""
    parameters = {"dataset": "simulated", "protocol": "by_trial", "seed": 0} | parameters
    write(folder / "run.json", {"notebook": notebook, "code": "c0de", "parameters": parameters})
    write(folder / f"{notebook}.ipynb", content)
    result = {"notebook": notebook, "metrics": metrics or {}, "parameters": parameters,
              "provenance": provenance or {"torch": "2.13.0"}, "seconds": 1.5, "peak_memory_mb": 100}
    write(folder / "metrics.json", result)
    return folder


def failed(folder: Path, notebook: str = "gru", error=None, **parameters) -> Path:
    """Write the folder of a run whose third cell raised."""
    write(folder / "run.json", {"notebook": notebook, "code": "c0de", "parameters": parameters})
    made = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output("error", ename="ValueError", evalue="no such\nelectrode",
                                    traceback=["\x1b[31mValueError\x1b[0m: no such electrode"])
    made.cells = [nbformat.v4.new_markdown_cell("# It stops"),
                  nbformat.v4.new_code_cell("pick('XX')", execution_count=3, outputs=[output])]
    write(folder / f"{notebook}.failed.ipynb", nbformat.writes(made))
    if error:
        write(folder / "error.json", error)
    return folder


def sweep(folder: Path, *runs: dict) -> Path:
    """Write the file of a sweep."""
    write(folder / "sweep.json", {"sweep": "small", "notebooks": ["gru"], "runs": list(runs)})
    return folder


def picture() -> str:
    """Return a small PNG in base64."""
    file = io.BytesIO()
    Image.new("RGB", (640, 320), (0, 114, 178)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def executed(*more: nbformat.NotebookNode) -> str:
    """Return an executed notebook with headings, formulas, a table, a picture, and what must not come through."""
    new_code, new_text, new_output = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell, nbformat.v4.new_output
    hostile = ("<script>document.title = 'taken over'</script><style>body { display: none }</style>"
               "<img src='https://example.org/spy.png' onerror='document.title = 1'><iframe src='https://example.org'>"
               "</iframe><table class='dataframe'><tbody><tr><td>in the table</td></tr></tbody></table>")
    made = nbformat.v4.new_notebook()
    made.cells = [
        new_text("# A paper\n\nInline $x_t = \\tfrac12 \\sum_i w_i$ and \\\\(y\\\\), money: 5\\$.\n\n"
                 "$$\\begin{aligned} a &= b \\\\ c &= \\big(d\\big) \\end{aligned}$$\n\n"
                 "$$\\begin{cases} 1 & x > 0 \\\\ 0 & x < 0 \\end{cases}$$"),
        new_text("## 1 Data & more\n\n![far away](https://example.org/far.png) and [a link](https://example.org/paper)"
                 "\n\n<b onclick='alert(1)'>bold</b> [bad](javascript:alert(1))"),
        new_code("x = 1  # <b>not bold</b>", execution_count=1, outputs=[
            new_output("display_data", {"text/html": hostile, "text/plain": "hostile"}),
            new_output("display_data", {"image/png": picture(), "text/plain": "figure"}),
            new_output("stream", name="stdout", text="printed < this\n")]),
        *more,
    ]
    return nbformat.writes(made)
