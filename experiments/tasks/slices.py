"""Parts of a batch to report apart, each a name and a bool of the targets' shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.tasks.lazy import jnp

if TYPE_CHECKING:
    from jax import Array

FIRST = 8  # the first bucket; each further one is as wide as all before it


def buckets(
    name: str, values: Array, most: int, *, fewest: int = 1, first: int = FIRST
) -> dict[str, Array]:
    """Targets by the size of something: `gap_1-8`, `gap_9-16`, `gap_17-32`, ...

    Args:
      name: of what is measured.
      values: integers from `fewest` to `most`, of the targets' shape or one for all.
      most: no value is larger; it decides how many buckets there are.
      fewest: no value is smaller.
      first: the end of the first bucket.
    """
    found, low, high = {}, fewest, max(first, fewest)
    while low <= most:
        last = min(high, most)
        label = f"{name}_{low}-{last}" if last > low else f"{name}_{low}"
        found[label] = (values >= low) & (values <= last)
        low, high = high + 1, 2 * high
    return found


def spread(slices: dict[str, Array], like: Array) -> dict[str, Array]:
    """Slices of whole examples, said of each of their targets."""
    return {name: jnp.broadcast_to(each, like.shape) for name, each in slices.items()}
