"""Stopping: the first SIGINT or SIGTERM asks for it, the second leaves at once.

Import this and call `install` before the heavy imports; it needs the standard library
only. Signals are read by a thread from the wake-up pipe, because Python's own handlers
wait for the interpreter, which a long compilation keeps busy in C++.
"""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOPPED = 75  # EX_TEMPFAIL: saved and resumable
SHOW_CURSOR = b"\x1b[?25h"
NAMES = {signal.SIGINT: "SIGINT", signal.SIGTERM: "SIGTERM"}
ENDING = (signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Whether, and why, a run is to stop."""

    def __init__(self):
        self.reason: str | None = None
        self.has_something_to_save = False
        self.say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
        self._end = math.inf

    def limit(self, seconds: float) -> None:
        """Sets the time from now after which to stop."""
        self._end = time.monotonic() + seconds

    @property
    def requested(self) -> bool:
        """Asked between compiled calls, in every phase of a run."""
        if self.reason is None and time.monotonic() >= self._end:
            self.reason = "train.budget"
        return self.reason is not None

    def receive(self, number: int) -> None:
        """What a signal does; runs in the watching thread."""
        if self.reason in NAMES.values():
            leave(128 + number)
        self.ask(NAMES[signal.Signals(number)])

    def ask(self, reason: str) -> None:
        """Has the run saved and stopped, or leaves where there is nothing to save."""
        self.reason = reason
        if self.has_something_to_save:
            self.say(f"{self.reason}: saving the last step; once more leaves at once.")
            return
        # A compilation may take minutes, and nothing has been computed that is not
        # on disk: every file is renamed into place, so leaving here is safe.
        self.say(f"{self.reason}: stopped before a new step was taken; resumable.")
        leave(STOPPED)


def leave(code: int) -> None:
    """Ends the process as it stands; only the terminal gets its cursor back."""
    if os.isatty(1):
        # Not through rich: the main thread may hold its lock, and waits for nobody.
        os.write(1, SHOW_CURSOR)
    os._exit(code)


def install() -> Stop:
    """Takes over SIGINT and SIGTERM for the rest of the process."""
    stop = Stop()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in NAMES:
        # The handler itself does nothing, but without one nothing reaches the pipe.
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading, stop), daemon=True).start()
    return stop


@contextmanager
def interrupting() -> Iterator[None]:
    """While it lasts, what ends a process interrupts it, as Ctrl-C does.

    Python itself ends at once by these signals, and what it has started goes on. One
    that is ignored, as by `nohup`, stays so.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(reading: int, stop: Stop) -> None:
    while number := os.read(reading, 1):
        if number[0] in NAMES:
            stop.receive(number[0])
