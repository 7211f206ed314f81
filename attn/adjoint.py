"""Linear maps that bring their own adjoint, differentiable to any order.

What a `custom_jvp` returns as a tangent is linear. Left to JAX, its transpose would be
right, and often slow; `custom_linear_solve` lets us give both directions: the unit
triangular system

    [ I  0 ] [ t ]   [ t ]
    [-L  I ] [ y ] = [ 0 ]      has the solution  y = L t,

so `solve` is the forward-mode pass, `transpose_solve` the explicit backward pass, and
`matvec` is what JAX differentiates for higher orders. Forward mode, reverse mode and
any nesting of them follow.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def with_adjoint(
    push: Callable, pull: Callable, tangents: Any, primal: Any, inputs: Any
) -> Any:
    """`push(tangents)`, whose transpose is `pull`.

    Args:
      push: Linear, from tangents of inputs to tangents of outputs.
      pull: Its adjoint, from cotangents of outputs to cotangents of inputs.
      tangents: A pytree of arrays.
      primal: The outputs where `push` is the derivative, as JAX structures its result.
      inputs: What `push` and `pull` close over.
    """
    add = functools.partial(jax.tree.map, jnp.add)
    fixed = _nothing([inputs, primal])

    # JAX asserts that a right side is linear in all its parts, zeros included. So each
    # part gets an empty piece of all of them added, which costs nothing.
    def link(tree, seed):
        def pad(x):
            mine = seed.astype(x.dtype)
            return jax.lax.pad(mine, jnp.zeros((), x.dtype), [(x.size, 0, 0)])

        return jax.tree.map(lambda x: x + pad(x).reshape(x.shape), tree)

    def matvec(x):
        some, output = x
        rows = some, jax.tree.map(jnp.subtract, output, push(some))
        return link(rows, _nothing(x) * fixed)

    def solve(_, right):
        some, output = right
        return some, add(output, push(some))

    def transpose_solve(_, right):
        some, output = right
        return add(some, pull(output)), output

    right = link((tangents, jax.tree.map(jnp.zeros_like, primal)), _nothing(tangents))
    return jax.lax.custom_linear_solve(matvec, right, solve, transpose_solve)[1]


def _nothing(tree: Any) -> jax.Array:
    """A float32 array [0] that depends on every floating-point array of a tree."""
    arrays = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return functools.reduce(
        jnp.add, [x.reshape(-1)[:0].astype(jnp.float32) for x in arrays]
    )
