"""Arrays on the device, and batches of them by indexing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch


def on_device(data, device: torch.device, dtype: torch.dtype, labels: bool = False):
    """Move a tensor, array, tuple of them, or None to `device`, once.

    Floating-point data takes the model's `dtype`; whole-number labels become int64.
    """
    if data is None:
        return None
    if isinstance(data, tuple):
        return tuple(on_device(part, device, dtype, labels) for part in data)
    if isinstance(data, np.ndarray) and not data.flags.writeable:
        data = data.copy()  # a tensor can only share memory that may be written
    tensor = torch.as_tensor(data)
    if tensor.is_floating_point():
        return tensor.to(device, dtype)
    return tensor.to(device, torch.int64 if labels else tensor.dtype)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a CPU tensor to `device` without waiting for what runs there."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def rows_on_device(rows_list, device: torch.device) -> list[torch.Tensor | None]:
    """Move every model's row numbers to `device` in one copy; None stays."""
    given = [rows for rows in rows_list if rows is not None]
    if not given:
        return list(rows_list)
    parts = iter(to_device(torch.cat(given), device).split([len(rows) for rows in given]))
    return [None if rows is None else next(parts) for rows in rows_list]


def take(data, rows: torch.Tensor):
    """Rows of a tensor or of each tensor of a tuple; shape rows.shape + (...)."""
    if isinstance(data, tuple):
        return tuple(take(part, rows) for part in data)
    return None if data is None else data[rows]


def n_rows(X) -> int:
    """Number of rows; the tensors of a tuple must agree.

    Raises
    ------
    ValueError
        They differ.
    """
    lengths = {len(part) for part in (X if isinstance(X, tuple) else (X,))}
    if len(lengths) != 1:
        raise ValueError(f"the tensors of X must have the same number of rows, found {sorted(lengths)}")
    return lengths.pop()


def row_numbers(rows, n: int, what: str) -> torch.Tensor:
    """Row numbers as an int64 tensor on the CPU, checked against the `n` rows of X.

    Raises
    ------
    ValueError
        No rows, not whole numbers, or out of range (on a GPU this would end the process).
    """
    rows = torch.as_tensor(np.asarray(rows))
    if rows.ndim != 1 or len(rows) == 0 or rows.is_floating_point() or rows.dtype == torch.bool:
        raise ValueError(f"{what} must be a list of row numbers with at least one entry, "
                         f"found shape {tuple(rows.shape)} of {rows.dtype}")
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"{what} holds row {int(rows.min() if rows.min() < 0 else rows.max())}, "
                         f"but X has {n} rows")
    return rows.long()


def batches(n: int, batch_size: int) -> list[tuple[int, int]]:
    """Start and stop of each batch.

    The last batch may be smaller. A single left-over row joins the batch before it, since batch
    normalisation cannot train on one row.
    """
    edges = list(range(0, n, batch_size)) + [n]
    if len(edges) > 2 and batch_size > 1 and edges[-1] - edges[-2] == 1:
        del edges[-2]
    return list(zip(edges[:-1], edges[1:], strict=True))


def steps(lengths: dict[int, int], batch_size: int) -> Iterator[list[tuple[tuple, tuple]]]:
    """Walk several models' batches side by side.

    Parameters
    ----------
    lengths : dict of model number to its number of rows
    batch_size : int

    Yields
    ------
    list of (model numbers, spans)
        One step: models whose batches are equally long stand together, each with its (start, stop).
        Models that have run out of batches are not in it.
    """
    plans = {k: batches(n, batch_size) for k, n in lengths.items()}
    for step in range(max(map(len, plans.values()), default=0)):
        groups: dict[int, dict] = {}
        for k, plan in plans.items():
            if step < len(plan):
                start, stop = plan[step]
                groups.setdefault(stop - start, {})[k] = (start, stop)
        yield [(tuple(group), tuple(group.values())) for group in groups.values()]


def stack_rows(rows, ks: tuple, spans: tuple) -> torch.Tensor:
    """Row numbers of one batch of each of models `ks`, shape (len(ks), batch)."""
    return torch.stack([rows[k][start:stop] for k, (start, stop) in zip(ks, spans, strict=True)])
