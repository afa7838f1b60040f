"""Damaged files for readers' tests: a reader gives what is there or a DatasetError, and nothing else.

    @MUTATED
    @given(mutations(whole))
    def check(damaged):
        path.write_bytes(damaged)
        reads_or_refuses(lambda: deap.read(root), path)
"""

import warnings
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from eegemo_utils.trials import DatasetError

# The same 200 files in every run and on every machine; no time limit on one of them, since processors differ.
MUTATED = settings(max_examples=200, deadline=None, derandomize=True, database=None,
                   suppress_health_check=list(HealthCheck))
NEAR = 1024  # formats keep what can go wrong near their ends: headers, directories


def _places(size: int):
    near = st.integers(0, min(NEAR, size) - 1)
    return st.one_of(near, near.map(lambda place: size - 1 - place), st.integers(0, size - 1))


def _flip(whole: bytes, flips) -> bytes:
    changed = bytearray(whole)
    for place, value in flips:
        changed[place] = value
    return bytes(changed)


def _splice(whole: bytes, cut: tuple[int, int], place: int) -> bytes:
    start, stop = sorted(cut)
    return whole[:place] + whole[start:stop] + whole[place:]


def _remove(whole: bytes, cut: tuple[int, int]) -> bytes:
    start, stop = sorted(cut)
    return whole[:start] + whole[stop + 1:]


def mutations(whole: bytes):
    """Strategy of damaged copies: cut off, bytes changed, pieces doubled, taken out or blanked, empty.

    Parameters
    ----------
    whole : bytes
        A valid file, a small one.
    """
    places = _places(len(whole))
    cuts = st.tuples(places, places)
    changed = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)
    return st.one_of(
        changed.map(lambda flips: _flip(whole, flips)),
        places.map(lambda place: whole[:place]),
        st.tuples(cuts, places).map(lambda both: _splice(whole, *both)),
        cuts.map(lambda cut: _remove(whole, cut)),
        cuts.map(lambda cut: whole[:min(cut)] + bytes(max(cut) - min(cut)) + whole[max(cut):]),
        st.binary(min_size=1, max_size=64).map(lambda more: whole + more),
        st.binary(max_size=64),
    )


def reads_or_refuses(read, path):
    """Call `read`; return what it gives, or None where it raises a DatasetError that names the file.

    Parameters
    ----------
    read : callable without arguments
    path : path
        The damaged file. A message must name it, or the folder it is in.

    Raises
    ------
    AssertionError
        When the message names neither, or a warning is shown. Any other error of `read` passes through.
    """
    path = Path(path)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        try:
            value = read()
        except DatasetError as error:
            value = None
            assert path.name in str(error) or path.parent.name in str(error), f"names no file: {error}"
    assert not shown, f"a reader says it in its decisions, not in a warning: {shown[0].message}"
    return value
