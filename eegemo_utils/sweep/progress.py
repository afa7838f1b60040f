"""What a sweep says while it goes: a line for each run that ended, counts, an estimate of the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from ..runs.states import STATUSES
from .files import Run, n_runs
from .state import Outcome


def duration(seconds: float) -> str:
    """Return a time as a reader says it: 40 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """Counts of a sweep, and the lines that tell them.

    Parameters
    ----------
    outcomes : dict
        What is known of each run by its name; read when a run has ended.
    slots : callable
        Returns how many runs can go on at once.
    say : callable
        Takes a line, as ``print`` does.
    """

    def __init__(self, outcomes: dict[str, Outcome], slots: Callable[[], int], say: Callable[[str], None] = print):
        self.outcomes, self.slots, self.say = outcomes, slots, say
        self.running: dict[str, float] = {}
        self.seconds, self.timed = 0.0, 0
        self.tally = Counter("left" if outcome.to_run else outcome.status for outcome in outcomes.values())
        self.bar = sys.stderr.isatty()
        self.shown = 0.0

    def start(self, name: str) -> None:
        """Note that a run starts."""
        self.running[name] = time.monotonic()

    def end(self, name: str) -> None:
        """Note that a run ended and say what became of it."""
        self.running.pop(name, None)
        outcome = self.outcomes[name]
        self.tally["left"] -= 1
        self.tally[outcome.status] += 1
        if outcome.status == "done" and outcome.seconds:
            self.seconds, self.timed = self.seconds + outcome.seconds, self.timed + 1
        took = f" in {duration(outcome.seconds)}" if outcome.seconds else ""
        again = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
        self.clear()
        kind = f" ({outcome.kind})" if outcome.kind else ""
        self.say(f"{name}: {outcome.status}{kind}{took}{again} [{self.counts()}]")

    def counts(self) -> str:
        """Return done / running / failed / left, and an estimate of the end."""
        left = self.tally["left"] - len(self.running)
        parts = [f"{self.tally['done']} done", f"{len(self.running)} running"]
        parts += [f"{self.tally['failed']} failed", f"{left} left"]
        return ", ".join(parts) + self.estimate(left)

    def estimate(self, left: int) -> str:
        """Return when the sweep will end if runs go on taking what those that ended took."""
        if not self.timed or not left + len(self.running):
            return ""
        mean, now = self.seconds / self.timed, time.monotonic()
        rest = sum(max(0.0, mean - (now - since)) for since in self.running.values()) + left * mean
        rest /= max(1, min(self.slots(), left + len(self.running)))
        end = datetime.now() + timedelta(seconds=rest)
        return f"; about {duration(rest)} more, until {end:%H:%M}"

    def tick(self) -> None:
        """Show the counts anew on a terminal, once a second at most."""
        now = time.monotonic()
        if self.bar and now - self.shown > 1:
            self.shown = now
            print(f"\r\x1b[K{self.counts()}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the counts off the terminal's last line."""
        if self.bar:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def plan_table(runs: Sequence[Run], outcomes: dict[str, Outcome]) -> str:
    """Return a table of the runs: name, what varies, its state and why it is to be run."""
    names = list(dict.fromkeys(name for run in runs for name in run.varied))
    rows = [("run", *names, "state")]
    for run in runs:
        outcome = outcomes[run.name]
        why = outcome.why or outcome.error
        state = f"{outcome.status}: {why}" if why else outcome.status
        values = (str(run.parameters[name]) if name in run.varied else "–" for name in names)
        rows.append((run.name, *values, state))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths)).rstrip() for row in rows)


def summary(runs: Sequence[Run], outcomes: dict[str, Outcome]) -> list[str]:
    """Return the last lines of a sweep: which runs were repeated, which failed and where, and the counts."""
    lines = []
    for run in runs:
        outcome = outcomes[run.name]
        if outcome.attempts > 1:
            lines.append(f"repeated: {run.name} ({outcome.attempts} attempts, then {outcome.status})")
    statuses = [outcomes[run.name].status for run in runs]
    lines += [f"failed: {run.name}: {outcomes[run.name].error}" for run, how in zip(runs, statuses) if how == "failed"]
    memory = max((outcomes[run.name].peak_memory_mb or 0 for run in runs), default=0)
    told = [status for status in STATUSES if status != "damaged" or status in statuses]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in told)
    return [*lines, f"{n_runs(len(runs))}: {counts}" + (f"; {memory} MB at most for one" if memory else "")]
