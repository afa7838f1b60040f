"""The epoch loop that one model and many models share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from torch import nn

from . import checkpoints
from .data import rows_on_device, stack_rows, steps, to_device
from .device import autocast
from .history import Tracker, copy_state, load_state, model_state
from .objectives import classification
from .plateau import Plateau

SHARE, FIRST = 0.1, 1.0  # checkpoints take a tenth of the time at most, and none is written in the first second
EVALUATION_FACTOR = 4  # without saved activations a batch this much larger needs no more memory


@dataclass(frozen=True)
class Settings:
    """How to train; see `eegemo_utils.training.fit`."""

    epochs: int
    objective: Callable = classification
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: Callable | None = None
    schedule: Callable | None = None
    patience: int | None = None
    plateau: Plateau | None = None
    keep_start: bool = False
    keep_last: bool = False
    precision: str = "float32"
    grad_clip: float | None = None
    checkpoint: Path | None = None
    progress: bool = False
    name: str = ""

    def __post_init__(self):
        for name, lowest in (("epochs", 1), ("batch_size", 1), ("patience", 1)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < lowest):
                raise ValueError(f"{name} must be a whole number of at least {lowest}, found {value!r}")
        for name in ("learning_rate", "grad_clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, found {value!r}")
        if self.patience is None and (self.keep_start or (self.plateau and self.plateau.go_back)):
            raise ValueError("keep_start and a plateau that goes back need the best weights: give a patience")
        if self.plateau and self.schedule:
            raise ValueError("a schedule sets all models' rates, a plateau each model's own: give one of them")


class Loop:
    """Train `models` together, each on its own rows, in its own batch order, until its own stop.

    Parameters
    ----------
    models : list of Module, on one device
    engine : object
        ``engine.train(bool)`` sets the mode; ``engine(ks, rows)`` with rows (len(ks), batch) returns the
        losses (len(ks),) and hit counts (len(ks),) of models number `ks`.
    trains, vals : list of int64 tensors; a val may be None
    seeds : list of int
        One a model, for its batch order.
    settings : Settings
    """

    def __init__(self, models: list[nn.Module], engine, trains, vals, seeds, settings: Settings):
        self.models, self.engine, self.settings = models, engine, settings
        self.device = next(models[0].parameters()).device
        self.trains = trains
        self.vals = rows_on_device(vals, self.device)
        self.orders = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.trackers = [Tracker(settings.patience, settings.plateau, settings.keep_last) for _ in models]
        self.weights = [[p for p in model.parameters() if p.requires_grad] for model in models]
        groups = [{"params": weights} for weights in self.weights]  # so that each model can have its own rate
        self.optimizer = self._make_optimizer(groups if settings.plateau else [p for w in self.weights for p in w])
        self.schedule = settings.schedule(self.optimizer) if settings.schedule else None
        self.autocast = autocast(self.device, settings.precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")
        self._numbers: dict[tuple, torch.Tensor] = {}
        self.next_save = time.monotonic() + FIRST

    def _make_optimizer(self, weights):
        settings = self.settings
        if settings.optimizer is not None:
            return settings.optimizer(weights)
        return torch.optim.Adam(weights, lr=settings.learning_rate, fused=True)

    def run(self, mark: str) -> list:
        """Train, going on from the checkpoint whose fingerprint is `mark`; return the histories."""
        path, first = self.settings.checkpoint, 1
        saved = checkpoints.load(path, mark) if path else None
        if saved:
            first = self._restore(saved)
        if not (saved and saved["finished"]):
            if self.settings.keep_start and not saved:
                self._keep_start()
            for epoch in range(first, self.settings.epochs + 1):
                active = [k for k, tracker in enumerate(self.trackers) if not tracker.done]
                if not active:
                    break
                self._epoch(epoch, active)
                if path:
                    self._save(path, mark, epoch)
            for model, tracker in zip(self.models, self.trackers, strict=True):
                tracker.restore(model)
                tracker.best = None
            if path:
                checkpoints.save(path, self._state(mark, None))
        self.engine.train(False)
        return [tracker.history for tracker in self.trackers]

    def _keep_start(self):
        self.engine.train(False)
        for k, (loss, _) in enumerate(self._validate(range(len(self.models))).tolist()):
            self.trackers[k].keep_start(loss / len(self.vals[k]), self.models[k])

    def _save(self, path, mark, epoch):
        """Write a checkpoint, once the time since the last one is worth what that took."""
        begun = time.monotonic()
        if begun < self.next_save:
            return
        checkpoints.save(path, self._state(mark, epoch))
        now = time.monotonic()
        self.next_save = now + (now - begun) / SHARE

    def _epoch(self, epoch, active):
        rates = self._rates()
        self.engine.train(True)
        fitted = self._fit_batches(active)
        self.engine.train(False)
        checked = self._validate([k for k in active if self.vals[k] is not None])
        if self.schedule is not None:
            self.schedule.step()
        totals = torch.stack((fitted, checked)).tolist()  # the epoch's one wait for the device
        for k in active:
            (loss, hits), (val_loss, val_hits) = totals[0][k], totals[1][k]
            n, n_val = len(self.trains[k]), len(self.vals[k]) if self.vals[k] is not None else math.nan
            row = {"epoch": epoch, "loss": loss / n, "accuracy": hits / n, "val_loss": val_loss / n_val,
                   "val_accuracy": val_hits / n_val, "learning_rate": rates[k]}
            tracker = self.trackers[k]
            tracker.update(row, self.models[k], self.settings.name)
            if tracker.watch and tracker.watch.falls(row["val_loss"]):
                self._lower(k, tracker)
        if self.settings.progress:
            self._print(epoch, active)

    def _rates(self) -> list[float]:
        """Learning rate of each model."""
        groups = self.optimizer.param_groups
        return [groups[k if self.settings.plateau else 0]["lr"] for k in range(len(self.models))]

    def _lower(self, k, tracker):
        plateau = self.settings.plateau
        self.optimizer.param_groups[k]["lr"] *= plateau.factor
        if plateau.go_back:
            tracker.restore_best(self.models[k])

    def _fit_batches(self, active):
        totals = self._zeros()
        order = self._shuffled(active)
        for groups in steps({k: len(self.trains[k]) for k in active}, self.settings.batch_size):
            self.optimizer.zero_grad(set_to_none=True)
            loss = sum(self._forward(ks, stack_rows(order, ks, spans), totals).sum() for ks, spans in groups)
            self.scaler.scale(loss).backward()
            if self.settings.grad_clip is not None:
                self.scaler.unscale_(self.optimizer)
                for k in (k for ks, _ in groups for k in ks):
                    nn.utils.clip_grad_norm_(self.weights[k], self.settings.grad_clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return totals

    @torch.no_grad()
    def _validate(self, active):
        totals = self._zeros()
        lengths = {k: len(self.vals[k]) for k in active}
        for groups in steps(lengths, EVALUATION_FACTOR * self.settings.batch_size):
            for ks, spans in groups:
                self._forward(ks, stack_rows(self.vals, ks, spans), totals)
        return totals

    def _forward(self, ks, rows, totals):
        """Losses of models `ks`; adds loss sums and hits to `totals` on the device, without waiting."""
        with self.autocast:
            losses, hits = self.engine(ks, rows)
        if ks not in self._numbers:
            self._numbers[ks] = to_device(torch.tensor(ks), self.device)
        sums = torch.stack((losses.detach().double() * rows.shape[1], hits.double()), dim=1)
        totals.index_add_(0, self._numbers[ks], sums)
        return losses

    def _shuffled(self, active):
        rows = [self.trains[k][torch.randperm(len(self.trains[k]), generator=self.orders[k])] for k in active]
        return dict(zip(active, rows_on_device(rows, self.device), strict=True))

    def _zeros(self):
        return torch.zeros(len(self.models), 2, dtype=torch.float64, device=self.device)

    def fingerprint(self, seeds, X, y) -> str:
        """What makes this training itself; called before the first epoch."""
        s = self.settings
        groups = [{key: value for key, value in group.items() if key != "params"}
                  for group in self.optimizer.param_groups]
        rule = [s.patience, astuple(s.plateau) if s.plateau else None, s.keep_start, s.keep_last]
        how = [s.epochs, s.batch_size, s.learning_rate, rule, s.precision, s.grad_clip, s.objective,
               s.optimizer, s.schedule, type(self.optimizer), groups]
        return checkpoints.fingerprint(how, list(seeds), self.trains, self.vals,
                                       [model_state(model) for model in self.models], X, y)

    def _state(self, mark, epoch):
        """Everything that the next epoch depends on; `epoch` None: finished, only results are kept."""
        state = {"fingerprint": mark, "finished": epoch is None, "epoch": epoch,
                 "models": [copy_state(model) for model in self.models],
                 "trackers": [tracker.state() for tracker in self.trackers],
                 "random": checkpoints.random_state(self.device)}
        if epoch is not None:
            state |= {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict(),
                      "schedule": self.schedule.state_dict() if self.schedule else None,
                      "orders": [order.get_state() for order in self.orders]}
        return state

    def _restore(self, state) -> int:
        """Take over a saved state; returns the epoch to go on with."""
        for model, weights in zip(self.models, state["models"], strict=True):
            load_state(model, weights)
        for tracker, saved in zip(self.trackers, state["trackers"], strict=True):
            tracker.load(saved)
        checkpoints.set_random_state(state["random"], self.device)
        if state["finished"]:
            return self.settings.epochs + 1
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        for order, saved in zip(self.orders, state["orders"], strict=True):
            order.set_state(saved)
        if self.settings.progress:
            print(f"{self.settings.name}  goes on after epoch {state['epoch']}".strip(), flush=True)
        return state["epoch"] + 1

    def _print(self, epoch, active):
        """One line for about every tenth of the epochs, and for the last."""
        left = sum(not tracker.done for tracker in self.trackers)
        every = math.ceil(self.settings.epochs / 10)
        if epoch not in (1, self.settings.epochs) and epoch % every and left:
            return
        rows = [self.trackers[k].history.epochs[-1] for k in active]
        values = {key: sum(row[key] for row in rows) / len(rows)
                  for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
        line = [self.settings.name] if self.settings.name else []
        line += [f"epoch {epoch}/{self.settings.epochs}"]
        line += [f"{key} {value:.4f}" for key, value in values.items() if not math.isnan(value)]
        if len(self.models) > 1:
            line += [f"({left} of {len(self.models)} models go on)"]
        elif not left:
            line += [f"(stopped; best epoch {self.trackers[0].history.best_epoch})"]
        print("  ".join(line), flush=True)
