"""The charts of a report as files for a paper: PNG and SVG of one altair chart."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from experiments.compare.comparison import Comparison
from experiments.folder import check_name
from experiments.records import RunRecord
from experiments.report.beyond import cost, grids
from experiments.report.encodings import HEIGHT, WIDTH, across, colour, value
from experiments.report.series import thin
from experiments.report.view import View, make_view, measure
from experiments.variants import Names, Variant

POINTS = 200  # of a curve
SCALE = 2  # of a PNG, for dense screens


def draw(
    records: Sequence[RunRecord],
    folder: Path,
    *,
    comparison: Comparison | None = None,
    names: Names | None = None,
) -> list[Path]:
    """Writes the charts of each task, as PNG and SVG.

    `curves`, `estimates`, `cost` where variants differ, and `grid_length` where they
    were evaluated on lengths.

    Args:
      records: runs of any variants and tasks.
      folder: made if it is not there.
      comparison, names: those of the page; see `write_report`.
    """
    view = make_view(records, title="", comparison=comparison, names=names)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for place, task in enumerate(view.tasks):
        suffix = f"_{place + 1}" if len(view.tasks) > 1 else ""
        for name, chart in _charts(view, task):
            for ending in (".png", ".svg"):
                path = folder / f"{name}{suffix}{ending}"
                options = {"scale_factor": SCALE} if ending == ".png" else {}
                chart.save(str(path), **options)
                written.append(path)
    return written


def _charts(view: View, task: str) -> Iterator[tuple[str, Any]]:
    yield "curves", curves(view, task)
    yield "estimates", estimates(view, task)
    if (made := cost(view, task)) is not None:
        yield "cost", made
    for axis, chart in grids(view, task):
        yield f"grid_{check_name(axis)}", chart


def curves(view: View, task: str) -> Any:
    """The metric of a task over steps: means over seeds with their range."""
    metric = view.metric(task)
    rows = [row for each in view.of_task(task) for row in _points(each, metric)]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("step:Q", title="step"), color=colour(view)
    )
    line = base.mark_line(strokeWidth=2).encode(y=value("mean(value):Q", metric))
    band = base.mark_area(opacity=0.18).encode(
        y=value("min(value):Q", metric), y2="max(value):Q"
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
    paint = colour(view, None)
    seeds = alt.Chart(alt.Data(values=[d for d in dots if math.isfinite(d["value"])]))
    bars = alt.Chart(alt.Data(values=means))
    chart = (
        seeds.mark_circle(opacity=0.35).encode(across("value:Q", metric), rows, paint)
        + bars.mark_rule(strokeWidth=2).encode(
            across("low:Q", metric), rows, paint, x2="high:Q"
        )
        + bars.mark_circle(size=90, opacity=1).encode(
            across("mean:Q", metric), rows, paint
        )
    )
    title = alt.Title(
        task,
        subtitle="dots are seeds, bars the mean and its 95% interval",
        anchor="start",
    )
    return chart.properties(width=WIDTH, title=title)


def _points(variant: Variant, metric: str) -> Iterator[dict[str, Any]]:
    curves = [run.curve(metric) for run in variant.runs]
    longest = max(len(steps) for steps, _ in curves)
    for steps, values in (thin(*each, POINTS, longest) for each in curves):
        for step, found in zip(steps.tolist(), values.tolist(), strict=True):
            if math.isfinite(found):
                yield {"variant": variant.label, "step": step, "value": found}
