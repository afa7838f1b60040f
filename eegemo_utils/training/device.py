"""Where a model runs, and in which precision."""

from __future__ import annotations

import contextlib

import torch

PRECISIONS = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str = "auto") -> torch.device:
    """Device to run on: ``"auto"`` takes CUDA where there is one, else the CPU.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "cuda:<n>"}

    Raises
    ------
    ValueError
        An unknown name, or CUDA asked for where this PyTorch sees none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise ValueError(f"device {name!r} is not one of 'auto', 'cpu', 'cuda', 'cuda:<n>'")
    if kind == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda or "none: this is a CPU build of PyTorch"
        raise ValueError(f"device {name!r} was asked for, but PyTorch {torch.__version__} sees no CUDA "
                         f"device (built for CUDA {built}). Use 'auto' or 'cpu', or install a CUDA build")
    if number and kind == "cuda" and int(number) >= torch.cuda.device_count():
        raise ValueError(f"device {name!r} was asked for; CUDA devices: {torch.cuda.device_count()}")
    return torch.device(name)


def autocast(device: torch.device, precision: str = "float32") -> contextlib.AbstractContextManager:
    """Context in which matrix products run in `precision`; ``"float32"`` changes nothing.

    Raises
    ------
    ValueError
        An unknown precision, or ``"fp16"`` on a CPU.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if precision == "fp16" and device.type != "cuda":
        raise ValueError(f"precision 'fp16' needs CUDA, found {device.type}; use 'bf16' or 'float32'")
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=PRECISIONS[precision])
