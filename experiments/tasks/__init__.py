"""What is learned: a task is a pure function (seed, split, step) -> batch.

A new task is a file here, named as in a config, with its declaration

    TASK = Declaration(...)

and a row in `experiments.config.names.TASKS`. Nothing else changes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from experiments.config.names import TASKS

if TYPE_CHECKING:
    from experiments.config.schema import Data
    from experiments.tasks.declaration import Declaration
    from experiments.tasks.task import Task

__all__ = ["TASKS", "build", "declared"]


def declared(kind: str) -> Declaration:
    """What a task says of itself; imports neither JAX nor another task."""
    return import_module(f"{__name__}.{kind}").TASK


def build(config: Data, *, vocabulary: str | None = None) -> Task:
    """The task that a config names.

    Args:
      config: the section `data` of a config that was loaded.
      vocabulary: what `task.vocabulary.to_json()` gave before; a resumed run takes
        its own again. None makes one.

    Returns:
      The task, its arrays on the default device.

    Raises:
      ConfigError: the data cannot be had, or does not fit the config.
    """
    task = declared(config.kind)
    if task.build is not None:
        return task.build(config, vocabulary=vocabulary)
    from experiments.tasks import generated  # late: it imports JAX

    return generated.build(config, task)
