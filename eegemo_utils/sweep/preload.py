"""What each worker process does first, and last."""

import signal


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the sweep, which ends the workers itself; import once what every run needs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from ..runs import run_notebook  # noqa: F401
    from . import work  # noqa: F401


def dask_teardown(worker: object) -> None:
    """End the kernel of a worker that is ended, as at the end of its lifetime: another one will take the run."""
    from .work import stop_runs

    stop_runs()
