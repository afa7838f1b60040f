"""MATLAB files: what SciPy writes is read as SciPy reads it, what is damaged is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from eegemo_utils.datasets.formats.mat import leaves, load_mat, names_in, save_mat
from eegemo_utils.trials import DatasetError

NAMES = ("data", "labels", "D")


def variables():
    cells = np.empty((2, 1), object)
    cells[0, 0], cells[1, 0] = np.arange(12.0).reshape(3, 4), np.arange(5, dtype="u1")
    nested = {"a": 1, "b": {"c": cells}, "text": "fünf", "complex": np.array([1 + 2j]), "none": np.zeros((0, 0))}
    return {"data": np.random.default_rng(0).normal(size=(2, 3, 4)), "labels": np.arange(8, dtype="i2"), "D": nested}


def content(compressed=False):
    file = io.BytesIO()
    scipy.io.savemat(file, variables(), do_compression=compressed)
    return file.getvalue()


def compress(plain):
    """The same file with each variable compressed, damaged or not, so that no checksum hides a damage."""
    start, parts, at = plain[:128], [], 128
    while at < len(plain):
        n_bytes = struct.unpack("<2I", plain[at:at + 8])[1] + 8
        packed = zlib.compress(plain[at:at + n_bytes])
        parts.append(struct.pack("<2I", 15, len(packed)) + packed)
        at += n_bytes
    return start + b"".join(parts)


@pytest.mark.parametrize("compressed", [False, True])
def test_nested_variables_are_read_and_others_left_alone(tmp_path, compressed):
    path = tmp_path / "ä b.mat"
    path.write_bytes(content(compressed))
    assert names_in(path) == list(NAMES)
    found = load_mat(path, ["labels", "data"])
    assert list(found) == ["labels", "data"] and found["labels"].dtype == np.int16
    for name, value in found.items():
        np.testing.assert_array_equal(value, scipy.io.loadmat(path)[name])
    assert load_mat(path, ["D"])["D"].dtype == object


def test_big_endian_files_are_read(tmp_path):
    part = struct.pack(">2I", 14, 56) + struct.pack(">4I", 6, 8, 6, 0) + struct.pack(">4I", 5, 8, 1, 1)
    part += struct.pack(">I", (1 << 16) | 1) + b"x\0\0\0" + struct.pack(">2Id", 9, 8, 2.5)
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + part)
    assert load_mat(tmp_path / "a.mat", ["x"])["x"].tolist() == [[2.5]]


def test_save_mat_leaves_one_whole_file(tmp_path):
    path = save_mat(tmp_path / "a.mat", {"x": np.arange(3.0)})
    assert list(tmp_path.iterdir()) == [path] and load_mat(path, ["x"])["x"].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("damaged, message", [
    (b"", "found 0 bytes"), (b"text" * 100, "starts with b'text"), (content()[:-1], "damaged or cut off"),
    (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", "save it with -v7"), (content()[:132], "damaged"),
    (b"\x89HDF\r\n\x1a\n" + bytes(200), "HDF5"), (content(True)[:-9], "damaged or cut off"),
    (content()[:128], "missing: data, labels, D; found none"),
])
def test_other_files_are_refused_by_name(tmp_path, damaged, message):
    path = tmp_path / "bad.mat"
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match=message) as caught:
        load_mat(path, NAMES)
    assert str(path) in str(caught.value)


def test_a_wrong_checksum_is_found(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": np.arange(9.0)}, do_compression=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DatasetError, match="damaged or cut off .*incorrect data check"):
        load_mat(path, ["x"])


def test_missing_files_and_variables_are_named(tmp_path):
    with pytest.raises(DatasetError, match="none.mat: expected a path that can be read, found: no such file"):
        load_mat(tmp_path / "none.mat", ["x"])
    path = save_mat(tmp_path / "a.mat", {"y": 1})
    with pytest.raises(DatasetError, match="expected the variables x; missing: x; found y"):
        load_mat(path, ["x"])
    save_mat(path, {"y": scipy.sparse.csc_matrix(np.eye(2))})
    with pytest.raises(DatasetError, match="class 5"):
        load_mat(path, ["y"])


@pytest.mark.parametrize("packed", [False, True])
def test_no_damage_gets_past_the_walk(tmp_path, packed):
    plain, rng, read = content(), np.random.default_rng(0), 0
    path = tmp_path / "a.mat"
    for _ in range(500):
        damaged = bytearray(plain)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(136, len(damaged))] = rng.integers(256)
        try:
            path.write_bytes(compress(bytes(damaged)) if packed else damaged)
        except struct.error:
            continue
        try:
            load_mat(path, NAMES[:2])
            list(leaves(path, "D", lambda keys: True))
            read += 1
        except DatasetError as error:
            assert str(path) in str(error)
    assert read > 50  # numbers may change without harm


@pytest.mark.parametrize("compressed", [False, True])
def test_leaves_of_nested_variables_come_one_by_one(tmp_path, compressed):
    path = tmp_path / "a.mat"
    path.write_bytes(content(compressed))
    asked = []
    found = dict(leaves(path, "D", lambda keys: asked.append(keys) or keys != ("b", "c", 1)))
    assert list(found) == [("a",), ("b", "c", 0), ("text",), ("complex",), ("none",)] and ("b", "c", 1) in asked
    assert found["complex",].tolist() == [[1 + 2j]]
    np.testing.assert_array_equal(found["b", "c", 0], np.arange(12.0).reshape(3, 4))
    assert found["text",] == "fünf" and found["a",].tolist() == [[1]] and found["none",].shape == (0, 0)
    assert found["b", "c", 0].dtype == np.float64
    assert [keys for keys, _ in leaves(path, "data", lambda keys: True)] == [()]
    with pytest.raises(DatasetError, match="expected the variable E; found data, labels, D"):
        list(leaves(path, "E", lambda keys: True))


def test_leaves_of_a_struct_array_are_numbered(tmp_path):
    people = np.zeros((1, 2), dtype=[("age", object), ("name", object)])
    people[0, 0], people[0, 1] = (21, "Ann"), (22, "Bob")
    path = save_mat(tmp_path / "a.mat", {"people": people})
    assert {keys: str(np.squeeze(value)) for keys, value in leaves(path, "people", lambda keys: True)} == {
        (0, "age"): "21", (0, "name"): "Ann", (1, "age"): "22", (1, "name"): "Bob"}
