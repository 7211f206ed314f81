"""Attention as people write it by hand: einsum, softmax, einsum, jitted."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.contender import Arrays, Contender, Refused
from experiments.bench.rivals.known import known
from experiments.bench.rivals.ours import of_attention
from experiments.bench.work import AttentionWork

CAP = 50.0
CAPPED = "Attention(logits=softcap(50) >> alibi)"  # what is written out below


def attention(work: AttentionWork, given: Arrays) -> Contender:
    """Softmax of dot products under any mask, or a soft cap with ALiBi's slopes.

    Raises:
      Refused: the spec is another one.
    """
    told = known(given)
    if told.rest not in ("", CAPPED):
        raise Refused(f"not written by hand: {told.rest}")
    masks = () if told.mask is None else (jnp.asarray(told.mask),)

    def compute(query, key, value, mask=None):
        mask = jnp.tri(work.length, dtype=bool) if told.is_causal else mask
        logits = jnp.einsum("btnh,bsnh->bnts", query, key) / np.sqrt(work.width)
        logits = logits.astype(jnp.float32)
        if told.rest:
            logits = CAP * jnp.tanh(logits / CAP) - distances(work)
        logits = logits if mask is None else jnp.where(mask, logits, -jnp.inf)
        weights = jax.nn.softmax(logits, -1).astype(value.dtype)
        return jnp.einsum("bnts,bsnh->btnh", weights, value)

    return of_attention(work, compute, more=masks)


def distances(work: AttentionWork) -> jax.Array:
    """What ALiBi subtracts, [1, N, T, T]: Press et al. 2022, arXiv 2108.12409."""
    slopes = 2.0 ** (-8.0 * np.arange(1, work.heads + 1) / work.heads)
    i, j = jnp.arange(work.length)[:, None], jnp.arange(work.length)[None]
    distance = jnp.abs(i - j).astype(jnp.float32)
    return jnp.asarray(slopes, jnp.float32)[None, :, None, None] * distance[None, None]
