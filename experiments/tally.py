"""What one batch adds to a score: sums over its targets, its slices, its examples."""

from typing import Any

import jax.numpy as jnp
from jax import Array

SUMS = ("loss", "weight", "correct")
WHOLE = "exact_match"  # the part that counts examples, not targets


def tally(batch: Any, logits: Array, nats: Array, *, whole: bool) -> dict[str, Array]:
    """Sums over one batch, each a float32 scalar.

    Args:
      batch: its targets, weights and slices count.
      logits: [..., V], one row for each target.
      nats: of each target.
      whole: counts examples that are right at every counted target, too.

    Returns:
      SUMS of all targets, and of each part under `part/loss`, `part/weight` and
      `part/correct`. A part is a slice or, with `whole`, the examples.
    """
    right = logits.argmax(-1) == batch.targets
    sums = _sums("", batch.weights, nats, right)
    for name, inside in batch.slices.items():
        sums |= _sums(f"{name}/", jnp.where(inside, batch.weights, 0.0), nats, right)
    if whole:
        counts = batch.weights > 0
        axes = tuple(range(1, counts.ndim))
        each = (right | ~counts).all(axes)
        lost = jnp.where(counts, nats, 0.0).sum(axes)
        sums |= _sums(f"{WHOLE}/", counts.any(axes).astype(jnp.float32), lost, each)
    return sums


def _sums(prefix: str, weights: Array, nats: Array, right: Array) -> dict[str, Array]:
    hits = jnp.where(right, weights, 0.0)
    found = ((nats * weights).sum(), weights.sum(), hits.sum())
    return {prefix + name: each for name, each in zip(SUMS, found, strict=True)}
