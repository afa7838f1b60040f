"""The sweep itself: hands runs to a Dask cluster, keeps count, writes down what became of each."""

from __future__ import annotations

import os
import queue
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil
from distributed import Future, KilledWorker

from ..values import one_line
from .engines import Engine
from .files import Run
from .progress import Progress
from .state import Outcome, write_error, write_sweep
from .work import LONGEST, stop_runs, work

PASSED_ON = ("EEGEMO_DATA", "EEGEMO_NOTEBOOKS")  # to workers on other machines, which do not inherit them
EVERY = 1.0  # seconds between two writings of sweep.json
RENEW = 5.0  # seconds between two looks for workers that have ended


class Sweep:
    """Runs on their way through a cluster.

    Parameters
    ----------
    name : str
        Of the sweep.
    runs : sequence of Run
        All of them.
    outcomes : dict
        What is known of each by its name; those that are left are run, and the dict is brought up to date.
    out : pathlib.Path
        The sweep's folder.
    time_limit : float, optional
        Seconds for each run as a whole.
    task : callable
        What a worker does with a run.
    say : callable
        Takes lines of progress.
    """

    def __init__(
        self,
        name: str,
        runs: Sequence[Run],
        outcomes: dict[str, Outcome],
        out: Path,
        *,
        time_limit: float | None = None,
        task: Callable[[dict[str, object]], Outcome] = work,
        say: Callable[[str], None] = print,
    ) -> None:
        self.name, self.runs, self.outcomes, self.out = name, runs, outcomes, out
        self.time_limit, self.task, self.say = time_limit, task, say
        self.inbox: queue.SimpleQueue = queue.SimpleQueue()
        self.starts: dict[str, int] = {}
        self.written, self.pause, self.warned = 0.0, EVERY, False
        self.peak, self.warned_of_memory = 0, False
        self.asked, self.count = -RENEW, 0

    def save(self, now: bool = False) -> None:
        """Write ``sweep.json``, once a second or seldomer; a full disk is told once and stops nothing."""
        began = time.monotonic()
        if not now and began - self.written < self.pause:
            return
        try:
            write_sweep(self.out, self.name, self.runs, self.outcomes)
        except OSError as error:
            if not self.warned:
                self.say(f"{self.out / 'sweep.json'} could not be written: {error}")
            self.warned = True
        self.written = time.monotonic()
        self.pause = max(EVERY, 20 * (self.written - began))  # that of a hundred thousand runs takes seconds

    def describe(self, run: Run, engine: Engine, topic: str) -> dict[str, object]:
        """Return what a worker must know of a run."""
        passed = {name: os.path.abspath(os.environ[name]) for name in PASSED_ON if os.environ.get(name)}
        return {
            "name": run.name,
            "source": str(run.source),
            "parameters": run.parameters,
            "folder": str((self.out / run.name).resolve()),
            "time_limit": self.time_limit,
            "cwd": os.getcwd(),
            "environment": passed | engine.environment,
            "topic": topic,
        }

    def execute(self, engine: Engine) -> None:
        """Run what is left; returns when all of it has ended.

        Raises
        ------
        KeyboardInterrupt
            After the runs that were going on have been ended.
        """
        token = uuid.uuid4().hex[:8]
        topic = f"eegemo-{token}"
        left = [run for run in self.runs if self.outcomes[run.name].to_run]
        engine.client.subscribe_topic(topic, lambda event: self.inbox.put((event[1]["name"], None)))
        # keys of one group: Dask then hands them out one by one, and the group is one bar in the dashboard
        futures = engine.client.map(
            self.task,
            [self.describe(run, engine, topic) for run in left],
            key=[(topic, run.name) for run in left],
            retries=0,
            pure=False,
            resources=engine.resources or None,
        )
        names = {future.key: run.name for future, run in zip(futures, left)}
        for future in futures:
            future.add_done_callback(lambda future: self.inbox.put((names[future.key], future)))
        progress = Progress(self.outcomes, partial(self.slots, engine), self.say)
        try:
            self.follow(set(names.values()), progress, engine)
        except KeyboardInterrupt:
            self.stop(engine, futures, progress)
            raise
        finally:
            progress.clear()
            self.save(now=True)

    def follow(self, waiting: set[str], progress: Progress, engine: Engine) -> None:
        """Take in starts and ends until none is waited for."""
        renewed = time.monotonic()
        while waiting:
            if time.monotonic() - renewed > RENEW:
                renewed = time.monotonic()
                engine.renew()
            letters = self.letters()
            ended = {name: future for name, future in letters if future is not None and name in waiting}
            for name in (name for name, future in letters if future is None and name in waiting):
                self.starts[name] = self.starts.get(name, 0) + 1
                progress.start(name)
            fine = {name: future for name, future in ended.items() if future.status == "finished"}
            results = dict(zip(fine, engine.client.gather(list(fine.values())))) if fine else {}
            for name, future in ended.items():
                waiting.discard(name)
                self.take(name, future, results.get(name))
                progress.end(name)
            if ended:
                self.watch_memory(engine)
                self.save()
            progress.tick()

    def letters(self) -> list[tuple[str, Future | None]]:
        """Return what has come in: all that is there, after waiting a second at most for the first."""
        try:
            found = [self.inbox.get(timeout=1.0)]
        except queue.Empty:
            return []
        while not self.inbox.empty():
            found.append(self.inbox.get())
        return found

    def take(self, name: str, future: Future, outcome: Outcome | None) -> None:
        """Note what became of a run: what its worker says, else why no worker says anything."""
        starts = self.starts.get(name, 0)
        if outcome is not None:
            if outcome.status == "left":  # nobody asked its worker to stop
                outcome = lost(None, starts)
            outcome.attempts = max(starts, outcome.attempts)
        elif future.status == "cancelled":
            outcome = Outcome(why="the scheduler is gone", attempts=starts)
        else:
            outcome = lost(future.exception(), starts)
            write_error(self.out / name, outcome)
        self.outcomes[name] = outcome
        self.peak = max(self.peak, outcome.peak_memory_mb or 0)
        future.release()

    def watch_memory(self, engine: Engine) -> None:
        """Say once that runs as large as the largest so far cannot all be held by this machine."""
        total, count = psutil.virtual_memory().total / 2**20, self.slots(engine)
        if engine.is_local and self.peak * count > total and not self.warned_of_memory:
            self.warned_of_memory = True
            fit = max(1, int(total // self.peak))
            self.say(f"A run held {self.peak} MB; {count} at once may be too many for {total:.0f} MB: --workers {fit}.")

    def slots(self, engine: Engine) -> int:
        """Return how many runs can go on at once; asked of the scheduler every few seconds only."""
        if time.monotonic() - self.asked > RENEW:
            self.asked, self.count = time.monotonic(), sum(engine.client.nthreads().values())
        return self.count

    def stop(self, engine: Engine, futures: list[Future], progress: Progress) -> None:
        """End the runs that are going on, keeping what they reached, and forget those that have not begun."""
        progress.clear()
        self.say("Stopping: what is finished stays, the same command goes on from here.")
        going = [future for future in futures if future.key[1] in progress.running and not future.done()]
        engine.client.cancel([future for future in futures if future not in going])
        try:
            engine.client.run(stop_runs, on_error="ignore")
            deadline = time.monotonic() + 15
            while any(not future.done() for future in going) and time.monotonic() < deadline:
                time.sleep(0.1)
        except (OSError, TimeoutError):
            pass  # workers that do not answer any more have nothing to end


def lost(error: BaseException | None, starts: int) -> Outcome:
    """Return the outcome of a run that came back with an exception: its workers died, or did not understand it."""
    if error is None:
        said = "its worker was ended while it ran. Run the sweep again to go on."
    elif isinstance(error, KilledWorker):
        said = (
            f"the process that ran it died {max(starts, 1)} times. Most often memory has run out: try fewer "
            "--workers or smaller parameters."
        )
    else:
        said = f"its worker could not run it: {type(error).__name__}: {error}"
    return Outcome("failed", attempts=max(starts, 1), kind="killed", error=one_line(said, LONGEST))
