"""Train many small models of one architecture at once: folds, people, seeds, candidates.

Each model keeps its own parameters. A step stacks them, runs all models as one batched call
(`torch.vmap`), and lets the gradients flow back into each model's own parameters, so that one optimizer
step serves all. On small models, whose time goes into launching operations rather than into arithmetic,
this is several times faster than one after another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.func import functional_call, vmap

from .data import n_rows, row_numbers, rows_on_device, stack_rows, steps, take
from .device import autocast
from .fit import checked_rows, full_precision, prepared
from .history import History, model_state
from .loop import Loop, Settings
from .objectives import call_model, count_hits


class _Stacked:
    """Models of one architecture as one callable; models differ in parameters and buffers only."""

    def __init__(self, models: Sequence[nn.Module]):
        _same_architecture(models)
        self.skeleton = copy.deepcopy(models[0]).to("meta")  # structure only; weights come with each call
        self.parameters = [dict(model.named_parameters()) for model in models]
        self.buffers = [dict(model.named_buffers()) for model in models]
        self.models = models
        self.settled = False

    def train(self, mode: bool) -> None:
        """The skeleton's mode decides; the models, which are not called, are left in evaluation mode, once."""
        self.skeleton.train(mode)
        if not (mode or self.settled):
            for model in self.models:
                model.eval()
            self.settled = True

    def stack(self, ks):
        """Parameters and buffers of models `ks`, stacked; gradients reach the originals."""
        if len(ks) == 1:  # a large model's weights are not copied in every step
            parameters = {name: weight[None] for name, weight in self.parameters[ks[0]].items()}
        else:
            parameters = _stacked(self.parameters, ks)
            for weights in parameters.values():
                if weights.requires_grad:  # one copy for all models; a gradient of another layout is copied for each
                    weights.register_hook(torch.Tensor.contiguous)
        return parameters, _stacked(self.buffers, ks)

    def run(self, function, ks, *data):
        """``function(model, *data)`` for each of models `ks`, batched over the data's first axis.

        `function` returns tensors. Buffers that the models change are written back to them.
        """
        def one(parameters, buffers, *data):
            state = parameters | buffers

            def model(*args, **kwargs):
                return functional_call(self.skeleton, state, args, kwargs, tie_weights=False)  # the skeleton ties none

            return function(model, *data), {name: state[name] for name in buffers}

        in_dims = (0, 0, *(None if part is None else 0 for part in data))
        try:
            results, buffers = vmap(one, in_dims=in_dims, randomness="different")(*self.stack(ks), *data)
        except RuntimeError as error:
            raise _explained(error, self.skeleton) from error
        if self.skeleton.training:
            self._write_back(ks, buffers)
        return results

    @torch.no_grad()
    def _write_back(self, ks, buffers):
        """Copy stacked buffers into the models' own, in one launch for each type of number."""
        pairs: dict[torch.dtype, tuple[list, list]] = {}
        for name, stacked in buffers.items():
            targets, sources = pairs.setdefault(stacked.dtype, ([], []))
            targets += [self.buffers[k][name] for k in ks]
            sources += stacked.unbind()
        for targets, sources in pairs.values():
            torch._foreach_copy_(targets, sources)


class _Engine(_Stacked):
    """Stacked models as the loop's engine."""

    def __init__(self, models, X, y, objective):
        super().__init__(models)
        self.X, self.y, self.objective = X, y, objective

    def __call__(self, ks, rows):
        def losses(model, x, y):
            loss, outputs = self.objective(model, x, y)
            return loss, count_hits(outputs, y)

        return self.run(losses, ks, take(self.X, rows), take(self.y, rows))


def fit_many(models: Sequence[nn.Module], X, y, trains: Sequence, vals: Sequence | None = None, *,
             seed: int | Sequence[int] = 0, **settings) -> list[History]:
    """Train models of one architecture together, as `fit` would train one after another.

    Equal to ``[fit(m, X, y, t, v, ...) for m, t, v in zip(models, trains, vals)]`` up to rounding
    (dropout apart, which draws other numbers): batch order, early stopping, best weights and buffers
    are each model's own. Under fp16 the loss scale is shared.

    Parameters
    ----------
    models : sequence of Module, on one device
        The same architecture; what differs between them must be a parameter or a buffer.
    X, y : as in `fit`, shared by all
    trains, vals : sequences of row numbers, one a model
    seed : int or one int a model
        For the batch order.
    **settings
        As in `fit`. A `schedule` follows the common epoch. `objective` gets a callable, not the module.

    Returns
    -------
    list of History, one a model

    Raises
    ------
    TypeError
        The model uses an operation that cannot be batched over models, such as `nn.GRU` or `nn.LSTM`.
    ValueError
        As in `fit`; or the models, row lists and seeds do not fit together.
    """
    models, options = list(models), Settings(**settings)
    vals = [None] * len(models) if vals is None else list(vals)
    seeds = [seed] * len(models) if isinstance(seed, int) else list(seed)
    if not models or not len(models) == len(trains) == len(vals) == len(seeds):
        raise ValueError(f"one model, train, val and seed each: found {len(models)} models, "
                         f"{len(trains)} trains, {len(vals)} vals, {len(seeds)} seeds")
    X, y = prepared(X, y, models[0])
    trains, vals = checked_rows(trains, vals, n_rows(X), options.patience, options.plateau)
    loop = Loop(models, _Engine(models, X, y, options.objective), trains, vals, seeds, options)
    return loop.run(loop.fingerprint(seeds, X, y) if options.checkpoint else "")


@torch.no_grad()
def predict_many(models: Sequence[nn.Module], X, rows_list: Sequence, batch_size: int = 256,
                 precision: str = "float32", forward: Callable = call_model) -> list[torch.Tensor]:
    """Outputs of each model on its own rows, in evaluation mode; `predict` for many models at once.

    Returns
    -------
    list of tensor (len(rows_list[k]), ...), on the CPU
    """
    models = list(models)
    if not models or len(models) != len(rows_list):
        raise ValueError(f"one list of rows a model: found {len(models)} models, {len(rows_list)} lists")
    X, _ = prepared(X, None, models[0])
    n, device = n_rows(X), next(models[0].parameters()).device
    rows_list = rows_on_device([row_numbers(rows, n, "rows") for rows in rows_list], device)
    stacked = _Stacked(models)
    stacked.train(False)
    parts = [[] for _ in models]
    with autocast(device, precision):
        for groups in steps({k: len(rows) for k, rows in enumerate(rows_list)}, batch_size):
            for ks, spans in groups:
                x = take(X, stack_rows(rows_list, ks, spans))
                outputs = full_precision(stacked.run(forward, ks, x)).cpu()  # one wait for all models
                for k, own in zip(ks, outputs, strict=True):
                    parts[k].append(own)
    return [torch.cat(part) for part in parts]


def _stacked(tensors, ks):
    return {name: torch.stack([tensors[k][name] for k in ks]) for name in tensors[ks[0]]}


def _same_architecture(models):
    def shape(model):
        tensors = model_state(model).items()
        return type(model), [(name, tuple(t.shape), t.dtype, t.device) for name, t in tensors]

    for k, model in enumerate(models):
        if shape(model) != shape(models[0]):
            raise ValueError(f"models 0 and {k} are not of one architecture on one device: their classes, or "
                             "the names, shapes or types of their parameters and buffers differ")


def _explained(error, model):
    """nn.GRU and its like end in a message about batching rules; say what to do instead."""
    if "Batching rule not implemented" not in str(error):
        return error
    return TypeError(f"{type(model).__name__} cannot run as many models at once: {error} Recurrent layers "
                     "(nn.GRU, nn.LSTM, nn.RNN) have no batched form: write the recurrence with plain tensor "
                     "operations, or train one model after another with fit()")
