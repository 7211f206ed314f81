"""Parity: is the number of ones so far odd?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count, Flag
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp, task
from experiments.tasks.slices import buckets

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch


class Options(Knobs):
    """How many bits, and where their parity is asked."""

    length: Count = says(16, "bits of the longest line")
    shortest: Count = says(1, "bits of the shortest line")
    running: Flag = says(True, "asks after every bit; else at the end of the line only")

    @property
    def context(self) -> int:
        return self.length

    @property
    def examples(self) -> float:
        return 2**self.length

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.shortest > self.length:
            yield "shortest", f"at most length={self.length}, got {self.shortest}."


def example(rng: Array, knobs: Options) -> Batch:
    """Random bits; the target at a place is the parity of all bits up to it.

    Bits behind the end of a line are drawn too, but nothing is asked there.

    Returns:
      tokens, targets, weights [length].
    """
    draw, cut = jax.random.split(rng)
    bits = jax.random.randint(draw, (knobs.length,), 0, 2)
    size = jax.random.randint(cut, (), knobs.shortest, knobs.length + 1)
    place = jnp.arange(1, knobs.length + 1, dtype=jnp.int32)
    counts = place <= size if knobs.running else place == size
    odd = jnp.cumsum(bits) % 2
    slices = buckets("bits", place, knobs.length)
    return task.Batch(bits, odd, counts.astype(jnp.float32), slices)


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 16, "shortest": 1, "running": True},
        "small": {"length": 40, "shortest": 1, "running": False},
        "paper": {"length": 128, "shortest": 4, "running": False},
    },
    example=example,
    symbols=lambda knobs: ("0", "1"),
    facts=lambda knobs: Facts(math.log(2), 0.5),
    prompt="0110",
    slices="bits: how many there are so far",
    reference="Hahn 2020, arXiv 1906.06755",
)
