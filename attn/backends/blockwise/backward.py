"""The explicit transpose of the rule: flash backward, tile by tile.

With p = exp(logit - lse), cotangents c of the output and e of the log-sum-exp,
shift = sum(c * output) - e per query:

  dlogit = p * (c @ value.T - shift)      dvalue = p.T @ c
  dquery = dlogit @ key                   dkey   = dlogit.T @ query

Reference:
  Dao et al. 2022, algorithm 4, arXiv 2205.14135.
"""

import itertools
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp

from attn.backends.blockwise.forward import queued, renewed, strip_sizes
from attn.backends.blockwise.operands import Layout, Operands, Span, cut, starts
from attn.backends.blockwise.plan import Strips, Table, listed
from attn.backends.blockwise.tile import (
    Tile,
    dropped,
    hidden,
    open_logits,
    products,
    unhidden,
)
from attn.backends.dependence import blank

JOINED = 9  # parts; 8 at once and their sum


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


def pad_rows(saved: Saved, count: int) -> Saved:
    """More rows, in which no key has any weight."""
    rows = (0, count)
    return Saved(
        jnp.pad(saved.sums, rows, constant_values=jnp.inf),
        jnp.pad(saved.shift, rows),
        jnp.pad(saved.cotangent, (rows, (0, 0))),
    )


class Totals(NamedTuple):
    """Cotangents; keys and values lie transposed, [H, S] and [E, S].

    Every product then has its long axis last. XLA:CPU makes the transpose of the left
    side part of the product; to write it out first, as `attn.products` does for whole
    small heads, takes 5 to 12% longer at 256 and 512 positions.
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
    operands, zeros = renewed(layout, operands), _zeros(operands, wanted)
    floats, queries, parts, done = zeros.floats, [], [], []
    for index, (size, runs) in enumerate(strip_sizes(layout, plan)):
        rows = (index * plan.rows, size)
        query = _band(zeros.query, *rows)
        for start, stop, masked in runs:
            tile = Tile(rows, (start, stop - start), masked)
            mine = queued(operands, done, plan.abreast)
            part = _visit(layout, mine, saved, wanted, tile)
            query = _sum(query, part.query)
            floats = _add_floats(layout, floats, part.floats, tile)
            parts = _fewer([*parts, (start, stop, part)], zeros)
            # With the sums, or XLA puts them off and keeps all parts.
            done.append(jax.tree.leaves(parts[-1][2]) or jax.tree.leaves(part))
        queries.append(query)
    return Totals(
        jnp.concatenate(queries) if wanted.query else None,
        _joined([(a, b, x.key) for a, b, x in parts], zeros.key),
        _joined([(a, b, x.value) for a, b, x in parts], zeros.value),
        floats,
    )


def _band(total: jax.Array | None, start: int, size: int) -> jax.Array | None:
    return None if total is None else total[start : start + size]


def _sum(total: jax.Array | None, part: jax.Array | None) -> jax.Array | None:
    return None if total is None or part is None else total + part


def _fewer(parts: list, zeros: Totals) -> list:
    """Parts of keys and values, (start, stop, totals), as one if there are many.

    To add each to a total reads and writes all of it each time, which was 10% of the
    backward pass at T = 2048; to keep them all would take T * T memory.
    """
    if len(parts) < JOINED:
        return parts
    key = _joined([(a, b, x.key) for a, b, x in parts], zeros.key)
    value = _joined([(a, b, x.value) for a, b, x in parts], zeros.value)
    return [(0, max(b for _, b, _ in parts), Totals(None, key, value, ()))]


def _joined(parts: list, zeros: jax.Array | None) -> jax.Array | None:
    """The sum of parts (start, stop, [H, stop - start]), as wide as `zeros`."""
    if zeros is None:
        return None
    edges = sorted({0, zeros.shape[1], *(edge for part in parts for edge in part[:2])})
    columns = []
    for start, stop in itertools.pairwise(edges):
        over = [x[:, start - a : stop - a] for a, b, x in parts if a <= start < b]
        columns.append(reduce(jnp.add, over) if over else zeros[:, start:stop])
    return jnp.concatenate(columns, axis=1)


def _table(layout, plan, operands, saved, wanted):
    def row(index, totals):
        order, full, kept = listed(plan, index)
        rows = (index * plan.rows, plan.rows)

        def step(masked):
            def visit(n, carry):
                query, totals = carry
                tile = Tile(rows, (order[n] * plan.cols, plan.cols), masked)
                part = _visit(layout, operands, saved, wanted, tile)
                query = query if part.query is None else query + part.query
                return query, _grown(layout, totals, part, tile)

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


def _grown(layout, totals: Totals, part: Totals, tile: Tile) -> Totals:
    """The totals of keys, values and floats with a tile added in place."""
    begin = (0, tile.cols[0])
    add = lambda x, y: None if x is None else _add(x, y, begin)  # noqa: E731
    return Totals(
        totals.query,
        add(totals.key, part.key),
        add(totals.value, part.value),
        _add_floats(layout, totals.floats, part.floats, tile),
    )


def _visit(layout, operands, saved, wanted, tile) -> Totals:
    """The cotangents of one tile."""
    part = cut(layout, operands, tile.rows, tile.cols)
    raw = products(part.query, part.key)
    need = any((wanted.query, wanted.key, *wanted.floats))
    shape = lambda raw, floats: open_logits(layout, part, tile, raw, floats)  # noqa: E731
    if need:
        logits, pull, allowed = jax.vjp(shape, raw, part.floats, has_aux=True)
    else:
        (logits, allowed), pull = shape(raw, part.floats), None
    row = Saved(*(_rows(x, tile.rows) for x in saved))
    weights = jnp.exp(hidden(part, logits, allowed) - row.sums[:, None])
    value = None
    if wanted.value:
        value = row.cotangent.T @ dropped(layout, part, weights)
    if pull is None:
        return Totals(None, None, value, (None,) * len(part.floats))
    push = dropped(layout, part, products(row.cotangent, part.value))
    change = weights * (push - row.shift[:, None])
    raw, floats = pull(unhidden(part, change, allowed))
    query = raw @ part.key if wanted.query else None
    return Totals(query, part.query.T @ raw if wanted.key else None, value, floats)


def _add_floats(layout, totals, parts, tile):
    """The cotangents of learned arrays with a tile added in place."""
    return tuple(
        None if total is None else _add(total, x, starts(total.shape, axes, *tile[:2]))
        for total, x, axes in zip(totals, parts, layout.float_axes, strict=True)
    )


def _rows(array: jax.Array, rows: Span) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(array, *rows, 0)


def _add(total, part, begin):
    """Adds in place: a copy of the whole total per tile would cost the most."""
    begin = [jnp.asarray(x, jnp.int32) for x in begin]
    old = jax.lax.dynamic_slice(total, begin, part.shape)
    return jax.lax.dynamic_update_slice(total, old + part, begin)
