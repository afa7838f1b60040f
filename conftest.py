"""How ``pytest --nbval notebooks/gru.ipynb`` compares a notebook that it re-runs with what is stored in it.

Text is compared as text. Numbers recorded by ``record`` are compared at 1e-6: default runs draw and train in float64,
where processors agree to about ten digits. A cell that was never executed fails; nbval alone would pass it unread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator

import pytest

from eegemo_utils.notebooks import MIME, NOT_COMPARED

RELATIVE, ABSOLUTE = 1e-6, 1e-6
# warnings, and what holds the recorded numbers a second time for the reader's eye
NOT_TEXT = ("stderr", "text/html", "text/markdown", "image/svg+xml", MIME)

os.environ.setdefault("TQDM_DISABLE", "1")  # bars would be compared, and they hold times


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from the notebooks: their stored outputs were made on a CPU."""
    if config.getoption("nbval", False):
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def recorded(outputs: list) -> dict[str, object]:
    """Return the metrics of a cell's outputs."""
    merged = {}
    for output in outputs or ():
        merged.update(output.get("data", {}).get(MIME, {}))
    return merged


def differs(got: object, want: object) -> bool:
    """Say whether a metric is another one: floats with tolerance, all else to the letter."""
    if isinstance(want, float) and isinstance(got, int | float) and not isinstance(got, bool):
        return got != pytest.approx(want, rel=RELATIVE, abs=ABSOLUTE)
    return type(got) is not type(want) or got != want


def compare_metrics(got: dict[str, object], want: dict[str, object]) -> list[str]:
    """Return a line for each metric that is missing, new or different."""
    lines = [f"{name}: only in the stored notebook" for name in want if name not in got]
    lines += [f"{name}: not in the stored notebook" for name in got if name not in want]
    both = [name for name in want if name in got and name not in NOT_COMPARED]
    return lines + [
        f"{name}: {got[name]!r}, stored: {want[name]!r}" for name in both if differs(got[name], want[name])
    ]


def is_notebook_cell(item: pytest.Item) -> bool:
    """Say whether a test is a cell that nbval runs."""
    return type(item).__name__ == "IPyNbCell"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take out of nbval's comparison what is no text, and the outputs that git never holds."""
    if is_notebook_cell(item):
        item.parent.skip_compare = tuple(dict.fromkeys((*item.parent.skip_compare, *NOT_TEXT)))
        if "volatile" in item.cell.metadata.get("tags", ()):
            item.options["check"] = False


def largest_difference(got: dict[str, object], want: dict[str, object]) -> tuple[float, str]:
    """Return the largest difference of a recorded float, relative above 1, and the metric's name."""
    both = [name for name in want if name in got and name not in NOT_COMPARED and isinstance(want[name], float)]
    apart = [(abs(got[name] - want[name]) / max(1.0, abs(want[name])), name) for name in both if got[name] is not None]
    return max(apart, default=(0.0, ""))


def write_difference(item: pytest.Item, failed: bool) -> None:
    """Append to the file that EEGEMO_DIFFERENCES names how far a cell's numbers are from the stored ones."""
    got = recorded(item.test_outputs) if getattr(item, "test_outputs", None) else {}
    apart, metric = largest_difference(got, recorded(item.cell.outputs))
    row = {"notebook": item.path.stem, "cell": item.cell_num, "largest": apart, "metric": metric, "failed": failed}
    with open(os.environ["EEGEMO_DIFFERENCES"], "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Add to nbval's comparison: the cell had been executed, and its metrics agree."""
    if not is_notebook_cell(item):
        return (yield)
    failed = True
    try:
        result = yield
        if item.cell.execution_count is None:
            item.raise_cell_error("This cell was never executed; `make notebooks` executes it.")
        if item.options["check"]:
            lines = compare_metrics(recorded(item.test_outputs), recorded(item.cell.outputs))
            if lines:
                item.raise_cell_error("Metrics differ", "\n".join(lines))
        failed = False
        return result
    finally:
        if "EEGEMO_DIFFERENCES" in os.environ:
            write_difference(item, failed)
