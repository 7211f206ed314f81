"""Reverse: a word backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tasks import words
from experiments.tasks.declaration import Declaration
from experiments.tasks.lazy import jnp

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch


def answer(word: Array, size: Array) -> Array:
    """The last letter first."""
    places = jnp.arange(word.size, dtype=jnp.int32)
    return word[(size - 1 - places).clip(0)]


def example(rng: Array, knobs: words.Options) -> Batch:
    """One word, the bar, and its answer; see `words.example`."""
    return words.example(rng, knobs, answer)


TASK = Declaration(
    knobs=words.Options,
    presets=words.PRESETS,
    example=example,
    symbols=words.symbols,
    facts=words.facts,
    prompt=words.prompt,
    whole=True,
    slices=words.SLICES,
    reference="Deletang et al. 2022, arXiv 2207.02098",
)
