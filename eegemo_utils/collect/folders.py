"""What the folder of one run says of itself, damaged or not."""

from __future__ import annotations

import os
from pathlib import Path

from ..runs.states import MARKS, look

SWEEP = "sweep.json"
INSIDE = {"previous", "figures", "checkpoints"}  # of a run folder: what lies there is not a run of its own
KINDS_OF_DATA = {
    "emotion": "emotion data",
    "simulated": "simulated data, which say nothing about emotion",
    "not emotion": "real EEG without emotions",
    "unknown": "recordings whose labels are not known to be emotions",
}
EMOTION = {"faced", "deap", "dreamer", "seed", "seed_iv", "seed_v", "mped", "emotions"}
NOT_EMOTION = {"eegmat", "tuab", "tuev", "mobi"}


def kind_of_data(parameters: dict[str, object], provenance: dict[str, object]) -> str:
    """Return what a run's scores come from: a key of KINDS_OF_DATA.

    A dataset's own files may hold simulated recordings too: then their ``description`` in the provenance begins
    with "simulated", and wins over the dataset's name.
    """
    dataset = str(parameters.get("dataset", provenance.get("dataset", "")))
    if dataset == "simulated" or str(provenance.get("description", "")).startswith("simulated"):
        return "simulated"
    return "emotion" if dataset in EMOTION else "not emotion" if dataset in NOT_EMOTION else "unknown"


def find(root: Path) -> tuple[list[tuple[Path, set[str]]], list[Path], list[str]]:
    """Return the run folders below a folder with the names in them, the sweep files, and what could not be read."""
    runs, sweeps, problems, stack = [], [], [], [root]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            problems.append(f"{relative(folder, root)}: cannot be read: {error.strerror}")
            continue
        names = {name for name, _ in found}
        if names & MARKS:
            runs.append((folder, names))
        if SWEEP in names:
            sweeps.append(folder / SWEEP)
        skipped = INSIDE if names & MARKS else ()
        stack += [folder / name for name, is_folder in found
                  if is_folder and name not in skipped and not name.startswith(".")]
    return sorted(runs), sorted(sweeps), problems


def relative(path: Path, root: Path) -> str:
    """Return a path as it is told to readers: below the collected folder, with that folder's own name for itself.

    Bytes of a name that are no UTF-8, which no table or page can hold, are spelt out.
    """
    inside = path.relative_to(root).as_posix()
    return os.fsencode(root.name if inside == "." else inside).decode("utf-8", "backslashreplace")


def read_run(folder: Path, names: set[str], root: Path) -> tuple[dict[str, object], list[str]]:
    """Return the row of a run folder, and a line for each file in it that is damaged."""
    found = look(folder, names)
    known = found.marker | found.result
    row: dict[str, object] = {"run": relative(folder, root), "notebook": known.get("notebook")}
    row |= {"code": found.marker.get("code")}
    row |= {part: known[part] if isinstance(known.get(part), dict) else {} for part in ("parameters", "provenance")}
    row |= {name: known[name] for name in ("seconds", "peak_memory_mb", "fingerprint") if name in known}
    row |= {"status": found.status, "reason": found.reason, **found.facts}
    if row["run"] not in (folder.relative_to(root).as_posix(), root.name):  # bytes spelt out: a page could not be found
        row |= {"status": "damaged", "reason": "its folder's name is not UTF-8; rename it"}
        found.problems.append(row["reason"])
    if row["status"] == "done":
        row["metrics"] = found.result["metrics"]
    return row, [f"{row['run']}: {line}" for line in found.problems]
