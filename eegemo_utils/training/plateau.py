"""A learning rate that falls where a validation loss does not."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Plateau:
    """When to lower a model's learning rate: Keras's ``ReduceLROnPlateau`` on ``val_loss``, for each model on its own.

    Parameters
    ----------
    factor : float
        The rate is multiplied by it.
    patience : int
        Epochs in a row that do not lower the loss by more than `min_delta`.
    min_delta : float
    go_back : bool
        Also put the best weights so far back when the rate falls (the optimizer's moments stay), as the callback of
        MT-CNN's released code does (Rudakov et al. 2021, utils.py:10-31).

    Raises
    ------
    ValueError
        A value out of range.
    """

    factor: float = 0.5
    patience: int = 5
    min_delta: float = 1e-4
    go_back: bool = False

    def __post_init__(self):
        if not (0 < self.factor < 1 and self.patience >= 1 and self.min_delta >= 0):
            raise ValueError(f"a factor between 0 and 1, a patience of at least 1 and a min_delta of at least 0, "
                             f"please; found {self}")


class Watch:
    """How one model stands with a `Plateau`."""

    def __init__(self, plateau: Plateau):
        self.plateau = plateau
        self.lowest, self.wait = math.inf, 0

    def falls(self, val_loss: float) -> bool:
        """Take in one epoch; True where the rate has to fall after it."""
        self.wait += 1
        if val_loss < self.lowest - self.plateau.min_delta:
            self.lowest, self.wait = val_loss, 0
        if self.wait < self.plateau.patience:
            return False
        self.wait = 0
        return True

    def state(self) -> dict:
        """Everything, as plain values."""
        return {"lowest": self.lowest, "wait": self.wait}

    def load(self, state: dict) -> None:
        """Take over what `state` returned."""
        self.lowest, self.wait = state["lowest"], state["wait"]
