"""One derivative rule for every order: a linear map that knows its own transpose.

The rule of the fold is a `custom_jvp` whose tangent is linear. Left to JAX, its
transpose would be right and slow; `custom_linear_solve` lets us give both directions:
the unit triangular system

    [ I  0 ] [ t ]   [ t ]
    [-L  I ] [ y ] = [ 0 ]      has the solution  y = L t,

so `solve` is the forward-mode pass, `transpose_solve` the explicit backward pass, and
`matvec` is what JAX differentiates for higher orders. Forward mode, reverse mode and
any nesting of them follow.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from attn.backends.blockwise import backward as pull
from attn.backends.blockwise.forward import forward
from attn.backends.blockwise.operands import Layout, Operands, pad
from attn.backends.blockwise.plan import Strips, Table
from attn.backends.blockwise.tangent import Primal, Tangents, finite_sums, tangent


def fold(layout: Layout, plan: Strips | Table, operands: Operands):
    """Softmax attention of one head, differentiable to any order.

    Returns:
      Output [T, E] and log-sum-exp [T] in the accumulation dtype.
    """

    @jax.custom_jvp
    def core(query, key, value, floats, rest):
        whole = _padded(layout, plan, Operands(query, key, value, floats, *rest))
        return Primal(*forward(layout, plan, whole))

    @functools.partial(core.defjvp, symbolic_zeros=True)
    def rule(primals, tangents):
        primal = core(*primals)
        moved = Tangents(*tangents[:4])
        if all(map(_is_zero, jax.tree.leaves(moved, is_leaf=_is_zero))):
            return primal, jax.tree.map(jnp.zeros_like, primal)
        operands = Operands(*primals[:4], *primals[4])
        return primal, _linear(layout, plan, operands, primal, moved)

    rest = (operands.others, operands.bad, operands.rng)
    return core(*operands[:4], rest)


def _padded(layout, plan, operands: Operands) -> Operands:
    if isinstance(plan, Strips):
        return operands
    return pad(layout, operands, plan.rows, plan.cols)


def _is_zero(x: Any) -> bool:
    return isinstance(x, SymbolicZero)


def _linear(layout, plan, operands, primal, moved: Tangents) -> Primal:
    """The tangents of the outputs, with both directions given explicitly."""
    leaves, structure = jax.tree.flatten(moved, is_leaf=_is_zero)
    active = [not _is_zero(leaf) for leaf in leaves]
    wanted = pull.Active(*jax.tree.unflatten(structure, active))
    whole = _padded(layout, plan, operands)

    def push(some):
        some = iter(some)
        full = [
            next(some) if yes else jnp.zeros(zero.shape, zero.dtype)
            for yes, zero in zip(active, leaves, strict=True)
        ]
        tangents = jax.tree.unflatten(structure, full)
        widened = operands._replace(**tangents._asdict())
        widened = _padded(layout, plan, widened)
        return Primal(*tangent(layout, plan, whole, primal, Tangents(*widened[:4])))

    def back(cotangent: Primal):
        shift = jnp.sum(cotangent.output * primal.output, -1) - cotangent.sums
        saved = pull.Saved(finite_sums(primal.sums), shift, cotangent.output)
        if isinstance(plan, Table):
            saved = jax.tree.map(lambda x: _pad_rows(x, -layout.t % plan.rows), saved)
        totals = pull.backward(layout, plan, whole, saved, wanted)
        totals = totals._replace(floats=_trim(totals.floats, operands.floats))
        return [leaf for leaf in jax.tree.leaves(totals)]

    some = [leaf for leaf, yes in zip(leaves, active, strict=True) if yes]
    return _triangular(push, back, some, primal, operands)


def _pad_rows(array: jax.Array, count: int) -> jax.Array:
    return jnp.pad(array, [(0, count)] + [(0, 0)] * (array.ndim - 1))


def _trim(totals, floats):
    return tuple(
        None if total is None else total[tuple(map(slice, x.shape))]
        for total, x in zip(totals, floats, strict=True)
    )


def _triangular(push, back, tangents, primal: Primal, operands) -> Primal:
    """`push` of the tangents, whose transpose is `back`; see the module's docstring."""
    add = functools.partial(jax.tree.map, jnp.add)
    fixed = _nothing([operands, primal])

    # JAX asserts that a right side is linear in all its parts, zeros included. So each
    # part gets an empty piece of all of them added, which costs nothing.
    def link(tree, seed):
        def pad(x):
            zero = jnp.zeros((), seed.dtype)
            return jax.lax.pad(seed, zero, [(x.size, 0, 0)])

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
        return add(some, back(output)), output

    right = link((tangents, jax.tree.map(jnp.zeros_like, primal)), _nothing(tangents))
    return jax.lax.custom_linear_solve(matvec, right, solve, transpose_solve)[1]


def _nothing(tree: Any) -> jax.Array:
    """An array [0] that depends on every floating-point array of a tree."""
    arrays = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return functools.reduce(jnp.add, [x.reshape(-1)[:0] for x in arrays])
