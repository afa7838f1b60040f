import io
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from mutate import MUTATED, mutations, reads_or_refuses

from eegemo_utils.pickles import load_npy, load_npz, load_pickle
from eegemo_utils.trials import DatasetError

ARRAYS = {
    "float": np.linspace(-3, 3, 24).reshape(2, 3, 4), "float32": np.ones((2, 2), np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "big endian": np.arange(4, dtype=">i4"),
    "bool": np.array([True, False]), "text": np.array(["ä", "bc"]), "bytes": np.array([b"a", b"bc"]),
    "complex": np.array([1 + 2j]), "empty": np.zeros((0, 3)), "no size": np.zeros(2, "S0"), "0-d": np.array(5.0),
}
PLAIN = {"data": ARRAYS, 1: [None, True, 2.5, -7, 2**70, "text", b"raw", b""], (1, 2): {3, 4}, "f": frozenset({5}),
         "scalars": [np.float64(1.5), np.int16(-3), np.bool_(True)]}


def same(left, right):
    """Equal in values, shapes and types, all the way down."""
    if isinstance(left, np.ndarray):
        assert type(right) is np.ndarray and right.dtype == left.dtype and right.flags.writeable
        if left.dtype == object:
            assert right.shape == left.shape
            return all(same(*pair) for pair in zip(left.ravel(), right.ravel()))
        np.testing.assert_array_equal(left, right)
        return True
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(same(*pair) for pair in zip(left, right))
    return type(left) is type(right) and left == right


class Runs:
    """What a hostile pickle does: it names a function and calls it."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_all_that_is_plain_comes_back_in_every_protocol(protocol):
    assert same(PLAIN, load_pickle(pickle.dumps(PLAIN, protocol)))


def test_a_file_and_bytes_are_read_alike(tmp_path):
    path = tmp_path / "ä file.pkl"
    path.write_bytes(pickle.dumps(PLAIN, 2))
    assert same(PLAIN, load_pickle(path)) and same(PLAIN, load_pickle(str(path)))


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
def test_names_of_numpy_1_and_2(core):
    values = np.arange(6.0).reshape(2, 3)
    pickled = pickle.dumps([values, np.float32(2)], 0)
    assert b"numpy._core" in pickled or b"numpy.core" in pickled
    pickled = pickled.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", core.encode())
    assert same([values, np.float32(2)], load_pickle(pickled))


def test_what_python_2_wrote():
    # cPickle.dumps({'labels': numpy.array([[1.5, 2.0]]), 'a': numpy.float64(3)}, 2), bytes as str
    values = np.array([[1.5, 2.0]])
    dtype = b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    pickled = (b"\x80\x02}(U\x06labelscnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
               b"(K\x01K\x01K\x02\x86" + dtype + b"\x89U\x10" + values.tobytes() + b"tb"
               b"U\x01acnumpy.core.multiarray\nscalar\n" + dtype + b"U\x08" + np.float64(3).tobytes() + b"\x86Ru.")
    assert same({"labels": values, "a": np.float64(3)}, load_pickle(pickled))
    assert same({b"labels": values, b"a": np.float64(3)}, load_pickle(pickled, encoding="bytes"))


def test_object_arrays_with_arrays_of_different_shapes():
    ragged = np.empty((2, 2), object)
    for place, row in zip(np.ndindex(2, 2), range(4)):
        ragged[place] = np.ones((row, 2))
    for protocol in (2, 5):
        assert same(ragged, load_pickle(pickle.dumps(ragged, protocol)))


def test_one_object_named_twice_stays_one():
    values = np.arange(3.0)
    first, second = load_pickle(pickle.dumps([values, values]))
    assert first is second
    little, big = load_pickle(pickle.dumps([np.arange(2, dtype="<f8"), np.arange(2, dtype=">f8")]))
    assert little.dtype.str == "<f8" and big.dtype.str == ">f8" and np.dtype("f8").str == "<f8"


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("function, args", [
    (os.system, ("touch ran",)), (eval, ("open('ran', 'w')",)), (open, ("ran", "w")),
    (subprocess.check_call, (["touch", "ran"],)), (np.save, ("ran", 1)), (getattr, (1, "real")),
])
def test_a_pickle_that_would_run_code_runs_nothing(tmp_path, monkeypatch, function, args, nested, protocol):
    monkeypatch.chdir(tmp_path)
    hostile = Runs(function, *args)
    pickled = pickle.dumps({"data": [np.ones(3), (hostile,)]} if nested else hostile, protocol)
    with pytest.raises(DatasetError, match=f"{function.__name__}.*Nothing was run"):
        load_pickle(pickled, "s01.dat")
    objects = np.empty(1, object)
    objects[0] = hostile
    np.savez("objects.npz", data=objects)
    np.save("objects.npy", objects)
    for read in (lambda: load_npz("objects.npz"), lambda: load_npy("objects.npy")):
        with pytest.raises(DatasetError, match="Nothing was run"):
            read()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["objects.npy", "objects.npz"]
    pickle.loads(pickle.dumps(Runs(open, "ran", "w"))).close()
    assert (tmp_path / "ran").exists()  # so the pickles above are hostile indeed


@pytest.mark.parametrize("pickled, message", [
    (b"cnumpy.core.multiarray\n_reconstruct.x\n.", "_reconstruct.x"),
    (b"\x80\x04\x8c\x05numpy\x8c\x08os.systm\x93.", "os.systm"),
    (b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x81.", "instance of a class"),
    (b"cnumpy\nndarray\n(I1000000000000\ntR.", "a call of"),
    (b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nset\n(I0\ntS'b'\ntR.", "no array"),
    (b"S'abc'\n(tR.", "a call of 'abc'"),
    (b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nN(S'a'\nt}I8\nI8\nI0\ntb.", "fields"),
    (b"cnumpy\ndtype\n(S'M8[ns]'\nI0\nI1\ntR.", r"M8\[ns\]"),
    (b"cnumpy\nndarray\n}S'shape'\nI1\nsb.", "state for something"),
    (b"(i__main__\nThing\n.", "instance of a class"), (b"Pid\n.", "instance of a class"),
])
def test_forged_pickles_are_refused(pickled, message):
    with pytest.raises(DatasetError, match=message):
        load_pickle(pickled, "forged.pkl")


def test_a_forged_data_type_cannot_make_addresses_of_bytes():
    # A record whose flags deny the object in it: NumPy itself would follow the eight bytes as an address.
    record = np.dtype([("a", "O")])
    state = list(record.__reduce__()[2])
    state[-1] = 0
    address = (123456).to_bytes(8, "little")
    parts = pickle.dumps((np.dtype("V8"), tuple(state)), 2)
    assert b"V8" in parts
    with pytest.raises(DatasetError, match="V8"):
        load_pickle(parts)
    plain = b"cnumpy\ndtype\n(S'O'\nI0\nI1\ntR(I3\nS'|'\nNNNI8\nI8\nI0\ntb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\nt" + plain + b"I00\n"
    for data in (b"U\x10" + 2 * address, b"]", b"(I1\nI2\nI3\nl"):  # bytes, too few objects, too many
        with pytest.raises(DatasetError, match="without its 2 objects"):
            load_pickle(start + data + b"tb.")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_cut_off_anywhere_is_refused(protocol, tmp_path):
    pickled = pickle.dumps({"data": np.arange(40.0), "labels": [1, "b"]}, protocol)
    path = tmp_path / "s01.dat"
    for length in range(len(pickled)):
        path.write_bytes(pickled[:length])
        with pytest.raises(DatasetError, match="s01.dat.*damaged or cut off.*anew"):
            load_pickle(path)


@pytest.mark.parametrize("opcode", [b"\x80\x05\x96", b"\x80\x04\x8e", b"\x80\x04\x95"])
def test_lengths_that_lie_take_no_memory(tmp_path, opcode):
    path = tmp_path / "lies.pkl"
    path.write_bytes(opcode + (2**44).to_bytes(8, "little") + b".")
    for source in (path, path.read_bytes()):
        with pytest.raises(DatasetError, match="damaged or cut off.*EOFError"):
            load_pickle(source)


def test_a_far_place_in_the_memo_and_deep_nests_are_harmless():
    assert load_pickle(b"\x80\x02Nr\xff\xff\xff\xf0.") is None  # the C machine makes room for all places before it
    load_pickle(b"(" * 100_000 + b"t" * 100_000 + b".")


def check_mutations(read, path):
    """Read 200 damaged copies of a file; return how many were refused."""
    refused = []

    @MUTATED
    @given(mutations(path.read_bytes()))
    def check(damaged):
        path.write_bytes(damaged)
        refused.append(reads_or_refuses(lambda: (read(path),), path) is None)

    check()
    assert len(refused) >= 200
    return sum(refused)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_damaged_pickles_give_a_value_or_a_dataset_error(tmp_path, protocol):
    path = tmp_path / "s01.dat"
    path.write_bytes(pickle.dumps(PLAIN, protocol))
    assert check_mutations(load_pickle, path) > 40


def test_damaged_arrays_give_a_value_or_a_dataset_error(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(12.0).reshape(3, 4))
    assert check_mutations(load_npy, tmp_path / "a.npy") > 40
    np.savez(tmp_path / "a.npz", data=np.arange(12.0), label=np.array({"de": np.ones(3)}, object))
    assert check_mutations(load_npz, tmp_path / "a.npz") > 40


def test_npz_as_seed_v_has_it(tmp_path):
    path = tmp_path / "1_123.npz"
    data = {0: np.ones((3, 310)), 1: np.zeros((2, 310))}
    np.savez(path, data=pickle.dumps(data), label=pickle.dumps({0: np.zeros(3), 1: np.ones(2)}))
    assert same(data, load_pickle(load_npz(path)["data"].item()))


@pytest.mark.parametrize("name", ARRAYS)
def test_npy_and_npz_of_every_kind(tmp_path, name):
    np.save(tmp_path / "a.npy", ARRAYS[name])
    np.savez_compressed(tmp_path / "a.npz", first=ARRAYS[name], second=np.array({"de": ARRAYS[name]}, object))
    assert same(ARRAYS[name], load_npy(tmp_path / "a.npy"))
    arrays = load_npz(tmp_path / "a.npz")
    assert same(ARRAYS[name], arrays["first"]) and same(ARRAYS[name], arrays["second"].item()["de"])


def test_damaged_npy_and_npz_are_refused(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, data=np.arange(30.0), words=np.array(["a", None], object))
    path = tmp_path / "cut.npz"
    for length in range(0, len(buffer.getvalue()), 7):
        path.write_bytes(buffer.getvalue()[:length])
        with pytest.raises(DatasetError, match="cut.npz"):
            load_npz(path)
    long = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    long = b"\x93NUMPY\x01\x00" + len(long).to_bytes(2, "little") + long
    for text, found in ((b"", ""), (long, ".*speaks of 799999999992 bytes"), (b"\x93NUMPY\x01\x00\x05\x00{[}\n", "")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data.npy", text)
        with pytest.raises(DatasetError, match=f"cut.npz, data.npy.*damaged{found}"):
            load_npz(path)
    records = np.zeros(2, [("a", "O")])
    np.save(tmp_path / "records.npy", records)
    with pytest.raises(DatasetError, match="record with objects"):
        load_npy(tmp_path / "records.npy")


def test_a_file_that_is_not_there(tmp_path):
    for read in (load_pickle, load_npy, load_npz):
        with pytest.raises(DatasetError, match="nowhere.*No such file"):
            read(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory with resource")
def test_a_large_array_takes_four_times_its_size_at_most(tmp_path):
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        pickle.dump(np.zeros(8_000_000), file, 2)
    code = ("import resource, sys; from eegemo_utils.pickles import load_pickle; "
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024; before = peak(); "
            "load_pickle(sys.argv[1]); print(peak() - before)")
    used = int(subprocess.check_output([sys.executable, "-c", code, str(path)]))
    assert used < 4 * path.stat().st_size
