"""The tangent of the rule: a sum over tiles that is linear in the tangents.

  doutput = A - mu * output,  A = (p * dlogits) @ value + p @ dvalue
  dlse    = mu,               mu = sum(p * dlogits)

It is plain JAX, so it can be differentiated and transposed again. Each tile is under a
checkpoint, with the skip inside, and each row under another: memory stays linear.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from attn.backends.blockwise.forward import strip_sizes
from attn.backends.blockwise.operands import Layout, Operands, cut
from attn.backends.blockwise.plan import Strips, Table
from attn.backends.blockwise.tile import Closed, Tile, dropped, products, shape_logits
from attn.backends.dependence import blank


class Tangents(NamedTuple):
    """Tangents of the floating-point operands."""

    query: jax.Array
    key: jax.Array
    value: jax.Array
    floats: tuple[jax.Array, ...]


def tangent(
    layout: Layout,
    plan: Strips | Table,
    operands: Operands,
    primal: Closed,
    tangents: Tangents,
) -> tuple[jax.Array, jax.Array]:
    """Tangents of output [T, E] and of log-sum-exp [T]."""
    walk = _strips if isinstance(plan, Strips) else _table
    total, moved = walk(layout, plan, operands, primal.sums, tangents)
    total, moved = total[: layout.t], moved[: layout.t] * primal.slip
    return total * primal.slip[:, None] - moved[:, None] * primal.output, moved


def finite_sums(sums: jax.Array) -> jax.Array:
    """Log-sum-exp with plus infinity for an empty row, so that its weights are 0."""
    return jnp.where(sums == -jnp.inf, jnp.inf, sums)


def _push(layout, operands, sums, tangents, tile):
    """One tile's (A, mu)."""
    part = cut(layout, operands, tile.rows, tile.cols)
    moved = operands._replace(**tangents._asdict())
    moved = cut(layout, moved, tile.rows, tile.cols)

    def shape(query, key, floats):
        return shape_logits(layout, part, tile, products(query, key), floats)

    primals = part.query, part.key, part.floats
    logits, dlogits = jax.jvp(shape, primals, (moved.query, moved.key, moved.floats))
    start, size = tile.rows
    sums = jax.lax.dynamic_slice_in_dim(finite_sums(sums), start, size, 0)
    weights = jnp.exp(logits - sums[:, None])
    change = weights * dlogits
    total = dropped(layout, part, change) @ part.value
    total = total + dropped(layout, part, weights) @ moved.value
    return total, jnp.sum(change, axis=-1)


def _strips(layout, plan, operands, sums, tangents):
    rows = []
    for index, (size, runs) in enumerate(strip_sizes(layout, plan)):
        span = (index * plan.rows, size)
        state = (
            jnp.zeros((size, operands.value.shape[-1]), operands.value.dtype),
            jnp.zeros((size,), operands.value.dtype),
        )
        for start, stop, masked in runs:
            tile = Tile(span, (start, stop - start), masked)
            push = jax.checkpoint(
                lambda *arrays, tile=tile: _push(layout, *arrays, tile=tile)
            )
            new = push(operands, sums, tangents)
            state = state[0] + new[0], state[1] + new[1]
        rows.append(state)
    totals, moved = zip(*rows, strict=True)
    return jnp.concatenate(totals), jnp.concatenate(moved)


def _table(layout, plan, operands, sums, tangents):
    extra = -layout.t % plan.rows
    sums = jnp.pad(sums, (0, extra), constant_values=-jnp.inf)  # as an empty row has

    def row(inputs):
        index, order, kept, operands, sums, tangents = inputs

        def step(state, n):
            def visit(operands, sums, tangents):
                rows = (index * plan.rows, plan.rows)
                tile = Tile(rows, (order[n] * plan.cols, plan.cols), True)
                return _push(layout, operands, sums, tangents, tile)

            def skip(operands, sums, tangents):
                return jax.tree.map(jnp.zeros_like, state)

            # The skip is inside of the checkpoint: outside, it would stack what it
            # closes over at every step.
            chosen = jax.checkpoint(lambda *x: jax.lax.cond(n < kept, visit, skip, *x))
            new = chosen(operands, sums, tangents)
            return (state[0] + new[0], state[1] + new[1]), None

        dtype = operands.value.dtype
        shape = (plan.rows, operands.value.shape[-1])
        start = blank(
            (operands, tangents), (jnp.zeros(shape, dtype), jnp.zeros(shape[:1], dtype))
        )
        return jax.lax.scan(
            step, start, jnp.arange(plan.order.shape[1], dtype=jnp.int32)
        )[0]

    lists = jnp.asarray(plan.order), jnp.asarray(plan.kept)

    def one(inputs):
        return jax.checkpoint(row)((*inputs, operands, sums, tangents))

    totals, moved = jax.lax.map(
        one, (jnp.arange(len(plan.order), dtype=jnp.int32), *lists)
    )
    return totals.reshape(-1, totals.shape[-1]), moved.reshape(-1)
