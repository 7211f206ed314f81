"""How to run it again: commands, configs, seeds, versions, commit, machine."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from experiments.config import dump
from experiments.records import RunRecord
from experiments.report.html import Html, join, tag
from experiments.report.metrics import ABSENT
from experiments.report.view import View
from experiments.variants import Variant

MOST = 60  # configs shown whole; the others are in their run directories


def section(view: View) -> Html:
    """Commands and configs by variant, then what they ran on."""
    cards = [_variant(view, variant) for variant in view.variants[:MOST]]
    left = len(view.variants) - MOST
    more = tag("p", f"{left} more are in their run directories.") if left > 0 else None
    lead = "Save a config as a file and train it; a run is a function of its config."
    return join(tag("p", lead), *cards, more, _facts(view.runs))


def _variant(view: View, variant: Variant) -> Html:
    swatch = tag("span", class_=f"swatch {view.colour(variant)}", aria_hidden="true")
    seeds = ", ".join(map(str, variant.seeds))
    file = f"{variant.runs[0].config.name}.yaml"
    again = "\n".join(f"attn train {file} seed={seed}" for seed in variant.seeds)
    commands = dict.fromkeys(
        str(each["command"])
        for run in variant.runs
        for each in run.sessions
        if "command" in each
    )
    return tag(
        "details",
        tag("summary", swatch, tag("bdi", variant.label), f" · seeds {seeds}"),
        _code("Train it again", again),
        _code("It was made by", "\n".join(commands)) if commands else None,
        _code(file, dump(variant.runs[0].config)),
    )


def _code(title: str, text: str) -> Html:
    copy = tag("button", "Copy", type="button", class_="copy", hidden=True)
    head = tag("div", tag("span", title), copy, class_="code-head")
    return tag("div", head, tag("pre", tag("code", text)), class_="code")


def _facts(runs: list[RunRecord]) -> Html:
    """What every session had, with counts where they differ."""
    sessions = [(run, run.sessions[-1]) for run in runs if run.sessions]
    facts = {
        "versions": (_versions(session) for _, session in sessions),
        "commit": (_commit(session.get("git")) for _, session in sessions),
        "python": (str(session.get("python", "")) for _, session in sessions),
        "system": (str(session.get("system", "")) for _, session in sessions),
        "device": (_device(run, session) for run, session in sessions),
        "settings": (_settings(session.get("environment")) for _, session in sessions),
        "data": (str(session.get("data", "")) for _, session in sessions),
    }
    pairs = [
        tag("div", tag("dt", name), tag("dd", *_counted(values)))
        for name, values in facts.items()
    ]
    return tag("dl", *pairs, class_="facts")


def _counted(values: Iterable[str]) -> list[Html]:
    counts = Counter(values)
    one = len(counts) == 1
    return [
        tag("div", text or ABSENT, None if one else tag("small", f" × {count} runs"))
        for text, count in counts.most_common()
    ] or [tag("div", ABSENT)]


def _versions(session: dict[str, Any]) -> str:
    known = session.get("versions")
    pairs = known.items() if isinstance(known, dict) else ()
    return ", ".join(f"{name} {version}" for name, version in pairs if version)


def _commit(git: Any) -> str:
    if not isinstance(git, dict):
        return "not a checkout"
    changed = " with uncommitted changes" if git.get("dirty") else ""
    return f"{git.get('commit')}{changed}"


def _device(run: RunRecord, session: dict[str, Any]) -> str:
    kind, count = run.manifest.get("device_kind", "?"), run.manifest.get("devices", "?")
    return f"{count} × {kind}, {session.get('cores', '?')} cores"


def _settings(environment: Any) -> str:
    pairs = environment.items() if isinstance(environment, dict) else ()
    return " ".join(f"{name}={value}" for name, value in pairs)
