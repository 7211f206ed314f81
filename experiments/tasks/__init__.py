"""What is learned: a task is a pure function (seed, split, step) -> batch.

A new task is a file here, named as in a config, with one function

    build(config, *, vocabulary=None) -> Task

and a row in `experiments.config.names.TASKS`. Nothing else changes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from experiments.config.names import TASKS

if TYPE_CHECKING:
    from experiments.config.schema import Data
    from experiments.tasks.task import Task

__all__ = ["TASKS", "build"]


def build(config: Data, *, vocabulary: str | None = None) -> Task:
    """The task that a config names.

    Args:
      config: the section `data`.
      vocabulary: what `task.vocabulary.to_json()` gave before; a resumed run takes
        its own again. None makes one from the text.

    Returns:
      The task, its arrays on the default device.

    Raises:
      ConfigError: the data cannot be had, or does not fit the config.
    """
    # Imported by name, since tasks need JAX and a list of their names must not.
    module = import_module(f"{__name__}.{config.kind}")
    return module.build(config, vocabulary=vocabulary)
