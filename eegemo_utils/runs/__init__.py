"""Running notebooks without a browser: one run with parameters, and the renewal of the committed ones.

The names below are imported when they are asked for: what only looks at the folders of runs never waits for papermill.
"""

import sys
from importlib import import_module

PLACES = {
    "RunError": ".engine",
    "RunResult": ".runner",
    "cannot_start": ".start",
    "check_writable": ".start",
    "publish_figures": ".refresh",
    "refresh": ".refresh",
    "results_table": ".runner",
    "run_notebook": ".runner",
}
__all__ = list(PLACES)
# jsonschema, which nbformat imports, builds a grammar of web addresses from it: a second, for checks that no notebook asks for
GRAMMAR = "rfc3987_syntax"


def __getattr__(name: str) -> object:
    """Import all of the names when one is asked for: ``refresh`` is a module's name too, and must end as a function."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    sys.modules.setdefault(GRAMMAR, None)  # what is None there cannot be imported, and jsonschema does without it
    globals().update({each: getattr(import_module(place, __name__), each) for each, place in PLACES.items()})
    if sys.modules[GRAMMAR] is None:
        del sys.modules[GRAMMAR]
    return globals()[name]
