"""The course of a training, and early stopping on it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import nn

from .plateau import Plateau, Watch

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


@dataclass
class History:
    """What each epoch gave.

    Attributes
    ----------
    epochs : list of dict
        One an epoch, keys as in `COLUMNS`; epochs count from 1; NaN where there is nothing to report.
        Loss and accuracy of training are averages over the epoch's batches, while the model learns.
    best_epoch : int or None
        Epoch with the lowest validation loss (the restored one if there was early stopping).
        0 where the starting weights were kept.
    stopped_epoch : int
        Last epoch that ran.
    last_weights : dict of str to tensor, or None
        Parameters and buffers of that epoch, where they were asked for.
    """

    epochs: list[dict] = field(default_factory=list)
    best_epoch: int | None = None
    stopped_epoch: int = 0
    last_weights: dict[str, torch.Tensor] | None = None

    def table(self) -> pd.DataFrame:
        """One row an epoch."""
        return pd.DataFrame(self.epochs, columns=list(COLUMNS))


def model_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, also the buffers that ``state_dict`` leaves out."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def copy_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model_state(model).items()}


@torch.no_grad()
def load_state(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Write a copy made by `copy_state` back, in place."""
    for name, tensor in model_state(model).items():
        tensor.copy_(state[name])


class Tracker:
    """History of one model, and when it stops.

    The rule is that of Keras 3's ``EarlyStopping(restore_best_weights=True)`` on ``val_loss``: stop
    after `patience` epochs in a row that are not below the lowest so far; the best epoch's weights come
    back also when the epochs run out. (Keras 2, which the GRU article used, puts them back only after
    an early stop; the article's run did stop early.)

    With `keep_last` the history also holds the weights of the last epoch. With a `start` (validation loss before
    the first epoch), only an epoch below that replaces the starting weights; the rule when to stop is the same.
    """

    def __init__(self, patience: int | None, plateau: Plateau | None = None, keep_last: bool = False):
        self.patience, self.keep_last = patience, keep_last
        self.history = History()
        self.watch = Watch(plateau) if plateau else None
        self.lowest, self.kept, self.wait, self.done = math.inf, math.inf, 0, False
        self.best: dict[str, torch.Tensor] | None = None

    def keep_start(self, val_loss: float, model: nn.Module) -> None:
        """Let the weights before the first epoch be the best so far."""
        self.kept, self.best, self.history.best_epoch = val_loss, copy_state(model), 0

    def update(self, row: dict, model: nn.Module, name: str) -> None:
        """Take in one epoch."""
        self.history.epochs.append(row)
        self.history.stopped_epoch = row["epoch"]
        self.wait += 1
        if row["val_loss"] < self.lowest:
            self.lowest, self.wait = row["val_loss"], 0
        improved = row["val_loss"] < self.kept
        if improved:
            self.kept, self.history.best_epoch = row["val_loss"], row["epoch"]
        if self.patience is not None:
            if improved or self.best is None:
                self.best = copy_state(model)
            self.done = self.wait >= self.patience and row["epoch"] > 1
        if not math.isfinite(row["loss"]):
            self.done = True
            warnings.warn(f"training {name or 'a model'}: the loss is {row['loss']} in epoch {row['epoch']}, "
                          "so training stops here. A smaller learning rate, scaled inputs or grad_clip may "
                          "help", RuntimeWarning, stacklevel=2)

    def restore(self, model: nn.Module) -> None:
        """Put the best epoch's weights back, if early stopping was asked for."""
        if self.keep_last:
            self.history.last_weights = copy_state(model)
        self.restore_best(model)

    def restore_best(self, model: nn.Module) -> None:
        """Put the best epoch's weights so far back, where they are kept."""
        if self.best is not None:
            load_state(model, self.best)

    def state(self) -> dict:
        """Everything, as plain values and tensors."""
        return {"history": vars(self.history), "lowest": self.lowest, "kept": self.kept, "wait": self.wait,
                "done": self.done, "best": self.best, "watch": self.watch.state() if self.watch else None}

    def load(self, state: dict) -> None:
        """Take over what `state` returned."""
        self.history = History(**state["history"])
        self.lowest, self.kept, self.wait = state["lowest"], state["kept"], state["wait"]
        self.done, self.best = state["done"], state["best"]
        if self.watch:
            self.watch.load(state["watch"])
