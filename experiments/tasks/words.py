"""What copy, reverse and sort share: a word, a bar, an answer as long as the word."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
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

PRESETS = {
    "tiny": {"length": 10, "shortest": 4, "alphabet": 12},
    "small": {"length": 64, "shortest": 8, "alphabet": 26},
    "paper": {"length": 300, "shortest": 10, "alphabet": 26},
}
SLICES = "answer: place in the answer"


class Options(Knobs):
    """How long the word is, and how many letters there are."""

    length: Count = says(10, "letters of the longest word")
    shortest: Count = says(4, "letters of the shortest word")
    alphabet: Count = says(12, "letters to draw from")

    @property
    def context(self) -> int:
        return 2 * self.length

    @property
    def examples(self) -> float:
        return self.alphabet**self.shortest

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.shortest > self.length:
            yield "shortest", f"at most length={self.length}, got {self.shortest}."


def symbols(knobs: Options) -> tuple[str, ...]:
    """The letters, the bar, and what fills up after the answer."""
    return (*letters(knobs.alphabet), "|", ".")


def example(
    rng: Array, knobs: Options, answer: Callable[[Array, Array], Array]
) -> Batch:
    """`cabd|<answer>....`: the answer counts, and nothing else.

    Args:
      rng: draws the word and its length.
      knobs: of the task.
      answer: (word [length], its size) -> answer [length], of which `size` are read.

    Returns:
      tokens, targets, weights [2 length].
    """
    bar, blank = knobs.alphabet, knobs.alphabet + 1
    draw, cut = jax.random.split(rng)
    size = jax.random.randint(cut, (), knobs.shortest, knobs.length + 1)
    word = jax.random.randint(draw, (knobs.length,), 0, knobs.alphabet)
    place = jnp.arange(2 * knobs.length + 1, dtype=jnp.int32)
    said = answer(word, size)[(place - size - 1).clip(0, knobs.length - 1)]
    after = jnp.where(place <= 2 * size, said, blank)
    line = jnp.where(place == size, bar, after)
    line = jnp.where(place < size, word[place.clip(0, knobs.length - 1)], line)
    asked = place[:-1] - size + 1  # from 1, the place in the answer
    counts = (asked >= 1) & (asked <= size)
    slices = buckets("answer", asked, knobs.length)
    return task.Batch(line[:-1], line[1:], counts.astype(jnp.float32), slices)


def facts(knobs: Options) -> Facts:
    """Chance is one of the letters; the word says the rest."""
    return Facts(math.log(knobs.alphabet), 1 / knobs.alphabet)


def prompt(knobs: Options) -> str:
    """The last letters there are, and the bar."""
    words = letters(knobs.alphabet)[-knobs.shortest :]
    return ("" if len(words[-1]) == 1 else " ").join((*words, "|"))


def declare(answer: Callable[[Array, Array], Array], reference: str) -> Declaration:
    """The task of giving an answer to a word; see `example`."""
    return Declaration(
        knobs=Options,
        presets=PRESETS,
        example=partial(example, answer=answer),
        symbols=symbols,
        facts=facts,
        prompt=prompt,
        whole=True,
        slices=SLICES,
        reference=reference,
    )
