"""A profile of some training steps, recorded while a run trains."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from experiments.profiles import recorded, table, top_operations


class Tracer:
    """Records the steps after the first call, and says what took their time.

    Args:
      folder: where the trace goes.
      steps: how many to record; fewer if something else than a log line comes between.
      say: shows lines.
      program: the optimized HLO of the step, asked for when it is needed.
    """

    def __init__(
        self,
        folder: Path,
        steps: int,
        say: Callable[[str], None],
        program: Callable[[], str],
    ):
        self.folder, self.steps, self.say = folder, steps, say
        self.program = program
        self.taken = 0
        self._recording: ExitStack | None = None
        self._is_over = False

    def before(self) -> None:
        """Starts to record, once; to be called before each warm call."""
        if self._recording is None and not self._is_over:
            self._recording = ExitStack()
            self._recording.enter_context(recorded(self.folder))

    def after(self, taken: int, due: list[str]) -> None:
        """Takes note of a call's steps, and ends when there are enough.

        Args:
          taken: steps of the call.
          due: what is to be done next; an evaluation's operations are not a step's.
        """
        if self._recording is None:
            return
        self.taken += taken
        if self.taken >= self.steps or set(due) - {"log"}:
            self.close()

    def close(self) -> None:
        """Ends the record and prints the operations that took the most time."""
        if self._recording is None:
            return
        self._recording.close()
        self._recording, self._is_over = None, True
        if not self.taken:  # the first call failed: its error is the one to hear of
            return
        found = top_operations(self.folder, self.program(), calls=self.taken)
        self.say(
            f"A step's operations, by the time of all threads, mean of {self.taken}"
            f" steps; trace in {self.folder}\n{table(found)}"
        )
