"""Values of any kind, as a check or a message needs them."""

import math


def is_number(value: object) -> bool:
    """Say whether a value is a finite real number, one that a float can hold; truth values are none."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def one_line(text: object, longest: int | None = None) -> str:
    """Return a message as one line of at most `longest` characters."""
    return " ".join(str(text).split())[:longest]
