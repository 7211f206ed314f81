"""Small functions whose compiled results were wrong on some versions of XLA:CPU.

Each is compared with itself run op by op. The patterns are those of jax#39103 (a
vmapped matrix-vector product and a reduction) and of the reverse pass of attention (a
batched product with a broadcast operand fused into multiply and reduce).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import attn


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers from a normal distribution; never ones, which hide mistakes."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def vector_product(matrices: Any, vectors: Any) -> Any:
    """vmap(matrix @ vector), then a sum: the pattern of jax#39103."""
    return jax.vmap(lambda matrix, vector: (matrix @ vector).sum())(matrices, vectors)


def broadcast_product(weights: Any, values: Any) -> Any:
    """A batched product whose cotangent is a broadcast, as `sum` makes it."""
    return jax.grad(lambda x: jnp.einsum("bts,bsh->bth", weights, x).sum())(values)


def attention_gradient(query: Any, key: Any, value: Any, backend: str = "auto") -> Any:
    """The gradient of causal attention with respect to the keys."""

    def total(key: Any) -> Any:
        made = attn.attend_heads("causal", query, key, value, backend=backend)
        return made.value.sum()

    return jax.grad(total)(key)


# Loops over tiles take seconds op by op; the definition of the same is quick.
definition = functools.partial(attention_gradient, backend="dense")

# name: what is compiled, the same to be run op by op, and the arguments
CANARIES = {
    "vector product": (
        vector_product,
        vector_product,
        (draw(7, 33, 17), draw(7, 17, seed=1)),
    ),
    "broadcast product": (
        broadcast_product,
        broadcast_product,
        (draw(5, 67, 67), draw(5, 67, 13, seed=1)),
    ),
    "attention gradient": (
        attention_gradient,
        definition,
        tuple(draw(2, 67, 3, 16, seed=seed) for seed in range(3)),
    ),
}
