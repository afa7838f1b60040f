"""Jobs of Slurm as workers, through dask-jobqueue: one job is one slot for a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
from distributed import Client, Status
from distributed.deploy.cluster import Cluster

from ..notebooks import ParameterError
from ..settings import find_file, read_yaml
from .engines import SETTINGS, THREADS, Engine, quiet_logs, quiet_warnings

OWN = ("jobs", "cpus")
FIXED = {"cores", "processes", "worker_extra_args", "job_cpu", "nanny"}  # one run at a time in a job: set below
SPARE = 0.1  # of the walltime, 5 minutes at most: for ending workers before Slurm does


def walltime_seconds(text: object) -> float:
    """Return the seconds of a Slurm time: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", str(text))
    if not match:
        raise ParameterError(f"walltime is {text!r}, but it takes a time such as '04:00:00' or '1-12:00:00'.")
    days, *parts = match.groups()
    numbers = [int(part) for part in parts if part]
    if days is None and len(numbers) < 3:
        return 60.0 * numbers[0] + (numbers[1] if len(numbers) == 2 else 0)
    hours, minutes, seconds = (*numbers, 0, 0)[:3]
    return 86400.0 * int(days or 0) + 3600 * hours + 60 * minutes + seconds


def lifetime(walltime: object) -> list[str]:
    """Return the arguments that end a worker before its job's walltime does.

    Slurm would kill it, which looks like a death and counts against the run that was going on; a worker that ends
    itself hands the run to another, which goes on from its checkpoints. The stagger keeps jobs that began together
    from ending together.
    """
    total = walltime_seconds(walltime)
    spare = min(300.0, SPARE * total)
    return ["--lifetime", f"{total - 2 * spare:.0f}s", "--lifetime-stagger", f"{spare / 2:.0f}s"]


def read_cluster(path: str | Path) -> dict[str, object]:
    """Return what a cluster file says: ``jobs``, ``cpus``, and arguments of ``dask_jobqueue.SLURMCluster``.

    Raises
    ------
    ParameterError
        When it cannot be read, lacks ``cpus``, ``memory`` or ``walltime``, or sets what is set by the sweep.
    """
    path = find_file(path, "cluster file")
    said = read_yaml(path, "cluster file")
    needed = ("cpus", "memory", "walltime")
    if not isinstance(said, dict) or any(name not in said for name in needed):
        raise ParameterError(f"The cluster file {path} must say {', '.join(needed)} of one job.")
    wrong = sorted(FIXED & set(said))
    if wrong:
        raise ParameterError(f"The cluster file {path} sets {', '.join(wrong)}; a job takes one run: say cpus instead.")
    if isinstance(said["walltime"], int):  # YAML reads 04:00:00 without quotes as a number to the base of 60
        raise ParameterError(f"The cluster file {path}: write the walltime in quotes, such as '04:00:00'.")
    walltime_seconds(said["walltime"])
    return said


def job_options(said: dict[str, object], gpus_per_run: float | None) -> dict[str, object]:
    """Return the arguments of dask-jobqueue's cluster for jobs that take one run at a time."""
    options = {name: value for name, value in said.items() if name not in OWN}
    extra = list(options.pop("job_extra_directives", None) or [])
    if gpus_per_run:
        if gpus_per_run != int(gpus_per_run):
            raise ParameterError(f"--gpus-per-run {gpus_per_run:g}: a job of Slurm takes whole GPUs.")
        extra.append(f"--gres=gpu:{int(gpus_per_run)}")
    # the last of a repeated argument counts: one run at a time, and a kernel's memory is Slurm's matter
    worker = ["--nthreads", "1", "--memory-limit", "0", "--preload", "eegemo_utils.sweep.preload"]
    return {
        "cores": said["cpus"],
        "processes": 1,
        "job_extra_directives": extra,
        "worker_extra_args": [*worker, *lifetime(said["walltime"])],
        "death_timeout": 120,
        **options,
    }


def told(job_class: type, problems: list[str]) -> type:
    """Return a class of jobs that notes why a job could not be submitted; dask-jobqueue would only log it."""

    class ToldJob(job_class):
        """A job of dask-jobqueue that tells when it is not taken."""

        async def start(self) -> None:
            """Submit the job."""
            try:
                await super().start()
            except Exception as error:
                said = str(error).partition("stderr:")[2] or str(error)
                problems.append(" ".join(said.replace("sbatch: error:", "").split()))
                self.status = Status.failed  # else the cluster would not close
                raise

    return ToldJob


def check(path: str | Path, gpus_per_run: float | None) -> None:
    """Raise ParameterError for a cluster file that jobs cannot be made from; submits none."""
    from dask_jobqueue import SLURMCluster

    quiet_logs()
    with dask.config.set(SETTINGS), quiet_warnings():
        cluster_of(path, read_cluster(path), gpus_per_run, SLURMCluster, []).close()


def cluster_of(path: str | Path, said: dict, gpus_per_run: float | None, kind: type, problems: list[str]) -> Cluster:
    """Return a cluster without jobs, or raise ParameterError."""
    try:
        return kind(job_cls=told(kind.job_cls, problems), **job_options(said, gpus_per_run))
    except (ValueError, TypeError, OSError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"The cluster file {path}: {str(error).splitlines()[0]}") from error


@contextmanager
def slurm(
    path: str | Path, jobs: int | None = None, gpus_per_run: float | None = None, cluster_class: type | None = None
) -> Iterator[Engine]:
    """Submit jobs, each a worker for one run at a time, and cancel them afterwards.

    Parameters
    ----------
    path : str or pathlib.Path
        The cluster file; ``notebooks/sweeps/cluster.yaml`` is an example.
    jobs : int, optional
        How many at once, in place of the file's.
    gpus_per_run : float, optional
        Adds ``--gres=gpu:N``.
    cluster_class : type, optional
        Of dask-jobqueue, by default SLURMCluster.

    Raises
    ------
    ParameterError
        When the cluster file is wrong, or Slurm does not take the job.
    """
    said = read_cluster(path)
    if cluster_class is None:
        from dask_jobqueue import SLURMCluster as cluster_class
    quiet_logs()
    count = jobs or int(said.get("jobs", 1))
    problems: list[str] = []
    with dask.config.set(SETTINGS):
        with quiet_warnings():
            cluster = cluster_of(path, said, gpus_per_run, cluster_class, problems)
        with cluster, Client(cluster) as client:

            def renew() -> None:
                # asked for again and again: jobs whose workers have ended are submitted anew by this call alone
                if problems and not any(job.job_id for job in cluster.workers.values()):
                    raise ParameterError(f"Slurm does not take the jobs that {path} describes: {problems[-1]}")
                cluster.scale(jobs=count)

            renew()
            where = f"{count} jobs of {said['cpus']} cores, asked for"
            yield Engine(client, where, dict.fromkeys(THREADS, str(said["cpus"])), {}, renew=renew)
