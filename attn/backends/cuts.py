"""Where the calls of a loop read and write in whole arrays."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def implementation(x: Any) -> Any:
    """Which random keys an array holds, None where it holds none."""
    typed = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return jax.random.key_impl(x) if typed else None


def axes_of(in_axes: tuple, args: tuple) -> Iterator[int | None]:
    """The axis of each leaf."""
    for axis, arg in zip(in_axes, args, strict=True):
        if isinstance(axis, list):
            yield from axis
        else:
            yield from [axis] * len(jax.tree.leaves(arg))


def placed(ndim: int, axes: Sequence[int | None]) -> list[int | None]:
    """Where axes lie in the whole array, each counted without those of outer levels."""
    left = list(range(ndim))
    return [None if axis is None else left.pop(axis) for axis in axes]


def each(axes: tuple, function: Callable, *outputs: tuple) -> tuple:
    """`function(arrays, axes)` of each leaf of the outputs."""
    together = zip(axes, *outputs, strict=True)
    return tuple(
        jax.tree.map(lambda *x, axes=axes: function(x, axes), *trees)
        for axes, *trees in together
    )


def read(whole: jax.Array, place: list, at: Sequence[Any]) -> jax.Array:
    """What a call reads of an array; `at` holds its number on each level.

    A slice of its own for each call: XLA then copies it once, where slices of a block
    that several calls share are fused into all that reads them.
    """
    sizes = [1 if dim in place else size for dim, size in enumerate(whole.shape)]
    part = jax.lax.dynamic_slice(whole, _begin(whole, place, at), sizes)
    return jax.lax.squeeze(part, [dim for dim in place if dim is not None])


def _begin(whole: jax.Array, place: list, at: Sequence[Any]) -> list:
    """Where the call `at` of each level begins, all of one integer type."""
    begin: list[Any] = [np.int32(0)] * whole.ndim
    for dim, n in zip(place, at, strict=True):
        if dim is not None:
            begin[dim] = jnp.asarray(n, jnp.int32)
    return begin


def put(whole: jax.Array, block: jax.Array, place: list, at: list) -> jax.Array:
    """An array with a block in it, which begins at the call `at` of each level."""
    return jax.lax.dynamic_update_slice(whole, block, _begin(whole, place, at))


def written(whole: jax.Array, part: jax.Array, place: list, at: list) -> jax.Array:
    """An array with the part of a call in its place."""
    mapped = [dim for dim in place if dim is not None]
    return put(whole, jnp.expand_dims(part, mapped), place, at)
