"""Brackets: is a line of brackets balanced? Those that are not miss by little."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp
from experiments.tasks.phrases import END_SYMBOL, Text, labelled

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

PAIRS = ("()", "[]", "{}", "<>")
MISSES = ("other", "crossed", "early")  # ways to be wrong; see `broken`


class Options(Knobs):
    """How long a line is, and how many kinds of brackets it has."""

    length: Count = says(24, "tokens of the longest line; even")
    shortest: Count = says(12, "tokens of the shortest line; even")
    kinds: Count = says(2, "kinds of brackets, of ()[]{}<>")

    @property
    def context(self) -> int:
        return self.length

    @property
    def examples(self) -> float:
        return (2.0 * self.kinds) ** min(self.length // 2, 64)

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.length % 2 or self.shortest % 2:
            key = "length" if self.length % 2 else "shortest"
            got = f"got {self.length if self.length % 2 else self.shortest}."
            yield key, f"expected an even number, since brackets come in pairs, {got}"
        elif not 4 <= self.shortest <= self.length:
            got = f"got {self.shortest}."
            yield "shortest", f"expected 4 to length={self.length}, {got}"
        elif self.kinds > len(PAIRS):
            yield "kinds", f"there are {len(PAIRS)} kinds, got {self.kinds}."


def example(rng: Array, knobs: Options) -> Batch:
    """Half of the lines are balanced, half are spoilt in one place.

    Returns:
      tokens [T]; token 1 + 2 k opens and 2 + 2 k closes kind k; class 1 is balanced.
    """
    keys = jax.random.split(rng, 5)
    size = jax.random.randint(keys[0], (), knobs.shortest // 2, knobs.length // 2 + 1)
    opens = walk(keys[1], 2 * size, knobs.length)
    there = jnp.arange(knobs.length) < 2 * size
    partner = partners(opens & there)
    kind = jax.random.randint(keys[2], (knobs.length,), 0, knobs.kinds)
    kind = jnp.where(opens, kind, kind[partner])
    line = 1 + 2 * kind + (~opens).astype(jnp.int32)
    good = jax.random.bernoulli(keys[3])
    bad, miss = broken(keys[4], line, there, partner, knobs.kinds)
    text = Text(jnp.where(there, jnp.where(good, line, bad), 0), 2 * size)
    misses = {name: ~good & (miss == i) for i, name in enumerate(MISSES)}
    return labelled(text, good, {"balanced": good, **misses})


def walk(rng: Array, size: Array, most: int) -> Array:
    """Which brackets open [most], of a line of `size`: every line is as likely.

    Reference:
      Arnold, Sleep 1980, "Uniform random generation of balanced parenthesis strings".
    """

    def step(depth: Array, this: tuple[Array, Array]) -> tuple[Array, Array]:
        draw, place = this
        left = size - place
        share = (depth + 2) * (left - depth) / (2 * (depth + 1) * jnp.maximum(left, 1))
        opens = draw < share
        return depth + jnp.where(opens, 1, -1), opens

    draws = jax.random.uniform(rng, (most,))
    start = jnp.int32(0)
    return jax.lax.scan(step, start, (draws, jnp.arange(most, dtype=jnp.int32)))[1]


def partners(opens: Array) -> Array:
    """For each closing bracket the place of the one that it closes: [T] to [T]."""
    places = jnp.arange(opens.size, dtype=jnp.int32)
    after = jnp.cumsum(jnp.where(opens, 1, -1), dtype=jnp.int32)
    # The latest that opened to the depth from which this one comes down.
    fits = (places[None] < places[:, None]) & opens[None]
    fits &= after[None] == after[:, None] + 1
    return jnp.where(fits, places[None], 0).max(1)


def broken(
    rng: Array, line: Array, there: Array, partner: Array, kinds: int
) -> tuple[Array, Array]:
    """The line spoilt in one of the ways of MISSES, and which; never balanced.

    other: one bracket is turned round or, with more kinds, into one of another kind.
    crossed: two closing brackets of different kinds change places, as in ([)].
    early: a pair that nothing surrounds closes where it should open; all counts hold.
    """
    which, where, what = jax.random.split(rng, 3)
    odds = jax.random.uniform(where, (3, line.size))
    pick = lambda row, fits: jnp.argmax(jnp.where(fits & there, odds[row], -1))  # noqa: E731
    place = pick(0, there)
    change = jax.random.randint(what, (), 1, 2 * kinds)
    other = line.at[place].set(1 + (line[place] - 1 + change) % (2 * kinds))
    closes = line % 2 == 0
    first = pick(1, closes)
    second = pick(2, closes & (line != line[first]))
    crossed = line.at[first].set(line[second]).at[second].set(line[first])
    depth = jnp.cumsum(jnp.where(closes, -1, 1), dtype=jnp.int32)
    end = pick(1, closes & (depth == 0))
    early = line.at[end].set(line[partner[end]]).at[partner[end]].set(line[end])
    can_cross = (closes & there & (line != line[first])).any()
    miss = jax.random.randint(which, (), 0, len(MISSES))
    miss = jnp.where((miss == 1) & ~can_cross, 2, miss)
    return jnp.stack([other, crossed, early])[miss], miss


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 24, "shortest": 12, "kinds": 2},
        "small": {"length": 64, "shortest": 16, "kinds": 3},
        "paper": {"length": 256, "shortest": 64, "kinds": 4},
    },
    example=example,
    symbols=lambda knobs: (END_SYMBOL, *"".join(PAIRS[: knobs.kinds])),
    classes=lambda knobs: ("not balanced", "balanced"),
    facts=lambda knobs: Facts(math.log(2), 0.5),
    model="classifier",
    prompt="(()(()))()()",
    slices="balanced; other, crossed, early: how a line was spoilt",
    reference="Hewitt et al. 2020, arXiv 2010.07515 (bounded Dyck languages)",
)
