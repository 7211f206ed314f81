"""A run as one HTML file: no script, nothing fetched, light and dark by the system."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from experiments.bench import charts
from experiments.bench.details import details, scrolled
from experiments.bench.record import Measured, Record
from experiments.bench.table import deviation, said, share, span, temporary
from experiments.bench.words import counted, took
from experiments.policy import content_policy
from experiments.report.html import Html, join, tag

BY_CALLS = ("compile", "recipe")  # suites of which a turn is one call
SHARED = ("page.css", "colours.css", "print.css")
COLUMNS = ("", "time", "mad", "ratio", "95% interval", "goal", "floor", "temporary")


def render(record: Record) -> str:
    """The whole page."""
    assets = resources.files("experiments.report") / "assets"
    own = resources.files("experiments.bench") / "page.css"
    texts = [(assets / name).read_text(encoding="utf-8") for name in SHARED]
    style = "\n".join([*texts, own.read_text(encoding="utf-8")])
    title = f"attn bench {record.suite}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content=content_policy(style, ""),
        ),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(style)),
    )
    main = tag("main", *_sections(record), id="main")
    body = tag("body", _header(record), tag("div", main, class_="sheet"))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(record: Record) -> Html:
    about = record.about
    counts = [
        counted(len(record.cases), "case"),
        counted(record.rules["rounds"], "round"),
        str(about["processor"]),
        counted(about["cores"], "core"),
        str(about["date"])[:10],
    ]
    return tag(
        "header",
        tag("p", "attn bench", class_="kicker"),
        tag("h1", f"{record.suite.capitalize()} beside its rivals"),
        tag("p", " · ".join(counts), class_="counts"),
    )


def _sections(record: Record) -> list[Html]:
    colour = charts.colours(record)
    made = [
        ("Before you read the numbers", _warnings(record)),
        ("Times", join(*(_case(each, colour) for each in record.cases))),
        ("Roofline", charts.roofline(record, colour)),
        ("Time over length", _beside(charts.growth(record, colour, "time"))),
        ("Memory over length", _beside(charts.growth(record, colour, "memory"))),
        ("What the machine can do", _ceilings(record)),
        ("How it was measured", _method(record)),
    ]
    return [
        tag("section", tag("h2", heading), body)
        for heading, body in made
        if body is not None
    ]


def _beside(pictures: Sequence[Html]) -> Html | None:
    """Pictures in as many columns as there is room for."""
    return tag("div", *pictures, class_="beside") if pictures else None


def _warnings(record: Record) -> Html | None:
    if not record.invalid:
        return None
    items = [tag("li", each, class_="invalid") for each in record.invalid]
    return tag("ul", *items)


def _case(case: Measured, colour: dict[str, str]) -> Html:
    before, after = case.load
    load = tag("span", f"load {before:.1f} before, {after:.1f} after", class_="load")
    caption = tag("figcaption", tag("strong", case.label), " ", load)
    table = _table(case.label, [_cells(row) for row in case.rows])
    more = details(case, is_open=case.work["suite"] in BY_CALLS)
    notes = [tag("li", each, class_="invalid") for each in _notes(case)]
    listed = tag("ul", *notes) if notes else None
    return tag("figure", caption, charts.bars(case, colour), table, listed, more)


def _notes(case: Measured) -> list[str]:
    """What makes a contender's time worthless: work removed, constants folded."""
    return [
        f"{row.name}: {note}."
        for row in case.rows
        for note in (row.facts.get("program") or {}).get("notes", ())
    ]


def _cells(row: Any) -> list[Any]:
    if row.time is None:
        return [row.name, f"not run: {row.refused}"]
    ratio = "" if row.ratio is None else f"{row.ratio.value:.2f} x"
    goal = "" if row.goal is None else f"{row.goal:g} {row.reached}"
    times = [took(row.time.median), deviation(row)]
    return [
        row.name,
        *times,
        ratio,
        span(row),
        goal,
        share(row),
        temporary(row),
        said(row),
    ]


def _table(caption: str, rows: Sequence[Sequence[Any]]) -> Html:
    columns = [*COLUMNS, "verdict"]
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = [tag("tr", *_row(row, len(columns))) for row in rows]
    made = tag("table", tag("thead", head), tag("tbody", *body))
    return scrolled(made, caption)


def _row(cells: Sequence[Any], width: int) -> list[Html]:
    first, *rest = cells
    made = [tag("th", first, scope="row")]
    if len(rest) == 1:  # a reason instead of numbers
        return [*made, tag("td", rest[0], colspan=width - 1, class_="reason")]
    return made + [tag("td", each) for each in rest]


def _ceilings(record: Record) -> Html | None:
    if not record.ceilings:
        return None
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            tag("td", f"{each['rate']:.3g} {each['unit']}"),
            tag("td", each["library"]),
            tag("td", each["meaning"]),
        )
        for name, each in record.ceilings.items()
    ]
    return scrolled(tag("table", *rows), "What the machine can do")


def _method(record: Record) -> Html:
    rules, about = record.rules, record.about
    known = {name: x for name, x in about["versions"].items() if x}
    once = record.cases and record.cases[0].work["suite"] in BY_CALLS
    turn = "one call" if once else f"{rules['burst']:g} s"
    texts = [
        f"Every contender has a process of its own; they take turns for"
        f" {rules['rounds']} rounds of {turn}, in one order and then in"
        f" the other. A bar is the median over rounds, its line the 95% bootstrap"
        f" interval, the dashed mark the floor that the ceilings imply. Ratios are a"
        f" rival's time over ours. Outputs were compared with ours before any timing.",
        f"Command: {about['command']}",
        ", ".join(f"{name} {x}" for name, x in known.items()),
        f"Python {about['python']}, {about['system']}.",
    ]
    return join(*(tag("p", each) for each in texts))
