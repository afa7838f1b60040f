"""Ctrl-C and SIGTERM, which batch systems send, end a training in one line and at a known step."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Stopped(KeyboardInterrupt):
    """A signal ended the training; the message says after which step the next call goes on.

    Attributes
    ----------
    code : int
        Exit code of a command: 128 and the signal's number.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.code = 128 + number


class Stopping:
    """Takes the signals while a training runs, unless the caller has handlers of its own; use it in a ``with``.

    Parameters
    ----------
    patient : bool
        One process: the first signal is only noted in `number`, for the loop to save and end between two steps; the
        second ends it at once. Several processes cannot agree on a step within the time that a launcher leaves them
        and end at once.
    where : callable
        Says in words where the next call goes on.
    """

    def __init__(self, patient: bool, where: Callable[[], str]):
        self.patient, self.where, self.number = patient, where, None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():  # the only one that may set handlers
            for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) == usual:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, _kind, error, _trace) -> None:
        try:
            if not self.patient and isinstance(error, RuntimeError):
                time.sleep(1)  # the end of another process may be felt before the signal that ended it arrives here
        except KeyboardInterrupt as late:
            error = late
        stopped = isinstance(error, KeyboardInterrupt)
        for number, handler in self._before.items():  # launchers send the signal again, while the processes part
            signal.signal(number, signal.SIG_IGN if stopped and not self.patient else handler)
        if stopped:
            number = self.number or signal.SIGINT
            raise Stopped(f"stopped by {NAMES[number]}: {self.where()}", number) from None

    def _take(self, number: int, _frame) -> None:
        first, self.number = self.number is None, signal.Signals(number)
        if first != self.patient:
            raise KeyboardInterrupt
