"""What made a result: versions, commit, device, threads, time, memory."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import re
import subprocess
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from ..syntax import plain
from .metrics import markdown_table, read_outputs, show

MIME = "application/vnd.eegemo.provenance+json"
NOT_IN_RESULTS = ("__main__", "cli", "exit_codes", "runs/", "sweep/", "collect", "report/")
PACKAGES = ("torch", "torch-geometric", "numpy", "scipy", "pandas", "scikit-learn", "mne")


_run = {}  # "began": when the run of this process began, in seconds since 1970


def run_begins() -> None:
    """Note that a run begins: a kernel of `eegemo run` was started for it, any other may have been open for hours."""
    _run["began"] = process_start() if os.environ.get("EEGEMO_OUT") else time.time()


def process_start() -> float:
    """Return when this process was started, in seconds since 1970."""
    return psutil.Process().create_time()


def git_commit() -> str | None:
    """Return the commit of the checkout this package lies in, with "-dirty" for changed files, or None."""
    root = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None  # an installed copy that lies inside somebody else's repository
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def package_fingerprint() -> str:
    """Return a digest of the code of this package that a notebook can use, without comments and docstrings.

    What only starts runs or shows them (``NOT_IN_RESULTS``) is left out: a change there changes no result.
    """
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(NOT_IN_RESULTS):
            found = path.stat()
            digest.update(name.encode() + code_digest(path, found.st_mtime_ns, found.st_size))
    return digest.hexdigest()[:16]


@cache
def code_digest(path: Path, _mtime_ns: int, _size: int) -> bytes:
    """Return a digest of what a Python file does; reading all files takes half a second, and a worker asks often."""
    return hashlib.sha256(repr(plain(ast.parse(path.read_bytes()))).encode()).digest()


def processor() -> str:
    """Return the name of the processor as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def devices() -> dict[str, object]:
    """Return the device, the threads and the peak of GPU memory; asks PyTorch only where it is in use."""
    torch = sys.modules.get("torch")
    facts: dict[str, object] = {"device": processor(), "threads": os.cpu_count()}
    if torch is not None:
        facts["threads"] = torch.get_num_threads()
        if torch.cuda.is_initialized():
            facts["device"] = torch.cuda.get_device_name()
            facts["tf32"] = torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32
            facts["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return facts


def peak_memory_mb(pid: int | None = None) -> int | None:
    """Return the most memory that a process has held, in MiB, as far as the system says.

    Parameters
    ----------
    pid : int, optional
        The process, by default this one.

    Returns
    -------
    int or None
        On Linux and Windows the peak; elsewhere what the process holds now; None when it has ended.
    """
    try:
        if sys.platform == "linux":  # getrusage would count what the parent held when it forked
            status = Path(f"/proc/{pid or os.getpid()}/status").read_text(encoding="utf-8", errors="replace")
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            return round(int(peak[1]) / 2**10) if peak else None
        memory = psutil.Process(pid).memory_info()
        return round(getattr(memory, "peak_wset", memory.rss) / 2**20)
    except (OSError, psutil.Error):
        return None


def version(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def provenance(**facts: object) -> dict[str, object]:
    """Return what a result depends on besides its parameters.

    Parameters
    ----------
    **facts
        What the notebook adds, such as the parameters or ``data=trials.fingerprint()``.

    Returns
    -------
    dict
        Versions, commit, device, threads, platform, seconds since the run began,
        ``peak_memory_mb`` (MiB), and the facts.
    """
    return {
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := version(name))},
        "commit": git_commit(),
        "platform": platform.platform(),
        **devices(),
        "seconds": round(time.time() - (_run.get("began") or process_start()), 1),
        "peak_memory_mb": peak_memory_mb(),
        **facts,
    }


def show_provenance(**facts: object) -> None:
    """Show ``provenance(**facts)`` as a table and keep it; belongs in a cell tagged ``volatile``."""
    found = provenance(**facts)
    text = ", ".join(f"{name} {value}" for name, value in found.items())
    table = markdown_table(found, ("made with", ""))
    show({MIME: found, "text/markdown": table, "text/plain": text})


def read_provenance(path: str | Path) -> dict[str, object]:
    """Return what an executed notebook says of what made it; {} when it does not."""
    return read_outputs(path, MIME)
