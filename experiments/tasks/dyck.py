"""Dyck languages: which bracket closes here?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts
from experiments.tasks.lazy import jax, jnp, task
from experiments.tasks.slices import buckets

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch

OPEN, CLOSE = "([{<", ")]}>"


class Options(Knobs):
    """How many kinds of bracket, how deep, how long."""

    length: Count = says(32, "brackets of a word; even")
    kinds: Count = says(3, "kinds of bracket")
    depth: Count = says(6, "brackets that may be open at once")

    @property
    def context(self) -> int:
        return self.length - 1

    @property
    def examples(self) -> float:
        return self.kinds ** (self.length // 2)

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.length % 2:
            yield "length", f"must be even, got {self.length}."
        elif self.depth > self.length // 2:
            yield (
                "depth",
                f"at most {self.length // 2} fit length {self.length}, got"
                f" {self.depth}.",
            )


def example(rng: Array, knobs: Options) -> Batch:
    """`([]{})`: where a bracket closes, its kind is that of the last one still open.

    At each place a coin decides between opening and closing, unless only one of the two
    can end well. Only closing brackets count: what opens is chance.

    Returns:
      tokens, targets, weights [length - 1].

    Reference: Yao et al. 2021, section 3 (bounded depth), arXiv 2105.11115.
    """
    coins, draw = jax.random.split(rng)
    opens = jax.random.bernoulli(coins, shape=(knobs.length,))
    kinds = jax.random.randint(draw, (knobs.length,), 0, knobs.kinds)
    left = jnp.arange(knobs.length, 0, -1, dtype=jnp.int32)

    def step(carry: tuple[Array, Array], x: tuple[Array, Array, Array]):
        stack, height = carry
        wants, kind, left = x
        is_free = (height < knobs.depth) & (height < left)
        opening = (height == 0) | (is_free & wants)
        top = stack[(height - 1).clip(0)]
        token = jnp.where(opening, kind, knobs.kinds + top)
        # Where nothing is pushed the index lies outside, and the write is dropped.
        stack = stack.at[jnp.where(opening, height, knobs.depth)].set(kind, mode="drop")
        after = height + jnp.where(opening, 1, -1)
        return (stack, after), (token, jnp.where(opening, 0, height))

    start = (jnp.zeros(knobs.depth, jnp.int32), jnp.int32(0))
    line, closed = jax.lax.scan(step, start, (opens, kinds, left))[1]
    depth = closed[1:]  # of the bracket that closes, 0 where one opens
    counts = (depth > 0).astype(jnp.float32)
    slices = buckets("depth", depth, knobs.depth, first=2)
    return task.Batch(line[:-1], line[1:], counts, slices)


def symbols(knobs: Options) -> tuple[str, ...]:
    """Opening brackets, then closing ones; beyond four kinds they have numbers."""
    if knobs.kinds <= len(OPEN):
        return (*OPEN[: knobs.kinds], *CLOSE[: knobs.kinds])
    numbered = range(knobs.kinds)
    return (*(f"({i}" for i in numbered), *(f"{i})" for i in numbered))


def prompt(knobs: Options) -> str:
    """The first and the last kind, open."""
    words = symbols(knobs)
    first, last = words[0], words[knobs.kinds - 1]
    return f"{first}{' ' if len(first) > 1 else ''}{last}"


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 32, "kinds": 3, "depth": 6},
        "small": {"length": 128, "kinds": 8, "depth": 10},
        "paper": {"length": 700, "kinds": 8, "depth": 10},
    },
    example=example,
    symbols=symbols,
    facts=lambda knobs: Facts(math.log(knobs.kinds), 1 / knobs.kinds),
    prompt=prompt,
    slices="depth: brackets open where one closes",
    reference="Yao et al. 2021, arXiv 2105.11115",
)
