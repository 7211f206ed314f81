"""The pictures of a run, as SVG that the page's style colours."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.bench.race import CONTROL
from experiments.bench.record import Measured, Record, Row
from experiments.bench.statistics import interval
from experiments.bench.table import milliseconds
from experiments.report.html import Html, join, tag

WIDTH, BAR, GAP, LEFT, RIGHT = 720, 18, 10, 130, 190
HEIGHT, MARGIN = 340, 56
COLOURS = 10


@dataclass(frozen=True)
class Series:
    """A line or a cloud of points.

    Args:
      name: for the legend.
      colour: a class of the page's style.
      points: (x, y, what it is), both positive.
      is_line: whether points are joined.
    """

    name: str
    colour: str
    points: list[tuple[float, float, str]]
    is_line: bool = True


def colours(record: Record) -> dict[str, str]:
    """A colour for each contender, the same in every picture."""
    names = dict.fromkeys(row.name for case in record.cases for row in case.rows)
    return {name: f"c{n % COLOURS}" for n, name in enumerate(names)}


def bars(case: Measured, colour: dict[str, str]) -> Html:
    """Times of a case, with the intervals of their medians; a reason for no time."""
    ends = [interval(row.rounds)[1] for row in case.rows if row.time]
    scale = (WIDTH - LEFT - RIGHT) / max(ends, default=1.0)
    rows = [_bar(row, n, scale, colour[row.name]) for n, row in enumerate(case.rows)]
    height = len(case.rows) * (BAR + GAP) + GAP
    label = f"Times of {case.label}"
    return _svg(join(*rows), WIDTH, height, label)


def _bar(row: Row, number: int, scale: float, colour: str) -> Html:
    y = GAP + number * (BAR + GAP)
    name = _text(row.name, LEFT - 10, y + BAR - 4, "end")
    if row.time is None:
        return join(name, _text(f"not run: {row.refused}"[:90], LEFT, y + BAR - 4))
    low, high = interval(row.rounds)
    end, middle = LEFT + scale * row.time.median, y + BAR / 2
    least = f"M{LEFT + scale * low:.1f} {middle}H{LEFT + scale * high:.1f}"
    mark = tag("path", d=least, class_="whisker")
    floor = None
    if row.floor is not None:
        x = LEFT + scale * row.floor
        floor = tag("path", d=f"M{x:.1f} {y - 3}v{BAR + 6}", class_="floor")
    words = (
        f"{milliseconds(row.time.median)}  {'' if row.ratio is None else _ratio(row)}"
    )
    width = f"{scale * row.time.median:.1f}"
    bar = tag(
        "rect", x=LEFT, y=y, width=width, height=BAR, rx=2, class_=f"bar {colour}"
    )
    at = max(end, LEFT + scale * high) + 8
    return join(name, bar, mark, floor, _text(words, at, y + BAR - 4))


def _ratio(row: Row) -> str:
    assert row.ratio is not None
    goal = f" (goal {row.goal:g}, {row.reached})" if row.goal is not None else ""
    return f"{row.ratio.value:.2f} x{goal}"


def roofline(record: Record, colour: dict[str, str]) -> Html | None:
    """FLOP/s over FLOPs a byte, below what memory and products allow."""
    clouds = [
        Series(name, shade, points, is_line=False)
        for name, shade in colour.items()
        if name != CONTROL and (points := list(_rates(record, name)))
    ]
    if not clouds or not {"matmul", "batched", "copy"} <= {*record.ceilings}:
        return None
    rate = {name: each["rate"] for name, each in record.ceilings.items()}
    xs = [x for each in clouds for x, _, _ in each.points]
    low, high = min(xs) / 4, max(xs) * 4
    lines = [
        Series(
            f"{name}, {rate[name] / 1e9:.0f} GFLOP/s",
            "ceiling",
            [(x, min(rate[name], x * rate["copy"]), name) for x in _steps(low, high)],
        )
        for name in ("matmul", "batched")
    ]
    return plot([*lines, *clouds], "FLOPs a byte of arguments and outputs", "FLOP/s")


def _rates(record: Record, name: str) -> Iterator[tuple[float, float, str]]:
    """Points of a contender, from the FLOPs and bytes of ours."""
    for case in record.cases:
        program = case.rows[0].facts.get("program") or {}
        moved = program.get("argument_bytes", 0) + program.get("output_bytes", 0)
        for row in case.rows:
            if row.name == name and row.time and program.get("flops") and moved:
                flops = program["flops"]
                yield flops / moved, flops / row.time.median, case.label


def growth(record: Record, colour: dict[str, str], what: str) -> list[Html]:
    """Time or temporary bytes of a head over T, a picture for each spec and direction.

    Args:
      record: of attention.
      colour: of contenders.
      what: time or memory.
    """
    groups: dict[str, list[Measured]] = {}
    for case in record.cases:
        work = case.work
        if work["suite"] == "attention":
            way = "forward + backward" if work["backward"] else "forward"
            groups.setdefault(f"{work['spec']}, {way}", []).append(case)
    pictures = []
    for title, cases in groups.items():
        if len({case.work["length"] for case in cases}) < 3:
            continue
        lines = [
            _growing(cases, name, shade, what)
            for name, shade in colour.items()
            if name != CONTROL
        ]
        kept = [line for line in lines if len(line.points) > 2]
        label = {"time": "seconds a head", "memory": "temporary bytes a head"}[what]
        if kept:
            caption = tag("figcaption", title)
            pictures.append(tag("figure", caption, plot(kept, "T", label)))
    return pictures


def _growing(cases: Sequence[Measured], name: str, colour: str, what: str) -> Series:
    points = []
    for case in cases:
        heads = case.work["batch"] * case.work["heads"]
        for row in case.rows:
            program = row.facts.get("program") or {}
            value = row.time.median if row.time else 0.0
            if what == "memory":
                value = program.get("temporary_bytes", 0)
            if row.name == name and value:
                points.append((case.work["length"], value / heads, case.label))
    points.sort()
    grows = f", T^{exponent(points):.2f}" if len(points) > 2 else ""
    return Series(name + grows, colour, points)


def exponent(points: Sequence[tuple[float, float, str]]) -> float:
    """The slope of a straight line through points on logarithmic axes."""
    xs = [math.log(x) for x, _, _ in points]
    ys = [math.log(y) for _, y, _ in points]
    middle, centre = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - middle) * (y - centre) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - middle) ** 2 for x in xs)


def plot(series: Sequence[Series], across: str, up: str) -> Html:
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
            parts.append(tag("path", d=path, class_=f"line {each.colour}"))
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
    picture = _svg(join(*parts), WIDTH, HEIGHT, f"{up} over {across}")
    return join(picture, legend(series))


def legend(series: Sequence[Series]) -> Html:
    """Names beside their colours."""
    entries = [
        tag("li", tag("span", class_=f"swatch {each.colour}"), tag("bdi", each.name))
        for each in series
    ]
    return tag("ul", *entries, class_="key")


def _axes(place, xs, ys, across: str, up: str) -> Html:
    parts = []
    for value in _marks(xs):
        x, y = place(value, ys[0])
        parts.append(tag("path", d=f"M{x:.1f} 20V{y:.1f}", class_="grid"))
        parts.append(_text(_short(value), x, y + 18, "middle"))
    for value in _marks(ys):
        x, y = place(xs[0], value)
        parts.append(tag("path", d=f"M{x:.1f} {y:.1f}H{WIDTH - 20}", class_="grid"))
        parts.append(_text(_short(value), x - 8, y + 4, "end"))
    middle = _text(across, (MARGIN + WIDTH) / 2, HEIGHT - 12, "middle")
    return join(*parts, middle, _text(up, 8, 14))


def _short(value: float) -> str:
    """1e3 as 1k: axis labels."""
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    for limit, unit in ((1, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.0e}"


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return low / 1.25, high * 1.25


def _share(value: float, span: tuple[float, float]) -> float:
    return math.log(value / span[0]) / math.log(span[1] / span[0])


def _steps(low: float, high: float) -> list[float]:
    return [low * (high / low) ** (n / 60) for n in range(61)]


def _marks(span: tuple[float, float]) -> list[float]:
    """Powers of ten inside, or of two where there are few of those."""
    for base in (10, 4, 2):
        first = math.ceil(math.log(span[0], base))
        last = math.floor(math.log(span[1], base))
        if last - first >= 2:
            break
    step = max(1, (last - first) // 6)
    return [float(base) ** n for n in range(first, last + 1, step)]


def _text(words: str, x: float, y: float, anchor: str | None = None) -> Html:
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _svg(content: Html, width: int, height: int, label: str) -> Html:
    box = f"0 0 {width} {height}"
    return tag("svg", content, viewBox=box, role="img", aria_label=label, class_="plot")
