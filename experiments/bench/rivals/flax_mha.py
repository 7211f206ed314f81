"""`flax.nnx.MultiHeadAttention` with a causal mask, its state split once, jitted."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.bench.contender import Arrays, Contender, only_causal
from experiments.bench.rivals.layer import of_layer
from experiments.bench.work import LayerWork

NAMES = ("query", "key", "value", "out")


def attention(work: LayerWork, given: Arrays) -> Contender:
    """As its documentation calls it, without biases."""
    del given
    only_causal(work.spec)
    layer = nnx.MultiHeadAttention(
        num_heads=work.heads,
        in_features=work.width,
        use_bias=False,
        decode=False,
        rngs=nnx.Rngs(0),
    )
    graph, state, rest = nnx.split(layer, nnx.Param, ...)
    for name, kernel in zip(NAMES, work.weights(), strict=True):
        variable = state[name]["kernel"]
        variable.set_value(jnp.asarray(kernel).reshape(variable.shape))

    def apply(state: Any, x: Any) -> Any:
        mask = nnx.make_causal_mask(jnp.ones((1, work.length)), dtype=bool)
        return nnx.merge(graph, state, rest)(x, mask=mask)

    def kernels(state: Any) -> list[np.ndarray]:
        wide = (work.width, work.width)
        return [np.asarray(state[name]["kernel"][...]).reshape(wide) for name in NAMES]

    return of_layer(work, apply, state, kernels)
