"""Where a run stands: its state, and what else a checkpoint has to hold.

A resumed run writes the same bytes as one never stopped, so a checkpoint also remembers
the losses since the last log line, what was still to be done at its step, and how many
lines the metrics file had.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.config import Derived
from experiments.step import State

NOTED = ("window", "due", "best", "best_step", "validation", "rows", "latest")


@dataclass
class Course:
    """Where a run stands; the only thing that changes while it trains.

    Args:
      state: on the devices.
      step: steps taken.
      window: [loss, gradient norm, learning rate] of each step since the last log line.
      due: what is still to be done at this step, in order.
      best: lowest validation loss so far.
      best_step: where it was found.
      validation: validation loss of this step, if it was evaluated here.
      rows: lines of the metrics file.
      latest: the last log and evaluation lines, for the result.
      saved: the step of the last checkpoint written or read by this process.
      fault: what is not finite; the run has diverged then.
    """

    state: State
    step: int = 0
    window: list[list[float]] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    best: float | None = None
    best_step: int | None = None
    validation: float | None = None
    rows: int = 0
    latest: dict[str, float] = field(default_factory=dict)
    saved: int | None = None
    fault: str | None = None

    def notes(self) -> dict[str, Any]:
        """What a checkpoint holds beside the arrays; JSON keeps every float exactly."""
        return {name: getattr(self, name) for name in NOTED}

    @classmethod
    def resumed(cls, state: State, notes: dict[str, Any]) -> "Course":
        """The course that a checkpoint describes."""
        known = {name: notes[name] for name in NOTED}
        return cls(state=state, step=notes["step"], saved=notes["step"], **known)

    def log_line(self) -> dict[str, float]:
        """Means over the window, which starts anew, under the metrics' names."""
        loss, norm, _ = np.mean(self.window, axis=0, dtype=np.float64).tolist()
        lr = self.window[-1][2]
        self.window = []
        return {"train/loss": loss, "optim/grad_norm": norm, "optim/lr": lr}

    def validated(self, loss: float) -> None:
        """Remembers a validation loss of this step."""
        self.validation = loss
        if self.best is None or loss < self.best:
            self.best, self.best_step = loss, self.step

    def moved(self, rows: np.ndarray, derived: Derived) -> None:
        """Takes in the metrics [steps, 3] of steps that were taken."""
        self.step += len(rows)
        self.window += rows.tolist()
        self.validation = None
        self.due = due_at(self.step, derived)


def due_at(step: int, derived: Derived) -> list[str]:
    """What is to be done once a step is taken, in order."""
    every = {
        "log": derived.log_every,
        "eval": derived.eval_every,
        "sample": derived.sample_every,
        "maps": derived.maps_every,
    }
    due = [name for name, n in every.items() if n and step % n == 0]
    if step == derived.steps:
        due = [name for name, n in every.items() if n]
        due += ["grid"] if derived.grid else []
    return ["log"] if step == 1 and "log" not in due else due


def saves_at(step: int, derived: Derived) -> bool:
    """Whether a checkpoint is written at a step in any case."""
    return step % derived.checkpoint_every == 0 or step == derived.steps


def next_stop(step: int, derived: Derived) -> int:
    """The next step after which something is to be done."""
    every = [derived.log_every, derived.eval_every, derived.checkpoint_every]
    every += [n for n in (derived.sample_every, derived.maps_every) if n]
    return min(derived.steps, *(step - step % n + n for n in every))
