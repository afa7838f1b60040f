"""What counts as a number, and messages in one line."""

import numpy as np
import pytest

from eegemo_utils.values import is_number, one_line


@pytest.mark.parametrize(("value", "expected"), [
    (1, True), (0.5, True), (np.float64(0.5), True), (True, False), (float("nan"), False), (float("inf"), False),
    (10**400, False), ("1", False), (None, False), ([1], False)])
def test_is_number(value, expected):
    assert is_number(value) is expected


def test_one_line():
    assert one_line(ValueError("a\n  b\tc")) == "a b c" and one_line("a b c", 3) == "a b"
