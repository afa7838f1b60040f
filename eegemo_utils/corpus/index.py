"""The index of a corpus, ``corpus.json``: what it is made of, so that opening it opens no other file.

A corpus is a folder::

    corpus.json                             settings, versions, all recordings' facts, what was skipped and why
    recordings/<path of the source>.h5      one a recording, see `store`
"""

import json
from pathlib import Path

import eegemo_utils
from eegemo_utils.files import save_bytes
from eegemo_utils.trials import DatasetError

NAME = "corpus.json"
FOLDER = "recordings"
FORMAT = 1  # of the index and of the files: raise it when old ones can no longer be read
SUFFIX = ".h5"
KEYS = {"format", "eegemo_utils", "description", "settings", "n_sources", "complete", "recordings", "skipped"}


def recording_path(out: Path, name: str) -> Path:
    """File of the recording made of the source `name`."""
    return out / FOLDER / f"{name}{SUFFIX}"


def stored_paths(out: Path) -> list[Path]:
    """Files of all recordings in a corpus, finished or not."""
    return sorted(path for path in (out / FOLDER).rglob(f"*{SUFFIX}") if not path.name.startswith("."))


def save(out: Path, content: dict) -> None:
    """Write the index in one move."""
    versions = {"format": FORMAT, "eegemo_utils": eegemo_utils.__version__}
    save_bytes(out / NAME, (json.dumps(versions | content, indent=1, ensure_ascii=False) + "\n").encode())


def load(out: Path, missing_ok: bool = False) -> dict | None:
    """Read the index.

    Raises
    ------
    DatasetError
        When there is none (None is returned where `missing_ok`), it is damaged, or of another format.
    """
    path = out / NAME
    if not path.is_file():
        if missing_ok:
            return None
        raise DatasetError(f"{out}: expected a corpus, found no {NAME}. Make one: eegemo corpus build FOLDER {out}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        form = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: damaged ({error!s:.100}). Delete it and build the corpus again with the same "
                           f"folder: finished recordings are kept.") from error
    if form != FORMAT:
        raise DatasetError(f"{path}: a corpus of format {form}, this code (eegemo-utils {eegemo_utils.__version__}) "
                           f"reads format {FORMAT}. Build it again in a new folder, or use the version that made it, "
                           f"{content.get('eegemo_utils')}.")
    if set(content) != KEYS:
        raise DatasetError(f"{path}: expected the entries {', '.join(sorted(KEYS))}, found "
                           f"{', '.join(sorted(content))}. Delete it and build the corpus again with the same folder.")
    return content
