"""Selective copy: a few letters lie scattered in noise; write them in order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts, letters
from experiments.tasks.lazy import jax, jnp, task
from experiments.tasks.slices import buckets

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch


class Options(Knobs):
    """How many letters, in how much noise."""

    length: Count = says(32, "letters and noise together")
    items: Count = says(6, "letters to remember")
    alphabet: Count = says(12, "letters to draw from")

    @property
    def context(self) -> int:
        return self.length + self.items

    @property
    def examples(self) -> float:
        return self.alphabet**self.items * math.comb(self.length, self.items)

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.items > self.length:
            yield "items", f"at most length={self.length} fit, got {self.items}."


def example(rng: Array, knobs: Options) -> Batch:
    """`..a.c...b..|acb`: what stands behind the bar counts.

    The answer is read token by token, as a language model writes it; the publication
    asks for it at markers instead.

    Returns:
      tokens, targets, weights [length + items].
    """
    draw, spread = jax.random.split(rng)
    noise, bar = knobs.alphabet, knobs.alphabet + 1
    items = jax.random.randint(draw, (knobs.items,), 0, knobs.alphabet)
    order = jnp.argsort(jax.random.bits(spread, (knobs.length,)))
    chosen = jnp.zeros(knobs.length, bool).at[order[: knobs.items]].set(True)
    number = (jnp.cumsum(chosen) - 1).clip(0)
    field = jnp.where(chosen, items[number], noise)
    line = jnp.concatenate([field, jnp.full(1, bar, jnp.int32), items])
    asked = jnp.arange(line.size - 1, dtype=jnp.int32) - knobs.length + 1
    counts = (asked >= 1).astype(jnp.float32)
    slices = buckets("answer", asked, knobs.items)
    return task.Batch(line[:-1], line[1:], counts, slices)


def prompt(knobs: Options) -> str:
    """The first letters of the alphabet after some noise, and the bar."""
    words = letters(knobs.alphabet)
    items = [words[i % knobs.alphabet] for i in range(knobs.items)]
    blanks = "." * (knobs.length - knobs.items)
    return ("" if len(words[-1]) == 1 else " ").join((*blanks, *items, "|"))


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 32, "items": 6, "alphabet": 12},
        "small": {"length": 256, "items": 16, "alphabet": 16},
        "paper": {"length": 4096, "items": 16, "alphabet": 16},
    },
    example=example,
    symbols=lambda knobs: (*letters(knobs.alphabet), ".", "|"),
    facts=lambda knobs: Facts(math.log(knobs.alphabet), 1 / knobs.alphabet),
    prompt=prompt,
    whole=True,
    slices="answer: place in the answer",
    reference="Gu and Dao 2023, section 3.1, arXiv 2312.00752",
)
