"""The explicit transpose of the rule: flash backward, tile by tile.

With p = exp(logit - lse), cotangents c of the output and e of the log-sum-exp,
shift = sum(c * output) - e per query:

  dlogit = p * (c @ value.T - shift)      dvalue = p.T @ c
  dquery = dlogit @ key                   dkey   = dlogit.T @ query

Reference:
  Dao et al. 2022, algorithm 4, arXiv 2205.14135.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from attn.backends.blockwise.forward import blank, strip_sizes
from attn.backends.blockwise.operands import Layout, Operands, Span, cut, starts
from attn.backends.blockwise.plan import Strips, Table, listed
from attn.backends.blockwise.tile import Tile, dropped, products, shape_logits


class Active(NamedTuple):
    """Which inputs want a cotangent."""

    query: bool
    key: bool
    value: bool
    floats: tuple[bool, ...]


class Saved(NamedTuple):
    """What the rows of the forward pass leave for the backward pass."""

    sums: jax.Array  # [T], log-sum-exp; plus infinity for a row without a key
    shift: jax.Array  # [T]
    cotangent: jax.Array  # [T, E]


class Totals(NamedTuple):
    """Cotangents; keys and values lie transposed, [H, S] and [E, S].

    Every product then has its long axis last and no transposed operand: on CPU a
    transposed left side costs 1.5 to 3 times as much.
    """

    query: jax.Array | None
    key: jax.Array | None
    value: jax.Array | None
    floats: tuple[jax.Array | None, ...]


def backward(
    layout: Layout,
    plan: Strips | Table,
    operands: Operands,
    saved: Saved,
    wanted: Active,
) -> Totals:
    """The cotangents that are wanted; the others are None."""
    walk = _strips if isinstance(plan, Strips) else _table
    totals = walk(layout, plan, operands, saved, wanted)
    return totals._replace(
        query=None if totals.query is None else totals.query[: layout.t],
        key=None if totals.key is None else totals.key.T[: layout.s],
        value=None if totals.value is None else totals.value.T[: layout.s],
    )


def _zeros(operands: Operands, wanted: Active) -> Totals:
    like = lambda x, yes: jnp.zeros(x.shape, x.dtype) if yes else None  # noqa: E731
    totals = Totals(
        like(operands.query, wanted.query),
        like(operands.key.T, wanted.key),
        like(operands.value.T, wanted.value),
        tuple(map(like, operands.floats, wanted.floats)),
    )
    return blank(operands, totals)


def _strips(layout, plan, operands, saved, wanted):
    totals, queries = _zeros(operands, wanted._replace(query=False)), []
    for index, (size, runs) in enumerate(strip_sizes(layout, plan)):
        rows = (index * plan.rows, size)
        query = jnp.zeros((size, operands.query.shape[1]), operands.query.dtype)
        for start, stop, masked in runs:
            tile = Tile(rows, (start, stop - start), masked)
            part, totals = _visit(layout, operands, saved, wanted, tile, totals)
            query = query if part is None else query + part
        queries.append(query)
    return totals._replace(query=jnp.concatenate(queries) if wanted.query else None)


def _table(layout, plan, operands, saved, wanted):
    def row(index, totals):
        order, full, kept = listed(plan, index)
        rows = (index * plan.rows, plan.rows)

        def step(masked):
            def visit(n, carry):
                query, totals = carry
                tile = Tile(rows, (order[n] * plan.cols, plan.cols), masked)
                part, totals = _visit(layout, operands, saved, wanted, tile, totals)
                return (query if part is None else query + part), totals

            return visit

        shape = (plan.rows, operands.query.shape[1])
        query = blank(operands, jnp.zeros(shape, operands.query.dtype))
        carry = (query, totals)
        carry = jax.lax.fori_loop(0, full, step(False), carry)
        query, totals = jax.lax.fori_loop(full, kept, step(True), carry)
        if wanted.query:
            put = jax.lax.dynamic_update_slice_in_dim
            totals = totals._replace(query=put(totals.query, query, rows[0], 0))
        return totals

    zeros = _zeros(operands, wanted)
    return jax.lax.fori_loop(0, len(plan.order), row, zeros)


def _visit(layout, operands, saved, wanted, tile, totals):
    """The cotangent of a tile's queries, and the totals with the tile added."""
    part = cut(layout, operands, tile.rows, tile.cols)
    raw = products(part.query, part.key)
    need = any((wanted.query, wanted.key, *wanted.floats))
    shape = lambda raw, floats: shape_logits(layout, part, tile, raw, floats)  # noqa: E731
    logits, pull = (
        jax.vjp(shape, raw, part.floats) if need else (shape(raw, part.floats), None)
    )
    row = Saved(*(_rows(x, tile.rows) for x in saved))
    weights = jnp.exp(logits - row.sums[:, None])
    if wanted.value:
        grown = row.cotangent.T @ dropped(layout, part, weights)
        totals = totals._replace(value=_grow(totals.value, grown, 1, tile.cols))
    if pull is None:
        return None, totals
    push = dropped(layout, part, products(row.cotangent, part.value))
    raw, floats = pull(weights * (push - row.shift[:, None]))
    if wanted.key:
        grown = part.query.T @ raw
        totals = totals._replace(key=_grow(totals.key, grown, 1, tile.cols))
    floats = tuple(
        None if total is None else _add(total, x, starts(total.shape, axes, *tile[:2]))
        for total, x, axes in zip(totals.floats, floats, layout.float_axes, strict=True)
    )
    query = raw @ part.key if wanted.query else None
    return query, totals._replace(floats=floats)


def _rows(array: jax.Array, rows: Span) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(array, *rows, 0)


def _grow(total, part, axis: int, cols: Span):
    begin = [0, 0]
    begin[axis] = cols[0]
    return _add(total, part, begin)


def _add(total, part, begin):
    """Adds in place: a copy of the whole total per tile would cost the most."""
    begin = [jnp.asarray(x, jnp.int32) for x in begin]
    old = jax.lax.dynamic_slice(total, begin, part.shape)
    return jax.lax.dynamic_update_slice(total, old + part, begin)
