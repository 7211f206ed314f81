"""Where a run goes on: its newest checkpoint that can be read, or its first step."""

from collections.abc import Callable
from typing import Any

from experiments.arrays import CheckpointError, digest
from experiments.checkpoint import Store
from experiments.course import Course
from experiments.run import Run
from experiments.setup import Setup


def begin(run: Run, setup: Setup, store: Store, say: Callable[[str], None]) -> Course:
    """The state from which a run goes on; its files are set back to that step.

    Args:
      run: open to work on.
      setup: what it computes with.
      store: its checkpoints.
      say: hears of those that cannot be read.

    Raises:
      CheckpointError: there are checkpoints, and none can be read, or the data is not
        what it was.
      ConfigError: the weights that it is to start from cannot be had.
    """
    store.clean()
    for found in store.newest(setup.shapes):
        if not isinstance(found, str):
            return resume(run, setup, store, *found)
        say(f"{found} Trying the one before.")
    if store.steps():
        raise CheckpointError(
            f"{store.folder}: no checkpoint can be read; "
            "restore one, or start over with --fresh."
        )
    run.keep_metrics(0)
    course = Course(setup.start())
    if setup.config.train.weights is not None:  # the run that they are of may go on
        run.describe(weights=digest(course.state.params))
    return course


def resume(
    run: Run, setup: Setup, store: Store, state: Any, notes: dict[str, Any]
) -> Course:
    """Goes on from a checkpoint, once the data has been found to be the same.

    Raises:
      CheckpointError: it is not.
    """
    if notes["fingerprint"] != setup.task.fingerprint:
        raise CheckpointError(
            f"{run.path}: the text has changed since its checkpoint; restore "
            "the text, or start over with --fresh."
        )
    course = Course.resumed(setup.place(state), notes)
    run.keep_metrics(course.rows)
    store.set_aside(course.step)
    return course
