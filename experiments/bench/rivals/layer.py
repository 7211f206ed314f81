"""Our attention layer, and the frame in which the others of JAX are put."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from attn.modules import MultiHeadAttention
from experiments.bench import jitted
from experiments.bench.contender import Arrays, Contender
from experiments.bench.work import BACKWARD, LayerWork

MAPS = 4  # query, key, value, output


def attention(work: LayerWork, given: Arrays) -> Contender:
    """`attn.modules.MultiHeadAttention` with the given kernels."""
    del given
    layer = MultiHeadAttention(
        width=work.width, heads=work.heads, spec=work.spec, rngs=nnx.Rngs(0)
    )
    graph, state = nnx.split(layer)
    names = ("query", "key", "value", "output")
    for name, kernel in zip(names, work.weights(), strict=True):
        state[name]["kernel"].set_value(jnp.asarray(kernel))

    def apply(state: Any, x: Any) -> Any:
        return nnx.merge(graph, state)(x)

    def kernels(state: Any) -> list[np.ndarray]:
        return [np.asarray(state[name]["kernel"][...]) for name in names]

    return of_layer(work, apply, state, kernels, flops=declared(work, layer))


def declared(work: LayerWork, layer: MultiHeadAttention) -> float:
    """FLOPs; backward, a map costs twice its forward pass."""
    whole = work.batch * layer.flops(work.length, work.length)
    if not work.backward:
        return whole
    maps = work.batch * MAPS * 2 * work.length * work.width**2
    return 3 * maps + (1 + BACKWARD) * (whole - maps)


def of_layer(
    work: LayerWork,
    apply: Callable,
    weights: Any,
    kernels: Callable[[Any], Sequence[np.ndarray]],
    *,
    flops: float | None = None,
) -> Contender:
    """A contender out of a function (weights, x [B, T, D]) -> [B, T, D].

    Args:
      work: sizes.
      apply: the layer, pure.
      weights: its parameters, any pytree.
      kernels: of a gradient as large as the weights, those of query, key, value and
        output as [D, D], inputs first.
      flops: declared.
    """
    x, cotangent = map(jnp.asarray, work.arrays())

    def both(weights: Any, x: Any, cotangent: Any) -> Any:
        output, pull = jax.vjp(apply, weights, x)
        return output, *pull(cotangent)

    function = jax.jit(both if work.backward else apply)
    args = (weights, x, cotangent) if work.backward else (weights, x)

    def outputs() -> list[np.ndarray]:
        found = function(*args)
        if not work.backward:
            return [np.asarray(found)]
        output, slopes, pulled = found
        return [np.asarray(output), np.asarray(pulled), *kernels(slopes)]

    return jitted.contender(function, args, flops=flops, outputs=outputs)
