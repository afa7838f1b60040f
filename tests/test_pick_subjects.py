"""People by name or by number: what is asked for is read, or the error lists who is there."""

import numpy as np
import pytest

from eegemo_utils.datasets.common import pick_subjects
from eegemo_utils.trials import DatasetError

KNOWN = ("s01", "s02", "s10")


@pytest.mark.parametrize("asked, people", [
    (None, ["s01", "s02", "s10"]), ("s02", ["s02"]), (["s10", "s01"], ["s01", "s10"]), ([1], ["s01"]), (10, ["s10"]),
    (np.array([2, 1]), ["s01", "s02"]), (("s01", 2), ["s01", "s02"])])
def test_names_and_numbers(asked, people):
    assert pick_subjects("folder", KNOWN, asked) == people


@pytest.mark.parametrize("known, asked, message", [
    (KNOWN, [3], "no files of 3; there are s01, s02, s10. Names are text, such as 's01'"),
    (KNOWN, [True], "no files of True"), (KNOWN, [1.0], "no files of 1.0"),
    (KNOWN, "s", "no files of s; there are s01"),
    (KNOWN, ["1"], "no files of 1; there"), (KNOWN, [], "subjects is an empty list"),
    (("SL01", "sub1"), 1, "the number 1 stands for SL01 and sub1. Give the name"),
    (("P300-1", "ann"), [1], "no files of 1; there are P300-1, ann")])
def test_what_stands_for_nobody_or_for_several(known, asked, message):
    with pytest.raises(DatasetError, match=f"folder: .*{message}"):
        pick_subjects("folder", known, asked)
