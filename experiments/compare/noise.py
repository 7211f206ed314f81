"""Seed noise: how much a metric varies by itself, and what can be seen above that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.compare.statistics import (
    Estimate,
    estimate,
    seeds_needed,
    spread_interval,
)
from experiments.errors import UserError
from experiments.records import RunRecord

SHARES = (0.005, 0.01, 0.02, 0.05, 0.1)  # of the mean


@dataclass(frozen=True)
class Noise:
    """The noise of one metric over seeds.

    Args:
      metric: which.
      estimate: its mean, with the interval of the mean.
      sd_low: end of the 95% interval of the standard deviation.
      sd_high: the other end.
      values: by seed, in order.
      needed: difference to the seeds that each of two variants needs; None: too many.
    """

    metric: str
    estimate: Estimate
    sd_low: float
    sd_high: float
    values: tuple[float, ...]
    needed: tuple[tuple[float, int | None], ...]


def noise(
    records: Sequence[RunRecord], metric: str, differences: Sequence[float] = ()
) -> Noise:
    """The noise of a metric.

    Args:
      records: done runs of one config with different seeds.
      metric: such as `val/loss`.
      differences: which ones are to be seen; none takes shares of the mean.

    Raises:
      UserError: fewer than two runs have it, or it does not vary at all.
    """
    found = [each.last(metric) for each in records]
    values = [value for value in found if value is not None and np.isfinite(value)]
    if len(values) < 2:
        raise UserError(
            f"attn noise: expected {metric} of at least two runs, got {len(values)}."
        )
    got = estimate(values)
    assert got.sd is not None
    if got.sd == 0:
        raise UserError(
            f"attn noise: {metric} is {got.mean:g} on every seed: no noise."
        )
    low, high = spread_interval(values)
    wanted = differences or [share * abs(got.mean) for share in SHARES]
    needed = [(each, seeds_needed(each, got.sd)) for each in wanted]
    return Noise(metric, got, low, high, tuple(values), tuple(needed))
