"""What changed between two records, or between two optimized programs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.bench import hlo
from experiments.bench.record import Measured, Record, Row, load
from experiments.bench.statistics import verdict
from experiments.bench.table import size
from experiments.bench.words import took
from experiments.errors import UserError

SIGN = "HloModule"  # how an HLO text begins
STAGES = ("trace_seconds", "lower_seconds", "compile_seconds")
APART = 1.25  # times that a stage, which is measured once, must change to be told
MOMENT = 0.02  # seconds by which it must, too
PEAK = 0.05  # of a process's peak: less comes and goes with the allocator


def diff(one: Path, two: Path) -> list[str]:
    """Lines for a terminal: what is slower, larger or another program.

    Raises:
      UserError: they are not two records or two HLO texts.
    """
    kinds = [_kind(path) for path in (one, two)]
    if kinds[0] != kinds[1]:
        raise UserError(
            f"attn bench diff: expected two records or two HLO texts, got {one} of"
            f" kind {kinds[0]} and {two} of kind {kinds[1]}."
        )
    if kinds[0] == "HLO":
        return programs(
            one.read_text(encoding="utf-8"), two.read_text(encoding="utf-8")
        )
    return records(load(one), load(two))


def _kind(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(1000).lstrip()
    return "HLO" if start.startswith(SIGN) else "record"


def programs(one: str, two: str) -> list[str]:
    """Operations that two HLO texts have in other numbers."""
    lines = list(_counts(hlo.counted(one), hlo.counted(two)))
    return lines or ["The operations are the same in number."]


def records(one: Record, two: Record) -> list[str]:
    """Cases that both have: times, bytes, operations, backends; then what one lacks.

    Raises:
      UserError: they have no case in common.
    """
    labels = [[case.label for case in each.cases] for each in (one, two)]
    if not {*labels[0]} & {*labels[1]}:
        named = [f"{len(each)}, {each[0]}" if each else "none" for each in labels]
        raise UserError(
            f"attn bench diff: the two records share no case; the first has {named[0]};"
            f" the second {named[1]}. Measure the same cases twice."
        )
    lines = list(_machines(one, two))
    for name in sorted(one.about["versions"].keys() | two.about["versions"].keys()):
        old, new = (each.about["versions"].get(name) for each in (one, two))
        if old != new:
            lines.append(f"{name}: {old} -> {new}")
    both = {case.label: case for case in one.cases}
    for case in two.cases:
        if case.label in both:
            lines += _case(both.pop(case.label), case)
        else:
            lines.append(f"{case.label}: only in the second")
    return lines + [f"{label}: only in the first" for label in both]


def _machines(one: Record, two: Record) -> Iterator[str]:
    """What makes times of two records no match: another machine, or an invalid run."""
    for name in ("processor", "cores"):
        old, new = (each.about.get(name) for each in (one, two))
        if old != new:
            yield f"{name}: {old} -> {new}"
    for which, record in (("first", one), ("second", two)):
        yield from (f"INVALID, the {which}: {each}." for each in record.invalid)


def _case(one: Measured, two: Measured) -> list[str]:
    """Ours, and how each rival's ratio moved; ratios survive another machine."""
    lines = [f"{one.label}"]
    for row in two.rows:
        old = next((each for each in one.rows if each.name == row.name), None)
        if old is not None:
            lines += [f"  {line}" for line in _row(old, row)]
    return lines


def _row(old: Row, new: Row) -> Iterator[str]:
    if old.time is None or new.time is None:
        if old.refused != new.refused:
            yield f"{new.name}: {_state(old)} -> {_state(new)}"
        return
    value = new.time.median / old.time.median
    lows = [min(map(min, each.rounds)) for each in (old, new)]
    spread = [each.time.mad / each.time.median for each in (old, new) if each.time]
    wide = 2 * max(*spread, 0.01)
    word = verdict(value, value - wide, value + wide)
    said = {"faster": "slower now", "slower": "faster now", "level": "level"}[word]
    yield (
        f"{new.name}: {took(old.time.median)} ->"
        f" {took(new.time.median)}, {value:.2f} x, {said}"
        f" (least {took(lows[0])} -> {took(lows[1])})"
    )
    if old.ratio and new.ratio:
        yield f"{new.name}: ratio {old.ratio.value:.2f} -> {new.ratio.value:.2f}"
    yield from (f"{new.name}: {line}" for line in _facts(old.facts, new.facts))


def _state(row: Row) -> str:
    return took(row.time.median) if row.time else f"not run ({row.refused})"


def _facts(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """The process's peak, and its program."""
    was, now = (each.get("peak_bytes") for each in (old, new))
    if was and now and abs(now - was) > PEAK * was:
        yield f"peak of the process {size(was)} -> {size(now)}"
    before, after = (each.get("program") or {} for each in (old, new))
    yield from _program(before, after)


def _program(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Stages, bytes, operations, backends."""
    for key in STAGES:
        was, now = (each.get(key, 0.0) for each in (old, new))
        if abs(now - was) > MOMENT and max(was, now) > APART * min(was, now):
            name = key.removesuffix("_seconds")
            yield f"{name} {took(was)} -> {took(now)}"
    for key in ("argument_bytes", "output_bytes", "temporary_bytes"):
        if old.get(key) != new.get(key):
            was, now = (size(each.get(key, 0)) for each in (old, new))
            yield f"{key.replace('_', ' ')} {was} -> {now}"
    yield from _counts(old.get("operations", {}), new.get("operations", {}))
    yield from _backends(old.get("backends", []), new.get("backends", []))


def _backends(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Lines of the tables of `attn.explain` that only one of the two has."""
    lines = [
        [" ".join(line.split()) for table in each for line in table.splitlines()]
        for each in (old, new)
    ]
    gone = [line for line in dict.fromkeys(lines[0]) if line not in lines[1]]
    come = [line for line in dict.fromkeys(lines[1]) if line not in lines[0]]
    yield from (f"backend, before: {line}" for line in gone)
    yield from (f"backend, now: {line}" for line in come)


def _counts(old: dict[str, int], new: dict[str, int]) -> Iterator[str]:
    for name in {**old, **new}:
        if old.get(name, 0) != new.get(name, 0):
            yield f"{name}: {old.get(name, 0):,} -> {new.get(name, 0):,}"
