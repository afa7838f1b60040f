"""What torchrun starts in the tests: both stages on a small corpus, with the weights that each process ends with."""

import sys
from pathlib import Path

import torch

from eegemo_utils import corpus
from eegemo_utils.pretrain import pretrain
from eegemo_utils.pretrain.together import Place, process_group

TINY = {"size": "tiny", "batch_size": 8, "n_patches": 3, "warmup_epochs": 0, "device": "cpu", "progress": False}
TOKENIZER = TINY | {"n_codes": 32, "code_dim": 8, "n_decoder_layers": 1, "epochs": 2, "peak_rate": 1e-3}
MASKED = TINY | {"epochs": 3, "peak_rate": 1e-3, "stride_seconds": 2}


def both_stages(data, out: Path):
    """Tokenizer, then masked model with it; returns what `pretrain` gives."""
    first = pretrain("tokenizer", data, out / "tokenizer", **TOKENIZER)
    second = pretrain("masked", data, out / "masked", tokenizer=first.model, micro_batch=3, **MASKED)
    return first, second


if __name__ == "__main__":
    torch.set_num_threads(1)
    with process_group("cpu"):
        made = both_stages(corpus.open(sys.argv[1]), Path(sys.argv[2]))
        weights = [one.model.state_dict() for one in made]
        torch.save(weights, Path(sys.argv[2], f"weights-{Place.here('cpu').rank}.pt"))
