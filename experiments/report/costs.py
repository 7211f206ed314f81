"""What a run costs: parameters, work, memory, time."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from experiments.records import RunRecord
from experiments.variants import Variant


class Cost(NamedTuple):
    """One way to count cost.

    Args:
      label: with its unit.
      of: the cost of a run, None if it is not known.
      is_clock: measured, and so of the machine and its load.
    """

    label: str
    of: Callable[[RunRecord], float | None]
    is_clock: bool = False


def parameters(run: RunRecord) -> float | None:
    """How many numbers are learned."""
    found = run.last("cost/params")
    given = run.manifest.get("parameters")
    return found if found is not None else given if type(given) is int else None


def step_ms(run: RunRecord) -> float | None:
    """The median time of a step, in milliseconds."""
    values = run.perf("step_ms")[1]
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None


COSTS = (
    Cost("FLOPs per token", lambda run: run.last("cost/flops_per_token")),
    Cost("state bytes per token", lambda run: run.last("cost/state_bytes_per_token")),
    Cost("parameters", parameters),
    Cost("ms per step", step_ms, is_clock=True),
    Cost("seconds of training", lambda run: run.seconds or None, is_clock=True),
)


def cost_of(variant: Variant, cost: Cost) -> float | None:
    """The median over the seeds of a variant."""
    found = [value for run in variant.runs if (value := cost.of(run)) is not None]
    return float(np.median(found)) if found else None


def known(variants: tuple[Variant, ...]) -> list[Cost]:
    """The costs that at least one variant has."""
    return [c for c in COSTS if any(cost_of(v, c) is not None for v in variants)]
