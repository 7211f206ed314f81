"""What else is known of each contender: stages, bytes, operations, backends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiments.bench.hlo import KINDS
from experiments.bench.race import OURS
from experiments.bench.record import Measured
from experiments.bench.table import numbers, size
from experiments.bench.words import took
from experiments.report.html import Html, join, tag

Facts = Mapping[str, Any]


def details(case: Measured, *, is_open: bool) -> Html | None:
    """A table of all facts with a column for each contender, and who ran ours.

    Args:
      case: measured.
      is_open: whether it is shown before somebody asks for it.

    Returns:
      None if no process told any.
    """
    told = {row.name: row.facts for row in case.rows if row.facts}
    lines = list(_lines(told))
    if not lines:
        return None
    head = tag("tr", tag("th"), *(tag("th", name, scope="col") for name in told))
    body = [
        tag("tr", tag("th", name, scope="row"), *(tag("td", each) for each in cells))
        for name, cells in lines
    ]
    table = tag("table", tag("thead", head), tag("tbody", *body))
    summary = tag("summary", "Stages, memory, operations and backends")
    shown = join(scrolled(table, f"Facts of {case.label}"), *_backends(told))
    return tag("details", summary, shown, open=is_open)


def scrolled(content: Html, label: str) -> Html:
    """What is wider than a telephone, in a box of its own that scrolls."""
    return tag(
        "div",
        content,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=label,
    )


def _lines(told: Mapping[str, Facts]) -> Iterator[tuple[str, list[str]]]:
    """Facts that at least one contender has, in words."""
    for name, read in _readers():
        cells = ["" if (x := read(facts)) is None else x for facts in told.values()]
        if any(cells):
            yield name, cells


def _readers() -> Iterator[tuple[str, Callable[[Facts], str | None]]]:
    """The name of each fact, and what writes it."""
    for stage in ("trace", "lower", "compile"):
        yield stage, _reader(f"{stage}_seconds", took, inside=True)
    yield "first run", _reader("first_call_seconds", took)
    for kind in ("argument", "output", "temporary"):
        yield f"{kind} bytes", _reader(f"{kind}_bytes", size, inside=True)
    yield "peak of the process", _reader("peak_bytes", size)
    yield "of it before the work", _reader("peak_before_bytes", size)
    yield "FLOPs, ours", _reader("flops", "{:.3g}".format, inside=True)
    yield "FLOPs, XLA's count", _reader("xla_flops", "{:.3g}".format, inside=True)
    for kind in KINDS:
        yield kind, _operations(kind)
    for key in ("cores", "torch_threads", "allocator", "device"):
        yield key.replace("_", " "), _reader(key, str)
    yield "seeds", _seeds
    yield "validation losses", _reader("validation_losses", numbers)
    yield "seeds of the runs", _reader("run_seeds", _words)
    yield "kernel", lambda facts: facts.get("kernel")
    yield "library calls", lambda facts: ", ".join(_program(facts).get("calls", ()))


def _reader(
    key: str, word: Callable[[Any], str], *, inside: bool = False
) -> Callable[[Facts], str | None]:
    """What writes the fact of a key, of the program or of the process."""

    def read(facts: Facts) -> str | None:
        value = (_program(facts) if inside else facts).get(key)
        return None if value is None else word(value)

    return read


def _words(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _seeds(facts: Facts) -> str:
    return ", ".join(f"{name} {x}" for name, x in facts.get("seeds", {}).items())


def _operations(kind: str) -> Callable[[Facts], str | None]:
    def read(facts: Facts) -> str | None:
        count = _program(facts).get("operations", {}).get(kind)
        return None if count is None else f"{count:,}"

    return read


def _program(facts: Facts) -> Facts:
    return facts.get("program") or {}


def _backends(told: Mapping[str, Facts]) -> Iterator[Html]:
    """The tables of `attn.explain` for each attention in ours."""
    for table in _program(told.get(OURS, {})).get("backends", ()):
        yield tag(
            "p", "Which backend runs ours, and what the others say:", class_="caption"
        )
        yield scrolled(tag("pre", table), "Backends of ours")
