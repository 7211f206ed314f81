"""A run as lines for a terminal."""

from collections.abc import Iterator, Sequence

from experiments.bench.race import CONTROL, OURS
from experiments.bench.record import UNJUDGED, Measured, Record, Row
from experiments.bench.statistics import against_itself
from experiments.bench.validity import few
from experiments.bench.words import took

OWN = ("one a call", "deep")  # ours, too, in another way
HEAD = f"{'':16}{'time':>10} {'mad':>7} {'ratio':>7} {'95% interval':>14} {'goal':>6} {'floor':>6} {'temp':>8}"  # noqa: E501


def lines(record: Record) -> Iterator[str]:
    """The whole run."""
    for case in record.cases:
        yield from case_lines(case)
    yield from verdict(record)


def case_lines(case: Measured) -> Iterator[str]:
    """A case: its label, then a line for each contender."""
    low, high = case.load
    yield f"\n{case.label}  (load {low:.1f} to {high:.1f})"
    yield HEAD
    for row in case.rows:
        yield row_line(row)
    if case.fault:
        yield f"  INVALID: {case.fault}."
    for note in notes(case):
        yield f"  {note}"


def row_line(row: Row) -> str:
    """A contender."""
    if row.time is None:
        return f"  {row.name:14} not run: {row.refused}"
    ratio = "" if row.ratio is None else f"{row.ratio.value:.2f} x"
    goal = "" if row.goal is None else f"{row.goal:g}"
    return (
        f"  {row.name:14}{took(row.time.median):>10}"
        f" {deviation(row):>7} {ratio:>7} {span(row):>14} {goal:>6}"
        f" {share(row):>6} {temporary(row):>8}  {said(row)}"
    ).rstrip()


def deviation(row: Row) -> str:
    """How much its rounds differ; nothing where they are too few to tell."""
    if row.time is None or few(len(row.rounds)):
        return ""
    return took(row.time.mad)


def span(row: Row) -> str:
    """The interval of its ratio; nothing where rounds are too few for one."""
    if row.ratio is None or few(len(row.rounds)):
        return ""
    return f"{row.ratio.low:.2f} to {row.ratio.high:.2f}"


def said(row: Row) -> str:
    """The last word on a contender."""
    if row.ratio is None:
        return ""
    if row.ratio.verdict == UNJUDGED or few(len(row.rounds)):
        return UNJUDGED
    if row.name == CONTROL:
        return against_itself(row.ratio)
    words = {"faster": "we are faster", "slower": "we are slower", "level": "level"}
    if row.name in OWN:
        words = {"faster": "takes longer", "slower": "takes less", "level": "level"}
    found = [words[row.ratio.verdict], row.reached]
    bound = row.stretch if row.reached == "stretch" else row.goal
    found += ["not surely"] if within(row, bound) else []
    return ", ".join(each for each in found if each)


def within(row: Row, bound: float | None) -> bool:
    """Whether the interval of its ratio has a bound inside: another run may differ."""
    if row.ratio is None or bound is None:
        return False
    return row.ratio.low < bound < row.ratio.high


def share(row: Row) -> str:
    """How near it comes to what the machine can do."""
    if row.floor is None or row.time is None:
        return ""
    return f"{row.floor / row.time.median:.0%}"


def temporary(row: Row) -> str:
    """Temporary bytes of its program."""
    program = row.facts.get("program")
    return size(program["temporary_bytes"]) if program else ""


def size(count: float) -> str:
    """Bytes as a reader says them."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def notes(case: Measured) -> Iterator[str]:
    """What else a reader must know: removed work, kernels."""
    for row in case.rows:
        program = row.facts.get("program") or {}
        for note in program.get("notes", ()):
            yield f"{row.name}: {note}."
        if row.name == OURS and program.get("backends"):
            told = program["backends"][0].splitlines()
            runs = [" ".join(x.split()) for x in told if "  runs" in x]
            asked = ", as asked for" if "  asked for: " in told[-1] else ""
            yield f"ours: {runs[0] if runs else 'a named backend'}{asked}"
        if profile := row.facts.get("profile"):
            yield f"{row.name}:"
            yield from (f"  {line}" for line in profile.splitlines())
        if row.name != CONTROL and (losses := row.facts.get("validation_losses")):
            yield f"{row.name}: validation losses {numbers(losses)}"
        if kernel := row.facts.get("kernel"):
            yield f"{row.name}: {kernel}"


def numbers(values: Sequence[float]) -> str:
    """A list for a line."""
    return ", ".join(f"{x:.3f}" for x in values)


def verdict(record: Record) -> Iterator[str]:
    """The last lines: goals, and whether the run counts."""
    asked = [row for case in record.cases for row in case.rows if row.reached]
    rows = [row for row in asked if row.reached != UNJUDGED]
    if rows:
        met = [row for row in rows if row.reached != "missed"]
        best = sum(row.reached == "stretch" for row in met)
        unsure = sum(within(row, row.goal) for row in met)
        doubt = f", {unsure} not surely" if unsure else ""
        yield (
            f"\n{len(met)} of {len(rows)} goals met, {best} of them at their stretch"
            f"{doubt}."
        )
    if left := len(asked) - len(rows):
        yield f"{left} of {len(asked)} goals not judged: their cases are invalid."
    for each in record.invalid:
        yield f"INVALID: {each}."
