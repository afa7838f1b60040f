"""A Slurm of one node, this machine, in a folder: its own munged, slurmctld and slurmd, ended with the test."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "sinfo", "squeue")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
CONFIGURATION = """
ClusterName=eegemo
SlurmctldHost={host}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=5
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def installed() -> bool:
    """Say whether all of Slurm and munge is here."""
    return all(shutil.which(program, path=PATH) for program in PROGRAMS)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def daemon(command: list, log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Run a program in the foreground of its own, and end it."""
    with open(log, "wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def one_node_slurm(folder: Path, seconds: float = 30) -> Iterator[dict[str, str]]:
    """Start Slurm and yield the environment with which its commands find it.

    Raises
    ------
    RuntimeError
        When it does not come up here, with the last lines of its logs.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    facts = {"host": socket.gethostname().split(".")[0], "user": getpass.getuser(), "folder": folder,
             "ctld_port": free_port(), "d_port": free_port()}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**facts))
    environment = os.environ | {"PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
              f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed"]
    with ExitStack() as stack:
        started = [stack.enter_context(daemon(munged, folder / "munged.out", environment))]
        waited(lambda: (folder / "munge.socket").exists(), started, seconds, folder)
        for program in (["slurmctld", "-D"], ["slurmd", "-D", "-N", facts["host"]]):
            started.append(stack.enter_context(daemon(program, folder / f"{program[0]}.log", environment)))
        waited(lambda: is_idle(environment), started, seconds, folder)
        yield environment


def is_idle(environment: dict[str, str]) -> bool:
    """Say whether the node takes jobs."""
    asked = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, env=environment)
    return asked.stdout.strip() == "idle"


def waited(there, processes: list[subprocess.Popen], seconds: float, folder: Path) -> None:
    """Wait until something is there, or raise RuntimeError with what the programs said."""
    end = time.monotonic() + seconds
    while not there():
        if time.monotonic() > end or any(process.poll() is not None for process in processes):
            said = {path.name: path.read_text(errors="replace").splitlines()[-3:] for path in folder.glob("*.log")}
            raise RuntimeError(f"Slurm does not come up here: {said}")
        time.sleep(0.2)
