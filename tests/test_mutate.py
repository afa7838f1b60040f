import warnings

import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.trials import DatasetError


def test_mutations_cut_change_lengthen_and_empty():
    whole, seen = bytes(range(256)) * 8, []

    @MUTATED
    @given(mutations(whole))
    def collect(damaged):
        seen.append(damaged)

    collect()
    assert len(seen) >= 200
    assert any(damaged == b"" for damaged in seen)
    assert any(0 < len(damaged) < len(whole) and whole.startswith(damaged) for damaged in seen)
    assert any(len(damaged) == len(whole) and damaged != whole for damaged in seen)
    assert any(len(damaged) > len(whole) for damaged in seen)


def raises(error):
    def read():
        raise error
    return read


def test_what_a_reader_may_do(tmp_path):
    path = tmp_path / "s01.dat"
    assert reads_or_refuses(lambda: 5, path) == 5
    assert reads_or_refuses(raises(DatasetError("s01.dat: expected ...")), path) is None
    with pytest.raises(AssertionError, match="names no file"):
        reads_or_refuses(raises(DatasetError("damaged")), path)
    with pytest.raises(KeyError):
        reads_or_refuses(raises(KeyError("data")), path)
    with pytest.raises(AssertionError, match="not in a warning: look"):
        reads_or_refuses(lambda: warnings.warn("look", stacklevel=1), path)
