"""``python -m eegemo_utils``, and what the command ``eegemo`` starts.

The command itself is imported late, so that Ctrl-C in the first second ends in one line too.
"""

import sys

from . import exit_codes


def main() -> int:
    """Run one command and return its exit code."""
    try:
        from .cli import main as command

        return command()
    except KeyboardInterrupt:
        print("eegemo: interrupted, nothing was started", file=sys.stderr)
        return exit_codes.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
