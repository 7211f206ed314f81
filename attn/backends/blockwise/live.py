"""Which tiles may hold a permitted pair, where positions or segments are data."""

import jax
import jax.numpy as jnp

from attn.spec.mask import And, Mask, Or
from attn.spec.masks import Causal, Segments, Window
from attn.spec.site import At

Spans = dict[str, tuple[jax.Array, jax.Array]]  # lowest and highest of each tile


def decides(mask: Mask, known: bool) -> bool:
    """Whether per-token data could rule tiles out that static planning cannot.

    Args:
      mask: The mask.
      known: Whether positions are known while planning.
    """
    kinds = (Segments,) if known else (Segments, Causal, Window)
    return any(type(inner) in kinds for inner in mask.walk())


def tiles(mask: Mask, where: At, rows: int, cols: int) -> jax.Array:
    """Booleans [T / rows, S / cols]; True is always sound."""
    query = {**where.query, "pos": where.query_pos}
    key = {**where.key, "pos": where.key_pos}
    names = ("pos", "segment")
    q = {n: _spans(query[n], rows) for n in names if n in query}
    k = {n: _spans(key[n], cols) for n in names if n in key}
    q = {n: (low[:, None], high[:, None]) for n, (low, high) in q.items()}
    k = {n: (low[None], high[None]) for n, (low, high) in k.items()}
    count = (-(-len(where.query_pos) // rows), -(-len(where.key_pos) // cols))
    return jnp.broadcast_to(_alive(mask, q, k), count)


def _spans(array: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    padded = jnp.pad(array, (0, -len(array) % size), mode="edge").reshape(-1, size)
    return jnp.min(padded, axis=1), jnp.max(padded, axis=1)


def _alive(mask: Mask, q: Spans, k: Spans) -> jax.Array:
    if type(mask) is And:
        return _alive(mask.left, q, k) & _alive(mask.right, q, k)
    if type(mask) is Or:
        return _alive(mask.left, q, k) | _alive(mask.right, q, k)
    if type(mask) is Segments:
        (q_low, q_high), (k_low, k_high) = q["segment"], k["segment"]
        return (q_low <= k_high) & (k_low <= q_high)
    (q_low, q_high), (k_low, k_high) = q["pos"], k["pos"]
    if type(mask) is Causal:
        return k_low <= q_high
    if type(mask) is Window:
        near = far = jnp.ones((1, 1), bool)
        if mask.ahead is not None:  # differences alone may exceed int32
            near = (k_low <= q_high) | (k_low - q_high <= mask.ahead)
        if mask.back is not None:
            far = (k_high >= q_low) | (k_high >= q_low - mask.back)
        return near & far
    return jnp.ones((1, 1), bool)
