"""Which dtype sums run in, and sums, maxima and logs that survive NaN and -inf."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def accumulation_dtype(dtype: jax.typing.DTypeLike) -> jnp.dtype:
    """The dtype that sums run in: float64 for float64, else float32."""
    return jnp.dtype("float64" if jnp.dtype(dtype) == jnp.float64 else "float32")


def cast_floats(tree: Any, dtype: jax.typing.DTypeLike) -> Any:
    """A tree with its floating-point arrays in a dtype, and all others as they are."""

    def cast(x: Any) -> Any:
        return x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return jax.tree.map(cast, tree)


def finite(array: jax.Array) -> jax.Array:
    """The array with zeros in place of NaN and infinities."""
    return jnp.where(jnp.isfinite(array), array, jnp.zeros((), array.dtype))


def quarantine(
    array: jax.Array, *, lifted: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Replaces NaN and infinities by zeros, and flags the rows that hold one.

    Added to the logits before the mask, the flags turn every *visible* pair into NaN,
    while a hidden pair stays hidden: `0 * NaN` never happens, forward or backward.

    Args:
      array: [S, E].
      lifted: Whether `vmap` makes one array of many, of which XLA:CPU sums rows
        faster; of a single one it is faster to multiply by a vector of zeros. The
        flags are the same.

    Returns:
      The finite array, and flags [S] in the accumulation dtype: 0, or NaN for a row
      with a non-finite entry.
    """
    # 0 * NaN and 0 * infinity are NaN. No maximum: on CPU it may pass over a NaN.
    still = jax.lax.stop_gradient(array)
    if lifted:
        flags = jnp.sum(still * 0, axis=-1)
    else:
        flags = still @ jnp.zeros(array.shape[-1:], array.dtype)
    flags = flags.astype(accumulation_dtype(array.dtype))
    return _passing(array), flags


@jax.custom_jvp
def _passing(array: jax.Array) -> jax.Array:
    """`finite` with the derivative of the identity.

    Whoever hides an entry hides its derivative too, so a mask there would change
    nothing, and cost a second look at the array.
    """
    return finite(array)


@_passing.defjvp
def _pass(primals, tangents):
    return _passing(*primals), *tangents


def hide(logits: jax.Array, allowed: jax.Array | None, fill: float) -> jax.Array:
    """Writes `fill` where a pair is not allowed; None allows every pair."""
    if allowed is None:
        return logits
    return jnp.where(allowed, logits, jnp.array(fill, logits.dtype))


def largest(array: jax.Array, axis: int = -1) -> jax.Array:
    """The largest number along an axis: NaN where one is, minus infinity of nothing.

    A maximum alone may pass over a NaN: XLA:CPU of jaxlib 0.10 and 0.12 does at 64
    numbers. What is summed as well needs no such care.
    """
    most = jnp.max(array, axis=axis, initial=-jnp.inf)
    missing = jnp.any(jnp.isnan(array), axis=axis)
    return jnp.where(missing, jnp.array(jnp.nan, array.dtype), most)


def finite_max(largest: jax.Array) -> jax.Array:
    """A maximum that may be subtracted: 0 in place of minus infinity."""
    return jnp.where(largest == -jnp.inf, jnp.zeros_like(largest), largest)


def safe_reciprocal(total: jax.Array) -> jax.Array:
    """1 / total, and exactly 0 (with zero gradient) where the total is 0."""
    empty = total == 0
    return jnp.where(empty, 0.0, 1.0 / jnp.where(empty, 1.0, total))


def safe_log(total: jax.Array) -> jax.Array:
    """log(total), and minus infinity with zero gradient where the total is 0."""
    empty = total == 0
    return jnp.where(empty, -jnp.inf, jnp.log(jnp.where(empty, 1.0, total)))


def log_sum_exp(logits: jax.Array, allowed: jax.Array | None = None) -> jax.Array:
    """Log of the sum of exponentials over allowed keys.

    Args:
      logits: [T, S].
      allowed: Broadcastable to [T, S], True where a pair counts; None for all.

    Returns:
      [T]; minus infinity, with zero gradients, for a row without an allowed key.
    """
    logits = hide(logits, allowed, -jnp.inf)
    largest = finite_max(
        jax.lax.stop_gradient(jnp.max(logits, axis=-1, initial=-jnp.inf))
    )
    total = jnp.sum(jnp.exp(logits - largest[:, None]), axis=-1)
    return safe_log(total) + largest


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def entmax(logits: jax.Array, alpha: float) -> jax.Array:
    """alpha-entmax of each row, by bisection on its threshold.

    Args:
      logits: [T, S]; minus infinity hides a pair.
      alpha: Above 1; 2 is sparsemax.

    Returns:
      [T, S], rows that sum to 1, or to exactly 0 where every pair is hidden.

    Reference:
      Peters et al. 2019, algorithm 1, arXiv 1905.05702.
    """
    largest = jnp.max(logits, axis=-1, keepdims=True, initial=-jnp.inf)
    # In this order: scaled first, a logit of 3e38 would be infinite in 32 bits.
    scaled = (logits - finite_max(largest)) * (alpha - 1.0)
    power = 1.0 / (alpha - 1.0)
    weights_at = lambda low: jnp.maximum(scaled - low, 0.0) ** power  # noqa: E731

    def halve(_, bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        enough = jnp.sum(weights_at(middle), axis=-1, keepdims=True) >= 1
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    # Each step gains a bit; the threshold lies from -1 to 0 below the largest logit.
    bits = jnp.finfo(logits.dtype).nmant + 4
    start = jnp.full_like(largest, -1.0), jnp.zeros_like(largest)
    weights = weights_at(jax.lax.fori_loop(0, bits, halve, start)[0])
    total = jnp.sum(weights, axis=-1)
    weights = weights * safe_reciprocal(total)[:, None]
    return jnp.where(jnp.isnan(largest), largest, weights)


@entmax.defjvp
def _entmax_jvp(alpha, primals, tangents):
    # Peters et al. 2019, proposition 2: with g = p^(2 - alpha) on the support,
    # dp = g * (ds - sum(g * ds) / sum(g)).
    (logits,), (tangent,) = primals, tangents
    weights = entmax(logits, alpha)
    inside = weights > 0
    slope = jnp.where(inside, jnp.where(inside, weights, 1.0) ** (2.0 - alpha), 0.0)
    pushed = slope * jnp.where(inside, tangent, 0.0)
    share = slope * safe_reciprocal(jnp.sum(slope, axis=-1))[:, None]
    return weights, pushed - share * jnp.sum(pushed, axis=-1, keepdims=True)


def look_up(table: Any, index: Any) -> jax.Array:
    """The row of a table for each index: [V, D] and [...] give [..., D].

    NaN for an index that is no row, a negative one or one of 64 bits too.
    """
    table = jnp.asarray(table)
    if getattr(index, "dtype", None) in (np.int64, np.uint64):
        # A gather counts in 32 bits, and 2^32 + 1 would be 1.
        where = np.where if isinstance(index, np.ndarray) else jnp.where
        index = where((index < 0) | (index >= len(table)), len(table), index)
    rows = table.at[jnp.asarray(index)]
    return rows.get(mode="fill", wrap_negative_indices=False)


def mix(bits: Any) -> Any:
    """A 32-bit integer hash whose every output bit depends on every input bit.

    Reference:
      Wellons 2018, "Prospecting for hash functions" (lowbias32).
    """
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D)
    bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B)
    return bits ^ (bits >> np.uint32(16))
