"""One block of a sweep file: what it may say, and the combinations that it names. Mistakes are told with their line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from ..notebooks import NotebookError, ParameterError, cast, default_parameters, did_you_mean
from ..notebooks.parameters import known
from .values import check_count, expand

KEYS = ("notebook", "settings", "parameters", "grid", "include", "exclude")


def line(container: object, key: object) -> str:
    """Return ", line 3" for a name or an entry of what was read from YAML, "" where the line is not known."""
    lines = getattr(container, "lines", {})
    try:
        return f", line {lines[key]}"
    except (KeyError, IndexError):
        return ""


@contextmanager
def error_at(place: str) -> Iterator[None]:
    """Let a ParameterError say where in the file the mistake stands."""
    try:
        yield
    except ParameterError as error:
        raise ParameterError(f"{place}: {error}") from error


def checked_block(block: object, path: str | Path) -> dict[str, object]:
    """Return a block whose keys and their kinds are right, or raise ParameterError."""
    where = f"The sweep file {path}"
    if not isinstance(block, dict):
        raise ParameterError(f"{where} must name a notebook: write `notebook: gru`.")
    for key in block:
        if key not in KEYS:
            guess = did_you_mean(key, KEYS)
            raise ParameterError(f"{where}{line(block, key)} has '{key}'.{guess} It takes {', '.join(KEYS)}.")
    if not block.get("notebook"):
        raise ParameterError(f"{where} must name a notebook: write `notebook: gru`.")
    for key in ("parameters", "grid"):
        if not isinstance(block.get(key) or {}, dict):
            raise ParameterError(f"{where}{line(block, key)}: {key} takes `name: value` lines, not {block[key]!r}.")
    for key in ("include", "exclude"):
        entries = block.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry for entry in entries):
            raise ParameterError(
                f"{where}{line(block, key)}: {key} takes a list such as [{{seed: 2}}], not {entries!r}."
            )
    both = [name for name in block.get("grid") or {} if name in (block.get("parameters") or {})]
    if both:
        raise ParameterError(
            f"{where}{line(block['grid'], both[0])}: the grid varies '{both[0]}', which `parameters` sets"
            f"{line(block['parameters'], both[0])}. Delete one of them."
        )
    return block


@dataclass
class Grid:
    """The combinations of a block.

    Attributes
    ----------
    block : dict
        From `checked_block`.
    path : pathlib.Path
        The sweep file, for messages.
    tell : callable
        Takes a note about what is no mistake but may not be meant.
    """

    block: Mapping[str, object]
    path: Path
    tell: Callable[[str], None]
    matched: set[int] = field(default_factory=set)

    def part(self, name: str) -> dict | list:
        """Return the part of the block with a name, empty where it is not there."""
        return self.block.get(name) or ([] if name in ("include", "exclude") else {})

    def where(self, container: object, key: object) -> str:
        """Return how a place in the file is told."""
        return f"The sweep file {self.path}{line(container, key)}"

    def check_names(self, source: Path, limits: Mapping[str, object]) -> None:
        """Raise ParameterError for a parameter that the notebook does not have, wherever the block names it."""
        for part in (self.part("parameters"), self.part("grid"), *self.part("include")):
            for name in part:
                with error_at(f"{self.where(part, name)}, {source.stem}"):
                    known(str(name), limits)

    def combinations(
        self, source: Path, fixed: dict[str, object], labels: dict[str, object], limits: Mapping[str, object]
    ) -> Iterator[tuple[dict[str, object], str]]:
        """Yield what varies in each run, and where that is said: the grid without what is excluded, what is included.

        Parameters
        ----------
        source : pathlib.Path
            The notebook.
        fixed : dict
            Parameters that are the same in all of them.
        labels : dict
            "notebook" and "settings", which ``exclude`` may name too.
        limits : Mapping
            The notebook's LIMITS.
        """
        axes = self.axes(fixed, limits)
        with error_at(self.where(self.block, "grid")):
            check_count(math.prod(map(len, axes.values())), "The grid")
        self.check_excluded(axes, labels)
        for values in product(*axes.values()) if axes or not self.part("include") else ():
            varied = dict(zip(axes, values))
            if not self.is_excluded(varied | labels, limits):
                yield varied, self.where(self.block, "grid" if axes else "notebook")
        included = self.part("include")
        for place, entry in enumerate(included):
            self.tell_left_out(entry, place, axes, fixed, source)
            yield {str(name): value for name, value in entry.items()}, self.where(included, place)

    def axes(self, fixed: Mapping[str, object], limits: Mapping[str, object]) -> dict[str, list]:
        """Return the values of each line of the grid, each value once."""
        found, grid = {}, self.part("grid")
        for name, values in grid.items():
            name, place = str(name), self.where(grid, name)
            with error_at(place):
                every = expand(name, values, limits, fixed)
            if isinstance(values, list):
                every = self.each_once(name, every, limits, place)
            found[name] = every
        return found

    def each_once(self, name: str, values: Sequence, limits: Mapping[str, object], place: str) -> list:
        """Return values without those that are named again, however they are written; tell which."""
        found: dict[str, object] = {}
        for value in values:
            key = repr(meant(name, value, limits))
            if key in found:
                self.tell(f"{place}: '{name}' names {value!r} again; it is run once. To repeat a run, vary its seed.")
            found.setdefault(key, value)
        return list(found.values())

    def check_excluded(self, axes: Mapping[str, list], labels: Mapping[str, object]) -> None:
        """Raise ParameterError for an entry of ``exclude`` with a name that does not vary."""
        for entry in self.part("exclude"):
            for name in entry:
                if name not in axes and name not in labels:
                    varies = (*axes, *labels)
                    raise ParameterError(
                        f"{self.where(entry, name)}: exclude names {name}, which the grid does not vary."
                        f"{did_you_mean(name, varies)} It can name {', '.join(varies)}."
                    )

    def is_excluded(self, values: Mapping[str, object], limits: Mapping[str, object]) -> bool:
        """Say whether an entry of ``exclude`` names a combination, and note that it did."""
        hits = [
            place
            for place, entry in enumerate(self.part("exclude"))
            if all(meant(name, value, limits) == meant(name, values[name], limits) for name, value in entry.items())
        ]
        self.matched |= set(hits)
        return bool(hits)

    def check_matched(self) -> None:
        """Raise ParameterError for an entry of ``exclude`` that took nothing away; asked when all runs are made."""
        entries = self.part("exclude")
        for place, entry in enumerate(entries):
            if place not in self.matched:
                raise ParameterError(
                    f"{self.where(entries, place)}: exclude {dict(entry)} matches no run of the grid. "
                    "Correct its values, or delete it."
                )

    def tell_left_out(
        self, entry: Mapping[str, object], place: int, axes: Mapping[str, list], fixed: Mapping, source: Path
    ) -> None:
        """Tell which parameters of the grid an entry of ``include`` does not name, and what they are in its run."""
        missing = [name for name in axes if name not in entry]
        if missing:
            defaults = default_parameters(source) | dict(fixed)
            taken = ", ".join(f"{name}={defaults[name]}" for name in missing)
            self.tell(
                f"{self.where(self.part('include'), place)}: this run does not name {', '.join(missing)}, which the "
                f"grid varies, and takes {taken}. Name {'it' if len(missing) == 1 else 'them'} for another value."
            )


def meant(name: str, value: object, limits: Mapping[str, object]) -> object:
    """Return a value as its parameter takes it, however it is written; one that it does not take as it is."""
    try:
        return cast(name, value, limits)
    except (ParameterError, NotebookError):
        return value
