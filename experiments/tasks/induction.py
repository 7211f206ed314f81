"""Induction: pieces of a block come again; what followed a symbol before follows it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count, Rate
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts, letters
from experiments.tasks.lazy import jax, jnp, task
from experiments.tasks.slices import buckets, spread

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch


class Options(Knobs):
    """How long the line is, and the block that it repeats."""

    length: Count = says(32, "tokens of an example")
    symbols: Count = says(16, "symbols to draw from, each at most once in a block")
    shortest: Count = says(4, "symbols of the shortest block")
    longest: Count = says(12, "symbols of the longest block")
    cuts: Rate = says(0.2, "share of places where a bar ends a piece of the block")

    @property
    def context(self) -> int:
        return self.length

    @property
    def examples(self) -> float:
        return math.perm(self.symbols, min(self.shortest, self.symbols))

    def problems(self) -> Iterator[tuple[str, str]]:
        most = min(self.symbols, self.length - 1)
        if self.longest > most:
            yield (
                "longest",
                f"at most {most} fit {self.symbols} symbols and length {self.length},"
                f" got {self.longest}.",
            )
        elif self.shortest > self.longest:
            yield "shortest", f"at most longest={self.longest}, got {self.shortest}."


def example(rng: Array, knobs: Options) -> Batch:
    """`dacbd|cbd|acbda|b`: once a symbol has been seen, its successor can be known.

    The block is shown once, round to its first symbol; then come pieces of it that
    start anywhere. Without these cuts the symbol not seen for longest would always be
    next, and no one would have to look up what followed; nor does counting back help,
    since the length of the block is drawn too.

    Returns:
      tokens, targets, weights [length]; a target counts if its token was seen before
      and neither is a bar.
    """
    order, size, cut, start = jax.random.split(rng, 4)
    period = jax.random.randint(size, (), knobs.shortest, knobs.longest + 1)
    block = jnp.argsort(jax.random.bits(order, (knobs.symbols,))).astype(jnp.int32)
    place = jnp.arange(knobs.length + 1, dtype=jnp.int32)
    is_bar = jax.random.bernoulli(cut, knobs.cuts, place.shape) & (place > period)
    jumps = jax.random.randint(start, place.shape, 0, period)
    shift = jnp.cumsum(jnp.where(is_bar, jumps, 0))
    line = jnp.where(is_bar, knobs.symbols, block[(place + shift) % period])
    counts = (place[:-1] >= period) & ~is_bar[:-1] & ~is_bar[1:]
    sizes = buckets("block", period, knobs.longest, fewest=knobs.shortest)
    weights = counts.astype(jnp.float32)
    return task.Batch(line[:-1], line[1:], weights, spread(sizes, counts))


def facts(knobs: Options) -> Facts:
    """Chance is one of the symbols; what was seen says the rest."""
    return Facts(math.log(knobs.symbols), 1 / knobs.symbols)


def prompt(knobs: Options) -> str:
    """Every symbol once in a block of the shortest length, and the first one again."""
    words = letters(knobs.symbols)
    block = words[: knobs.shortest]
    return ("" if len(words[-1]) == 1 else " ").join((*block, block[0]))


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 32, "symbols": 16, "shortest": 4, "longest": 12},
        "small": {"length": 128, "symbols": 64, "shortest": 8, "longest": 48},
        "paper": {"length": 256, "symbols": 128, "shortest": 16, "longest": 96},
    },
    example=example,
    symbols=lambda knobs: (*letters(knobs.symbols), "|"),
    facts=facts,
    prompt=prompt,
    slices="block: how many symbols there are to tell apart",
    reference="Olsson et al. 2022, arXiv 2209.11895 (repeated random symbols)",
)
