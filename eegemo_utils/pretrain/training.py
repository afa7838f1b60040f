"""The loop of both stages."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from eegemo_utils.corpus import Corpus
from eegemo_utils.notebooks import load_definitions
from eegemo_utils.pretrain.keeping import Folder
from eegemo_utils.pretrain.settings import Settings
from eegemo_utils.pretrain.stages import (
    MaskedStage,
    TokenizerStage,
    codes_in_use,
    paper_plan,
    step_noise,
    warn_of_collapse,
)
from eegemo_utils.pretrain.stopping import Stopping
from eegemo_utils.pretrain.together import Place
from eegemo_utils.training.checkpoints import fingerprint, random_state, set_random_state
from eegemo_utils.training.data import to_device
from eegemo_utils.training.device import autocast, set_precision

NOTEBOOK = "labram"
LOOK_EVERY = 50  # steps between looks at the losses, each of which waits for the device


@dataclass(frozen=True)
class Pretrained:
    """What a pretraining gives: the model, in evaluation mode, and its curve.

    `history` has a row a step: step (from 1), epoch, rate, n_chans, loss and its parts, means over all processes.
    """

    model: nn.Module
    history: pd.DataFrame


def pretrain(stage: str, corpus: Corpus, out=None, *, tokenizer=None, device: str = "auto", progress: bool = True,
             **settings) -> Pretrained:
    """Train a tokenizer, or a masked model against the codes of one; go on where `out` holds checkpoints of it.

    Sets PyTorch's default type to float32, and TF32 off (`eegemo_utils.training.set_precision`): on a GPU bf16 is fast.

    Parameters
    ----------
    stage : {"tokenizer", "masked"}
    corpus : Corpus
        See `eegemo_utils.corpus.open`.
    out : path, optional
        Folder for checkpoints, curve and weights; nothing is written when not given.
    tokenizer : path or Tokenizer
        Masked stage: weights of the trained tokenizer, or itself, which is frozen by this.
    device : str
        See `eegemo_utils.training.choose_device`.
    progress : bool
        Show a bar, and say what each epoch has come to and what was written.
    **settings
        See `Settings`.

    Returns
    -------
    Pretrained

    Raises
    ------
    ValueError
        For impossible settings, an `out` of another training or with one at work, or a loss that is no longer finite.
    DatasetError
        When the corpus is damaged.
    Stopped
        A KeyboardInterrupt: after Ctrl-C or SIGTERM. One process ends the step and writes a checkpoint first (a second
        signal ends it at once); several end at once and leave the last one.
    """
    chosen, place = Settings(stage, **settings), Place.here(device)
    set_precision(chosen.precision, place.device)
    torch.manual_seed(chosen.random_state)
    definitions = load_definitions(NOTEBOOK)
    if (tokenizer is None) == (stage == "masked"):
        raise ValueError("the masked stage needs a tokenizer: give the path of its weights" if tokenizer is None else
                         "tokenizer is for the masked stage only")
    if tokenizer is not None and not isinstance(tokenizer, nn.Module):
        tokenizer = definitions.Tokenizer.from_checkpoint(tokenizer)
    return _Training(definitions, chosen, corpus, place, tokenizer, out, progress).run()


class _Training:
    """All that a step needs."""

    def __init__(self, definitions, settings: Settings, corpus: Corpus, place: Place, tokenizer, out, progress):
        self.settings, self.place, self.progress = settings, place, progress
        self.plan = paper_plan(definitions, settings)
        if settings.stage == "tokenizer":
            self.stage = TokenizerStage(definitions, settings)
        else:
            self.stage = MaskedStage(definitions, settings, tokenizer.to(place.device), self.plan.drop_rate)
        self.raw = self.stage.model.to(place.device).train()
        seconds = settings.stride_seconds or definitions.STRIDE_SECONDS["tokenizer" if tokenizer is None
                                                                        else "pretraining"]
        self.batches = corpus.batches(self.plan.batch_size, n_patches=settings.n_patches, stride=200 * seconds,
                                      random_state=settings.random_state, device=place.device, rank=place.rank,
                                      world_size=place.world_size, epochs=self.plan.epochs)
        rates = definitions.step_rates(self.plan, len(self.batches), self.stage.recipe, settings.stage)
        self.rates, self.n_steps = rates, min(len(rates), settings.max_steps or len(rates))
        self.optimizer = definitions.make_optimizer(self.raw, self.plan, self.stage.recipe)
        self.model = place.wrap(self.raw, unused=self.stage.recipe.dead_heads)
        about = settings.compared | {"corpus": corpus.fingerprint()}
        if tokenizer is not None:
            about["tokenizer"] = fingerprint(tokenizer.state_dict())
        self.folder, self._save_weights = Folder(out, about), definitions.save_weights
        self._descend = definitions.descend
        self.rows: list[list[float]] = []
        self.fresh: list[tuple[list[float], torch.Tensor]] = []  # rows whose losses are still on the device

    def run(self) -> Pretrained:
        """Train from the last checkpoint, or from the start."""
        with Stopping(self.place.world_size == 1, lambda: self.folder.where) as stopping:
            begun = self.place.first_does(self.folder.begin)
            try:
                self._warn_at_start()
                self._finish(self._learn(self._restore(begun), stopping))
            finally:
                self.folder.release()
        return Pretrained(self.raw.eval(), self._history())

    def _warn_at_start(self) -> None:
        if not self.place.first:
            return
        if self.batches.left_out:
            warnings.warn(f"montages with fewer windows than the {self.plan.batch_size} of a batch are left out: "
                          f"{'; '.join(self.batches.left_out)}. A smaller batch_size takes them in", stacklevel=2)
        if self.settings.stage == "masked" and codes_in_use(self.stage.quantizer) is not None:
            self._tell(f"the tokenizer: {self._codes()}")
            warn_of_collapse(self.stage.quantizer)

    def _codes(self) -> str:
        quantizer = self.stage.quantizer
        return f"{codes_in_use(quantizer):.1f} of {len(quantizer.cluster_size)} codes in use (perplexity)"

    def _learn(self, step: int, stopping: Stopping) -> int:
        """Take the steps after the first `step` ones; returns how many there are then."""
        self.batches.position = step
        with tqdm(total=self.n_steps, initial=step, unit="step", disable=not (self.progress and self.place.first)
                  or None) as bar:
            for x, channels in self.batches if step < self.n_steps else ():
                self._step(x, channels, step)
                step += 1
                bar.update()
                last, whole = step == self.n_steps, step % len(self.batches) == 0
                kept = last or whole or step % self.settings.checkpoint_every == 0 or stopping.number is not None
                if kept or step % LOOK_EVERY == 0:
                    bar.set_postfix(loss=f"{self._look():.4f}")
                if whole:
                    self._tell_epoch(step // len(self.batches))
                if kept:
                    self._keep(step)
                if last:
                    break
                if kept and stopping.number is not None:
                    raise KeyboardInterrupt
        return step

    def _finish(self, step: int) -> None:
        """Write the weights, where all steps were taken."""
        if step < len(self.rates):
            self._tell(f"stopped after step {step} of {len(self.rates)}, as max_steps says: no weights were written. "
                       f"The same command with more steps, or without max_steps, goes on")
            return
        if self.place.first and self.folder.path is not None:
            self._tell(f"wrote {self._save_weights(self.raw, self.folder.path / self.settings.stage)}")
        if self.place.first and self.settings.stage == "tokenizer":
            warn_of_collapse(self.stage.quantizer)

    def _tell(self, line: str) -> None:
        if self.progress and self.place.first:
            tqdm.write(line)

    def _tell_epoch(self, epoch: int) -> None:
        """The mean loss of the epoch that has just ended, and the codes that the tokenizer uses."""
        loss = sum(row[4] for row in self.rows[-len(self.batches):]) / len(self.batches)
        codes = f", {self._codes()}" if self.settings.stage == "tokenizer" else ""
        self._tell(f"epoch {epoch} of {self.plan.epochs}: loss {loss:.4f}{codes}")

    def _step(self, x: torch.Tensor, channels: list[str], step: int) -> None:
        """One step of the optimiser."""
        noise = step_noise(self.settings, step, self.plan.batch_size, x.shape[1] * x.shape[2])
        noise = to_device(noise[self.batches.mine], self.place.device)
        told, rate = [], float(self.rates[step])
        self._descend(self._losses(x, channels, noise, told), self.raw, self.optimizer, rate, self.plan.clip)
        about = [step + 1, step // len(self.batches) + 1, rate, len(channels)]
        self.fresh.append((about, torch.stack(told).sum(dim=0)))

    def _losses(self, x: torch.Tensor, channels: list[str], noise: torch.Tensor, told: list) -> Iterator[torch.Tensor]:
        """Losses of parts of this process's windows, whose sum is the batch's; each goes back before the next."""
        at_once = self.stage.at_once(x)
        parts = list(zip(x.split(at_once), noise.split(at_once)))
        for number, (windows, hidden) in enumerate(parts, 1):
            alone = nullcontext() if number == len(parts) or self.place.world_size == 1 else self.model.no_sync()
            with alone:
                with autocast(self.place.device, self.settings.precision):
                    losses = self.stage.losses(self.model, windows, channels, hidden)
                losses = losses.float() * (len(windows) / len(x))
                told.append(losses.detach())
                yield losses[0]

    def _look(self) -> float:
        """Fetch the losses of the steps since the last look; return the last one."""
        means = self.place.mean(torch.stack([losses for _, losses in self.fresh])).tolist()
        for (about, _), losses in zip(self.fresh, means):
            if not torch.isfinite(torch.tensor(losses[0])):
                raise ValueError(f"the loss of step {about[0]} is not finite. Start again in a new folder with a lower "
                                 f"peak_rate, or with precision='float32'.")
            self.rows.append([*about, *losses])
        self.fresh = []
        return self.rows[-1][4]

    def _history(self) -> pd.DataFrame:
        table = pd.DataFrame(self.rows, columns=["step", "epoch", "rate", "n_chans", *self.stage.names])
        return table.astype({"step": int, "epoch": int, "n_chans": int})

    def _keep(self, step: int) -> None:
        """Write a checkpoint, if the processes' weights are the same."""
        if self.folder.path is None:
            return
        self.place.check_same(self.raw, step)
        everybody = self.place.gather(random_state(self.place.device))
        if self.place.first:
            self.folder.save(step, {"model": self.raw.state_dict(), "optimizer": self.optimizer.state_dict(),
                                    "random": everybody,
                                    "rows": torch.tensor(self.rows, dtype=torch.float64)}, self._history())

    def _restore(self, begun: bool) -> int:
        """Take over the newest checkpoint; returns the number of steps that it holds."""
        path = self.place.told(self.folder.newest() if self.place.first else None)
        if path is None:
            if begun:
                self._tell("begins anew: the folder holds no checkpoint that can be read")
            torch.manual_seed(self.settings.random_state + self.place.rank)
            return 0
        state = self.folder.load(path)
        self.raw.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.place.rank < len(state["random"]):
            set_random_state(state["random"][self.place.rank], self.place.device)
        self.rows = state["rows"].tolist()
        self._tell(f"goes on after step {state['step']}")
        return state["step"]
