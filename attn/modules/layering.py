"""Modules that are alike as one, run as one loop: a program as large as one of them."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

Module = TypeVar("Module", bound=nnx.Module)
Step = Callable[[Any, Array, Any], Array]  # (module, x, what differs by layer) -> x


def draw(make: Callable[..., Module], count: int, rngs: nnx.Rngs) -> Module:
    """Makes modules that are alike, as one whose arrays have a first axis of layers.

    Args:
      make: one of them, from `rngs=`.
      count: how many, L.
      rngs: where the initial values are drawn from; the numbers are those of making
        the modules one after the other, up to rounding.

    Returns:
      A module of the same kind, each array [L, ...]; not to be called.
    """
    keys = {name: stream.key[...] for name, stream in rngs.items()}
    graphs = []

    def body(counts: list[Array], _: None):
        own = nnx.Rngs(**keys)
        _set_counts(own, counts)
        graph, state = nnx.split(make(rngs=own))
        graphs.append(graph)
        return _counts(own), state

    after, states = jax.lax.scan(body, _counts(rngs), None, length=count)
    _set_counts(rngs, after)
    return nnx.merge(graphs[0], states)


def layers(stacked: Module, count: int) -> list[Module]:
    """The modules that `draw` made into one, each by itself."""
    graph, states = nnx.split(stacked)
    each = [jax.tree.map(lambda x, i=i: x[i], states) for i in range(count)]
    return [nnx.merge(graph, state) for state in each]


def run(stacked: nnx.Module, step: Step, x: Array, own: Any) -> Array:
    """Sends x through the modules that `draw` made into one.

    Args:
      stacked: from `draw`.
      step: what a module does with x; it returns the like of x.
      x: an array.
      own: a pytree of arrays [L, ...], what else differs by layer.

    Returns:
      What the last module made of it.
    """
    graph, states = nnx.split(stacked)

    def body(x: Array, layer: tuple[Any, Any]) -> tuple[Array, None]:
        state, mine = layer
        return step(nnx.merge(graph, state), x, mine), None

    return jax.lax.scan(body, x, (states, own))[0]


def stack(keys: list[Array | None]) -> Array | None:
    """Streams of randomness on an axis, or None where there is none."""
    present = [key for key in keys if key is not None]
    return jnp.stack(present) if present else None


def _counts(rngs: nnx.Rngs) -> list[Array]:
    return [stream.count[...] for _, stream in rngs.items()]


def _set_counts(rngs: nnx.Rngs, counts: list[Array]) -> None:
    for (_, stream), count in zip(rngs.items(), counts, strict=True):
        stream.count[...] = count
