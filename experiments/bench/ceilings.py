"""What the machine can do at most, measured in the same run: the floors of the rest.

The best of several libraries counts, so that no contender is above its ceiling only
because one library is slow at it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from experiments.bench.contender import Refused
from experiments.bench.pipe import Worker
from experiments.bench.race import Rules
from experiments.bench.work import CeilingWork, Work

HERE = "experiments.bench.rivals"
LIBRARIES = {
    "jax": f"{HERE}.most_jax:most",
    "numpy": f"{HERE}.most_numpy:most",
    "torch": f"{HERE}.most_torch:most",
}
ROUNDS = 3


@dataclass(frozen=True)
class Kind:
    """A ceiling.

    Args:
      unit: of its rate.
      meaning: in words.
    """

    unit: str
    meaning: str


KINDS = {
    "matmul": Kind("FLOP/s", "product of square matrices"),
    "batched": Kind("FLOP/s", "products of [512, 64] and [64, 512]"),
    "copy": Kind("bytes/s", "copy of 256 MiB, read and written"),
    "exp": Kind("exp/s", "exponential of numbers that stay in the cache"),
    "dispatch": Kind("calls/s", "jitted identity of one number"),
}
# What the floors of a suite and its roofline rest on.
NEEDED = {
    "attention": ("matmul", "batched", "copy", "exp", "dispatch"),
    "layer": ("matmul", "batched", "copy", "exp", "dispatch"),
    "step": ("matmul", "batched", "copy", "exp", "dispatch"),
    "compile": (),  # it has no FLOPs
    "recipe": (),  # nor have a process that starts, and a disk
}
BIG = 8  # times the side of a CPU's product, to fill an accelerator


def measure(
    work: Work,
    rules: Rules,
    platform: str,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[str, Any]]:
    """The rates of this machine, as far as a suite needs them.

    Args:
      work: one of the suite.
      rules: threads and the seconds of a turn.
      platform: cpu, gpu or tpu; away from a CPU only JAX is asked.
      tell: hears what is being done.

    Returns:
      kind -> `rate` of the best library, its `library`, `unit`, `meaning`, and `all`
      with the rate of each library or why it has none. A kind of which no library has
      a rate is left out, and told.
    """
    dtype = getattr(work, "dtype", "float32")
    works = [
        CeilingWork(kind, "float32", 1)
        if platform == "cpu"
        else CeilingWork(kind, dtype, BIG)
        for kind in NEEDED[work.suite]
    ]
    libraries = LIBRARIES if platform == "cpu" else {"jax": LIBRARIES["jax"]}
    rates = {
        library: _rates(library, works, rules, tell) for library in libraries if works
    }
    found = {}
    for kind in NEEDED[work.suite]:
        each = {name: rate[kind] for name, rate in rates.items() if kind in rate}
        if (best := _best(kind, each)) is not None:
            found[kind] = best
        else:
            why = "; ".join(f"{name}: {reason}" for name, reason in each.items())
            tell(f"ceilings: no {kind}, so no floors: {why}")
    return found


def _best(kind: str, found: Mapping[str, float | str]) -> dict[str, Any] | None:
    """The fastest library; None if none has a rate."""
    rates = {name: x for name, x in found.items() if isinstance(x, float)}
    if not rates:
        return None
    best = max(rates, key=rates.__getitem__)
    return {
        "rate": rates[best],
        "library": best,
        "unit": KINDS[kind].unit,
        "meaning": KINDS[kind].meaning,
        "all": dict(found),
    }


def _rates(
    library: str,
    works: Sequence[CeilingWork],
    rules: Rules,
    tell: Callable[[str], None],
) -> dict[str, float | str]:
    """Of each kind the rate or the reason, in one process: starting takes longest."""
    works = [x for x in works if library == "jax" or x.kind != "dispatch"]
    order = {"threads": rules.threads, "allocator": True, "work": works[0].to_json()}
    found: dict[str, float | str] = {}
    with Worker(LIBRARIES[library], **order) as worker:
        for number, work in enumerate(works):
            tell(f"ceilings: {work.kind} by {library}")
            try:
                if number:
                    worker.ask(do="begin", work=work.to_json())
                else:
                    worker.answer()
                found[work.kind] = work.amount() / _seconds(worker, rules)
            except Refused as error:
                found[work.kind] = str(error)
    return found


def _seconds(worker: Worker, rules: Rules) -> float:
    bursts = [worker.ask(do="run", seconds=rules.burst / 2) for _ in range(ROUNDS)]
    return min(median(each["times"]) for each in bursts)


def floor(
    work: Work, program: Mapping[str, Any], ceilings: Mapping[str, Any]
) -> float | None:
    """The least seconds that a piece of work can take here.

    The longest of: its FLOPs at the rate of products of that kind, its arguments and
    outputs at the rate of memory, its exponentials at theirs; and a dispatch.

    Args:
      work: says which products it is made of, and its exponentials.
      program: of ours, with the declared FLOPs and the bytes.
      ceilings: from `measure`.

    Returns:
      None if FLOPs or ceilings are not known.
    """
    flops = program.get("flops")
    if not flops or not {*NEEDED[work.suite]} <= {*ceilings}:
        return None
    rate = {name: each["rate"] for name, each in ceilings.items()}
    if work.suite == "step":  # its arguments hold all the text, which it does not read
        return flops / rate["matmul"]
    moved = program["argument_bytes"] + program["output_bytes"]
    product = "batched" if work.suite == "attention" else "matmul"
    needs = [flops / rate[product], moved / rate["copy"]]
    if numbers := work.exponentials(flops):
        needs.append(numbers / rate["exp"])
    return max(needs) + 1 / rate["dispatch"]
