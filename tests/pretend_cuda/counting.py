"""What is counted on the pretend device: kernels and waits between optimiser steps, and which lines wait."""

from __future__ import annotations

import atexit
import collections
import json
import linecache
import os
import statistics
import sys
import threading
import time
from pathlib import Path

import torch

NOT_NAMED = (str(Path(torch.__file__).parent), str(Path(__file__).parent), "<frozen")


class Counts:
    """Counts of one process.

    Attributes
    ----------
    launches, waits : int
        Kernels that were started (views are none), and times that the host waited for the device.
    lines : dict of (kind, line) to its number of waits
    steps : dict of optimiser, in words, to (launches, waits) since the step before, for each of its steps
    undetermined : Counter
        Operations without a deterministic CUDA kernel that ran while deterministic ones were asked for.
    """

    def __init__(self) -> None:
        self.launches = self.waits = 0
        self.lines: collections.Counter = collections.Counter()
        self.steps: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        self.undetermined: collections.Counter = collections.Counter()
        self.before = (0, 0)
        self.next_report = 0.0

    def wait(self, kind: str) -> None:
        """Count a wait of the host, under the line that caused it."""
        self.waits += 1
        self.lines[kind, line()] += 1

    def step(self, optimizer: torch.optim.Optimizer, *_) -> None:
        """End a step."""
        name = f"{type(optimizer).__name__} of {sum(len(group['params']) for group in optimizer.param_groups)} tensors"
        self.steps[name].append((self.launches - self.before[0], self.waits - self.before[1]))
        self.before = (self.launches, self.waits)
        if time.monotonic() > self.next_report:  # a kernel that is slow to end is killed
            write()
            self.next_report = time.monotonic() + 5

    def report(self) -> dict:
        """Return everything in JSON's types; of each optimiser the median step."""
        middle = statistics.median_low
        steps = {name: {"n": len(each), "launches": middle(n for n, _ in each), "waits": middle(n for _, n in each)}
                 for name, each in self.steps.items()}
        waits = [[n, kind, where] for (kind, where), n in self.lines.most_common()]
        return {"command": sys.argv, "launches": self.launches, "steps": steps, "waits": waits,
                "undetermined": dict(self.undetermined)}


def line() -> str:
    """Return the innermost line that is neither PyTorch's nor the device's, and its caller's."""
    frame, found = sys._getframe(2), []
    while frame is not None and len(found) < 2:
        path = frame.f_code.co_filename
        if not path.startswith(NOT_NAMED):
            found.append(f"{'/'.join(Path(path).parts[-2:])}:{frame.f_lineno} {frame.f_code.co_name}: "
                         f"{linecache.getline(path, frame.f_lineno).strip()[:80]}")
        frame = frame.f_back
    where = "PyTorch" if threading.current_thread() is threading.main_thread() else "backward pass"
    return " < ".join(found) or where


def write() -> None:
    """Write the report where the environment asks for it."""
    if counts.launches and "PRETEND_CUDA_REPORT" in os.environ:
        path = Path(os.environ["PRETEND_CUDA_REPORT"]) / f"{os.getpid()}.json"
        path.write_text(json.dumps(counts.report(), indent=1), encoding="utf-8")


counts = Counts()
atexit.register(write)
