"""What a pretraining is: everything that its result depends on, besides the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

PLANS = {"tokenizer": "tokenizer", "masked": "pretraining"}  # stage: its plan in the notebook
NOT_COMPARED = ("micro_batch", "checkpoint_every", "max_steps")  # may change when a training goes on
CHOICES = {"size": ("tiny", "base", "large", "huge"), "recipe": ("corrected", "official"),
           "precision": ("float32", "bf16")}
OF_ONE_STAGE = {"tokenizer": ("n_codes", "code_dim", "n_decoder_layers"), "masked": ("mask_ratio", "symmetric")}
HELP = {  # of the options; the paper's values are tested against the notebook's plans
    "size": "of the network",
    "recipe": "the paper's, mended, or as released",
    "batch_size": "windows of a step, over all processes; default: 1024 / 512 (tokenizer / masked stage)",
    "micro_batch": "masked stage; windows that a process takes at once, the batch stays whole; "
                   "default: as many as a CPU's caches hold, on a GPU all",
    "epochs": "default: 100 / 50 (tokenizer / masked stage)",
    "warmup_epochs": "epochs in which the rate rises; default: 10 / 5 (tokenizer / masked stage)",
    "peak_rate": "highest learning rate; default: 5e-05 / 0.0005 (tokenizer / masked stage)",
    "n_patches": "seconds of a window; default: as many as give at most 256 patches, and at most 16",
    "stride_seconds": "from one window to the next; default: 1 / 4 (tokenizer / masked stage)",
    "n_codes": "tokenizer stage; size of the vocabulary",
    "code_dim": "tokenizer stage; numbers of a code",
    "n_decoder_layers": "tokenizer stage; blocks of the decoder",
    "mask_ratio": "masked stage; share of the patches that are hidden",
    "precision": "of the networks' numbers",
    "random_state": "seed",
    "checkpoint_every": "steps from one checkpoint to the next; the end of each epoch has one besides",
    "max_steps": "stop after so many steps, as if killed; default: none, all epochs",
}


@dataclass(frozen=True)
class Settings:
    """How to pretrain. None: as in the paper (Tables 3 and 4).

    Parameters
    ----------
    stage : {"tokenizer", "masked"}
    size : {"tiny", "base", "large", "huge"}
    recipe : {"corrected", "official"}
    batch_size : int, optional
        Windows of a step, over all processes.
    micro_batch : int, optional
        Masked stage: windows that a process takes through the model at once; the rest follows before the step. By
        default as many as a CPU's caches hold, and on a GPU all; for models that are too large for the whole batch.
    epochs, warmup_epochs : int, optional
    peak_rate : float, optional
        Highest learning rate.
    n_patches : int, optional
        Seconds of a window; by default as many as give at most 256 patches, and at most 16.
    stride_seconds : int, optional
        From one window to the next.
    n_codes, code_dim, n_decoder_layers : int
        Of the tokenizer.
    mask_ratio : float
        Share of the patches that are hidden (Table 8).
    symmetric : bool
        Also hide what was shown (Table 9).
    precision : {"float32", "bf16"}
    random_state : int
    checkpoint_every : int
        Steps from one checkpoint to the next; the end of each epoch has one besides.
    max_steps : int, optional
        Stop after so many steps, as if killed: the schedule stays that of all epochs.

    Raises
    ------
    ValueError
        When a value is none of these.
    """

    stage: str
    size: str = "base"
    recipe: str = "corrected"
    batch_size: int | None = None
    micro_batch: int | None = None
    epochs: int | None = None
    warmup_epochs: int | None = None
    peak_rate: float | None = None
    n_patches: int | None = None
    stride_seconds: int | None = None
    n_codes: int = 8192
    code_dim: int = 64
    n_decoder_layers: int = 3
    mask_ratio: float = 0.5
    symmetric: bool = True
    precision: str = "float32"
    random_state: int = 0
    checkpoint_every: int = 1000
    max_steps: int | None = None

    def __post_init__(self):
        for name, known in {"stage": tuple(PLANS), **CHOICES}.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, found {getattr(self, name)!r}")
        least = {"batch_size": 1, "micro_batch": 1, "epochs": 1, "warmup_epochs": 0, "stride_seconds": 1, "n_codes": 2,
                 "code_dim": 1, "n_decoder_layers": 1, "random_state": 0, "checkpoint_every": 1, "max_steps": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < lowest):
                raise ValueError(f"{name} must be a whole number of at least {lowest}, found {value!r}")
        if self.peak_rate is not None and not self.peak_rate > 0 or not 0 < self.mask_ratio < 1:
            raise ValueError(f"peak_rate must be above 0 and mask_ratio between 0 and 1, found {self.peak_rate!r}, "
                             f"{self.mask_ratio!r}")
        if self.micro_batch is not None and self.stage == "tokenizer":
            raise ValueError("micro_batch is for the masked stage: the tokenizer's codebook moves once a batch, and "
                             "would move once a part. Use more processes, or a smaller batch_size.")
        for stage, names in OF_ONE_STAGE.items():
            strange = [one.name for one in fields(self) if one.name in names and getattr(self, one.name) != one.default]
            if strange and stage != self.stage:
                raise ValueError(f"{', '.join(strange)}: for the {stage} stage only, this is the {self.stage} stage. "
                                 f"Leave it out.")

    @property
    def compared(self) -> dict[str, object]:
        """What must be the same for a training to go on."""
        return {name: value for name, value in asdict(self).items() if name not in NOT_COMPARED}
