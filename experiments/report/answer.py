"""The answer first: which variant is best, by how much, at what cost."""

from collections.abc import Sequence

from experiments.goals import is_share
from experiments.report import paired
from experiments.report.costs import Cost, cost_of, known
from experiments.report.html import Html, join, tag
from experiments.report.metrics import (
    ABSENT,
    Aim,
    figure,
    name_of,
    short,
)
from experiments.report.sentences import beside, headline
from experiments.report.tables import Cell, Column, number, table, variant_cell
from experiments.report.view import View, measure
from experiments.variants import Variant


def section(view: View) -> Html:
    """A card for each task."""
    cards = [_card(view, place, task) for place, task in enumerate(view.tasks)]
    notes = view.comparison.notes if view.comparison else ()
    said = [tag("li", each) for each in notes]
    return join(*cards, tag("ul", *said, class_="said") if said else None)


def _card(view: View, place: int, task: str) -> Html:
    ranked, aim = view.ranked(task), view.aim(task)
    chart = tag("div", class_="chart", data_chart="dots", data_task=str(place))
    caption = (
        f"{name_of(aim.metric).capitalize()} at the end of training:"
        f" dots are seeds, bars the mean with its 95% interval."
    )
    return tag(
        "article",
        tag("p", task, class_="kicker") if len(view.tasks) > 1 else None,
        tag("p", *headline(ranked, aim), class_="headline"),
        tag("p", *beside(ranked, aim), class_="beside"),
        tag("figure", chart, tag("figcaption", caption)),
        _table(view, ranked, aim),
        _costs(view, ranked),
        class_="card",
    )


def _table(view: View, ranked: list[Variant], aim: Aim) -> Html:
    columns = [
        Column("variant"),
        Column(name_of(aim.metric), True),
        Column("95% interval", True, "t interval of the mean over seeds"),
        Column("seeds", True),
        *(paired.columns(view) or _BEHIND),
    ]
    best = measure(ranked[0], aim.metric).mean
    rows = [_row(view, each, aim, best) for each in ranked]
    return table("Variants, best first", columns, rows)


_BEHIND = [Column("behind the best", True, "difference of the means")]


def _row(view: View, variant: Variant, aim: Aim, best: float) -> list[Cell]:
    metric = aim.metric
    found = measure(variant, metric)
    behind = aim.behind(found.mean, best)
    width = None if found.low is None else found.high - found.low  # type: ignore
    ends = [figure(metric, found.low), figure(metric, found.high)]
    spans = ABSENT if width is None else " to ".join(ends)
    return [
        variant_cell(variant.label, view.colour(variant)),
        number(figure(metric, found.mean), found.mean),
        number(spans, width),
        number(_seeds(variant), len(variant.done)),
        *(
            paired.cells(view, variant, metric)
            or [number(_behind(metric, behind), behind)]
        ),
    ]


def _seeds(variant: Variant) -> str:
    """How many are in the mean; `2 of 3` where others did not get to their end."""
    done, every = len(variant.done), len(variant.runs)
    return str(done) if done == every else f"{done} of {every}"


def _behind(metric: str, value: float) -> str:
    if value == 0:
        return "best"
    return f"{100 * value:.1f} points" if is_share(metric) else figure(metric, value)


def _costs(view: View, ranked: Sequence[Variant]) -> Html | None:
    """A table of every cost that is known."""
    costs = known(tuple(ranked))
    if not costs:
        return None
    heads = [Column(each.label, True, _source(each.is_clock)) for each in costs]
    rows = [
        [
            variant_cell(each.label, view.colour(each)),
            *(_cost(each, cost) for cost in costs),
        ]
        for each in ranked
    ]
    return table("What each costs", [Column("variant"), *heads], rows)


def _cost(variant: Variant, cost: Cost) -> Cell:
    """What was counted to the last digit, what was measured to three."""
    value = cost_of(variant, cost)
    is_exact = value is not None and not cost.is_clock
    return number(f"{value:,.0f}" if is_exact else short(value), value)


def _source(is_clock: bool) -> str:
    return "measured, median" if is_clock else "counted"
