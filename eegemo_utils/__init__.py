"""Shared pieces of the EEG emotion-recognition notebooks.

Nothing is imported here: a notebook asks for the module it needs (``from eegemo_utils import splits``),
so that reading a table never waits for PyTorch.
"""


def __getattr__(name: str) -> str:
    """Return ``__version__``: that of the installed package, made from the git tag when it was built."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import metadata  # late: most commands print no version

    try:
        return metadata.version("eegemo-utils")
    except metadata.PackageNotFoundError:  # the sources on a path, never installed
        return "unknown"
