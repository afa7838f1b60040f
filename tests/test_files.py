"""Files are written whole or not at all, and only one process at a time has a lock."""

import hashlib

import numpy as np
import pytest

from eegemo_utils.files import digest, one_move, save_text, take_lock


@pytest.mark.parametrize("shared", [False, True])
def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path, shared):
    path = save_text(tmp_path / "a.txt", "old\n")
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(error)), one_move(path, shared) as partial:
            partial.write_text("half")
            assert path.read_bytes() == b"old\n"
            raise error
        assert path.read_bytes() == b"old\n" and list(tmp_path.iterdir()) == [path]


def test_processes_that_share_a_file_write_under_names_of_their_own(tmp_path):
    with one_move(tmp_path / "a", shared=True) as one, one_move(tmp_path / "a", shared=True) as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    assert (tmp_path / "a").read_text() == "1"


def test_a_lock_that_another_has_is_the_error_that_was_given(tmp_path):
    lock = take_lock(tmp_path / ".lock", ValueError("busy"))
    with pytest.raises(ValueError, match="^busy$"):
        take_lock(tmp_path / ".lock", ValueError("busy"))
    lock.release()
    take_lock(tmp_path / ".lock", ValueError("busy")).release()


def test_a_digest_takes_text_bytes_and_arrays():
    array = np.arange(6, dtype="<i2").reshape(2, 3)
    assert digest("a", b"b", array) == hashlib.sha256(b"ab" + array.tobytes()).hexdigest()
