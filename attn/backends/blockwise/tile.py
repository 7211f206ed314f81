"""One tile of logits, and softmax of it as a monoid."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from attn import numerics
from attn.backends.blockwise.operands import Layout, Operands, Span, cut, is_masked
from attn.spec.site import Site, whole


class State(NamedTuple):
    """Softmax over the keys seen so far, unfinished."""

    output: jax.Array  # [T, E], sum of exp(logit - largest) * value
    largest: jax.Array  # [T]
    total: jax.Array  # [T], sum of exp(logit - largest)


class Tile(NamedTuple):
    """A rectangle of queries and keys."""

    rows: Span
    cols: Span
    masked: bool  # False where the mask allows every pair


def zero(rows: int, width: int, dtype) -> State:
    """The state of no keys."""
    output, total = jnp.zeros((rows, width), dtype), jnp.zeros((rows,), dtype)
    return State(output, jnp.full((rows,), -jnp.inf, dtype), total)


def products(query: jax.Array, key: jax.Array) -> jax.Array:
    """query @ key.T, [T, S]."""
    return jnp.einsum("th,sh->ts", query, key)


def shape_logits(layout: Layout, part: Operands, tile: Tile, raw: jax.Array, floats):
    """Logits of raw products: pieces, then the mask.

    Args:
      layout: How leaves make pieces.
      part: The operands cut to the tile.
      tile: Where the tile lies.
      raw: [T, S], the similarity.
      floats: What to use in place of `part.floats`; for differentiation.

    Returns:
      [T, S], minus infinity where a pair is hidden.
    """
    logits, allowed = open_logits(layout, part, tile, raw, floats)
    return hidden(part, logits, allowed)


def open_logits(layout: Layout, part: Operands, tile: Tile, raw: jax.Array, floats):
    """The logits before the mask, and the mask, None where all is permitted."""
    pieces, mask, where = layout.unflatten(floats, part.others)
    site, allowed = whole(where), None
    if tile.masked:
        allowed = permitted(layout, mask, site, tile)
    logits = pieces.apply_visible(raw, site, allowed)
    if part.bad is not None:
        logits = logits + part.bad[None] if tile.masked else logits
    return logits, allowed


def hidden(part: Operands, logits: jax.Array, allowed: jax.Array | None) -> jax.Array:
    """Logits with minus infinity where a pair is hidden."""
    if part.low is None or allowed is None:
        return numerics.hide(logits, allowed, -jnp.inf)
    return jnp.where(allowed, logits, part.low)


def unhidden(part: Operands, cotangent: jax.Array, allowed: jax.Array | None):
    """The transpose of `hidden`: zeros where a pair is hidden."""
    if part.low is None or allowed is None:
        return numerics.hide(cotangent, allowed, 0.0)
    return jnp.where(allowed, cotangent, jnp.maximum(part.low, 0.0))


def permitted(layout: Layout, mask, site: Site, tile: Tile) -> jax.Array:
    """Which pairs count: what the mask allows, and no padding."""
    allowed = mask.allows(site) if is_masked(mask) else jnp.ones((1, 1), bool)
    start, size = tile.cols
    if isinstance(start, int) and start + size <= layout.s:
        return allowed
    columns = jnp.asarray(start, jnp.int32) + jnp.arange(size, dtype=jnp.int32)
    return allowed & (columns < layout.s)[None]


def lift(layout: Layout, operands: Operands, tile: Tile) -> State:
    """The state of one tile."""
    part = cut(layout, operands, tile.rows, tile.cols)
    raw = products(part.query, part.key)
    logits = shape_logits(layout, part, tile, raw, part.floats)
    largest = jnp.max(logits, axis=-1)
    if part.bad is not None and not tile.masked:
        # Every query sees every key: one NaN reaches all rows, at the cost of one sum.
        largest = largest + jnp.sum(part.bad)
    weights = jnp.exp(logits - numerics.finite_max(largest)[:, None])
    total = jnp.sum(weights, axis=-1)
    weights = dropped(layout, part, weights)
    return State(weights @ part.value, largest, total)


def dropped(layout: Layout, part: Operands, weights: jax.Array) -> jax.Array:
    """Weights after dropout; the same draw whatever the tiling."""
    if part.rng is None or layout.dropout.rate == 0:
        return weights
    site = whole(layout.unflatten(part.floats, part.others)[2])
    return layout.dropout.apply(weights, part.rng, site)


def merge(left: State, right: State) -> State:
    """The state of two disjoint sets of keys."""
    largest = jnp.maximum(left.largest, right.largest)
    a, b = (jnp.exp(x.largest - numerics.finite_max(largest)) for x in (left, right))
    output = left.output * a[:, None] + right.output * b[:, None]
    return State(output, largest, left.total * a + right.total * b)


class Closed(NamedTuple):
    """What a row gives: nothing but 0 and minus infinity where it has no key.

    exp(logit - sums) carries the rounding of a log-sum-exp, the same for a whole row:
    1e-6 of a weight where logits are of size 10. `slip` is what takes it back.
    """

    output: jax.Array  # [T, E]
    sums: jax.Array  # [T], log-sum-exp as rounded
    slip: jax.Array  # [T], true weights over exp(logit - sums); about 1


def close(state: State) -> Closed:
    """Output, log-sum-exp and its rounding."""
    share = numerics.safe_reciprocal(state.total)
    sums = state.largest + numerics.safe_log(state.total)
    rounded = numerics.finite_max(sums) - numerics.finite_max(state.largest)
    return Closed(state.output * share[:, None], sums, jnp.exp(rounded) * share)
