"""What each local worker process does first."""

import signal


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the sweep, which ends the workers itself; import once what every run needs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from . import work  # noqa: F401
