"""Two more charts as files: quality against cost, and difficulties beyond training."""

import math
from collections.abc import Iterator
from typing import Any

import altair as alt

from experiments.report.costs import cost_of, known
from experiments.report.encodings import HEIGHT, WIDTH, colour, value
from experiments.report.figures import widest
from experiments.report.payload import payload_lines
from experiments.report.view import View, measure


def cost(view: View, task: str) -> Any:
    """The metric against the counted cost in which variants differ most; or None."""
    costs = known(view.variants)
    if len(view.labels) < 2 or not costs:
        return None
    metric, wanted = view.metric(task), costs[widest(view)]
    rows = []
    for each in view.of_task(task):
        found, paid = measure(each, metric), cost_of(each, wanted)
        if paid and math.isfinite(found.mean):
            ends = {"low": found.low, "high": found.high}
            rows.append(
                {"variant": each.label, "cost": paid, "mean": found.mean, **ends}
            )
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("cost:Q", title=wanted.label).scale(type="log", nice=False, padding=30),
        color=colour(view),
    )
    dots = base.mark_circle(size=90, opacity=1).encode(y=value("mean:Q", metric))
    bars = base.mark_rule(strokeWidth=2).encode(y=value("low:Q", metric), y2="high:Q")
    title = alt.Title(task, subtitle="mean and its 95% interval", anchor="start")
    return (bars + dots).properties(width=WIDTH, height=HEIGHT, title=title)


def grids(view: View, task: str) -> Iterator[tuple[str, Any]]:
    """For each axis of a grid its name, and the metric over it."""
    for about in payload_lines(view):
        if view.tasks[about["task"]] == task:
            yield about["axis"], _over(view, task, about)


def _over(view: View, task: str, about: dict[str, Any]) -> Any:
    rows = [
        {"variant": view.variants[row["variant"]].label, "x": x, **point}
        for row in about["rows"]
        for x, point in zip(about["x"], row["points"], strict=True)
        if point is not None and point["mean"] is not None
    ]
    metric = "accuracy" if about["share"] else about["name"]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("x:Q", title=about["axis"]).scale(zero=False), color=colour(view)
    )
    line = base.mark_line(strokeWidth=2, point=True).encode(y=value("mean:Q", metric))
    band = base.mark_area(opacity=0.18).encode(y=value("low:Q", metric), y2="high:Q")
    title = alt.Title(task, subtitle="mean and its 95% interval", anchor="start")
    return (band + line).properties(width=WIDTH, height=HEIGHT, title=title)
