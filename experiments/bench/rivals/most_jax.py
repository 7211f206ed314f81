"""Ceilings by JAX."""

import jax
import jax.numpy as jnp

from experiments.bench.contender import Arrays, Contender
from experiments.bench.work import CeilingWork, normal


def most(work: CeilingWork, given: Arrays) -> Contender:
    """One of the kinds of `experiments.bench.ceilings`."""
    del given
    function = {
        "matmul": jnp.matmul,
        "batched": jnp.matmul,
        "copy": jnp.negative,
        "exp": jnp.exp,
        "dispatch": lambda x: x,
    }[work.kind]
    dtype = "float32" if work.kind == "copy" else work.dtype
    drawn = (normal(1, shape, n)[0] for n, shape in enumerate(work.shapes()))
    args = [jnp.asarray(each, dtype) for each in drawn]
    call = jax.jit(function)
    return Contender(lambda: jax.block_until_ready(call(*args)), outputs=list)
