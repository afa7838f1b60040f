"""Train one model, and use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from .data import batches, n_rows, on_device, row_numbers, take, to_device
from .device import autocast
from .history import History
from .loop import Loop, Settings
from .objectives import call_model, classification, count_hits
from .plateau import Plateau


class _Single:
    """One model as the loop's engine."""

    def __init__(self, model, X, y, objective):
        self.model, self.X, self.y, self.objective = model, X, y, objective
        self.train = model.train

    def __call__(self, ks, rows):
        y = take(self.y, rows[0])
        loss, outputs = self.objective(self.model, take(self.X, rows[0]), y)
        return loss[None], count_hits(outputs, y)[None]


def fit(model: nn.Module, X, y, train, val=None, *, epochs: int, objective: Callable = classification,
        batch_size: int = 32, learning_rate: float = 1e-3, optimizer: Callable | None = None,
        schedule: Callable | None = None, patience: int | None = None, plateau: Plateau | None = None,
        keep_start: bool = False, keep_last: bool = False, precision: str = "float32", seed: int = 0,
        grad_clip: float | None = None, checkpoint: Path | None = None, progress: bool = False,
        name: str = "") -> History:
    """Train `model` in place, on the device where it is.

    The data is moved to that device once and batches are taken by indexing. Batch order comes from
    `seed` alone; dropout draws from PyTorch's global generator.

    Parameters
    ----------
    model : Module
    X : array or tensor (n, ...), or tuple of them
    y : labels (n,), or any targets that `objective` takes (tuple, None)
    train, val : row numbers
    epochs : int
    objective : callable(model, x, y) -> (loss, outputs)
        Accuracy is counted where `outputs` is (batch, n_outputs) and y holds class numbers.
    batch_size : int
        The last batch may be smaller; a single left-over row joins the batch before it.
    learning_rate : float
        For the default optimizer, Adam.
    optimizer : callable(list of parameters) -> Optimizer, optional
    schedule : callable(optimizer) -> learning-rate scheduler, optional
        Stepped after each epoch.
    patience : int, optional
        Stop after so many epochs without a lower validation loss; the weights of the epoch with the
        lowest come back, also when the epochs run out. None: all epochs, last weights.
    plateau : Plateau, optional
        Lowers the learning rate of each model where its validation loss does not fall; in place of `schedule`.
    keep_start : bool
        The weights before the first epoch count as the best so far, on the validation rows.
    keep_last : bool
        `History.last_weights` holds the last epoch's weights beside the best ones that come back.
    precision : {"float64", "float32", "bf16", "fp16"}
        Autocast; fp16 (CUDA only) scales the loss.
    seed : int
    grad_clip : float, optional
        Largest allowed norm of the gradient.
    checkpoint : Path, optional
        Written after an epoch, as often as takes a tenth of the time at most, and at the end. The same call goes on
        from it and ends with the same weights and history, bit for bit, as a run that was not interrupted, on the
        same kind of device and with deterministic kernels (see `seed_everything`); after a finished one it returns at
        once. A checkpoint of another training is reported and replaced; one from another device is reported and used.
    progress : bool
        Print about ten lines over the whole training.
    name : str
        What the lines and warnings call this training.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        A setting or row number out of range; `patience` without validation rows.
    """
    settings = Settings(epochs, objective, batch_size, learning_rate, optimizer, schedule, patience, plateau,
                        keep_start, keep_last, precision, grad_clip, checkpoint, progress, name)
    X, y = prepared(X, y, model)
    trains, vals = checked_rows([train], [val], n_rows(X), patience, plateau)
    loop = Loop([model], _Single(model, X, y, objective), trains, vals, [seed], settings)
    return loop.run(loop.fingerprint([seed], X, y) if checkpoint else "")[0]


@torch.no_grad()
def predict(model: nn.Module, X, rows=None, batch_size: int = 256, precision: str = "float32",
            forward: Callable = call_model) -> torch.Tensor:
    """Outputs of `model` in evaluation mode.

    Parameters
    ----------
    model : Module
    X : array or tensor (n, ...), or tuple of them
    rows : row numbers, optional
        All rows if not given.
    batch_size : int
    precision : {"float64", "float32", "bf16", "fp16"}
    forward : callable(model, x) -> tensor

    Returns
    -------
    tensor (len(rows), ...), float32 or the model's own type, on the CPU
    """
    X, _ = prepared(X, None, model)
    n = n_rows(X)
    device = next(model.parameters()).device
    rows = to_device(row_numbers(range(n) if rows is None else rows, n, "rows"), device)
    model.eval()
    with autocast(device, precision):
        parts = [forward(model, take(X, rows[a:b])) for a, b in batches(len(rows), batch_size)]
    return full_precision(torch.cat(parts)).cpu()


def full_precision(outputs: torch.Tensor) -> torch.Tensor:
    """float32 for half-precision outputs, others as they are."""
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs


def prepared(X, y, model: nn.Module):
    """`X` and `y` on the model's device, floating-point data in the model's type."""
    weight = next((p for p in model.parameters() if p.is_floating_point()), None)
    if weight is None:
        raise ValueError(f"{type(model).__name__} has no floating-point parameters to train or to run")
    return on_device(X, weight.device, weight.dtype), on_device(y, weight.device, weight.dtype, labels=True)


def checked_rows(trains, vals, n: int, patience: int | None, plateau: Plateau | None = None):
    """Row numbers of each model's training and validation part (None where there is none)."""
    trains = [row_numbers(rows, n, "train") for rows in trains]
    vals = [None if rows is None or len(rows) == 0 else row_numbers(rows, n, "val") for rows in vals]
    if (patience is not None or plateau) and any(rows is None for rows in vals):
        raise ValueError("patience and plateau watch the validation loss, but there are no validation rows: "
                         "give val, or neither")
    return trains, vals
