"""What the machine can do at most, measured in the same run: the floors of the rest.

The best of several libraries counts, so that no contender is above its ceiling only
because one library is slow at it.
"""

from collections.abc import Callable, Mapping
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
    "matmul": Kind("FLOP/s", "product of square matrices, 1024"),
    "batched": Kind("FLOP/s", "16 products of [512, 64] and [64, 512]"),
    "copy": Kind("bytes/s", "copy of 256 MiB, read and written"),
    "exp": Kind("exp/s", "exponential of 64 Ki numbers, which stay in the cache"),
    "dispatch": Kind("calls/s", "jitted identity of one number"),
}
# The work of a call: what its rate is counted in.
AMOUNTS = {
    "matmul": 2 * 1024**3,
    "batched": 16 * 2 * 512 * 512 * 64,
    "copy": 2 * 256 * 2**20,
    "exp": 2**16,
    "dispatch": 1,
}


def measure(
    rules: Rules, tell: Callable[[str], None] = lambda _: None
) -> dict[str, dict[str, Any]]:
    """The rates of this machine.

    Returns:
      kind -> `rate` of the best library, its `library`, `unit`, `meaning`, and `all`
      with the rate of each library or why it has none.
    """
    return {kind: _best(kind, rules, tell) for kind in KINDS}


def _best(kind: str, rules: Rules, tell: Callable[[str], None]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for library, target in LIBRARIES.items():
        tell(f"ceilings: {kind} by {library}")
        try:
            found[library] = AMOUNTS[kind] / _seconds(kind, target, rules)
        except Refused as error:
            found[library] = str(error)
    rates = {name: x for name, x in found.items() if isinstance(x, float)}
    best = max(rates, key=rates.__getitem__)
    return {
        "rate": rates[best],
        "library": best,
        "unit": KINDS[kind].unit,
        "meaning": KINDS[kind].meaning,
        "all": found,
    }


def _seconds(kind: str, target: str, rules: Rules) -> float:
    order = {"threads": rules.threads, "allocator": True}
    with Worker(target, work=CeilingWork(kind).to_json(), **order) as worker:
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
    if not ceilings or not flops:
        return None
    rate = {name: each["rate"] for name, each in ceilings.items()}
    moved = program["argument_bytes"] + program["output_bytes"]
    product = "batched" if work.suite == "attention" else "matmul"
    needs = [flops / rate[product]]
    if work.suite != "step":  # its arguments hold all the text, which it does not read
        needs.append(moved / rate["copy"])
    needs.append(work.exponentials(flops) / rate["exp"])
    return max(needs) + (1 / rate["dispatch"] if work.suite != "step" else 0.0)
