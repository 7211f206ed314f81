"""A jitted function taken apart: stages, bytes, operations, and what looks wrong."""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import jax

from attn.backends import dispatch
from attn.backends.dispatch import Choice
from attn.backends.explain import explain
from experiments.bench import hlo
from experiments.recompiles import Compilations

LARGE = 1 << 16  # bytes; a smaller constant is a table of the function's own
MISSING = 0.5  # of the declared FLOPs; fewer means that work was removed
EXCESS = 10  # times the declared FLOPs; fewer may be what a mask or softmax costs


@dataclass(frozen=True)
class Program:
    """What is known of a compiled function before it runs.

    Args:
      trace_seconds, lower_seconds, compile_seconds: of the three stages.
      argument_bytes, output_bytes, temporary_bytes, alias_bytes: as XLA plans them;
        aliased outputs overwrite donated arguments.
      flops: as we declare them, or None.
      xla_flops: as XLA counts them: a loop's body once, a library call's not at all;
        None where it cannot.
      operations: of the optimized program, see `experiments.bench.hlo.counted`.
      calls: targets of custom calls.
      backends: of the attention inside: the table of `attn.explain` for each call.
      cache_hits, cache_misses: of the persistent compilation cache.
      notes: what makes a timing worthless: work removed, constants folded.
    """

    trace_seconds: float
    lower_seconds: float
    compile_seconds: float
    argument_bytes: int
    output_bytes: int
    temporary_bytes: int
    alias_bytes: int
    flops: float | None
    xla_flops: float | None
    operations: dict[str, int]
    calls: list[str]
    backends: list[str] = field(default_factory=list)
    cache_hits: int = 0
    cache_misses: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Arguments, outputs and temporaries together."""
        whole = self.argument_bytes + self.output_bytes + self.temporary_bytes
        return whole - self.alias_bytes


def dissect(
    function: Any,
    args: tuple,
    *,
    kwargs: dict[str, Any] | None = None,
    flops: float | None = None,
    reads_all: bool = True,
) -> tuple[Program, str]:
    """Traces, lowers and compiles a jitted function, and reads what came out.

    Calling the function afterwards does not compile again.

    Args:
      function: jitted.
      args, kwargs: of the call.
      flops: what the mathematics costs, for comparison with XLA's count.
      reads_all: whether an argument that is not read is worth a note.

    Returns:
      The facts, and the optimized program as text.
    """
    with Compilations() as seen, observed() as choices:
        times = [time.perf_counter()]
        traced = function.trace(*args, **(kwargs or {}))
        times.append(time.perf_counter())
        lowered = traced.lower()
        times.append(time.perf_counter())
        compiled = lowered.compile()
        times.append(time.perf_counter())
    text = compiled.as_text() or ""
    memory = compiled.memory_analysis()
    counted = _known((compiled.cost_analysis() or {}).get("flops"))
    given = len(jax.tree.leaves(traced.args_info)) if reads_all else 0
    operations = hlo.counted(text)
    trace, lower, build = (b - a for a, b in itertools.pairwise(times))
    program = Program(
        trace,
        lower,
        build,
        memory.argument_size_in_bytes,
        memory.output_size_in_bytes,
        memory.temp_size_in_bytes,
        memory.alias_size_in_bytes,
        flops,
        counted,
        operations,
        hlo.called(text),
        explained(choices),
        seen.hits,
        seen.misses,
        notes(text, given, operations, flops, counted),
    )
    return program, text


def _known(count: float | None) -> float | None:
    """XLA says -1 where it cannot count, as in a callback."""
    return None if count is None or count < 0 else count


def notes(
    text: str,
    given: int,
    operations: dict[str, int],
    flops: float | None,
    counted: float | None,
) -> list[str]:
    """What makes a timing of a program worthless, in words.

    Args:
      text: the optimized program.
      given: how many arrays the call has; static arguments are none.
      operations: counted in the text.
      flops: declared.
      counted: by XLA.
    """
    said = []
    unread = max(0, given - hlo.parameters(text))
    if unread:
        said.append(
            f"{unread} of {given} argument arrays are not read: their work was removed"
        )
    if operations["constants"] > LARGE:
        said.append(
            f"{operations['constants']:,} bytes of constants are in the program: pass"
            " arrays as arguments, or they are computed with while compiling"
        )
    whole = not operations["loops"] and not operations["custom calls"]
    if flops and counted is not None and whole and counted < MISSING * flops:
        said.append(_missing(flops, counted, removed=unread > 0))
    if flops and counted is not None and counted > EXCESS * flops:
        said.append(
            f"XLA counts {counted:.3g} FLOPs, {counted / flops:.3g} times the"
            f" {flops:.3g} declared: the declaration is wrong, or most of the work is"
            " none that the mathematics asks for"
        )
    return said


def _missing(flops: float, counted: float, *, removed: bool) -> str:
    """That XLA counts fewer than were declared; why, only where that is known."""
    if removed:
        return (
            f"XLA counts {counted:.3g} FLOPs of the {flops:.3g} declared: work whose"
            " result nobody reads was removed"
        )
    times = f"{flops / counted:.3g} times" if counted else "not"
    return (
        f"the {flops:.3g} FLOPs declared are {times} the {counted:.3g} that XLA counts:"
        " the declaration is wrong, or work whose result nobody reads was removed"
    )


@contextmanager
def observed() -> Iterator[list[Choice]]:
    """Notes the choice of a backend for each attention that is traced inside.

    An attention of the same sizes that was traced before in this process is not traced
    again; `jax.clear_caches()` forgets it.
    """
    seen: list[Choice] = []
    token = dispatch.choices.set(seen)
    try:
        yield seen
    finally:
        dispatch.choices.reset(token)


def explained(choices: Sequence[Choice]) -> list[str]:
    """Who runs each attention and why: a table for each that differs."""
    return list(dict.fromkeys(map(_table, _whole(choices))))


def _whole(choices: Sequence[Choice]) -> Iterator[Choice]:
    """Choices of calls, without those that lifted calls make for their one head."""
    last = None
    for each in choices:
        if last is None or not _is_head(each, last):
            last = each
            yield each


def _is_head(choice: Choice, call: Choice) -> bool:
    head = replace(call.shapes, batch=1, heads=1, key_heads=1)
    return (choice.asked, choice.shapes) == (call.name, head)


def _table(choice: Choice) -> str:
    """The table of `attn.explain`, and what was asked for where it is not auto's."""
    shapes, name = choice.shapes, choice.name
    found = explain(choice.spec, shapes, probes=choice.probes)
    if name == found.runs:
        return str(found)
    at_once = math.prod(dispatch.steps(name, shapes) or (shapes.batch, shapes.heads))
    return f"{replace(found, runs=name, at_once=at_once)}\n  asked for: {name}"
