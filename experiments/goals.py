"""Which way a metric is better, by its name: known to configs, tests and reports."""

import math

SHARES = ("accuracy", "exact_match")  # the ends of metrics of which more is better


def is_share(metric: str) -> bool:
    """Whether it is a share of 1 of which more is better."""
    return metric.rpartition("/")[2] in SHARES


def goal_of(metric: str, given: str | None = None) -> str:
    """`max` of a share of right answers, `min` of a loss, a norm, a time, a count.

    Args:
      metric: its name, `val/accuracy`.
      given: min or max, where somebody has said it; it counts.
    """
    return given or ("max" if is_share(metric) else "min")


def best_first(value: float, goal: str) -> float:
    """A key to sort by: the better, the smaller; what is not finite comes last."""
    if not math.isfinite(value):
        return math.inf
    return -value if goal == "max" else value
