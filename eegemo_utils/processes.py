"""One function, many jobs, several processes; one that dies takes its own job with it and nothing else."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Died:
    """Stands for the result of a job whose process ended without a word (out of memory, a crash in a library)."""


def each(function: Callable, jobs: Sequence, n_jobs: int) -> Iterator[tuple[object, object]]:
    """Call a function with each job.

    Parameters
    ----------
    function : callable
        Of one argument; one that can be pickled unless `n_jobs` is 1.
    jobs : sequence
    n_jobs : int
        Processes; 1: no other than this one, which then dies with a job that crashes.

    Yields
    ------
    job, result
        In the order in which they are ready. What the function raises is raised here. The result is `Died` where a
        job killed its process, also when it ran alone.
    """
    if n_jobs == 1:
        for job in jobs:
            yield job, function(job)
        return
    waiting, suspects = list(reversed(jobs)), []
    while waiting:
        yield from _in_processes(function, waiting, n_jobs, suspects)
        while suspects:
            job, again = suspects.pop(), []
            yield from _in_processes(function, [job], 1, again)
            if again:
                yield job, Died()


def _in_processes(function, waiting: list, n_jobs: int, suspects: list) -> Iterator[tuple[object, object]]:
    """Take jobs from the end of `waiting`; when a process dies, those that ran then become `suspects`, and it ends."""
    context = multiprocessing.get_context("spawn")  # forked copies of PyTorch's and HDF5's threads and locks hang
    running = {}
    with ProcessPoolExecutor(n_jobs, context, initializer=_prepare) as pool:
        while waiting or running:
            while waiting and len(running) < n_jobs and not suspects:
                job = waiting.pop()
                try:
                    running[pool.submit(function, job)] = job
                except BrokenProcessPool:
                    suspects.append(job)
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(job)
                else:
                    yield job, future.result()


def _prepare() -> None:
    """End with the process that started this one, so that a killed build leaves nothing running; Ctrl-C is for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
