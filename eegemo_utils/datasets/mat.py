"""MATLAB files of version 5 to 7.2, read and written by SciPy: whatever is wrong with one is a DatasetError.

SciPy trusts what a file says of itself, and a damaged one can end the whole process. So every variable that is
wanted is walked through first: the kinds, sizes and shapes of its parts must fit one another. Layout: MathWorks,
"MAT-File Format", chapter 1.
"""

import io
import math
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import scipy.io

from eegemo_utils.trials import DatasetError

INT8, UINT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 2, 5, 6, 14, 15  # kinds of parts
NUMBERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # kind: bytes of one number
TEXTS = (1, 2, 4, 16, 17, 18)
CELL, STRUCT, CHAR, NUMERIC = 1, 2, 4, range(6, 16)  # classes of arrays; others hold programs or are sparse
COMPLEX = 1 << 11
MAX_DEPTH, MAX_DIMS, CHUNK = 12, 32, 1 << 20


def load_mat(path, names) -> dict[str, np.ndarray]:
    """Read variables of a MATLAB file.

    Parameters
    ----------
    path : path
    names : sequence of str
        Others cost neither time nor memory. See `names_in`.

    Returns
    -------
    dict
        Arrays as ``scipy.io.loadmat`` gives them: at least two-dimensional, structs as arrays with fields.

    Raises
    ------
    DatasetError
        When the file is missing, damaged, of another kind, or lacks one of `names`.
    """
    found = _walk(path, set(names))
    missing = [name for name in names if name not in found]
    if missing:
        raise DatasetError(f"{path}: expected the variables {', '.join(names)}; missing: {', '.join(missing)}; "
                           f"found {', '.join(found)[:200] or 'none'}. Another dataset's file?")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = scipy.io.loadmat(path, variable_names=list(names))
            return {name: loaded[name] for name in names}
        except Exception as error:
            raise _damaged(path, error) from error


def names_in(path) -> list[str]:
    """Names of the variables of a MATLAB file, in its order. Raises DatasetError as `load_mat` does."""
    return _walk(path, set())


def save_mat(path, variables: dict) -> Path:
    """Write a MATLAB file (version 5, not compressed), in one move."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        scipy.io.savemat(file, variables)
    os.replace(partial, path)
    return path


def _damaged(path, error) -> DatasetError:
    return DatasetError(f"{path}: expected a whole MATLAB file, found one that is damaged or cut off "
                        f"({type(error).__name__}: {error!s:.120}). Get the file anew.")


# ---- the walk ----

def _walk(path, wanted: set[str]) -> list[str]:
    """Names of all variables, after those wanted were found to be whole."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            order = _byte_order(path, file.read(128))
            names, size = [], path.stat().st_size
            while file.tell() < size:
                names.append(_variable(file, size, order, wanted))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be opened ({error.strerror or error})") from None
    except (ValueError, struct.error, zlib.error) as error:
        if isinstance(error, DatasetError):
            raise
        raise _damaged(path, error) from error
    return [name for name in names if name]


def _byte_order(path: Path, start: bytes) -> str:
    if len(start) == 128 and start[124:] in (b"\0\x01IM", b"\x01\0MI"):
        return "<" if start.endswith(b"IM") else ">"
    if b"MATLAB 7.3" in start or start.startswith(b"\x89HDF"):
        found = "version 7.3 (HDF5); save it with -v7 in MATLAB"
    else:
        found = f"{len(start)} bytes" if len(start) < 128 else f"a file that starts with {start[:12]!r}"
        found += ". Get the file anew, or take it away"
    raise DatasetError(f"{path}: expected a MATLAB file of version 5 to 7.2, found {found}.")


def _variable(file, size: int, order: str, wanted: set[str]) -> str:
    kind, n_bytes = struct.unpack(f"{order}2I", file.read(8))
    end = file.tell() + n_bytes
    if kind not in (MATRIX, COMPRESSED) or end > size:
        raise ValueError(f"a part of kind {kind} and {n_bytes} bytes, {size - file.tell()} bytes before the end")
    if kind == MATRIX:
        name = _Walk(file, order).matrix(n_bytes, wanted)
    else:
        walk = _Walk(_Inflated(file, n_bytes), order)
        inner, inner_bytes = walk.unpack("2I", 8)
        if inner != MATRIX:
            raise ValueError(f"a compressed part of kind {inner}")
        name = walk.matrix(inner_bytes, wanted)
    file.seek(end)
    return name


class _Inflated:
    """A compressed part as a stream: only a chunk of it is in memory at a time."""

    def __init__(self, file, n_bytes: int):
        self.file, self.left = file, n_bytes
        self.inflater, self.ready, self.where = zlib.decompressobj(), b"", 0

    def read(self, n_bytes: int) -> bytes:
        parts = []
        while n_bytes:
            if not self.ready:
                self._more()
                if not self.ready:
                    break
            parts.append(self.ready[:n_bytes])
            self.ready = self.ready[n_bytes:]
            n_bytes -= len(parts[-1])
        read = b"".join(parts)
        self.where += len(read)
        return read

    def _more(self) -> None:
        while not self.ready and not self.inflater.eof:
            packed = self.inflater.unconsumed_tail
            if not packed:
                packed = self.file.read(min(CHUNK, self.left))
                self.left -= len(packed)
                if not packed:
                    return
            self.ready = self.inflater.decompress(packed, CHUNK)

    def tell(self) -> int:
        return self.where

    def seek(self, n_bytes: int, _whence: int) -> None:
        while n_bytes:
            skipped = len(self.read(min(n_bytes, CHUNK)))
            if not skipped:
                raise ValueError("the file ends in the middle")
            n_bytes -= skipped


class _Walk:
    """Reads what parts say of themselves, and holds it against one another."""

    def __init__(self, stream, order: str):
        self.stream, self.order = stream, order

    def unpack(self, form: str, n_bytes: int) -> tuple:
        return struct.unpack(self.order + form, self.stream.read(n_bytes))

    def part(self, kinds, end: int, keep: bool = True) -> tuple[int, int, bytes]:
        """Kind, number of bytes and content of the next part, which must end before `end`."""
        kind, n_bytes = self.unpack("2I", 8) if end - self.stream.tell() >= 8 else (0, 0)
        if kind >> 16:  # up to four bytes stand in the tag itself
            packed = struct.pack(f"{self.order}I", n_bytes)
            kind, n_bytes = kind & 0xFFFF, kind >> 16
            content = packed[:n_bytes] if n_bytes <= 4 else None
        elif (padded := -(-n_bytes // 8) * 8) > end - self.stream.tell():
            content = None
        elif keep:
            content = self.stream.read(padded)[:n_bytes]
        else:
            self.stream.seek(padded, io.SEEK_CUR)
            content = b""
        if kind not in kinds or content is None:
            raise ValueError(f"a part of kind {kind} and {n_bytes} bytes where that cannot be")
        return kind, n_bytes, content

    def matrix(self, n_bytes: int, wanted: set[str] | None = None, depth: int = 0) -> str:
        """Name of an array; its content is looked at when it is wanted (None: always)."""
        end = self.stream.tell() + n_bytes
        _, size, flags = self.part((UINT32,), end)
        _, dims_bytes, dims = self.part((INT32, UINT32), end)
        _, _, name = self.part((INT8, 16), end)
        if size != 8 or dims_bytes % 4 or not 2 <= dims_bytes // 4 <= MAX_DIMS or depth > MAX_DEPTH:
            raise ValueError(f"an array with {size} bytes of flags and {dims_bytes} of shape")
        n_items = math.prod(struct.unpack(f"{self.order}{dims_bytes // 4}I", dims))
        name = name.decode("latin1")
        if wanted is None or name in wanted:
            flags = struct.unpack(f"{self.order}2I", flags)[0]
            self._content(flags & 0xFF, bool(flags & COMPLEX), n_items, end, depth)
            if self.stream.tell() != end:
                raise ValueError(f"{end - self.stream.tell()} bytes too many in an array")
        return name

    def _content(self, kind: int, is_complex: bool, n_items: int, end: int, depth: int) -> None:
        if kind in NUMERIC:
            for _ in range(1 + is_complex):
                number, n_bytes, _ = self.part(NUMBERS, end, keep=False)
                if n_bytes != n_items * NUMBERS[number]:
                    raise ValueError(f"{n_bytes} bytes of kind {number} for {n_items} numbers")
        elif kind == CHAR:
            self.part(TEXTS, end, keep=False)
        elif kind in (CELL, STRUCT):
            self._children(n_items * (self._n_fields(end) if kind == STRUCT else 1), end, depth)
        else:
            raise ValueError(f"an array of class {kind}, which is none of number, text, cell and struct")

    def _n_fields(self, end: int) -> int:
        _, _, width = self.part((INT32,), end)
        width = struct.unpack(f"{self.order}i", width)[0]
        _, n_bytes, _ = self.part((INT8,), end)
        if not 1 <= width <= 256 or n_bytes % width:
            raise ValueError(f"{n_bytes} bytes of field names {width} long")
        return n_bytes // width

    def _children(self, n_children: int, end: int, depth: int) -> None:
        if n_children * 8 > end - self.stream.tell():
            raise ValueError(f"{n_children} arrays in too few bytes")
        for _ in range(n_children):
            kind, n_bytes = self.unpack("2I", 8)
            if kind != MATRIX or n_bytes > end - self.stream.tell():
                raise ValueError(f"a part of kind {kind} and {n_bytes} bytes in a cell or struct")
            if n_bytes:
                self.matrix(n_bytes, depth=depth + 1)
