"""Copy: a word again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tasks import words
from experiments.tasks.declaration import Declaration

if TYPE_CHECKING:
    from jax import Array

    from experiments.tasks.task import Batch


def answer(word: Array, size: Array) -> Array:
    """The word itself."""
    del size
    return word


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
    reference="Jelassi et al. 2024, arXiv 2402.01032",
)
