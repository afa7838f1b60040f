"""A job that crashes, in a module that processes import quickly."""

import os


def crash_on_three(number: int) -> int:
    """Square of a number; 3 ends the process."""
    if number == 3:
        os._exit(1)
    return number * number
