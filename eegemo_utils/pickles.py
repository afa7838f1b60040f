"""Pickles and object arrays as data: what a file may hold is a list of names, and nothing in it ever runs.

A pickle is a program. ``pickle.load`` runs it, and so does ``numpy.load(allow_pickle=True)``. `load_pickle`
knows NumPy arrays, scalars and plain containers, as Python 2 and 3 and NumPy 1 and 2 write them, and builds
those by itself: not even NumPy's own ``__setstate__`` of data types is called, since a forged state can make
it read raw bytes as addresses. All else is refused by name.
"""

import io
import math
import os
import pickle
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np

from eegemo_utils.files import unreadable
from eegemo_utils.trials import DatasetError

PLAIN_DTYPE = re.compile(r"[<>=|]?(?:[biufcSUO]\d*|\?)")  # numbers, text, objects; no records, no sub-arrays
MAX_HEADER = 10_000  # bytes, of an .npy file


class _Refused(Exception):
    """A global or an opcode that is not on the list."""


# ---- what stands for the names in a pickle ----

def _dtype(name, *_align_and_copy):
    name = name.decode("ascii") if isinstance(name, bytes) else name
    if not isinstance(name, str) or not PLAIN_DTYPE.fullmatch(name):
        raise _Refused(f"numpy.dtype({name!r})")
    return np.dtype(name, copy=True)  # an object of its own: `_with_state` looks for it in the memo


def _with_state(dtype: np.dtype, state) -> np.dtype:
    """The data type with the byte order of its pickled state; all other parts of the state must be plain."""
    order, *records = state[1:5]
    order = order.decode("ascii") if isinstance(order, bytes) else order
    if any(part is not None for part in records) or order not in ("<", ">", "=", "|"):
        raise _Refused("numpy.dtype with fields or sub-arrays")
    return dtype if order in "=|" else dtype.newbyteorder(order)


def _raw(data) -> bytes | bytearray | memoryview:
    """Bytes of an array; Python 2 wrote them as text, which Python 3 reads as latin1."""
    return data.encode("latin1") if isinstance(data, str) else data


def _array(data, dtype: np.dtype, shape, order: str = "C") -> np.ndarray:
    """An array of its own memory, from raw bytes, or from a list for objects."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    n_items = math.prod(shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape}")
    if dtype.hasobject:
        if not isinstance(data, list) or len(data) != n_items:
            raise ValueError(f"an object array of shape {shape} without its {n_items} objects")
        items = np.empty(n_items, object)
        for row, item in enumerate(data):
            items[row] = item
    else:
        data = _raw(data)
        if len(data) != n_items * dtype.itemsize:
            raise ValueError(f"{len(data)} bytes for an array of shape {shape} and type {dtype}")
        # frombuffer takes no empty buffer and no type of no size
        items = np.frombuffer(data, dtype).copy() if len(data) else np.zeros(n_items, dtype)
    return items.reshape(shape, order=order)


def _scalar(dtype: np.dtype, data=None):
    if dtype.hasobject:
        raise _Refused("a NumPy scalar that holds an object")
    return _array(data, dtype, ())[()]


def _reconstruct(kind, _shape, _code):
    if kind is not np.ndarray:
        raise _Refused("numpy._reconstruct of something that is no array")
    return np.empty(0, np.uint8)  # its state follows


def _encode(text, _coding):
    """Bytes, as Python 3 writes them for Python 2."""
    return text.encode("latin1")


def _bytes():
    return b""  # only the empty one is written so


_MULTIARRAY = {"_reconstruct": _reconstruct, "scalar": _scalar}
_KNOWN = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): _dtype, ("_codecs", "encode"): _encode}
for _core in ("numpy.core", "numpy._core"):
    _KNOWN |= {(f"{_core}.multiarray", name): made for name, made in _MULTIARRAY.items()}
    _KNOWN[f"{_core}.numeric", "_frombuffer"] = _array
for _builtins in ("builtins", "__builtin__"):
    _KNOWN |= {(_builtins, "set"): set, (_builtins, "frozenset"): frozenset, (_builtins, "bytes"): _bytes}


# ---- the machine ----

class _Bounded:
    """A file that never gives, nor makes room for, more bytes than it has."""

    def __init__(self, file):
        here = file.tell()
        self.file, self.size = file, file.seek(0, os.SEEK_END)
        file.seek(here)

    def read(self, n_bytes: int) -> bytes:
        if n_bytes > self.size - self.file.tell():
            raise EOFError("the file ends in the middle")
        return self.file.read(n_bytes)

    def readline(self) -> bytes:
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the file ends in the middle of a line")
        return line


class _Unpickler(pickle._Unpickler):  # the one in Python: its opcodes can be replaced, and its memo is a dict
    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str):
        if (module, name) not in _KNOWN:
            raise _Refused(f"{module}.{name}")
        return _KNOWN[module, name]

    def refuse(self):
        raise _Refused("an instance of a class")

    def load_reduce(self):
        args, made = self.stack.pop(), self.stack[-1]
        if made is np.ndarray or not any(made is known for known in _KNOWN.values()):
            raise _Refused(f"a call of {made!r:.60}")
        self.stack[-1] = made(*args)

    def load_build(self):
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, np.dtype):
            self.stack[-1] = _with_state(target, state)
        elif isinstance(target, np.ndarray):
            _, shape, dtype, fortran, data = state
            self.stack[-1] = _array(data, dtype, shape, "F" if fortran else "C")
        else:
            raise _Refused("a state for something that is no array")
        for place, remembered in self.memo.items():
            if remembered is target:
                self.memo[place] = self.stack[-1]

    def load_bytearray8(self):
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    for _opcode in (pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2,
                    pickle.EXT4, pickle.PERSID, pickle.BINPERSID):
        dispatch[_opcode[0]] = refuse


def _unpickle(file, where: str, encoding: str):
    try:
        return _Unpickler(_Bounded(file), encoding=encoding).load()
    except _Refused as refused:
        raise DatasetError(f"{where}: expected arrays, numbers, text and plain containers, found {refused}. "
                           f"Nothing was run. Get the file anew from its source, and do not open it with "
                           f"pickle.load.") from None
    except MemoryError:
        raise DatasetError(f"{where}: a pickle that does not fit into memory") from None
    except Exception as error:  # what damaged bytes raise has no end
        raise DatasetError(f"{where}: expected a whole pickle, found one that is damaged or cut off "
                           f"({type(error).__name__}: {error!s:.120}). Get the file anew.") from error


def load_pickle(source, where: str | None = None, encoding: str = "latin1"):
    """Read a pickle of arrays and plain containers; nothing in it is run.

    Parameters
    ----------
    source : path or bytes
        A file, or the pickle itself (SEED-V keeps some inside .npz files).
    where : str, optional
        What to call it in messages; a file's own path by default.
    encoding : str
        How text of Python 2 is read. "latin1" is right for arrays, whose bytes Python 2 wrote as text.

    Returns
    -------
    object
        dict, list, tuple, set, number, text, bytes, None, ndarray, NumPy scalar, nested at will.

    Raises
    ------
    DatasetError
        When the file cannot be read, is damaged or cut off, or names anything else.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _unpickle(io.BytesIO(source), where or "a pickle in memory", encoding)
    where = where or str(source)
    with _opened(source, where) as file:
        return _unpickle(file, where, encoding)


def _opened(path, where: str):
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise DatasetError(unreadable(where, error)) from None


# ---- arrays in .npy and .npz ----

def _header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2 are read as they are
        return read[version[0]](file, max_header_size=MAX_HEADER)


def _npy(file, size: int, where: str, encoding: str) -> np.ndarray:
    try:
        shape, fortran, dtype = _header(file)
        if dtype.kind != "O":
            if dtype.hasobject:
                raise ValueError("a record with objects in it")
            n_bytes = math.prod(shape) * dtype.itemsize
            if n_bytes > size or min(shape, default=0) < 0:
                raise EOFError(f"the header speaks of {n_bytes} bytes, the file has {size}")
            return _array(file.read(n_bytes), dtype, shape, "F" if fortran else "C")
        pickled = file.read()
    except Exception as error:
        raise DatasetError(f"{where}: expected a whole NumPy array, found one that is damaged or cut off "
                           f"({type(error).__name__}: {error!s:.120}). Get the file anew.") from error
    array = load_pickle(pickled, where, encoding)
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise DatasetError(f"{where}: expected an object array of shape {shape}, found another one")
    return array


def load_npy(path, encoding: str = "latin1") -> np.ndarray:
    """Read the array of an .npy file; objects in it go through `load_pickle`, which see."""
    with _opened(path, str(path)) as file:
        return _npy(file, Path(path).stat().st_size, str(path), encoding)


def load_npz(path, encoding: str = "latin1") -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file; object arrays go through `load_pickle`.

    Parameters
    ----------
    path : path
    encoding : str
        See `load_pickle`.

    Returns
    -------
    dict
        Arrays by name. A pickle stored as bytes comes back as bytes (``array.item()``): give it to `load_pickle`.

    Raises
    ------
    DatasetError
        As `load_pickle`.
    """
    arrays = {}
    with _opened(path, str(path)) as file:
        try:
            archive = zipfile.ZipFile(file)
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    with archive.open(member) as opened:
                        arrays[member.filename.removesuffix(".npy")] = _npy(
                            opened, member.file_size, f"{path}, {member.filename}", encoding)
        except DatasetError:
            raise
        except Exception as error:  # what a damaged zip raises comes from three libraries
            raise DatasetError(f"{path}: expected a whole .npz file (a zip of arrays), found "
                               f"{type(error).__name__}: {error!s:.120}. Get the file anew.") from error
    return arrays
