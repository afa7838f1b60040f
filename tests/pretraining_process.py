"""What torchrun starts in the tests: both stages on a small corpus, then a training whose second process is killed."""

import json
import os
import signal
import sys
from pathlib import Path

import torch

from eegemo_utils import corpus
from eegemo_utils.pretrain import pretrain, training
from eegemo_utils.pretrain.together import Place, process_group

TINY = {"size": "tiny", "batch_size": 8, "n_patches": 3, "warmup_epochs": 0, "device": "cpu", "progress": False}
TOKENIZER = TINY | {"n_codes": 32, "code_dim": 8, "n_decoder_layers": 1, "epochs": 2, "peak_rate": 1e-3}
MASKED = TINY | {"epochs": 3, "peak_rate": 1e-3, "stride_seconds": 2}
KILLED_AT = 7  # step, in the middle of the first epoch


def both_stages(data, out: Path):
    """Tokenizer, then masked model with it; returns what `pretrain` gives."""
    first = pretrain("tokenizer", data, out / "tokenizer", **TOKENIZER)
    second = pretrain("masked", data, out / "masked", tokenizer=first.model, micro_batch=3, **MASKED)
    return first, second


def killed(data, out: Path, rank: int, attempt: str) -> None:
    """The tokenizer again; at the first attempt the second process is killed. The steps taken are written down."""
    steps, before = [], training.step_noise

    def watched(settings, step, *sizes):
        steps.append(step)
        (out / f"steps-{attempt}-{rank}.json").write_text(json.dumps(steps))
        if step == KILLED_AT and rank == 1 and attempt == "0":
            os.kill(os.getpid(), signal.SIGKILL)
        return before(settings, step, *sizes)

    training.step_noise = watched
    pretrain("tokenizer", data, out / "killed", checkpoint_every=2, **TOKENIZER)


if __name__ == "__main__":
    torch.set_num_threads(1)
    data, out = corpus.open(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(exist_ok=True)
    with process_group("cpu"):
        rank, attempt = Place.here("cpu").rank, os.environ["TORCHELASTIC_RESTART_COUNT"]
        made = both_stages(data, out)  # finished at once when started again
        torch.save([one.model.state_dict() for one in made], out / f"weights-{rank}.pt")
        official = MASKED | {"recipe": "official", "max_steps": 2}  # has parameters without gradients
        assert len(pretrain("masked", data, tokenizer=made[0].model, **official).history) == 2
        killed(data, out, rank, attempt)
