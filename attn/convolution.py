"""The short convolution: what a few neighbours before a token add to it."""

import jax
import jax.numpy as jnp
from jax import Array

from attn.functional import along_last, widen


def short_convolution(x: Array, taps: Array, segment: Array | None = None) -> Array:
    """Adds to each token a weighted sum of itself and the tokens just before it.

        y[t] = x[t] + sum_j taps[j] * x[t - j],  j = 0 .. W - 1

    Every feature has weights of its own. What stands before the text is 0, and so are
    the tokens of another segment, whatever they hold.

    Args:
      x: [..., T, D].
      taps: [W, D]; row j weighs the token j places before.
      segment: [..., T] ints, the document of each token; None means one document.

    Returns:
      [..., T, D], dtype of `x`; sums are float32 or wider. "Before" is by storage
      order, not by position.

    Raises:
      ValueError: A shape does not fit; the message names the axis.

    Reference: Allen-Zhu 2025, arXiv 2512.17351 (Canon layers, with this
      residual); Gu and Dao 2023, section 3.4, arXiv 2312.00752 (before a mixer).
    """
    check_shapes(x, taps, segment)
    # Shifted copies, and no convolution: XLA:CPU takes 100 times as long over one with
    # a group for each feature.
    wide = widen(x)
    weights = [along_last(row, wide) for row in taps]
    added = wide * weights[0]
    for j in range(1, min(len(weights), x.shape[-2])):
        earlier = shifted(wide, j)
        if segment is not None:
            earlier = jnp.where(repeats(segment, j, x), earlier, 0)
        added = added + earlier * weights[j]
    return (wide + added).astype(x.dtype)


def check_shapes(x: Array, taps: Array, segment: Array | None) -> None:
    """Refuses what does not fit together.

    Raises:
      ValueError: the message names the axis.
    """
    if x.ndim < 2:
        raise ValueError(f"short_convolution: `x` must be [..., T, D], got {x.shape}.")
    if taps.ndim != 2 or not len(taps) or taps.shape[1] != x.shape[-1]:
        raise ValueError(
            f"short_convolution: `taps` must be [W, D] with W at least 1 and "
            f"D={x.shape[-1]}, got {taps.shape}."
        )
    if segment is None:
        return
    both = zip(segment.shape[::-1], x.shape[-2::-1], strict=False)
    fits = all(size in (1, expected) for size, expected in both)
    if not fits or segment.ndim >= x.ndim or segment.shape[-1:] != x.shape[-2:-1]:
        raise ValueError(
            f"short_convolution: `segment` must be [..., T] = {list(x.shape[:-1])} or "
            f"what broadcasts to it, with all T, got {segment.shape}."
        )


def shifted(x: Array, places: int) -> Array:
    """What stood so many places before each token, zeros where nothing did."""
    kept = jax.lax.slice_in_dim(x, 0, x.shape[-2] - places, axis=-2)
    edge = [(0, 0)] * (x.ndim - 2) + [(places, 0), (0, 0)]
    return jnp.pad(kept, edge)


def repeats(segment: Array, places: int, like: Array) -> Array:
    """Whether a token's document is that of so many places before: [..., T, 1] bool."""
    is_same = segment[..., places:] == segment[..., :-places]
    edge = [(0, 0)] * (is_same.ndim - 1) + [(places, 0)]
    is_same = jnp.pad(is_same, edge)[..., None]
    return is_same.reshape((1,) * (like.ndim - is_same.ndim) + is_same.shape)
