"""Multi-query associative recall (MQAR), as published."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count, Flag, Positive
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp, task
from experiments.tasks.slices import buckets, spread

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

BLANK = 0


class Options(Knobs):
    """How many pairs to remember, in how long a text, out of how many symbols."""

    length: Count = says(32, "tokens of an example")
    pairs: Count = says(4, "pairs of a key and a value, each asked for once")
    fewest: Count | None = says(None, "draws the number of pairs from here (null: no)")
    symbols: Count = says(32, "half are keys, half values, one is blank")
    power: Positive = says(
        0.01, "gaps have density power * gap ** (power - 1); 1: flat"
    )
    noise: Flag = says(False, "random symbols where nothing is asked; else blanks")

    @property
    def context(self) -> int:
        return self.length

    @property
    def low(self) -> int:
        """The smallest number of pairs."""
        return self.fewest or self.pairs

    @property
    def keys(self) -> int:
        """Keys are the tokens 1 ... keys; token 0 is the blank."""
        return self.symbols // 2 - 1

    @property
    def values(self) -> int:
        """Values are the last so many tokens."""
        return self.symbols - self.symbols // 2

    @property
    def examples(self) -> float:
        return math.perm(self.keys, self.low) * math.perm(self.values, self.low)

    def problems(self) -> Iterator[tuple[str, str]]:
        # A pair takes two tokens, and its query two more.
        most = min(self.length // 4, self.keys)
        if self.length % 2:
            yield "length", f"must be even, got {self.length}."
        elif self.pairs > most:
            yield (
                "pairs",
                f"at most {max(most, 0)} fit length {self.length} and {self.symbols}"
                f" symbols (4 tokens and a key each), got {self.pairs}.",
            )
        elif self.low > self.pairs:
            yield "fewest", f"at most pairs={self.pairs}, got {self.fewest}."


def example(rng: Array, knobs: Options) -> Batch:
    """`k2 v8 k4 v7 . . k4 . . . k2 .`: at each query its value is wanted.

    Pairs come first. Queries stand at even places behind them; their gaps are drawn
    without replacement from a power law, so that most are near.

    Returns:
      tokens, targets, weights [length].

    Reference: Arora et al. 2023, section 3, arXiv 2312.04927, and its generator.
    """
    draw = jax.random.split(rng, 5)
    slots, number = knobs.length // 2, jnp.arange(knobs.pairs, dtype=jnp.int32)
    count = jax.random.randint(draw[0], (), knobs.low, knobs.pairs + 1)
    used = number < count
    keys = 1 + _some(draw[1], knobs.keys, knobs.pairs)
    values = knobs.symbols - knobs.values + _some(draw[2], knobs.values, knobs.pairs)
    gaps = _gaps(draw[3], slots, slots - count, knobs)
    nowhere = knobs.length  # scatters drop what lies there
    queries = jnp.where(used, 2 * (count + gaps), nowhere)
    pairs = jnp.where(used, 2 * number, nowhere)
    fill = jax.random.randint(draw[4], (knobs.length,), 0, knobs.symbols)
    line = fill if knobs.noise else jnp.full_like(fill, BLANK)
    line = line.at[pairs].set(keys).at[pairs + 1].set(values).at[queries].set(keys)
    none = jnp.zeros(knobs.length, jnp.int32)
    targets = none.at[queries].set(values)
    distance = none.at[queries].set(queries - pairs)
    slices = buckets("gap", distance, knobs.length)
    if knobs.low < knobs.pairs:
        by_number = buckets("pairs", count, knobs.pairs, fewest=knobs.low, first=4)
        slices |= spread(by_number, targets)
    return task.Batch(line, targets, (distance > 0).astype(jnp.float32), slices)


def _some(rng: Array, most: int, count: int) -> Array:
    """`count` different numbers below `most`."""
    order = jnp.argsort(jax.random.bits(rng, (most,)))
    return order[:count].astype(jnp.int32)


def _gaps(rng: Array, slots: int, room: Array, knobs: Options) -> Array:
    """[pairs] different gaps below `room`, each drawn from what the others left.

    The largest of log-probabilities plus Gumbel noise are such draws.
    """
    gap = jnp.arange(slots, dtype=jnp.int32)
    likely = (knobs.power - 1) * jnp.log1p(gap.astype(jnp.float32))
    score = jnp.where(gap < room, likely + jax.random.gumbel(rng, (slots,)), -jnp.inf)
    return jnp.argsort(-score)[: knobs.pairs].astype(jnp.int32)


def symbols(knobs: Options) -> tuple[str, ...]:
    """The blank, keys, values."""
    keys = (f"k{i}" for i in range(1, knobs.keys + 1))
    values = (f"v{i}" for i in range(1, knobs.values + 1))
    return (".", *keys, *values)


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 32, "pairs": 4, "symbols": 32},
        "small": {"length": 128, "pairs": 8, "symbols": 1024, "noise": True},
        "paper": {"length": 256, "pairs": 16, "symbols": 8192, "noise": True},
    },
    example=example,
    symbols=symbols,
    facts=lambda knobs: Facts(math.log(knobs.values), 1 / knobs.values),
    prompt="k1 v1 k2 v2 k2",
    slices="gap: tokens between a pair and its query; pairs: how many there are",
    reference="Arora et al. 2023 (Zoology), arXiv 2312.04927",
)
