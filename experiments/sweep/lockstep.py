"""Runs side by side: every lane does its own logging and saving, and all step at once.

A lane that diverges is reported by its own run and keeps its state from then on, which
`vmap` of the loop over steps sees to; the others go on.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jax import Array
from rich.console import Console

from experiments.config import Config
from experiments.course import saves_at
from experiments.errors import in_words
from experiments.run import Run
from experiments.signals import Stop
from experiments.step import METRICS, State
from experiments.sweep.program import Program, stack
from experiments.train import Trainer


class Glance(Stop):
    """A stop that changes its mind only when `look` is called.

    All lanes of a round have to answer a signal alike.

    Args:
      parent: the stop of the whole process.
    """

    def __init__(self, parent: Stop):
        super().__init__()
        self.parent, self.seen = parent, False

    @property
    def requested(self) -> bool:
        return self.seen

    def look(self) -> None:
        """Asks the parent and the run's own budget."""
        self.seen = self.parent.requested or super().requested
        self.reason = self.reason or self.parent.reason


class Part(Glance):
    """One run's stop: that of the process, or its own budget; asked anew each time."""

    @property
    def requested(self) -> bool:
        self.look()
        self.parent.has_something_to_save |= self.has_something_to_save
        return self.seen


class Bank:
    """The states of all lanes, and what was computed from them.

    Args:
      program: what the lanes have in common.
      configs: one for each lane.
      states: of each lane.
    """

    def __init__(
        self, program: Program, configs: Sequence[Config], states: Sequence[State]
    ):
        place = program.setup.place
        self.program = program
        self.values = place(stack([program.values(each) for each in configs]))
        self.seeds = place(np.array([each.seed for each in configs], np.uint32))
        self.states = place(stack(states))
        self.sums: dict[tuple[int, int], dict[str, np.ndarray]] = {}

    def advance(self, count: int) -> list[np.ndarray]:
        """Takes steps in every lane; returns the metrics [steps, 3] of each."""
        self.states, metrics, done = self.program.train_lanes(
            self.values,
            self.states,
            self.program.setup.inputs,
            self.seeds,
            np.int32(count),
        )
        self.sums = {}
        rows = np.stack([np.asarray(metrics[name]) for name in METRICS], axis=2)
        return [
            lane[:taken] for lane, taken in zip(rows, np.asarray(done), strict=True)
        ]

    def evaluate(self, lane: int, _: Any, __: Any, first: Array, count: Array):
        """What `eval_call` gives one lane; the first to ask has all computed."""
        key = int(first), int(count)
        if key not in self.sums:
            setup = self.program.setup
            found = self.program.eval_lanes(
                self.states.best_params, setup.inputs, self.seeds, first, count
            )
            self.sums[key] = {name: np.asarray(found[name]) for name in found}
        return {name: sums[lane] for name, sums in self.sums[key].items()}


def train_lanes(program: Program, runs: Sequence[Run], stop: Stop) -> list[str | None]:
    """Trains runs side by side, from the start or from their checkpoints.

    Args:
      program: what the runs have in common.
      runs: open to work on, of this program.
      stop: asked between calls.

    Returns:
      For each run why it failed, or None; the runs themselves know how they ended.
    """
    errors: list[str | None] = [None] * len(runs)
    trainers: dict[int, Trainer] = {}
    with contextlib.ExitStack() as closing:  # sinks write what they hold back
        for number, run in enumerate(runs):
            setup, quiet = program.alone(run.config), Console(quiet=True)
            trainer = Trainer(setup, run, Glance(stop), quiet)
            closing.enter_context(trainer.closing)
            try:
                trainer.open()
                trainers[number] = trainer
            except Exception as error:  # one lane's trouble is not the others'
                errors[number] = failed(run, error)
        steps = {each.course.step for each in trainers.values()}
        for step in sorted(steps):  # lanes that were stopped at other steps go apart
            together = {n: t for n, t in trainers.items() if t.course.step == step}
            _in_step(program, together, stop, errors)
    return errors


def _in_step(
    program: Program,
    trainers: dict[int, Trainer],
    stop: Stop,
    errors: list[str | None],
) -> None:
    bank = Bank(
        program,
        [each.setup.config for each in trainers.values()],
        [each.course.state for each in trainers.values()],
    )
    live = dict(enumerate(trainers))  # lane -> number of its run
    for lane, number in live.items():
        trainer = trainers[number]
        call = partial(bank.evaluate, lane)
        trainer.setup = replace(trainer.setup, eval_call=call)
        trainer.events.setup = trainer.setup
    while True:
        for lane, number in list(live.items()):
            trainer = trainers[number]
            try:
                code = _turn(bank, lane, trainer)
            except Exception as error:
                errors[number], code = failed(trainer.run, error), 1
            if code is not None:
                del live[lane]
        if not live:
            return
        start = time.monotonic()
        count = min(trainers[number].call_length() for number in live.values())
        rows = bank.advance(count)
        seconds = time.monotonic() - start
        stop.has_something_to_save = True
        for lane, number in live.items():
            trainers[number].took(rows[lane], seconds)


def _turn(bank: Bank, lane: int, trainer: Trainer) -> int | None:
    """One lane's turn; its state is cut out only where something reads it."""
    course, stop = trainer.course, trainer.stop
    stop.look()
    reads = stop.requested or saves_at(course.step, trainer.setup.derived)
    if reads or set(course.due) - {"log"}:
        course.state = bank.program.take(bank.states, np.int32(lane))
    try:
        return trainer.turn()
    finally:
        course.state = None  # out of date after the next call


def failed(run: Run, error: Exception) -> str:
    """Notes in a run that it failed; returns why, in one line."""
    reason = in_words(error)
    with contextlib.suppress(OSError):  # the first error is the one to hear of
        run.set_status("failed", reason=reason)
    return reason
