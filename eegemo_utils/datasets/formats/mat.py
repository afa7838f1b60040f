"""MATLAB files of version 5 to 7.2, part by part: whatever does not fit together is a `DatasetError`.

SciPy trusts what a file says of itself, and a damaged one can end the whole process; it also reads a nested variable
only as a whole. So files are read here: each part's kind, size and shape must fit the others.

Layout: MathWorks, "MAT-File Format", chapter 1. A file is 128 bytes and then parts, each of a kind, a number of bytes
and contents. An array is a part of parts: flags, shape, name, then numbers, text, or arrays again. A compressed part
holds one array.
"""

import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scipy  # scipy.io loads when it is used

from eegemo_utils.datasets.common import one_move
from eegemo_utils.files import unreadable
from eegemo_utils.trials import DatasetError

INT8, INT32, UINT32, MATRIX, COMPRESSED, UTF8 = 1, 5, 6, 14, 15, 16  # kinds of parts
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
CELL, STRUCT, CHAR = 1, 2, 4  # classes of arrays; those not named here hold programs or are sparse
NUMERIC = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 1 << 11
MAX_DEPTH, MAX_DIMS, CHUNK = 12, 32, 1 << 20
FAULTS = (ValueError, struct.error, zlib.error)  # what damaged bytes raise below; DatasetError is a ValueError


def load_mat(path, names) -> dict[str, np.ndarray]:
    """Read numbers and texts of a MATLAB file by their names.

    Parameters
    ----------
    path : path
    names : sequence of str
        Others cost neither time nor memory. See `names_in`, and `leaves` for cells and structs.

    Returns
    -------
    dict
        Arrays of at least two dimensions; a text as an array of one; for a cell or a struct an empty array of
        objects.

    Raises
    ------
    DatasetError
        When the file is missing, damaged, of another kind, or lacks one of `names`.
    """
    found, values = [], {}
    for keys, value in walk(path, set(names).__contains__, lambda keys: len(keys) == 1):
        if value is None:
            found.append(keys[0])
        else:
            values[keys[0]] = np.array([value]) if isinstance(value, str) else value
    missing = [name for name in names if name not in found]
    if missing:
        raise _lacks(path, "variables " + ", ".join(names), f"missing: {', '.join(missing)}; ", found)
    return {name: values.get(name, np.empty(0, object)) for name in names}


def _lacks(path, expected: str, missing: str, found: list[str]) -> DatasetError:
    return DatasetError(f"{path}: expected the {expected}; {missing}found {', '.join(found)[:200] or 'none'}. Another "
                        f"dataset's file?")


def names_in(path) -> list[str]:
    """Return the names of the variables of a MATLAB file, in its order. Raises DatasetError as `load_mat` does."""
    return [keys[0] for keys, _ in walk(path, lambda name: False, lambda keys: False) if keys[0]]


def leaves(path, name: str, keep: Callable[[tuple], bool]) -> Iterator[tuple[tuple, np.ndarray | str]]:
    """Yield arrays and texts inside nested structs and cells, one at a time: for files larger than memory.

    Parameters
    ----------
    path : path
    name : str
        Variable.
    keep : callable
        Whether the array or text at some keys is wanted; the keys are ("Data", 3, "EEG", ...): fields of structs, and
        numbers, from 0, of the items of cells and of structs with more than one.

    Yields
    ------
    keys : tuple
    value : ndarray or str

    Raises
    ------
    DatasetError
        When the file is missing, damaged, of another kind, or lacks `name`.
    """
    found = []
    for keys, value in walk(path, lambda known: known == name, lambda keys: keep(keys[1:])):
        if value is not None:
            yield keys[1:], value
        else:
            found.append(keys[0])
    if name not in found:
        raise _lacks(path, f"variable {name}", "", found)


def save_mat(path, variables: dict) -> Path:
    """Write a MATLAB file (version 5, not compressed), in one move."""
    path = Path(path)
    with one_move(path) as partial, partial.open("wb") as file:
        scipy.io.savemat(file, variables)
    return path


def walk(path, wanted: Callable[[str], bool], keep: Callable[[tuple], bool]) -> Iterator[tuple[tuple, object]]:
    """Walk through the variables of a file, and yield the numbers and texts that are asked for.

    Parameters
    ----------
    path : path
    wanted : callable
        Whether the variable of a name is walked through; others are passed over.
    keep : callable
        Whether the array at some keys is given: (name, field or number, ...). Only that is put into memory.

    Yields
    ------
    keys : tuple
        Name of the variable alone when it begins; then of each array that is kept, name, fields of structs and
        numbers of items (cells; structs of more than one item), from 0, in MATLAB's order.
    value : None, ndarray or str
        None for the beginning of a variable.

    Raises
    ------
    DatasetError
        When the file cannot be opened, is of another kind, or does not fit together.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            order = _byte_order(path, file.read(128))
            size = path.stat().st_size
            while file.tell() < size:
                yield from _variable(file, size, order, wanted, keep)
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from None
    except FAULTS as error:
        raise error if isinstance(error, DatasetError) else _damaged(path, error) from error


def _damaged(path, error: Exception) -> DatasetError:
    """Return the error of a file that ends too early or does not fit together."""
    return DatasetError(f"{path}: expected a whole MATLAB file, found one that is damaged or cut off "
                        f"({type(error).__name__}: {error!s:.120}). Get the file again.")


def _byte_order(path: Path, start: bytes) -> str:
    if len(start) == 128 and start[124:] in (b"\0\x01IM", b"\x01\0MI"):
        return "<" if start.endswith(b"IM") else ">"
    if b"MATLAB 7.3" in start or start.startswith(b"\x89HDF"):
        found = "version 7.3 (HDF5); save it with -v7 in MATLAB"
    else:
        found = f"{len(start)} bytes" if len(start) < 128 else f"a file that starts with {start[:12]!r}"
        found += ". Get the file again, or take it away"
    raise DatasetError(f"{path}: expected a MATLAB file of version 5 to 7.2, found {found}.")


def _variable(file, size: int, order: str, wanted, keep) -> Iterator[tuple[tuple, object]]:
    kind, n_bytes = struct.unpack(f"{order}2I", file.read(8))
    end = file.tell() + n_bytes
    if kind not in (MATRIX, COMPRESSED) or end > size:
        raise ValueError(f"a part of kind {kind} and {n_bytes} bytes, {size - file.tell()} bytes before the end")
    walker = _Walk(file, order, keep)
    if kind == COMPRESSED:
        walker = _Walk(_Inflated(file, n_bytes), order, keep)
        kind, n_bytes = walker.unpack("2I", 8)
    if kind != MATRIX:
        raise ValueError(f"a compressed part of kind {kind}")
    inner_end = walker.stream.tell() + n_bytes
    flags, shape, name = walker.head(inner_end)
    yield (name,), None
    if wanted(name):
        yield from walker.content(flags, shape, inner_end, (name,))
        if walker.stream is not file:
            walker.stream.finish()
    file.seek(end)


class _Inflated:
    """A compressed part as a stream: only a chunk of it is in memory at a time."""

    def __init__(self, file, n_bytes: int):
        self.file, self.left = file, n_bytes
        self.inflater, self.ready, self.where = zlib.decompressobj(), memoryview(b""), 0

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
            self.ready = memoryview(self.inflater.decompress(packed, CHUNK))

    def finish(self) -> None:
        """Read the checksum at the end, which zlib compares."""
        if self.read(1) or not self.inflater.eof:
            raise ValueError("a compressed part that does not end with its array")

    def tell(self) -> int:
        return self.where

    def seek(self, n_bytes: int, _whence: int) -> None:
        while n_bytes:
            skipped = len(self.read(min(n_bytes, CHUNK)))
            if not skipped:
                raise ValueError("the file ends in the middle")
            n_bytes -= skipped


class _Walk:
    """Reads what parts say of themselves, and compares it."""

    def __init__(self, stream, order: str, keep):
        self.stream, self.order, self.keep = stream, order, keep

    def unpack(self, form: str, n_bytes: int) -> tuple:
        return struct.unpack(self.order + form, self.stream.read(n_bytes))

    def part(self, kinds, end: int, keep: bool = True) -> tuple[int, int, bytes]:
        """Return kind, number of bytes and content (if kept) of the next part, which must end before `end`."""
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

    def head(self, end: int) -> tuple[int, tuple[int, ...], str]:
        """Return flags, shape and name of an array."""
        _, size, flags = self.part((UINT32,), end)
        _, shape_bytes, shape = self.part((INT32, UINT32), end)
        _, _, name = self.part((INT8, UTF8), end)
        if size != 8 or shape_bytes % 4 or not 2 <= shape_bytes // 4 <= MAX_DIMS:
            raise ValueError(f"an array with {size} bytes of flags and {shape_bytes} of shape")
        return (struct.unpack(f"{self.order}2I", flags)[0], struct.unpack(f"{self.order}{shape_bytes // 4}I", shape),
                name.decode("latin1"))

    def content(self, flags: int, shape: tuple[int, ...], end: int, keys: tuple) -> Iterator[tuple[tuple, object]]:
        """Yield what an array holds, which must end at `end`."""
        kind = flags & 0xFF
        if kind in NUMERIC:
            yield from self._numbers(NUMERIC[kind], bool(flags & COMPLEX), shape, end, keys)
        elif kind == CHAR:
            code, _, text = self.part(TEXTS, end)
            if self.keep(keys):
                coding = TEXTS[code] + {"<": "-le", ">": "-be"}[self.order] * (TEXTS[code] in ("utf-16", "utf-32"))
                yield keys, text.decode(coding, errors="replace")
        elif kind in (CELL, STRUCT):
            yield from self._items(math.prod(shape), self._fields(end) if kind == STRUCT else None, end, keys)
        else:
            raise ValueError(f"an array of class {kind}, which is none of number, text, cell and struct")
        if self.stream.tell() != end:
            raise ValueError(f"{end - self.stream.tell()} bytes too many in an array")

    def _numbers(self, dtype: str, is_complex: bool, shape: tuple, end: int, keys: tuple):
        kept, parts = self.keep(keys), []
        for _ in range(1 + is_complex):
            code, n_bytes, raw = self.part(NUMBERS, end, keep=kept)
            stored = np.dtype(self.order + NUMBERS[code])
            if n_bytes != math.prod(shape) * stored.itemsize:
                raise ValueError(f"{n_bytes} bytes of {stored.name} for an array of shape {shape}")
            if kept:
                parts.append(np.frombuffer(raw, stored).astype(dtype, copy=False).reshape(shape, order="F"))
        if kept:
            yield keys, parts[0] + 1j * parts[1] if is_complex else parts[0]

    def _fields(self, end: int) -> list[str]:
        _, _, width = self.part((INT32,), end)
        width = struct.unpack(f"{self.order}i", width)[0]
        _, n_bytes, names = self.part((INT8,), end)
        if not 1 <= width <= 256 or n_bytes % width:
            raise ValueError(f"{n_bytes} bytes of field names {width} long")
        return [names[start:start + width].split(b"\0")[0].decode("latin1") for start in range(0, n_bytes, width)]

    def _items(self, n_items: int, fields: list[str] | None, end: int, keys: tuple):
        n_arrays = n_items if fields is None else n_items * len(fields)
        if n_arrays * 8 > end - self.stream.tell() or len(keys) > MAX_DEPTH:
            raise ValueError(f"{n_arrays} arrays, {len(keys)} deep, in {end - self.stream.tell()} bytes")
        for number in range(n_arrays):
            item, field = divmod(number, len(fields)) if fields else (number, None)
            inner = keys if fields and n_items == 1 else (*keys, item)
            inner = inner if field is None else (*inner, fields[field])
            kind, n_bytes = self.unpack("2I", 8)
            inner_end = self.stream.tell() + n_bytes
            if kind != MATRIX or inner_end > end:
                raise ValueError(f"a part of kind {kind} and {n_bytes} bytes in a cell or struct")
            if n_bytes:
                flags, shape, _ = self.head(inner_end)
                yield from self.content(flags, shape, inner_end, inner)
