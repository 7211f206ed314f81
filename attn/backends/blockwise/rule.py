"""One derivative rule for every order: a tangent, and its adjoint beside it."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.custom_derivatives import SymbolicZero

from attn.adjoint import with_adjoint
from attn.backends.blockwise import backward as pull
from attn.backends.blockwise.forward import forward
from attn.backends.blockwise.operands import Layout, Operands, pad
from attn.backends.blockwise.plan import Strips, Table
from attn.backends.blockwise.tangent import Tangents, finite_sums, tangent
from attn.backends.blockwise.tile import Closed


class Inputs(NamedTuple):
    """What a call differentiates, as the caller gave it."""

    query: jax.Array
    key: jax.Array
    value: jax.Array
    similarity: tuple[jax.Array, ...]
    floats: tuple[jax.Array, ...]


# From inputs to (query, key, value, floats) for plain dot products, and NaN flags of
# keys and queries. It runs inside of the rule, and again in the backward pass: what it
# makes is as large as the inputs, and keeping it would double what a layer remembers.
# With `ahead`, for the forward pass, NaN and infinity stay in queries and keys: there
# they reach only logits of their own pairs, which the mask hides.
Prepare = Callable[..., tuple[tuple, tuple]]


def fold(
    layout: Layout, plan: Strips | Table, prepare: Prepare, inputs: Inputs, rest: tuple
) -> Closed:
    """Softmax attention of one head, differentiable to any order.

    Args:
      layout: How leaves make pieces.
      plan: Which tiles are visited.
      prepare: From inputs to operands.
      inputs: What is differentiated.
      rest: The leaves that are not, and the random key or None.

    Returns:
      Output [T, E] and log-sum-exp [T] in the accumulation dtype, and what the latter
      lost to rounding, which has no derivative.
    """

    @jax.custom_jvp
    def core(inputs, rest):
        floating, (bad_key, bad_query) = prepare(inputs, ahead=True)
        plan, operands = _whole(layout, shape, floating, bad_key, rest)
        output, sums, slip = forward(layout, plan, operands)
        if bad_query is not None:  # NaN, where the query sees any key at all
            bad_query = jnp.where(sums == -jnp.inf, 0.0, bad_query)
            output, sums = output + bad_query[:, None], sums + bad_query
        return Closed(output, sums, slip)

    @functools.partial(core.defjvp, symbolic_zeros=True)
    def rule(primals, tangents):
        primal = checkpoint_name(core(*primals), "attention.fold")
        if all(map(_is_zero, jax.tree.leaves(tangents[0], is_leaf=_is_zero))):
            return primal, jax.tree.map(jnp.zeros_like, primal)
        inputs, rest = primals
        moved = tangents[0]
        return primal, _linear(layout, shape, prepare, inputs, rest, primal, moved)

    # Arrays enter as arguments: a rule may not close over what is traced.
    shape, tables = plan, None
    if isinstance(plan, Table):
        tables = plan.order, plan.full, plan.kept
        shape = dataclasses.replace(plan, order=None, full=None, kept=None)
    return core(inputs, (*rest, tables))


def _whole(layout, shape, floating, bad_key, rest):
    """The plan with its tables, and the operands in whole tiles."""
    others, rng, tables = rest
    query, key, value, floats = floating
    operands = Operands(query, key, value, floats, others, bad_key, rng)
    if tables is None:
        return shape, operands
    order, full, kept = tables
    plan = dataclasses.replace(shape, order=order, full=full, kept=kept)
    return plan, pad(layout, operands, plan.rows, plan.cols)


def _is_zero(x: Any) -> bool:
    return isinstance(x, SymbolicZero)


def _linear(layout, shape, prepare, inputs, rest, primal, moved) -> Closed:
    """The tangents of the outputs, with both directions given explicitly."""
    leaves, structure = jax.tree.flatten(moved, is_leaf=_is_zero)
    active = [not _is_zero(leaf) for leaf in leaves]
    wanted = jax.tree.unflatten(structure, active)
    moves = any(wanted.similarity)
    wanted = pull.Active(
        wanted.query or moves, wanted.key or moves, wanted.value, wanted.floats
    )

    def push(some):
        some = iter(some)
        full = [
            next(some) if yes else jnp.zeros(zero.shape, zero.dtype)
            for yes, zero in zip(active, leaves, strict=True)
        ]
        change = jax.tree.unflatten(structure, full)
        floating, change, flags = jax.jvp(prepare, (inputs,), (change,), has_aux=True)
        _, widened = _whole(layout, shape, change, flags[0], rest)
        plan, whole = _whole(layout, shape, floating, flags[0], rest)
        tangents = Tangents(*widened[:4])
        output, sums = tangent(layout, plan, whole, primal, tangents)
        return Closed(output, sums, jnp.zeros_like(primal.slip))

    def back(cotangent: Closed):
        floating, unprepare, flags = jax.vjp(prepare, inputs, has_aux=True)
        shift = jnp.sum(cotangent.output * primal.output, -1) - cotangent.sums
        # To scale what multiplies the weights costs nothing per pair.
        shift, scaled = shift * primal.slip, cotangent.output * primal.slip[:, None]
        saved = pull.Saved(finite_sums(primal.sums), shift, scaled)
        plan, whole = _whole(layout, shape, floating, flags[0], rest)
        if isinstance(plan, Table):
            saved = pull.pad_rows(saved, -layout.t % plan.rows)
        totals = pull.backward(layout, plan, whole, saved, wanted)
        cotangents = jax.tree.leaves(unprepare(_fill(totals, floating)))
        return [x for x, yes in zip(cotangents, active, strict=True) if yes]

    some = [leaf for leaf, yes in zip(leaves, active, strict=True) if yes]
    return with_adjoint(push, back, some, primal, inputs)


def _fill(totals, floating):
    """Zeros where no cotangent was wanted, and no padding."""
    blanks = jax.tree.map(jnp.zeros_like, floating)
    leaves = jax.tree.leaves(tuple(totals), is_leaf=lambda x: x is None)
    filled = [
        zero if x is None else x[tuple(map(slice, zero.shape))]
        for x, zero in zip(leaves, jax.tree.leaves(blanks), strict=True)
    ]
    return jax.tree.unflatten(jax.tree.structure(floating), filled)
