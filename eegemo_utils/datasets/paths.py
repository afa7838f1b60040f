"""Files and folders that may not be readable: found by their names, said in the usual words."""

import os
from pathlib import Path


def unreadable(path, error: OSError) -> str:
    """What to tell of a file or folder that the system does not give.

    Parameters
    ----------
    path : path
        What was asked for.
    error : OSError
        What came instead.

    Returns
    -------
    str
        Which path, what was expected, what was found, what to do.
    """
    kind = "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else "path"
    found = (error.strerror or str(error) or type(error).__name__).lower()
    return (f"{path}: expected a {kind} that can be read, found: {found}. Give yourself the right to read it, "
            f"or take it away.")


def csv_files(root: Path) -> tuple[list[Path], list[str]]:
    """Files under a folder whose names end in .csv, in small or capital letters, without hidden ones.

    Parameters
    ----------
    root : path
        Folder, searched with its sub-folders.

    Returns
    -------
    paths : list of Path
        Sorted.
    faults : list of str
        One sentence for each folder that cannot be looked into.
    """
    faults: list[str] = []
    paths = []
    for folder, _, names in os.walk(root, onerror=lambda error: faults.append(unreadable(error.filename, error))):
        paths += [Path(folder) / name for name in names
                  if name.lower().endswith(".csv") and not name.startswith(".")]
    return sorted(paths), faults
