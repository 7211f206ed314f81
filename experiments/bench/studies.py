"""What one function costs: the record behind `experiments.bench.study`.

from experiments.bench import study
study(f, *args)                      # prints a table; the fields are plain values
study(f, *args, kwargs={"rate": 0.1})          # arguments that f takes by name
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from experiments.bench import fresh, record
from experiments.bench.contender import cores
from experiments.bench.program import Program, dissect
from experiments.bench.statistics import Summary, summary
from experiments.bench.table import size
from experiments.bench.words import counted, took
from experiments.bench.worker import samples
from experiments.recompiles import Compilations

ROUNDS, BURST = 5, 0.2  # seconds
ARRAYS = (jax.Array, np.ndarray, np.generic)
JITTED = type(jax.jit(abs))  # flax's `nnx.jit` has other stages, and is jitted again


@dataclass(frozen=True)
class Study:
    """A function, measured.

    Args:
      name: of the function.
      platform: that it ran on.
      program: stages, bytes, operations, backends, notes.
      first_seconds: of the first call after compiling.
      time: of the calls after it; None if it was not run.
      peak_bytes: of a fresh process, over what its arguments take; None if not asked.
      recompiles: for each call of `others` that compiled again, why.
      about: date, versions, machine, as in a record of `attn bench`.
      rules: rounds, seconds of a burst, threads.
      load: average load of the machine before and after.
    """

    name: str
    platform: str
    program: Program
    first_seconds: float
    time: Summary
    peak_bytes: int | None
    recompiles: tuple[str, ...]
    about: dict[str, Any]
    rules: dict[str, Any]
    load: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def __repr__(self) -> str:
        program, time = self.program, self.time
        stages = "  ".join(
            f"{name} {took(seconds)}"
            for name, seconds in (
                ("trace", program.trace_seconds),
                ("lower", program.lower_seconds),
                ("compile", program.compile_seconds),
                ("first call", self.first_seconds),
            )
        )
        kept = {k: x for k, x in program.operations.items() if x and k in COUNTED}
        made = [counted(x, *COUNTED[k]) for k, x in kept.items()]
        lines = [
            f"{self.name} on {self.platform}",
            f"  run     {took(time.median)}, mad {took(time.mad)}, {time.calls} calls",
            f"  before  {stages}",
            f"  bytes   {_bytes(self)}",
            f"  flops   {_flops(self)}",
            f"  program {', '.join(made)}",
            *(f"  {line}" for table in program.backends for line in table.split("\n")),
            *(f"  again   {each}" for each in self.recompiles),
            *(f"  NOTE    {each}." for each in program.notes),
        ]
        return "\n".join(lines)


UNKNOWN = "XLA's count is unknown"
COUNTED = {
    "dots": ("dot",),
    "fusions": ("fusion",),
    "copies": ("copy", "copies"),
    "transposes": ("transpose",),
    "loops": ("loop",),
    "custom calls": ("custom call",),
}


def _bytes(study: Study) -> str:
    program = study.program
    parts = {
        "arguments": program.argument_bytes,
        "outputs": program.output_bytes,
        "temporary": program.temporary_bytes,
        "largest buffer": program.operations["largest buffer"],
        "peak of a fresh process": study.peak_bytes,
    }
    return ", ".join(f"{k} {size(x)}" for k, x in parts.items() if x is not None)


def _flops(study: Study) -> str:
    program = study.program
    said = []
    if program.flops is not None:
        rate = program.flops / study.time.median / 1e9
        said.append(f"{program.flops:.3g} declared ({rate:.1f} GFLOP/s)")
    known = program.xla_flops is not None
    said.append(f"{program.xla_flops:.3g} by XLA's count" if known else UNKNOWN)
    return ", ".join(said)


def study(
    function: Callable,
    *args: Any,
    kwargs: dict[str, Any] | None = None,
    flops: float | None = None,
    others: Sequence[tuple] = (),
    peak: bool = False,
    rounds: int = ROUNDS,
    burst: float = BURST,
) -> Study:
    """Measures a function of arrays: time, memory, operations, recompilations.

    JAX's caches are cleared first, so that tracing and compiling take what they take in
    a new process; other functions compile again when they are next called.

    Args:
      function: pure; it is jitted unless it is already.
      *args: of the call; where it donates any, each call gets copies, made untimed.
      kwargs: arguments by name, the same in every call.
      flops: what its mathematics costs; XLA's own count stands beside it.
      others: more argument tuples; each that compiles again is noted with its cause,
        and what they donate is used up.
      peak: whether a fresh process runs it once to tell the most memory it had.
      rounds: how many times it is timed.
      burst: seconds of a round.

    Returns:
      A `Study`; it prints as a table, and `to_json` gives plain values.

    Raises:
      ValueError: fewer than one round, a burst that is no time, or others that are no
        tuples.
    """
    check(rounds, burst, others)
    jitted: Any = function if isinstance(function, JITTED) else jax.jit(function)
    jax.clear_caches()
    before, named = record.load_average(), kwargs or {}
    program, _ = dissect(jitted, args, kwargs=named, flops=flops)
    inner = function.func if isinstance(function, partial) else function
    name = getattr(inner, "__name__", type(inner).__name__)
    with Compilations() as seen:
        watched, given = seen.watch(jitted, name), _giver(jitted, args, named)
        (first,) = samples(_waiting(watched), 0.0, 1, prepare=given)
        times = _rounds(_waiting(jitted), given, rounds, burst)
        for each in others:
            watched(*each, **named)
    return Study(
        name=name,
        platform=jax.default_backend(),
        program=program,
        first_seconds=first,
        time=summary(times),
        peak_bytes=_peak(jitted, args, named) if peak else None,
        recompiles=tuple(map(str, seen.again)),
        about=_about(),
        rules={"rounds": rounds, "burst": burst, "threads": cores()},
        load=(before, record.load_average()),
    )


def check(rounds: int, burst: float, others: Sequence[tuple]) -> None:
    """Refuses what would measure nothing, for ever, or something else."""
    if rounds < 1:
        raise ValueError(f"study: expected rounds of at least 1, got {rounds}.")
    if not 0 <= burst < math.inf:
        raise ValueError(f"study: expected a burst of some seconds, got {burst}.")
    for number, each in enumerate(others):
        if not isinstance(each, tuple):  # an array would come apart into its rows
            raise ValueError(
                f"study: expected a tuple of arguments in others[{number}], got"
                f" {type(each).__name__}; write (x,) for one."
            )


def _about() -> dict[str, Any]:
    """What a bench's record says, without the command: a notebook has none."""
    return {name: x for name, x in record.about().items() if name != "command"}


def _peak(jitted: Any, args: tuple, kwargs: dict[str, Any]) -> int:
    """Of a process that is sent the arrays; what is none may be static, and stays."""
    leaves, structure = jax.tree.flatten((args, kwargs))

    def call(*arrays: Any) -> Any:
        left = iter(arrays)
        whole = [next(left) if isinstance(x, ARRAYS) else x for x in leaves]
        args, kwargs = jax.tree.unflatten(structure, whole)
        return jitted(*args, **kwargs)

    return fresh.peak(call, tuple(x for x in leaves if isinstance(x, ARRAYS)))


def _giver(jitted: Any, args: tuple, kwargs: dict[str, Any]) -> Callable[[], tuple]:
    """Arguments for each call: copies where the function takes any for good."""
    told = jax.tree.leaves(jitted.trace(*args, **kwargs).args_info)
    if not any(each.donated for each in told):
        return lambda: (args, kwargs)

    def copied() -> tuple:
        return jax.block_until_ready(jax.tree.map(_copy, (args, kwargs)))

    return copied


def _copy(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, jax.Array) else leaf


def _waiting(function: Callable) -> Callable:
    return lambda args, kwargs: jax.block_until_ready(function(*args, **kwargs))


def _rounds(
    call: Callable, given: Callable[[], tuple], rounds: int, burst: float
) -> list[list[float]]:
    call(*given())
    return [samples(call, burst, 3, prepare=given) for _ in range(rounds)]
