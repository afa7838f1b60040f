"""Training: seeds, device, one model or many models at once, early stopping, exact resume."""

from .checkpoints import checkpoint_path
from .device import autocast, choose_device, set_precision
from .fit import fit, predict
from .history import History
from .many import fit_many, predict_many
from .objectives import classification
from .parameters import count_parameters
from .plateau import Plateau
from .seeds import seed_everything

__all__ = ["History", "Plateau", "autocast", "checkpoint_path", "choose_device", "classification", "count_parameters",
           "fit", "fit_many", "predict", "predict_many", "seed_everything", "set_precision"]
