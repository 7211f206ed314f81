"""One HTML file: style, script and data inside, nothing fetched, nothing evaluated."""

from importlib import resources

from experiments import manifest
from experiments.policy import content_policy
from experiments.progress import duration
from experiments.report import (
    answer,
    attention,
    figures,
    problems,
    reproduce,
    runs,
    samples,
    settings,
    slices,
)
from experiments.report.html import Html, data, join, tag
from experiments.report.payload import payload
from experiments.report.view import View

STYLES = ("page.css", "parts.css", "colours.css", "print.css")
SCRIPTS = (
    "dom.js",
    "scale.js",
    "frame.js",
    "state.js",
    "curves.js",
    "reader.js",
    "dots.js",
    "scatter.js",
    "lines.js",
    "maps.js",
    "page.js",
)
SECTIONS = (  # id, heading, what makes it; one that makes None is left out
    ("problems", "Before you read the numbers", problems.section),
    ("answer", "The answer", answer.section),
    ("curves", "Curves", figures.curves),
    ("parts", "Where they differ", slices.section),
    ("lines", "Beyond training", figures.lines),
    ("cost", "Cost and quality", figures.cost),
    ("settings", "What sets the variants apart", settings.section),
    ("samples", "What the models write", samples.section),
    ("attention", "What the heads attend to", attention.section),
    ("runs", "Every run", runs.section),
    ("reproduce", "How to reproduce it", reproduce.section),
)


def render(view: View) -> str:
    """The whole page."""
    style, script = _assets(STYLES), f'"use strict";(()=>{{\n{_assets(SCRIPTS)}\n}})();'
    made = [(*entry[:2], entry[2](view)) for entry in SECTIONS]
    parts = [(name, heading, body) for name, heading, body in made if body is not None]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content=content_policy(style, script),
        ),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", view.title),
        tag("style", Html(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#main", class_="skip"),
        _header(view),
        tag("div", _contents(parts), _main(parts), class_="layout"),
        _footer(),
        data("data", payload(view)),
        tag("script", Html(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _assets(names: tuple[str, ...]) -> str:
    folder = resources.files("experiments.report") / "assets"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _header(view: View) -> Html:
    seeds = {run.config.seed for run in view.runs}
    seconds = sum(run.seconds for run in view.runs)
    left_out = view.trained > len(view.runs)
    counts = [
        _count(len(view.runs), "run") + f" of {view.trained} trained" * left_out,
        _count(len(view.labels), "variant"),
        _count(len(view.tasks), "task"),
        _count(len(seeds), "seed"),
    ]
    if seconds:
        counts.append(f"{duration(seconds)} of training")
    return tag(
        "header",
        tag("p", "attn report", class_="kicker"),
        tag("h1", tag("bdi", view.title)),
        tag("p", " · ".join(counts), class_="counts"),
        tag("p", _notes(view), class_="notes") if _notes(view) else None,
        tag(
            "div",
            tag("button", "Dark", type="button", id="theme", aria_pressed="false"),
            tag("button", "Print", type="button", id="print"),
            class_="tools",
            hidden=True,
        ),
    )


def _notes(view: View) -> str:
    """The notes of the configs, if all runs have the same."""
    notes = {run.config.notes for run in view.runs}
    return notes.pop() if len(notes) == 1 else ""


def _contents(parts: list[tuple[str, str, Html]]) -> Html:
    links = [
        tag("li", tag("a", heading, href=f"#{name}")) for name, heading, _ in parts
    ]
    return tag("nav", tag("ol", *links), aria_label="Contents")


def _main(parts: list[tuple[str, str, Html]]) -> Html:
    made = [
        tag(
            "section",
            tag("h2", heading, id=f"{name}-heading"),
            body,
            id=name,
            aria_labelledby=f"{name}-heading",
        )
        for name, heading, body in parts
    ]
    without = "Without its script this page shows tables and texts; charts need it."
    return tag("main", tag("noscript", tag("p", without)), *made, id="main")


def _footer() -> Html:
    said = (
        "Intervals are 95% t intervals of the mean over seeds. Values are those at the"
        " end of training unless said otherwise. A run that diverged counts only with"
        " its finite numbers."
    )
    made = f"Made by attn {manifest.version('attn') or ''} on {manifest.now()[:10]}."
    return tag("footer", tag("p", join(said, " ", made)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
