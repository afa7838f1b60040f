"""``python -m eegemo_utils.pretrain``, and what ``torchrun -m eegemo_utils.pretrain`` starts on each process."""

import argparse
import os
import sys
from dataclasses import fields

from eegemo_utils import corpus
from eegemo_utils.notebooks import NotebookError
from eegemo_utils.pretrain import pretrain
from eegemo_utils.pretrain.settings import CHOICES, OF_ONE_STAGE, PLANS, Settings
from eegemo_utils.pretrain.together import process_group

KINDS = {"int": int, "int | None": int, "float": float, "float | None": float, "str": str}


def command_line() -> argparse.ArgumentParser:
    """Return the parser; its options are the fields of `Settings`."""
    about = "Pretrain LaBraM's tokenizer, or its masked model."
    parser = argparse.ArgumentParser("eegemo_utils.pretrain", description=about)
    parser.add_argument("stage", choices=PLANS)
    parser.add_argument("corpus", nargs="+", help="corpora of `eegemo corpus build`, or the released code's HDF5 files")
    parser.add_argument("--out", required=True, help="folder for checkpoints, curve and weights")
    parser.add_argument("--tokenizer", help="weights of the trained tokenizer, for the masked stage")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--hours", type=float, help="use so many hours of the corpus only, drawn by --random-state")
    parser.add_argument("--not-symmetric", dest="symmetric", action="store_false",
                        help="masked stage; Table 9 of the paper")
    for field in fields(Settings):
        if field.name not in ("stage", "symmetric"):
            flag = "--" + field.name.replace("_", "-")
            default = "as in the paper, or none" if field.default is None else field.default
            stage = [f"{stage} stage; " for stage, names in OF_ONE_STAGE.items() if field.name in names]
            parser.add_argument(flag, type=KINDS[field.type], default=field.default, choices=CHOICES.get(field.name),
                                help=f"{''.join(stage)}default: {default}")
    return parser


def main(words=None) -> int:
    """Train; a mistake or a fault of the data is one line on stderr, and 2."""
    arguments = vars(command_line().parse_args(words))
    stage, paths, out, hours = (arguments.pop(name) for name in ("stage", "corpus", "out", "hours"))
    try:
        with process_group(arguments["device"]):
            data = corpus.open(*paths)
            data = data if hours is None else data.part(hours, arguments["random_state"])
            pretrain(stage, data, out, **arguments)
    except (ValueError, OSError, NotebookError) as error:
        print(f"eegemo: process {os.environ.get('RANK', 0)}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
