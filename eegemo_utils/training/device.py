"""Where a model runs, and in which precision."""

from __future__ import annotations

import contextlib

import torch

PRECISIONS = {"float64": None, "float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


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


def set_precision(name: str, device: torch.device, on_cuda: str = "float32") -> str:
    """Choose the precision of a run, and make PyTorch draw and compute in it from here on.

    In float64, drawn in float64 from the first weight on, processors give the same numbers to about ten digits;
    float32 trainings part by whole percents within a few epochs. So call it before anything random is drawn. On CUDA
    float32 means float32: TF32 is off, for matrix products and for convolutions.

    Parameters
    ----------
    name : {"auto", "float64", "float32", "bf16", "fp16"}
        ``"auto"`` takes float64 on a CPU and `on_cuda` on CUDA. bf16 and fp16 keep weights in float32; see `autocast`.
    device : torch.device
    on_cuda : str
        What ``"auto"`` means on CUDA.

    Returns
    -------
    str
        The precision, never ``"auto"``.

    Raises
    ------
    ValueError
        As in `autocast`.
    """
    if name == "auto":
        name = on_cuda if device.type == "cuda" else "float64"
    autocast(device, name)  # refuses what the device does not have
    torch.set_default_dtype(torch.float64 if name == "float64" else torch.float32)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return name


def autocast(device: torch.device, precision: str = "float32") -> contextlib.AbstractContextManager:
    """Context in which matrix products run in `precision`; ``"float64"`` and ``"float32"`` change nothing.

    Raises
    ------
    ValueError
        An unknown precision, or ``"fp16"`` on a CPU.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if precision == "fp16" and device.type != "cuda":
        raise ValueError(f"precision 'fp16' needs CUDA, found {device.type}; use 'bf16' or 'float32'")
    dtype = PRECISIONS[precision]
    return torch.autocast(device.type, dtype=dtype) if dtype else contextlib.nullcontext()
