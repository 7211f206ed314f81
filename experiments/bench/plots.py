"""Lines and points on two logarithmic axes, as SVG that the page's style colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.bench.details import scrolled
from experiments.report.html import Html, join, tag

WIDTH, HEIGHT, MARGIN = 720, 340, 56


@dataclass(frozen=True)
class Series:
    """A line or a cloud of points.

    Args:
      name: for the legend.
      colour: a class of the page's style.
      points: (x, y, what it is), both positive.
      is_line: whether points are joined.
      dash: a class of the page's style, for a line with its name at its end.
    """

    name: str
    colour: str
    points: list[tuple[float, float, str]]
    is_line: bool = True
    dash: str = ""


@dataclass(frozen=True)
class Axis:
    """What stands on an axis.

    Args:
      name: with the unit.
      is_binary: whether its numbers are powers of two, as lengths and bytes are.
    """

    name: str
    is_binary: bool = False


def plot(series: Sequence[Series], across: Axis, up: Axis) -> Html:
    """Lines and points on two logarithmic axes, and their legend."""
    points = [(x, y) for each in series for x, y, _ in each.points]
    xs, ys = _span([x for x, _ in points]), _span([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        right, top = WIDTH - MARGIN - 20, HEIGHT - MARGIN - 20
        return (
            MARGIN + 20 + right * _share(x, xs) * 0.98,
            HEIGHT - MARGIN - top * _share(y, ys) * 0.98,
        )

    parts = [_axes(place, xs, ys, across, up)]
    for each in series:
        spots = [place(x, y) for x, y, _ in each.points]
        if each.is_line:
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
            look = f"line {each.colour} {each.dash}".strip()
            parts.append(tag("path", d=path, class_=look))
        if each.dash:
            parts.append(_named(each, series, spots))
        if each.colour != "ceiling":
            parts += [
                tag(
                    "circle",
                    tag("title", f"{each.name}: {said}"),
                    cx=f"{x:.1f}",
                    cy=f"{y:.1f}",
                    r=4,
                    class_=f"dot {each.colour}",
                )
                for (x, y), (_, _, said) in zip(spots, each.points, strict=True)
            ]
    picture = svg(join(*parts), WIDTH, HEIGHT, f"{up.name} over {across.name}")
    return join(picture, legend(series))


def _named(
    line: Series, others: Sequence[Series], spots: Sequence[tuple[float, float]]
) -> Html:
    """The name at a line: the highest above its end, others below where they bend."""
    highest = max(each.points[-1][1] for each in others if each.dash)
    if line.points[-1][1] == highest:
        return text(line.name, spots[-1][0], spots[-1][1] - 6, "end")
    top = min(y for _, y in spots)
    bend = next(x for x, y in spots if y == top)
    return text(line.name, bend, top + 15)


def legend(series: Sequence[Series]) -> Html:
    """Names beside their colours."""
    entries = [tag("li", _swatch(each), tag("bdi", each.name)) for each in series]
    return tag("ul", *entries, class_="key")


def _swatch(series: Series) -> Html:
    return tag("span", class_=f"swatch {series.colour} {series.dash}".strip())


def _axes(place, xs, ys, across: Axis, up: Axis) -> Html:
    parts = []
    for value in marks(xs, across):
        x, y = place(value, ys[0])
        parts.append(tag("path", d=f"M{x:.1f} 20V{y:.1f}", class_="grid"))
        parts.append(text(short(value, across), x, y + 18, "middle"))
    for value in marks(ys, up):
        x, y = place(xs[0], value)
        parts.append(tag("path", d=f"M{x:.1f} {y:.1f}H{WIDTH - 20}", class_="grid"))
        parts.append(text(short(value, up), x - 8, y + 4, "end"))
    middle = text(across.name, (MARGIN + WIDTH) / 2, HEIGHT - 12, "middle")
    return join(*parts, middle, text(up.name, 8, 14))


BINARY = ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"), (1, ""))
DECIMAL = (
    *((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")),
    *((1e-3, "m"), (1e-6, "u"), (1e-9, "n")),
)


def short(value: float, axis: Axis) -> str:
    """A label on an axis: 1e3 as `1 k`, 65,536 as `64 Ki` where it is binary."""
    for limit, unit in BINARY if axis.is_binary else DECIMAL:
        if value >= limit:
            return f"{value / limit:.3g} {unit}".strip()
    return f"{value:.0e}"


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return low / 1.25, high * 1.25


def _share(value: float, span: tuple[float, float]) -> float:
    return math.log(value / span[0]) / math.log(span[1] / span[0])


def marks(span: tuple[float, float], axis: Axis) -> list[float]:
    """Powers of two, or of ten with 2 and 5 between where there are few of those."""
    if axis.is_binary:
        return _powers(span, 2)
    tens = _powers(span, 10)
    if len(tens) > 2:
        return tens
    whole = range(math.floor(math.log10(span[0])), math.ceil(math.log10(span[1])))
    some = [part * 10.0**n for n in whole for part in (1, 2, 5)]
    return [each for each in some if span[0] <= each <= span[1]]


def _powers(span: tuple[float, float], base: int) -> list[float]:
    first = math.ceil(math.log(span[0], base))
    last = math.floor(math.log(span[1], base))
    step = max(1, math.ceil((last - first) / 7))
    return [float(base) ** n for n in range(first, last + 1, step)]


def text(words: str, x: float, y: float, anchor: str | None = None) -> Html:
    """Words at a place."""
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def svg(content: Html, width: int, height: int, label: str) -> Html:
    """A picture that scrolls where it is wider than the screen."""
    box = f"0 0 {width} {height}"
    made = tag("svg", content, viewBox=box, role="img", aria_label=label, class_="plot")
    return scrolled(made, label)
