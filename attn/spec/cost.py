"""What a spec costs by its mathematics: multiplications of pairs, keys to remember.

A FLOP is one multiplication or one addition in a sum of products, so that a product of
two vectors of width H is 2 H; what is done to each number alone does not count. Pairs
that the mask hides cost nothing here, whatever a backend does with them.
"""

import jax
import jax.numpy as jnp
import numpy as np

from attn.spec.mask import Mask
from attn.spec.mechanism import Attention
from attn.spec.site import Site

MOST = 2**24  # pairs that are looked at one by one


def attention_flops(
    spec: Attention, t: int, s: int, *, heads: int, width: int, value_width: int
) -> int:
    """FLOPs of one call without its linear maps: logits, and weights times values.

    Args:
      spec: what is computed.
      t: T, queries.
      s: S, keys.
      heads: N.
      width: H, of a query and a key.
      value_width: E, of a value.
    """
    similarity = spec.similarity
    each = similarity.pair_flops(width) + 2 * value_width
    once = t * similarity.query_flops(width) + s * similarity.key_flops(width)
    return heads * (pairs(spec.mask, t, s) * each + once)


def pairs(mask: Mask, t: int, s: int) -> int:
    """How many pairs of T queries and S keys a mask permits.

    The queries are the last T of S positions where there are fewer, as in decoding; all
    tokens are of one segment. A mask that depends on arrays, or on other data of the
    tokens, is taken to permit all. Above 16 million pairs some queries, evenly spaced,
    stand for all.
    """
    if not t * s:
        return 0
    rows = min(t, max(1, MOST // s))
    spaced = (np.arange(rows) + 0.5) * t / rows  # the middle of each part; all if t
    found = _permitted(mask, max(0, s - t) + spaced.astype(np.int64), s)
    return t * s if found is None else round(int(found.sum()) * t / rows)


def remembered(mask: Mask, t: int) -> int:
    """How many of T keys have to be remembered, because a later query may need them.

    A causal mask needs all, `window(back=w)` the last w. The next T queries are asked,
    or as many as make 16 million pairs.
    """
    if not t:
        return 0
    found = _permitted(mask, t + np.arange(min(t, max(1, MOST // t))), t)
    return t if found is None else int(found.any(axis=0).sum())


def _permitted(mask: Mask, queries: np.ndarray, s: int) -> np.ndarray | None:
    """Booleans [T, S] on the host, or None where nobody can say."""
    if jax.tree.leaves(mask) or s > MOST:
        return None  # arrays that are known now: the next call may bring others
    with jax.ensure_compile_time_eval():  # a model may be built inside a trace
        t = len(queries)
        site = Site(
            query_pos=jnp.asarray(queries, jnp.int32)[:, None],
            key_pos=jnp.arange(s)[None],
            query={"segment": jnp.ones((t, 1), jnp.int32)},
            key={"segment": jnp.ones((1, s), jnp.int32)},
        )
        try:
            allowed = mask.allows(site)
        except KeyError:  # it asks for data of the tokens that only a call has
            return None
        return np.asarray(jnp.broadcast_to(allowed, (t, s)))
