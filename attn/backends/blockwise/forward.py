"""The fold over key tiles: output and log-sum-exp of one head."""

from functools import reduce

import jax
import jax.numpy as jnp

from attn.backends.blockwise.operands import Layout, Operands
from attn.backends.blockwise.plan import Strips, Table, listed
from attn.backends.blockwise.tile import Closed, State, Tile, close, lift, merge, zero
from attn.backends.dependence import after, blank

MANY_HEADS = 512 * 512  # pairs of a head; smaller ones run many to a step


def abreast(layout: Layout) -> int:
    """Strips of a head in flight: one for each of 2 cores, unless heads fill them.

    With 12 heads of 384 positions to a step two strips would be 15% faster than one,
    with 8 of 512 5%, and with 16 of 256 10% slower; but from 256 to 512 positions the
    temporaries of a backward pass would grow by 2.6 times instead of 2.
    """
    return 1 if layout.t * layout.s <= MANY_HEADS else 2


def forward(layout: Layout, plan: Strips | Table, operands: Operands) -> Closed:
    """Output [T, E], log-sum-exp [T] and its rounding, in the accumulation dtype."""
    if isinstance(plan, Strips):
        return _strips(layout, plan, operands)
    return _table(layout, plan, operands)


def _strips(layout: Layout, plan: Strips, operands: Operands):
    operands, closed = renewed(layout, operands), []
    for index, (size, runs) in enumerate(strip_sizes(layout, plan)):
        mine = operands
        if index >= abreast(layout):
            mine = delayed(operands, closed[-abreast(layout)].output)
        closed.append(close(_strip(layout, mine, (index * plan.rows, size), runs)))
    return Closed(*map(jnp.concatenate, zip(*closed, strict=True)))


def delayed(operands: Operands, earlier: jax.Array) -> Operands:
    """Operands whose keys and values wait for `earlier`, and with them a strip."""
    key, value = (after(x, earlier) for x in (operands.key, operands.value))
    return operands._replace(key=key, value=value)


def renewed(layout: Layout, operands: Operands) -> Operands:
    """Operands whose query positions XLA:CPU takes to differ from head to head.

    Else it computes the masks of all strips once, ahead of a loop over heads: T * S
    bytes, and reading them costs more than comparing positions again. With the number
    that hides a pair it would do the same, in 4 * T * S bytes.
    """
    both = zip(layout.axes, layout.learned, strict=True)
    axes = [axes for axes, learned in both if not learned]
    others = [
        after(x, operands.query) if along == ("query",) else x
        for x, along in zip(operands.others, axes, strict=True)
    ]
    low = after(jnp.array(-jnp.inf, operands.query.dtype), operands.query)
    return operands._replace(others=tuple(others), low=jax.lax.stop_gradient(low))


def strip_sizes(layout: Layout, plan: Strips):
    """(number of queries, runs) of each strip."""
    for index, runs in enumerate(plan.runs):
        yield min(plan.rows, layout.t - index * plan.rows), runs


def _strip(layout: Layout, operands: Operands, rows, runs) -> State:
    tiles = [Tile(rows, (start, stop - start), m) for start, stop, m in runs]
    states = [lift(layout, operands, tile) for tile in tiles]
    if not states:
        return zero(rows[1], operands.value.shape[-1], operands.value.dtype)
    return reduce(merge, states)


def _table(layout: Layout, plan: Table, operands: Operands):
    width, dtype = operands.value.shape[-1], operands.value.dtype

    def row(index):
        order, full, kept = listed(plan, index)

        def step(masked):
            def visit(n, state):
                cols = (order[n] * plan.cols, plan.cols)
                tile = Tile((index * plan.rows, plan.rows), cols, masked)
                return merge(state, lift(layout, operands, tile))

            return visit

        # Two loops: tiles that the mask does not touch do not pay for it.
        state = blank(operands, zero(plan.rows, width, dtype))
        state = jax.lax.fori_loop(0, full, step(False), state)
        return close(jax.lax.fori_loop(full, kept, step(True), state))

    rows = jax.lax.map(row, jnp.arange(len(plan.order), dtype=jnp.int32))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[: layout.t], rows)
