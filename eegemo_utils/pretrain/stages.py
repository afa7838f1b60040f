"""The two stages: which module learns, and its losses for a batch."""

import warnings
from dataclasses import replace
from types import ModuleType

import numpy as np
import torch
from torch import nn

from eegemo_utils.pretrain.settings import PLANS, Settings

FEWEST_USED = 0.05  # share of the codes; below it a codebook counts as collapsed


def codes_in_use(quantizer: nn.Module) -> float | None:
    """Perplexity of a vocabulary: exp of the entropy of how often its codes were chosen; None when nobody counted."""
    counts = quantizer.cluster_size.double().cpu()
    if not counts.sum() > 0:
        return None
    return float(torch.special.entr(counts / counts.sum()).sum().exp())


def warn_of_collapse(quantizer: nn.Module) -> None:
    """Warn when so few codes are in use that naming them says little."""
    used, n_codes = codes_in_use(quantizer), len(quantizer.cluster_size)
    if used is not None and (used < 2 or used < FEWEST_USED * n_codes):
        warnings.warn(f"the tokenizer uses {used:.1f} of its {n_codes} codes (perplexity): the codebook has collapsed. "
                      f"A masked model then names codes that nearly all patches share, and its loss looks better than "
                      f"it is. Train the tokenizer for longer, on more data, or with fewer codes (n_codes).",
                      stacklevel=2)


class TokenizerStage:
    """Section 2.2 of the paper: reconstruct spectra from codes."""

    def __init__(self, definitions: ModuleType, settings: Settings):
        self.recipe = definitions.RECIPES[settings.recipe]
        self.model = definitions.Tokenizer(settings.size, settings.n_codes, settings.code_dim,
                                           settings.n_decoder_layers, self.recipe)
        self.names = ("loss", *definitions.TokenizerLosses._fields[1:])
        self.quantizer = self.model.quantize
        self._losses = definitions.tokenizer_losses

    def at_once(self, x: torch.Tensor) -> int:
        """All windows go through the model together: the codebook moves once a batch."""
        return len(x)

    def losses(self, model: nn.Module, x, channels, _noise) -> torch.Tensor:
        """The loss and its parts, (n_names,)."""
        return torch.stack(tuple(self._losses(model, x, channels)))


class MaskedStage:
    """Section 2.3: name the codes of hidden patches."""

    def __init__(self, definitions: ModuleType, settings: Settings, tokenizer: nn.Module, drop_rate: float):
        self.recipe = definitions.RECIPES[settings.recipe]
        self.tokenizer = tokenizer.eval().requires_grad_(False)
        self.quantizer = tokenizer.quantize
        n_codes = len(self.quantizer.embedding.weight)
        self.model = definitions.MaskedModel(settings.size, n_codes, self.recipe, drop_rate)
        self.names = ("loss", *definitions.MaskedLosses._fields)
        self.settings, self._definitions = settings, definitions

    def at_once(self, x: torch.Tensor) -> int:
        """Windows that go through the model together."""
        fitting = self._definitions.windows_at_once(len(x), x.shape[1] * x.shape[2], x.device)
        return self.settings.micro_batch or fitting

    def losses(self, model: nn.Module, x, channels, noise: torch.Tensor) -> torch.Tensor:
        """The loss, its parts and the hit rates, (n_names,); `noise` (windows, tokens) says what is hidden."""
        mask = self._definitions.mask_from_noise(noise, self.settings.mask_ratio)
        parts = self._definitions.masked_losses(model, self.tokenizer, x, channels, mask, self.settings.symmetric)
        return torch.stack((parts.hidden + parts.complement, *parts))


def paper_plan(definitions: ModuleType, settings: Settings):
    """The notebook's plan of the stage with what the settings change."""
    given = {name: getattr(settings, name) for name in ("batch_size", "epochs", "warmup_epochs", "peak_rate")}
    plan = replace(definitions.PLANS[PLANS[settings.stage]],
                   **{name: value for name, value in given.items() if value is not None})
    if plan.warmup_epochs >= plan.epochs:
        raise ValueError(f"expected fewer epochs of warm-up than epochs, found {plan.warmup_epochs} and {plan.epochs}. "
                         f"Set warmup_epochs, too.")
    return plan


def step_noise(settings: Settings, step: int, n_windows: int, n_tokens: int) -> torch.Tensor:
    """Noise for the masks of a whole batch: the same on every process, and from any step on."""
    seed = int(np.random.SeedSequence([settings.random_state, step]).generate_state(1, np.uint64)[0] >> 1)
    return torch.rand(n_windows, n_tokens, generator=torch.Generator().manual_seed(seed))
