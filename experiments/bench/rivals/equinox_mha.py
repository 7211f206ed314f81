"""`equinox.nn.MultiheadAttention`, vmapped over the batch, jitted."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.contender import Arrays, Contender, only_causal
from experiments.bench.rivals.layer import of_layer
from experiments.bench.work import LayerWork

NAMES = ("query_proj", "key_proj", "value_proj", "output_proj")


def attention(work: LayerWork, given: Arrays) -> Contender:
    """With a causal mask; its kernels lie [outputs, inputs]."""
    del given
    only_causal(work.spec)
    layer = eqx.nn.MultiheadAttention(
        work.heads, work.width, key=jax.random.key(0), inference=True
    )
    layer = eqx.tree_at(
        read, layer, [jnp.asarray(kernel.T) for kernel in work.weights()]
    )
    weights, static = eqx.partition(layer, eqx.is_array)

    def apply(weights: Any, x: Any) -> Any:
        layer = eqx.combine(weights, static)
        mask = jnp.tri(work.length, dtype=bool)
        return jax.vmap(lambda each: layer(each, each, each, mask=mask))(x)

    def kernels(slopes: Any) -> list[np.ndarray]:
        return [np.asarray(each).T for each in read(slopes)]

    return of_layer(work, apply, weights, kernels)


def read(layer: Any) -> list[Any]:
    """The four kernels."""
    return [getattr(layer, name).weight for name in NAMES]
