"""What happens between steps: log lines, evaluations, samples, grids, maps."""

import math
import time
from collections.abc import Callable
from typing import Any

from experiments import grid, manifest
from experiments.answer import answer
from experiments.course import Course
from experiments.evaluate import evaluate
from experiments.inspect.mapper import Mapper
from experiments.maps import file_name
from experiments.progress import Screen, duration, printable
from experiments.run import Run
from experiments.setup import Setup
from experiments.signals import Stop
from experiments.steady import Steady

SHOWN_LINES = 8  # of a sample; the file has all of it


class Diverged(Exception):
    """Loss, gradient, parameters or validation loss are not finite; the text says."""


class Events:
    """Does what is due at a step.

    Args:
      setup: what it computes with.
      run: where it writes.
      stop: whether to stop.
      screen: where it shows what it found.
    """

    def __init__(self, setup: Setup, run: Run, stop: Stop, screen: Screen):
        self.setup, self.run, self.stop, self.screen = setup, run, stop, screen
        self.kinds = {
            "log": self.log,
            "eval": self.evaluate,
            "sample": self.sample,
            "grid": self.grid,
            "maps": self.maps,
        }
        self.sink: Callable[[int, dict[str, float]], None] | None = None
        self.steady = Steady(screen.line, self.note)
        self.mapper: Mapper | None = None  # made when first needed

    def work_off(self, course: Course) -> None:
        """Does what is due; what a signal interrupts or prevents stays due.

        Raises:
          Diverged: a validation loss is not finite.
        """
        while course.due:
            name = course.due[0]
            if name != "log" and self.stop.requested:
                return
            with self.steady.during(name, course.step):
                is_done = self.kinds[name](course)
            if not is_done:
                return
            course.due.pop(0)
            course.saved = None  # what a checkpoint of this step holds is out of date

    def log(self, course: Course) -> bool:
        """The means since the last log line."""
        per_step, pace = (
            self.setup.derived.tokens_per_step,
            self.screen.seconds_per_step,
        )
        row = course.log_line() | {"tokens": course.step * per_step}
        self._write(course, row)
        self.screen.log(course.step, row["train/loss"])
        if pace is not None:
            speed = round(per_step / pace, 1)
            timing = {
                "step_ms": round(1e3 * pace, 3),
                "tokens_per_second": speed,
                "recompiles": self.steady.count,
            }
            self.note("log", course.step, timing)
        return True

    def evaluate(self, course: Course) -> bool:
        """Validation loss; False when a signal came in between.

        Raises:
          Diverged: it is not finite.
        """
        setup, start = self.setup, time.monotonic()
        self.screen.phase("evaluating")
        score = evaluate(
            setup.eval_call,
            course.state.best_params,
            setup.inputs,
            batches=setup.eval_batches,
            most=setup.most,
            halted=self.halted,
        )
        if score is None:
            return False
        if not math.isfinite(score.loss):
            raise Diverged(f"the validation loss is not finite at step {course.step:,}")
        self._write(course, score.row(setup.task.bytes_per_token))
        course.validated(score.loss)
        seconds = time.monotonic() - start
        self.note("eval", course.step, {"seconds": round(seconds, 4)})
        text = f"step {course.step:,}  validation loss {score.loss:.4f}"
        text += f"  accuracy {score.accuracy:.1%}"
        if score.exact_match is not None:
            text += f"  whole answers {score.exact_match:.1%}"
        text += f"  ({duration(seconds)})"
        self.screen.line(text, style="bold")
        return True

    def sample(self, course: Course) -> bool:
        """What the model says to the prompt; False when a signal came in between."""
        start = time.monotonic()
        self.screen.phase("sampling")
        params = course.state.best_params
        said = answer(self.setup, params, halted=self.halted)
        if said is None:
            return False
        text = "\n".join(filter(None, (said.record.get("source"), said.text)))
        self.run.write_text(f"samples/step_{course.step:08d}.txt", text + "\n")
        seconds = time.monotonic() - start
        self.note("sample", course.step, {"seconds": round(seconds, 4)})
        lines = printable(text).strip("\n").split("\n")[:SHOWN_LINES]
        self.screen.line("\n".join(f"  | {line}" for line in lines), style="dim")
        return True

    def grid(self, course: Course) -> bool:
        """The difficulties that the config asks for; False when a signal came in."""
        setup, start = self.setup, time.monotonic()
        self.screen.phase("evaluating on the grid")
        axes, params = setup.config.eval.grid, course.state.best_params
        found = grid.evaluate_grid(setup, params, axes, halted=self.halted)
        if found is None:
            return False
        text = grid.record(setup, course.step, axes, found)
        self.run.write_text(grid.file_name(axes), text)
        self._write(course, grid.row(found))
        seconds = time.monotonic() - start
        self.note("grid", course.step, {"seconds": round(seconds, 4)})
        return True

    def maps(self, course: Course) -> bool:
        """Attention and head scores on one validation example."""
        start = time.monotonic()
        self.screen.phase("mapping")
        self.mapper = self.mapper or Mapper(self.setup)
        content, row = self.mapper.look(course.state.best_params)
        self.run.write_text(file_name(course.step), content)
        if row:
            self._write(course, row)
        seconds = time.monotonic() - start
        self.note("maps", course.step, {"seconds": round(seconds, 4)})
        return True

    def halted(self) -> bool:
        """Whether a signal came in or the budget is spent."""
        return self.stop.requested

    def note(self, event: str, step: int, timing: dict[str, Any]) -> None:
        """Adds a line to the perf file, the only one that has clocks."""
        stamp = {"event": event, "step": step, "time": manifest.now()}
        self.run.append_perf(stamp | timing)

    def _write(self, course: Course, row: dict[str, float]) -> None:
        """Adds a line to the metrics file, and remembers it for the result."""
        self.run.append_metrics({"step": course.step, **row})
        if self.sink is not None:
            self.sink(course.step, row)
        course.rows += 1
        course.latest |= row
