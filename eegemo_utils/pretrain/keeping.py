"""Files of a pretraining: settings, checkpoints of which two are kept, the loss curve.

A folder holds ``settings.json``, ``checkpoint-<step>.pt``, ``history.csv`` (a line a step) and, in the end, the weights
``<stage>.safetensors`` with their description ``<stage>.json``. Each is written under another name and moved. The first
process locks ``.lock`` while it is at work; the system lets go of it when the process is killed.
"""

import json
import warnings
from pathlib import Path

import pandas as pd

from eegemo_utils.files import save_text, take_lock
from eegemo_utils.training import checkpoints

KEPT = 2
SETTINGS, LOCK = "settings.json", ".lock"


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
        self.lock = None

    def begin(self) -> bool:
        """Make the folder, or find that it is this training's; whether it was begun before.

        Raises
        ------
        ValueError
            When it holds another training, or one is at work there.
        """
        if self.path is None:
            return False
        known = self.path / SETTINGS
        if self.path.is_dir() and not known.is_file() and any(path.name != LOCK for path in self.path.iterdir()):
            raise ValueError(f"{self.path}: expected a new folder or one of this training, found other files. Give a "
                             f"new folder.")
        self.path.mkdir(parents=True, exist_ok=True)
        self.lock = take_lock(self.path / LOCK, ValueError(f"{self.path}: another training is at work there now. Wait "
                                                           f"for it, or give a new folder."))
        try:
            return self._take_over(known)
        except ValueError:
            self.release()
            raise

    def _take_over(self, known: Path) -> bool:
        """Compare the settings that lie here with this training's, or write these."""
        before = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else None
        differ = [f"{name} was {before.get(name)!r}, is {self.about.get(name)!r}"
                  for name in sorted({*before, *self.about}) if before.get(name) != self.about.get(name)
                  ] if before is not None else []
        if differ and any(path.name != SETTINGS and path.name[0] != "." for path in self.path.iterdir()):
            raise ValueError(f"{self.path}: holds another training: {'; '.join(differ)[:600]}. Give a new folder, or "
                             f"the settings that it began with.")
        if differ or before is None:  # settings alone are what a training left that was killed before it kept anything
            save_text(known, json.dumps(self.about, indent=1) + "\n")
        return before is not None and not differ

    def release(self) -> None:
        """Let other trainings use the folder."""
        if self.lock is not None:
            self.lock.release()

    @property
    def where(self) -> str:
        """In words: where the next call goes on."""
        if self.path is None:
            return "nothing was kept, no folder was given"
        steps = [int(path.stem.rpartition("-")[2]) for path in self.checkpoints()]
        return (f"the same command goes on after step {steps[-1]}" if steps else
                "no checkpoint was written yet, the same command begins anew")

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
