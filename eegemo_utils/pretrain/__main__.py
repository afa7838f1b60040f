"""``python -m eegemo_utils.pretrain``, and what ``torchrun -m eegemo_utils.pretrain`` starts on each process."""

import argparse
import os
import sys
import warnings
from dataclasses import fields

from eegemo_utils import corpus
from eegemo_utils.exit_codes import MISTAKE
from eegemo_utils.notebooks import NotebookError
from eegemo_utils.pretrain import pretrain
from eegemo_utils.pretrain.settings import CHOICES, HELP, PLANS, Settings
from eegemo_utils.pretrain.stopping import Stopped
from eegemo_utils.pretrain.together import ToldError, process_group

KINDS = {"int": int, "int | None": int, "float": float, "float | None": float, "str": str}


def command_line() -> argparse.ArgumentParser:
    """Return the parser; its options are the fields of `Settings`."""
    about = "Pretrain LaBraM's tokenizer, or its masked model."
    parser = argparse.ArgumentParser("eegemo pretrain", description=about)
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
            default = "" if field.default is None else f"; default: {field.default}"
            parser.add_argument(flag, type=KINDS[field.type], default=field.default, choices=CHOICES.get(field.name),
                                help=HELP[field.name] + default)
    return parser


def main(words=None) -> int:
    """Train; a mistake or a fault of the data is one line on stderr, and 2; Ctrl-C too, and 130; SIGTERM 143."""
    arguments = vars(command_line().parse_args(words))
    stage, paths, out, hours = (arguments.pop(name) for name in ("stage", "corpus", "out", "hours"))
    try:
        with warnings.catch_warnings(), process_group(arguments["device"]):
            warnings.showwarning = lambda message, *_: print(f"eegemo: {message}", file=sys.stderr)
            data = corpus.open(*paths)
            data = data if hours is None else data.part(hours, arguments["random_state"])
            pretrain(stage, data, out, **arguments)
    except ToldError:  # the first process says it
        return MISTAKE
    except (ValueError, OSError, NotebookError) as error:
        process = f"process {os.environ['RANK']}: " if int(os.environ.get("WORLD_SIZE", 1)) > 1 else ""
        print(f"eegemo: {process}{error}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt as stop:
        if int(os.environ.get("RANK", 0)) == 0:
            print(f"eegemo: {str(stop) or 'interrupted, no step was taken'}", file=sys.stderr)
        return stop.code if isinstance(stop, Stopped) else 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
