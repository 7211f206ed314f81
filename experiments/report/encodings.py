"""How charts of a report are drawn by altair: sizes, colours, axes."""

import altair as alt

from experiments.goals import is_share
from experiments.report.metrics import name_of, unit_of
from experiments.report.view import View

WIDTH, HEIGHT = 560, 320
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

LEGEND = alt.Legend(
    orient="bottom", columns=2, labelLimit=400, title=None, symbolOpacity=1
)


def colour(view: View, legend: alt.Legend | None = LEGEND) -> alt.Color:
    """A label has one colour, the page's, in every chart."""
    colours = [PALETTE[n % len(PALETTE)] for n in range(len(view.labels))]
    scale = alt.Scale(domain=view.labels, range=colours)
    return alt.Color("variant:N", legend=legend, scale=scale)


def value(field: str, metric: str) -> alt.Y:
    return alt.Y(field, title=title_of(metric), axis=axis(metric)).scale(zero=False)


def across(field: str, metric: str) -> alt.X:
    return alt.X(field, title=title_of(metric), axis=axis(metric)).scale(zero=False)


def title_of(metric: str) -> str:
    unit = unit_of(metric)
    return f"{name_of(metric)} ({unit})" if unit else name_of(metric)


def axis(metric: str) -> alt.Axis:
    return alt.Axis(format="%") if is_share(metric) else alt.Axis()
