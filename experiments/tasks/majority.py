"""Majority: which symbol stands most often in a line?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.config.fields import Count
from experiments.config.knobs import Knobs
from experiments.config.section import says
from experiments.tasks.declaration import Declaration, Facts, letters
from experiments.tasks.lazy import jax, jnp
from experiments.tasks.phrases import END_SYMBOL, Text, labelled
from experiments.tasks.slices import buckets

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch


class Options(Knobs):
    """How long a line is, and how many symbols stand in it."""

    length: Count = says(32, "tokens of the longest line")
    shortest: Count = says(16, "tokens of the shortest line")
    symbols: Count = says(5, "symbols, each a class")

    @property
    def context(self) -> int:
        return self.length

    @property
    def examples(self) -> float:
        return float(self.symbols) ** min(self.length, 64)

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.symbols < 2:
            yield "symbols", f"expected at least 2, got {self.symbols}."
        elif self.shortest > self.length:
            yield "shortest", f"at most length={self.length}, got {self.shortest}."
        elif self.shortest < 3:
            yield "shortest", f"expected at least 3, got {self.shortest}."


def example(rng: Array, knobs: Options) -> Batch:
    """A line in which one symbol stands more often than any other.

    Where two lead, one token of another kind is made the winner's: the margin is small
    most of the time, so that all tokens have to be counted.

    Returns:
      tokens [T] and the winner, a class.
    """
    which_size, which_line, which_win = jax.random.split(rng, 3)
    size = jax.random.randint(which_size, (), knobs.shortest, knobs.length + 1)
    there = jnp.arange(knobs.length) < size
    line = jax.random.randint(which_line, (knobs.length,), 0, knobs.symbols)
    count = lambda line: jnp.where(there, line, -1)[:, None] == kinds  # noqa: E731
    kinds = jnp.arange(knobs.symbols, dtype=jnp.int32)[None]
    counts = count(line).sum(0, dtype=jnp.int32)
    # Among those that lead any may win, or the first symbol would win more often.
    chosen = jax.random.uniform(which_win, counts.shape)
    winner = jnp.argmax(counts.astype(jnp.float32) + chosen)
    ties = (counts == counts.max()).sum() > 1
    other = jnp.argmax(there & (line != winner))
    line = jnp.where(ties, line.at[other].set(winner), line)
    ranked = jnp.sort(count(line).sum(0, dtype=jnp.int32))
    margins = buckets("margin", ranked[-1] - ranked[-2], knobs.length, first=2)
    text = Text(jnp.where(there, line + 1, 0), size)
    return labelled(text, winner, margins)


def facts(knobs: Options) -> Facts:
    """No symbol is likelier than another; who counts knows."""
    return Facts(math.log(knobs.symbols), 1 / knobs.symbols)


TASK = Declaration(
    knobs=Options,
    presets={
        "tiny": {"length": 32, "shortest": 16, "symbols": 5},
        "small": {"length": 128, "shortest": 64, "symbols": 11},
        "paper": {"length": 512, "shortest": 256, "symbols": 26},
    },
    example=example,
    symbols=lambda knobs: (END_SYMBOL, *letters(knobs.symbols)),
    classes=lambda knobs: letters(knobs.symbols),
    facts=facts,
    model="classifier",
    prompt=lambda knobs: "".join(letters(2)[i % 3 // 2] for i in range(knobs.shortest)),
    slices="margin: how far the winner leads",
    reference="Merrill et al. 2022, arXiv 2106.16213 (majority by saturated attention)",
)
