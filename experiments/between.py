"""The host's part of training: the time between one compiled call and the next."""

import time


class Between:
    """Sums it up; what evaluations, samples and checkpoints take is none of it."""

    def __init__(self):
        self.seconds, self.steps = 0.0, 0
        self._left: tuple[float, int] | None = None

    def leave(self, moment: float, steps: int, *, is_plain: bool) -> None:
        """Notes that a call has ended.

        Args:
          moment: when, by `time.monotonic`.
          steps: that it took.
          is_plain: whether nothing but a log line comes before the next one.
        """
        self._left = (moment, steps) if is_plain else None

    def enter(self) -> None:
        """Notes that a call begins."""
        if self._left is not None:
            moment, steps = self._left
            self.seconds += time.monotonic() - moment
            self.steps += steps

    def per_step(self) -> float | None:
        """Seconds of a step; None if no call has followed another."""
        return self.seconds / self.steps if self.steps else None
