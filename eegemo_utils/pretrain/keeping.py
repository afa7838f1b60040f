"""Files of a pretraining: settings, checkpoints of which two are kept, the loss curve.

A folder holds ``settings.json``, ``checkpoint-<step>.pt``, ``history.csv`` (a line a step) and, in the end, the weights
``<stage>.safetensors`` with their description ``<stage>.json``. Each is written under another name and moved.
"""

import json
import warnings
from pathlib import Path

import pandas as pd

from eegemo_utils.datasets.common import save_text
from eegemo_utils.training import checkpoints

KEPT = 2


class Folder:
    """Where a pretraining keeps its files; without a path, nowhere.

    Parameters
    ----------
    path : path or None
    about : dict
        What makes this training itself, as JSON has it.
    """

    def __init__(self, path, about: dict):
        self.path = None if path is None else Path(path)
        self.about = json.loads(json.dumps(about))
        self.mark = checkpoints.fingerprint(json.dumps(self.about, sort_keys=True))

    def begin(self) -> None:
        """Make the folder, or find that it is this training's.

        Raises
        ------
        ValueError
            When it holds another training.
        """
        if self.path is None:
            return
        known = self.path / "settings.json"
        if known.is_file():
            before = json.loads(known.read_text(encoding="utf-8"))
            differ = [f"{name} was {before.get(name)!r}, is {self.about.get(name)!r}"
                      for name in sorted({*before, *self.about}) if before.get(name) != self.about.get(name)]
            if differ:
                raise ValueError(f"{self.path}: holds another training: {'; '.join(differ)[:600]}. Give a new folder, "
                                 f"or the settings that it began with.")
            return
        if self.path.is_dir() and any(self.path.iterdir()):
            raise ValueError(f"{self.path}: expected a new folder or one of this training, found other files. Give a "
                             f"new folder.")
        self.path.mkdir(parents=True, exist_ok=True)
        save_text(known, json.dumps(self.about, indent=1) + "\n")

    def checkpoints(self) -> list[Path]:
        """Files, the newest last."""
        return [] if self.path is None else sorted(self.path.glob("checkpoint-*.pt"))

    def newest(self) -> str | None:
        """Path of the newest checkpoint that can be read; a damaged one is named in a warning."""
        for path in reversed(self.checkpoints()):
            if self._read(path) is not None:
                return str(path)
            warnings.warn(f"{path}: a truncated or damaged checkpoint, which is left out; the training goes on from "
                          f"the one before it, or from the start", stacklevel=2)
        return None

    def load(self, path: str) -> dict:
        """Read a checkpoint.

        Raises
        ------
        ValueError
            When this process cannot.
        """
        state = self._read(path)
        if state is None:
            raise ValueError(f"{path}: this process cannot read the checkpoint that the first one found. All machines "
                             f"need the same folder.")
        return state

    def _read(self, path) -> dict | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what to do is another thing here
            return checkpoints.load(path, self.mark)

    def save(self, step: int, state: dict, history: pd.DataFrame) -> None:
        """Write a checkpoint and the loss curve; delete all checkpoints but the newest two."""
        if self.path is None:
            return
        checkpoints.save(self.path / f"checkpoint-{step:09d}.pt", state | {"fingerprint": self.mark, "step": step})
        for path in self.checkpoints()[:-KEPT]:
            path.unlink()
        save_text(self.path / "history.csv", history.to_csv(index=False))
