"""Ceilings by JAX."""

import jax
import jax.numpy as jnp

from experiments.bench.contender import Arrays, Contender
from experiments.bench.work import CeilingWork, normal


def most(work: CeilingWork, given: Arrays) -> Contender:
    """One of the kinds of `experiments.bench.ceilings`."""
    del given
    function, shapes = {
        "matmul": (jnp.matmul, [(1024, 1024)] * 2),
        "batched": (jnp.matmul, [(16, 512, 64), (16, 64, 512)]),
        "copy": (jnp.negative, [(64 * 2**20,)]),
        "exp": (jnp.exp, [(2**16,)]),
        "dispatch": (lambda x: x, [()]),
    }[work.kind]
    args = [jnp.asarray(normal(1, shape, n)[0]) for n, shape in enumerate(shapes)]
    call = jax.jit(function)
    return Contender(lambda: jax.block_until_ready(call(*args)), outputs=list)
