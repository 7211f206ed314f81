"""`attn bench`: what attention, a layer, a step or a whole run costs, beside rivals."""

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments import signals
from experiments.commands import exits
from experiments.commands.options import AsJson, finite
from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.bench.cases import Case
    from experiments.bench.race import Rules

FOLDER = Path("bench")
OF_STUDIES = ("--rounds", "--burst", "--out", "--profile", "--force", "--json")
NOTHING = "Stopped; nothing was measured to its end, nothing was written."

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="attention|layer|step|compile|recipe|flash_grid|"
        "STUDY.yaml|list|diff A B",
        help="A suite of cases, or a study of your own. `list` shows them; `diff`"
        " compares two records or two optimized HLO texts.",
        show_default=False,
    ),
]


def bench(
    context: typer.Context,
    words: Words,
    only: Annotated[
        str, typer.Option(help="Cases whose label contains this.", show_default=False)
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All cases of the suite, not the brief ones.")
    ] = False,
    spec: Annotated[
        str | None, typer.Option(help="A case of your own: notation.")
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(help="Its batch x positions x heads x width: 1x1024x8x64."),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Who computes ours; see `attn explain`.")
    ] = "auto",
    rivals: Annotated[
        str | None,
        typer.Option(help="Names with commas between; `attn bench list` shows them."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 5,
    burst: Annotated[
        float, typer.Option(min=0.01, callback=finite, help="Seconds of a turn.")
    ] = 0.4,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The record to write; the page lies beside it.",
            show_default="bench/SUITE-DATE.json",
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also say which operations take the time.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Measure cases meant for a GPU here, too.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Measure beside rivals, in fresh processes that take turns.

    Writes a record and a page after every case, so that Ctrl-C loses nothing measured.
    The exit code is 1 if the run is not valid: ours could not run, ours against itself
    was not level, the machine was not quiet, or rounds were fewer than 5.

    \b
    A study of your own is a file; a case has the fields of `attn bench list --json`:
      suite: attention
      rivals: ["jax.nn", torch]
      cases:
        - {spec: "causal & window(back=127)", length: 2048, batch: 1}
    """
    given = _given(context)
    if words[0] in ("list", "diff"):
        _refuse(words[0], given, ["--json"])
        return {"list": _list, "diff": _diff}[words[0]](words[1:], as_json)
    from dataclasses import replace  # late, like the three below, for start-up time

    from experiments.bench.asked import Asked, chosen
    from experiments.bench.own import read_study
    from experiments.bench.race import Rules

    if len(words) > 1:
        raise UserError(f"attn bench: expected one suite, got {' '.join(words)[:60]}.")
    suite, rules = words[0], Rules(rounds, burst)
    if suite.endswith((".yaml", ".yml")):
        _refuse("STUDY.yaml", given, OF_STUDIES)
        suite, cases, rules = read_study(Path(suite), rules)
        rules = replace(rules, **_said(given, rounds=rounds, burst=burst))
    else:
        cases = chosen(Asked(suite, only, everything, spec, shape, backend, rivals))
    path = _checked(out or FOLDER / f"{suite}-{time.strftime('%Y%m%d-%H%M%S')}.json")
    options = {"profile": str(path.with_suffix("")) if profile else None}
    return _run(suite, cases, rules, path, options | {"force": force}, as_json)


def _given(context: typer.Context) -> list[str]:
    """The options that stand on the command line."""
    options = {each.name: each.opts[0] for each in context.command.params if each.name}
    sources = {name: context.get_parameter_source(name) for name in options}
    return [
        option
        for name, option in options.items()
        if (source := sources[name]) is not None
        and source.name == "COMMANDLINE"
        and option.startswith("--")
    ]


def _refuse(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Refuses options that would do nothing."""
    for option in given:
        if option not in known:
            raise UserError(
                f"attn bench {what}: {option} does nothing here; leave it out (known:"
                f" {', '.join(known)})."
            )


def _said(given: Sequence[str], **values: Any) -> dict[str, Any]:
    """Of some values those whose option was given."""
    return {name: x for name, x in values.items() if f"--{name}" in given}


def _checked(path: Path) -> Path:
    """A place for the record, before minutes are spent on what it will hold."""
    if path.suffix != ".json" or path.is_dir():
        name = path / "record.json" if path.is_dir() else path.with_suffix(".json")
        raise UserError(f"attn bench --out: a record is a .json file, like {name}.")
    page, programs = path.with_suffix(".html"), path.with_suffix("")
    if page.is_dir() or (programs.exists() and not programs.is_dir()):
        taken = page if page.is_dir() else programs
        raise UserError(
            f"attn bench --out: {page} is to be the page and {programs} a folder of"
            f" programs, but {taken} is something else; give another name."
        )
    there = next(each for each in path.absolute().parents if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"attn bench --out: may not write in {there}.")
    return path


def _run(
    suite: str,
    cases: "Sequence[Case]",
    rules: "Rules",
    path: Path,
    options: dict[str, Any],
    as_json: bool,
) -> int:
    from dataclasses import replace  # late, like the four below, for start-up time

    from experiments.bench import suite as runs
    from experiments.bench import table
    from experiments.bench.fit import check_here
    from experiments.bench.screen import Screen

    rules = replace(rules, **options)
    record, screen = runs.new(suite, rules), Screen(quiet=as_json)
    try:
        check_here(cases, runs.platform(), force=rules.force)
        screen.begin(len(cases), runs.estimate(cases, rules))
        with signals.interrupting():
            runs.run(cases, rules, record, path, tell=screen.tell, done=screen.done)
    except KeyboardInterrupt:
        if record.cases:
            raise
        screen.end()
        print(NOTHING, file=sys.stderr)
        return exits.INTERRUPTED
    finally:
        screen.end()
        if record.cases and not as_json:
            print("\n".join(table.verdict(record)))
            print(f"It lies in {path} and {path.with_suffix('.html')}.")
    if as_json:
        print(path.read_text(encoding="utf-8"), end="")
    return 1 if record.invalid else 0


def _list(words: list[str], as_json: bool) -> int:
    from experiments.bench.asked import check_suite  # late, for start-up time
    from experiments.bench.cases import SUITES

    for word in words:
        check_suite(word)
    chosen = {name: x for name, x in SUITES.items() if not words or name in words}
    if as_json:
        print(json.dumps({name: _as_json(cases) for name, cases in chosen.items()}))
        return 0
    for suite, cases in chosen.items():
        for line in _lines(suite, cases, whole=bool(words)):
            print(_narrow(line))
    last = "Cases with * are measured without --all; numbers are goals for the ratio."
    print(_narrow(last))
    return 0


def _lines(suite: str, cases: "Sequence[Case]", *, whole: bool) -> Iterator[str]:
    """A suite: its rivals, and its cases unless they are all alike."""
    from experiments.bench.rivals import CONTENDERS  # late, for start-up time

    names = [name for name in CONTENDERS[cases[0].suite] if name != "ours"]
    yield f"{suite}  (rivals: {', '.join(names)})"
    shown = cases if whole or any(each.brief for each in cases) else cases[:1]
    for case in shown:
        goals = ", ".join(
            f"{g.rival}{'' if g.goal is None else f' {g.goal:g}'}" for g in case.goals
        )
        yield f"  {'*' if case.brief else ' '} {case.work.label}  [{goals}]"
    if len(shown) < len(cases):
        yield f"    ... {len(cases)} cases, for a {cases[0].platform}"


def _narrow(line: str) -> str:
    """A line in the width of the terminal; whole where nobody knows it, for `grep`."""
    width = shutil.get_terminal_size((0, 0)).columns
    if not width:
        return line
    parts = textwrap.wrap(
        line, max(width, 20), subsequent_indent=6 * " ", break_on_hyphens=False
    )
    return "\n".join(parts)


def _as_json(cases: "Sequence[Case]") -> list[dict[str, Any]]:
    from dataclasses import asdict  # late, for start-up time

    return [{"label": each.work.label, **asdict(each)} for each in cases]


def _diff(words: list[str], as_json: bool) -> int:
    from experiments.bench.diff import diff  # late, for start-up time

    if len(words) != 2:
        raise UserError(
            "attn bench diff: expected two records or two HLO texts, got"
            f" {', '.join(words)[:200] or 'nothing'}."
        )
    lines = diff(Path(words[0]), Path(words[1]))
    print(json.dumps(lines) if as_json else "\n".join(lines))
    return 0
