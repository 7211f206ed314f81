"""What a run costs, in optimizer steps of itself, before anything of it is computed."""

import math
from contextlib import suppress

from experiments.config import Config, ConfigError, resolve
from experiments.config.grid import cells
from experiments.config.schema import Data
from experiments.tasks.corpora import file
from experiments.tasks.declaration import VALIDATION_EXAMPLES

BATCH = 1 / 3  # of a step is what a validation batch costs: it has no backward pass
SIZES = {"stdlib": 10_700_000, "tinyshakespeare": 1_115_394}  # bytes, about


def cost_of(config: Config) -> float:
    """Optimizer steps, and what evaluations are worth in them.

    A grid, at the end, is more such batches, dearer where they are longer.
    """
    derived = resolve(config)
    evaluations = math.ceil(derived.steps / derived.eval_every)
    grid = cells(config, config.eval.grid) if config.eval.grid else []
    lengths = [each.config.data.length for each in grid if each.config]
    looks = evaluations + sum(lengths) / config.data.length
    return derived.steps + looks * batches(config) * BATCH


def batches(config: Config) -> int:
    """Validation batches of an evaluation; of a text the tokens are taken for bytes."""
    every = math.ceil(examples(config.data) / config.data.batch)
    return min(config.eval.batches or every, every)


def examples(data: Data) -> int:
    """Validation examples that a task has, about."""
    if data.kind != "text":
        return VALIDATION_EXAMPLES
    return max(1, int(_bytes(data) * data.validation / data.length))


def _bytes(data: Data) -> int:
    if not data.path:
        return SIZES.get(data.source, max(SIZES.values()))
    with suppress(ConfigError, OSError):  # the run itself will say so
        return sum(path.stat().st_size for path in file.find(data, data.path))
    return 0
