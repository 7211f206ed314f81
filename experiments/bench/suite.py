"""A run of cases: each measured, noted and written before the next begins."""

import functools
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from experiments.bench import ceilings
from experiments.bench import record as records
from experiments.bench.cases import Case, Goal
from experiments.bench.contender import Refused
from experiments.bench.page import render
from experiments.bench.race import CONTROL, OURS, REST, Result, Rules, file_name, race
from experiments.bench.record import Measured, Record, Row
from experiments.bench.statistics import is_level, ratio, summary
from experiments.errors import UserError

CEILING = 4.0  # seconds of a ceiling by all libraries, their starts spread on all
START = {  # seconds until a contender takes its first turn
    "attention": 6.0,
    "layer": 5.0,
    "step": 12.0,
    "compile": 8.0,
    "recipe": 80.0,
}


def estimate(cases: Sequence[Case], rules: Rules) -> float:
    """Seconds that cases will take: processes that start, and turns."""
    kinds = ceilings.NEEDED[cases[0].suite] if cases else ()
    return CEILING * len(kinds) + sum(_estimate(case, rules) for case in cases)


def _estimate(case: Case, rules: Rules) -> float:
    contenders = 1 + rules.control + len(case.goals)
    turns = rules.rounds * (REST + max(1.5 * rules.burst, case.work.turn))
    return contenders * (START.get(case.suite, 6.0) + turns)


def run(
    cases: Sequence[Case],
    rules: Rules,
    record: Record,
    path: Path,
    *,
    tell: Callable[[str], None] = lambda _: None,
    done: Callable[[Measured, float], None] = lambda *_: None,
) -> None:
    """Measures cases; what is measured is on disk, whatever comes then.

    Args:
      cases: in order.
      rules: of every race.
      record: gets them.
      path: of the record's file.
      tell: hears what is being done.
      done: hears of each case, and how many seconds are left.
    """
    record.planned = len(cases)
    record.ceilings = ceilings.measure(cases[0].work, rules, platform(), tell)
    began = time.monotonic()
    whole = estimate(cases, rules)
    for number, case in enumerate(cases, 1):
        made = measure(case, rules, record, tell)
        programs = taken_programs(case, made)
        with_it = replace(record, cases=[*record.cases, made])
        with_it.write(path)
        record.cases = with_it.cases  # what a record has is on disk
        # What is done tells how fast this machine is; the rest follows the estimate.
        part = estimate(cases[:number], rules) / whole
        left = (time.monotonic() - began) * (1 - part) / part
        path.with_suffix(".html").write_text(render(record), encoding="utf-8")
        done(made, left)
        keep(programs, path.with_suffix(""))


def taken_programs(case: Case, measured: Measured) -> dict[str, str]:
    """Takes the optimized HLO texts out of the record: file name to text."""
    texts = {row.name: row.facts.pop("hlo", None) for row in measured.rows}
    return {
        f"{file_name(case.work, name)}.hlo.txt": text
        for name, text in texts.items()
        if text is not None and name != CONTROL
    }


def keep(texts: Mapping[str, str], folder: Path) -> None:
    """Writes files into a folder, which is made if there are any; for `diff`."""
    for name, text in texts.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def measure(
    case: Case, rules: Rules, record: Record, tell: Callable[[str], None]
) -> Measured:
    """One case as it goes into the record."""
    before, began = records.load_average(), time.monotonic()
    rivals = [goal.rival for goal in case.goals]
    try:
        check_platform(case, rules)
        found = race(case.work, rivals, rules, tell=tell)
    except Refused as error:
        found = {OURS: Result(OURS, refused=str(error))}
    program = found[OURS].facts.get("program") or {}
    least = ceilings.floor(case.work, program, record.ceilings)
    rows = [row(each, found, case.goals, least) for each in found.values()]
    made = Measured(
        case.work.label,
        case.work.to_json(),
        rows,
        (before, records.load_average()),
        control_level(rows),
        time.monotonic() - began,
        records.all_cores(),
    )
    return records.judged(made)


def control_level(rows: Sequence[Row]) -> bool | None:
    """Whether ours against itself is level; not if it could not run."""
    control = next((each for each in rows if each.name == CONTROL), None)
    if control is None:
        return None
    return control.ratio is not None and is_level(control.ratio)


def check_platform(case: Case, rules: Rules) -> None:
    """Refuses a case of a platform that is not here.

    Raises:
      Refused: with the remedy.
    """
    here = platform()
    if case.platform not in (None, here) and not rules.force:
        raise Refused(f"it is for a {case.platform}, and this is a {here}; or --force")


@functools.cache
def platform() -> str:
    """Where JAX runs, asked in a process of its own: ours must not hold a device.

    Raises:
      UserError: it cannot run, as with a variable that names a platform not here.
    """
    code = "import jax; print(jax.default_backend())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        raise UserError(f"attn bench: JAX cannot start here: {last[:300]}")
    return done.stdout.strip()


def row(
    result: Result,
    found: dict[str, Result],
    goals: Sequence[Goal],
    least: float | None = None,
) -> Row:
    """A contender beside ours."""
    goal = next((each for each in goals if each.rival == result.name), None)
    ours = found[OURS]
    if not result.rounds or result.refused:
        return Row(result.name, result.refused or "no turn", facts=result.facts)
    compared = None
    if result.name != OURS:
        compared = ratio(ours.rounds[: len(result.rounds)], result.rounds)
    wish = goal or Goal(result.name)
    return Row(
        name=result.name,
        rounds=result.rounds,
        time=summary(result.rounds),
        ratio=compared,
        goal=wish.goal,
        stretch=wish.stretch,
        reached="" if compared is None else reached(compared.value, wish),
        error=result.error,
        floor=least,
        facts=result.facts,
    )


def reached(value: float, wish: Goal) -> str:
    """missed, met or stretch; nothing without a goal."""
    if wish.goal is None:
        return ""
    sign = -1 if wish.at_most else 1
    if sign * value < sign * wish.goal:
        return "missed"
    if wish.stretch is not None and sign * value >= sign * wish.stretch:
        return "stretch"
    return "met"


def new(suite: str, rules: Rules) -> Record:
    """A record with nothing measured."""
    return Record(suite, records.about(), asdict(rules))
