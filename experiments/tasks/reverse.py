"""Reverse: a word backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tasks import words
from experiments.tasks.lazy import jnp

if TYPE_CHECKING:
    from jax import Array


def answer(word: Array, size: Array) -> Array:
    """The last letter first."""
    places = jnp.arange(word.size, dtype=jnp.int32)
    return word[(size - 1 - places).clip(0)]


TASK = words.declare(answer, "Deletang et al. 2022, arXiv 2207.02098")
