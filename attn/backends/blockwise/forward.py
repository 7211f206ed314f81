"""The fold over key tiles: output and log-sum-exp of one head."""

from functools import reduce

import jax
import jax.numpy as jnp

from attn.backends.blockwise.operands import Layout, Operands
from attn.backends.blockwise.plan import Strips, Table, listed
from attn.backends.blockwise.tile import Closed, Tile, close, lift, merge, zero
from attn.backends.dependence import after, blank


def forward(layout: Layout, plan: Strips | Table, operands: Operands) -> Closed:
    """Output [T, E], log-sum-exp [T] and its rounding, in the accumulation dtype."""
    if isinstance(plan, Strips):
        return _strips(layout, plan, operands)
    return _table(layout, plan, operands)


def _strips(layout: Layout, plan: Strips, operands: Operands):
    operands, closed, done = renewed(layout, operands), [], []
    for index, (size, runs) in enumerate(strip_sizes(layout, plan)):
        rows, states = (index * plan.rows, size), []
        for start, stop, masked in runs:
            mine = queued(operands, done, plan.abreast)
            states.append(lift(layout, mine, Tile(rows, (start, stop - start), masked)))
            done.append([states[-1].output])
        if not states:
            width, dtype = operands.value.shape[-1], operands.value.dtype
            states = [zero(size, width, dtype)]
        closed.append(close(reduce(merge, states)))
    return Closed(*map(jnp.concatenate, zip(*closed, strict=True)))


def queued(operands: Operands, done: list[list], abreast: int) -> Operands:
    """Operands of the next tile, which wait until fewer than `abreast` are in flight.

    Args:
      operands: As they are.
      done: For each tile before, what must be there before the next may begin.
      abreast: How many may be in flight.
    """
    if len(done) < abreast:
        return operands
    key = after(operands.key, done[-abreast][0])
    value = after(operands.value, done[-abreast][-1])
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


def _table(layout: Layout, plan: Table, operands: Operands):
    width, dtype = operands.value.shape[-1], operands.value.dtype
    if operands.bad is not None:
        # What the flags were read from is gone before these are made.
        query = after(operands.query, operands.bad)
        value = after(operands.value, operands.bad)
        operands = operands._replace(query=query, value=value)

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
