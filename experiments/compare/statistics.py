"""Means with intervals, paired tests and power, out of scipy.stats."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RANKED = 6  # with fewer pairs no sign pattern gives Wilcoxon's test a p below 0.05
MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Args:
      n: how many seeds.
      mean: over them.
      sd: their standard deviation; None below two.
      low: end of the 95% t interval of the mean; None below two.
      high: the other end.
    """

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Paired:
    """A comparison over the seeds that both have; differences are this minus other.

    Args:
      n: how many pairs.
      difference: their mean.
      low: end of its 95% t interval; None below two pairs.
      high: the other end.
      effect: Cohen's d of the differences, mean / standard deviation.
      p: of the paired t test, two-sided.
      p_ranks: of Wilcoxon's signed-rank test; None below six pairs.
      note: why a number is missing.
    """

    n: int
    difference: float
    low: float | None = None
    high: float | None = None
    effect: float | None = None
    p: float | None = None
    p_ranks: float | None = None
    note: str = ""


def estimate(values: Sequence[float]) -> Estimate:
    """The mean and its t interval.

    Raises:
      ValueError: there is nothing.
    """
    found = np.asarray(values, np.float64)
    if not found.size:
        raise ValueError("estimate: expected at least one value, got none.")
    mean = float(found.mean())
    if found.size < 2:
        return Estimate(1, mean)
    error = float(stats.sem(found))
    low, high = _interval(mean, error, found.size)
    return Estimate(found.size, mean, float(found.std(ddof=1)), low, high)


def _interval(mean: float, error: float, n: int) -> tuple[float, float]:
    if error == 0:
        return mean, mean
    low, high = stats.t.interval(CONFIDENCE, n - 1, loc=mean, scale=error)
    return float(low), float(high)


def paired(this: Mapping[int, float], other: Mapping[int, float]) -> Paired | None:
    """Tests whether two variants differ, over the seeds that both have.

    Args:
      this: seed to value.
      other: the same of the reference.

    Returns:
      None if no seed is in both.
    """
    both = sorted(set(this) & set(other))
    if not both:
        return None
    one = np.array([this[seed] for seed in both], np.float64)
    two = np.array([other[seed] for seed in both], np.float64)
    gaps = one - two
    difference = float(gaps.mean())
    if len(both) < 2:
        return Paired(1, difference, note="one pair: no test")
    low, high = _interval(difference, float(stats.sem(gaps)), len(both))
    spread = float(gaps.std(ddof=1))
    if spread <= 1e-12 * max(1.0, abs(difference)):
        note = "same on every seed"
        return Paired(len(both), difference, low, high, note=note)
    p = float(stats.ttest_rel(one, two).pvalue)
    ranks = None
    if len(both) >= RANKED:
        ranks = float(stats.wilcoxon(gaps, zero_method="zsplit").pvalue)
    effect = difference / spread
    return Paired(len(both), difference, low, high, effect, p, ranks)


def adjusted(values: Sequence[float | None]) -> list[float | None]:
    """p values of many tests at once: false discovery rate, Benjamini-Hochberg.

    Args:
      values: of the tests; None or NaN where one has none.

    Returns:
      One a test, None where it has none.
    """
    known = [value for value in values if _is_known(value)]
    made = iter(stats.false_discovery_control(known) if known else ())
    return [float(next(made)) if _is_known(value) else None for value in values]


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def spread_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a standard deviation, if the values are normal."""
    n, sd = len(values), float(np.std(values, ddof=1))
    tail = (1 - CONFIDENCE) / 2
    low, high = stats.chi2.ppf([1 - tail, tail], n - 1)
    return sd * math.sqrt((n - 1) / low), sd * math.sqrt((n - 1) / high)


def power(difference: float, sd: float, seeds: int) -> float:
    """How likely a two-sided t test at 5% sees a difference of two independent means.

    Args:
      difference: between the means.
      sd: of one run, the same for both.
      seeds: runs of each.
    """
    freedom = 2 * seeds - 2
    shift = abs(difference) / sd * math.sqrt(seeds / 2)
    edge = stats.t.ppf(1 - (1 - CONFIDENCE) / 2, freedom)
    # sf and cdf of the noncentral t lose their last digits far out; a share stays one.
    seen = stats.nct.sf(edge, freedom, shift) + stats.nct.cdf(-edge, freedom, shift)
    return float(min(1.0, seen))


def seeds_needed(difference: float, sd: float, wanted: float = 0.8) -> int | None:
    """The fewest runs of each variant that see a difference with `wanted` power.

    Returns:
      At least 2; None above 10,000.
    """
    low, high = 1, 2
    while power(difference, sd, high) < wanted:
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power(difference, sd, middle) < wanted:
            low = middle
        else:
            high = middle
    return high
