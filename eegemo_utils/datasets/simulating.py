"""Simulated recordings come into a folder whole, and never in the place of others."""

import inspect
import json
import os
from pathlib import Path

from eegemo_utils.datasets.common import DESCRIPTION, MADE, read_description, save_text
from eegemo_utils.trials import DatasetError, Trials, Windows

UNFINISHED = ".unfinished"  # lies in a folder while simulated files are written into it


def write_once(module, made: Trials | Windows, folder: Path, form: str | None, options: dict) -> list[Path]:
    """Write a cohort that a dataset's module simulated, if the very same does not lie there already.

    Parameters
    ----------
    module
        The dataset's, with FACTS and write.
    made : Trials or Windows
    folder : Path
        Made when missing; keeps in `MADE` what was written, and from which `options`.
    form : str or None
        As `write` takes it; None for its default.
    options : dict
        Those given to the module's ``simulate``.

    Returns
    -------
    list of Path
        The files, written now or before.

    Raises
    ------
    DatasetError
        When the folder holds another simulation or anything else, or `write` refuses.
    """
    if form is None and "form" in inspect.signature(module.write).parameters:
        form = inspect.signature(module.write).parameters["form"].default
    interrupted = (folder / UNFINISHED).exists()
    forms = {} if interrupted else _written_before(folder, made)
    there = [folder / name for name in forms.get(str(form), [])]
    if there and all(path.is_file() for path in there):
        return there
    files = _write_whole(module, made, folder, {} if form is None else {"form": form}, interrupted)
    forms[str(form)] = [path.relative_to(folder).as_posix() for path in files]
    about = {"cohort": made.fingerprint(), "options": {"dataset": module.FACTS["name"]} | options, "forms": forms}
    save_text(folder / MADE, json.dumps(about, indent=1, default=str) + "\n")
    (folder / UNFINISHED).unlink()
    return files


def _write_whole(module, made, folder: Path, how: dict, interrupted: bool) -> list[Path]:
    """Write with the mark that lies there until all is whole."""
    mark, new = folder / UNFINISHED, not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        return module.write(made, folder, **how)
    except DatasetError:  # refused before anything was written, or in the middle: then the mark has to stay
        written = new and any(path != mark for path in folder.iterdir())
        if not (interrupted or written):
            mark.unlink()
        if new and not written:
            folder.rmdir()
        raise


def _written_before(folder: Path, made: Trials | Windows) -> dict[str, list[str]]:
    """Names of the files of this cohort that lie in a folder, by form; DatasetError where another simulation does."""
    text = read_description(folder, "")[0] if os.path.isfile(folder / DESCRIPTION) else ""
    if not text.startswith("simulated"):
        return {}  # nothing, or what the dataset's `write` refuses in its own words
    try:
        about = json.loads((folder / MADE).read_text(encoding="utf-8"))
        if about["cohort"] == made.fingerprint():
            return about["forms"]
        how = ": " + ", ".join(f"{name} {value}" for name, value in about["options"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        how = ""
    raise DatasetError(f"{folder}: holds another simulation ({text}{how}), which would be replaced. Give a new "
                       f"folder, or delete this one first.")
