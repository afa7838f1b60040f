"""What a training step minimises, and the hit count that goes with it."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def call_model(model, x):
    """Call `model` on one input tensor, or on a tuple of them as separate arguments."""
    return model(*x) if isinstance(x, tuple) else model(x)


def classification(model, x, y):
    """Cross entropy of class logits.

    An objective is any ``objective(model, x, y) -> (loss, outputs)``. It must reach the network by
    calling `model`, which need not be the module itself: many models share one call.

    Parameters
    ----------
    model : callable
    x : tensor (batch, ...) or tuple of them
    y : int64 tensor (batch,)

    Returns
    -------
    loss : tensor ()
    outputs : tensor (batch, n_outputs), logits
    """
    outputs = call_model(model, x)
    return F.cross_entropy(outputs, y), outputs


def count_hits(outputs, y) -> torch.Tensor:
    """Number of rows whose largest logit is the label; NaN where outputs are not class logits.

    Several targets, outputs (batch, n_outputs, n_targets) and y (batch, n_targets), count as the mean over targets.
    """
    if all(isinstance(part, torch.Tensor) for part in (outputs, y)) and not y.is_floating_point():
        if (outputs.ndim, y.ndim) == (2, 1):
            return (outputs.argmax(1) == y).sum()
        if (outputs.ndim, y.ndim) == (3, 2) and outputs.shape[2] == y.shape[1]:
            return (outputs.argmax(1) == y).double().mean(1).sum()
    device = outputs.device if isinstance(outputs, torch.Tensor) else None
    return torch.full((), float("nan"), device=device)
