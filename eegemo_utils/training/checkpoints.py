"""Files from which an interrupted training goes on."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch

from eegemo_utils.files import one_move
from eegemo_utils.syntax import source_tree


def checkpoint_path(name: str) -> Path | None:
    """Where a training called `name` keeps its checkpoint: ``$EEGEMO_OUT/checkpoints/<name>.pt``.

    None where ``EEGEMO_OUT`` is unset: a notebook that is used interactively writes nothing.

    Raises
    ------
    ValueError
        `name` is not a plain file name.
    """
    if not re.fullmatch(r"[\w][\w.,=+-]*", name):
        raise ValueError(f"checkpoint name {name!r} must be a plain file name (letters, digits, _ - . , + =)")
    folder = os.environ.get("EEGEMO_OUT")
    return Path(folder) / "checkpoints" / f"{name}.pt" if folder else None


def save(path: Path, state: dict) -> None:
    """Write `state` so that `path` always holds a whole checkpoint, the old one or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_move(path) as partial:
        torch.save(state, partial)


def load(path: Path, mark: str) -> dict | None:
    """Read a checkpoint with the fingerprint `mark`.

    Returns None, with a warning that names the file, where it cannot be read or belongs to another
    training; None without one where there is no file. Only tensors and plain values are unpickled.
    """
    path = Path(path)
    if not path.exists():
        return None
    with open(path, "rb") as file:  # what the file system refuses is no damage: its own message stands
        try:
            with zipfile.ZipFile(file) as archive:  # torch.load does not look at the checksums
                if archive.testzip() is not None:
                    raise zipfile.BadZipFile("wrong checksum")
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
            found = state["fingerprint"]
        except Exception as error:  # a damaged file raises whatever its first bad byte leads to
            warnings.warn(f"checkpoint {path} cannot be read ({type(error).__name__}): it is truncated or "
                          "damaged. Training starts afresh and replaces it", stacklevel=2)
            return None
    if found != mark:
        warnings.warn(f"checkpoint {path} is of another training (other settings, rows, data or initial "
                      "weights). Training starts afresh and replaces it", stacklevel=2)
        return None
    return state


def fingerprint(*parts) -> str:
    """SHA-256 over nested settings, functions, arrays and tensors, in hexadecimal."""
    digest = hashlib.sha256()
    _feed(digest, parts)
    return digest.hexdigest()


def random_state(device: torch.device) -> dict:
    """State of PyTorch's global random generators (CPU, and `device` if it is a CUDA device)."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: dict, device: torch.device) -> None:
    """Put back what `random_state` returned; warn where it is of another kind of device."""
    torch.set_rng_state(state["cpu"])
    before = "cpu" if state["cuda"] is None else "cuda"
    if before != device.type:
        warnings.warn(f"a training that began on {before} goes on on {device.type}: rounding and random numbers "
                      f"differ from there on, so its result is not, bit for bit, that of one device", stacklevel=2)
    elif before == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def _feed(digest, value) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous()
        digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
    elif isinstance(value, dict):
        _feed(digest, list(value.items()))
    elif isinstance(value, (list, tuple)):
        digest.update(f"({len(value)}".encode())
        for part in value:
            _feed(digest, part)
    elif isinstance(value, functools.partial):
        _feed(digest, ["partial", value.func, value.args, value.keywords])
    elif hasattr(value, "__code__"):
        _feed(digest, _function(value))
    elif value is None or isinstance(value, (str, bytes, int, float)):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    else:  # an object: its address is no property of it, its class is
        named = value if hasattr(value, "__qualname__") else type(value)
        digest.update(f"{named.__module__}.{named.__qualname__}".encode())


def _function(function) -> list:
    """What makes a function itself, on any Python: name, syntax tree, defaults and captured plain values."""
    captured = [cell.cell_contents for cell in function.__closure__ or ()]
    defaults = *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()
    plain = [value for value in (*defaults, *captured)
             if isinstance(value, (str, int, float, tuple, type(None)))]
    return [function.__qualname__, repr(source_tree(function.__code__)), plain]
