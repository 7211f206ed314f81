"""The charts of a report as files for a paper: PNG and SVG of one altair chart."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from experiments.records import RunRecord
from experiments.report.metrics import is_share, name_of, unit_of
from experiments.report.series import thin
from experiments.report.view import View, make_view, measure
from experiments.variants import Variant

WIDTH, HEIGHT, POINTS = 560, 320, 200
PALETTE = (  # that of the page by light, `--k0` to `--k9` of its style
    "#1f6fb4",
    "#d1570f",
    "#1f8a4c",
    "#8a4fb5",
    "#c2304a",
    "#0b8a99",
    "#8a6d00",
    "#c24c98",
    "#5d6b7a",
    "#7a4a2b",
)
SCALE = 2  # of a PNG, for dense screens


def draw(records: Sequence[RunRecord], folder: Path) -> list[Path]:
    """Writes `curves` and `estimates` of each task, as PNG and SVG.

    Args:
      records: runs of any variants and tasks.
      folder: made if it is not there.
    """
    view = make_view(records, title="")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for place, task in enumerate(view.tasks):
        suffix = f"_{place + 1}" if len(view.tasks) > 1 else ""
        for name, made in (("curves", curves), ("estimates", estimates)):
            chart = made(view, task)
            for ending in (".png", ".svg"):
                path = folder / f"{name}{suffix}{ending}"
                options = {"scale_factor": SCALE} if ending == ".png" else {}
                chart.save(str(path), **options)
                written.append(path)
    return written


def curves(view: View, task: str) -> Any:
    """The metric of a task over steps: means over seeds with their range."""
    metric = view.metric(task)
    rows = [row for each in view.of_task(task) for row in _points(each, metric)]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("step:Q", title="step"), color=_colour(view)
    )
    line = base.mark_line(strokeWidth=2).encode(y=_value("mean(value):Q", metric))
    band = base.mark_area(opacity=0.18).encode(
        y=_value("min(value):Q", metric), y2="max(value):Q"
    )
    title = alt.Title(task, subtitle="mean and range over seeds", anchor="start")
    return (band + line).properties(width=WIDTH, height=HEIGHT, title=title)


def estimates(view: View, task: str) -> Any:
    """The last values: dots are seeds, bars the mean with its 95% interval."""
    metric, variants = view.metric(task), view.ranked(task)
    found = [(each.label, measure(each, metric)) for each in variants]
    means = [
        {"variant": label, "mean": e.mean, "low": e.low, "high": e.high}
        for label, e in found
        if math.isfinite(e.mean)
    ]
    dots = [{"variant": label, "value": v} for label, e in found for v in e.values]
    rows = alt.Y("variant:N", title=None, sort=[each.label for each in variants])
    colour = _colour(view, None)
    seeds = alt.Chart(alt.Data(values=[d for d in dots if math.isfinite(d["value"])]))
    bars = alt.Chart(alt.Data(values=means))
    chart = (
        seeds.mark_circle(opacity=0.35).encode(_across("value:Q", metric), rows, colour)
        + bars.mark_rule(strokeWidth=2).encode(
            _across("low:Q", metric), rows, colour, x2="high:Q"
        )
        + bars.mark_circle(size=90, opacity=1).encode(
            _across("mean:Q", metric), rows, colour
        )
    )
    title = alt.Title(
        task,
        subtitle="dots are seeds, bars the mean and its 95% interval",
        anchor="start",
    )
    return chart.properties(width=WIDTH, title=title)


def _points(variant: Variant, metric: str) -> Iterator[dict[str, Any]]:
    found = [run.curve(metric) for run in variant.runs]
    longest = max(len(steps) for steps, _ in found)
    for steps, values in (thin(*each, POINTS, longest) for each in found):
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            if math.isfinite(value):
                yield {"variant": variant.label, "step": step, "value": value}


LEGEND = alt.Legend(
    orient="bottom", columns=2, labelLimit=400, title=None, symbolOpacity=1
)


def _colour(view: View, legend: alt.Legend | None = LEGEND) -> alt.Color:
    """A label has one colour, the page's, in every chart."""
    colours = [PALETTE[n % len(PALETTE)] for n in range(len(view.labels))]
    scale = alt.Scale(domain=view.labels, range=colours)
    return alt.Color("variant:N", legend=legend, scale=scale)


def _value(field: str, metric: str) -> alt.Y:
    return alt.Y(field, title=_title(metric), axis=_axis(metric)).scale(zero=False)


def _across(field: str, metric: str) -> alt.X:
    return alt.X(field, title=_title(metric), axis=_axis(metric)).scale(zero=False)


def _title(metric: str) -> str:
    unit = unit_of(metric)
    return f"{name_of(metric)} ({unit})" if unit else name_of(metric)


def _axis(metric: str) -> alt.Axis:
    return alt.Axis(format="%") if is_share(metric) else alt.Axis()
