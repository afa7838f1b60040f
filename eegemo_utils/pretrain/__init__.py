"""Pretraining of LaBraM: the tokenizer and the masked model, on one process or on many.

The networks and their losses are the definitions of the LaBraM notebook. On one process, from Python::

    from eegemo_utils import corpus
    from eegemo_utils.pretrain import pretrain
    made = pretrain("tokenizer", corpus.open("corpora/tuh"), "runs/tokenizer", size="base")

on several, and on several machines that share a file system::

    torchrun --nproc-per-node 8 -m eegemo_utils.pretrain masked corpora/tuh --out runs/base \\
        --tokenizer runs/tokenizer/tokenizer.safetensors --precision bf16

A training that was killed goes on from its last checkpoint when started again in the same way: there is one at the end
of each epoch and after every `checkpoint_every` steps, and the newest two are kept. What is learned does not depend on
the number of processes, but for rounding.
"""

from eegemo_utils.pretrain.settings import Settings
from eegemo_utils.pretrain.training import Pretrained, pretrain

__all__ = ["Pretrained", "Settings", "pretrain"]
