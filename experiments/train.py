"""The training loop: steps, and between them log lines, scores, samples, saves."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.text import Text

from experiments import telling
from experiments.arrays import NotFinite
from experiments.begin import begin
from experiments.between import Between
from experiments.checkpoint import Store
from experiments.config import Config
from experiments.course import next_stop, saves_at
from experiments.events import Diverged, Events
from experiments.process import peak_bytes, seconds_since_start
from experiments.progress import Screen
from experiments.run import Run
from experiments.setup import Setup, assemble
from experiments.signals import STOPPED, Stop
from experiments.sinks import opened
from experiments.steady import Steady
from experiments.step import METRICS
from experiments.tracing import Tracer

DONE, DIVERGED = 0, 3
CALL_SECONDS = 1.0  # a longer call would keep signals and the bar waiting


def train(
    config: Config,
    run: Run,
    task: Any,
    *,
    stop: Stop | None = None,
    keys: Sequence[str] = (),
    quiet: bool = False,
    profile: int | None = None,
) -> int:
    """Trains a run to its end, from the start or from its last checkpoint.

    Args:
      config: the experiment.
      run: its directory, locked.
      task: what is learned.
      stop: asked between calls; None means that only the budget stops the run.
      keys: the numbers that are arguments of its program; a sweep may have begun it so.
      quiet: shows the end only.
      profile: of how many steps to make one; None makes none.

    Returns:
      The exit code: 0 done, 3 not finite, 75 stopped and resumable.

    Raises:
      UserError: what a user can mend, in one line.
    """
    stop = stop or Stop()
    setup = _shared(config, keys, task) if keys else assemble(config, task)
    trainer = Trainer(setup, run, stop, Console(quiet=quiet))
    trainer.profile = profile
    return trainer.work()


def _shared(config: Config, keys: Sequence[str], task: Any) -> Setup:
    """A config's setup by the program that runs of a sweep have in common."""
    from experiments.sweep.program import Program  # here: few runs need it

    return Program.of(config, keys, task).alone(config)


class Trainer:
    """One session of work on a run.

    Args:
      setup: what it computes with.
      run: where it writes.
      stop: whether to stop.
      console: where it shows what it does.
    """

    profile: int | None = None  # how many steps to make one of

    def __init__(self, setup: Setup, run: Run, stop: Stop, console: Console):
        self.setup, self.run, self.stop, self.console = setup, run, stop, console
        keep = setup.config.checkpoint
        self.store = Store(run.checkpoints, keep=keep.keep, best=keep.best)
        self.began = time.monotonic()
        self.has_moved, self.first_seconds = False, CALL_SECONDS
        self.tracer: Tracer | None = None
        self.between = Between()
        self.closing = ExitStack()  # what ends with the work, as sinks do

    def work(self) -> int:
        """Resumes or starts, and goes on to the end or until asked to stop."""
        with self.closing:  # around `open` too, which may fail once it listens
            self.open()
            with self.screen:
                return self.loop()

    def open(self) -> None:
        """Finds where the run goes on, and says what it is."""
        self.course = begin(self.run, self.setup, self.store, self.say)
        devices = self.setup.training.mesh.devices
        kind, count = devices.flat[0].device_kind, devices.size
        parameters = self.setup.parameters
        self.run.describe(devices=count, device_kind=kind, parameters=parameters)
        self.say(telling.opening(self.setup, self.run, self.course.step))
        derived = self.setup.derived
        self.screen = Screen(
            self.console,
            steps=derived.steps,
            tokens_per_step=derived.tokens_per_step,
            start=self.course.step,
        )
        self.events = Events(self.setup, self.run, self.stop, self.screen)
        self.stop.say = self.screen.line
        self.listen()
        sinks = opened(self.run, self.setup.config.log.sinks, self.screen.line)
        self.events.sink = self.closing.enter_context(sinks)

    def say(self, text: str) -> None:
        """Writes lines as they are: a path may look like markup to rich."""
        self.console.print(Text(text), soft_wrap=True)

    def listen(self) -> None:
        """For compilations, and for the time of operations if that is wanted."""
        strict = self.setup.config.train.fail_on_recompile
        steady = Steady(self.screen.line, self.events.note, strict=strict)
        self.closing.enter_context(steady.seen)
        self.steady = self.events.steady = steady
        watched = steady.watch(self.setup)
        self.train_call, self.events.setup = watched.train_call, watched
        if self.profile is not None:
            folder = self.run.path / "profile"
            self.tracer = Tracer(folder, self.profile, self.say, self.program)
            self.closing.callback(self.tracer.close)

    def program(self) -> str:
        """The optimized HLO of the training call."""
        # With the state itself, which knows where it lies: it is not compiled again.
        given = (self.course.state, self.setup.inputs, np.int32(1))
        call: Any = self.setup.train_call
        bound = getattr(call, "args", ())  # of a program that a sweep shares
        return getattr(call, "func", call).lower(*bound, *given).compile().as_text()

    def loop(self) -> int:
        """Does what is due, saves, takes steps; in turn."""
        while (code := self.turn()) is None:
            self.take_steps()
        return code

    def turn(self) -> int | None:
        """Does what is due and saves; the exit code once the run has ended."""
        try:
            code = self.settle()
        except (Diverged, NotFinite) as error:
            code = self.diverge(str(error))
        if code is not None:
            self.closing.close()
        return code

    def settle(self) -> int | None:
        """As `turn`.

        Raises:
          Diverged, NotFinite: a number is not finite.
        """
        course, derived = self.course, self.setup.derived
        if course.fault is not None:
            raise Diverged(course.fault)
        self.events.work_off(course)
        is_done = course.step == derived.steps and not course.due
        is_best = self.store.best and course.best_step == course.step
        leaves = self.stop.requested and not is_done
        if leaves or is_best or saves_at(course.step, derived):
            self.save()
        if leaves:
            return self.leave()
        return self.finish() if is_done else None

    def take_steps(self) -> None:
        """One compiled call, and what it found."""
        start = time.monotonic()
        if not self.has_moved:
            self.screen.phase("compiling")
        elif self.tracer is not None:
            self.tracer.before()
        length = np.int32(self.call_length())
        with self.steady.during("train", self.course.step):
            self.between.enter()
            self.course.state, metrics, done = self.train_call(
                self.course.state, self.setup.inputs, length
            )
            jax.block_until_ready(metrics)
            ended = time.monotonic()
        rows = np.stack([np.asarray(metrics[name]) for name in METRICS], axis=1)
        self.took(rows[: int(done)], time.monotonic() - start)
        self.between.leave(ended, int(done), is_plain=self.is_plain())
        if self.tracer is not None:
            self.tracer.after(int(done), self.course.due)

    def is_plain(self) -> bool:
        """Whether nothing but a log line comes before the next call."""
        is_saved = saves_at(self.course.step, self.setup.derived)
        return self.tracer is None and set(self.course.due) <= {"log"} and not is_saved

    def took(self, rows: np.ndarray, seconds: float) -> None:
        """Notes the metrics [steps, 3] of a call and how long it lasted."""
        course = self.course
        self.stop.has_something_to_save = True
        course.moved(rows, self.setup.derived)
        if not np.isfinite(rows).all():
            course.fault = f"the loss is not finite at step {course.step:,}"
        elif self.has_moved:
            self.screen.advance(course.step, rows[-1, 0], seconds, len(rows))
        else:
            self.first_loss(seconds, rows[0, 0])
        if not self.has_moved:
            self.run.forget_earlier()
        self.has_moved = True

    def call_length(self) -> int:
        """Steps of the next call: to the next thing due, and no longer than a second.

        The first call takes one step, so that a loss is shown as soon as there is one.
        No step can have taken longer than it did, compiling and all.
        """
        if not self.has_moved:
            return 1
        until = next_stop(self.course.step, self.setup.derived) - self.course.step
        pace = self.screen.seconds_per_step or self.first_seconds
        return max(1, min(until, self.setup.most, int(CALL_SECONDS / pace)))

    def first_loss(self, seconds: float, loss: float) -> None:
        """Says that it works, and notes how long that took."""
        since, self.first_seconds = seconds_since_start(), seconds
        self.screen.line(
            f"step {self.course.step:,}  loss {loss:.4f}  "
            f"(first loss after {since:.1f}s, compiling took {seconds:.1f}s)"
        )
        budget = self.setup.derived.budget
        if budget is not None:  # set only now: every session takes a step at least
            self.stop.limit(budget - (time.monotonic() - self.began))
        timing = {"since_start": round(since, 3), "compile": round(seconds, 3)}
        self.events.note("first_loss", self.course.step, timing)

    def save(self) -> None:
        """Writes a checkpoint, unless this very step has one.

        Raises:
          NotFinite: the state holds a NaN or an infinity.
          CheckpointError: it cannot be written.
        """
        course, start = self.course, time.monotonic()
        if course.saved == course.step or course.step == 0:
            return
        self.screen.phase("saving")
        notes = course.notes() | {"fingerprint": self.setup.task.fingerprint}
        self.run.sync_metrics()  # first: a checkpoint vouches for the lines before it
        self.store.save(course.step, course.state, notes)
        course.saved = course.step
        seconds = round(time.monotonic() - start, 4)
        self.events.note("save", course.step, {"seconds": seconds})

    def finish(self) -> int:
        """The result, and the last lines."""
        course, run = self.course, self.run
        run.write_result(telling.result(course, self.setup))
        seconds = time.monotonic() - self.began
        spent = {
            "seconds": round(seconds, 3),
            "peak_bytes": peak_bytes(),
            "recompiles": self.steady.count,
        }
        if (host := self.between.per_step()) is not None:
            spent["host_ms"] = round(1e3 * host, 4)
        self.events.note("done", course.step, spent)
        run.set_status("done")
        said = telling.done(course, run, seconds, self.steady.count)
        self.screen.line(said)
        return DONE

    def leave(self) -> int:
        """Says where it stopped and how to go on."""
        self.run.set_status("stopped")
        reason = str(self.stop.reason)
        said = telling.stopped(self.course, self.setup, self.run, reason)
        self.screen.line(said)
        return STOPPED

    def diverge(self, what: str) -> int:
        """Says that numbers are no longer finite; what was saved before stays."""
        self.run.set_status("diverged", reason=what)
        self.screen.line(telling.diverged(self.setup, self.store.steps(), what))
        return DIVERGED
