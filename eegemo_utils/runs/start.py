"""Whether a run can start: its recordings, weights, device, precision and folder, said before a kernel starts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..notebooks import ParameterError, did_you_mean


def cannot_start(values: Mapping[str, object], given: Mapping[str, object]) -> str:
    """Return why a run with all these values cannot start on this machine, "" when it can.

    Parameters
    ----------
    values : Mapping
        All parameters, defaults included.
    given : Mapping
        Those of them that were given.
    """
    if given.get("data_root") and "dataset" in values and "dataset" not in given:
        return (f"data_root {given['data_root']!r} says where a dataset lies, but not which one it is, and without it "
                f"dataset is {values['dataset']!r}. Give dataset too: -p dataset NAME.")
    return no_data(values) or no_device(values)


def check_writable(out: Path, option: str = "--out") -> None:
    """Raise ParameterError when results cannot go to a folder; nothing is left behind there."""
    there = out
    try:
        if out.is_file():
            raise ParameterError(f"{out} is a file. Give a folder, or a name for a new one.")
        there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
        with tempfile.TemporaryDirectory(dir=there, prefix=".eegemo-"):
            pass
    except OSError as error:
        reason = "it would lie in a file" if there.is_file() else f"no file can be written in {there}"
        raise ParameterError(f"{out}: {reason} ({error.strerror}). Give another folder with {option}.") from error


def asked_for(values: Mapping[str, object]) -> dict[str, object]:
    """Return those of a run's parameters that its start depends on; weights are parameters called ``..._weights``."""
    names = ("dataset", "data_root", "device", "precision")
    return {name: value for name, value in values.items() if name in names or name.endswith("_weights")}


def no_device(values: Mapping[str, object]) -> str:
    """Return why a run's device or precision is not to be had here; "" when it is, or the run names none."""
    device, precision = str(values.get("device", "cpu")), values.get("precision")
    if not device.startswith("cuda") and (precision != "fp16" or "device" not in values):
        return ""  # everything else works everywhere, which spares the seconds that PyTorch takes
    from ..training.device import autocast, choose_device

    try:
        autocast(choose_device(device), "fp16" if precision == "fp16" else "float32")
    except ValueError as error:
        return f"{error}."
    return ""


def no_data(values: Mapping[str, object]) -> str:
    """Return why a run's recordings or weights are not there; "" when they are, or the run names none."""
    weights = (_not_there(name, file) for name, file in asked_for(values).items()
               if name.endswith("_weights") and file and isinstance(file, str))
    return _no_recordings(values) or next(filter(None, weights), "")


def _no_recordings(values: Mapping[str, object]) -> str:
    dataset, root = values.get("dataset"), values.get("data_root")
    if dataset in (None, "simulated") or root is None:
        return ""
    from ..datasets import MODULES  # late: MNE

    if dataset not in MODULES:
        guess = did_you_mean(dataset, MODULES)
        return f"There is no dataset {dataset!r}.{guess} There are: {', '.join(MODULES)}."
    return _not_there(f"dataset {dataset}", root, MODULES[dataset].FACTS["folders"])


def _not_there(what: str, path: object, folders: tuple[str, ...] = ()) -> str:
    from ..datasets import resolve_root  # late: MNE
    from ..trials import DatasetError

    try:
        resolve_root(path, folders)
    except DatasetError as error:
        return f"{what}: {error}"
    return ""
