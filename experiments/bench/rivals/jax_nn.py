"""`jax.nn.dot_product_attention`, jitted, as JAX chooses its implementation."""

import jax
import jax.numpy as jnp

from experiments.bench.contender import Arrays, Contender
from experiments.bench.rivals.known import plain_softmax
from experiments.bench.rivals.ours import of_attention
from experiments.bench.work import AttentionWork


def attention(work: AttentionWork, given: Arrays) -> Contender:
    """With `is_causal` where that says it all, else with the dense mask."""
    told = plain_softmax(given, "jax.nn.dot_product_attention")
    masks = () if told.mask is None else (jnp.asarray(told.mask)[None, None],)

    def compute(query, key, value, mask=None):
        return jax.nn.dot_product_attention(
            query, key, value, mask=mask, is_causal=told.is_causal
        )

    return of_attention(work, compute, more=masks)
