"""Medians, their spread, and intervals of ratios, out of rounds that took turns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 4000
CONFIDENCE = 0.95
WIDEST = 0.25  # interval of ours against itself; a wider one says nothing of others
LEVEL = 0.02  # nearer to 1 than this is no difference: a process differs so from itself


@dataclass(frozen=True)
class Summary:
    """Times of one contender.

    Args:
      median: of the medians of rounds, seconds.
      mad: median absolute deviation of those from it, seconds.
      least: the shortest call of all.
      calls: how many were timed.
    """

    median: float
    mad: float
    least: float
    calls: int


@dataclass(frozen=True)
class Ratio:
    """A rival's time over ours.

    Args:
      value: of the medians.
      low: end of its 95% bootstrap interval over rounds.
      high: the other end.
      verdict: faster (we are), slower or level.
    """

    value: float
    low: float
    high: float
    verdict: str


def summary(rounds: Sequence[Sequence[float]]) -> Summary:
    """The times of a contender, from the times of each round."""
    medians = np.array([np.median(each) for each in rounds])
    middle = float(np.median(medians))
    return Summary(
        middle,
        float(np.median(np.abs(medians - middle))),
        float(min(map(min, rounds))),
        sum(map(len, rounds)),
    )


def ratio(
    ours: Sequence[Sequence[float]],
    theirs: Sequence[Sequence[float]],
    level: float = LEVEL,
) -> Ratio:
    """Their time over ours, with an interval from resampled rounds.

    Both took part in every round, so that a round is drawn with both its medians: what
    slows the machine for a while slows both.

    Args:
      ours: seconds of the calls of each round.
      theirs: likewise.
      level: how far from 1 a ratio must be to be called a difference.

    Raises:
      ValueError: they did not take part in the same rounds, or in none.
    """
    if not 0 < len(ours) == len(theirs):
        raise ValueError(
            f"ratio: expected the same rounds of both, got {len(ours)} of ours and"
            f" {len(theirs)} of theirs; compare those that ran."
        )
    a = np.array([np.median(each) for each in ours])
    b = np.array([np.median(each) for each in theirs])
    drawn = np.random.default_rng(0).integers(0, len(a), (RESAMPLES, len(a)))
    ratios = np.median(b[drawn], axis=1) / np.median(a[drawn], axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = (float(x) for x in np.percentile(ratios, [tail, 100 - tail]))
    value = float(np.median(b) / np.median(a))
    return Ratio(value, low, high, verdict(value, low, high, level))


def is_level(control: Ratio) -> bool:
    """Whether ours against itself came out level, and narrowly enough to tell."""
    return against_itself(control) == "level"


def against_itself(control: Ratio) -> str:
    """What the second of ours is beside the first: slower, faster, level, or unknown.

    A verdict is about the first: where that is faster, the second is slower.
    """
    if control.verdict != "level":
        return {"faster": "slower", "slower": "faster"}[control.verdict]
    return "level" if control.high - control.low < WIDEST else "too wide to tell"


def verdict(value: float, low: float, high: float, level: float = LEVEL) -> str:
    """A difference needs its whole interval on one side of 1, and some size."""
    if low > 1 and value > 1 + level:
        return "faster"
    if high < 1 and value < 1 - level:
        return "slower"
    return "level"


def interval(rounds: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The 95% bootstrap interval of the median over rounds, seconds."""
    medians = np.array([np.median(each) for each in rounds])
    drawn = np.random.default_rng(0).integers(
        0, len(medians), (RESAMPLES, len(medians))
    )
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(np.median(medians[drawn], axis=1), [tail, 100 - tail])
    return float(low), float(high)
