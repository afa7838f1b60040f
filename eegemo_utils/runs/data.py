"""Whether the recordings that a run asks for are there, said before it starts."""

from __future__ import annotations

from collections.abc import Mapping

from ..notebooks import did_you_mean


def no_data(values: Mapping[str, object]) -> str:
    """Return why a run's recordings are not there; "" when they are, or are simulated, or the run names none."""
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
