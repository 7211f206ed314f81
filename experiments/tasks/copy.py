"""Copy: a word again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tasks import words

if TYPE_CHECKING:
    from jax import Array


def answer(word: Array, size: Array) -> Array:
    """The word itself."""
    del size
    return word


TASK = words.declare(answer, "Jelassi et al. 2024, arXiv 2402.01032")
