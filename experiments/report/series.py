"""Curves for the page: every run's own, on steps that seeds share, thinned."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from experiments.goals import is_share
from experiments.records import RunRecord
from experiments.report.metrics import COUNTS, name_of, unit_of

DIGITS = 5  # of a number on the page; a curve shows three
MOST_NUMBERS = 350_000  # on the page: 2.5 MB
POINTS = (240, 120, 60, 30)  # of a curve: the first that keeps the page small


def curves(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Every metric of every run.

    Args:
      runs: in the page's order.

    Returns:
      `steps`, the lists of steps there are; `metrics`, one entry each with its name and
      for each run the number of its steps and its values.
    """
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    names = [name for name in names if name not in COUNTS]
    for most in POINTS:
        found, size = _thinned(names, runs, most)
        if size <= MOST_NUMBERS:
            return found
    return _thinned(names, runs, POINTS[-1])[0]


def _thinned(
    names: Sequence[str], runs: Sequence[RunRecord], most: int
) -> tuple[dict[str, Any], int]:
    """The curves of at most so many points, and how many numbers they are."""
    table = Steps()
    found = {name: _metric(name, runs, table, most) for name in names}
    size = table.size + sum(_size(each) for each in found.values())
    return {"steps": table.lists, "metrics": found}, size


class Steps:
    """Lists of steps, each kept once: seeds share theirs."""

    def __init__(self) -> None:
        self.lists: list[list[int]] = []
        self._known: dict[bytes, int] = {}

    def number(self, steps: np.ndarray) -> int:
        """The number of a list, which is added if it is new."""
        key = steps.tobytes()
        if key not in self._known:
            self._known[key] = len(self.lists)
            self.lists.append(steps.tolist())
        return self._known[key]

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return sum(map(len, self.lists))


def thin(
    steps: np.ndarray, values: np.ndarray, most: int, longest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means over neighbours, so that the longest curve has at most so many points.

    Args:
      steps, values: [n].
      most: points of the longest curve.
      longest: its length; all curves are cut alike, so that seeds share their steps.
    """
    size = math.ceil(longest / most) if longest else 1
    if size <= 1:
        return steps, values
    starts = np.arange(0, len(steps), size)
    counts = np.diff(np.append(starts, len(steps)))
    means = np.add.reduceat(values, starts) / counts if len(steps) else values
    return steps[starts + counts - 1], means


def plain(values: np.ndarray) -> Iterator[float | None]:
    """Numbers for JSON, rounded; None where one is not finite."""
    for value in values.tolist():
        yield float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _metric(
    name: str, runs: Sequence[RunRecord], table: Steps, most: int
) -> dict[str, Any]:
    found = [run.curve(name) for run in runs]
    longest = max(len(steps) for steps, _ in found)
    cut = [thin(*curve, most, longest) for curve in found]
    return {
        "name": name_of(name),
        "unit": unit_of(name),
        "share": is_share(name),
        "runs": {
            str(index): [table.number(steps), list(plain(values))]
            for index, (steps, values) in enumerate(cut)
            if len(steps)
        },
    }


def _size(metric: dict[str, Any]) -> int:
    return sum(len(values) for _, values in metric["runs"].values())
