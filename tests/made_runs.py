"""Run folders as `eegemo run` and `eegemo sweep` leave them, made without running anything."""

import json
from pathlib import Path

import nbformat

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
