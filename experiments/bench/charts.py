"""The pictures of a run, as SVG that the page's style colours."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.bench.details import scrolled
from experiments.bench.race import CONTROL
from experiments.bench.record import Measured, Record, Row
from experiments.bench.statistics import interval
from experiments.bench.validity import few
from experiments.bench.words import took
from experiments.report.html import Html, join, tag

WIDTH, BAR, GAP, LEFT, RIGHT = 720, 18, 10, 130, 250
HEIGHT, MARGIN = 340, 56
COLOURS = 10
LONGEST = 84  # letters from LEFT to the edge


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


def colours(record: Record) -> dict[str, str]:
    """A colour for each contender, the same in every picture."""
    names = dict.fromkeys(row.name for case in record.cases for row in case.rows)
    return {name: f"c{n % COLOURS}" for n, name in enumerate(names)}


def bars(case: Measured, colour: dict[str, str]) -> Html:
    """Times of a case, with the intervals of their medians; a reason for no time."""
    ends = [_whisker(row)[1] for row in case.rows]
    scale = (WIDTH - LEFT - RIGHT) / (max(ends, default=0.0) or 1.0)
    rows = [_bar(row, n, scale, colour[row.name]) for n, row in enumerate(case.rows)]
    height = len(case.rows) * (BAR + GAP) + GAP
    label = f"Times of {case.label}"
    return _svg(join(*rows), WIDTH, height, label)


def _bar(row: Row, number: int, scale: float, colour: str) -> Html:
    y = GAP + number * (BAR + GAP)
    name = _text(row.name, LEFT - 10, y + BAR - 4, "end")
    if row.time is None:
        return join(name, _text(_cut(f"not run: {row.refused}"), LEFT, y + BAR - 4))
    low, high = _whisker(row)
    end, middle = LEFT + scale * row.time.median, y + BAR / 2
    least = f"M{LEFT + scale * low:.1f} {middle}H{LEFT + scale * high:.1f}"
    mark = tag("path", d=least, class_="whisker") if low < high else None
    floor = None
    if row.floor is not None:
        x = LEFT + scale * row.floor
        floor = tag("path", d=f"M{x:.1f} {y - 3}v{BAR + 6}", class_="floor")
    words = f"{took(row.time.median)}  {'' if row.ratio is None else _ratio(row)}"
    width = f"{scale * row.time.median:.1f}"
    bar = tag(
        "rect", x=LEFT, y=y, width=width, height=BAR, rx=2, class_=f"bar {colour}"
    )
    at = max(end, LEFT + scale * high) + 8
    return join(name, bar, mark, floor, _text(words, at, y + BAR - 4))


def _whisker(row: Row) -> tuple[float, float]:
    """The interval of a median; only the median where rounds are too few for one."""
    if row.time is None or few(len(row.rounds)):
        return (row.time.median if row.time else 0.0,) * 2
    return interval(row.rounds)


def _cut(words: str) -> str:
    """As much as there is room for; the table below has all of it."""
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."


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
            dash=dash,
        )
        for name, dash in (("matmul", "d0"), ("batched", "d1"))
    ]
    across = Axis("FLOPs a byte of arguments and outputs")
    return plot([*lines, *clouds], across, Axis("FLOP/s"))


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
        up = {
            "time": Axis("seconds a head"),
            "memory": Axis("temporary bytes a head", is_binary=True),
        }[what]
        if kept:
            caption = tag("figcaption", title)
            picture = plot(kept, Axis("T", is_binary=True), up)
            pictures.append(tag("figure", caption, picture))
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
    picture = _svg(join(*parts), WIDTH, HEIGHT, f"{up.name} over {across.name}")
    return join(picture, legend(series))


def _named(
    line: Series, others: Sequence[Series], spots: Sequence[tuple[float, float]]
) -> Html:
    """The name at a line: the highest above its end, others below where they bend."""
    highest = max(each.points[-1][1] for each in others if each.dash)
    if line.points[-1][1] == highest:
        return _text(line.name, spots[-1][0], spots[-1][1] - 6, "end")
    top = min(y for _, y in spots)
    bend = next(x for x, y in spots if y == top)
    return _text(line.name, bend, top + 15)


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
        parts.append(_text(short(value, across), x, y + 18, "middle"))
    for value in marks(ys, up):
        x, y = place(xs[0], value)
        parts.append(tag("path", d=f"M{x:.1f} {y:.1f}H{WIDTH - 20}", class_="grid"))
        parts.append(_text(short(value, up), x - 8, y + 4, "end"))
    middle = _text(across.name, (MARGIN + WIDTH) / 2, HEIGHT - 12, "middle")
    return join(*parts, middle, _text(up.name, 8, 14))


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


def _steps(low: float, high: float) -> list[float]:
    return [low * (high / low) ** (n / 60) for n in range(61)]


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


def _text(words: str, x: float, y: float, anchor: str | None = None) -> Html:
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _svg(content: Html, width: int, height: int, label: str) -> Html:
    box = f"0 0 {width} {height}"
    made = tag("svg", content, viewBox=box, role="img", aria_label=label, class_="plot")
    return scrolled(made, label)
