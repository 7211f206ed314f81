"""The answer first: which variant is best, by how much, at what cost."""

from experiments.report import paired
from experiments.report.costs import cost_of, known
from experiments.report.estimates import Estimate
from experiments.report.html import Html, join, tag
from experiments.report.metrics import (
    ABSENT,
    best_first,
    figure,
    is_share,
    name_of,
    short,
)
from experiments.report.tables import Cell, Column, number, table, variant_cell
from experiments.report.view import View, measure
from experiments.variants import Variant

MARGIN = 1.02  # costs closer than this are called equal


def section(view: View) -> Html:
    """A card for each task."""
    cards = [_card(view, place, task) for place, task in enumerate(view.tasks)]
    notes = view.comparison.notes if view.comparison else ()
    said = [tag("li", each) for each in notes]
    return join(*cards, tag("ul", *said, class_="said") if said else None)


def _card(view: View, place: int, task: str) -> Html:
    ranked, metric = view.of_task(task), view.metric(task)
    chart = tag("div", class_="chart", data_chart="dots", data_task=str(place))
    caption = (
        f"{name_of(metric).capitalize()} at the end of training:"
        f" dots are seeds, bars the mean with its 95% interval."
    )
    return tag(
        "article",
        tag("p", task, class_="kicker") if len(view.tasks) > 1 else None,
        tag("p", *headline(ranked, metric), class_="headline"),
        tag("p", *beside(ranked, metric), class_="beside"),
        tag("figure", chart, tag("figcaption", caption)),
        _table(view, ranked, metric),
        class_="card",
    )


def headline(ranked: list[Variant], metric: str) -> list[Html | str]:
    """The best variant with its interval."""
    best = ranked[0]
    found = measure(best, metric)
    name, value = tag("strong", tag("bdi", best.label)), figure(metric, found.mean)
    if not found.values:
        return [name, f" has no {name_of(metric)} yet."]
    said = f"{value} ({_interval(found, metric)})"
    if len(ranked) == 1:
        return [name, f" reaches {_article(metric)} of {said}."]
    most = "highest" if is_share(metric) else "lowest"
    return [name, f" has the {most} {name_of(metric)}, {said}."]


def beside(ranked: list[Variant], metric: str) -> list[Html | str]:
    """The runner-up, whether the runs tell the two apart, and what each costs."""
    if len(ranked) == 1:
        return [f"{_steps(ranked[0])}. {_costs(ranked[0])}"]
    best, second = ranked[:2]
    first, other = measure(best, metric), measure(second, metric)
    if not other.values:
        return [tag("bdi", second.label), " has no value to compare with yet."]
    return [
        "Next is ",
        tag("bdi", second.label),
        f" with {figure(metric, other.mean)} ({_interval(other, metric)});"
        f" {_apart(first, other)} ",
        *_dearer(best, second),
    ]


def _apart(first: Estimate, other: Estimate) -> str:
    if first.low is None or other.low is None:
        return "with fewer than two seeds each, chance cannot be told from effect."
    assert first.high is not None
    assert other.high is not None
    if first.low <= other.high and other.low <= first.high:
        return "their intervals overlap, so these runs do not settle which is better."
    return "their intervals do not meet."


def _dearer(best: Variant, second: Variant) -> list[Html | str]:
    """What the best costs in units of the runner-up."""
    said = []
    for cost in known((best, second)):
        one, two = cost_of(best, cost), cost_of(second, cost)
        if one and two and not 1 / MARGIN < one / two < MARGIN:
            said.append(f"{one / two:.2g} × the {cost.label}")
    if not said:
        return ["Their costs are equal within 2%."]
    return [tag("bdi", best.label), f" takes {_listed(said)}."]


def _costs(variant: Variant) -> str:
    said = [
        f"{short(value)} {cost.label}"
        for cost in known((variant,))
        if (value := cost_of(variant, cost)) is not None
    ]
    return f"It has {_listed(said)}." if said else ""


def _listed(said: list[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _steps(variant: Variant) -> str:
    steps = sorted({run.step for run in variant.runs})
    said = " to ".join(f"{each:,}" for each in dict.fromkeys((steps[0], steps[-1])))
    return f"That is after {said} steps"


def _article(metric: str) -> str:
    name = name_of(metric)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _interval(found: Estimate, metric: str) -> str:
    count = len(found.values)
    if found.low is None:
        return "one seed, so no interval" if count == 1 else f"{count} runs"
    low, high = figure(metric, found.low), figure(metric, found.high)
    return f"95% interval {low} to {high}, {count} seeds"


def _table(view: View, ranked: list[Variant], metric: str) -> Html:
    costs = known(view.variants)
    tested = paired.columns(view)
    columns = [
        Column("variant"),
        Column(name_of(metric), True),
        Column("95% interval", True, "t interval of the mean over seeds"),
        Column("seeds", True),
        Column("behind the best", True, "difference of the means"),
        *tested,
        *(Column(cost.label, True, _source(cost.is_clock)) for cost in costs),
    ]
    best = measure(ranked[0], metric).mean
    rows = [_row(view, each, metric, best, costs) for each in ranked]
    return table("Variants, best first", columns, rows)


def _source(is_clock: bool) -> str:
    return "measured, median" if is_clock else "counted"


def _row(
    view: View, variant: Variant, metric: str, best: float, costs: list
) -> list[Cell]:
    found = measure(variant, metric)
    behind = best_first(metric, found.mean) - best_first(metric, best)
    width = None if found.low is None else found.high - found.low  # type: ignore
    ends = [figure(metric, found.low), figure(metric, found.high)]
    spans = ABSENT if width is None else " to ".join(ends)
    return [
        variant_cell(variant.label, view.colour(variant)),
        number(figure(metric, found.mean), found.mean),
        number(spans, width),
        number(str(len(variant.runs)), len(variant.runs)),
        number(_behind(metric, behind), behind),
        *paired.cells(view, variant, metric),
        *(number(short(c), c) for c in (cost_of(variant, cost) for cost in costs)),
    ]


def _behind(metric: str, value: float) -> str:
    if value == 0:
        return "best"
    return f"{100 * value:.1f} points" if is_share(metric) else figure(metric, value)
