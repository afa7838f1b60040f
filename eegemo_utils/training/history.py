"""The course of a training, and early stopping on it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import nn

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
    stopped_epoch : int
        Last epoch that ran.
    """

    epochs: list[dict] = field(default_factory=list)
    best_epoch: int | None = None
    stopped_epoch: int = 0

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
    """

    def __init__(self, patience: int | None):
        self.patience = patience
        self.history = History()
        self.lowest, self.wait, self.done = math.inf, 0, False
        self.best: dict[str, torch.Tensor] | None = None

    def update(self, row: dict, model: nn.Module, name: str) -> None:
        """Take in one epoch."""
        self.history.epochs.append(row)
        self.history.stopped_epoch = row["epoch"]
        self.wait += 1
        improved = row["val_loss"] < self.lowest
        if improved:
            self.lowest, self.wait, self.history.best_epoch = row["val_loss"], 0, row["epoch"]
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
        if self.best is not None:
            load_state(model, self.best)

    def state(self) -> dict:
        """Everything, as plain values and tensors."""
        return {"history": vars(self.history), "lowest": self.lowest, "wait": self.wait, "done": self.done,
                "best": self.best}

    def load(self, state: dict) -> None:
        """Take over what `state` returned."""
        self.history = History(**state["history"])
        self.lowest, self.wait, self.done = state["lowest"], state["wait"], state["done"]
        self.best = state["best"]
