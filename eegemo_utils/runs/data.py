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
    return _no_recordings(values) or _no_weights(values)


def _no_weights(values: Mapping[str, object]) -> str:
    for name, file in asked_for(values).items():
        if name.endswith("_weights") and file and isinstance(file, str):
            from .. import datasets  # late: MNE
            from ..trials import DatasetError

            try:
                datasets.resolve_root(file)
            except DatasetError as error:
                return f"{name}: {error}"
    return ""


def _no_recordings(values: Mapping[str, object]) -> str:
    dataset, root = values.get("dataset"), values.get("data_root")
    if dataset in (None, "simulated") or root is None:
        return ""
    from .. import datasets  # late: MNE
    from ..trials import DatasetError

    if dataset not in datasets.MODULES:
        guess = did_you_mean(dataset, datasets.MODULES)
        return f"There is no dataset {dataset!r}.{guess} There are: {', '.join(datasets.MODULES)}."
    try:
        datasets.resolve_root(root, datasets.MODULES[dataset].FACTS["folders"])
    except DatasetError as error:
        return f"dataset {dataset}: {error}"
    return ""
