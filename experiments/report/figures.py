"""The places where the script draws, with their controls and captions."""

from experiments.report.costs import cost_of, known
from experiments.report.html import Html, join, tag
from experiments.report.payload import payload_lines
from experiments.report.view import View

SMOOTHING = 95  # the most, in percent of the past


def curves(view: View) -> Html:
    """One panel a task, controls above."""
    panels = [
        _figure("curves", task if len(view.tasks) > 1 else None, place)
        for place, task in enumerate(view.tasks)
    ]
    caption = (
        "Lines are means over seeds. Point at a chart, or move in it with the arrow"
        " keys, to read the values. The legend hides and shows variants everywhere."
    )
    many = "panels many" if len(panels) > 1 else "panels"
    return join(
        tag("div", *_controls(), class_="controls", hidden=True),
        tag("div", class_="legend", role="group", aria_label="Variants"),
        tag("div", *panels, class_=many),
        tag("p", caption, class_="caption"),
    )


def lines(view: View) -> Html | None:
    """A panel for each grid of one axis."""
    found = payload_lines(view)
    if not found:
        return None
    many = len(view.tasks) > 1
    panels = [
        _figure("lines", view.tasks[each["task"]] if many else None, place)
        for place, each in enumerate(found)
    ]
    caption = "Means over seeds with 95% intervals, at difficulties beyond training."
    return join(
        tag("div", *panels, class_="panels many" if len(panels) > 1 else "panels"),
        tag("p", caption, class_="caption"),
    )


def cost(view: View) -> Html | None:
    """A panel a task: what it costs against how good it is."""
    if len(view.labels) < 2 or not known(view.variants):
        return None
    panels = [
        _figure("scatter", task if len(view.tasks) > 1 else None, place)
        for place, task in enumerate(view.tasks)
    ]
    first = widest(view)
    options = [
        tag("option", each.label, value=str(place), selected=place == first)
        for place, each in enumerate(known(view.variants))
    ]
    select = tag("label", "Cost ", tag("select", *options, id="cost-of"))
    caption = (
        "Points are variants with their 95% intervals. The line joins those that no"
        " other beats in both cost and quality."
    )
    return join(
        tag(
            "div",
            select,
            _check("cost-log", "log", True),
            class_="controls",
            hidden=True,
        ),
        tag("div", *panels, class_="panels many" if len(panels) > 1 else "panels"),
        tag("p", caption, class_="caption"),
    )


def widest(view: View) -> int:
    """The number of the counted cost in which the variants differ most."""
    spreads = {}
    for place, cost in enumerate(known(view.variants)):
        found = [x for each in view.variants if (x := cost_of(each, cost))]
        if found and not cost.is_clock:
            spreads[place] = max(found) / min(found)
    return max(spreads, key=lambda place: spreads[place], default=0)


def _figure(kind: str, title: str | None, place: int) -> Html:
    return tag(
        "figure",
        tag("figcaption", title) if title else None,
        tag("div", class_="chart", data_chart=kind, data_task=str(place)),
    )


def _controls() -> list[Html]:
    over = {"steps": "steps", "tokens": "tokens", "seconds": "seconds of steps"}
    bands = {
        "interval": "95% interval",
        "range": "range of seeds",
        "seeds": "each seed",
    }
    smooth = tag(
        "input", type="range", id="smooth", min="0", max=str(SMOOTHING), value="0"
    )
    return [
        tag("label", "Metric ", tag("select", id="metric")),
        tag("label", "Over ", tag("select", *_options(over), id="over")),
        tag("label", "Band ", tag("select", *_options(bands), id="band")),
        tag("label", "Smoothing ", smooth),
        _check("log-x", "log x", False),
        _check("log-y", "log y", False),
        _check("outliers", "all values", False),
    ]


def _options(names: dict[str, str]) -> list[Html]:
    return [tag("option", text, value=value) for value, text in names.items()]


def _check(identifier: str, label: str, checked: bool) -> Html:
    box = tag("input", type="checkbox", id=identifier, checked=checked)
    return tag("label", box, f" {label}")
