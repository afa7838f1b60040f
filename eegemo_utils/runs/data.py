"""Whether the recordings and weights that a run asks for are there, said before it starts."""

from __future__ import annotations

from collections.abc import Mapping

from ..notebooks import did_you_mean


def asked_for(values: Mapping[str, object]) -> dict[str, object]:
    """Return those of a run's parameters that name files: recordings, and weights (parameters called ``..._weights``)."""
    return {name: value for name, value in values.items()
            if name in ("dataset", "data_root") or name.endswith("_weights")}


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
