"""What the machine can do at most, measured in the same run: the floors of the rest.

The best of several libraries counts, so that no contender is above its ceiling only
because one library is slow at it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
# What the floors of a suite rest on.
NEEDED = {
    "attention": ("matmul", "batched", "copy", "exp", "dispatch"),
    "layer": ("matmul", "copy", "dispatch"),
    "step": ("matmul",),
    "compile": (),
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
      with the rate of each library or why it has none.
    """
    dtype = getattr(work, "dtype", "float32")
    found = {}
    for kind in NEEDED[work.suite]:
        one = CeilingWork(kind, "float32" if platform == "cpu" else dtype)
        if platform != "cpu":
            one = replace(one, scale=BIG)
        tell(f"ceilings: {kind}")
        found[kind] = _best(one, rules, platform)
    return found


def _best(work: CeilingWork, rules: Rules, platform: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for library, target in LIBRARIES.items():
        if library != "jax" and (work.kind == "dispatch" or platform != "cpu"):
            continue
        try:
            found[library] = work.amount() / _seconds(work, target, rules)
        except Refused as error:
            found[library] = str(error)
    rates = {name: x for name, x in found.items() if isinstance(x, float)}
    best = max(rates, key=rates.__getitem__)
    return {
        "rate": rates[best],
        "library": best,
        "unit": KINDS[work.kind].unit,
        "meaning": KINDS[work.kind].meaning,
        "all": found,
    }


def _seconds(work: CeilingWork, target: str, rules: Rules) -> float:
    order = {"threads": rules.threads, "allocator": True}
    with Worker(target, work=work.to_json(), **order) as worker:
        worker.answer()
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
