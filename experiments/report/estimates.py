"""Means over seeds with their 95% intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.special import stdtrit

from experiments.compare import statistics

MOST_SEEDS = 64  # of which the page has a quantile of its own


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Args:
      mean: of the finite values; NaN if there are none.
      low, high: ends of the 95% t interval of the mean; None below two seeds.
      values: one a seed.
    """

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]

    @property
    def seeds(self) -> int:
        """How many of the values are finite, and so in the mean."""
        return sum(map(math.isfinite, self.values))


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval of one value a seed; those that are not finite are left out."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Estimate(math.nan, None, None, tuple(values))
    found = statistics.estimate(finite)
    return Estimate(found.mean, found.low, found.high, tuple(values))


def clipped(found: Estimate) -> Estimate:
    """An interval of a share, ended at 0 and at 1: beyond there is nothing."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def quantile(seeds: int) -> float:
    """How many standard errors the interval reaches, for so many seeds."""
    return float(stdtrit(seeds - 1, (1 + statistics.CONFIDENCE) / 2))
