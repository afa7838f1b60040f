"""A pretend ``cuda:0`` for PyTorch's CPU build: what a machine without a GPU can prove of the CUDA path.

Its tensors hold CPU memory that nothing else sees. Mixing them with CPU tensors, ``.numpy()`` and generators of the
other device fail as on a GPU. Autograd, vmap, autocast, GradScaler and fused optimisers are PyTorch's own and take
their CUDA paths. Launches of kernels and waits of the host are counted by optimiser step, waits also by the line that
caused them. Not told: speed, memory, kernels' own limits, cuDNN, which attention kernel runs, races, rounding.

With the folder ``site`` on PYTHONPATH every Python process has it; ``$PRETEND_CUDA_REPORT/<process>.json`` is what was
counted. It leans on private interfaces of PyTorch, so it is made for one version.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "2.13.0"


def missing() -> str | None:
    """Return why the pretend device cannot be here, or None where it can."""
    found = importlib.metadata.version("torch").partition("+")[0]
    if found != VERSION:
        return f"the pretend device is made for PyTorch {VERSION}, found {found}"
    if sys.platform != "linux":
        return f"the pretend device needs Linux, found {sys.platform}"
    if shutil.which("g++") is None:
        return "the pretend device needs g++, which is not on PATH"
    return None


def install() -> None:
    """Make ``torch.device("cuda")`` work in this process, which must not have imported torch yet."""
    torch_folder = Path(importlib.util.find_spec("torch").origin).parent
    source = Path(__file__).with_name("guard.cpp")
    library = Path(tempfile.gettempdir()) / f"pretend-cuda-{os.getuid()}-{VERSION}-{source.stat().st_mtime_ns}.so"
    if not library.exists():
        made = library.with_suffix(f".{os.getpid()}")
        options = ["-std=c++20", "-O1", "-shared", "-fPIC", f"-I{torch_folder}/include", f"-L{torch_folder}/lib"]
        subprocess.run(["g++", *options, str(source), "-lc10", "-ltorch_cpu", "-o", str(made)], check=True)
        made.replace(library)
    for name in ("libc10.so", "libtorch_cpu.so"):
        ctypes.CDLL(str(torch_folder / "lib" / name), ctypes.RTLD_GLOBAL)
    ctypes.CDLL(str(library))  # before PyTorch looks for its CUDA hooks the first time
    from pretend_cuda import cuda

    cuda.install()
