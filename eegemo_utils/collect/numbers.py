"""Values that must be numbers: what is none is left out of the table, and told."""

from __future__ import annotations

from ..notebooks.metrics import SCORE
from ..values import is_number

COSTS = ("attempts", "seconds", "peak_memory_mb", "cell")


def numbers_only(rows: list[dict[str, object]]) -> list[str]:
    """Make each value missing that is no number where its name takes numbers, and say so.

    Scores and costs take numbers always, any other metric where at least half of its values are some: one text would
    turn its whole column into text, and the numbers of the other runs would not be summarised.

    Parameters
    ----------
    rows : list of dict
        Runs, by the names of the table's columns; changed in place.

    Returns
    -------
    list of str
        A line for each name and value, with the first run that has it. Scores outside 0 to 1 are told too, and stay.
    """
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in rows for name in row if name.startswith("metrics.") or name in COSTS):
        having = [row for row in rows if row.get(name) is not None]
        wrong = [row for row in having if not is_number(row[name])]
        told = name.removeprefix("metrics.")
        is_score = SCORE.match(told) is not None
        if is_score or name in COSTS or 2 * len(wrong) <= len(having):
            for row in wrong:
                found.setdefault(f"{told} is {row[name]!r:.40}, no number: left out", []).append(row["run"])
                row[name] = None
        for row in having if is_score else ():
            if row[name] is not None and not 0 <= row[name] <= 1:
                found.setdefault(f"{told} is {row[name]:g}, no share from 0 to 1", []).append(row["run"])
    return sorted(f"{runs[0]}{f' and {len(runs) - 1} more' * (len(runs) > 1)}: {what}" for what, runs in found.items())
