"""What the comparison tested, as columns of the answer's table."""

from experiments.compare.comparison import Result
from experiments.goals import is_share
from experiments.report.metrics import ABSENT
from experiments.report.tables import Cell, Column, number
from experiments.report.view import View
from experiments.variants import Variant

SMALLEST = 1e-4  # a smaller p is not told more closely


def columns(view: View) -> list[Column]:
    """The headings; none without a comparison."""
    if view.comparison is None:
        return []
    against = view.comparison.reference
    title = "mean over the seeds that both have, and 95%; points where shares differ"
    return [
        Column(f"minus {against}", True, title),
        Column("effect", True, "Cohen's d of the paired differences"),
        Column("p adj.", True, "paired t test, adjusted for all tests of this task"),
    ]


def cells(view: View, variant: Variant, metric: str) -> list[Cell]:
    """What stands below them."""
    if view.comparison is None:
        return []
    found = view.comparison.find(variant.task, variant.label, metric)
    if found is None or found.test is None:
        return [number(ABSENT, None)] * 3
    test = found.test
    return [
        number(_difference(found, metric), test.difference),
        number(ABSENT if test.effect is None else f"{test.effect:.2g}", test.effect),
        number(_p(found.p_adjusted), found.p_adjusted),
    ]


def _difference(found: Result, metric: str) -> str:
    test = found.test
    assert test is not None
    times = 100 if is_share(metric) else 1
    signed = "+.1f" if is_share(metric) else "+.3g"
    text = f"{times * test.difference:{signed}}"
    if test.low is None or test.high is None:
        return text
    return f"{text} ({times * test.low:{signed}} to {times * test.high:{signed}})"


def _p(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"< {SMALLEST}" if value < SMALLEST else f"{value:.2g}"
