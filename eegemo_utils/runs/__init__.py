"""Running notebooks without a browser: one run with parameters, and the renewal of the committed ones.

The names below are imported when they are asked for: what only looks at the folders of runs never waits for papermill.
"""

from importlib import import_module

PLACES = {
    "RunError": ".engine",
    "RunResult": ".runner",
    "no_data": ".data",
    "publish_figures": ".refresh",
    "refresh": ".refresh",
    "results_table": ".runner",
    "run_notebook": ".runner",
}
__all__ = list(PLACES)


def __getattr__(name: str) -> object:
    """Import all of the names when one is asked for: ``refresh`` is a module's name too, and must end as a function."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals().update({each: getattr(import_module(place, __name__), each) for each, place in PLACES.items()})
    return globals()[name]
