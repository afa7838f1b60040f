"""The exit codes of every command: what each means, once, for the code, ``eegemo --help`` and the README."""

ALL_WELL, FAILED, MISTAKE = 0, 1, 2
TIME_LIMIT, INTERRUPTED, KERNEL_DIED, TERMINATED = 124, 130, 138, 143

MEANINGS = {
    ALL_WELL: "all well",
    FAILED: "a notebook raised or could not write, some run of a sweep failed, or data did not pass its check",
    MISTAKE: "a mistake in the command, found before anything ran, or something that cannot be read or written",
    TIME_LIMIT: "a notebook reached its time limit",
    INTERRUPTED: "interrupted by Ctrl-C, or a run by its batch system; the same command goes on",
    KERNEL_DIED: "a notebook's kernel died, most often without memory; worth another try",
    TERMINATED: "pretraining was ended by its batch system; the same command goes on",
}
OF_STATUS = {"time limit": TIME_LIMIT, "interrupted": INTERRUPTED, "killed": KERNEL_DIED}  # of a RunError; else FAILED


def table() -> str:
    """Return one line for each exit code."""
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())
