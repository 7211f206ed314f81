"""What a terminal shows while a bench runs."""

import sys
import time

from experiments.bench import table
from experiments.bench.record import Measured
from experiments.progress import duration

SELDOM = 10.0  # seconds between lines where there is no terminal


class Screen:
    """Cases as they come, and on a terminal what is being measured now.

    Args:
      quiet: whether to say nothing.
    """

    def __init__(self, *, quiet: bool):
        self.quiet = quiet
        self.last = time.monotonic()
        self.is_terminal = sys.stderr.isatty() and not quiet

    def begin(self, cases: int, seconds: float) -> None:
        """What is about to happen."""
        if not self.quiet:
            what = "1 case" if cases == 1 else f"{cases} cases"
            print(f"{what}, about {duration(seconds)}.", flush=True)

    def tell(self, text: str) -> None:
        """Overwrites the line of what goes on; elsewhere, a line now and then."""
        now = time.monotonic()
        if self.is_terminal:
            print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
        elif not self.quiet and now - self.last > SELDOM:
            self.last = now
            print(text, file=sys.stderr, flush=True)

    def done(self, case: Measured, left: float) -> None:
        """A case and how long the others will take."""
        if self.quiet:
            return
        self.end()
        print("\n".join(table.case_lines(case)), flush=True)
        if left > 1:
            print(f"  ({duration(left)} left)", flush=True)

    def end(self) -> None:
        """Clears the line."""
        if self.is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
