"""Running notebooks without a browser: one run with parameters, and the renewal of the committed ones."""

from .engine import RunError
from .refresh import publish_figures, refresh
from .runner import RunResult, results_table, run_notebook

__all__ = ["RunError", "RunResult", "publish_figures", "refresh", "results_table", "run_notebook"]
