"""The pictures of a run: bars, a roofline, growth with length."""

import math
from collections.abc import Iterator, Sequence

from experiments.bench.plots import WIDTH, Axis, Series, plot, svg, text
from experiments.bench.race import CONTROL
from experiments.bench.record import Measured, Record, Row
from experiments.bench.statistics import interval
from experiments.bench.validity import few
from experiments.bench.words import took
from experiments.report.html import Html, join, tag

BAR, GAP, LEFT, RIGHT = 18, 10, 130, 250
COLOURS = 10
LONGEST = 84  # letters from LEFT to the edge


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
    return svg(join(*rows), WIDTH, height, label)


def _bar(row: Row, number: int, scale: float, colour: str) -> Html:
    y = GAP + number * (BAR + GAP)
    name = text(row.name, LEFT - 10, y + BAR - 4, "end")
    if row.time is None:
        return join(name, text(_cut(f"not run: {row.refused}"), LEFT, y + BAR - 4))
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
    return join(name, bar, mark, floor, text(words, at, y + BAR - 4))


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


def _steps(low: float, high: float) -> list[float]:
    return [low * (high / low) ** (n / 60) for n in range(61)]
