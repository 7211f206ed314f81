"""Sort: the letters of a word in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tasks import words
from experiments.tasks.lazy import jnp

if TYPE_CHECKING:
    from jax import Array


def answer(word: Array, size: Array) -> Array:
    """The letters in the order of the alphabet."""
    places = jnp.arange(word.size, dtype=jnp.int32)
    # What lies behind the word is larger than any letter.
    return jnp.sort(jnp.where(places < size, word, jnp.iinfo(jnp.int32).max))


TASK = words.declare(answer, "Deletang et al. 2022, arXiv 2207.02098 (bucket sort)")
