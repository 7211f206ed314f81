"""Matrix products whose derivatives XLA:CPU computes as fast as themselves."""

import jax
import jax.numpy as jnp

from attn.adjoint import with_adjoint
from attn.numerics import accumulation_dtype


def product(left: jax.Array, right: jax.Array) -> jax.Array:
    """left @ right, summed in the accumulation dtype.

    The gradient of `right` is left.T @ g, and XLA:CPU is slow where a left side is
    transposed: 48 products of [64, 64] and [64, 32] take 240 us, and 160 with a left
    side that was transposed beforehand. So it is, or `g` and the result are, whichever
    is narrower. In tiles of 128 x 256 that no longer pays, see `backward.Totals`.

    Args:
      left: [M, K].
      right: [K, N].

    Returns:
      [M, N] in the accumulation dtype of `left`.
    """
    wide = accumulation_dtype(left.dtype)
    if jax.default_backend() != "cpu" or not left.dtype == right.dtype == wide:
        return jnp.matmul(left, right, preferred_element_type=wide)
    return _turned(left, right)


@jax.custom_jvp
def _turned(left: jax.Array, right: jax.Array) -> jax.Array:
    return left @ right


@_turned.defjvp
def _turned_jvp(primals, tangents):
    (left, right), (d_left, d_right) = primals, tangents
    output = _turned(left, right)

    def pull(g):
        if left.shape[1] < g.shape[1]:
            return _written_out(left.T) @ g
        return _written_out(_written_out(g.T) @ left).T

    moved = with_adjoint(lambda d: left @ d, pull, d_right, output, left)
    return output, d_left @ right + moved


def _written_out(array: jax.Array) -> jax.Array:
    """The array, computed first: XLA would make its transpose part of the product."""
    return jax.lax.optimization_barrier(array)
