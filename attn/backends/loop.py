"""What nested `jax.vmap` computes, in one loop of written-out steps.

Left to JAX, the transpose of such a loop carries a cotangent of every array through
it, adds to all of them in every step, and copies some. But calls write to different
places, so the loop has a rule of its own: both directions are loops that only write.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from attn.adjoint import with_adjoint
from attn.backends import cuts
from attn.backends.pulls import Pulls
from attn.backends.walk import Level, Walk


def loop(one: Callable, levels: Sequence[Level]) -> Callable:
    """`jax.vmap` over each level, the outermost first, some calls in each step.

    A step is written out, not vmapped: products of two axes run in parallel and take
    their operands as they lie, where XLA:CPU transposes those of three.

    Args:
      one: The function; its output is a tuple as long as the `out_axes`.
      levels: What is mapped.
    """

    def run(*args):
        leaves, structure = jax.tree.flatten(args)
        keys = [cuts.implementation(x) for x in leaves]
        leaves = [
            jax.random.key_data(x) if key else jnp.asarray(x)
            for x, key in zip(leaves, keys, strict=True)
        ]
        axes = zip(
            *(list(cuts.axes_of(level.in_axes, args)) for level in levels), strict=True
        )
        places = [
            cuts.placed(x.ndim, each) for x, each in zip(leaves, axes, strict=True)
        ]
        # Jitted, so that it is traced once and not for each call of a step.
        walk = Walk(jax.jit(one), tuple(levels), structure, keys, places)
        return _calls(walk, leaves)

    return run


def _calls(walk: Walk, leaves: list) -> tuple:
    """All calls, differentiable to any order."""

    @jax.custom_jvp
    def core(leaves):
        nested = dataclasses.replace(walk, nested=True)
        return nested.forward(leaves, lambda pieces: (walk.call(pieces), []))[0]

    def rule(primals, tangents):
        (leaves,), (moved,) = primals, tangents
        active = [not isinstance(x, SymbolicZero) for x in moved]
        if not any(active):
            primal = core(leaves)
            return primal, jax.tree.map(jnp.zeros_like, primal)
        pulls = Pulls(walk, active)
        primal, saved = walk.forward(leaves, pulls.save)
        some = [x for x, yes in zip(moved, active, strict=True) if yes]
        tangent = with_adjoint(
            lambda some: pulls.push(leaves, some),
            lambda cotangent: pulls.back(leaves, primal, saved, cotangent),
            some,
            primal,
            leaves,
        )
        return primal, tangent

    core.defjvp(rule, symbolic_zeros=True)
    return core(leaves)
