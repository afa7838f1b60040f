"""Where runs are executed: worker processes here, any Dask cluster by its address, or jobs of Slurm."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dask
import psutil
from distributed import Client, Nanny, Scheduler, SpecCluster, Status

from ..notebooks import ParameterError
from ..processes import cores
from .work import DEATHS

MEMORY_FOR_A_RUN = 2 * 2**30  # bytes, for the number of workers where none is given; what notebooks stay under
PATIENCE = 20  # seconds for a scheduler to answer
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS,
    # A worker gets a run when it is free, not before: a run that only waits there is not blamed when it dies.
    "distributed.scheduler.worker-saturation": 1.0,
    # Dask would set its own numbers of threads and make memory allocation slow.
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.worker.daemon": True,
    # Dask would look a hundred times a second at what its processes do, which takes 6 % of a core from the runs.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.deploy.lost-worker-timeout": "3s",  # before a job whose worker has ended counts as gone
}


@dataclass
class Engine:
    """A cluster that is ready for runs.

    Attributes
    ----------
    client : distributed.Client
        Takes the runs.
    where : str
        What it is, for a reader.
    environment : dict
        Variables that each kernel gets.
    resources : dict
        What each run needs of its worker.
    is_local : bool
        Whether the runs share this machine's memory.
    renew : callable
        Called now and then: asks again for workers that have ended.
    """

    client: Client
    where: str
    environment: dict[str, str]
    resources: dict[str, float]
    is_local: bool = False
    renew: Callable[[], object] = lambda: None


class Cluster(SpecCluster):
    """Processes here, which may be ended while they start."""

    async def _close(self) -> None:
        """End all of them; then Dask insists that none was still to be started, as one is after an early Ctrl-C."""
        try:
            await super()._close()
        except AssertionError:
            self.status = Status.closed


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    asked = subprocess.run(query, capture_output=True, text=True, timeout=60)
    return asked.stdout.split() if asked.returncode == 0 else []


def gpu_slots(found: list[str], per_run: float) -> list[str]:
    """Return the CUDA_VISIBLE_DEVICES of each slot for a run.

    Parameters
    ----------
    found : list of str
        The GPUs that there are.
    per_run : float
        GPUs for each run: a whole number, or a part such as 0.5 for two runs on one GPU.

    Raises
    ------
    ParameterError
        When it is neither, or more than there are.
    """
    share = round(1 / per_run) if 0 < per_run < 1 else 1
    size = 1 if per_run < 1 else round(per_run)
    if per_run <= 0 or abs(per_run - (1 / share if per_run < 1 else size)) > 0.01:
        raise ParameterError(f"--gpus-per-run takes 1, 2, ... or a part such as 0.5 or 0.25, not {per_run:g}.")
    if size > len(found):
        raise ParameterError(f"--gpus-per-run {per_run:g}, but there are {len(found)} GPUs here.")
    groups = [",".join(found[start : start + size]) for start in range(0, len(found) - size + 1, size)]
    return [group for group in groups for _ in range(share)]


def plan(n_runs: int, workers: int | None, gpus_per_run: float | None) -> tuple[int, list[str | None]]:
    """Return the number of local workers and the CUDA_VISIBLE_DEVICES of each (None: as it is here)."""
    found = gpus()
    per_run = 1.0 if gpus_per_run is None else gpus_per_run
    if not found and gpus_per_run is None:
        by_memory = psutil.virtual_memory().total // MEMORY_FOR_A_RUN
        count = workers or max(1, min(cores(), by_memory, n_runs))
        return count, [None] * count
    slots = gpu_slots(found, per_run)
    if workers and workers > len(slots):
        raise ParameterError(
            f"--workers {workers}, but {len(found)} GPUs with {per_run:g} for each run make {len(slots)}."
        )
    count = workers or min(len(slots), n_runs)
    return count, slots[:count]


def threads(workers: int) -> dict[str, str]:
    """Return the variables that give each of so many runs its part of the cores; those that are set stay."""
    share = str(max(1, cores() // workers))
    return {name: os.environ.get(name, share) for name in THREADS}


@contextmanager
def local(n_runs: int, workers: int | None = None, gpus_per_run: float | None = None) -> Iterator[Engine]:
    """Start worker processes here, one run at a time in each, and end them afterwards."""
    count, slots = plan(n_runs, workers, gpus_per_run)
    environment = threads(count)
    quiet_logs()
    scratch_space = tempfile.TemporaryDirectory(prefix="eegemo-", ignore_cleanup_errors=True)
    with scratch_space as scratch, dask.config.set(SETTINGS):
        options = {
            "nthreads": 1,
            "memory_limit": 0,  # it would count the worker's memory, and the kernel is what needs some
            "preload": ["eegemo_utils.sweep.preload"],
            "local_directory": scratch,
            "silence_logs": logging.CRITICAL,
            "dashboard": False,
        }
        names = {} if slots[0] is None else {i: {"env": {"CUDA_VISIBLE_DEVICES": slot}} for i, slot in enumerate(slots)}
        nannies = {i: {"cls": Nanny, "options": options | names.get(i, {})} for i in range(count)}
        address = {"host": "127.0.0.1", "port": 0, "dashboard": True, "dashboard_address": "127.0.0.1:8787"}
        scheduler = {"cls": Scheduler, "options": address}
        with quiet_warnings(), Cluster(nannies, scheduler, silence_logs=logging.CRITICAL) as cluster:
            with Client(cluster) as client:
                on = f" on {', '.join(slots)}" if slots[0] else ""
                where = f"{count} worker{'s' * (count > 1)}{on}, {environment[THREADS[0]]} threads each"
                yield Engine(client, where, environment, {}, is_local=True)


def quiet_logs() -> None:
    """Keep Dask, and what it runs on, from telling deaths and refused jobs with a page each: the sweep tells them."""
    for name in ("distributed", "asyncio", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def quiet_warnings() -> Iterator[None]:
    """Keep Dask from warning that the dashboard's usual port is taken: its address is told anyhow."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Port .* is already in use")
        yield


@contextmanager
def remote(address: str, gpus_per_run: float | None = None) -> Iterator[Engine]:
    """Use a Dask cluster that runs already; its workers stay as they are."""
    try:
        client = Client(address, timeout=PATIENCE, name="eegemo-sweep")
    except (OSError, ValueError) as error:
        raise ParameterError(f"No Dask scheduler answers at {address}: {error}.") from error
    with client:
        several = [worker for worker, count in client.nthreads().items() if count > 1]
        if several:
            print(
                f"eegemo: {len(several)} workers take several runs at a time; start them with --nthreads 1",
                file=sys.stderr,
            )
        resources = {"GPU": gpus_per_run} if gpus_per_run else {}
        yield Engine(client, f"{len(client.nthreads())} workers at {address}", {}, resources)

